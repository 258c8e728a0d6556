//! Customers: profiles, heads and who holds which identifier.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::operation::transact_write_items::builders::TransactWriteItemsFluentBuilder;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use throughline_domain::customer::{CustomerHead, Profile};
use throughline_domain::id::CustomerId;
use throughline_domain::identifier::Identifier;
use throughline_domain::identity::{NewClaim, Owner};

use crate::Store;
use crate::error::StoreError;
use crate::item::{self, Item, number, string};
use crate::keys;
use crate::naming::Naming;

/// Why identifiers were not claimed.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Somebody else claimed one meanwhile, or the profile changed: read and decide again.
    #[error("an identifier or the profile changed meanwhile")]
    Lost,
    /// Something else.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Who holds these identifiers, read strongly in one request; those that nobody holds are left out.
    ///
    /// # Errors
    /// When the table does not answer or an item cannot be read.
    pub async fn owners(&self, identifiers: &[Identifier]) -> Result<BTreeMap<Identifier, Owner>, StoreError> {
        let mut wanted: Vec<&Identifier> = identifiers.iter().collect();
        wanted.sort_unstable();
        wanted.dedup();
        let keys: Vec<_> = wanted.iter().map(|identifier| keys::identifier(identifier)).collect();
        let mut owners = BTreeMap::new();
        for (identifier, item) in wanted.into_iter().zip(self.get_many(&keys).await?) {
            if let Some(item) = item {
                owners.insert(identifier.clone(), item::decode(item)?);
            }
        }
        Ok(owners)
    }

    /// What is known of a customer, read strongly.
    ///
    /// # Errors
    /// When the table does not answer or the item cannot be read.
    pub async fn profile(&self, id: CustomerId) -> Result<Option<Profile>, StoreError> {
        self.get(&keys::customer_profile(id)).await?.map(item::decode).transpose()
    }

    /// A customer's open tickets, read strongly; an empty head when there never was one.
    ///
    /// # Errors
    /// When the table does not answer or the item cannot be read.
    pub async fn customer_head(&self, id: CustomerId) -> Result<CustomerHead, StoreError> {
        let item = self.get(&keys::customer_head(id)).await?;
        item.map_or_else(|| Ok(CustomerHead::default()), item::decode)
    }

    /// Says whether a name is shared, if its owner is still who was read. Says whether it was.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn set_shared(&self, identifier: &Identifier, owner: &Owner, shared: bool) -> Result<bool, StoreError> {
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(item::key(&keys::identifier(identifier))))
            .condition_expression("customer_id = :owner")
            .expression_attribute_names("#shared", "shared")
            .expression_attribute_values(":owner", string(owner.customer_id.to_string()));
        let request = if shared {
            let yes = aws_sdk_dynamodb::types::AttributeValue::Bool(true);
            request.update_expression("SET #shared = :shared").expression_attribute_values(":shared", yes)
        } else {
            request.update_expression("REMOVE #shared")
        };
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => {
                Ok(false)
            }
            Err(error) => Err(StoreError::unavailable("set_shared", &error)),
        }
    }

    /// What is known of many customers, read strongly, in the order of the ids, which must differ.
    ///
    /// # Errors
    /// When the table does not answer or an item cannot be read.
    pub async fn profiles(&self, ids: &[CustomerId]) -> Result<Vec<Option<Profile>>, StoreError> {
        let keys: Vec<_> = ids.iter().map(|id| keys::customer_profile(*id)).collect();
        self.get_many(&keys).await?.into_iter().map(|item| item.map(item::decode).transpose()).collect()
    }

    /// Writes a profile together with the identifiers that it claims, if nobody claimed them and the profile is as it
    /// was read (its version is one more than that). `suggested` are names that are new among its suggestions: it is found
    /// by them, and whoever loses a name is found by that.
    ///
    /// # Errors
    /// [`ClaimError::Lost`] when one of them changed meanwhile.
    pub async fn claim(
        &self,
        profile: &Profile,
        claims: &[NewClaim],
        suggested: &[Identifier],
    ) -> Result<(), ClaimError> {
        let mut request = self.client.transact_write_items();
        let loses = |claim: &NewClaim| {
            let loser = claim.displaces.as_ref().map(|before| before.customer_id)?;
            (loser != profile.id).then(|| (claim.known.identifier.clone(), loser))
        };
        let suggested = suggested.iter().map(|name| (name.clone(), profile.id));
        let namings: BTreeSet<_> = claims.iter().filter_map(loses).chain(suggested).collect();
        for (name, by) in namings {
            let item = item::key(&keys::naming(&name, Naming::Customer(by)));
            let put = Put::builder().table_name(&self.table).set_item(Some(item)).build().map_err(StoreError::build)?;
            request = request.transact_items(TransactWriteItem::builder().put(put).build());
        }
        for claim in claims {
            let owner = Owner { customer_id: profile.id, verified: claim.known.verified, shared: false };
            let item = item::encode(&keys::identifier(&claim.known.identifier), &owner)?;
            let put = Put::builder().table_name(&self.table).set_item(Some(item));
            let put = match &claim.displaces {
                None => put.condition_expression("attribute_not_exists(pk)"),
                Some(before) => put
                    .condition_expression(
                        "customer_id = :before AND verified = :verified AND attribute_not_exists(#shared)",
                    )
                    .expression_attribute_names("#shared", "shared")
                    .expression_attribute_values(":before", string(before.customer_id.to_string()))
                    .expression_attribute_values(
                        ":verified",
                        aws_sdk_dynamodb::types::AttributeValue::Bool(before.verified),
                    ),
            };
            let put = put.build().map_err(StoreError::build)?;
            request = request.transact_items(TransactWriteItem::builder().put(put).build());
        }
        let item = item::encode(&keys::customer_profile(profile.id), profile)?;
        claimed("claim", request.transact_items(self.put_version(item, profile.version)?)).await
    }

    /// Puts an item that counts its versions, if what is stored is the version before.
    pub(crate) fn put_version(&self, item: Item, version: u64) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        let put = match version {
            1 => put.condition_expression("attribute_not_exists(pk)"),
            version => put
                .condition_expression("version = :version")
                .expression_attribute_values(":version", number(version - 1)),
        };
        let put = put.build().map_err(StoreError::build)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}

/// Writes all, or nothing: when something is not as it was read.
pub(crate) async fn claimed(
    operation: &'static str,
    request: TransactWriteItemsFluentBuilder,
) -> Result<(), ClaimError> {
    match request.send().await {
        Ok(_) => Ok(()),
        Err(error) if error.as_service_error().is_some_and(|e| e.is_transaction_canceled_exception()) => {
            Err(ClaimError::Lost)
        }
        Err(error) => Err(StoreError::unavailable(operation, &error).into()),
    }
}

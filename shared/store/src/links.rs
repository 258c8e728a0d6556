//! Clusters: which customers are the same person, and on whose tickets they wrote.

use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use throughline_domain::cluster::{Cluster, Link, Rewrite};
use throughline_domain::customer::CustomerHead;
use throughline_domain::id::{CustomerId, TicketId};

use crate::Store;
use crate::customers::{ClaimError, claimed};
use crate::error::StoreError;
use crate::item::{self, Item, string, text};
use crate::keys::{self, ItemKey, PK, SK};

/// How often a cluster is looked for again that was linked or unlinked between two reads.
const READS_MAX: usize = 5;

impl Store {
    /// Who speaks for a customer's cluster, with their head: itself, when the customer stands alone. Read strongly, and
    /// right at the moment of the last read: a write on the condition of this head's version holds for the whole cluster.
    ///
    /// # Errors
    /// When the table does not answer or an item cannot be read.
    pub async fn root_head(&self, id: CustomerId) -> Result<(CustomerId, CustomerHead), StoreError> {
        for _ in 0..READS_MAX {
            let own = self.customer_head(id).await?;
            let Some(root) = own.root else {
                return Ok((id, own));
            };
            let head = self.customer_head(root).await?;
            if head.root.is_none() && head.members.contains(&id) {
                return Ok((root, head));
            }
        }
        let detail = format!("the cluster of {id} changes all the time");
        Err(StoreError::Unavailable { operation: "root_head", detail })
    }

    /// A customer's whole cluster with its links: its root's head, then the members' heads and links.
    ///
    /// # Errors
    /// When the table does not answer or an item cannot be read.
    pub async fn cluster(&self, id: CustomerId) -> Result<Cluster, StoreError> {
        let (root, head) = self.root_head(id).await?;
        let members = head.cluster_of(root);
        let others: Vec<CustomerId> = members.iter().copied().filter(|member| *member != root).collect();
        let keys: Vec<_> = others.iter().map(|member| keys::customer_head(*member)).collect();
        let mut cluster = Cluster { root, heads: [(root, head)].into(), links: Vec::new() };
        for (member, item) in others.into_iter().zip(self.get_many(&keys).await?) {
            let head = item.map_or_else(|| Ok(CustomerHead::default()), item::decode)?;
            cluster.heads.insert(member, head);
        }
        for member in members {
            cluster.links.extend(self.links_of(member).await?);
        }
        Ok(cluster)
    }

    /// What a customer is to those who are younger, where anything is known, read strongly.
    ///
    /// # Errors
    /// When the table does not answer or an item cannot be read.
    pub(crate) async fn links_of(&self, id: CustomerId) -> Result<Vec<Link>, StoreError> {
        let items = self.in_partition(keys::customer(id), keys::LINK_PREFIX, None, None).await?;
        items.into_iter().map(item::decode).collect()
    }

    /// What these pairs of customers are to each other, where anything is known, read strongly.
    ///
    /// # Errors
    /// When the table does not answer or an item cannot be read.
    pub async fn links(&self, pairs: &[[CustomerId; 2]]) -> Result<Vec<Link>, StoreError> {
        let keys: Vec<_> = pairs.iter().map(|pair| keys::link(*pair)).collect();
        self.get_many(&keys).await?.into_iter().flatten().map(item::decode).collect()
    }

    /// The tickets of others on which a customer wrote, newest first, older than `before` if that is given, at most `limit`.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn joined_tickets(
        &self,
        id: CustomerId,
        before: Option<TicketId>,
        limit: usize,
    ) -> Result<Vec<TicketId>, StoreError> {
        let before = before.map(|before| keys::joined(id, before));
        let items = self.in_partition(keys::customer(id), keys::JOINED_PREFIX, before, Some(limit)).await?;
        Ok(items.iter().filter_map(|item| keys::ticket_of(text(item, SK)?)).collect())
    }

    /// Links or unlinks: writes all heads, if each is as it was read, and the links between them.
    ///
    /// # Errors
    /// [`ClaimError::Lost`] when a head changed meanwhile: nothing was written.
    pub async fn relink(&self, rewrite: &Rewrite) -> Result<(), ClaimError> {
        let mut request = self.client.transact_write_items();
        for (id, head) in &rewrite.heads {
            let item = item::encode(&keys::customer_head(*id), head)?;
            request = request.transact_items(self.put_version(item, head.version)?);
        }
        for link in &rewrite.links {
            let item = item::encode(&keys::link(link.pair), link)?;
            let put = Put::builder().table_name(&self.table).set_item(Some(item)).build().map_err(StoreError::build)?;
            request = request.transact_items(TransactWriteItem::builder().put(put).build());
        }
        claimed("relink", request).await
    }

    /// Writes a link anew, if it still says of the two what it said. Says whether it does.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn rewrite_link(&self, link: &Link) -> Result<bool, StoreError> {
        let item = item::encode(&keys::link(link.pair), link)?;
        let value =
            |name: &str| item.get(name).cloned().ok_or_else(|| StoreError::Build(format!("a link has no {name}")));
        let put = self.client.put_item().table_name(&self.table).condition_expression("#state = :state AND #at = :at");
        let put = put.expression_attribute_names("#state", "state").expression_attribute_names("#at", "at");
        let put =
            put.expression_attribute_values(":state", value("state")?).expression_attribute_values(":at", value("at")?);
        match put.set_item(Some(item)).send().await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => {
                Ok(false)
            }
            Err(error) => Err(StoreError::unavailable("rewrite_link", &error)),
        }
    }

    /// Items of a partition whose sort keys begin so: all of them in order, or the last `limit`, last first. From `from` on,
    /// itself left out.
    pub(crate) async fn in_partition(
        &self,
        pk: String,
        prefix: &str,
        from: Option<ItemKey>,
        limit: Option<usize>,
    ) -> Result<Vec<Item>, StoreError> {
        let mut found = Vec::new();
        let mut start = from.map(|from| item::key(&from));
        loop {
            let answer = self
                .client
                .query()
                .table_name(&self.table)
                .consistent_read(true)
                .key_condition_expression("#pk = :pk AND begins_with(#sk, :prefix)")
                .expression_attribute_names("#pk", PK)
                .expression_attribute_names("#sk", SK)
                .expression_attribute_values(":pk", string(&pk))
                .expression_attribute_values(":prefix", string(prefix))
                .scan_index_forward(limit.is_none())
                .set_limit(limit.map(|limit| i32::try_from(limit).unwrap_or(i32::MAX)))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| StoreError::unavailable("query partition", &error))?;
            found.extend(answer.items.unwrap_or_default());
            start = answer.last_evaluated_key;
            if start.is_none() || limit.is_some_and(|limit| found.len() >= limit) {
                found.truncate(limit.unwrap_or(usize::MAX));
                return Ok(found);
            }
        }
    }
}

//! A shop that posts its customers' messages as signed webhooks.

use serde_json::{Value, json};
use throughline_channels::webhook::sign;

use super::{Customer, SUBJECTS, address, post, until_answered};
use crate::memory::Fate;

/// Path of the shop's inbox.
const SHOP: &str = "/v1/channels/webhook/shop";

/// A message that the shop passed on.
#[derive(Clone, Debug)]
pub(super) struct Order {
    external_id: String,
    delivery: String,
    mark: String,
    body: String,
}

impl Customer {
    /// Has the shop pass a message on: a new one, one again, one under a known id, one that we cannot read.
    pub(super) async fn order(&mut self) {
        let order = match self.random.below(8) {
            0 if !self.orders.is_empty() => self.random.pick(&self.orders).clone(),
            1 if !self.orders.is_empty() => {
                let known = self.random.pick(&self.orders).external_id.clone();
                self.message(known)
            }
            2 => {
                let mark = self.cloud.memory().sends(self.person, None, Vec::new(), Fate::Quarantined);
                let external_id = self.random.name();
                let body = json!({"type": "unknown.thing", "data": {"what": mark}}).to_string();
                Order { delivery: format!("delivery-{external_id}"), external_id, mark, body }
            }
            _ => self.message(self.random.name()),
        };
        self.pass_on(order).await;
    }

    /// The first that we hear of somebody, perhaps under two names at once.
    pub(super) async fn introduce(&mut self) {
        let mail = address(self.person);
        let account = format!("account-{}", self.person);
        let requester = match self.place {
            0 => json!({"email": mail}),
            _ => json!({"account": account, "email": mail}),
        };
        let order = self.message_of(self.random.name(), &requester);
        self.pass_on(order).await;
    }

    async fn pass_on(&mut self, order: Order) {
        let secret = self.cloud.business.secrets.inboxes[&"shop".parse().expect("an inbox")].webhook[0].clone();
        let request = || {
            let at = self.cloud.now().ms() / 1_000;
            let signature = sign(&order.delivery, at, order.body.as_bytes(), &secret).expect("a usable secret");
            let at = at.to_string();
            let headers = [
                ("webhook-id", order.delivery.as_str()),
                ("webhook-timestamp", at.as_str()),
                ("webhook-signature", signature.as_str()),
            ];
            post(SHOP, &headers, &order.body)
        };
        let answer = until_answered(&self.cloud, &self.random, "ingest-webhook", request).await;
        let accepted = answer.is_some_and(|(status, _)| status.is_success());
        self.cloud.trace.line("shop", format_args!("person {} {}: {accepted}", self.person, order.mark));
        if accepted {
            self.cloud.memory().accepted(&order.mark);
        }
        self.orders.push(order);
    }

    fn message(&self, external_id: String) -> Order {
        let account = format!("account-{}", self.person);
        let requester = match self.random.below(3) {
            0 => json!({"account": account}),
            1 => json!({"account": account, "email": address(self.person)}),
            _ => json!({"email": address(self.person)}),
        };
        self.message_of(external_id, &requester)
    }

    fn message_of(&self, external_id: String, requester: &Value) -> Order {
        let mark = self.cloud.memory().sends(self.person, None, Vec::new(), Fate::Recorded);
        let thread = if self.random.chance(300) { json!(format!("thread-{}", self.person)) } else { json!(null) };
        let subject = *self.random.pick(&SUBJECTS);
        let text = format!("{mark} from the shop");
        let data = json!({
            "external_id": external_id, "requester": requester, "subject": subject, "body": text, "thread": thread,
        });
        let body = json!({"type": "message.create", "data": data}).to_string();
        Order { delivery: format!("delivery-{external_id}-{mark}"), external_id, mark, body }
    }
}

//! What the routes of deliveries answer with. What the members are is said in the OpenAPI document with these words.

use schemars::JsonSchema;
use serde::Serialize;

/// A delivery: one update on its way to one integration.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Delivery")]
pub(super) struct Row {
    /// What it is known by: an integration and a number.
    pub(super) delivery: String,
    /// The name of the integration.
    pub(super) integration: String,
    /// The id of the event.
    pub(super) event: String,
    /// Whether a person sent it again.
    pub(super) resend: bool,
    /// The delivery as which it was sent again since it was given up.
    pub(super) sent_again: Option<String>,
    /// The alert type of the update: `start`, `ongoing` or `end`, if it is one of them.
    #[schemars(extend("enum" = ["start", "ongoing", "end", null]))]
    pub(super) alerttype: Option<&'static str>,
    /// What its receiver can tell repeats by.
    pub(super) webhook_id: String,
    /// When it was taken in.
    pub(super) accepted: String,
    #[schemars(extend("enum" = ["pending", "delivered", "superseded", "dead", "unreadable"]))]
    pub(super) state: &'static str,
    /// How many attempts there were.
    pub(super) attempts: u32,
    /// When the next attempt is due.
    pub(super) next_attempt: Option<String>,
    /// When it was settled.
    pub(super) settled: Option<String>,
    /// Why it is in its state.
    pub(super) reason: Option<String>,
    /// What came of the last attempt.
    pub(super) last_outcome: Option<String>,
}

/// Deliveries, newest first.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Deliveries")]
pub(super) struct Rows {
    pub(super) deliveries: Vec<Row>,
    /// What to ask for before which, if there may be more.
    pub(super) next: Option<u64>,
}

/// One attempt of a delivery.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Attempt")]
pub(super) struct Tried {
    pub(super) number: u32,
    /// When it ended.
    pub(super) at: String,
    /// What came of it.
    pub(super) outcome: String,
    /// The same in one word.
    pub(super) word: String,
    /// The status of the answer.
    pub(super) status: Option<u16>,
    /// How long it took.
    pub(super) milliseconds: f64,
    /// The address that it went to; of attempts of earlier versions this and the following are not known.
    pub(super) peer: Option<String>,
    /// Milliseconds until the connection stood; none on a kept-alive one.
    pub(super) connected: Option<f64>,
    /// Milliseconds until TLS stood.
    pub(super) tls: Option<f64>,
    /// Milliseconds until the head of the answer was there.
    pub(super) first_byte: Option<f64>,
    /// How the answer's body begins.
    pub(super) response: String,
}

/// A delivery with its attempts and its body.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DeliveryShown")]
pub(super) struct Shown {
    #[serde(flatten)]
    pub(super) row: Row,
    pub(super) history: Vec<Tried>,
    /// The update as it came.
    pub(super) body: String,
}

/// How many deliveries are sent once more.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Resent {
    pub(super) resent: usize,
}

/// An update that went nowhere.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Unrouted {
    pub(super) webhook_id: String,
    /// The id of the event.
    pub(super) event: String,
    /// When it was taken in.
    pub(super) accepted: String,
    /// Why it went nowhere.
    pub(super) reason: &'static str,
}

/// Updates that went nowhere.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UnroutedUpdates")]
pub(super) struct Nowhere {
    pub(super) updates: Vec<Unrouted>,
    /// What to ask for before which, if there may be more.
    pub(super) next: Option<u64>,
}

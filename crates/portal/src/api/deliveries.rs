//! What became of updates, and sending them again.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use bytes::Bytes;
use delivery::clock::Timestamp;
use delivery::message::{Message, MessageId, OrderKey};
use delivery::store::sqlite::archive;
use delivery::store::sqlite::archive::{Delivery, State as Wanted, Status};
use delivery::store::{AttemptRecord, DeliveryId, LaneId, Route, Sequence};
use http::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::Problem;
use super::extract::{Path, Query};
use super::integrations::known;
use super::operation::{Operation, get, post};
use super::status::time;
use crate::portal::Portal;
use crate::watch::word;

/// How many are listed unless asked otherwise, and at most.
const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 1000;

/// How many dead letters one request resends.
const MAX_RESEND: usize = 10_000;

pub(super) fn operations() -> Vec<Operation> {
    vec![
        get("/v1/deliveries", "listDeliveries", list)
            .says("Lists deliveries, newest first")
            .asks::<Filter>()
            .gives::<Rows>(200, "Deliveries, newest first.")
            .refuses(&[404, 503]),
        get("/v1/deliveries/{integration}/{number}", "showDelivery", show)
            .says("Shows a delivery with its attempts and its body")
            .gives::<Shown>(200, "The delivery.")
            .refuses(&[404, 503]),
        post("/v1/deliveries/{integration}/{number}/resend", "resendDelivery", resend)
            .says("Sends a settled delivery once more")
            .gives::<Resent>(202, "It is on disk, and will be sent.")
            .refuses(&[404, 409, 503]),
        post("/v1/dead/resend", "resendDead", resend_dead)
            .says("Sends what was given up once more, up to 10,000 of them")
            .asks::<Dead>()
            .gives::<Resent>(202, "They are on disk, and will be sent.")
            .refuses(&[404, 503]),
        get("/v1/unrouted", "listUnrouted", unrouted)
            .says("Lists updates that went nowhere, and why")
            .gives::<Nowhere>(200, "Updates that went nowhere, newest first.")
            .refuses(&[503]),
    ]
}

/// What is asked for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Filter {
    /// Those of an integration, by its name or id.
    integration: Option<String>,
    /// Those of an event.
    event: Option<String>,
    /// Those in this state.
    #[schemars(extend("enum" = ["pending", "delivered", "superseded", "dead"]))]
    state: Option<String>,
    /// Those accepted since then.
    #[schemars(extend("format" = "date-time"))]
    since: Option<String>,
    /// The `next` of the page before.
    before: Option<u64>,
    /// How many; 50 if it is absent, and 1,000 at most.
    limit: Option<usize>,
}

/// Which of the dead are asked for: what a [`Filter`] can say beside the state and how many.
struct Dead;

impl JsonSchema for Dead {
    fn schema_name() -> Cow<'static, str> {
        "Dead".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Filter::json_schema(generator);
        if let Some(members) = schema.get_mut("properties").and_then(serde_json::Value::as_object_mut) {
            members.remove("state");
            members.remove("limit");
        }
        schema
    }
}

/// A delivery: one update on its way to one integration.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Delivery")]
struct Row {
    /// What it is known by: an integration and a number.
    delivery: String,
    /// The name of the integration.
    integration: String,
    /// The id of the event.
    event: String,
    /// What its receiver can tell repeats by.
    webhook_id: String,
    /// When it was taken in.
    accepted: String,
    #[schemars(extend("enum" = ["pending", "delivered", "superseded", "dead", "unreadable"]))]
    state: &'static str,
    /// How many attempts there were.
    attempts: u32,
    /// When the next attempt is due.
    next_attempt: Option<String>,
    /// When it was settled.
    settled: Option<String>,
    /// Why it is in its state.
    reason: Option<String>,
    /// What came of the last attempt.
    last_outcome: Option<String>,
}

/// Deliveries, newest first.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Deliveries")]
struct Rows {
    deliveries: Vec<Row>,
    /// What to ask for before which, if there may be more.
    next: Option<u64>,
}

/// One attempt of a delivery.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Attempt")]
struct Tried {
    number: u32,
    /// When it began.
    at: String,
    /// What came of it.
    outcome: String,
    /// The same in one word.
    word: String,
    /// The status of the answer.
    status: Option<u16>,
    /// How long it took.
    milliseconds: f64,
    /// How the answer's body begins.
    response: String,
}

/// A delivery with its attempts and its body.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DeliveryShown")]
struct Shown {
    #[serde(flatten)]
    row: Row,
    history: Vec<Tried>,
    /// The update as it came.
    body: String,
}

/// How many deliveries are sent once more.
#[derive(Debug, Serialize, JsonSchema)]
struct Resent {
    resent: usize,
}

/// An update that went nowhere.
#[derive(Debug, Serialize, JsonSchema)]
struct Unrouted {
    webhook_id: String,
    /// The id of the event.
    event: String,
    /// When it was taken in.
    accepted: String,
    /// Why it went nowhere.
    reason: &'static str,
}

/// Updates that went nowhere.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UnroutedUpdates")]
struct Nowhere {
    updates: Vec<Unrouted>,
}

impl Filter {
    fn wanted(&self, portal: &Portal) -> Result<archive::Wanted, Problem> {
        let bad = |why: String| Problem::new(StatusCode::BAD_REQUEST, why);
        let state = match self.state.as_deref() {
            None => None,
            Some("pending") => Some(Wanted::Pending),
            Some("delivered") => Some(Wanted::Delivered),
            Some("superseded") => Some(Wanted::Superseded),
            Some("dead") => Some(Wanted::Dead),
            Some(other) => {
                return Err(bad(format!("state {other:?} is none of pending, delivered, superseded, dead")));
            }
        };
        let since = self.since.as_deref().map(|text| {
            let read = text.parse::<jiff::Timestamp>().ok();
            // What came before 1970 came before everything here.
            let micros = read.map(|at| u64::try_from(at.as_microsecond()).unwrap_or(0));
            micros
                .map(Timestamp::from_micros)
                .ok_or_else(|| bad(format!("since {text:?} is no time like 2026-01-31T12:00:00Z")))
        });
        let lane = self.integration.as_deref().map(|name| ever_known(portal, name)).transpose()?;
        Ok(archive::Wanted {
            lane,
            key: self.event.clone(),
            state,
            before: self.before.map(Sequence),
            since: since.transpose()?,
            limit: self.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT),
        })
    }
}

async fn list(
    State(portal): State<Arc<Portal>>,
    Query(filter): Query<Filter>,
) -> Result<Json<Rows>, Problem> {
    let wanted = filter.wanted(&portal)?;
    let page = portal.read(move |archive| archive.deliveries(&wanted)).await?;
    let deliveries = page.deliveries.iter().map(|delivery| view(&portal, delivery)).collect();
    Ok(Json(Rows { deliveries, next: page.next.map(|next| next.0) }))
}

fn view(portal: &Portal, delivery: &Delivery) -> Row {
    let (state, due, settled_at, reason) = match &delivery.status {
        Status::Due(at) => ("pending", Some(time(*at)), None, None),
        Status::Behind => {
            ("pending", None, None, Some("it waits for an earlier update of its event".to_owned()))
        }
        Status::Settled(settled, at) => (word(settled), None, Some(time(*at)), Some(settled.to_string())),
        Status::Unreadable(why) => ("unreadable", None, None, Some(why.clone())),
    };
    let integration = portal.watch.name_of(delivery.lane);
    // Where another integration has the name now, or had it later, the id tells them apart.
    let named = lane_of(portal, &integration) == Some(delivery.lane);
    let known_by = if named { integration.clone() } else { portal.watch.id_of(delivery.lane) };
    Row {
        delivery: format!("{known_by}/{}", delivery.id.0),
        integration,
        event: delivery.key.clone(),
        webhook_id: delivery.message.clone(),
        accepted: time(delivery.accepted),
        state,
        attempts: delivery.attempts,
        next_attempt: due,
        settled: settled_at,
        reason,
        last_outcome: delivery.last.as_ref().map(|attempt| attempt.outcome.clone()),
    }
}

fn attempt(attempt: &AttemptRecord) -> Tried {
    Tried {
        number: attempt.number,
        at: time(attempt.at),
        outcome: attempt.outcome.clone(),
        word: attempt.word.to_string(),
        status: attempt.status,
        milliseconds: attempt.took.as_secs_f64() * 1000.0,
        response: attempt.response.clone(),
    }
}

/// The lane of an integration, also of one that is gone: what became of its deliveries can still be asked.
fn ever_known(portal: &Portal, name: &str) -> Result<LaneId, Problem> {
    lane_of(portal, name).map_or_else(|| known(portal, name), Ok)
}

fn lane_of(portal: &Portal, name: &str) -> Option<LaneId> {
    portal.sender.lane(name).or_else(|| portal.watch.lane_named(name))
}

async fn detail(portal: &Portal, integration: &str, number: u64) -> Result<archive::Detail, Problem> {
    let lane = ever_known(portal, integration)?;
    let found = portal.read(move |archive| archive.delivery(lane, DeliveryId(number))).await?;
    let why = || format!("there is no delivery {integration}/{number}, or none any more");
    found.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, why()))
}

async fn show(
    State(portal): State<Arc<Portal>>,
    Path((integration, number)): Path<(String, u64)>,
) -> Result<Json<Shown>, Problem> {
    let detail = detail(&portal, &integration, number).await?;
    Ok(Json(Shown {
        row: view(&portal, &detail.delivery),
        history: detail.attempts.iter().map(attempt).collect(),
        body: String::from_utf8_lossy(&detail.body).into_owned(),
    }))
}

/// The message of a delivery, to be sent once more. Its id stays; its order key is its own, since a resend is a person's
/// act: at once, whatever the order.
fn again(detail: archive::Detail) -> Message {
    let key = format!("resend {}", MessageId::new());
    Message {
        id: MessageId::from(detail.delivery.message.as_str()),
        key: OrderKey::from(key.as_str()),
        supersedable: false,
        body: Bytes::from(detail.body),
    }
}

/// Takes it in for its own lane. Another integration may have the name of one that is gone by now.
async fn accept(portal: &Portal, lane: LaneId, again: Message) -> Result<bool, Problem> {
    let accepted = portal.sender.accept_again(lane, again).await;
    accepted.map_err(|error| Problem::later(StatusCode::SERVICE_UNAVAILABLE, error.to_string(), 5))
}

async fn resend(
    State(portal): State<Arc<Portal>>,
    Path((integration, number)): Path<(String, u64)>,
) -> Result<(StatusCode, Json<Resent>), Problem> {
    let detail = detail(&portal, &integration, number).await?;
    if detail.delivery.status.state() == Some(Wanted::Pending) {
        let why = "it is not settled yet: it will be sent by itself";
        return Err(Problem::new(StatusCode::CONFLICT, why));
    }
    if accept(&portal, detail.delivery.lane, again(detail)).await? {
        return Ok((StatusCode::ACCEPTED, Json(Resent { resent: 1 })));
    }
    // One that is gone has nowhere to send to.
    let why = format!("the integration {integration:?} of this delivery is gone");
    Err(Problem::new(StatusCode::NOT_FOUND, why))
}

async fn resend_dead(
    State(portal): State<Arc<Portal>>,
    Query(filter): Query<Filter>,
) -> Result<(StatusCode, Json<Resent>), Problem> {
    if filter.state.is_some() || filter.limit.is_some() {
        // Who asks for one must not get ten thousand.
        let why = "state and limit mean nothing here: all that is dead is resent";
        return Err(Problem::new(StatusCode::BAD_REQUEST, why));
    }
    let filter = Filter { state: Some("dead".to_owned()), limit: Some(MAX_LIMIT), ..filter };
    let mut wanted = filter.wanted(&portal)?;
    let mut resent = 0;
    while resent < MAX_RESEND {
        let asked = wanted.clone();
        let page = portal.read(move |archive| archive.deliveries(&asked)).await?;
        for delivery in page.deliveries {
            let (lane, id) = (delivery.lane, delivery.id);
            // What was lost to damage, or to an integration that is gone, cannot be sent again.
            let detail = portal.read(move |archive| archive.delivery(lane, id)).await;
            let Ok(Some(detail)) = detail else { continue };
            resent += usize::from(accept(&portal, lane, again(detail)).await?);
        }
        match page.next {
            Some(next) => wanted.before = Some(next),
            None => break,
        }
    }
    Ok((StatusCode::ACCEPTED, Json(Resent { resent })))
}

async fn unrouted(State(portal): State<Arc<Portal>>) -> Result<Json<Nowhere>, Problem> {
    let found = portal.read(|archive| archive.unrouted(MAX_LIMIT)).await?;
    let view = |unrouted: archive::Unrouted| {
        let why = match unrouted.route {
            Route::Unmatched => "no policy matches, or the integrations of those that do are gone",
            Route::Bypassed | Route::Lanes => "its detection model bypasses policies",
        };
        let accepted = time(unrouted.accepted);
        Unrouted { webhook_id: unrouted.message, event: unrouted.key, accepted, reason: why }
    };
    Ok(Json(Nowhere { updates: found.into_iter().map(view).collect() }))
}

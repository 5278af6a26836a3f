//! What became of updates, and sending them again.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use bytes::Bytes;
use delivery::clock::Timestamp;
use delivery::message::{Message, MessageId, OrderKey};
use delivery::store::sqlite::archive;
use delivery::store::sqlite::archive::{Delivery, State as Wanted, Status};
use delivery::store::{AttemptRecord, DeliveryId, LaneId, Route, Sequence};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Problem;
use super::integrations::known;
use super::status::time;
use crate::portal::Portal;
use crate::watch::word;

/// How many are listed unless asked otherwise, and at most.
const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 1000;

/// How many dead letters one request resends.
const MAX_RESEND: usize = 10_000;

/// The alert type of a body.
pub(crate) fn alerttype(body: &[u8]) -> Option<&'static str> {
    let update = payload::Update::parse(body.to_vec()).ok()?;
    let kind = update.alerttype()?;
    ["start", "ongoing", "end"].into_iter().find(|known| *known == kind)
}

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    integration: Option<String>,
    event: Option<String>,
    state: Option<String>,
    since: Option<String>,
    before: Option<u64>,
    limit: Option<usize>,
}

impl Filter {
    pub(crate) fn wanted(&self, portal: &Portal) -> Result<archive::Wanted, Problem> {
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
            let micros = read.and_then(|at| u64::try_from(at.as_microsecond()).ok());
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
            labels: Some(alerttype),
            ..archive::Wanted::default()
        })
    }
}

pub(super) async fn list(
    State(portal): State<Arc<Portal>>,
    Query(filter): Query<Filter>,
) -> Result<Json<Value>, Problem> {
    let wanted = filter.wanted(&portal)?;
    let page = portal.read(move |archive| archive.deliveries(&wanted)).await?;
    let deliveries: Vec<Value> = page.deliveries.iter().map(|delivery| view(&portal, delivery)).collect();
    Ok(Json(json!({ "deliveries": deliveries, "next": page.next.map(|next| next.0) })))
}

fn view(portal: &Portal, delivery: &Delivery) -> Value {
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
    json!({
        "delivery": format!("{known_by}/{}", delivery.id.0),
        "integration": integration,
        "event": delivery.key,
        "webhook_id": delivery.message,
        "accepted": time(delivery.accepted),
        "state": state,
        "attempts": delivery.attempts,
        "next_attempt": due,
        "settled": settled_at,
        "reason": reason,
        "last_outcome": delivery.last.as_ref().map(|attempt| attempt.outcome.clone()),
    })
}

fn attempt(attempt: &AttemptRecord) -> Value {
    json!({
        "number": attempt.number,
        "at": time(attempt.at),
        "outcome": attempt.outcome,
        "word": attempt.word,
        "status": attempt.status,
        "milliseconds": attempt.took.as_secs_f64() * 1000.0,
        "response": attempt.response,
    })
}

/// The lane of an integration, also of one that is gone: what became of its deliveries can still be asked.
fn ever_known(portal: &Portal, name: &str) -> Result<LaneId, Problem> {
    lane_of(portal, name).map_or_else(|| known(portal, name), Ok)
}

fn lane_of(portal: &Portal, name: &str) -> Option<LaneId> {
    portal.sender.lane(name).or_else(|| portal.watch.lane_named(name))
}

pub(crate) async fn detail(
    portal: &Portal,
    integration: &str,
    number: u64,
) -> Result<archive::Detail, Problem> {
    let lane = ever_known(portal, integration)?;
    let found = portal.read(move |archive| archive.delivery(lane, DeliveryId(number))).await?;
    let why = || format!("there is no delivery {integration}/{number}, or none any more");
    found.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, why()))
}

pub(super) async fn show(
    State(portal): State<Arc<Portal>>,
    Path((integration, number)): Path<(String, u64)>,
) -> Result<Json<Value>, Problem> {
    let detail = detail(&portal, &integration, number).await?;
    let mut value = view(&portal, &detail.delivery);
    value["history"] = detail.attempts.iter().map(attempt).collect();
    value["body"] = String::from_utf8_lossy(&detail.body).into();
    Ok(Json(value))
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

pub(super) async fn resend(
    State(portal): State<Arc<Portal>>,
    Path((integration, number)): Path<(String, u64)>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    send_again(&portal, &integration, number).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "resent": 1 }))))
}

/// Sends a settled delivery once more.
pub(crate) async fn send_again(portal: &Portal, integration: &str, number: u64) -> Result<(), Problem> {
    let detail = detail(portal, integration, number).await?;
    if detail.delivery.status.state() == Some(Wanted::Pending) {
        let why = "it is not settled yet: it will be sent by itself";
        return Err(Problem::new(StatusCode::CONFLICT, why));
    }
    if accept(portal, detail.delivery.lane, again(detail)).await? {
        return Ok(());
    }
    // One that is gone has nowhere to send to.
    let why = format!("the integration {integration:?} of this delivery is gone");
    Err(Problem::new(StatusCode::NOT_FOUND, why))
}

pub(super) async fn resend_dead(
    State(portal): State<Arc<Portal>>,
    Query(filter): Query<Filter>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let resent = send_dead_again(&portal, filter).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "resent": resent }))))
}

/// Sends the dead letters that a filter lets through once more, up to a limit; gives how many.
pub(crate) async fn send_dead_again(portal: &Portal, filter: Filter) -> Result<usize, Problem> {
    let filter = Filter { state: Some("dead".to_owned()), limit: Some(MAX_LIMIT), ..filter };
    let mut wanted = filter.wanted(portal)?;
    let mut resent = 0;
    while resent < MAX_RESEND {
        let asked = wanted.clone();
        let page = portal.read(move |archive| archive.deliveries(&asked)).await?;
        for delivery in page.deliveries {
            let (lane, id) = (delivery.lane, delivery.id);
            // What was lost to damage, or to an integration that is gone, cannot be sent again.
            let detail = portal.read(move |archive| archive.delivery(lane, id)).await;
            let Ok(Some(detail)) = detail else { continue };
            resent += usize::from(accept(portal, lane, again(detail)).await?);
        }
        match page.next {
            Some(next) => wanted.before = Some(next),
            None => break,
        }
    }
    Ok(resent)
}

pub(super) async fn unrouted(State(portal): State<Arc<Portal>>) -> Result<Json<Value>, Problem> {
    let found = portal.read(|archive| archive.unrouted(None, MAX_LIMIT)).await?;
    let view = |unrouted: archive::Unrouted| {
        let why = match unrouted.route {
            Route::Unmatched => "no policy matches, or the integrations of those that do are gone",
            Route::Bypassed | Route::Lanes => "its detection model bypasses policies",
        };
        json!({
            "webhook_id": unrouted.message,
            "event": unrouted.key,
            "accepted": time(unrouted.accepted),
            "reason": why,
        })
    };
    Ok(Json(json!({ "updates": found.0.into_iter().map(view).collect::<Vec<_>>() })))
}

//! What became of updates, and sending them again.

mod again;
mod answers;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use bytes::Bytes;
use delivery::clock::Timestamp;
use delivery::message::Message;
use delivery::store::sqlite::archive;
use delivery::store::sqlite::archive::{Delivery, State as Wanted, Status};
use delivery::store::{AttemptRecord, DeliveryId, LaneId, Route, Sequence};
use http::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::Problem;
use super::extract::{Path, Query};
use super::integrations::known;
use super::operation::{Operation, get, post};
use super::status::time;
use crate::portal::Portal;
use crate::watch::word;

use again::{BATCH, again, batch};
pub(crate) use again::{Looked, event_of, is_again, look, sent_again};
use answers::{Nowhere, Resent, Row, Rows, Shown, Tried, Unrouted};

/// How many are listed unless asked otherwise, and at most.
const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 1000;

/// How many dead letters one request resends.
pub(crate) const MAX_RESEND: usize = 10_000;

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
            .asks::<Place>()
            .gives::<Nowhere>(200, "Updates that went nowhere, newest first.")
            .refuses(&[503]),
    ]
}

/// What is asked for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    /// Those of an integration, by its name or id.
    integration: Option<String>,
    /// Those of an event.
    event: Option<String>,
    /// Those in this state.
    #[schemars(extend("enum" = ["pending", "delivered", "superseded", "dead"]))]
    state: Option<String>,
    /// Those of updates of this alert type.
    #[schemars(extend("enum" = ALERT_TYPES))]
    alerttype: Option<String>,
    /// Those accepted since then.
    #[schemars(extend("format" = "date-time"))]
    since: Option<String>,
    /// Those accepted until then.
    #[schemars(extend("format" = "date-time"))]
    until: Option<String>,
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

/// Where a list of what went nowhere begins.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Place {
    /// The `next` of the page before.
    before: Option<u64>,
    /// How many; 1,000 if it is absent, and at most.
    limit: Option<usize>,
}

/// The alert types, as an update spells them.
const ALERT_TYPES: [&str; 3] = ["start", "ongoing", "end"];

/// How the body of an accepted update begins, mostly: the sample's order has the type first. No known field stands twice in an
/// accepted update, so what stands here is the type, and the rest need not be read.
const FIRST: &[u8] = b"{\"alerttype\":\"";

/// The alert type of the body of an update: `start`, `ongoing` or `end`; `None` if it has another, or is no update.
pub(crate) fn alerttype(body: &[u8]) -> Option<&'static str> {
    let known = |is: &dyn Fn(&str) -> bool| ALERT_TYPES.into_iter().find(|word| is(word));
    let first = body.strip_prefix(FIRST).and_then(|rest| {
        known(&|word| rest.strip_prefix(word.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'"')))
    });
    first.or_else(|| {
        let update = payload::Update::parse(Bytes::copy_from_slice(body)).ok()?;
        let typed = update.alerttype()?;
        known(&|word| *word == *typed)
    })
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
        let time = |name: &str, text: &Option<String>| {
            let Some(text) = text.as_deref() else { return Ok(None) };
            let read = text.parse::<jiff::Timestamp>().ok();
            // What came before 1970 came before everything here.
            let micros = read.map(|at| u64::try_from(at.as_microsecond()).unwrap_or(0));
            let why = || bad(format!("{name} {text:?} is no time like 2026-01-31T12:00:00Z"));
            micros.map(Timestamp::from_micros).ok_or_else(why).map(Some)
        };
        let label = self.alerttype.as_deref().map(|text| {
            let known = ALERT_TYPES.into_iter().find(|word| *word == text);
            known.ok_or_else(|| bad(format!("alerttype {text:?} is none of {}", ALERT_TYPES.join(", "))))
        });
        let lane = self.integration.as_deref().map(|name| ever_known(portal, name)).transpose()?;
        Ok(archive::Wanted {
            lane,
            key: self.event.clone(),
            state,
            before: self.before.map(Sequence),
            since: time("since", &self.since)?,
            until: time("until", &self.until)?,
            labels: Some(alerttype),
            label: label.transpose()?,
            limit: self.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT),
        })
    }
}

async fn list(
    State(portal): State<Arc<Portal>>,
    Query(filter): Query<Filter>,
) -> Result<Json<Rows>, Problem> {
    let wanted = filter.wanted(&portal)?;
    let looked = portal.read(move |archive| look(archive, &wanted)).await?;
    let mut names = Names::new(&portal);
    let row = |delivery: &Delivery| {
        let again = looked.again(delivery).map(|id| format!("{}/{}", names.of(delivery.lane).1, id.0));
        Row { sent_again: again, ..view(&mut names, delivery) }
    };
    let deliveries = looked.page.deliveries.iter().map(row).collect();
    Ok(Json(Rows { deliveries, next: looked.page.next.map(|next| next.0) }))
}

/// What the lanes of a list are called: each is looked up once, however many deliveries it has there.
struct Names<'p> {
    portal: &'p Portal,
    known: HashMap<LaneId, (String, String)>,
}

impl<'p> Names<'p> {
    fn new(portal: &'p Portal) -> Self {
        Self { portal, known: HashMap::new() }
    }

    /// The name of a lane's integration, and what the lane is known by among all that ever were.
    fn of(&mut self, lane: LaneId) -> &(String, String) {
        let portal = self.portal;
        self.known.entry(lane).or_insert_with(|| (portal.watch.name_of(lane), known_by(portal, lane)))
    }
}

fn view(names: &mut Names<'_>, delivery: &Delivery) -> Row {
    let (state, due, settled_at, reason) = match &delivery.status {
        Status::Due(at) => ("pending", Some(time(*at)), None, None),
        Status::Behind => {
            ("pending", None, None, Some("it waits for an earlier update of its event".to_owned()))
        }
        Status::Settled(settled, at) => (word(settled), None, Some(time(*at)), Some(settled.to_string())),
        Status::Unreadable(why) => ("unreadable", None, None, Some(why.clone())),
    };
    let (integration, known_by) = names.of(delivery.lane);
    Row {
        delivery: format!("{known_by}/{}", delivery.id.0),
        integration: integration.clone(),
        event: event_of(&delivery.key).to_owned(),
        resend: is_again(&delivery.key),
        sent_again: None,
        alerttype: delivery.label,
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
    let milliseconds = |time: std::time::Duration| time.as_secs_f64() * 1000.0;
    let parts = &attempt.parts;
    Tried {
        number: attempt.number,
        at: time(attempt.at),
        outcome: attempt.outcome.clone(),
        word: attempt.word.to_string(),
        status: attempt.status,
        milliseconds: milliseconds(attempt.took),
        peer: parts.peer.clone(),
        connected: parts.connect.map(milliseconds),
        tls: parts.tls.map(milliseconds),
        first_byte: parts.first_byte.map(milliseconds),
        response: attempt.response.clone(),
    }
}

/// The lane of an integration, also of one that is gone: what became of its deliveries can still be asked.
fn ever_known(portal: &Portal, name: &str) -> Result<LaneId, Problem> {
    // Where there is none, what is said is which there are.
    lane_of(portal, name).map_or_else(|| known(portal, name).map(|(lane, _)| lane), Ok)
}

/// What a lane is known by: its integration's name, or its id where another one has the name now, or had it later; or its
/// number where that is another's name too, as that of one that stood in the file.
pub(crate) fn known_by(portal: &Portal, lane: LaneId) -> String {
    let names = [portal.watch.name_of(lane), portal.watch.id_of(lane)];
    let plain = names.into_iter().find(|name| lane_of(portal, name) == Some(lane));
    plain.unwrap_or_else(|| format!("{LANE}{}", lane.0))
}

/// What stands before the number of a lane that has no name of its own any more.
const LANE: &str = "lane-";

fn lane_of(portal: &Portal, name: &str) -> Option<LaneId> {
    let number = || name.strip_prefix(LANE)?.parse().ok().map(LaneId);
    let gone = || portal.watch.lane_of_id(name).or_else(|| portal.watch.lane_named(name));
    portal.sender.lane(name).or_else(gone).or_else(number)
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

async fn show(
    State(portal): State<Arc<Portal>>,
    Path((integration, number)): Path<(String, u64)>,
) -> Result<Json<Shown>, Problem> {
    let detail = detail(&portal, &integration, number).await?;
    let alerttype = alerttype(&detail.body);
    let again = sent_again(&portal, &detail.delivery).await?;
    let again = again.map(|id| format!("{}/{}", known_by(&portal, detail.delivery.lane), id.0));
    Ok(Json(Shown {
        row: Row { alerttype, sent_again: again, ..view(&mut Names::new(&portal), &detail.delivery) },
        history: detail.attempts.iter().map(attempt).collect(),
        body: String::from_utf8_lossy(&detail.body).into_owned(),
    }))
}

/// Takes them in, each for its own lane, and gives how many: an integration that is gone has nowhere to send to, and another
/// one may have its name by now.
async fn accept(portal: &Portal, again: Vec<(LaneId, Message)>) -> Result<usize, Problem> {
    let accepted = portal.sender.accept_again(again).await;
    accepted.map_err(|error| Problem::later(StatusCode::SERVICE_UNAVAILABLE, error.to_string(), 5))
}

async fn resend(
    State(portal): State<Arc<Portal>>,
    Path((integration, number)): Path<(String, u64)>,
) -> Result<(StatusCode, Json<Resent>), Problem> {
    send_again(&portal, &integration, number).await?;
    Ok((StatusCode::ACCEPTED, Json(Resent { resent: 1 })))
}

/// Sends a settled delivery once more.
pub(crate) async fn send_again(portal: &Portal, integration: &str, number: u64) -> Result<(), Problem> {
    let detail = detail(portal, integration, number).await?;
    if detail.delivery.status.state() == Some(Wanted::Pending) {
        let why = "it is not settled yet: it will be sent by itself";
        return Err(Problem::new(StatusCode::CONFLICT, why));
    }
    if accept(portal, vec![(detail.delivery.lane, again(detail))]).await? == 1 {
        return Ok(());
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
    let resent = send_dead_again(&portal, filter).await?;
    Ok((StatusCode::ACCEPTED, Json(Resent { resent })))
}

/// Sends the dead letters that a filter lets through once more, up to a limit; gives how many.
pub(crate) async fn send_dead_again(portal: &Portal, filter: Filter) -> Result<usize, Problem> {
    let filter = Filter { state: Some("dead".to_owned()), limit: Some(MAX_LIMIT), ..filter };
    let mut wanted = filter.wanted(portal)?;
    let mut dead = Vec::new();
    while dead.len() < MAX_RESEND {
        let asked = wanted.clone();
        let looked = portal.read(move |archive| look(archive, &asked)).await?.still_dead();
        // Ten thousand answers of receivers are not kept for this.
        dead.extend(looked.page.deliveries.into_iter().map(|one| Delivery { last: None, ..one }));
        match looked.page.next {
            Some(next) => wanted.before = Some(next),
            None => break,
        }
    }
    dead.truncate(MAX_RESEND);
    // The oldest first: each event's come in their order.
    dead.reverse();
    let (mut resent, mut done) = (0, 0);
    while done < dead.len() {
        let listed: Vec<_> = dead[done..].iter().take(BATCH).cloned().collect();
        let (read, messages) = portal.read(move |archive| Ok(batch(archive, &listed))).await?;
        resent += accept(portal, messages).await?;
        done += read;
    }
    Ok(resent)
}

async fn unrouted(
    State(portal): State<Arc<Portal>>,
    Query(place): Query<Place>,
) -> Result<Json<Nowhere>, Problem> {
    let before = place.before.map(Sequence);
    let limit = place.limit.unwrap_or(MAX_LIMIT).clamp(1, MAX_LIMIT);
    let (found, next) = portal.read(move |archive| archive.unrouted(before, limit)).await?;
    let view = |unrouted: archive::Unrouted| {
        let why = match unrouted.route {
            Route::Unmatched => "no policy matches, or the integrations of those that do are gone",
            Route::Bypassed | Route::Lanes => "its detection model bypasses policies",
        };
        let accepted = time(unrouted.accepted);
        Unrouted { webhook_id: unrouted.message, event: unrouted.key, accepted, reason: why }
    };
    let updates = found.into_iter().map(view).collect();
    Ok(Json(Nowhere { updates, next: next.map(|next| next.0) }))
}

#[cfg(test)]
mod tests {
    use super::alerttype;

    #[test]
    fn the_alert_type_is_found_wherever_it_stands() {
        let check = |body: &str, expected| assert_eq!(alerttype(body.as_bytes()), expected, "{body}");
        check(r#"{"alerttype":"start","id":"1"}"#, Some("start"));
        check(r#"{"alerttype":"ongoing"}"#, Some("ongoing"));
        check(r#"{"id":"1","alerttype":"end"}"#, Some("end"));
        check(r#"{ "id" : "1", "alerttype" : "\u0065nd" }"#, Some("end"));
        check(r#"{"tags":["{\"alerttype\":\"start\"}"],"alerttype":"end"}"#, Some("end"));
        check(r#"{"alerttype":"started"}"#, None);
        check(r#"{"alerttype":7}"#, None);
        check(r#"{"id":"1"}"#, None);
        check("start", None);
        check("", None);
    }
}

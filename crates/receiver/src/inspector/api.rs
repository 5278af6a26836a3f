//! The API: what came, what goes wrong on purpose, and waiting. Every answer is JSON; `openapi.json` describes it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream::{self, Stream};
use serde::Deserialize;
use serde_json::{Value, json};

use super::filter::Filter;
use super::{MAX_BODY, MAX_LISTED, MAX_WAIT, Shown};
use crate::capture::record::{Detail, Record, Secrets};
use crate::capture::{Capture, Captures, export};
use crate::fault::{MAX_RULES, Pairs, Rule};

/// The API's description (`OpenAPI` 3.1).
const OPENAPI: &str = include_str!("openapi.json");

/// How many captures one event of the stream holds.
const MAX_STREAMED: usize = 200;

/// How often a stream says that it is alive, so that a page notices when it is not.
const ALIVE: Duration = Duration::from_secs(15);

type Shared = State<Arc<Shown>>;

pub(super) fn routes(shown: Arc<Shown>) -> Router {
    Router::new()
        .route("/api/captures", get(list).delete(clear))
        .route("/api/captures/{number}", get(one))
        .route("/api/captures/{number}/previous", get(previous))
        .route("/api/captures/{number}/curl", get(curl))
        .route("/api/captures/{number}/har", get(har))
        .route("/api/captures/{number}/json", get(json_file))
        .route("/api/export/curl", get(export_curl))
        .route("/api/export/har", get(export_har))
        .route("/api/export/json", get(export_json))
        .route("/api/events", get(events))
        .route("/api/stream", get(stream))
        .route("/api/faults", get(faults).put(set_faults).delete(clear_faults))
        .route("/api/reset", post(reset))
        .route("/api/wait", get(wait))
        .route("/api/openapi.json", get(|| async { ([(CONTENT_TYPE, "application/json")], OPENAPI) }))
        .fallback(|| async {
            Problem(StatusCode::NOT_FOUND, "there is nothing here; see /api/openapi.json".to_owned())
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(shown)
}

/// What went wrong, as JSON.
struct Problem(StatusCode, String);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self(rejection.status(), rejection.body_text())
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        Self(rejection.status(), rejection.body_text())
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self(rejection.status(), rejection.body_text())
    }
}

/// Which capture is asked for.
type Number = Result<Path<u64>, PathRejection>;

type Asked = Result<Query<Filter>, QueryRejection>;

fn counts(captures: &Captures) -> Value {
    let counts = captures.counts();
    json!({
        "received": counts.received,
        "passed": counts.passed,
        "failed": counts.failed,
        "without_request": counts.without_request,
        "dropped": counts.dropped,
    })
}

/// The captures that are asked for, in short, oldest first.
async fn list(State(shown): Shared, filter: Asked) -> Result<Json<Value>, Problem> {
    let Query(filter) = filter?;
    let limit = filter.limit.unwrap_or(MAX_LISTED).min(MAX_LISTED);
    let all = shown.captures.all();
    let mut found: Vec<_> = all.iter().filter(|capture| filter.holds(capture)).take(limit + 1).collect();
    let more = found.len() > limit;
    found.truncate(limit);
    let records: Vec<_> = found.into_iter().map(|capture| short(capture)).collect();
    Ok(Json(
        json!({ "captures": records, "more": more, "counts": counts(&shown.captures), "receiver": shown.receiver }),
    ))
}

fn short(capture: &Capture) -> Record {
    Record::of(capture, Secrets::Masked, Detail::Short)
}

fn found(shown: &Shown, Path(number): Path<u64>) -> Result<Arc<Capture>, Problem> {
    let why =
        || Problem(StatusCode::NOT_FOUND, format!("there is no capture {number}; it may have been dropped"));
    shown.captures.get(number).ok_or_else(why)
}

async fn one(State(shown): Shared, number: Number) -> Result<Json<Record>, Problem> {
    Ok(Json(Record::of(&*found(&shown, number?)?, Secrets::Masked, Detail::Full)))
}

/// The update of the same event that came before, which a difference is shown to.
async fn previous(State(shown): Shared, number: Number) -> Result<Json<Record>, Problem> {
    let id = |capture: &Capture| capture.event.as_ref().and_then(|event| event.id.clone());
    let now = found(&shown, number?)?;
    let wanted = id(&now);
    let all = shown.captures.all();
    let before = |capture: &&Arc<Capture>| capture.number < now.number && id(capture) == wanted;
    let found = all.iter().rev().filter(|_| wanted.is_some()).find(before);
    let found =
        found.ok_or_else(|| Problem(StatusCode::NOT_FOUND, "its event has none before it".to_owned()))?;
    Ok(Json(Record::of(found, Secrets::Masked, Detail::Full)))
}

async fn clear(State(shown): Shared) -> StatusCode {
    shown.captures.clear();
    StatusCode::NO_CONTENT
}

async fn curl(State(shown): Shared, number: Number) -> Result<Response, Problem> {
    let capture = found(&shown, number?)?;
    let command = export::curl(&capture, authority(&shown));
    let command = command.ok_or_else(|| Problem(StatusCode::NOT_FOUND, "it was no request".to_owned()))?;
    Ok(text(command))
}

fn text(text: String) -> Response {
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

/// A file to save.
fn file(name: &str, body: String) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    ([(CONTENT_TYPE, "application/json".to_owned()), (CONTENT_DISPOSITION, disposition)], body)
        .into_response()
}

fn authority(shown: &Shown) -> &str {
    let after = shown.receiver.split_once("://").map_or("", |(_, after)| after);
    after.split('/').next().unwrap_or_default()
}

async fn har(State(shown): Shared, number: Number) -> Result<Response, Problem> {
    let capture = found(&shown, number?)?;
    let har = export::har([&*capture], authority(&shown));
    Ok(file(&format!("capture-{}.har", capture.number), har.to_string()))
}

async fn json_file(State(shown): Shared, number: Number) -> Result<Response, Problem> {
    let capture = found(&shown, number?)?;
    let record = Record::of(&capture, Secrets::Masked, Detail::Full);
    Ok(file(&format!("capture-{}.json", capture.number), record.line()))
}

fn chosen(shown: &Shown, filter: &Filter) -> Vec<Arc<Capture>> {
    let mut captures = shown.captures.all();
    captures.retain(|capture| filter.holds(capture));
    captures
}

async fn export_curl(State(shown): Shared, filter: Asked) -> Result<Response, Problem> {
    let captures = chosen(&shown, &filter?.0);
    let commands = captures.iter().filter_map(|capture| export::curl(capture, authority(&shown)));
    Ok(text(commands.map(|command| command + "\n").collect()))
}

async fn export_har(State(shown): Shared, filter: Asked) -> Result<Response, Problem> {
    let captures = chosen(&shown, &filter?.0);
    let har = export::har(captures.iter().map(|capture| &**capture), authority(&shown));
    Ok(file("captures.har", har.to_string()))
}

async fn export_json(State(shown): Shared, filter: Asked) -> Result<Response, Problem> {
    let captures = chosen(&shown, &filter?.0);
    let lines =
        captures.iter().map(|capture| Record::of(capture, Secrets::Masked, Detail::Full).line() + "\n");
    Ok(file("captures.ndjson", lines.collect()))
}

/// Every event with the life that was seen of it, in the order of their first captures.
async fn events(State(shown): Shared) -> Json<Value> {
    let mut order: Vec<String> = Vec::new();
    let mut lives: std::collections::HashMap<String, Vec<Value>> = std::collections::HashMap::new();
    for capture in shown.captures.all() {
        let Some(event) = &capture.event else { continue };
        let Some(id) = &event.id else { continue };
        let life = lives.entry(id.clone()).or_insert_with(|| {
            order.push(id.clone());
            Vec::new()
        });
        life.push(json!({
            "number": capture.number,
            "at": capture.unix_seconds(),
            "alerttype": event.alerttype,
            "passed": capture.verdict.passed(),
            "status": capture.status.map(|status| status.as_u16()),
        }));
    }
    let events: Vec<_> =
        order.into_iter().map(|id| json!({ "id": id, "updates": lives.remove(&id) })).collect();
    Json(json!({ "events": events, "counts": counts(&shown.captures) }))
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Since {
    after: u64,
}

/// What a stream has told.
struct Told {
    shown: Arc<Shown>,
    last: u64,
    epoch: u64,
}

/// Server-sent events: `captures` with those that came, `cleared` when all were forgotten. A page that comes back says with
/// `Last-Event-ID` where it stopped.
async fn stream(
    State(shown): Shared,
    headers: HeaderMap,
    since: Result<Query<Since>, QueryRejection>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let (last, epoch) = (last.unwrap_or(since?.0.after), shown.captures.epoch());
    let told = Told { shown, last, epoch };
    let events = stream::unfold(told, |mut told| async move {
        let event = told.next().await;
        Some((Ok(event), told))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE)))
}

impl Told {
    async fn next(&mut self) -> Event {
        let captures = self.shown.captures.clone();
        let (last, epoch) = (self.last, self.epoch);
        let found = captures.until(MAX_WAIT, |captures| {
            let came = captures.after(last, MAX_STREAMED);
            (!came.is_empty() || captures.epoch() != epoch).then_some(came)
        });
        let came = found.await.unwrap_or_default();
        if captures.epoch() != self.epoch {
            self.epoch = captures.epoch();
            return Event::default().event("cleared").data(counts(&captures).to_string());
        }
        self.last = came.last().map_or(self.last, |capture| capture.number);
        let records: Vec<_> = came.iter().map(|capture| short(capture)).collect();
        let data = json!({ "captures": records, "counts": counts(&captures) });
        Event::default().event("captures").id(self.last.to_string()).data(data.to_string())
    }
}

async fn faults(State(shown): Shared) -> Json<Value> {
    let (rules, seed) = shown.desk.faults();
    let lines: Vec<_> = rules.iter().map(Rule::to_string).collect();
    let rules: Vec<_> = rules.iter().map(Rule::pairs).collect();
    Json(json!({ "seed": seed, "rules": rules, "lines": lines }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    rules: Vec<Written>,
    #[serde(default)]
    seed: Option<u64>,
    /// What was got may be put back: this says the same as the rules.
    #[serde(default, rename = "lines")]
    _lines: serde::de::IgnoredAny,
}

/// A rule as a text, or as its pairs.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Pairs(std::collections::BTreeMap<String, Value>),
}

impl Written {
    fn rule(self) -> Result<Rule, String> {
        let rule = match self {
            Self::Text(text) => Rule::parse(&text),
            Self::Pairs(pairs) => {
                let text = |value: Value| match value {
                    Value::String(text) => text,
                    other => other.to_string(),
                };
                let pairs: Pairs = pairs.into_iter().map(|(name, value)| (name, text(value))).collect();
                Rule::from_pairs(&pairs)
            }
        };
        rule.map_err(|error| error.to_string())
    }
}

/// All of the rules or, if one of them is wrong, none.
async fn set_faults(
    State(shown): Shared,
    rules: Result<Json<Rules>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Json(wanted) = rules?;
    let wrong = |why: String| Problem(StatusCode::UNPROCESSABLE_ENTITY, why);
    if wanted.rules.len() > MAX_RULES {
        return Err(wrong(format!("there may be {MAX_RULES} rules at most")));
    }
    let numbered = wanted.rules.into_iter().zip(1..);
    let read =
        numbered.map(|(rule, number)| rule.rule().map_err(|why| wrong(format!("rule {number}: {why}"))));
    shown.desk.set_faults(read.collect::<Result<_, _>>()?, wanted.seed);
    Ok(faults(State(shown)).await)
}

async fn clear_faults(State(shown): Shared) -> StatusCode {
    shown.desk.set_faults(Vec::new(), None);
    StatusCode::NO_CONTENT
}

async fn reset(State(shown): Shared) -> StatusCode {
    shown.desk.reset();
    StatusCode::NO_CONTENT
}

/// Waits until so many captures that are asked for came. `unknown` says that some were dropped, so that nobody knows.
async fn wait(State(shown): Shared, filter: Asked) -> Result<Json<Value>, Problem> {
    let Query(filter) = filter?;
    let limit = filter.timeout.map_or(Ok(Duration::from_secs(10)), Duration::try_from_secs_f64);
    let limit =
        limit.map_err(|_| Problem(StatusCode::BAD_REQUEST, "timeout is no number of seconds".to_owned()))?;
    let count = filter.count.unwrap_or(1);
    let matching = |captures: &Captures| -> Vec<Record> {
        let all = captures.all();
        all.iter()
            .filter(|capture| capture.is_request() && filter.holds(capture))
            .map(|capture| short(capture))
            .collect()
    };
    let enough = |captures: &Captures| Some(matching(captures)).filter(|came| came.len() as u64 >= count);
    let came = shown.captures.until(limit.min(MAX_WAIT), enough).await;
    let met = came.is_some();
    let mut came = came.unwrap_or_else(|| matching(&shown.captures));
    came.truncate(MAX_LISTED);
    let counts = counts(&shown.captures);
    let unknown = !met && shown.captures.counts().dropped > 0;
    Ok(Json(json!({ "met": met, "unknown": unknown, "captures": came, "counts": counts })))
}

//! `POST /v1/updates`: one JSON object, an array of them, or one a line. 202 means that they are on disk.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use delivery::engine::AcceptError;
use delivery::message::MessageId;
use delivery::store::Fault;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use payload::schema::{EVENT, Form, Kind, Object};
use payload::{FieldNames, Update};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use sender::accept::Accepted;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Problem;
use super::operation::{JSON, Operation, post};
use crate::arrival::{Missing, UPDATES_TIMEOUT, whole};
use crate::portal::{MAX_BODIES, MAX_BODY, MAX_UPDATES, Portal};

/// Where updates are handed in.
pub(super) const PATH: &str = "/v1/updates";

/// The longest idempotency key, in bytes.
const MAX_KEY: usize = 256;

/// The content types of updates one a line.
const LINES: [&str; 2] = ["application/x-ndjson", "application/ndjson"];

pub(super) fn operations() -> Vec<Operation> {
    vec![
        post(PATH, "addUpdates", accept)
            .says("Takes updates in: one, an array of them, or one a line")
            .reads::<Once>()
            .takes_as::<OneOrMore>(JSON)
            .takes_as::<String>(LINES[0])
            .takes_as::<String>(LINES[1])
            .gives::<Taken>(202, "All are on disk.")
            .gives::<Results>(207, "Some are on disk, and some are not right.")
            .gives::<Became>(422, "The one update is not right, or its key came with another body before.")
            .refuses(&[400, 413, 415, 429, 503]),
    ]
}

/// What makes a repeated request harmless.
#[derive(JsonSchema)]
#[expect(
    dead_code,
    reason = "it is only described: the field is read before anything else of the request is"
)]
struct Once {
    /// The same key and body again are taken in once.
    #[serde(rename = "Idempotency-Key")]
    #[schemars(length(min = 1, max = MAX_KEY), regex(pattern = r"^[!-~]([ -~]*[!-~])?$"))]
    key: Option<String>,
}

/// An update, as far as it is looked at: what else it holds is passed on as it is.
pub(super) struct UpdateText;

impl JsonSchema for UpdateText {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Update".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut schema = of_object(&EVENT);
        schema["description"] = "A state update of an event; what else it holds is kept as it is.".into();
        schema["required"] = json!(["id", "alerttype"]);
        schema["properties"]["id"]["minLength"] = 1.into();
        schema.try_into().unwrap_or_default()
    }
}

fn of_object(object: &Object) -> Value {
    let member = |member: &payload::schema::Member| {
        let schema = match member.kind {
            Kind::Object(inner) => of_object(inner),
            Kind::Items(inner) => json!({ "type": "array", "items": of_object(inner) }),
            Kind::Leaf([form]) => of_form(*form),
            Kind::Leaf(forms) => json!({ "anyOf": forms.iter().copied().map(of_form).collect::<Vec<_>>() }),
        };
        (member.name.to_owned(), schema)
    };
    let members: Map<String, Value> = object.members.iter().map(member).collect();
    json!({ "type": "object", "properties": members })
}

fn of_form(form: Form) -> Value {
    match form {
        Form::Text => json!({ "type": "string" }),
        Form::Flag => json!({ "type": "boolean" }),
        Form::Integer => json!({ "type": "integer" }),
        Form::Decimal => json!({ "type": "number" }),
        Form::Null => json!({ "type": "null" }),
        Form::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Form::Counts => json!({ "type": "object", "additionalProperties": { "type": "integer" } }),
        Form::List => json!({ "type": "array" }),
    }
}

/// An update, or several.
struct OneOrMore;

impl JsonSchema for OneOrMore {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Updates".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let update = generator.subschema_for::<UpdateText>();
        json_schema!({ "anyOf": [
            update,
            { "type": "array", "description": "Updates, each judged by itself.", "minItems": 1, "maxItems": MAX_UPDATES },
        ] })
    }
}

/// What became of one update.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "result", rename_all = "lowercase")]
#[schemars(rename = "Result")]
enum Became {
    /// It is on disk.
    Accepted(Kept),
    /// It is on disk since an earlier request with this key.
    Again(Kept),
    /// It is on disk, and no policy matches it.
    Unmatched(Kept),
    /// It is on disk, and its detection model bypasses policies.
    Bypassed(Kept),
    /// It is not right.
    Invalid { error: String, findings: Vec<Finding> },
    /// Its key came with another body before.
    Conflict { error: String },
    /// There is no answer about it.
    Lost { error: String },
}

/// An update that is on disk.
#[derive(Debug, Serialize, JsonSchema)]
struct Kept {
    /// What its receivers can tell repeats by.
    id: String,
    /// How many integrations it goes to.
    deliveries: usize,
}

/// A field that no receiver can rely on.
#[derive(Debug, Serialize, JsonSchema)]
struct Finding {
    path: String,
    expected: String,
    got: String,
}

/// What became of one of several updates.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ResultWithStatus")]
struct OneOf {
    /// The status that it would have been answered with alone.
    status: u16,
    #[serde(flatten)]
    became: Became,
}

/// What became of several updates, in their order.
#[derive(Debug, Serialize, JsonSchema)]
struct Results {
    results: Vec<OneOf>,
}

/// What became of one update, or of several.
#[derive(Debug, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is only described: which of them it is, the request says")]
enum Taken {
    One(Became),
    Several(Results),
}

impl Became {
    const fn status(&self) -> StatusCode {
        match self {
            Self::Accepted(_) | Self::Again(_) | Self::Unmatched(_) | Self::Bypassed(_) => {
                StatusCode::ACCEPTED
            }
            Self::Invalid { .. } | Self::Conflict { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Lost { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

async fn accept(State(portal): State<Arc<Portal>>, request: Request) -> Result<Response, Problem> {
    if portal.is_draining() {
        let why = "the server is shutting down and takes nothing more in";
        return Err(Problem::later(StatusCode::SERVICE_UNAVAILABLE, why, 5));
    }
    let (head, body) = request.into_parts();
    check_content_type(&head.headers)?;
    let key = idempotency_key(&head.headers)?;
    let (body, _held) = read(&portal, &head.headers, body).await?;
    let read = updates(&body)?;
    let single = read.len() == 1 && body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'[');
    let items = take_in(&portal, read, key.as_deref()).await?;
    if single {
        return Ok(items.into_iter().next().map_or_else(
            || StatusCode::ACCEPTED.into_response(),
            |became| (became.status(), Json(became)).into_response(),
        ));
    }
    let all = items.iter().all(|became| became.status() == StatusCode::ACCEPTED);
    let status = if all { StatusCode::ACCEPTED } else { StatusCode::MULTI_STATUS };
    let one = |became: Became| OneOf { status: became.status().as_u16(), became };
    let results = Results { results: items.into_iter().map(one).collect() };
    Ok((status, Json(results)).into_response())
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind == JSON || LINES.contains(&kind.as_str()) {
        return Ok(());
    }
    let why = format!(
        "Content-Type is {value:?}; write application/json, or application/x-ndjson for one update a line"
    );
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, why))
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().ok().filter(|text| !text.is_empty() && text.len() <= MAX_KEY);
    let why = || format!("Idempotency-Key is visible ASCII of 1 to {MAX_KEY} characters");
    text.map(|text| Some(text.to_owned())).ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, why()))
}

/// Reads the body, of which only so much is held at once over all requests.
async fn read(
    portal: &Portal,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Bytes, tokio::sync::OwnedSemaphorePermit), Problem> {
    let too_large = || {
        let why = format!("the body is longer than {MAX_BODY} bytes; send several requests");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, why)
    };
    let length = headers.get(http::header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let length = length.and_then(|text| text.parse::<usize>().ok()).unwrap_or(MAX_BODY);
    if length > MAX_BODY {
        return Err(too_large());
    }
    let permits = u32::try_from(length.min(MAX_BODIES)).unwrap_or(u32::MAX);
    let busy = |_| {
        let why = "too many updates are being taken in at once";
        Problem::later(StatusCode::TOO_MANY_REQUESTS, why, 1)
    };
    let held = Arc::clone(&portal.bodies).try_acquire_many_owned(permits).map_err(busy)?;
    match whole(body, MAX_BODY, UPDATES_TIMEOUT).await {
        Ok(bytes) => Ok((bytes, held)),
        Err(Missing::TooLong) => Err(too_large()),
        Err(Missing::TooSlow) => {
            let why =
                format!("the body took longer than {} s; send several requests", UPDATES_TIMEOUT.as_secs());
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, why))
        }
    }
}

/// The updates of a body, each judged by itself.
fn updates(body: &[u8]) -> Result<Vec<Result<Update, Became>>, Problem> {
    let names = FieldNames::standard();
    let read: Vec<_> = match payload::lines(body, MAX_UPDATES) {
        Some(updates) => updates.into_iter().map(|update| judge(update, &names)).collect(),
        None => {
            let texts = payload::split(body).map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error))?;
            if texts.len() > MAX_UPDATES {
                let why = format!("{} updates in one request; {MAX_UPDATES} are the most", texts.len());
                return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, why));
            }
            texts.iter().map(|text| parse(text, &names)).collect()
        }
    };
    if read.is_empty() {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "there is no update in the body"));
    }
    Ok(read)
}

async fn take_in(
    portal: &Portal,
    read: Vec<Result<Update, Became>>,
    key: Option<&str>,
) -> Result<Vec<Became>, Problem> {
    let good = (0..).zip(&read).filter_map(|(index, read)| Some((index, read.as_ref().ok()?)));
    let keyed: Vec<_> = good.map(|(index, update)| (update, key.map(|key| (key, index)))).collect();
    let accepted = portal.sender.accept_keyed(keyed.into_iter()).await.map_err(|error| {
        portal.watch.accepted("refused", read.len() as u64);
        refuse(&error)
    })?;
    let mut accepted = accepted.into_iter();
    let items = read.into_iter().map(|read| match read {
        Err(invalid) => {
            portal.watch.accepted("invalid", 1);
            invalid
        }
        Ok(_) => accepted.next().map_or_else(
            || Became::Lost { error: "no answer".to_owned() },
            |accepted| {
                let (word, became) = answer(accepted);
                portal.watch.accepted(word, 1);
                became
            },
        ),
    });
    Ok(items.collect())
}

fn parse(text: &[u8], names: &FieldNames) -> Result<Update, Became> {
    let unreadable =
        |error: payload::ParseError| Became::Invalid { error: error.to_string(), findings: Vec::new() };
    judge(Update::parse(text.to_vec()).map_err(unreadable)?, names)
}

/// An update that a receiver could use, or all that is wrong with it.
fn judge(update: Update, names: &FieldNames) -> Result<Update, Became> {
    let findings: Vec<Finding> = payload::check::errors(&update, names)
        .into_iter()
        .map(|payload::Finding { path, expected, got, .. }| Finding { path, expected, got })
        .collect();
    if findings.is_empty() {
        return Ok(update);
    }
    let error = "the update has fields that no receiver can rely on".to_owned();
    Err(Became::Invalid { error, findings })
}

/// Said, and counted under a word.
fn answer(accepted: Accepted) -> (&'static str, Became) {
    let kept = |id: &MessageId, deliveries: usize| Kept { id: id.as_str().to_owned(), deliveries };
    match accepted {
        Accepted::Enqueued(id, deliveries) => ("accepted", Became::Accepted(kept(&id, deliveries))),
        Accepted::Again(id, deliveries) => ("again", Became::Again(kept(&id, deliveries))),
        Accepted::Unmatched(id) => ("unmatched", Became::Unmatched(kept(&id, 0))),
        Accepted::Bypassed(id) => ("bypassed", Became::Bypassed(kept(&id, 0))),
        Accepted::Conflict => {
            let error = "this Idempotency-Key came with another body before".to_owned();
            ("conflict", Became::Conflict { error })
        }
    }
}

fn refuse(error: &AcceptError) -> Problem {
    let why = error.to_string();
    match error {
        AcceptError::Full(_) => Problem::later(StatusCode::TOO_MANY_REQUESTS, why, 5),
        AcceptError::Store(Fault::Full(_)) => Problem::later(StatusCode::SERVICE_UNAVAILABLE, why, 30),
        AcceptError::Store(_) | AcceptError::ShutDown => {
            Problem::later(StatusCode::SERVICE_UNAVAILABLE, why, 5)
        }
    }
}

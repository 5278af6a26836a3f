//! `POST /v1/updates`: one JSON object, an array of them, or one a line. 202 means that they are on disk.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use delivery::engine::AcceptError;
use delivery::store::Fault;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use payload::check::Weight;
use payload::{FieldNames, Update};
use sender::accept::Accepted;
use serde_json::{Value, json};

use super::Problem;
use crate::portal::{MAX_BODIES, MAX_BODY, MAX_UPDATES, Portal};

/// The longest idempotency key, in bytes.
const MAX_KEY: usize = 256;

/// What became of one item: its status, and its lines of the answer.
type Item = (StatusCode, Value);

pub(super) async fn accept(State(portal): State<Arc<Portal>>, request: Request) -> Result<Response, Problem> {
    if portal.is_draining() {
        let why = "the server is shutting down and takes nothing more in";
        return Err(Problem::later(StatusCode::SERVICE_UNAVAILABLE, why, 5));
    }
    let (head, body) = request.into_parts();
    check_content_type(&head.headers)?;
    let key = idempotency_key(&head.headers)?;
    let (body, _held) = read(&portal, &head.headers, body).await?;
    let texts = payload::split(&body).map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error))?;
    if texts.is_empty() {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "there is no update in the body"));
    }
    if texts.len() > MAX_UPDATES {
        let why = format!("{} updates in one request; {MAX_UPDATES} are the most", texts.len());
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, why));
    }
    let single = texts.len() == 1 && body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'[');
    let items = take_in(&portal, &texts, key.as_deref()).await?;
    if single {
        return Ok(items.into_iter().next().map_or_else(
            || StatusCode::ACCEPTED.into_response(),
            |(status, value)| (status, Json(value)).into_response(),
        ));
    }
    let all = items.iter().all(|(status, _)| *status == StatusCode::ACCEPTED);
    let status = if all { StatusCode::ACCEPTED } else { StatusCode::MULTI_STATUS };
    let results: Vec<Value> = items
        .into_iter()
        .map(|(status, mut value)| {
            value["status"] = status.as_u16().into();
            value
        })
        .collect();
    Ok((status, Json(json!({ "results": results }))).into_response())
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if ["application/json", "application/x-ndjson", "application/ndjson"].contains(&kind.as_str()) {
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
    let bytes = axum::body::to_bytes(body, MAX_BODY).await;
    // What breaks off has nobody left to answer; what is left is a body that is too long.
    Ok((bytes.map_err(|_| too_large())?, held))
}

async fn take_in(portal: &Portal, texts: &[&[u8]], key: Option<&str>) -> Result<Vec<Item>, Problem> {
    let names = FieldNames::standard();
    let read: Vec<Result<Update, Item>> = texts.iter().map(|text| parse(text, &names)).collect();
    let good = (0..).zip(&read).filter_map(|(index, read)| Some((index, read.as_ref().ok()?)));
    let keyed: Vec<_> = good.map(|(index, update)| (update, key.map(|key| (key, index)))).collect();
    let accepted = portal.sender.accept_keyed(keyed.into_iter()).await.map_err(|error| {
        portal.watch.accepted("refused", texts.len() as u64);
        refuse(&error)
    })?;
    let mut accepted = accepted.into_iter();
    let items = read.into_iter().map(|read| match read {
        Err(item) => {
            portal.watch.accepted("invalid", 1);
            item
        }
        Ok(_) => accepted.next().map_or_else(
            || (StatusCode::INTERNAL_SERVER_ERROR, json!({ "error": "no answer" })),
            |accepted| {
                let (word, item) = answer(accepted);
                portal.watch.accepted(word, 1);
                item
            },
        ),
    });
    Ok(items.collect())
}

/// An update that a receiver could use, or all that is wrong with it.
fn parse(text: &[u8], names: &FieldNames) -> Result<Update, Item> {
    let unprocessable = |error: String, findings: Vec<Value>| {
        (
            StatusCode::UNPROCESSABLE_ENTITY,
            json!({ "result": "invalid", "error": error, "findings": findings }),
        )
    };
    let update =
        Update::parse(text.to_vec()).map_err(|error| unprocessable(error.to_string(), Vec::new()))?;
    let findings = payload::check(&update, names);
    let errors: Vec<Value> = findings
        .iter()
        .filter(|finding| finding.weight == Weight::Error)
        .map(|finding| json!({ "path": finding.path, "expected": finding.expected, "got": finding.got }))
        .collect();
    if errors.is_empty() {
        return Ok(update);
    }
    Err(unprocessable("the update has fields that no receiver can rely on".to_owned(), errors))
}

fn answer(accepted: Accepted) -> (&'static str, Item) {
    let taken = |result, id: &str, deliveries: usize| {
        (result, (StatusCode::ACCEPTED, json!({ "result": result, "id": id, "deliveries": deliveries })))
    };
    match accepted {
        Accepted::Enqueued(id, deliveries) => taken("accepted", id.as_str(), deliveries),
        Accepted::Again(id, deliveries) => taken("again", id.as_str(), deliveries),
        Accepted::Unmatched(id) => taken("unmatched", id.as_str(), 0),
        Accepted::Bypassed(id) => taken("bypassed", id.as_str(), 0),
        Accepted::Conflict => {
            let error = "this Idempotency-Key came with another body before";
            ("conflict", (StatusCode::UNPROCESSABLE_ENTITY, json!({ "result": "conflict", "error": error })))
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

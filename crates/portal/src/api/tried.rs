//! Trying an integration out, also one that is not kept yet: what would be sent, and what becomes of it when it is sent once.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use delivery::outcome::{Attempt, Connection, Outcome, Response};
use delivery::target::headers::is_secret;
use http::StatusCode;
use payload::Update;
use schemars::JsonSchema;
use sender::book::Refused;
use sender::form::MASK;
use sender::message::test_message;
use sender::{Form, Integration, Preview};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Problem;
use super::operation::{Operation, post};
use super::updates::UpdateText;
use crate::portal::Portal;

pub(super) fn operations() -> Vec<Operation> {
    vec![
        post("/v1/preview", "previewForm", preview)
            .says("Shows the request that a form would make; sends nothing")
            .takes::<Asked>()
            .gives::<Previewed>(200, "The request, without secrets.")
            .refuses(&[404]),
        post("/v1/test", "testForm", test)
            .says("Sends an update once as a form says; keeps nothing")
            .takes::<Asked>()
            .gives::<Told>(200, "What became of it, also where it did not arrive.")
            .refuses(&[404]),
    ]
}

/// What is tried: a form as it stands, with the secrets of the integration that it is to replace, if it names one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TrialIn")]
struct Asked {
    id: Option<String>,
    form: Form,
    /// The update; the documentation page's sample, if there is none.
    #[schemars(with = "Option<UpdateText>")]
    update: Option<Box<RawValue>>,
}

impl Asked {
    fn checked(mut self, portal: &Portal) -> Result<(Integration, Update), Problem> {
        if let Some(id) = &self.id {
            let unknown = || Refused::Unknown { what: "integration", id: id.clone() };
            let view = portal.book.view();
            let before = view.form(id).ok_or_else(unknown)?;
            self.form.keep_secrets_of(before).map_err(Refused::Invalid)?;
        }
        let integration = self.form.check("test", portal.book.guarding()).map_err(Refused::Invalid)?;
        let update = match &self.update {
            None => sample(),
            Some(update) => {
                Update::parse(update.get().to_owned()).map_err(|error| format!("update: {error}"))
            }
        };
        Ok((integration, update.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error))?))
    }
}

/// What would be sent, with what is odd about it.
#[derive(Debug, Serialize, JsonSchema)]
struct Previewed {
    request: Preview,
    findings: Vec<String>,
}

/// What became of a try; durations in milliseconds since it began.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Trial")]
pub(super) struct Told {
    /// The integration's name.
    integration: String,
    webhook_id: String,
    /// Whether a status of success came back.
    delivered: bool,
    /// What came of it.
    outcome: String,
    /// The same in one word.
    word: &'static str,
    /// What to do about it.
    advice: Option<&'static str>,
    timings: Timings,
    connection: Option<WentOver>,
    response: Option<Answered>,
}

/// When what was reached, in milliseconds.
#[derive(Debug, Serialize, JsonSchema)]
struct Timings {
    connected: Option<f64>,
    tls: Option<f64>,
    first_byte: Option<f64>,
    total: f64,
}

/// The connection of a try.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Connection")]
struct WentOver {
    /// Address and port of the other end.
    address: String,
    /// The version of HTTP.
    http: String,
    /// The version of TLS, if it was spoken.
    tls: Option<String>,
    /// Whether it is known who the other end is.
    verified: bool,
}

/// The answer to a try.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Response")]
struct Answered {
    status: u16,
    /// Names and values, `***` for secrets.
    headers: Vec<(String, String)>,
    body: String,
    /// Whether the body was longer than what is kept of it.
    truncated: bool,
}

/// Shows it.
async fn preview(
    State(portal): State<Arc<Portal>>,
    asked: Result<Json<Asked>, JsonRejection>,
) -> Result<Json<Previewed>, Problem> {
    let (integration, update) = asked?.0.checked(&portal)?;
    let preview = Preview::of(&integration, &update, None, portal.clock.wall());
    let preview = preview.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error))?;
    let odd = payload::check(&update, &integration.field_names);
    Ok(Json(Previewed { request: preview, findings: odd.iter().map(ToString::to_string).collect() }))
}

/// Sends it once; keeps nothing.
async fn test(
    State(portal): State<Arc<Portal>>,
    asked: Result<Json<Asked>, JsonRejection>,
) -> Result<Json<Told>, Problem> {
    let (integration, update) = asked?.0.checked(&portal)?;
    Ok(Json(Tried::of(&portal, &integration, &update).await.told()))
}

/// The documentation page's sample.
pub(crate) fn sample() -> Result<Update, String> {
    Update::parse(payload::SAMPLE).map_err(|error| error.to_string())
}

/// One attempt, past the queue.
pub(crate) struct Tried {
    integration: String,
    webhook_id: String,
    pub(crate) attempt: Attempt,
}

impl Tried {
    pub(crate) async fn of(portal: &Portal, integration: &Integration, update: &Update) -> Self {
        let message = test_message(update);
        let mut attempt = portal.client.attempt(&integration.target, &message).await;
        if attempt.outcome == Outcome::Unsent {
            // A connection of an earlier try, closed since; now there is none of them any more.
            attempt = portal.client.attempt(&integration.target, &message).await;
        }
        Self { integration: integration.name.clone(), webhook_id: message.id.as_str().to_owned(), attempt }
    }

    pub(crate) fn delivered(&self) -> bool {
        matches!(&self.attempt.outcome, Outcome::Answered(answer) if answer.status.is_success())
    }

    /// All that is known of it.
    pub(super) fn told(&self) -> Told {
        let Attempt { outcome, timings, connection, response } = &self.attempt;
        let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
        Told {
            integration: self.integration.clone(),
            webhook_id: self.webhook_id.clone(),
            delivered: self.delivered(),
            outcome: outcome.to_string(),
            word: outcome.word(),
            advice: self.attempt.advice(),
            timings: Timings {
                connected: timings.connect.map(milliseconds),
                tls: timings.tls.map(milliseconds),
                first_byte: timings.first_byte.map(milliseconds),
                total: milliseconds(timings.total),
            },
            connection: connection.as_ref().map(went_over),
            response: response.as_ref().map(answered),
        }
    }
}

fn went_over(connection: &Connection) -> WentOver {
    WentOver {
        address: connection.peer.to_string(),
        http: format!("{:?}", connection.version),
        tls: connection.tls.clone(),
        verified: connection.tls.is_some() && !connection.unverified,
    }
}

fn answered(response: &Response) -> Answered {
    let line = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        let shown = if is_secret(name) { MASK.into() } else { String::from_utf8_lossy(value.as_bytes()) };
        (name.as_str().to_owned(), shown.into_owned())
    };
    Answered {
        status: response.status.as_u16(),
        headers: response.headers.iter().map(line).collect(),
        body: String::from_utf8_lossy(&response.body).into_owned(),
        truncated: response.truncated,
    }
}

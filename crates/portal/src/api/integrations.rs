//! Acting on an integration: pausing it, letting it go on, trying it out.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use delivery::outcome::{Attempt, Outcome};
use http::StatusCode;
use payload::Update;
use sender::Integration;
use sender::message::test_message;
use serde_json::{Value, json};

use super::Problem;
use crate::portal::Portal;

pub(super) async fn act(
    State(portal): State<Arc<Portal>>,
    Path((name, act)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let lane = known(&portal, &name)?;
    match act.as_str() {
        "pause" => {
            portal.sender.engine().pause(lane).await;
            Ok(Json(json!({ "integration": name, "state": "paused" })))
        }
        "resume" => {
            portal.sender.engine().resume(lane).await;
            Ok(Json(json!({ "integration": name, "state": "open" })))
        }
        "test" => test(&portal, &name).await,
        other => {
            let why = format!("{other:?} is none of pause, resume, test");
            Err(Problem::new(StatusCode::NOT_FOUND, why))
        }
    }
}

/// The lane of an integration, or which there are.
pub(super) fn known(portal: &Portal, name: &str) -> Result<delivery::store::LaneId, Problem> {
    portal.sender.lane(name).ok_or_else(|| {
        let names: Vec<_> =
            portal.sender.integrations().into_iter().map(|(_, integration)| integration.name).collect();
        let why = format!("there is no integration {name:?}; there are: {}", names.join(", "));
        Problem::new(StatusCode::NOT_FOUND, why)
    })
}

/// One attempt with the documentation page's sample, past the queue.
async fn test(portal: &Portal, name: &str) -> Result<Json<Value>, Problem> {
    let found = portal.sender.integration(name);
    let (_, integration) =
        found.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "the integration is gone"))?;
    let tried = tried(portal, &integration).await;
    let (_, value) = tried.map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error))?;
    Ok(Json(value))
}

/// The attempt, and what is told of it.
pub(super) async fn tried(portal: &Portal, integration: &Integration) -> Result<(Attempt, Value), String> {
    let sample = Update::parse(payload::SAMPLE).map_err(|error| error.to_string())?;
    let message = test_message(&sample);
    let attempt = portal.client.attempt(&integration.target, &message).await;
    let arrived = matches!(&attempt.outcome, Outcome::Answered(answer) if answer.status.is_success());
    let response = attempt.response.as_ref();
    let value = json!({
        "integration": integration.name,
        "delivered": arrived,
        "outcome": attempt.outcome.to_string(),
        "milliseconds": attempt.timings.total.as_secs_f64() * 1000.0,
        "webhook_id": message.id.as_str(),
        "response": response.map(|response| String::from_utf8_lossy(&response.body).into_owned()),
    });
    Ok((attempt, value))
}

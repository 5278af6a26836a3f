//! Acting on an integration: pausing it, letting it go on, trying it out.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use http::StatusCode;
use serde_json::{Value, json};

use super::Problem;
use super::tried::{Tried, sample};
use crate::access::Caller;
use crate::portal::Portal;

pub(super) async fn act(
    State(portal): State<Arc<Portal>>,
    Extension(caller): Extension<Caller>,
    Path((name, act)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    known(&portal, &name)?;
    match act.as_str() {
        "pause" => {
            portal.pause(&name, &caller.who).await?;
            Ok(Json(json!({ "integration": name, "state": "paused" })))
        }
        "resume" => {
            portal.resume(&name, &caller.who).await?;
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
    let sample = sample().map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error))?;
    Ok(Json(Tried::of(portal, &integration, &sample).await.told()))
}

//! Acting on an integration: pausing it, letting it go on, trying it out.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use delivery::store::LaneId;
use http::StatusCode;
use schemars::JsonSchema;
use sender::Integration;
use serde::Serialize;

use super::Problem;
use super::extract::Path;
use super::operation::{Operation, post};
use super::tried::{Told, Tried, sample};
use crate::access::Caller;
use crate::portal::Portal;

pub(super) fn operations() -> Vec<Operation> {
    vec![
        post("/v1/integrations/{name}/pause", "pauseIntegration", pause)
            .says("Sends nothing more to an integration until it is resumed")
            .gives::<Acted>(200, "It is paused.")
            .refuses(&[404, 503]),
        post("/v1/integrations/{name}/resume", "resumeIntegration", resume)
            .says("Sends to an integration again that was paused or disabled")
            .gives::<Acted>(200, "It is open.")
            .refuses(&[404, 503]),
        post("/v1/integrations/{name}/test", "testIntegration", test)
            .says("Sends the documentation page's sample to an integration once, past the queue")
            .gives::<Told>(200, "What became of it, also where it did not arrive.")
            .refuses(&[404, 500]),
    ]
}

/// What an integration was made.
#[derive(Debug, Serialize, JsonSchema)]
struct Acted {
    integration: String,
    #[schemars(extend("enum" = ["paused", "open"]))]
    state: &'static str,
}

type Shared = State<Arc<Portal>>;

async fn pause(
    State(portal): Shared,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Json<Acted>, Problem> {
    known(&portal, &name)?;
    portal.pause(&name, &caller.who).await?;
    Ok(Json(Acted { integration: name, state: "paused" }))
}

async fn resume(
    State(portal): Shared,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Json<Acted>, Problem> {
    known(&portal, &name)?;
    portal.resume(&name, &caller.who).await?;
    Ok(Json(Acted { integration: name, state: "open" }))
}

/// An integration with its lane, or which there are.
pub(super) fn known(portal: &Portal, name: &str) -> Result<(LaneId, Arc<Integration>), Problem> {
    portal.sender.integration(name).ok_or_else(|| {
        let names: Vec<_> = portal
            .sender
            .integrations()
            .into_iter()
            .map(|(_, integration)| integration.name.clone())
            .collect();
        let why = format!("there is no integration {name:?}; there are: {}", names.join(", "));
        Problem::new(StatusCode::NOT_FOUND, why)
    })
}

/// One attempt with the documentation page's sample, past the queue.
async fn test(State(portal): Shared, Path(name): Path<String>) -> Result<Json<Told>, Problem> {
    let (_, integration) = known(&portal, &name)?;
    let sample = sample().map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error))?;
    Ok(Json(Tried::of(&portal, &integration, &sample).await.told()))
}

//! Our own routes for what is configured, which have words for all of it: the whole form of an integration, and the audit log.
//! Policies are those of the vendor's routes.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::{Extension, Json};
use delivery::clock::Timestamp;
use schemars::JsonSchema;
use sender::Form;
use sender::book::{AUDIT, Audit, Listed, Origin, Refused};
use serde::{Deserialize, Serialize};

use super::Problem;
use super::extract::{Path, Query};
use super::operation::{Operation, delete, get, post, put};
use super::status::time;
use crate::access::Caller;
use crate::portal::Portal;

/// How many entries of the audit log are listed unless asked otherwise, and at most.
const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 1_000;

type Shared = State<Arc<Portal>>;

pub(super) fn operations() -> Vec<Operation> {
    vec![
        get("/v1/integrations", "listIntegrations", list)
            .says("Lists the integrations with all their settings")
            .gives::<Integrations>(200, "All integrations."),
        post("/v1/integrations", "addIntegration", add)
            .says("Adds an integration")
            .takes::<Form>()
            .gives::<Integration>(201, "It is kept and at work.")
            .leads("showIntegration", "id", "/id")
            .leads("replaceIntegration", "id", "/id")
            .leads("removeIntegration", "id", "/id")
            .leads("pauseIntegration", "name", "/form/name")
            .leads("resumeIntegration", "name", "/form/name")
            .leads("testIntegration", "name", "/form/name")
            .refuses(&[500, 503]),
        get("/v1/integrations/{id}", "showIntegration", show)
            .says("Shows an integration with all its settings")
            .gives::<Integration>(200, "The integration.")
            .refuses(&[404]),
        put("/v1/integrations/{id}", "replaceIntegration", replace)
            .says("Replaces the settings of an integration; secrets that are left out stay")
            .takes::<Form>()
            .gives::<Integration>(200, "It is kept and at work.")
            .refuses(&[404, 500, 503]),
        delete("/v1/integrations/{id}", "removeIntegration", remove)
            .says("Removes an integration that no policy names; what waits for it is given up")
            .gives_nothing("It is gone.")
            .refuses(&[404, 409, 503]),
    ]
}

pub(super) fn audited() -> Operation {
    get("/v1/audit", "listAudit", audit)
        .says("Lists who changed what, newest first")
        .asks::<Asked>()
        .gives::<Entries>(200, "Changes, newest first.")
        .refuses(&[503])
}

/// An integration, and where it is configured.
#[derive(Debug, Serialize, JsonSchema)]
struct Integration {
    id: String,
    /// `file` where the configuration file has it, `store` where it was added by API.
    #[schemars(extend("enum" = ["file", "store"]))]
    origin: &'static str,
    form: Form,
    /// What is not right any more, if there is something; nothing is sent to it then.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mistakes: Vec<String>,
}

/// All integrations.
#[derive(Debug, Serialize, JsonSchema)]
struct Integrations {
    integrations: Vec<Integration>,
}

fn shown(id: &str, listed: &Listed) -> Integration {
    let origin = match listed.origin {
        Origin::File => "file",
        Origin::Store => "store",
    };
    Integration { id: id.to_owned(), origin, form: (*listed.form).clone(), mistakes: Vec::new() }
}

fn wrong(id: &str, form: &Form, mistakes: &[String]) -> Integration {
    Integration { id: id.to_owned(), origin: "store", form: form.clone(), mistakes: mistakes.to_vec() }
}

fn listed(portal: &Portal, id: &str) -> Result<Integration, Problem> {
    let view = portal.book.view();
    if let Some((form, mistakes)) = view.wrong.get(id) {
        return Ok(wrong(id, form, mistakes));
    }
    let named = || view.integrations.iter().find(|(_, listed)| listed.form.name == id);
    let found = view.integrations.get_key_value(id).or_else(named);
    let (id, listed) = found.ok_or_else(|| Refused::Unknown { what: "integration", id: id.to_owned() })?;
    Ok(shown(id, listed))
}

async fn list(State(portal): Shared) -> Json<Integrations> {
    let view = portal.book.view();
    let right = view.integrations.iter().map(|(id, listed)| shown(id, listed));
    let wrong = view.wrong.iter().map(|(id, (form, mistakes))| wrong(id, form, mistakes));
    let integrations: Vec<_> = right.chain(wrong).collect();
    Json(Integrations { integrations })
}

async fn show(State(portal): Shared, Path(id): Path<String>) -> Result<Json<Integration>, Problem> {
    Ok(Json(listed(&portal, &id)?))
}

async fn add(
    State(portal): Shared,
    Extension(caller): Extension<Caller>,
    form: Result<Json<Form>, JsonRejection>,
) -> Result<(StatusCode, Json<Integration>), Problem> {
    let id = portal.book.add(form?.0, &caller.who).await?;
    portal.name_lanes().await.map_err(Refused::from)?;
    Ok((StatusCode::CREATED, Json(listed(&portal, &id)?)))
}

async fn replace(
    State(portal): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    form: Result<Json<Form>, JsonRejection>,
) -> Result<Json<Integration>, Problem> {
    portal.book.replace(&id, form?.0, &caller.who).await?;
    portal.name_lanes().await.map_err(Refused::from)?;
    Ok(Json(listed(&portal, &id)?))
}

async fn remove(
    State(portal): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    portal.book.remove(&id, &caller.who).await?;
    portal.name_lanes().await.map_err(Refused::from)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which changes are asked for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Asked {
    /// The `next` of the page before.
    before: Option<String>,
    /// How many; 50 if it is absent, and 1,000 at most.
    limit: Option<usize>,
}

/// A change.
#[derive(Debug, Serialize, JsonSchema)]
struct Entry {
    /// When.
    at: String,
    /// Who did it.
    who: String,
    /// What was done.
    what: String,
    /// To what; empty if to nothing of its own.
    id: String,
    /// What that is called.
    name: String,
}

/// Changes, newest first.
#[derive(Debug, Serialize, JsonSchema)]
struct Entries {
    entries: Vec<Entry>,
    /// What to ask for before which, if there may be more.
    next: Option<String>,
}

/// The audit log, newest first.
async fn audit(State(portal): Shared, Query(asked): Query<Asked>) -> Result<Json<Entries>, Problem> {
    let limit = asked.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let read = portal.read(move |archive| archive.documents(AUDIT, asked.before.as_deref(), limit)).await?;
    let next = read.last().filter(|_| read.len() == limit).map(|document| document.id.clone());
    let entry = |document: &delivery::store::Document| {
        let entry = Audit::read(document)?;
        let at = time(Timestamp::from_micros(entry.at));
        Some(Entry { at, who: entry.who, what: entry.what, id: entry.id, name: entry.name })
    };
    Ok(Json(Entries { entries: read.iter().filter_map(entry).collect(), next }))
}

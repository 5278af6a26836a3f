//! Our own routes for what is configured, which have words for all of it: the whole form of an integration, and the audit log.
//! Policies are those of the vendor's routes.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use delivery::clock::Timestamp;
use sender::Form;
use sender::book::{AUDIT, Audit, Listed, Origin, Refused};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Problem;
use super::status::time;
use crate::access::Caller;
use crate::portal::Portal;

/// How many entries of the audit log are listed unless asked otherwise, and at most.
const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 1_000;

type Shared = State<Arc<Portal>>;

fn shown(id: &str, listed: &Listed) -> Value {
    let origin = match listed.origin {
        Origin::File => "file",
        Origin::Store => "store",
    };
    json!({ "id": id, "origin": origin, "form": listed.form })
}

fn wrong(id: &str, form: &Form, mistakes: &[String]) -> Value {
    json!({ "id": id, "origin": "store", "form": form, "mistakes": mistakes })
}

fn listed(portal: &Portal, id: &str) -> Result<Value, Problem> {
    let view = portal.book.view();
    if let Some((form, mistakes)) = view.wrong.get(id) {
        return Ok(wrong(id, form, mistakes));
    }
    let named = || view.integrations.iter().find(|(_, listed)| listed.form.name == id);
    let found = view.integrations.get_key_value(id).or_else(named);
    let (id, listed) = found.ok_or_else(|| Refused::Unknown { what: "integration", id: id.to_owned() })?;
    Ok(shown(id, listed))
}

pub(super) async fn list(State(portal): Shared) -> Json<Value> {
    let view = portal.book.view();
    let right = view.integrations.iter().map(|(id, listed)| shown(id, listed));
    let wrong = view.wrong.iter().map(|(id, (form, mistakes))| wrong(id, form, mistakes));
    let integrations: Vec<_> = right.chain(wrong).collect();
    Json(json!({ "integrations": integrations }))
}

pub(super) async fn show(State(portal): Shared, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    Ok(Json(listed(&portal, &id)?))
}

pub(super) async fn add(
    State(portal): Shared,
    Extension(caller): Extension<Caller>,
    form: Result<Json<Form>, JsonRejection>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let id = portal.book.add(form?.0, &caller.who).await?;
    portal.name_lanes().await.map_err(Refused::from)?;
    Ok((StatusCode::CREATED, Json(listed(&portal, &id)?)))
}

pub(super) async fn replace(
    State(portal): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    form: Result<Json<Form>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    portal.book.replace(&id, form?.0, &caller.who).await?;
    portal.name_lanes().await.map_err(Refused::from)?;
    Ok(Json(listed(&portal, &id)?))
}

pub(super) async fn remove(
    State(portal): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    portal.book.remove(&id, &caller.who).await?;
    portal.name_lanes().await.map_err(Refused::from)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Asked {
    before: Option<String>,
    limit: Option<usize>,
}

/// The audit log, newest first.
pub(super) async fn audit(State(portal): Shared, Query(asked): Query<Asked>) -> Result<Json<Value>, Problem> {
    let limit = asked.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let read = portal.read(move |archive| archive.documents(AUDIT, asked.before.as_deref(), limit)).await?;
    let next = read.last().filter(|_| read.len() == limit).map(|document| document.id.clone());
    let entry = |document: &delivery::store::Document| {
        let entry = Audit::read(document)?;
        let at = time(Timestamp::from_micros(entry.at));
        Some(json!({ "at": at, "who": entry.who, "what": entry.what, "id": entry.id, "name": entry.name }))
    };
    let entries: Vec<_> = read.iter().filter_map(entry).collect();
    Ok(Json(json!({ "entries": entries, "next": next })))
}

//! The vendor's own REST routes for response integrations of adapter `webhook` and for response policies: their paths,
//! fields, envelopes and errors, so that a script that is written against the vendor's API works here with another host and
//! token.
//!
//! What the vendor's API has no words for (field names, retries, limits) stays as it is when an integration is replaced.

mod words;

use std::sync::Arc;

use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::StatusCode;
use schemars::JsonSchema;
use sender::Form;
use sender::book::Refused;
use serde::Serialize;

use super::extract::Path;
use super::operation::{Operation, delete, get, post, put};
use super::tried::{Told as Trial, Tried, sample};
use crate::access::Caller;
use crate::portal::Portal;

use words::{Integration, IntegrationIn, Rule, RuleIn};

/// Where the vendor's routes begin.
pub(super) const PREFIX: &str = "/api/v1/";

type Shared = State<Arc<Portal>>;
type Body<T> = Result<Json<T>, JsonRejection>;

pub(super) fn integrations_operations() -> Vec<Operation> {
    vec![
        get("/api/v1/integrations/response", "vendorListIntegrations", integrations)
            .says("Lists the response integrations")
            .gives::<Found<Integration>>(200, "All of them."),
        post("/api/v1/integrations/response", "vendorAddIntegration", add_integration)
            .says("Adds a response integration")
            .takes::<IntegrationIn>()
            .gives::<Found<Integration>>(201, "It is kept and at work.")
            .leads("vendorShowIntegration", "id", "/data/0/id")
            .leads("vendorReplaceIntegration", "id", "/data/0/id")
            .leads("vendorRemoveIntegration", "id", "/data/0/id")
            .refuses(&[500, 503]),
        post("/api/v1/integrations/response/test", "vendorTestIntegration", test_integration)
            .says("Sends the documentation page's sample once; adds nothing")
            .takes::<IntegrationIn>()
            .gives::<Found<Trial>>(201, "It arrived.")
            .refuses(&[404]),
        get("/api/v1/integrations/response/{id}", "vendorShowIntegration", integration)
            .says("Shows a response integration")
            .gives::<Found<Integration>>(200, "It alone.")
            .refuses(&[404]),
        put("/api/v1/integrations/response/{id}", "vendorReplaceIntegration", replace_integration)
            .says("Replaces what the vendor has words for of a response integration")
            .takes::<IntegrationIn>()
            .gives::<Found<Integration>>(200, "It is kept and at work.")
            .refuses(&[404, 500, 503]),
        delete("/api/v1/integrations/response/{id}", "vendorRemoveIntegration", remove_integration)
            .says("Removes a response integration that no policy names")
            .gives_nothing("It is gone.")
            .refuses(&[404, 409, 503]),
    ]
}

pub(super) fn policies_operations() -> Vec<Operation> {
    vec![
        get("/api/v1/rule-engine/rules", "vendorListPolicies", rules)
            .says("Lists the response policies")
            .gives::<Found<Rule>>(200, "All of them."),
        post("/api/v1/rule-engine/rule", "vendorAddPolicy", add_rule)
            .says("Adds a response policy")
            .takes::<RuleIn>()
            .gives::<Found<Rule>>(201, "It is kept and at work.")
            .leads("vendorShowPolicy", "id", "/data/0/id")
            .leads("vendorReplacePolicy", "id", "/data/0/id")
            .leads("vendorEnablePolicy", "id", "/data/0/id")
            .leads("vendorDisablePolicy", "id", "/data/0/id")
            .leads("vendorRemovePolicy", "id", "/data/0/id")
            .refuses(&[503]),
        get("/api/v1/rule-engine/rule/{id}", "vendorShowPolicy", rule)
            .says("Shows a response policy")
            .gives::<Found<Rule>>(200, "It alone.")
            .refuses(&[404]),
        put("/api/v1/rule-engine/rule/{id}", "vendorReplacePolicy", replace_rule)
            .says("Replaces a response policy")
            .takes::<RuleIn>()
            .gives::<Found<Rule>>(200, "It is kept and at work.")
            .refuses(&[404, 503]),
        delete("/api/v1/rule-engine/rule/{id}", "vendorRemovePolicy", remove_rule)
            .says("Removes a response policy")
            .gives_nothing("It is gone.")
            .refuses(&[404, 503]),
        put("/api/v1/rule-engine/rule/{id}/enable", "vendorEnablePolicy", enable_rule)
            .says("Switches a response policy on")
            .gives::<Found<Rule>>(200, "It is on.")
            .refuses(&[404, 503]),
        put("/api/v1/rule-engine/rule/{id}/disable", "vendorDisablePolicy", disable_rule)
            .says("Switches a response policy off")
            .gives::<Found<Rule>>(200, "It is off.")
            .refuses(&[404, 503]),
    ]
}

/// The vendor's envelope of an answer. Members are in the order of their names, as everywhere in the vendor's answers.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "VendorFound{T}")]
struct Found<T> {
    data: Vec<T>,
    meta: Meta,
}

/// What the vendor says about an answer.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "VendorMeta")]
struct Meta {
    /// The status.
    code: u16,
    /// How many there are.
    count: usize,
}

fn found<T: Serialize>(status: StatusCode, data: Vec<T>) -> Response {
    let meta = Meta { code: status.as_u16(), count: data.len() };
    (status, Json(Found { meta, data })).into_response()
}

/// The vendor's envelope of an error.
#[derive(Debug)]
pub(super) struct Problem(StatusCode, String);

/// How the vendor says what is wrong.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "VendorProblem")]
pub(super) struct Told {
    message: String,
    /// What the status is called.
    name: &'static str,
    status: u16,
}

impl Problem {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self(status, message.into())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let name = self.0.canonical_reason().unwrap_or("Error");
        let body = Told { message: self.1, name, status: self.0.as_u16() };
        let mut response = (self.0, Json(body)).into_response();
        if self.0 == StatusCode::UNAUTHORIZED {
            let challenge = http::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(http::header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        Self(super::status_of(&refused), refused.to_string())
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        // What can be read as JSON and is not the right one is a bad request to the vendor too.
        let status = match rejection.status() {
            StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
            status => status,
        };
        Self(status, rejection.body_text())
    }
}

fn form(portal: &Portal, id: &str) -> Result<Form, Problem> {
    let unknown = || Refused::Unknown { what: "response integration", id: id.to_owned() };
    Ok(portal.book.view().form(id).cloned().ok_or_else(unknown)?)
}

async fn integrations(State(portal): Shared) -> Response {
    let view = portal.book.view();
    let right = view.integrations.iter().map(|(id, listed)| (id, &*listed.form));
    let wrong = view.wrong.iter().map(|(id, (form, _))| (id, form));
    let data: Vec<_> = right.chain(wrong).map(|(id, form)| words::integration(id, form)).collect();
    found(StatusCode::OK, data)
}

async fn integration(State(portal): Shared, Path(id): Path<String>) -> Result<Response, Problem> {
    Ok(found(StatusCode::OK, vec![words::integration(&id, &form(&portal, &id)?)]))
}

async fn add_integration(
    State(portal): Shared,
    Extension(caller): Extension<Caller>,
    body: Body<IntegrationIn>,
) -> Result<Response, Problem> {
    let Json(wanted) = body?;
    let id = portal.book.add(wanted.form(None).map_err(bad)?, &caller.who).await?;
    portal.name_lanes().await.map_err(Refused::from)?;
    Ok(found(StatusCode::CREATED, vec![words::integration(&id, &form(&portal, &id)?)]))
}

async fn replace_integration(
    State(portal): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    body: Body<IntegrationIn>,
) -> Result<Response, Problem> {
    let Json(wanted) = body?;
    let before = form(&portal, &id)?;
    portal.book.replace(&id, wanted.form(Some(&before)).map_err(bad)?, &caller.who).await?;
    portal.name_lanes().await.map_err(Refused::from)?;
    Ok(found(StatusCode::OK, vec![words::integration(&id, &form(&portal, &id)?)]))
}

async fn remove_integration(
    State(portal): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    portal.book.remove(&id, &caller.who).await?;
    portal.name_lanes().await.map_err(Refused::from)?;
    Ok(StatusCode::NO_CONTENT)
}

/// One attempt with what is in the body, or with the secrets of the integration whose id it names.
async fn test_integration(State(portal): Shared, body: Body<IntegrationIn>) -> Result<Response, Problem> {
    let Json(wanted) = body?;
    let before = wanted.id.as_deref().map(|id| form(&portal, id)).transpose()?;
    let mut tested = wanted.form(before.as_ref()).map_err(bad)?;
    if let Some(before) = &before {
        tested.keep_secrets_of(before).map_err(Refused::Invalid)?;
    }
    let checked = tested.check("test", portal.book.guarding()).map_err(Refused::Invalid)?;
    let tried = Tried::of(&portal, &checked, &sample().map_err(bad)?).await;
    if tried.delivered() {
        return Ok(found(StatusCode::CREATED, vec![tried.told()]));
    }
    let outcome = &tried.attempt.outcome;
    let advice = tried.attempt.advice().map(|advice| format!("; {advice}")).unwrap_or_default();
    Err(bad(format!("the test did not arrive: {outcome}{advice}")))
}

fn bad(why: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, why)
}

fn policy(portal: &Portal, id: &str) -> Result<Rule, Problem> {
    let view = portal.book.view();
    let found = view.policies.iter().find(|(policy, _)| policy.id == id);
    let (policy, _) = found.ok_or_else(|| Refused::Unknown { what: "response policy", id: id.to_owned() })?;
    Ok(words::rule(policy, &view))
}

async fn rules(State(portal): Shared) -> Response {
    let view = portal.book.view();
    let data: Vec<_> = view.policies.iter().map(|(policy, _)| words::rule(policy, &view)).collect();
    found(StatusCode::OK, data)
}

async fn rule(State(portal): Shared, Path(id): Path<String>) -> Result<Response, Problem> {
    Ok(found(StatusCode::OK, vec![policy(&portal, &id)?]))
}

async fn add_rule(
    State(portal): Shared,
    Extension(caller): Extension<Caller>,
    body: Body<RuleIn>,
) -> Result<Response, Problem> {
    let Json(wanted) = body?;
    let id = portal.book.add_policy(wanted.policy(None).map_err(bad)?, &caller.who).await?;
    Ok(found(StatusCode::CREATED, vec![policy(&portal, &id)?]))
}

async fn replace_rule(
    State(portal): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    body: Body<RuleIn>,
) -> Result<Response, Problem> {
    let Json(wanted) = body?;
    portal.book.replace_policy(&id, wanted.policy(Some(&id)).map_err(bad)?, &caller.who).await?;
    Ok(found(StatusCode::OK, vec![policy(&portal, &id)?]))
}

async fn remove_rule(
    State(portal): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    portal.book.remove_policy(&id, &caller.who).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn enable_rule(
    State(portal): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    portal.book.switch_policy(&id, true, &caller.who).await?;
    Ok(found(StatusCode::OK, vec![policy(&portal, &id)?]))
}

async fn disable_rule(
    State(portal): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    portal.book.switch_policy(&id, false, &caller.who).await?;
    Ok(found(StatusCode::OK, vec![policy(&portal, &id)?]))
}

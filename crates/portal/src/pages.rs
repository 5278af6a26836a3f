//! The pages: what a person sees of the server, and can do with it. Made here, whole, for each request; a script keeps
//! them fresh and answers while one types, and nothing needs it.
//!
//! | page | shows, does |
//! |---|---|
//! | `/` | how all goes, with the last hour |
//! | `/deliveries`, `/deliveries/{integration}/{number}`, `/event` | what became of updates; one delivery; one event's life |
//! | `/dead`, `/nowhere` | what was given up, and sends it again; what went to nobody |
//! | `/settings/integrations`, `…/{id}`, `/settings/add-integration`, `…/webhook` | response integrations |
//! | `/settings/policies`, `…/{id}`, `/settings/add-policy` | response policies |
//! | `/settings/access`, `/settings/changes` | who may ask; who changed what |
//! | `/login`, `/setup`, `/logout` | logging in |
//!
//! A form is posted to its own page, which answers with a redirection when it is done, and with the form and what is wrong
//! in it when it is not (status 422). Nothing is loaded from elsewhere, and nothing in a page can run but its one script.

mod access;
mod changes;
mod deliveries;
mod event;
mod fields;
mod headers;
mod integration;
mod integrations;
mod json;
mod layout;
mod login;
mod nowhere;
mod overview;
mod plot;
mod policies;
mod trial;
mod typed;

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequest, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, get, post};
use delivery::tasks::outlive;
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderValue, StatusCode};
use maud::{Markup, html};
use sender::book;
use url::form_urlencoded;

use crate::access::{Caller, Denied, LIVE, Refused};
use crate::api::unread;
use crate::arrival::{self, MAX_FORM};
use crate::portal::Portal;

/// How many fields a posted form may have.
pub(crate) const MAX_FIELDS: usize = 4_096;

/// What every answer carries: nothing is loaded but from here, nothing is framed, nothing is kept. A form's origin is
/// sent to this server (a policy of `no-referrer` would make it `null`).
const ALWAYS: [(HeaderName, &str); 6] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
         base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

type Shared = State<Arc<Portal>>;

/// The pages of a portal before its API.
pub(crate) fn before(api: Router, portal: Arc<Portal>) -> Router {
    routes(portal).fallback_service(api).layer(from_fn(lost))
}

/// Tells a person who went astray so on a page; programs are told by the API.
async fn lost(request: Request, next: Next) -> Response {
    let accepts = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let path = request.uri().path();
    let person = accepts.contains("text/html") && !path.starts_with("/v1/") && !path.starts_with("/api/");
    let response = next.run(request).await;
    let of_api = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if person && of_api && response.status() == StatusCode::NOT_FOUND {
        return secured(Failed::new(StatusCode::NOT_FOUND, "there is no such page").into_response());
    }
    response
}

/// All pages of a portal.
fn routes(portal: Arc<Portal>) -> Router {
    let guarded = Router::new()
        .route("/", get(overview::show))
        .route("/deliveries", get(deliveries::list))
        .route("/deliveries/{integration}/{number}", get(event::delivery).post(event::resend))
        .route("/event", get(event::life))
        .route("/nowhere", get(nowhere::show))
        .route("/dead", get(deliveries::dead).post(deliveries::resend_dead))
        .route("/settings", get(|| async { Redirect::to("/settings/integrations") }))
        .route("/settings/integrations", get(integrations::list))
        .route("/settings/add-integration", get(integrations::choose))
        .route("/settings/add-integration/webhook", get(integration::blank).post(integration::add))
        .route("/settings/integrations/{id}", get(integration::show).post(integration::replace))
        .route("/settings/integrations/{id}/act", post(integrations::act))
        .route("/settings/policies", get(policies::list))
        .route("/settings/add-policy", get(policies::blank).post(policies::add))
        .route("/settings/policies/{id}", get(policies::show).post(policies::replace))
        .route("/settings/policies/{id}/act", post(policies::act))
        .route("/settings/access", get(access::show).post(access::change))
        .route("/settings/changes", get(changes::show))
        .route("/logout", post(login::log_out))
        .route_layer(from_fn_with_state(Arc::clone(&portal), admit));
    guarded
        .route("/login", get(login::ask).post(login::log_in))
        .route("/setup", get(login::ask_set_up).post(login::set_up))
        .route("/page.css", file("text/css; charset=utf-8", include_str!("pages/page.css")))
        .route("/page.js", file("text/javascript; charset=utf-8", include_str!("pages/page.js")))
        .route("/icon.svg", file("image/svg+xml", include_str!("pages/icon.svg")))
        .layer(from_fn(unread::discard))
        .layer(from_fn(bounded))
        .with_state(portal)
}

fn file(kind: &'static str, text: &'static str) -> MethodRouter<Arc<Portal>> {
    get(move || async move { ([(CONTENT_TYPE, kind)], text) })
}

async fn bounded(request: Request, next: Next) -> Response {
    secured(next.run(request).await)
}

fn secured(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn admit(State(portal): Shared, request: Request, next: Next) -> Response {
    let judge = |request: &Request| portal.access.judge(request.headers(), portal.clock.now());
    let (uri, safe) = (request.uri().clone(), request.method().is_safe());
    match arrival::admit(request, judge).await {
        Ok(request) if safe => next.run(request).await,
        // Who hangs up must not leave a change half done: written, and not in force.
        Ok(request) => outlive(next.run(request)).await,
        Err(refused) if refused.status == StatusCode::UNAUTHORIZED => {
            let to = login::way_in(&portal, safe.then_some(&uri));
            Redirect::to(&to).into_response()
        }
        Err(refused) => Failed::from(refused).into_response(),
    }
}

/// What a form was filled in with, by somebody who meant it.
struct Posted {
    caller: Caller,
    fields: Fields,
    /// Whether the page's script asks, which keeps what was typed.
    live: bool,
}

impl FromRequest<Arc<Portal>> for Posted {
    type Rejection = Failed;

    async fn from_request(request: Request, _: &Arc<Portal>) -> Result<Self, Failed> {
        let caller = request.extensions().get::<Caller>().cloned();
        let live = request.headers().contains_key(LIVE);
        let fields = Fields::of(request, MAX_FORM).await?;
        let caller = caller.filter(|caller| caller.confirms(fields.text("csrf").as_bytes()));
        let why = "this form is from another session: go back, load it again, and repeat what you did";
        Ok(Self { caller: caller.ok_or_else(|| Failed::new(StatusCode::FORBIDDEN, why))?, fields, live })
    }
}

/// The names and values of a form, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Fields(Vec<(String, String)>);

impl Fields {
    async fn of(request: Request, limit: usize) -> Result<Self, Failed> {
        let body = arrival::whole(request.into_body(), limit, arrival::FORM_TIMEOUT).await;
        let body = body.map_err(|missing| Failed::from(Refused::from(missing)))?;
        Self::read(&body)
    }

    fn read(body: &[u8]) -> Result<Self, Failed> {
        let fields: Vec<_> = form_urlencoded::parse(body).into_owned().take(MAX_FIELDS + 1).collect();
        if fields.len() > MAX_FIELDS {
            let why = format!("a form has at most {MAX_FIELDS} fields");
            return Err(Failed::new(StatusCode::PAYLOAD_TOO_LARGE, &why));
        }
        Ok(Self(fields))
    }

    /// The first value of a name; empty if there is none.
    fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// All values of a name.
    fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether a box is ticked.
    fn is(&self, name: &str) -> bool {
        !self.text(name).is_empty()
    }

    fn put(&mut self, name: &str, value: impl Into<String>) {
        self.0.push((name.to_owned(), value.into()));
    }
}

/// Why there is no page: a status, and what to do.
struct Failed {
    status: StatusCode,
    why: String,
}

impl Failed {
    fn new(status: StatusCode, why: &str) -> Self {
        Self { status, why: why.to_owned() }
    }
}

impl From<delivery::store::sqlite::archive::ReadError> for Failed {
    fn from(error: delivery::store::sqlite::archive::ReadError) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, &error.to_string())
    }
}

impl From<Refused> for Failed {
    fn from(refused: Refused) -> Self {
        Self::new(refused.status, refused.why)
    }
}

impl From<book::Refused> for Failed {
    fn from(refused: book::Refused) -> Self {
        Self::new(crate::api::status_of(&refused), &refused.to_string())
    }
}

impl From<Denied> for Failed {
    fn from(denied: Denied) -> Self {
        let why = denied.to_string();
        Self::new(crate::api::Problem::from(denied).status(), &why)
    }
}

impl From<crate::api::Problem> for Failed {
    fn from(problem: crate::api::Problem) -> Self {
        Self::new(problem.status(), &problem.to_string())
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let body = html! {
            main.narrow {
                h1 { (title) }
                p role="alert" { (self.why) }
                p { a href="/" { "To the overview" } }
            }
        };
        (self.status, layout::bare(title, &body)).into_response()
    }
}

type Answer = Result<Markup, Failed>;

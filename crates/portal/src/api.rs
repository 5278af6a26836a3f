//! The routes: a list of operations, from which the router and the document that describes them are both made.
//!
//! `GET /v1/openapi.json` says what there is. Each group of routes is a module: `updates` takes in, `deliveries` shows what
//! became of it, `configured`, `integrations` and `tried` are for integrations, `access` for who may ask, `status` for
//! monitoring, and `vendor` is the vendor's own API.

mod access;
mod configured;
pub(crate) mod deliveries;
mod extract;
mod integrations;
mod openapi;
mod operation;
pub(crate) mod status;
pub(crate) mod tried;
pub(crate) mod unread;
mod updates;
mod vendor;

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use delivery::tasks::outlive;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode, Uri};
use schemars::JsonSchema;
use sender::book;
use serde::Serialize;

use crate::access::{Caller, Refused};
use crate::arrival::{self, MAX_FORM};
use crate::portal::Portal;

use operation::{JSON, Operation, get};

/// All that can be asked, by groups.
fn operations() -> Vec<Operation> {
    let mut configured = configured::operations();
    configured.extend(integrations::operations());
    configured.extend(tried::operations());
    let mut server = status::operations();
    server.extend([configured::audited(), described()]);
    let groups = [
        ("updates", updates::operations()),
        ("deliveries", deliveries::operations()),
        ("integrations", configured),
        ("access", access::operations()),
        ("server", server),
        ("vendor: response integrations", vendor::integrations_operations()),
        ("vendor: response policies", vendor::policies_operations()),
    ];
    let tagged = |(tag, group): (_, Vec<Operation>)| group.into_iter().map(move |one| one.tagged(tag));
    groups.into_iter().flat_map(tagged).collect()
}

fn described() -> Operation {
    get("/v1/openapi.json", "describe", describe)
        .says("Describes the API: this document")
        .open()
        .gives::<serde_json::Map<String, serde_json::Value>>(200, "The document (OpenAPI 3.1).")
}

async fn describe() -> Response {
    static DOCUMENT: LazyLock<String> = LazyLock::new(|| openapi::document(&operations()).to_string());
    ([(CONTENT_TYPE, JSON)], DOCUMENT.as_str()).into_response()
}

/// All routes of a portal.
pub fn routes(portal: Arc<Portal>) -> Router {
    let route = |router: Router<_>, one: Operation| router.route(one.path, one.handler);
    let (open, guarded): (Vec<_>, Vec<_>) = operations().into_iter().partition(|one| one.open);
    let guarded = guarded
        .into_iter()
        .fold(Router::new(), route)
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .route_layer(from_fn_with_state(Arc::clone(&portal), admit));
    open.into_iter()
        .fold(guarded, route)
        .fallback(|uri: Uri| async move { refuse(&uri, StatusCode::NOT_FOUND, "there is no such route") })
        .method_not_allowed_fallback(|uri: Uri| async move {
            refuse(&uri, StatusCode::METHOD_NOT_ALLOWED, "this route has another method")
        })
        .layer(from_fn(unread::discard))
        .with_state(portal)
}

/// The header field in which a page repeats the word that shows that it is one of ours.
const CONFIRMATION: &str = "x-csrf-token";

fn judge(portal: &Portal, request: &Request) -> Result<Caller, Refused> {
    let caller = portal.access.judge(request.headers(), portal.clock.now())?;
    let given = request.headers().get(CONFIRMATION).map(HeaderValue::as_bytes).unwrap_or_default();
    // Where nobody logs in there is no cookie that somebody else's page could use; where it comes from was looked at.
    if caller.is_logged_in() && !request.method().is_safe() && !caller.confirms(given) {
        let why = "a change by a page repeats its confirmation in X-CSRF-Token";
        return Err(Refused { status: StatusCode::FORBIDDEN, why });
    }
    Ok(caller)
}

async fn admit(State(portal): State<Arc<Portal>>, mut request: Request, next: Next) -> Response {
    let uri = request.uri().clone();
    // Updates are held within a bound of their own, and what is handed in changes nothing that is set.
    let by_head = request.method().is_safe() || uri.path() == updates::PATH;
    let admitted = if by_head {
        judge(&portal, &request).map(|caller| {
            request.extensions_mut().insert(caller);
            request
        })
    } else {
        arrival::admit(request, |request| judge(&portal, request)).await
    };
    let mut response = match admitted {
        Ok(request) if request.method().is_safe() => next.run(request).await,
        // Who hangs up must not leave a change half done: written, and not in force.
        Ok(request) => outlive(next.run(request)).await,
        Err(refused) => refuse(&uri, refused.status, refused.why),
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Refuses in the words of the API that is asked.
fn refuse(uri: &Uri, status: StatusCode, why: &str) -> Response {
    if uri.path().starts_with(vendor::PREFIX) {
        return vendor::Problem::new(status, why).into_response();
    }
    Problem::new(status, why).into_response()
}

/// The status of a change that was refused.
pub(crate) fn status_of(refused: &book::Refused) -> StatusCode {
    match refused {
        book::Refused::Unknown { .. } => StatusCode::NOT_FOUND,
        book::Refused::InFile(_) => StatusCode::FORBIDDEN,
        book::Refused::Invalid(_) => StatusCode::BAD_REQUEST,
        book::Refused::InUse(_) => StatusCode::CONFLICT,
        book::Refused::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        book::Refused::Seal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<book::Refused> for Problem {
    fn from(refused: book::Refused) -> Self {
        let mut problem = Self::new(status_of(&refused), refused.to_string());
        if let book::Refused::Invalid(mistakes) = refused {
            problem.error = "it is not right yet".to_owned();
            problem.findings = mistakes;
        }
        problem
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.error)
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

/// Why a request was not done: a status, and what to do, as JSON.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Problem {
    #[serde(skip)]
    status: StatusCode,
    /// What is wrong, in a sentence.
    error: String,
    /// All that is wrong with a form, each under its field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<String>,
    #[serde(skip)]
    retry_after: Option<u32>,
}

impl Problem {
    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into(), findings: Vec::new(), retry_after: None }
    }

    /// Not now, but later: in so many seconds.
    fn later(status: StatusCode, error: impl Into<String>, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..Self::new(status, error) }
    }
}

impl From<delivery::store::sqlite::archive::ReadError> for Problem {
    fn from(error: delivery::store::sqlite::archive::ReadError) -> Self {
        Self::later(StatusCode::SERVICE_UNAVAILABLE, error.to_string(), 5)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, axum::Json(&self)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

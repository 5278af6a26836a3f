//! The routes.
//!
//! | route | does |
//! |---|---|
//! | `POST /v1/updates` | takes updates in |
//! | `GET /v1/status` | says how the server, its store and its integrations are |
//! | `GET`, `POST /v1/integrations`, `GET`, `PUT`, `DELETE /v1/integrations/{id}` | what is configured of integrations |
//! | `POST /v1/integrations/{name}/pause`, `resume`, `test` | acts on an integration |
//! | `POST /v1/preview`, `/v1/test` | shows what a form would send, sends it once |
//! | `GET /v1/deliveries`, `GET /v1/deliveries/{integration}/{number}` | lists deliveries, shows one |
//! | `POST /v1/deliveries/{integration}/{number}/resend`, `POST /v1/dead/resend` | sends again |
//! | `GET /v1/unrouted` | lists what went nowhere |
//! | `GET /v1/audit` | lists who changed what |
//! | `GET`, `POST /v1/people`, `PUT`, `DELETE /v1/people/{name}` | who can log in |
//! | `GET`, `POST /v1/tokens`, `DELETE /v1/tokens/{id}` | tokens for programs |
//! | `/api/v1/…` | the vendor's own routes (`api/vendor.rs`) |
//! | `GET /healthz`, `/readyz`, `/metrics` | is asked by machines; the first two by anyone |

mod access;
mod configured;
pub(crate) mod deliveries;
mod integrations;
pub(crate) mod status;
pub(crate) mod tried;
pub(crate) mod unread;
mod updates;
mod vendor;

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use delivery::tasks::outlive;
use http::header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode, Uri};
use sender::book;
use serde_json::json;

use crate::access::{Caller, Refused};
use crate::portal::{MAX_BODY, Portal};

/// How long a body that configures something may be, in bytes.
const MAX_FORM: usize = 1024 * 1024;

/// All routes of a portal.
pub fn routes(portal: Arc<Portal>) -> Router {
    let guarded = Router::new()
        .route("/v1/integrations", get(configured::list).post(configured::add))
        .route(
            "/v1/integrations/{id}",
            get(configured::show).put(configured::replace).delete(configured::remove),
        )
        .route("/v1/preview", post(tried::preview))
        .route("/v1/people", get(access::people).post(access::add_person))
        .route("/v1/people/{name}", put(access::change_password).delete(access::remove_person))
        .route("/v1/tokens", get(access::tokens).post(access::add_token))
        .route("/v1/tokens/{id}", delete(access::remove_token))
        .route("/v1/test", post(tried::test))
        .merge(vendor::routes())
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .route("/v1/updates", post(updates::accept))
        .route("/v1/status", get(status::status))
        .route("/v1/integrations/{id}/{act}", post(integrations::act))
        .route("/v1/audit", get(configured::audit))
        .route("/v1/deliveries", get(deliveries::list))
        .route("/v1/deliveries/{integration}/{number}", get(deliveries::show))
        .route("/v1/deliveries/{integration}/{number}/resend", post(deliveries::resend))
        .route("/v1/dead/resend", post(deliveries::resend_dead))
        .route("/v1/unrouted", get(deliveries::unrouted))
        .route("/metrics", get(status::metrics))
        .route_layer(from_fn_with_state(Arc::clone(&portal), admit));
    guarded
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(status::ready))
        .fallback(|uri: Uri| async move { refuse(&uri, StatusCode::NOT_FOUND, "there is no such route") })
        .method_not_allowed_fallback(|uri: Uri| async move {
            refuse(&uri, StatusCode::METHOD_NOT_ALLOWED, "this route has another method")
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
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
    let mut response = match judge(&portal, &request) {
        Ok(caller) => {
            let safe = request.method().is_safe();
            request.extensions_mut().insert(caller);
            // Who hangs up must not leave a change half done: written, and not in force.
            if safe { next.run(request).await } else { outlive(next.run(request)).await }
        }
        Err(refused) => refuse(request.uri(), refused.status, refused.why),
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
            problem.findings = mistakes.into_iter().map(Into::into).collect();
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
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    error: String,
    findings: Vec<serde_json::Value>,
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
        let mut body = json!({ "error": self.error });
        if !self.findings.is_empty() {
            body["findings"] = self.findings.into();
        }
        let mut response = (self.status, axum::Json(body)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

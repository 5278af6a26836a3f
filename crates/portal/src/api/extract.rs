//! What a path names and a query asks for. Axum's own extractors refuse in plain text; these do it in the words of the API that
//! is asked.

use axum::extract::{self, FromRequestParts};
use axum::response::Response;
use http::request::Parts;
use serde::de::DeserializeOwned;

/// What the path names.
pub(super) struct Path<T>(pub(super) T);

/// What the query asks for.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        match extract::Path::from_request_parts(parts, state).await {
            Ok(extract::Path(named)) => Ok(Self(named)),
            Err(wrong) => Err(super::refuse(&parts.uri, wrong.status(), &wrong.body_text())),
        }
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        match extract::Query::from_request_parts(parts, state).await {
            Ok(extract::Query(asked)) => Ok(Self(asked)),
            Err(wrong) => Err(super::refuse(&parts.uri, wrong.status(), &wrong.body_text())),
        }
    }
}

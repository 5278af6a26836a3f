//! Who may ask: people who log in, and tokens for programs.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use http::StatusCode;
use secrecy::SecretString;
use sender::form::Password;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Problem;
use super::status::time;
use crate::access::{Caller, Denied};
use crate::portal::Portal;

type Shared = State<Arc<Portal>>;
type Body<T> = Result<Json<T>, JsonRejection>;

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        let text = denied.to_string();
        match denied {
            Denied::Wrong | Denied::WrongSetUp => Self::new(StatusCode::UNAUTHORIZED, text),
            Denied::Later(seconds) => Self::later(StatusCode::TOO_MANY_REQUESTS, text, seconds),
            Denied::Invalid(mistakes) => sender::book::Refused::Invalid(mistakes).into(),
            Denied::Unknown(..) => Self::new(StatusCode::NOT_FOUND, text),
            Denied::Last(_) => Self::new(StatusCode::CONFLICT, text),
            Denied::NoRandomness => Self::new(StatusCode::INTERNAL_SERVER_ERROR, text),
            Denied::NotKept(refused) => refused.into(),
        }
    }
}

/// Somebody who is to be known.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PersonIn {
    name: String,
    password: Password,
}

/// Another password.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PasswordIn {
    password: Password,
}

/// A token that is to be made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenIn {
    name: String,
}

fn secret(password: Password) -> SecretString {
    password.0
}

pub(super) async fn people(State(portal): Shared) -> Json<Value> {
    let shown = |(name, since)| json!({ "name": name, "since": time(since) });
    let people: Vec<_> = portal.access.people().into_iter().map(shown).collect();
    Json(json!({ "people": people }))
}

pub(super) async fn add_person(
    State(portal): Shared,
    Extension(caller): Extension<Caller>,
    body: Body<PersonIn>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let Json(PersonIn { name, password }) = body?;
    let now = portal.clock.now();
    portal.access.add_person((&name, secret(password)), &portal.book, &caller.who, now).await?;
    Ok((StatusCode::CREATED, Json(json!({ "name": name, "since": time(now) }))))
}

pub(super) async fn change_password(
    State(portal): Shared,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    body: Body<PasswordIn>,
) -> Result<StatusCode, Problem> {
    let password = secret(body?.0.password);
    portal.access.change_password(&name, password, &portal.book, &caller.who).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn remove_person(
    State(portal): Shared,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    portal.access.remove_person(&name, &portal.book, &caller.who).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn tokens(State(portal): Shared) -> Json<Value> {
    let tokens = portal.access.tokens().into_iter().map(|(id, token)| {
        json!({ "id": id, "name": token.name, "made_by": token.made_by, "since": time(token.since()) })
    });
    Json(json!({ "tokens": tokens.collect::<Vec<_>>() }))
}

/// Makes a token. The answer is the only place where it is ever shown.
pub(super) async fn add_token(
    State(portal): Shared,
    Extension(caller): Extension<Caller>,
    body: Body<TokenIn>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let Json(TokenIn { name }) = body?;
    let (id, token) = portal.access.add_token(&name, &portal.book, &caller.who, portal.clock.now()).await?;
    Ok((StatusCode::CREATED, Json(json!({ "id": id, "name": name, "token": token }))))
}

pub(super) async fn remove_token(
    State(portal): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    portal.access.remove_token(&id, &portal.book, &caller.who).await?;
    Ok(StatusCode::NO_CONTENT)
}

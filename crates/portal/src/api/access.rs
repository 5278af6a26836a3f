//! Who may ask: people who log in, and tokens for programs.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::{Extension, Json};
use http::StatusCode;
use schemars::JsonSchema;
use secrecy::SecretString;
use sender::form::Password;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::extract::Path;
use super::operation::{Operation, delete, get, post, put};
use super::status::time;
use crate::access::{Caller, Denied, MAX_PASSWORD, MIN_PASSWORD};
use crate::portal::Portal;

type Shared = State<Arc<Portal>>;
type Body<T> = Result<Json<T>, JsonRejection>;

pub(super) fn operations() -> Vec<Operation> {
    vec![
        get("/v1/people", "listPeople", people)
            .says("Lists who can log in")
            .gives::<People>(200, "Everybody who can log in."),
        post("/v1/people", "addPerson", add_person)
            .says("Makes somebody known who can log in from now on")
            .takes::<PersonIn>()
            .gives::<Person>(201, "Who was made known.")
            .leads("changePassword", "name", "/name")
            .leads("removePerson", "name", "/name")
            .refuses(&[429, 500, 503]),
        put("/v1/people/{name}", "changePassword", change_password)
            .says("Gives somebody another password, and ends their sessions")
            .takes::<PasswordIn>()
            .gives_nothing("It is changed.")
            .refuses(&[404, 429, 500, 503]),
        delete("/v1/people/{name}", "removePerson", remove_person)
            .says("Makes somebody unknown, and ends their sessions; the last one stays")
            .gives_nothing("They are unknown now.")
            .refuses(&[404, 409, 503]),
        get("/v1/tokens", "listTokens", tokens)
            .says("Lists the tokens for programs, without their texts")
            .gives::<Tokens>(200, "All tokens."),
        post("/v1/tokens", "addToken", add_token)
            .says("Makes a token for a program")
            .takes::<TokenIn>()
            .gives::<NewToken>(201, "The token; its text is shown here only.")
            .leads("removeToken", "id", "/id")
            .refuses(&[500, 503]),
        delete("/v1/tokens/{id}", "removeToken", remove_token)
            .says("Makes a token good for nothing")
            .gives_nothing("It is good for nothing now.")
            .refuses(&[404, 503]),
    ]
}

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
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PersonIn {
    /// Letters, digits and `. _ - @`, 64 bytes at most.
    #[schemars(length(min = 1, max = 64))]
    name: String,
    /// 12 characters at least, 1,024 bytes at most.
    #[schemars(extend("minLength" = MIN_PASSWORD, "maxLength" = MAX_PASSWORD))]
    password: Password,
}

/// Another password.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewPassword")]
struct PasswordIn {
    /// 12 characters at least, 1,024 bytes at most.
    #[schemars(extend("minLength" = MIN_PASSWORD, "maxLength" = MAX_PASSWORD))]
    password: Password,
}

/// A token that is to be made.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TokenIn {
    /// What it is known by, 64 bytes at most.
    #[schemars(length(min = 1, max = 64))]
    name: String,
}

/// Somebody who can log in.
#[derive(Debug, Serialize, JsonSchema)]
struct Person {
    name: String,
    /// When they were made known.
    since: String,
}

/// Everybody who can log in.
#[derive(Debug, Serialize, JsonSchema)]
struct People {
    people: Vec<Person>,
}

/// A token, without its text.
#[derive(Debug, Serialize, JsonSchema)]
struct Token {
    id: String,
    name: String,
    /// Who made it.
    made_by: String,
    /// When it was made.
    since: String,
}

/// All tokens.
#[derive(Debug, Serialize, JsonSchema)]
struct Tokens {
    tokens: Vec<Token>,
}

/// A token that was made.
#[derive(Debug, Serialize, JsonSchema)]
struct NewToken {
    id: String,
    name: String,
    /// The text, which is shown nowhere else.
    token: String,
}

fn secret(password: Password) -> SecretString {
    password.0
}

async fn people(State(portal): Shared) -> Json<People> {
    let shown = |(name, since)| Person { name, since: time(since) };
    Json(People { people: portal.access.people().into_iter().map(shown).collect() })
}

async fn add_person(
    State(portal): Shared,
    Extension(caller): Extension<Caller>,
    body: Body<PersonIn>,
) -> Result<(StatusCode, Json<Person>), Problem> {
    let Json(PersonIn { name, password }) = body?;
    let now = portal.clock.now();
    portal.access.add_person((&name, secret(password)), &portal.book, &caller.who, now).await?;
    Ok((StatusCode::CREATED, Json(Person { name, since: time(now) })))
}

async fn change_password(
    State(portal): Shared,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    body: Body<PasswordIn>,
) -> Result<StatusCode, Problem> {
    let password = secret(body?.0.password);
    portal.access.change_password(&name, password, &portal.book, &caller.who).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn remove_person(
    State(portal): Shared,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    portal.access.remove_person(&name, &portal.book, &caller.who).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn tokens(State(portal): Shared) -> Json<Tokens> {
    let tokens = portal.access.tokens().into_iter().map(|(id, token)| {
        let since = time(token.since());
        Token { id, name: token.name, made_by: token.made_by, since }
    });
    Json(Tokens { tokens: tokens.collect() })
}

/// Makes a token. The answer is the only place where it is ever shown.
async fn add_token(
    State(portal): Shared,
    Extension(caller): Extension<Caller>,
    body: Body<TokenIn>,
) -> Result<(StatusCode, Json<NewToken>), Problem> {
    let Json(TokenIn { name }) = body?;
    let (id, token) = portal.access.add_token(&name, &portal.book, &caller.who, portal.clock.now()).await?;
    Ok((StatusCode::CREATED, Json(NewToken { id, name, token })))
}

async fn remove_token(
    State(portal): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    portal.access.remove_token(&id, &portal.book, &caller.who).await?;
    Ok(StatusCode::NO_CONTENT)
}

//! Logging in and out, and the set-up of the first person who can.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use delivery::tasks::outlive;
use http::header::{ORIGIN, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use maud::{Markup, html};
use secrecy::SecretString;

use super::layout::{address, bare, query, told};
use super::{Failed, Fields, Posted, Shared};
use crate::access::{Denied, MIN_PASSWORD, Peer, origin};
use crate::arrival::MAX_LOGIN;
use crate::portal::Portal;

/// Where somebody who is not let in is sent to; `wanted` is where they wanted to go.
pub(super) fn way_in(portal: &Portal, wanted: Option<&Uri>) -> String {
    if portal.access.wants_set_up() {
        return "/setup".to_owned();
    }
    let to = wanted.and_then(Uri::path_and_query).map_or("/", |path| path.as_str());
    address("/login", &[("to", if to == "/" { "" } else { to })])
}

/// Where to go after the log-in: on this server, whatever the address says.
fn local(to: &str) -> &str {
    // Browsers drop tabs and line ends from an address, and take a backslash for a slash.
    let odd = |c: char| c.is_control() || c == '\\';
    let stays = to.starts_with('/') && !to.starts_with("//") && !to.contains(odd);
    if stays { to } else { "/" }
}

fn form(to: &str, done: &str, name: &str, wrong: Option<&str>) -> Markup {
    bare(
        "Log in",
        &html! {
            main.narrow {
                h1 { "Log in" }
                @if done == "setup" { p.done role="status" { "You can log in now." } }
                form.stack method="post" action="/login" {
                    input type="hidden" name="to" value=(local(to));
                    label for="name" { "Name" }
                    input #name name="name" value=(name) autocomplete="username" required autofocus;
                    label for="password" { "Password" }
                    input #password name="password" type="password" autocomplete="current-password" required;
                    @if let Some(wrong) = wrong { p.wrong role="alert" { (wrong) } }
                    button.primary type="submit" { "Log in" }
                }
                p.faint {
                    "Nobody knows the password any more? Start the server with a token of its own (FUSION_WEBHOOK_TOKEN), and give "
                    "another password with it: " code { "fusion-webhook people password NAME" }
                }
            }
        },
    )
}

pub(super) async fn ask(State(portal): Shared, headers: HeaderMap, uri: Uri) -> Response {
    if portal.access.judge(&headers, portal.clock.now()).is_ok() {
        return Redirect::to("/").into_response();
    }
    if portal.access.wants_set_up() {
        return Redirect::to("/setup").into_response();
    }
    let query = query(&uri);
    form(query.text("to"), query.text("done"), "", None).into_response()
}

pub(super) async fn log_in(
    State(portal): Shared,
    peer: Option<Extension<Peer>>,
    request: Request,
) -> Result<Response, Failed> {
    let from = from(peer, request.headers());
    let (fields, headers) = filled_in(request).await?;
    let name = fields.text("name").trim();
    let password = SecretString::from(fields.text("password"));
    match portal.access.log_in((name, password), from, portal.clock.now()).await {
        Ok(value) => {
            tracing::info!(who = name, "logged in");
            // The browser itself says whether it speaks TLS with whatever stands in front of this server.
            let secure = headers.get(ORIGIN).is_some_and(|origin| origin.as_bytes().starts_with(b"https://"));
            let cookie = format!(
                "{}={value}; Path=/; HttpOnly; SameSite=Strict{}",
                portal.access.cookie_name(),
                if secure { "; Secure" } else { "" }
            );
            let mut response = Redirect::to(local(fields.text("to"))).into_response();
            response.headers_mut().insert(SET_COOKIE, cookie_value(&cookie));
            Ok(response)
        }
        Err(denied) => {
            tracing::warn!(from = %from, why = %denied, "a log-in was refused");
            let status = status(&denied);
            Ok((status, form(fields.text("to"), "", name, Some(&denied.to_string()))).into_response())
        }
    }
}

fn status(denied: &Denied) -> StatusCode {
    match denied {
        Denied::Wrong | Denied::WrongSetUp => StatusCode::FORBIDDEN,
        Denied::Later(_) => StatusCode::TOO_MANY_REQUESTS,
        Denied::Invalid(_) | Denied::Unknown(..) | Denied::Last(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Denied::NoRandomness | Denied::NotKept(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// A cookie of characters that we chose ourselves.
fn cookie_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Where somebody is. A proxy on this machine is believed who it had the request from, the last that is said.
fn from(peer: Option<Extension<Peer>>, headers: &HeaderMap) -> IpAddr {
    let peer = peer.map_or(IpAddr::from([0, 0, 0, 0]), |Extension(peer)| peer.0);
    let said = headers.get_all("x-forwarded-for").iter().next_back().and_then(|value| value.to_str().ok());
    let said = said.and_then(|list| list.rsplit(',').next()?.trim().parse().ok());
    said.filter(|_| peer.is_loopback()).unwrap_or(peer)
}

/// What was filled in by somebody who is not let in yet, on a page of this server.
async fn filled_in(request: Request) -> Result<(Fields, HeaderMap), Failed> {
    let headers = request.headers().clone();
    origin::of_this_server(&headers)?;
    Ok((Fields::of(request, MAX_LOGIN).await?, headers))
}

pub(super) async fn log_out(State(portal): Shared, headers: HeaderMap, _posted: Posted) -> Response {
    portal.access.log_out(&headers);
    let cookie = format!("{}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0", portal.access.cookie_name());
    let mut response = Redirect::to("/login").into_response();
    response.headers_mut().insert(SET_COOKIE, cookie_value(&cookie));
    response
}

fn set_up_form(name: &str, wrong: &[String]) -> Markup {
    bare(
        "Set up",
        &html! {
            main.narrow {
                h1 { "Set up" }
                p {
                    "Nobody can log in here yet. Give the set-up token that the server printed when it started (or the "
                    "server's token, if it was started with one), and the name and password of the first person who can."
                }
                form.stack method="post" action="/setup" {
                    label for="token" { "Set-up token" }
                    input #token name="token" type="password" autocomplete="off" required autofocus;
                    (told("token", wrong))
                    label for="name" { "Name" }
                    input #name name="name" value=(name) autocomplete="username" required;
                    (told("name", wrong))
                    label for="password" { "Password" }
                    input #password name="password" type="password" autocomplete="new-password" required minlength=(MIN_PASSWORD);
                    p.hint { "At least " (MIN_PASSWORD) " characters." }
                    (told("password", wrong))
                    button.primary type="submit" { "Set up" }
                }
            }
        },
    )
}

pub(super) async fn ask_set_up(State(portal): Shared) -> Response {
    if !portal.access.wants_set_up() {
        return Redirect::to("/login").into_response();
    }
    set_up_form("", &[]).into_response()
}

pub(super) async fn set_up(
    State(portal): Shared,
    peer: Option<Extension<Peer>>,
    request: Request,
) -> Result<Response, Failed> {
    let from = from(peer, request.headers());
    let (fields, _) = filled_in(request).await?;
    let name = fields.text("name").trim().to_owned();
    let setting_up = {
        let (portal, fields, name) = (Arc::clone(&portal), fields.clone(), name.clone());
        async move {
            let password = SecretString::from(fields.text("password"));
            let (token, from) = (fields.text("token").trim(), (from, portal.clock.now()));
            portal.access.set_up(token, (&name, password), &portal.book, from).await
        }
    };
    // Who hangs up must not be known to the store alone.
    let done = outlive(setting_up).await;
    let denied = match done {
        Ok(()) => return Ok(Redirect::to("/login?done=setup").into_response()),
        Err(denied) => denied,
    };
    let wrong = match &denied {
        Denied::Invalid(mistakes) => mistakes.clone(),
        other => vec![format!("token: {other}")],
    };
    Ok((status(&denied), set_up_form(&name, &wrong)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_of_this_machine_is_believed_and_nobody_else() {
        for (peer, said, is) in [
            ([127, 0, 0, 1], "", [127, 0, 0, 1]),
            ([127, 0, 0, 1], "192.0.2.9, 192.0.2.1", [192, 0, 2, 1]),
            ([127, 0, 0, 1], "unknown", [127, 0, 0, 1]),
            ([192, 0, 2, 7], "192.0.2.1", [192, 0, 2, 7]),
        ] {
            let headers =
                [(http::HeaderName::from_static("x-forwarded-for"), http::HeaderValue::from_static(said))];
            let peer = Some(Extension(Peer(peer.into())));
            assert_eq!(from(peer, &headers.into_iter().collect()), IpAddr::from(is), "{said}");
        }
    }
}

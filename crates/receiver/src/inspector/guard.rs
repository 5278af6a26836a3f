//! Who gets an answer. A browser sends requests for any page that it shows, so a page of another site could ask the
//! inspector what came, or change its rules; and a name of that site's can be made to point at this machine (DNS
//! rebinding).
//!
//! | request | answer |
//! |---|---|
//! | `Host` is an address or `localhost` | goes on: a name that is rebound is neither |
//! | `Host` is another name, or missing | 403 |
//! | `Origin` is there and is not `http://` and the `Host` | 403 |
//! | `Sec-Fetch-Site` says that another site asks | 403, but for the page itself, which may be linked to |

use std::net::{IpAddr, Ipv6Addr};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, ORIGIN, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};

/// What every answer carries: nothing is loaded but from here, nothing is framed, nothing is kept.
const ALWAYS: [(HeaderName, &str); 7] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

pub(super) fn around(routes: Router) -> Router {
    routes.layer(from_fn(guarded))
}

async fn guarded(request: Request<Body>, next: Next) -> Response {
    let mut response = match refusal(request.headers(), request.uri().path()) {
        Some(why) => (StatusCode::FORBIDDEN, format!("{why}\n")).into_response(),
        None => next.run(request).await,
    };
    for (name, value) in ALWAYS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Why a request gets no answer.
fn refusal(headers: &HeaderMap, path: &str) -> Option<&'static str> {
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("\u{fffd}"));
    let Some(host) = text(&HOST).filter(|host| is_here(host)) else {
        return Some("the Host is no address and not localhost");
    };
    if text(&ORIGIN).is_some_and(|origin| origin.strip_prefix("http://") != Some(host)) {
        return Some("a page of another origin asks");
    }
    let site = text(&HeaderName::from_static("sec-fetch-site"));
    let linked = path == "/" && text(&HeaderName::from_static("sec-fetch-mode")) == Some("navigate");
    if site.is_some_and(|site| site != "same-origin" && site != "none") && !linked {
        return Some("a page of another site asks");
    }
    None
}

/// Whether a Host is an address or `localhost`, with a port or without.
fn is_here(host: &str) -> bool {
    if let Some(rest) = host.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else { return false };
        return address.parse::<Ipv6Addr>().is_ok() && is_port(port);
    }
    let (name, port) = host.split_at(host.find(':').unwrap_or(host.len()));
    is_port(port) && (name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok())
}

fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_asks_for_this_machine_itself_is_answered() {
        let host = |host| vec![("host", host)];
        for (lines, path, answered) in [
            (host("127.0.0.1:8081"), "/api/captures", true),
            (host("localhost:8081"), "/api/captures", true),
            (host("LOCALHOST"), "/", true),
            (host("[::1]:8081"), "/", true),
            (host("192.168.1.7:80"), "/", true),
            (vec![], "/", false),
            (host("rebound.example:8081"), "/", false),
            (host("localhost.example"), "/", false),
            (host("127.0.0.1.example"), "/", false),
            (host("127.0.0.1:x"), "/", false),
            (host("[::1"), "/", false),
            (vec![("host", "a@127.0.0.1")], "/", false),
            (vec![("host", "127.0.0.1:1"), ("origin", "http://127.0.0.1:1")], "/api/reset", true),
            (vec![("host", "127.0.0.1:1"), ("origin", "http://127.0.0.1:2")], "/api/reset", false),
            (vec![("host", "127.0.0.1:1"), ("origin", "https://127.0.0.1:1")], "/api/reset", false),
            (vec![("host", "127.0.0.1:1"), ("origin", "null")], "/api/reset", false),
            (vec![("host", "127.0.0.1:1"), ("sec-fetch-site", "none")], "/api/captures", true),
            (vec![("host", "127.0.0.1:1"), ("sec-fetch-site", "same-site")], "/api/captures", false),
            (vec![("host", "127.0.0.1:1"), ("sec-fetch-site", "cross-site")], "/", false),
            (
                vec![
                    ("host", "127.0.0.1:1"),
                    ("sec-fetch-site", "cross-site"),
                    ("sec-fetch-mode", "navigate"),
                ],
                "/",
                true,
            ),
            (
                vec![
                    ("host", "127.0.0.1:1"),
                    ("sec-fetch-site", "cross-site"),
                    ("sec-fetch-mode", "navigate"),
                ],
                "/api/captures",
                false,
            ),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in &lines {
                headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            assert_eq!(refusal(&headers, path).is_none(), answered, "{lines:?} {path}");
        }
    }
}

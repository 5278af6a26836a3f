//! Where a request comes from, as a browser says it. Programs that are no browsers say nothing of it, and need not.
//!
//! | request | answer |
//! |---|---|
//! | `Origin` names another host or port than `Host` (or `X-Forwarded-Host`, which no page can send to another origin), or is `null` | 403 |
//! | `Sec-Fetch-Site` says that another site or port asks | 403, but for going to a page by a link |
//! | where nobody logs in: a proxy says that it passed the request on | 403: what is open to this machine is not meant for others |
//! | where nobody logs in: `Host` is no name of this machine | 421: a page was led here under another name (DNS rebinding) |

use std::net::IpAddr;

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, StatusCode};

use super::{Refused, refused};

/// Whether no page of another origin asks. The scheme may differ: a proxy may speak TLS in front.
pub(crate) fn of_this_server(headers: &HeaderMap) -> Result<(), Refused> {
    let why = "a page of another origin asks; a proxy in front must pass the Host on as it came, or in X-Forwarded-Host";
    let elsewhere = refused(StatusCode::FORBIDDEN, why);
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if let Some(origin) = text(ORIGIN.as_str()) {
        let of = origin.split_once("://").map_or("", |(_, authority)| authority);
        let hosts = [HOST.as_str(), "x-forwarded-host"];
        let ours = hosts.into_iter().filter_map(text).any(|host| of.eq_ignore_ascii_case(host));
        if of.is_empty() || !ours {
            return Err(elsewhere);
        }
    }
    let linked = text("sec-fetch-mode") == Some("navigate") && text(ORIGIN.as_str()).is_none();
    match text("sec-fetch-site") {
        None | Some("same-origin" | "none") => Ok(()),
        Some(_) if linked => Ok(()),
        Some(_) => Err(elsewhere),
    }
}

/// Whether nobody passed the request on from elsewhere.
pub(super) fn past_no_proxy(headers: &HeaderMap) -> Result<(), Refused> {
    let signs = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"];
    if !signs.into_iter().any(|sign| headers.contains_key(sign)) {
        return Ok(());
    }
    let why = "a proxy is in front, and nobody has to log in: let somebody log in, or start the server with a token, before others can reach it";
    Err(refused(StatusCode::FORBIDDEN, why))
}

/// Whether the request was meant for a name of this machine.
pub(super) fn of_this_machine(headers: &HeaderMap) -> Result<(), Refused> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    if host.is_some_and(is_local) {
        return Ok(());
    }
    let why = "without a token this server answers to names of this machine only";
    Err(refused(StatusCode::MISDIRECTED_REQUEST, why))
}

/// Whether `host[:port]` is a name of this machine.
fn is_local(authority: &str) -> bool {
    let host = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, _)) => host,
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    let host = host.trim_end_matches('.');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

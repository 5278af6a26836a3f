//! Captures for other tools: a curl command, or HAR 1.2, which browsers and proxies read.

use http::header::CONTENT_LENGTH;
use http::{Method, Version};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Capture;
use super::record::{Detail, Record, Secrets};
use crate::wire;

/// Header fields that frame the message or belong to the connection, which curl makes itself.
const MADE_BY_CURL: &[&str] = &["host", "content-length", "transfer-encoding", "connection"];

/// Header fields that curl adds if it is not told to leave them out.
const ADDED_BY_CURL: &[&str] = &["Accept", "User-Agent", "Content-Type"];

/// The longest body that stands in the command itself, in bytes. A system bounds the length of an argument (Linux at 128
/// KiB); what a shell's own `printf` is given is none.
const MAX_ARGUMENT: usize = 100 * 1024;

/// The shell command that sends the request again, to `authority` (host and port). `None` if it was no request.
///
/// A secret is a variable of the shell, which asks for it: so the command can be pasted into a ticket.
#[must_use]
pub fn curl(capture: &Capture, authority: &str) -> Option<String> {
    let request = capture.request()?;
    let record = Record::of(capture, Secrets::Masked, Detail::Plain);
    let mut command = vec!["curl".to_owned()];
    if request.method == Method::HEAD {
        command.push("--head".to_owned());
    } else {
        command.extend(["--request".to_owned(), quoted(request.method.as_str())]);
    }
    match (request.version, record.secure) {
        (Version::HTTP_2, false) => command.push("--http2-prior-knowledge".to_owned()),
        (Version::HTTP_2, true) => command.push("--http2".to_owned()),
        (Version::HTTP_10, _) => command.push("--http1.0".to_owned()),
        _ => command.push("--http1.1".to_owned()),
    }
    if request.target.contains(['[', ']', '{', '}']) {
        command.push("--globoff".to_owned());
    }
    if request.path().contains("/.") {
        command.push("--path-as-is".to_owned());
    }
    let scheme = if record.secure { "https" } else { "http" };
    let origin_form = request.target.starts_with('/');
    let path = if origin_form { &request.target } else { "/" };
    if !origin_form {
        command.extend(["--request-target".to_owned(), quoted(&request.target)]);
    }
    command.push(quoted(&format!("{scheme}://{authority}{path}")));
    for name in ADDED_BY_CURL {
        if !request.headers.contains_key(*name) {
            command.extend(["--header".to_owned(), quoted(&format!("{name}:"))]);
        }
    }
    for (name, value) in &record.headers {
        let lower = name.to_ascii_lowercase();
        let own = match lower.as_str() {
            "host" => value != authority,
            "transfer-encoding" => value.eq_ignore_ascii_case("chunked"),
            other => !MADE_BY_CURL.contains(&other),
        };
        if own {
            command.extend(["--header".to_owned(), header(name, value)]);
        }
    }
    match (&record.body, &record.body_base64) {
        (Some(body), _) if !is_typable(body) => return Some(piped(&command, &base64_of(body.as_bytes()))),
        (Some(body), _) if !body.is_empty() || request.headers.contains_key(CONTENT_LENGTH) => {
            command.extend(["--data-raw".to_owned(), quoted(body)])
        }
        (None, Some(encoded)) => return Some(piped(&command, encoded)),
        (None, None) => command.push("# its body did not come whole".to_owned()),
        (Some(_), _) => {}
    }
    Some(command.join(" "))
}

/// A header line as a word. A secret is to be filled in: the shell asks for the variable that is named after the field.
fn header(name: &str, value: &str) -> String {
    if wire::is_secret(name) {
        let variable: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
            .collect();
        return format!("\"{name}: ${{{variable}:?}}\"");
    }
    // An empty value is written with a semicolon; with a colon curl leaves the field out.
    quoted(&if value.is_empty() { format!("{name};") } else { format!("{name}: {value}") })
}

/// Whether a text can stand in a command that a terminal shows: short, and without characters that control it.
fn is_typable(text: &str) -> bool {
    text.len() <= MAX_ARGUMENT && !text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t'))
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Bytes that a shell cannot write come through a pipe.
fn piped(command: &[String], encoded: &str) -> String {
    format!("printf %s {encoded} | base64 -d | {} --data-binary @-", command.join(" "))
}

/// A word for a POSIX shell: nothing between single quotes has a meaning but the quote itself.
#[must_use]
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The captures as HAR 1.2, secrets masked. What was no request is left out.
#[must_use]
pub fn har<'a>(captures: impl IntoIterator<Item = &'a Capture>, authority: &str) -> Value {
    let entries: Vec<_> = captures.into_iter().filter_map(|capture| entry(capture, authority)).collect();
    json!({ "log": {
        "version": "1.2",
        "creator": { "name": "fusion-webhook", "version": env!("CARGO_PKG_VERSION") },
        "entries": entries,
    } })
}

fn entry(capture: &Capture, authority: &str) -> Option<Value> {
    let request = capture.request()?;
    let record = Record::of(capture, Secrets::Masked, Detail::Plain);
    let pairs = |pairs: &[(String, String)]| -> Vec<Value> {
        pairs.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
    };
    let query: Vec<_> = request.target.split_once('?').map_or_else(Vec::new, |(_, query)| {
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name.to_owned(), value.to_owned())
        };
        query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect()
    });
    let kind = request.header("content-type").unwrap_or_default();
    let body = match (&record.body, &record.body_base64) {
        (Some(body), _) => json!({ "mimeType": kind, "text": body }),
        (None, Some(encoded)) => json!({ "mimeType": kind, "text": encoded, "encoding": "base64" }),
        (None, None) => json!({ "mimeType": kind, "text": "", "comment": "the body did not come whole" }),
    };
    let scheme = if record.secure { "https" } else { "http" };
    let size = request.whole().map_or(-1, |body| i64::try_from(body.len()).unwrap_or(i64::MAX));
    let started = Timestamp::try_from(capture.at).map_or_else(|_| String::new(), |at| at.to_string());
    let status = capture.status.map_or(0, |status| status.as_u16());
    let words = capture.status.and_then(|status| status.canonical_reason()).unwrap_or_default();
    Some(json!({
        "startedDateTime": started,
        "time": record.head_ms + record.body_ms,
        "request": {
            "method": record.method,
            "url": format!("{scheme}://{authority}{}", record.target),
            "httpVersion": record.version,
            "cookies": [],
            "headers": pairs(&record.headers),
            "queryString": pairs(&query),
            "postData": body,
            "headersSize": -1,
            "bodySize": size,
        },
        "response": {
            "status": status, "statusText": words, "httpVersion": record.version, "cookies": [], "headers": [],
            "content": { "size": 0, "mimeType": "application/json" },
            "redirectURL": "", "headersSize": -1, "bodySize": -1,
        },
        "cache": {},
        "timings": { "send": record.head_ms + record.body_ms, "wait": 0, "receive": 0 },
        "connection": capture.connection.number.to_string(),
        "comment": format!("#{} {}", capture.number, if capture.verdict.passed() { "verified" } else { "failed" }),
    }))
}

#[cfg(test)]
mod tests;

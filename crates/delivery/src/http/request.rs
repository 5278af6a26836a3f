//! The request that an attempt sends, made without sending it, so that it can be shown too.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};

use crate::message::Message;
use crate::target::Target;

/// The message's identity, the same for every attempt (Standard Webhooks).
pub const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");

/// When the attempt was made, in Unix seconds (Standard Webhooks).
pub const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");

/// How many headers a request has that are not among its target's own, at most.
const OWN_HEADERS: usize = 7;

/// The request that carries `body`, rendered from `message`, to `target` at `now`.
///
/// HTTP/1.1 sends the names of headers in title case, which is how people write them; HTTP/2 in lower case (RFC 9113,
/// section 8.2.1).
#[must_use]
pub fn request(
    target: &Target,
    message: &Message,
    now: SystemTime,
    body: Bytes,
    version: Version,
) -> Request<Bytes> {
    let address = &target.parts().address;
    let mut headers = HeaderMap::with_capacity(OWN_HEADERS + target.parts().headers.iter().count());
    let http2 = version == Version::HTTP_2;
    if !http2 && let Ok(host) = HeaderValue::from_str(address.authority()) {
        headers.insert(HOST, host);
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    let optional = [
        (CONTENT_TYPE, target.content_type()),
        (USER_AGENT, target.user_agent()),
        (AUTHORIZATION, target.parts().credentials.as_ref().map(|credentials| credentials.header_value())),
        (WEBHOOK_ID, HeaderValue::from_str(message.id.as_str()).ok()),
        (WEBHOOK_TIMESTAMP, Some(HeaderValue::from(unix_seconds(now)))),
    ];
    for (name, value) in optional {
        headers.extend(value.map(|value| (name, value)));
    }
    for line in target.parts().headers.iter() {
        let mut value = line.value().clone();
        value.set_sensitive(crate::target::headers::is_secret(line.name()));
        headers.append(line.name(), value);
    }
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.version_mut() = version;
    *request.headers_mut() = headers;
    *request.uri_mut() = if http2 {
        address.uri().clone()
    } else {
        address.uri().path_and_query().cloned().map_or_else(|| address.uri().clone(), Uri::from)
    };
    request
}

fn unix_seconds(now: SystemTime) -> u64 {
    now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

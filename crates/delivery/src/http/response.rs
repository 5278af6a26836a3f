//! Reads what comes back, no further than its bounds.

#[doc(hidden)]
pub mod properties;

use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::RETRY_AFTER;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::outcome::{Response, RetryAfter};

/// How much of a response body is kept, in bytes: enough for any message to a person.
pub const MAX_KEPT_BODY: usize = 16 * 1024;

/// How much of a response body is read, in bytes, so that the connection can be kept; beyond it is closed.
pub const MAX_READ_BODY: usize = 64 * 1024;

/// How the reading of a body ended.
pub(super) enum End {
    /// At its end.
    Whole,
    /// At [`MAX_READ_BODY`].
    Cut,
    /// In an error, for a person.
    Broken(String),
}

/// Reads a body into `response`, which holds what came so far at every await.
pub(super) async fn read(mut body: Incoming, response: &mut Response) -> End {
    let mut kept = BytesMut::new();
    let mut read = 0;
    loop {
        let data: Bytes = match body.frame().await {
            None => return End::Whole,
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            Some(Err(error)) => return End::Broken(super::pool::reason(&error)),
        };
        read += data.len();
        let room = MAX_KEPT_BODY - kept.len();
        kept.extend_from_slice(&data[..data.len().min(room)]);
        response.truncated |= data.len() > room;
        response.body = Bytes::copy_from_slice(&kept);
        if read > MAX_READ_BODY {
            return End::Cut;
        }
    }
}

/// `Retry-After` in either form (RFC 9110, section 10.2.3): seconds, more than fit being the most that fit, or a date.
/// What is neither, or stands twice, is none.
#[must_use]
pub fn retry_after(headers: &HeaderMap) -> Option<RetryAfter> {
    let mut values = headers.get_all(RETRY_AFTER).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let text = value.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(RetryAfter::Seconds(text.parse().unwrap_or(u64::MAX)));
    }
    // The date parser counts on ASCII, which `to_str` has made sure of.
    httpdate::parse_http_date(text).ok().map(|date: SystemTime| RetryAfter::Date(date))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn both_forms_of_retry_after_are_read_and_nothing_else() {
        let date = UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (value, expected) in [
            ("0", Some(RetryAfter::Seconds(0))),
            (" 120 ", Some(RetryAfter::Seconds(120))),
            ("99999999999999999999999", Some(RetryAfter::Seconds(u64::MAX))),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(RetryAfter::Date(date))),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(RetryAfter::Date(date))),
            ("-1", None),
            ("1.5", None),
            ("", None),
            ("soon", None),
            ("Sun, 99 Nov 1994 08:49:37 GMT", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
            assert_eq!(retry_after(&headers), expected, "{value:?}");
        }
        let twice = HeaderMap::from_iter([(RETRY_AFTER, "1".parse().unwrap())]);
        let mut headers = twice.clone();
        headers.append(RETRY_AFTER, "2".parse().unwrap());
        assert_eq!(retry_after(&headers), None);
    }
}

//! The law that a fuzzer plays against `Retry-After`, replayable on any toolchain. It panics when it is broken.

use std::time::{Duration, UNIX_EPOCH};

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue};

use super::retry_after;
use crate::outcome::RetryAfter;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Both forms are read as their plain twins read them, and whatever else stands there is none.
pub fn reading(data: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(data) else { return };
    let read = retry_after(&HeaderMap::from_iter([(RETRY_AFTER, value)]));
    let text = String::from_utf8_lossy(data);
    let text = text.trim_matches([' ', '\t']);
    match read {
        Some(RetryAfter::Seconds(seconds)) => assert_eq!(Some(seconds), whole(text), "{text:?}"),
        other => assert_eq!(whole(text), None, "{text:?} was read as {other:?}"),
    }
    if let Some(at) = fixdate(text) {
        let date = UNIX_EPOCH + Duration::from_secs(at);
        assert_eq!(read, Some(RetryAfter::Date(date)), "{text:?} is a date");
    }
    if let Some(RetryAfter::Date(date)) = read {
        let written = httpdate::fmt_http_date(date);
        let seconds = date.duration_since(UNIX_EPOCH).map(|since| since.as_secs()).ok();
        assert_eq!(fixdate(&written), seconds, "{text:?} was read as {written}");
    }
}

/// A whole number of digits, as many as there are; the most that fits for more.
fn whole(text: &str) -> Option<u64> {
    let digit = |sum: u64, byte: u8| sum.saturating_mul(10).saturating_add(u64::from(byte - b'0'));
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.bytes().fold(0, digit))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section 5.6.7) in seconds since 1970, counted day by day.
fn fixdate(text: &str) -> Option<u64> {
    let number = |at: std::ops::Range<usize>| whole(text.get(at)?);
    let (day, year) = (number(5..7)?, number(12..16)?);
    let month = MONTHS.iter().position(|month| text.get(8..11) == Some(month))?;
    let (hour, minute, second) = (number(17..19)?, number(20..22)?, number(23..25)?);
    let leaps = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let length = |year: u64, month: usize| match month {
        1 => 28 + u64::from(leaps(year)),
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    };
    if !(1970..=9999).contains(&year)
        || day == 0
        || day > length(year, month)
        || hour > 23
        || minute > 59
        || second > 59
    {
        return None;
    }
    let years: u64 = (1970..year).map(|year| 365 + u64::from(leaps(year))).sum();
    let days = years + (0..month).map(|month| length(year, month)).sum::<u64>() + day - 1;
    let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][usize::try_from(days % 7).ok()?];
    let written =
        format!("{weekday}, {day:02} {} {year:04} {hour:02}:{minute:02}:{second:02} GMT", MONTHS[month]);
    (text == written).then_some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

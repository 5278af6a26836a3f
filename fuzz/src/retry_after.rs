//! What becomes of `Retry-After` from the header field to the pause: reading it and judging it know nothing of each other.

use std::time::{Duration, UNIX_EPOCH};

use delivery::clock::Timestamp;
use delivery::http::{properties, retry_after};
use delivery::outcome::{Answer, Outcome};
use delivery::retry::{DEFAULT_RETRY_AFTER_CAP, Die, Disposition, LaneEffect, RetryPolicy, Tried, judge};
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, StatusCode};

/// Panics when it is read otherwise than its twin reads it, or when somebody who asks to be left alone gets another pause than
/// one of at most the policy's cap, or is tried again within it.
pub fn waiting(data: &[u8]) {
    properties::reading(data);
    let Ok(value) = HeaderValue::from_bytes(data) else { return };
    let retry_after = retry_after(&HeaderMap::from_iter([(RETRY_AFTER, value)]));
    for now in [0, 1_700_000_000_000_000, u64::MAX - 1] {
        for status in [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE] {
            paused(&Outcome::Answered(Answer { status, retry_after }), Timestamp::from_micros(now));
        }
    }
}

fn paused(outcome: &Outcome, now: Timestamp) {
    let wall = UNIX_EPOCH + Duration::from_micros(now.as_micros().min(1 << 60));
    let expires = now.after(Duration::from_secs(1 << 20));
    let tried = Tried { attempts: 1, repeated: false, expires, now, wall, die: Die::new(0.5) };
    let judged = judge(outcome, &RetryPolicy::standard(), &tried);
    let LaneEffect::SlowUntil(until) = judged.lane else { panic!("who asks for a pause gets none") };
    assert!(
        now <= until && until <= now.after(DEFAULT_RETRY_AFTER_CAP),
        "{outcome:?} pauses until {until:?}"
    );
    if let Disposition::Retry(at) = judged.disposition {
        assert!(at >= until, "{outcome:?} is tried again within the pause that it asked for");
    }
}

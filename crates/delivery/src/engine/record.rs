//! What the history keeps of an attempt.

use crate::clock::Timestamp;
use crate::outcome::Attempt;
use crate::retry::Disposition;
use crate::store::{AttemptRecord, Parts};

/// How much of a response is kept, in bytes.
const EXCERPT: usize = 1024;

/// The attempt as a record.
pub(super) fn record(
    number: u32,
    at: Timestamp,
    attempt: &Attempt,
    disposition: &Disposition,
) -> AttemptRecord {
    let word = match disposition {
        Disposition::Delivered => "delivered",
        Disposition::Repeat | Disposition::Retry(_) | Disposition::Dead(_) => attempt.outcome.word(),
    };
    let response = attempt.response.as_ref();
    let excerpt = response.map(|response| {
        let kept = &response.body[..response.body.len().min(EXCERPT)];
        String::from_utf8_lossy(kept).into_owned()
    });
    AttemptRecord {
        number,
        at,
        word: word.into(),
        outcome: attempt.outcome.to_string(),
        status: response.map(|response| response.status.as_u16()),
        took: attempt.timings.total,
        response: excerpt.unwrap_or_default(),
        parts: Parts {
            peer: attempt.connection.as_ref().map(|connection| connection.peer.to_string()),
            connect: attempt.timings.connect,
            tls: attempt.timings.tls,
            first_byte: attempt.timings.first_byte,
        },
    }
}

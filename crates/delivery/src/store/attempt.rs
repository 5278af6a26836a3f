//! What the history keeps of an attempt.

use std::borrow::Cow;
use std::time::Duration;

use crate::clock::Timestamp;

/// One attempt, for the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptRecord {
    /// Its number, from 1.
    pub number: u32,
    /// When it ended.
    pub at: Timestamp,
    /// How it ended, in one word, such as `delivered`, `rejected`, `refused`.
    pub word: Cow<'static, str>,
    /// How it ended, for a person.
    pub outcome: String,
    /// The status, if there was one.
    pub status: Option<u16>,
    /// How long it took.
    pub took: Duration,
    /// The start of the response's body, for a person.
    pub response: String,
    /// Where it went and how its time was spent; formats before the third did not keep that.
    pub parts: Parts,
}

/// Where an attempt went, and durations since it began; what was not reached, or not needed, is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// The address that was connected to.
    pub peer: Option<String>,
    /// Until the TCP connection stood; `None` on a kept-alive one.
    pub connect: Option<Duration>,
    /// Until the TLS handshake was done.
    pub tls: Option<Duration>,
    /// Until the head of the response was read.
    pub first_byte: Option<Duration>,
}

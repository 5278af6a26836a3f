//! A request as it was taken in, whole or broken off. What it should have been is not known here.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Method, Version};

use crate::wire::{self, Raw};

/// The connection that something came on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Its number in this run, from 1.
    pub number: u64,
    /// Who opened it.
    pub peer: SocketAddr,
    /// Whether it speaks TLS.
    pub secure: bool,
}

/// A request. `Debug` shows neither the bytes as they came nor the values of header fields that are secret.
#[derive(Clone, PartialEq)]
pub struct Request {
    /// When its head was there.
    pub at: SystemTime,
    /// How long it took.
    pub timing: Timing,
    /// The connection it came on.
    pub connection: Connection,
    /// Which request of its connection it is, from 1: above 1 the connection was used again.
    pub turn: u32,
    /// HTTP version.
    pub version: Version,
    /// Method.
    pub method: Method,
    /// Path and query as sent.
    pub target: String,
    /// Header fields. Names are in lower case here.
    pub headers: HeaderMap,
    /// The body, as far as it came.
    pub body: Body,
    /// The bytes as they came; `None` for HTTP/2, whose frames are not kept.
    pub raw: Option<Raw>,
}

/// How long the parts of a request took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// From its first byte to the end of its head; zero for HTTP/2.
    pub head: Duration,
    /// From there to the end of its body.
    pub body: Duration,
}

/// A body, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// All of it.
    Whole(Bytes),
    /// It was longer than the limit, in bytes; the rest was not read.
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// It broke off, for a person.
    BrokenOff(String),
    /// A fault ended the connection within it; that is not the sender's doing.
    Spoilt,
    /// It did not come to its end in time.
    TooSlow {
        /// The time that it had.
        limit: Duration,
    },
    /// There was no room for it: all bodies under way together had reached the limit, in bytes.
    NoRoom {
        /// The limit.
        limit: usize,
    },
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(name, value): (String, Vec<u8>)| {
            let value = if wire::is_secret(&name) { wire::mask(&value) } else { value };
            format!("{name}: {}", String::from_utf8_lossy(&value))
        };
        f.debug_struct("Request")
            .field("connection", &self.connection)
            .field("turn", &self.turn)
            .field("version", &self.version)
            .field("method", &self.method)
            .field("target", &self.target)
            .field("headers", &self.lines().into_iter().map(shown).collect::<Vec<_>>())
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}

impl Request {
    /// The body if it came whole.
    #[must_use]
    pub fn whole(&self) -> Option<&Bytes> {
        match &self.body {
            Body::Whole(bytes) => Some(bytes),
            Body::TooLarge { .. }
            | Body::BrokenOff(_)
            | Body::Spoilt
            | Body::TooSlow { .. }
            | Body::NoRoom { .. } => None,
        }
    }

    /// A header field's value as text, the first if it stands more than once; what is not UTF-8 is replaced.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    }

    /// The path without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The header lines in their order. Names have the case in which they came; for HTTP/2 they are lower case, and fields
    /// of one name stand together.
    #[must_use]
    pub fn lines(&self) -> Vec<(String, Vec<u8>)> {
        let raw = self.raw.as_ref().and_then(|raw| wire::lines(&raw.bytes));
        raw.unwrap_or_else(|| {
            let line = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
                (name.to_string(), value.as_bytes().to_vec())
            };
            self.headers.iter().map(line).collect()
        })
    }

    /// The id that stays the same over all attempts at one delivery, if the sender gives one (Standard Webhooks).
    #[must_use]
    pub fn webhook_id(&self) -> Option<String> {
        self.header("webhook-id")
    }

    /// About how much memory it holds, in bytes.
    pub(crate) fn weight(&self) -> usize {
        let headers: usize =
            self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 64).sum();
        let raw = self.raw.as_ref().map_or(0, |raw| raw.bytes.len());
        // The body of most requests is a part of the raw bytes, and counted once.
        let body = self.whole().filter(|body| !self.is_part_of_raw(body)).map_or(0, Bytes::len);
        size_of::<Self>() + self.target.len() + headers + raw + body
    }

    fn is_part_of_raw(&self, body: &Bytes) -> bool {
        let Some(raw) = &self.raw else { return false };
        raw.bytes.as_ptr_range().contains(&body.as_ptr())
    }
}

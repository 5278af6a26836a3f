//! A request as it was taken in, whole or broken off. What it should have been is not known here.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Method, Version};

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// When its head was there.
    pub at: SystemTime,
    /// How long its body took.
    pub took: Duration,
    /// Who sent it.
    pub peer: SocketAddr,
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
    /// It did not come to its end in time.
    TooSlow {
        /// The time that it had.
        limit: Duration,
    },
}

impl Request {
    /// The body if it came whole.
    #[must_use]
    pub fn whole(&self) -> Option<&Bytes> {
        match &self.body {
            Body::Whole(bytes) => Some(bytes),
            Body::TooLarge { .. } | Body::BrokenOff(_) | Body::TooSlow { .. } => None,
        }
    }

    /// A header field's value as text if it stands once; what it holds beyond visible ASCII is replaced.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    }

    /// The path without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// About how much memory it holds, in bytes.
    pub(crate) fn weight(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        self.target.len() + headers + self.whole().map_or(0, Bytes::len)
    }
}

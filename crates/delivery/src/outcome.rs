//! How an attempt ended. A closed set, told apart by type and never by the text of an error.
//!
//! It says what happened; what follows from it is decided in `retry`.

mod advice;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use bytes::Bytes;

/// How one attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A complete response arrived within the deadline (its body possibly cut at the bound).
    Answered(Answer),
    /// No connection came to be.
    Unreachable(Unreachable),
    /// The TLS handshake failed, or the certificate was not accepted.
    Tls(TlsFault),
    /// The deadline of the attempt passed in this phase.
    TimedOut(Phase),
    /// The connection ended, or what came over it was not HTTP, in this phase. From [`Phase::Request`] on it is
    /// ambiguous: the receiver may have taken the message in.
    Broken {
        /// Where the exchange was.
        phase: Phase,
        /// What was seen, for a person.
        reason: String,
    },
    /// A kept-alive connection turned out to be closed before a byte of the request was written. The engine tries
    /// again at once, once, and does not count it.
    Unsent,
    /// The body could not be made for this target (an unknown member collides with a custom name).
    Unrenderable(String),
}

/// The part of a response that decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: http::StatusCode,
    /// `Retry-After`, if there was a valid one (RFC 9110, section 10.2.3).
    pub retry_after: Option<RetryAfter>,
}

/// The two forms of `Retry-After` (RFC 9110, section 10.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// Seconds from the response on; more than fit are [`u64::MAX`].
    Seconds(u64),
    /// A date by the receiver's clock.
    Date(SystemTime),
}

/// Why no connection came to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreachable {
    /// The name did not resolve.
    NameNotFound(String),
    /// Nobody listens there.
    Refused(SocketAddr),
    /// The network guard does not let this server connect there.
    Blocked(Blocked),
    /// Any other failure to connect, for a person.
    Failed(String),
}

/// An address that may not be connected to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{address} is {kind}, and this server connects to public addresses only; if it is meant, allow it for this integration (allow = [\"{address}/{bits}\"])", bits = if address.is_ipv4() { 32 } else { 128 })]
pub struct Blocked {
    /// The address.
    pub address: IpAddr,
    /// What it is.
    pub kind: &'static str,
}

/// Why TLS failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsFault {
    /// The chain does not end in a trusted root; `self_signed` when the certificate issued itself.
    UnknownIssuer {
        /// Whether the certificate is its own issuer.
        self_signed: bool,
    },
    /// The certificate is for other names than the URL's.
    WrongHost {
        /// The URL's host.
        expected: String,
        /// The names in the certificate, as far as they could be read.
        presented: Vec<String>,
    },
    /// The certificate has expired.
    Expired,
    /// The certificate is not valid yet.
    NotYetValid,
    /// Any other fault of the certificate, for a person.
    BadCertificate(String),
    /// The handshake itself failed, for a person (no TLS spoken there, no common version, an alert).
    Handshake(String),
}

/// Where an exchange is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// The name is being resolved.
    Resolve,
    /// TCP connects.
    Connect,
    /// TLS shakes hands.
    Tls,
    /// The connection takes the request over.
    Request,
    /// The request is on its way, and the response's head is awaited.
    ResponseHead,
    /// The response's body is being read.
    ResponseBody,
}

/// One attempt: how it ended and all that a person wants to know of it.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// How it ended.
    pub outcome: Outcome,
    /// How long its parts took.
    pub timings: Timings,
    /// The connection it went over, if it got one.
    pub connection: Option<Connection>,
    /// The response, if one began.
    pub response: Option<Response>,
}

/// Durations since the attempt began; a part that was not reached, or not needed, is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// Until the TCP connection stood; `None` on a kept-alive one.
    pub connect: Option<Duration>,
    /// Until the TLS handshake was done.
    pub tls: Option<Duration>,
    /// Until the head of the response was read.
    pub first_byte: Option<Duration>,
    /// Until the end of the attempt.
    pub total: Duration,
}

/// What an attempt went over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The address that was connected to.
    pub peer: SocketAddr,
    /// Whether it had carried an earlier attempt.
    pub reused: bool,
    /// The protocol spoken.
    pub version: http::Version,
    /// TLS, if any, for a person: version and cipher suite.
    pub tls: Option<String>,
    /// Whether Skip SSL Verification left the certificate unchecked.
    pub unverified: bool,
}

/// The part of a response that is kept.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: http::StatusCode,
    /// The header fields.
    pub headers: http::HeaderMap,
    /// The start of the body.
    pub body: Bytes,
    /// Whether more of the body came than was kept.
    pub truncated: bool,
}

impl Outcome {
    /// The outcome in one word of a closed list, for metrics and lists.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Outcome::Answered(answer) => match answer.status.as_u16() {
                200..=299 => "delivered",
                300..=399 => "redirected",
                408 | 425 => "failed",
                410 => "gone",
                429 | 503 => "throttled",
                400..=499 => "rejected",
                _ => "failed",
            },
            Outcome::Unreachable(Unreachable::NameNotFound(_)) => "name_not_found",
            Outcome::Unreachable(Unreachable::Refused(_)) => "refused",
            Outcome::Unreachable(Unreachable::Blocked(_)) => "blocked",
            Outcome::Unreachable(Unreachable::Failed(_)) => "unreachable",
            Outcome::Tls(_) => "tls",
            Outcome::TimedOut(_) => "timed_out",
            Outcome::Broken { .. } => "broken",
            Outcome::Unsent => "unsent",
            Outcome::Unrenderable(_) => "unrenderable",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Resolve => "while resolving the name",
            Phase::Connect => "while connecting",
            Phase::Tls => "during the TLS handshake",
            Phase::Request => "while sending the request",
            Phase::ResponseHead => "while waiting for the response",
            Phase::ResponseBody => "while reading the response body",
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Answered(answer) => write!(f, "{}", answer.status),
            Outcome::Unreachable(why) => why.fmt(f),
            Outcome::Tls(fault) => fault.fmt(f),
            Outcome::TimedOut(phase) => write!(f, "timed out {phase}"),
            Outcome::Broken { phase, reason } => write!(f, "the connection broke {phase}: {reason}"),
            Outcome::Unsent => f.write_str("the kept-alive connection was closed before anything was sent"),
            Outcome::Unrenderable(reason) => write!(f, "the body cannot be made: {reason}"),
        }
    }
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreachable::NameNotFound(name) => write!(f, "the name {name} does not resolve"),
            Unreachable::Refused(address) => {
                write!(f, "connection refused by {address}: nobody listens there")
            }
            Unreachable::Blocked(blocked) => blocked.fmt(f),
            Unreachable::Failed(reason) => write!(f, "cannot connect: {reason}"),
        }
    }
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsFault::UnknownIssuer { self_signed: true } => f.write_str("the certificate is self-signed"),
            TlsFault::UnknownIssuer { self_signed: false } => {
                f.write_str("the certificate's issuer is not among the trusted roots")
            }
            TlsFault::WrongHost { expected, presented } if presented.is_empty() => {
                write!(f, "the certificate is not for {expected}")
            }
            TlsFault::WrongHost { expected, presented } => {
                write!(f, "the certificate is not for {expected} but for {}", presented.join(", "))
            }
            TlsFault::Expired => f.write_str("the certificate has expired"),
            TlsFault::NotYetValid => f.write_str("the certificate is not valid yet"),
            TlsFault::BadCertificate(reason) => write!(f, "the certificate is not acceptable: {reason}"),
            TlsFault::Handshake(reason) => write!(f, "the TLS handshake failed: {reason}"),
        }
    }
}

//! Where a message goes and with what: one value that was checked when it was made.

pub mod address;
pub mod credentials;
pub mod guard;
pub mod headers;
pub mod tls;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};

use address::Address;
use credentials::Credentials;
use guard::Guard;
use headers::HeaderList;
use tls::Tls;

/// How long a whole attempt may take unless a target says otherwise.
pub const DEFAULT_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);

/// How long name resolution, connecting and the TLS handshake may take of it unless a target says otherwise.
pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The content type unless a target says otherwise.
pub const DEFAULT_CONTENT_TYPE: &str = "application/json";

/// The `User-Agent` unless a target's headers say otherwise (RFC 9110, section 10.1.5).
pub const DEFAULT_USER_AGENT: &str = concat!("fusion-webhook/", env!("CARGO_PKG_VERSION"));

/// Makes the body that is sent from the bytes that were accepted. It runs when an attempt starts, so that a corrected
/// setting repairs what is waiting too.
pub trait Render: fmt::Debug + Send + Sync {
    /// The body.
    ///
    /// # Errors
    /// Why none can be made, for a person; the delivery is then dead.
    fn render(&self, accepted: &Bytes) -> Result<Bytes, String>;
}

/// Sends what was accepted.
#[derive(Clone, Copy, Debug)]
pub struct AsAccepted;

impl Render for AsAccepted {
    fn render(&self, accepted: &Bytes) -> Result<Bytes, String> {
        Ok(accepted.clone())
    }
}

/// The parts of a target; each is right by itself.
#[derive(Debug)]
pub struct Parts {
    /// Where to.
    pub address: Address,
    /// Custom header lines.
    pub headers: HeaderList,
    /// Basic credentials.
    pub credentials: Option<Credentials>,
    /// The content type, if it is not [`DEFAULT_CONTENT_TYPE`].
    pub content_type: Option<HeaderValue>,
    /// Which addresses may be connected to; `None` for a person who points the program somewhere himself.
    pub guard: Option<Guard>,
    /// TLS; used if the address is `https`.
    pub tls: Tls,
    /// How long a whole attempt may take.
    pub attempt_timeout: Duration,
    /// How long connecting may take of it.
    pub connect_timeout: Duration,
    /// How the body is made.
    pub render: Arc<dyn Render>,
}

/// A checked target. Two are never the same: connections belong to one.
#[derive(Debug)]
pub struct Target {
    id: TargetId,
    parts: Parts,
}

/// Tells targets apart within a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetId(u64);

/// What does not go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Two sources of one field.
    #[error(
        "the headers have an Authorization line, and a user name or password is given too; keep one of them"
    )]
    TwoAuthorizations,
    /// Two sources of one field.
    #[error("the headers have a Content-Type line, and a content type is given too; keep one of them")]
    TwoContentTypes,
    /// Nothing could ever be sent.
    #[error("a timeout of 0 leaves no time for anything")]
    NoTime,
}

/// What does not go together, also of parts of which others are not right by themselves.
#[must_use]
pub fn conflicts(
    headers: &HeaderList,
    with_credentials: bool,
    with_content_type: bool,
    timeouts: [Duration; 2],
) -> Vec<TargetError> {
    let found = [
        (with_credentials && headers.contains(&AUTHORIZATION), TargetError::TwoAuthorizations),
        (with_content_type && headers.contains(&CONTENT_TYPE), TargetError::TwoContentTypes),
        (timeouts.iter().any(Duration::is_zero), TargetError::NoTime),
    ];
    found.into_iter().filter_map(|(found, error)| found.then_some(error)).collect()
}

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

impl Target {
    /// Checks that the parts go together.
    ///
    /// # Errors
    /// All that does not.
    pub fn new(parts: Parts) -> Result<Self, Vec<TargetError>> {
        let times = [parts.attempt_timeout, parts.connect_timeout];
        let errors =
            conflicts(&parts.headers, parts.credentials.is_some(), parts.content_type.is_some(), times);
        if errors.is_empty() {
            Ok(Self { id: TargetId(NEXT_ID.fetch_add(1, Ordering::Relaxed)), parts })
        } else {
            Err(errors)
        }
    }

    pub(crate) const fn id(&self) -> TargetId {
        self.id
    }

    /// Its parts.
    #[must_use]
    pub const fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The `User-Agent` that is not among its headers.
    pub(crate) fn user_agent(&self) -> Option<HeaderValue> {
        let own = self.parts.headers.contains(&USER_AGENT);
        (!own).then(|| HeaderValue::from_static(DEFAULT_USER_AGENT))
    }

    /// The content type that is not among its headers.
    pub(crate) fn content_type(&self) -> Option<HeaderValue> {
        if self.parts.headers.contains(&CONTENT_TYPE) {
            return None;
        }
        let chosen = self.parts.content_type.clone();
        Some(chosen.unwrap_or_else(|| HeaderValue::from_static(DEFAULT_CONTENT_TYPE)))
    }
}

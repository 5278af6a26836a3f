//! Who may ask: a bearer token, or nobody but this machine.
//!
//! On loopback there may be no token. Then a page in a browser on this machine could be led here under another name (DNS
//! rebinding), so the `Host` must be this machine's own.

use std::net::{IpAddr, SocketAddr};

use http::header::{AUTHORIZATION, HOST, ORIGIN};
use http::{HeaderMap, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

/// Who may ask.
#[derive(Clone, Debug)]
pub enum Access {
    /// Whoever knows the token.
    Token(SecretString),
    /// This machine.
    Loopback,
}

/// A server that would be open to others.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "listening on {0}, beyond this machine, needs a token: set `token` in [server], or FUSION_WEBHOOK_TOKEN, to 16 characters or more"
)]
pub struct Open(pub SocketAddr);

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// With this status.
    pub status: StatusCode,
    /// For this reason.
    pub why: &'static str,
}

impl Access {
    /// What a server at `address` wants.
    ///
    /// # Errors
    /// If it is open to other machines and there is no token.
    pub fn new(address: SocketAddr, token: Option<SecretString>) -> Result<Self, Open> {
        match token {
            Some(token) => Ok(Self::Token(token)),
            None if address.ip().is_loopback() => Ok(Self::Loopback),
            None => Err(Open(address)),
        }
    }

    /// What the audit log calls whoever was let in.
    #[must_use]
    pub const fn who(&self) -> &'static str {
        match self {
            Self::Token(_) => "the token",
            Self::Loopback => "this machine",
        }
    }

    /// Judges the head of a request.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn judge(&self, headers: &HeaderMap) -> Result<(), Refused> {
        match self {
            Self::Token(token) => {
                let given = headers.get(AUTHORIZATION).map(http::HeaderValue::as_bytes).unwrap_or_default();
                let (scheme, given) = given.split_at_checked(7).unwrap_or((given, &[]));
                let known = scheme.eq_ignore_ascii_case(b"bearer ")
                    && bool::from(given.ct_eq(token.expose_secret().as_bytes()));
                let why = "this server wants its token: Authorization: Bearer …";
                if known { Ok(()) } else { Err(Refused { status: StatusCode::UNAUTHORIZED, why }) }
            }
            Self::Loopback => {
                let local = |value: &http::HeaderValue, name: fn(&str) -> &str| {
                    value.to_str().is_ok_and(|text| is_local(name(text)))
                };
                if !headers.get(HOST).is_some_and(|host| local(host, |text| text)) {
                    let why = "without a token this server answers to names of this machine only";
                    return Err(Refused { status: StatusCode::MISDIRECTED_REQUEST, why });
                }
                if headers.get(ORIGIN).is_some_and(|value| !local(value, host_of_origin)) {
                    let why = "without a token this server answers no pages of other hosts";
                    return Err(Refused { status: StatusCode::FORBIDDEN, why });
                }
                Ok(())
            }
        }
    }
}

fn host_of_origin(origin: &str) -> &str {
    origin.split_once("://").map_or("", |(_, host)| host)
}

/// Whether `host[:port]` is a name of this machine.
fn is_local(authority: &str) -> bool {
    let host = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, _)) => host,
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    let host = host.trim_end_matches('.');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(access: &Access, lines: &[(&'static str, &'static str)]) -> Option<u16> {
        let headers = lines.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), http::HeaderValue::from_static(value))
        });
        access.judge(&headers.collect()).err().map(|refused| refused.status.as_u16())
    }

    #[test]
    fn a_token_is_wanted_whole() {
        let access = Access::Token(SecretString::from("0123456789abcdef"));
        assert_eq!(judged(&access, &[("authorization", "Bearer 0123456789abcdef")]), None);
        assert_eq!(judged(&access, &[("authorization", "bearer 0123456789abcdef")]), None);
        for wrong in ["Bearer 0123456789abcde", "Bearer 0123456789abcdef0", "Bearer ", "", "Basic x"] {
            assert_eq!(judged(&access, &[("authorization", wrong)]), Some(401), "{wrong}");
        }
        assert_eq!(judged(&access, &[]), Some(401));
    }

    #[test]
    fn without_a_token_only_this_machine_s_names_are_answered() {
        for host in ["localhost", "localhost:8090", "127.0.0.1:1", "[::1]:8090", "LOCALHOST."] {
            assert_eq!(judged(&Access::Loopback, &[("host", host)]), None, "{host}");
        }
        for host in ["example.com", "127.0.0.1.example.com", "localhost.example.com:80", "", "[::2]"] {
            assert_eq!(judged(&Access::Loopback, &[("host", host)]), Some(421), "{host}");
        }
        let from = |origin| [("host", "localhost"), ("origin", origin)];
        assert_eq!(judged(&Access::Loopback, &from("http://localhost:8090")), None);
        assert_eq!(judged(&Access::Loopback, &from("https://example.com")), Some(403));
        assert_eq!(judged(&Access::Loopback, &from("null")), Some(403));
    }

    #[test]
    fn beyond_loopback_a_token_must_be_there() {
        let everywhere: SocketAddr = ([0, 0, 0, 0], 8090).into();
        assert!(Access::new(everywhere, None).is_err());
        assert!(Access::new(everywhere, Some(SecretString::from("x"))).is_ok());
        assert!(Access::new(([127, 0, 0, 1], 8090).into(), None).is_ok());
    }
}

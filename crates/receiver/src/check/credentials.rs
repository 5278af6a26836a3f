//! Basic credentials as a receiver reads them (RFC 7617), written from the RFC and not from our sender.
//!
//! What is wrong is told precisely, and the password never: neither the expected one nor the one that came.

use base64::DecodeError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;

use crate::request::Request;
use crate::verdict::Finding;

/// The credentials that a request should have. `Debug` does not show the password.
#[derive(Clone)]
pub struct Expected {
    username: String,
    password: String,
}

impl Expected {
    /// A user name and a password; either may be empty.
    #[must_use]
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self { username: username.into(), password: password.into() }
    }

    /// The same with another user name or password, if one is given.
    #[must_use]
    pub(super) fn with(self, username: Option<&str>, password: Option<&str>) -> Self {
        Self {
            username: username.map_or(self.username, str::to_owned),
            password: password.map_or(self.password, str::to_owned),
        }
    }

    /// The user name.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.username
    }
}

impl std::fmt::Debug for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Expected").field("username", &self.username).finish_non_exhaustive()
    }
}

/// The schemes that are named when one of them comes in place of Basic: those that IANA has registered (RFC 9110, section
/// 16.4.1), and some that are common without. No other word is shown, because who forgets the scheme sends the credentials
/// in its place.
pub const SCHEMES: &[&str] = &[
    "ApiKey",
    "AWS4-HMAC-SHA256",
    "Bearer",
    "Concealed",
    "Digest",
    "DPoP",
    "GNAP",
    "HOBA",
    "Key",
    "Mutual",
    "Negotiate",
    "NTLM",
    "OAuth",
    "PrivateToken",
    "SCRAM-SHA-1",
    "SCRAM-SHA-256",
    "Token",
    "vapid",
];

/// Why an `Authorization` field holds no Basic credentials. Nothing of the field is repeated that may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The scheme is another one (RFC 9110, section 11.1: names of schemes ignore case).
    #[error("scheme {0} instead of Basic")]
    OtherScheme(&'static str),
    /// There is no scheme that is known; the value may be the credentials themselves.
    #[error("a value that does not begin with Basic and a space")]
    NoScheme,
    /// The scheme stands alone.
    #[error("nothing after the scheme")]
    Empty,
    /// The token is not base64 with its padding (RFC 4648, section 4).
    #[error("not base64: {0}")]
    NotBase64(String),
    /// The decoded bytes are not UTF-8.
    #[error("the decoded credentials are not UTF-8")]
    NotUtf8,
    /// The decoded text has no colon between user name and password (RFC 7617, section 2).
    #[error("no colon between user name and password after decoding")]
    NoColon,
    /// The decoded text has a control character (RFC 7617, section 2).
    #[error("a control character after decoding")]
    ControlCharacter,
}

/// Takes an `Authorization` value apart into user name and password.
///
/// # Errors
/// The first reason why it cannot.
pub fn read(value: &[u8]) -> Result<(String, String), Unreadable> {
    let (scheme, token) = match value.iter().position(|&byte| byte == b' ') {
        Some(space) => (&value[..space], value[space..].trim_ascii()),
        None => (value, &b""[..]),
    };
    if !scheme.eq_ignore_ascii_case(b"basic") {
        let known = SCHEMES.iter().find(|known| scheme.eq_ignore_ascii_case(known.as_bytes()));
        return Err(known.map_or(Unreadable::NoScheme, |known| Unreadable::OtherScheme(known)));
    }
    if token.is_empty() {
        return Err(Unreadable::Empty);
    }
    let decoded = STANDARD.decode(token).map_err(|error| Unreadable::NotBase64(base64_fault(&error)))?;
    let text = String::from_utf8(decoded).map_err(|_| Unreadable::NotUtf8)?;
    if text.chars().any(char::is_control) {
        return Err(Unreadable::ControlCharacter);
    }
    let (username, password) = text.split_once(':').ok_or(Unreadable::NoColon)?;
    Ok((username.to_owned(), password.to_owned()))
}

/// Names the place but not the character: it is a part of the secret.
fn base64_fault(error: &DecodeError) -> String {
    match error {
        DecodeError::InvalidByte(at, _) => format!("byte {} is outside the alphabet", at + 1),
        DecodeError::InvalidLength(length) => format!("{length} characters cannot be decoded"),
        DecodeError::InvalidLastSymbol(at, _) => format!("byte {} has bits that belong to nothing", at + 1),
        DecodeError::InvalidPadding => "the padding is wrong or missing".to_owned(),
    }
}

pub(super) fn check(request: &Request, expected: &Expected) -> Finding {
    let wanted = "Basic credentials";
    let mut values = request.headers.get_all("authorization").iter();
    let (value, another) = (values.next(), values.next());
    let failed = |got: &str| Finding::failed("Authorization", wanted, got);
    let Some(value) = value else { return failed("none") };
    if another.is_some() {
        return failed("more than one Authorization field");
    }
    let (username, password) = match read(value.as_bytes()) {
        Ok(pair) => pair,
        Err(reason) => return failed(&reason.to_string()),
    };
    // Both are compared in full and in constant time, so that the time taken tells nothing of either.
    let known = username.as_bytes().ct_eq(expected.username.as_bytes());
    let right = password.as_bytes().ct_eq(expected.password.as_bytes());
    match (bool::from(known), bool::from(right)) {
        (true, true) => Finding::Passed,
        (true, false) => failed(&format!("a wrong password for user {username:?}")),
        (false, _) => failed(&format!("unknown user {username:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_read_as_rfc_7617_says() {
        for (value, pair) in [
            ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", ("Aladdin", "open sesame")),
            ("basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", ("Aladdin", "open sesame")),
            ("BASIC   QWxhZGRpbjpvcGVuIHNlc2FtZQ==", ("Aladdin", "open sesame")),
            ("Basic dGVzdDoxMjPCow==", ("test", "123£")),
            ("Basic Og==", ("", "")),
            ("Basic dTo=", ("u", "")),
            ("Basic OnA=", ("", "p")),
            ("Basic dTphOmI=", ("u", "a:b")),
            ("Basic dTpwICA=", ("u", "p  ")),
            ("Basic IHU6cA==", (" u", "p")),
        ] {
            assert_eq!(read(value.as_bytes()).unwrap(), (pair.0.to_owned(), pair.1.to_owned()), "{value}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_without_the_secret() {
        for (value, reason) in [
            ("bearer abc", "scheme Bearer instead of Basic"),
            ("", "a value that does not begin with Basic and a space"),
            ("dXNlcjpwYXNz", "a value that does not begin with Basic and a space"),
            ("Basic", "nothing after the scheme"),
            ("Basic  ", "nothing after the scheme"),
            // A scheme and its token are apart by spaces (RFC 9110, section 11.4), and there is one of each.
            ("Basic\tdTpw", "a value that does not begin with Basic and a space"),
            ("Basic dTpw dTpw", "not base64: byte 5 is outside the alphabet"),
            ("Basic dTpw, Bearer x", "not base64: byte 5 is outside the alphabet"),
            ("Basic realm=\"a\"", "not base64: byte 9 is outside the alphabet"),
            ("BasicdTpw", "a value that does not begin with Basic and a space"),
            ("Basic dTpw_A==", "not base64: byte 5 is outside the alphabet"),
            ("Basic dTo", "not base64: the padding is wrong or missing"),
            ("Basic dTp=", "not base64: byte 3 has bits that belong to nothing"),
            ("Basic dXA=", "no colon between user name and password after decoding"),
            ("Basic dTr/", "the decoded credentials are not UTF-8"),
            ("Basic dToA", "a control character after decoding"),
        ] {
            assert_eq!(read(value.as_bytes()).unwrap_err().to_string(), reason, "{value}");
        }
    }

    #[test]
    fn the_expected_password_does_not_print() {
        assert!(!format!("{:?}", Expected::new("u", "s3cret")).contains("s3cret"));
    }
}

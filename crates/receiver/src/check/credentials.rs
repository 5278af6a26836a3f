//! Basic credentials as a receiver reads them (RFC 7617), written from the RFC and not from our sender.
//!
//! What is wrong is told precisely, and the password never: neither the expected one nor the one that came.

mod room;

use base64::DecodeError;
use subtle::ConstantTimeEq;

use crate::request::Request;
use crate::verdict::Finding;

use room::Decoded;

pub use room::Room;

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

/// Takes an `Authorization` value apart into user name and password, which are decoded into `room`.
///
/// # Errors
/// The first reason why it cannot.
pub fn read<'r>(value: &[u8], room: &'r mut Room) -> Result<(&'r str, &'r str), Unreadable> {
    let token = match value.strip_prefix(b"Basic ") {
        Some(token) => token,
        None => other_case(value)?,
    };
    let token = token.trim_ascii();
    if token.is_empty() {
        return Err(Unreadable::Empty);
    }
    let decoded = room.decode(token).map_err(|error| Unreadable::NotBase64(base64_fault(&error)))?;
    let text = match decoded {
        Decoded::Plain(text) => text,
        Decoded::Any(bytes) => any_text(bytes)?,
    };
    let colon = first_colon(text.as_bytes()).ok_or(Unreadable::NoColon)?;
    Ok((&text[..colon], &text[colon + 1..]))
}

/// Where the user name ends. Eight bytes at once: a zero borrows its highest bit when one is taken away, and the first such
/// byte is exact.
#[inline]
fn first_colon(text: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let (words, rest) = text.as_chunks::<8>();
    for (at, word) in (0..).step_by(8).zip(words) {
        let zero = u64::from_le_bytes(*word) ^ (ONES * u64::from(b':'));
        let marks = zero.wrapping_sub(ONES) & !zero & (ONES << 7);
        if marks != 0 {
            return Some(at + marks.trailing_zeros() as usize / 8);
        }
    }
    Some(8 * words.len() + rest.iter().position(|&byte| byte == b':')?)
}

/// The text that bytes are, if it has no control character.
fn any_text(bytes: &[u8]) -> Result<&str, Unreadable> {
    let text = std::str::from_utf8(bytes).map_err(|_| Unreadable::NotUtf8)?;
    if text.chars().any(char::is_control) { Err(Unreadable::ControlCharacter) } else { Ok(text) }
}

/// What follows the scheme where that is written in another case.
#[cold]
fn other_case(value: &[u8]) -> Result<&[u8], Unreadable> {
    let (scheme, token) = match value.iter().position(|&byte| byte == b' ') {
        Some(space) => value.split_at(space),
        None => (value, &b""[..]),
    };
    if scheme.eq_ignore_ascii_case(b"basic") {
        return Ok(token);
    }
    let known = SCHEMES.iter().find(|known| scheme.eq_ignore_ascii_case(known.as_bytes()));
    Err(known.map_or(Unreadable::NoScheme, |known| Unreadable::OtherScheme(known)))
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
    let mut room = Room::default();
    let (username, password) = match read(value.as_bytes(), &mut room) {
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
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::proptest;

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
            assert_eq!(read(value.as_bytes(), &mut Room::default()), Ok(pair), "{value}");
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
            let unreadable = read(value.as_bytes(), &mut Room::default()).unwrap_err();
            assert_eq!(unreadable.to_string(), reason, "{value}");
        }
    }

    /// What reading does, done plainly.
    fn plain_twin(value: &str) -> Result<(String, String), Unreadable> {
        let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
        if !scheme.eq_ignore_ascii_case("basic") {
            let known = SCHEMES.iter().find(|known| scheme.eq_ignore_ascii_case(known));
            return Err(known.map_or(Unreadable::NoScheme, |known| Unreadable::OtherScheme(known)));
        }
        if token.trim_ascii().is_empty() {
            return Err(Unreadable::Empty);
        }
        let decoded = STANDARD.decode(token.trim_ascii());
        let decoded = decoded.map_err(|error| Unreadable::NotBase64(base64_fault(&error)))?;
        let text = String::from_utf8(decoded).map_err(|_| Unreadable::NotUtf8)?;
        if text.chars().any(char::is_control) {
            return Err(Unreadable::ControlCharacter);
        }
        let (username, password) = text.split_once(':').ok_or(Unreadable::NoColon)?;
        Ok((username.to_owned(), password.to_owned()))
    }

    fn check_twin(value: &str, room: &mut Room) {
        let read = read(value.as_bytes(), room);
        let read = read.map(|(username, password)| (username.to_owned(), password.to_owned()));
        assert_eq!(read, plain_twin(value), "{value}");
    }

    proptest! {
        #[test]
        fn any_value_is_read_as_its_plain_twin_reads_it(
            value in "([Bb]asic|Bearer|Basic\\PC)?[ \\t]{0,2}[A-Za-z0-9+/]{0,12}={0,3}[ \\t]?",
            (username, password) in ("[ -~é\\x7f\u{85}]{0,24}", "[ -~é\\x1f]{0,300}"),
        ) {
            // In one room, in which each finds what the one before left.
            let mut room = Room::default();
            let pair = format!("{username}:{password}");
            let (pair, username) = (pair.as_bytes(), username.as_bytes());
            for pair in [pair, &pair[pair.len() / 2..], username] {
                check_twin(&format!("Basic {}", STANDARD.encode(pair)), &mut room);
                check_twin(&value, &mut room);
            }
        }
    }

    #[test]
    fn the_expected_password_does_not_print() {
        assert!(!format!("{:?}", Expected::new("u", "s3cret")).contains("s3cret"));
    }
}

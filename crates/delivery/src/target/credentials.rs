//! Basic credentials as a sender writes them (RFC 7617), and a strict reading of what it wrote.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

/// The longest user name or password, in bytes: together and encoded they stay below what servers take as one line.
pub const MAX_PART: usize = 1024;

/// A user name and a password, each of which may be empty. Neither the password nor what is made of it prints.
#[derive(Clone, Debug)]
pub struct Credentials {
    username: String,
    password: SecretString,
}

/// What cannot be a user name or a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// RFC 7617, section 2: the first colon ends the user name.
    #[error("the user name has a colon, which Basic credentials cannot carry (RFC 7617, section 2)")]
    ColonInUsername,
    /// RFC 7617, section 2.
    #[error("the {0} has a control character, which Basic credentials cannot carry (RFC 7617, section 2)")]
    ControlCharacter(Part),
    /// A limit of ours.
    #[error("the {0} is longer than {MAX_PART} bytes")]
    TooLong(Part),
}

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The user name.
    Username,
    /// The password.
    Password,
}

/// Why a header value is no Basic credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It is of another scheme.
    #[error("the scheme is {0:?}, not Basic")]
    Scheme(String),
    /// Nothing follows the scheme.
    #[error("nothing follows the scheme")]
    Empty,
    /// A character that base64 does not have, counted from 1 in the encoded part.
    #[error("character {0} of the encoded part is not of the base64 alphabet")]
    Alphabet(usize),
    /// The padding is missing, wrong, or hides bits.
    #[error("the base64 padding is not canonical")]
    Padding,
    /// What it encodes is no UTF-8.
    #[error("the decoded bytes are not UTF-8")]
    Utf8,
    /// What it encodes has no colon.
    #[error("there is no colon between user name and password")]
    NoColon,
    /// What it encodes cannot be credentials.
    #[error(transparent)]
    Part(#[from] CredentialsError),
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Username => "user name",
            Self::Password => "password",
        })
    }
}

impl Credentials {
    /// Checks a user name and a password.
    ///
    /// # Errors
    /// If one cannot be carried by Basic credentials, or is longer than [`MAX_PART`].
    pub fn new(username: impl Into<String>, password: SecretString) -> Result<Self, CredentialsError> {
        let username = username.into();
        if username.contains(':') {
            return Err(CredentialsError::ColonInUsername);
        }
        for (part, text) in [(Part::Username, &*username), (Part::Password, password.expose_secret())] {
            if text.chars().any(char::is_control) {
                return Err(CredentialsError::ControlCharacter(part));
            }
            if text.len() > MAX_PART {
                return Err(CredentialsError::TooLong(part));
            }
        }
        Ok(Self { username, password })
    }

    /// The user name.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The value of the `Authorization` field, encoded as UTF-8 and marked as sensitive.
    #[must_use]
    pub fn header_value(&self) -> HeaderValue {
        let pair = Zeroizing::new(format!("{}:{}", self.username, self.password.expose_secret()));
        let value = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
        let mut value = HeaderValue::try_from(value.as_str()).expect("base64 is visible ASCII");
        value.set_sensitive(true);
        value
    }

    /// Reads the value of an `Authorization` field, strictly.
    ///
    /// # Errors
    /// The first reason why it is none that [`Credentials::header_value`] could have written, but for the scheme's case
    /// and the spaces after it.
    pub fn decode(value: &str) -> Result<Self, DecodeError> {
        let (scheme, encoded) = value.split_once(' ').unwrap_or((value, ""));
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(DecodeError::Scheme(scheme.chars().take(32).collect()));
        }
        let encoded = encoded.trim_matches(' ');
        if encoded.is_empty() {
            return Err(DecodeError::Empty);
        }
        let bytes = STANDARD.decode(encoded).map_err(|error| match error {
            base64::DecodeError::InvalidByte(at, b'=') if at + 2 >= encoded.len() => DecodeError::Padding,
            base64::DecodeError::InvalidByte(at, _) => DecodeError::Alphabet(at + 1),
            base64::DecodeError::InvalidLength(_)
            | base64::DecodeError::InvalidLastSymbol(..)
            | base64::DecodeError::InvalidPadding => DecodeError::Padding,
        })?;
        let bytes = Zeroizing::new(bytes);
        let text = std::str::from_utf8(&bytes).map_err(|_| DecodeError::Utf8)?;
        let (username, password) = text.split_once(':').ok_or(DecodeError::NoColon)?;
        Ok(Self::new(username, SecretString::from(password))?)
    }
}

/// Laws that a fuzzer plays against this module; each panics when its law is broken.
#[doc(hidden)]
pub mod properties {
    use super::{Credentials, ExposeSecret, SecretString};

    /// What can be made is read back as it was, and what can be read is written back as it was.
    pub fn round_trip(data: &[u8]) {
        let Ok(text) = std::str::from_utf8(data) else { return };
        if let Ok(read) = Credentials::decode(text) {
            let written = read.header_value();
            let encoded = |value: &str| value.rsplit(' ').next().map(str::to_owned);
            assert_eq!(written.to_str().ok().and_then(encoded), encoded(text.trim_end_matches(' ')));
        }
        let (username, password) = text.split_once('\n').unwrap_or((text, ""));
        if let Ok(made) = Credentials::new(username, SecretString::from(password)) {
            let written = made.header_value();
            let read = written.to_str().ok().and_then(|value| Credentials::decode(value).ok());
            let same = read.is_some_and(|read| {
                read.username() == username && read.password.expose_secret() == made.password.expose_secret()
            });
            assert!(same, "credentials change on their way");
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::proptest;

    use super::*;

    fn new(username: &str, password: &str) -> Result<Credentials, CredentialsError> {
        Credentials::new(username, SecretString::from(password))
    }

    #[test]
    fn credentials_are_written_as_rfc_7617_says() {
        for (username, password, expected) in [
            ("Aladdin", "open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
            ("test", "123£", "Basic dGVzdDoxMjPCow=="),
            ("", "", "Basic Og=="),
            ("u", "", "Basic dTo="),
            ("", "p", "Basic OnA="),
            ("u", "a:b", "Basic dTphOmI="),
        ] {
            let value = new(username, password).unwrap().header_value();
            assert_eq!(value.to_str().unwrap(), expected);
            assert!(value.is_sensitive());
        }
    }

    #[test]
    fn what_cannot_be_carried_is_refused() {
        use CredentialsError::{ColonInUsername, ControlCharacter, TooLong};
        let long = "x".repeat(MAX_PART + 1);
        for (username, password, error) in [
            ("a:b", "p", ColonInUsername),
            ("a\n", "p", ControlCharacter(Part::Username)),
            ("a", "p\0", ControlCharacter(Part::Password)),
            ("a", "\u{85}", ControlCharacter(Part::Password)),
            (&*long, "", TooLong(Part::Username)),
            ("", &*long, TooLong(Part::Password)),
        ] {
            assert_eq!(new(username, password).unwrap_err(), error);
        }
        assert!(new(&long[1..], &long[1..]).is_ok());
        let said = [TooLong(Part::Username), TooLong(Part::Password)].map(|error| error.to_string());
        assert_eq!(
            said,
            ["the user name is longer than 1024 bytes", "the password is longer than 1024 bytes"]
        );
    }

    #[test]
    fn reading_says_precisely_what_is_wrong() {
        use DecodeError::{Alphabet, Empty, NoColon, Padding, Scheme, Utf8};
        for (value, error) in [
            ("Bearer dTpw", Scheme("Bearer".to_owned())),
            ("", Scheme(String::new())),
            ("Basic", Empty),
            ("Basic   ", Empty),
            ("Basic dT*w", Alphabet(3)),
            ("Basic dTpw_A==", Alphabet(5)),
            ("Basic dTo", Padding),
            ("Basic dTp=", Padding),
            ("Basic dTo==", Padding),
            ("Basic d=pwdTpw", Alphabet(2)),
            ("Basic dTp=dTpw", Alphabet(4)),
            ("Basic =dTpw", Alphabet(1)),
            ("Basic dTpwd=pw", Alphabet(6)),
            ("Basic dTr/", Utf8),
            ("Basic dXA=", NoColon),
            ("Basic dToA", DecodeError::Part(CredentialsError::ControlCharacter(Part::Password))),
        ] {
            assert_eq!(Credentials::decode(value).unwrap_err(), error, "{value}");
        }
        let read = Credentials::decode("bAsIc  dTphOmI=").unwrap();
        assert_eq!((read.username(), read.password.expose_secret()), ("u", "a:b"));
    }

    #[test]
    fn the_password_does_not_print() {
        let credentials = new("u", "s3cret").unwrap();
        assert!(!format!("{credentials:?} {:?}", credentials.header_value()).contains("s3cret"));
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_laws(text in "\\PC{0,20}|[bB]asic [A-Za-z0-9+/=]{0,12}|[a-z]{0,4}\n\\PC{0,8}") {
            properties::round_trip(text.as_bytes());
        }
    }
}

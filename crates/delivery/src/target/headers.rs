//! The Headers field: custom header lines for every request of a target.
//!
//! The form's text is a comma-separated list of `name: value` pairs, and no product documents how a comma or a quote in
//! a value is to be written. The rule here loses nothing and can be said in a few lines:
//!
//! - the first colon of an item splits it; names are tokens (RFC 9110, section 5.1);
//! - a comma between double quotes does not end an item, and the text between quotes is sent as typed, quotes included;
//! - outside quotes `\,` is a comma, `\"` a quote that opens nothing and `\\` a backslash; no other escape exists;
//! - spaces and tabs around names, colons and commas do not matter, and empty items are ignored;
//! - a value may be empty, and lines of one name are kept in their order.
//!
//! Values are visible ASCII, space and tab, so that no line can smuggle in another; what the sender itself must own is
//! refused. All mistakes of a text are reported together, each with its place.

mod error;
mod parse;
mod plain;

use std::fmt;

use http::{HeaderName, HeaderValue};

pub use error::{HeaderError, HeaderFault, Place};
pub use plain::{Odd, PlainLines};

/// The longest text of a Headers field, in bytes: twice what common servers take as a whole head.
pub const MAX_TEXT: usize = 16 * 1024;

/// The most lines: half of what common servers take, since the sender adds its own.
pub const MAX_LINES: usize = 50;

/// What the sender itself writes, so that nobody else may: framing (RFC 9112), the connection (RFC 9110, section
/// 7.6.1), and the message's identity (Standard Webhooks). `Proxy-*` too.
const OWNED: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
];

/// Fields that mean nothing when they stand twice.
const SINGLETONS: &[&str] = &["authorization", "content-type", "user-agent", "date", "content-encoding"];

/// Custom header lines, in order. `Display` prints them as a Headers field that parses to the same list.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HeaderList {
    lines: Vec<HeaderLine>,
}

/// One header line.
#[derive(Clone, PartialEq, Eq)]
pub struct HeaderLine {
    typed_name: String,
    name: HeaderName,
    value: HeaderValue,
}

impl HeaderList {
    /// Reads the text of a Headers field.
    ///
    /// # Errors
    /// All mistakes together, in the order of the text.
    pub fn parse(text: &str) -> Result<Self, Vec<HeaderError>> {
        parse::list(text)
    }

    /// Takes names and values as they are, such as from a JSON object or a TOML table: nothing is an escape in them.
    ///
    /// # Errors
    /// All mistakes together, each with the number of its entry.
    pub fn from_pairs<N, V>(pairs: impl IntoIterator<Item = (N, V)>) -> Result<Self, Vec<HeaderError>>
    where
        N: AsRef<str>,
        V: AsRef<str>,
    {
        parse::pairs(pairs)
    }

    /// Takes whole lines, `Name: value`, as from a command line: nothing is an escape in them.
    ///
    /// # Errors
    /// All mistakes together, each with the number of its line.
    pub fn from_lines<L: AsRef<str>>(lines: impl IntoIterator<Item = L>) -> Result<Self, Vec<HeaderError>> {
        parse::lines(lines)
    }

    /// This list followed by another.
    ///
    /// # Errors
    /// If a line that must stand once is in both, or there are too many lines.
    pub fn followed_by(mut self, other: Self) -> Result<Self, Vec<HeaderError>> {
        let pairs: Vec<_> =
            self.lines.drain(..).chain(other.lines).map(|line| (line.typed_name, line.value)).collect();
        Self::from_pairs(pairs.iter().map(|(name, value)| (name, value.to_str().unwrap_or_default())))
    }

    /// The same lines with other values. A value that none can have leaves its line as it is.
    #[must_use]
    pub fn with_values(&self, value: impl Fn(&HeaderLine) -> String) -> Self {
        let line = |line: &HeaderLine| {
            let value = HeaderValue::from_str(&value(line)).ok().filter(|value| value.to_str().is_ok());
            HeaderLine { value: value.unwrap_or_else(|| line.value.clone()), ..line.clone() }
        };
        Self { lines: self.lines.iter().map(line).collect() }
    }

    /// The lines, in order.
    pub fn iter(&self) -> impl Iterator<Item = &HeaderLine> {
        self.lines.iter()
    }

    /// Whether there is a line of this name, whatever its case.
    #[must_use]
    pub fn contains(&self, name: &HeaderName) -> bool {
        self.lines.iter().any(|line| line.name == *name)
    }
}

impl HeaderLine {
    /// The name, which ignores case.
    #[must_use]
    pub const fn name(&self) -> &HeaderName {
        &self.name
    }

    /// The value.
    #[must_use]
    pub const fn value(&self) -> &HeaderValue {
        &self.value
    }

    /// The value for people: `***` where the name speaks of a secret.
    #[must_use]
    pub fn shown(&self) -> &str {
        if is_secret(&self.name) { "***" } else { self.text() }
    }

    fn text(&self) -> &str {
        self.value.to_str().unwrap_or_default()
    }
}

/// Whether the value of a header is not to be shown: `Authorization`, `Cookie`, and names that speak of a token, a
/// secret, a key or a password.
#[must_use]
pub fn is_secret(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(name, "authorization" | "cookie" | "proxy-authorization" | "set-cookie")
        || ["token", "secret", "key", "password"].iter().any(|word| name.contains(word))
}

impl fmt::Display for HeaderList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, line) in self.lines.iter().enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            let value = typed(line.text());
            write!(f, "{comma}{}:{}{value}", line.typed_name, if value.is_empty() { "" } else { " " })?;
        }
        Ok(())
    }
}

impl fmt::Debug for HeaderList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.lines).finish()
    }
}

impl fmt::Debug for HeaderLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.typed_name, self.shown())
    }
}

/// A value as it is typed in a list: quoted parts stay readable where the quotes pair up, else every quote is escaped.
fn typed(value: &str) -> String {
    let (mut readable, mut escaped) = (String::new(), String::new());
    let (mut quoted, mut skip) = (false, false);
    for character in value.chars() {
        if matches!(character, ',' | '\\' | '"') {
            escaped.push('\\');
        }
        escaped.push(character);
        if !quoted && matches!(character, ',' | '\\') {
            readable.push('\\');
        }
        readable.push(character);
        if quoted && skip {
            skip = false;
        } else if character == '"' {
            quoted = !quoted;
        } else {
            skip = quoted && character == '\\';
        }
    }
    if quoted { escaped } else { readable }
}

/// Laws that a fuzzer plays against this module; each panics when its law is broken.
#[doc(hidden)]
pub mod properties {
    use super::{HeaderList, parse};

    /// What is accepted holds nothing that could start another line, survives being printed and read again, and reads alike
    /// whichever way it is read.
    pub fn reading(data: &[u8]) {
        let Ok(text) = std::str::from_utf8(data) else { return };
        if let Some(list) = parse::plain(text) {
            assert_eq!(parse::any(text), Ok(list), "the two readings differ");
        }
        let Ok(list) = HeaderList::parse(text) else { return };
        for line in list.iter() {
            let clean =
                line.value().as_bytes().iter().all(|&byte| byte == b'\t' || (b' '..=b'~').contains(&byte));
            assert!(clean, "a value with other than visible ASCII, space and tab was accepted");
        }
        let printed = list.to_string();
        assert!(HeaderList::parse(&printed).is_ok_and(|again| again == list), "printing changes the list");
    }
}

#[cfg(test)]
mod tests;

//! The types that a field of the typed event can have, each with its reading from and its writing to JSON.
//!
//! They are wider than what the sample shows: a value that we do not know is kept as it came.

mod number;

use std::fmt;

use crate::error::ParseError;
use crate::json::{self, Cursor};
use crate::labels::Names;

pub use number::{Decimal, Number};

/// Any JSON value, as text without white space between tokens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Json(Box<str>);

/// A string, or what else some senders write in its place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TextOr<T> {
    /// A string.
    Text(String),
    /// The other form.
    Other(T),
}

/// Integers by name, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counts(pub Vec<(String, Number)>);

/// Members that the schema does not have, by name, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Unknown(pub Vec<(String, Json)>);

macro_rules! open_set {
    ($(#[$about:meta])* $Name:ident { $($(#[$about_value:meta])* $Value:ident = $text:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum $Name {
            $($(#[$about_value])* $Value,)+
            /// A value that is not known here, kept as it came.
            Other(String),
        }

        impl $Name {
            /// The known values.
            pub const KNOWN: &[&str] = &[$($text),+];

            /// The value as it is written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$Value => $text,)+
                    Self::Other(text) => text,
                }
            }
        }

        impl From<&str> for $Name {
            fn from(text: &str) -> Self {
                match text {
                    $($text => Self::$Value,)+
                    other => Self::Other(other.to_owned()),
                }
            }
        }

        impl Default for $Name {
            fn default() -> Self {
                Self::Other(String::new())
            }
        }

        impl fmt::Display for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Value for $Name {
            fn read(cursor: &mut Cursor<'_>) -> Result<Self, ReadError> {
                Ok(Self::from(&*text(cursor)?))
            }

            #[inline(always)]
            fn write(&self, _: impl Names, out: &mut Vec<u8>) {
                json::write_string(self.as_str(), out);
            }
        }
    };
}

open_set! {
    /// Which change of an event's state an update tells.
    AlertType {
        /// The event has begun.
        Start = "start",
        /// The event goes on.
        Ongoing = "ongoing",
        /// The event is over.
        End = "end",
    }
}

open_set! {
    /// How grave an event is.
    Severity {
        /// Low.
        Low = "low",
        /// Medium.
        Medium = "medium",
        /// High.
        High = "high",
    }
}

/// A value that a field cannot hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The text is no update.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// A field holds something else.
    #[error("{path}: expected {expected}")]
    Mismatch {
        /// The field, in standard names.
        path: String,
        /// What it can hold.
        expected: &'static str,
    },
}

impl ReadError {
    fn expected(expected: &'static str) -> Self {
        Self::Mismatch { path: String::new(), expected }
    }

    pub(crate) fn under(self, name: &str) -> Self {
        match self {
            Self::Mismatch { path, expected } => {
                let path = match path.chars().next() {
                    None => name.to_owned(),
                    Some('[') => format!("{name}{path}"),
                    Some(_) => format!("{name}.{path}"),
                };
                Self::Mismatch { path, expected }
            }
            Self::Parse(error) => Self::Parse(error),
        }
    }
}

/// A type that stands for a JSON value.
pub(crate) trait Value: Sized {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, ReadError>;
    fn write(&self, names: impl Names, out: &mut Vec<u8>);
}

fn text(cursor: &mut Cursor<'_>) -> Result<String, ReadError> {
    match cursor.peek() {
        Some(b'"') => Ok(json::unescape(cursor.string()?).into_owned()),
        _ => Err(ReadError::expected("a string")),
    }
}

impl Json {
    /// One JSON value.
    ///
    /// # Errors
    /// If `text` is not exactly one JSON value within the limits of this crate.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Ok(Self(json::compact_text(text)?.into()))
    }

    /// The value as text without white space between tokens.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&serde_json::Value> for Json {
    fn from(value: &serde_json::Value) -> Self {
        Self(value.to_string().into())
    }
}

impl Value for Json {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, ReadError> {
        Ok(Self(cursor.raw(0)?.into()))
    }

    #[inline(always)]
    fn write(&self, _: impl Names, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0.as_bytes());
    }
}

impl Value for bool {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, ReadError> {
        match cursor.peek() {
            Some(b't' | b'f') => Ok(cursor.literal()? == "true"),
            _ => Err(ReadError::expected("true or false")),
        }
    }

    #[inline(always)]
    fn write(&self, _: impl Names, out: &mut Vec<u8>) {
        out.extend_from_slice(if *self { b"true" } else { b"false" });
    }
}

impl Value for String {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, ReadError> {
        text(cursor)
    }

    #[inline(always)]
    fn write(&self, _: impl Names, out: &mut Vec<u8>) {
        json::write_string(self, out);
    }
}

impl<T: Value> Value for Vec<T> {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, ReadError> {
        let mut items = Self::new();
        if cursor.peek() != Some(b'[') {
            return Err(ReadError::expected("an array"));
        }
        let mut more = cursor.open(b'[', b']', "an array")?;
        while more {
            items.push(T::read(cursor).map_err(|error| error.under(&format!("[{}]", items.len())))?);
            more = cursor.more(b']')?;
        }
        Ok(items)
    }

    fn write(&self, names: impl Names, out: &mut Vec<u8>) {
        write_list(self, (b'[', b']'), out, |item, out| item.write(names, out));
    }
}

impl<T: Value> Value for Option<T> {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, ReadError> {
        if cursor.peek() == Some(b'n') {
            cursor.literal()?;
            return Ok(None);
        }
        T::read(cursor).map(Some)
    }

    fn write(&self, names: impl Names, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.write(names, out),
            None => out.extend_from_slice(b"null"),
        }
    }
}

impl<T> Default for TextOr<T> {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl<T> From<&str> for TextOr<T> {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl<T: Value> Value for TextOr<T> {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, ReadError> {
        if cursor.peek() == Some(b'"') {
            text(cursor).map(Self::Text)
        } else {
            T::read(cursor).map(Self::Other)
        }
    }

    fn write(&self, names: impl Names, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => text.write(names, out),
            Self::Other(value) => value.write(names, out),
        }
    }
}

impl Value for Counts {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, ReadError> {
        let mut counts = Vec::new();
        if cursor.peek() != Some(b'{') {
            return Err(ReadError::expected("an object of integers"));
        }
        let mut more = cursor.open(b'{', b'}', "an object")?;
        while more {
            let name = json::unescape(cursor.key()?.1).into_owned();
            let count = Number::read(cursor).map_err(|error| error.under(&name))?;
            counts.push((name, count));
            more = cursor.more(b'}')?;
        }
        Ok(Self(counts))
    }

    fn write(&self, names: impl Names, out: &mut Vec<u8>) {
        write_list(&self.0, (b'{', b'}'), out, |(name, count), out| {
            json::write_string(name, out);
            out.push(b':');
            count.write(names, out);
        });
    }
}

fn write_list<T>(items: &[T], (open, close): (u8, u8), out: &mut Vec<u8>, write: impl Fn(&T, &mut Vec<u8>)) {
    out.push(open);
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        write(item, out);
    }
    out.push(close);
}

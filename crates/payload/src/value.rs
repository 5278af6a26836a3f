//! The types that a field of the typed event can have, each with its reading from and its writing to JSON.
//!
//! They are wider than what the sample shows: a value that we do not know is kept as it came.

mod number;

use std::fmt;

use crate::error::ParseError;
use crate::json::{self, Cursor};
use crate::labels::Inside;
use crate::out::Out;

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
            type Inside = ();

            fn read(cursor: &mut Cursor<'_>) -> Result<Self, ReadError> {
                Ok(Self::from(&*text(cursor)?))
            }

            #[inline(always)]
            fn write(&self, (): &(), out: &mut Out<'_>) -> bool {
                out.string(self.as_str());
                true
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
    /// The names that what is inside of it is written under.
    type Inside: Inside;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self, ReadError>;

    /// Appends it; says whether all members inside are of the schema.
    fn write(&self, names: &Self::Inside, out: &mut Out<'_>) -> bool;
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
    type Inside = ();

    fn read(cursor: &mut Cursor<'_>) -> Result<Self, ReadError> {
        Ok(Self(cursor.raw(0)?.into()))
    }

    #[inline(always)]
    fn write(&self, (): &(), out: &mut Out<'_>) -> bool {
        out.text(self.0.as_bytes());
        true
    }
}

impl Value for bool {
    type Inside = ();

    fn read(cursor: &mut Cursor<'_>) -> Result<Self, ReadError> {
        match cursor.peek() {
            Some(b't' | b'f') => Ok(cursor.literal()? == "true"),
            _ => Err(ReadError::expected("true or false")),
        }
    }

    #[inline(always)]
    fn write(&self, (): &(), out: &mut Out<'_>) -> bool {
        out.head(if *self { b"true " } else { b"false" }, 5 - usize::from(*self));
        true
    }
}

impl Value for String {
    type Inside = ();

    fn read(cursor: &mut Cursor<'_>) -> Result<Self, ReadError> {
        text(cursor)
    }

    #[inline(always)]
    fn write(&self, (): &(), out: &mut Out<'_>) -> bool {
        out.string(self);
        true
    }
}

impl<T: Value> Value for Vec<T> {
    type Inside = T::Inside;

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

    fn write(&self, names: &Self::Inside, out: &mut Out<'_>) -> bool {
        write_list(self, (b'[', b']'), out, |item, out| item.write(names, out))
    }
}

impl<T: Value> Value for Option<T> {
    type Inside = T::Inside;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self, ReadError> {
        if cursor.peek() == Some(b'n') {
            cursor.literal()?;
            return Ok(None);
        }
        T::read(cursor).map(Some)
    }

    fn write(&self, names: &Self::Inside, out: &mut Out<'_>) -> bool {
        match self {
            Some(value) => value.write(names, out),
            None => {
                out.head(b"null", 4);
                true
            }
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
    type Inside = T::Inside;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self, ReadError> {
        if cursor.peek() == Some(b'"') {
            text(cursor).map(Self::Text)
        } else {
            T::read(cursor).map(Self::Other)
        }
    }

    fn write(&self, names: &Self::Inside, out: &mut Out<'_>) -> bool {
        match self {
            Self::Text(text) => text.write(&(), out),
            Self::Other(value) => value.write(names, out),
        }
    }
}

impl Value for Counts {
    type Inside = ();

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

    fn write(&self, names: &Self::Inside, out: &mut Out<'_>) -> bool {
        write_list(&self.0, (b'{', b'}'), out, |(name, count), out| {
            out.string(name);
            out.byte(b':');
            count.write(names, out)
        })
    }
}

/// Says whether `write` said so of all items.
fn write_list<T>(
    items: &[T],
    (open, close): (u8, u8),
    out: &mut Out<'_>,
    write: impl Fn(&T, &mut Out<'_>) -> bool,
) -> bool {
    let mut all = true;
    out.byte(open);
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            out.byte(b',');
        }
        all &= write(item, out);
    }
    out.byte(close);
    all
}

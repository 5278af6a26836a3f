//! What can be wrong with header lines: where, what, and what to do.

use std::fmt;
use std::ops::Range;

use super::{MAX_LINES, MAX_TEXT};

/// A mistake in a list of header lines. `Display` says what is wrong, [`HeaderError::help`] what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderError {
    /// Where.
    pub place: Place,
    /// What.
    pub fault: HeaderFault,
}

/// Where a mistake is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Bytes of the text of a Headers field.
    Span(Range<usize>),
    /// The entry of a map or the line of a list, from 1, and its name.
    Entry(usize, String),
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderFault {
    /// An item has no colon.
    NoColon {
        /// The item with a colon, if that was forgotten.
        with_colon: String,
        /// The item before and this one as one value, if the comma belongs to it.
        as_value: Option<String>,
    },
    /// There is nothing before the colon.
    EmptyName,
    /// The name has a character that none can have.
    BadName(char),
    /// The sender writes this field itself.
    Owned(String),
    /// The value has a character that none can have.
    BadValue(char),
    /// A quote is never closed.
    OpenQuote,
    /// A backslash outside quotes stands before this, or at the end.
    BadEscape(Option<char>),
    /// A field that must stand once stands again.
    Repeated(String),
    /// The text is longer than [`MAX_TEXT`].
    TooLong,
    /// There are more than [`MAX_LINES`].
    TooMany,
}

impl HeaderError {
    /// What to do.
    #[must_use]
    pub fn help(&self) -> String {
        match &self.fault {
            HeaderFault::NoColon { with_colon, as_value: None } => {
                format!("put a colon after the name: {with_colon}")
            }
            HeaderFault::NoColon { with_colon, as_value: Some(as_value) } => format!(
                "if a colon was forgotten, write: {with_colon}\nif the comma belongs to the value before it, write: {as_value}"
            ),
            HeaderFault::EmptyName => "write the header's name before the colon".to_owned(),
            HeaderFault::BadName(_) => "names have letters, digits and !#$%&'*+-.^_`|~ only".to_owned(),
            HeaderFault::Owned(_) => "leave it out".to_owned(),
            HeaderFault::BadValue(_) => {
                "values have visible ASCII characters, spaces and tabs only".to_owned()
            }
            HeaderFault::OpenQuote => {
                "close the quote, or write \\\" for a quote that stands alone".to_owned()
            }
            HeaderFault::BadEscape(_) => {
                "write \\\\ for a backslash, \\, for a comma, \\\" for a quote".to_owned()
            }
            HeaderFault::Repeated(_) => "keep one of them".to_owned(),
            HeaderFault::TooLong => format!("at most {MAX_TEXT} bytes can be given"),
            HeaderFault::TooMany => format!("at most {MAX_LINES} lines can be given"),
        }
    }
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Span(_) => {}
            Place::Entry(number, name) if name.is_empty() => write!(f, "header {number}: ")?,
            Place::Entry(number, name) => write!(f, "header {number} ({name}): ")?,
        }
        self.fault.fmt(f)
    }
}

impl fmt::Display for HeaderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoColon { .. } => f.write_str("no colon between name and value"),
            Self::EmptyName => f.write_str("no name before the colon"),
            Self::BadName(character) => write!(f, "{} cannot stand in a header name", named(*character)),
            Self::Owned(name) => write!(f, "{name} is written by the sender itself"),
            Self::BadValue(character) => write!(f, "{} cannot stand in a header value", named(*character)),
            Self::OpenQuote => f.write_str("a quote that is never closed"),
            Self::BadEscape(Some(character)) => {
                write!(f, "a backslash before {} means nothing", named(*character))
            }
            Self::BadEscape(None) => f.write_str("a backslash at the end means nothing"),
            Self::Repeated(name) => write!(f, "{name} stands twice, and can stand once only"),
            Self::TooLong => write!(f, "the text is longer than {MAX_TEXT} bytes"),
            Self::TooMany => write!(f, "there are more than {MAX_LINES} lines"),
        }
    }
}

impl std::error::Error for HeaderError {}

/// A character as a person can tell it apart.
fn named(character: char) -> String {
    match character {
        '\r' => "a carriage return (CR)".to_owned(),
        '\n' => "a line feed (LF)".to_owned(),
        '\0' => "a NUL character".to_owned(),
        ' ' => "a space".to_owned(),
        '\t' => "a tab".to_owned(),
        character if character.is_control() => {
            format!("a control character (U+{:04X})", u32::from(character))
        }
        character => format!("{character:?}"),
    }
}

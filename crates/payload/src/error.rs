//! Why a text is not an update, and where.

use std::fmt;

/// How deep arrays and objects may nest: far beyond any update (the sample has 3), far below what a stack bears.
pub const MAX_DEPTH: usize = 64;

/// The longest text that is read, in bytes. 1,000 `ipinfo` items with 1,000 short records each stay below it, and an
/// offset into it fits 32 bits.
pub const MAX_BYTES: usize = 64 * 1024 * 1024;

/// A text that cannot be read as an update. `Display` says what is wrong and where, for the person who sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// What is wrong.
    pub fault: Fault,
    /// Where, in bytes from the start of the text.
    pub offset: usize,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// What can be wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is longer than [`MAX_BYTES`].
    TooLarge,
    /// Arrays and objects nest deeper than [`MAX_DEPTH`].
    TooDeep,
    /// A byte that is not part of a UTF-8 sequence.
    NotUtf8,
    /// The text is valid JSON but no object.
    NotAnObject,
    /// Something else was expected.
    Unexpected {
        /// What could stand there.
        expected: &'static str,
        /// What stands there; `None` at the end.
        found: Option<char>,
    },
    /// A string that is never closed.
    OpenString,
    /// A control character in a string that is not escaped.
    ControlCharacter,
    /// A backslash that starts no escape of RFC 8259, section 7.
    BadEscape,
    /// A number that is none by RFC 8259, section 6.
    BadNumber,
    /// A field that stands twice in one object.
    DuplicateField(String),
}

impl ParseError {
    pub(crate) fn new(text: &[u8], offset: usize, fault: Fault) -> Self {
        let before = &text[..offset.min(text.len())];
        let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        let column = 1 + String::from_utf8_lossy(&before[line_start..]).chars().count();
        Self { fault, offset, line, column }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.fault)
    }
}

impl std::error::Error for ParseError {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::TooLarge => write!(f, "longer than {} bytes", MAX_BYTES),
            Fault::TooDeep => write!(f, "nested deeper than {} levels", MAX_DEPTH),
            Fault::NotUtf8 => f.write_str("not UTF-8"),
            Fault::NotAnObject => f.write_str("an update is a JSON object"),
            Fault::Unexpected { expected, found: Some(found) } => {
                write!(f, "expected {expected}, found {found:?}")
            }
            Fault::Unexpected { expected, found: None } => write!(f, "expected {expected}, found the end"),
            Fault::OpenString => f.write_str("a string that is never closed"),
            Fault::ControlCharacter => f.write_str("a control character in a string must be escaped"),
            Fault::BadEscape => f.write_str("a backslash that starts no JSON escape"),
            Fault::BadNumber => f.write_str("not a JSON number"),
            Fault::DuplicateField(path) => write!(f, "the field {path} stands twice"),
        }
    }
}

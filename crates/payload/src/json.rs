//! A validating cursor over JSON text (RFC 8259) that drops white space between tokens as it goes.
//!
//! It exists because an update must leave as it came, number spelling, escapes and order included, and because the
//! places of its members must be known: a parser that builds a tree gives up both. It makes no tree and copies nothing
//! but the runs between dropped white space.

use std::borrow::Cow;
use std::ops::Range;

use crate::error::{Fault, MAX_BYTES, MAX_DEPTH, ParseError};
use crate::words::{self, WORD};

/// Whether it is white space (RFC 8259, section 2).
pub(crate) const fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// A place in a text that is read from left to right.
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    compact: Vec<u8>,
    run_start: usize,
    dropped: usize,
}

impl<'a> Cursor<'a> {
    /// A cursor at the start of `bytes`; refuses what is too large or not UTF-8.
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, ParseError> {
        if bytes.len() > MAX_BYTES {
            return Err(ParseError::new(bytes, MAX_BYTES, Fault::TooLarge));
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self { text, at: 0, compact: Vec::new(), run_start: 0, dropped: 0 }),
            Err(error) => Err(ParseError::new(bytes, error.valid_up_to(), Fault::NotUtf8)),
        }
    }

    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    /// The error `fault` at this place.
    pub(crate) fn error(&self, fault: Fault) -> ParseError {
        ParseError::new(self.bytes(), self.at, fault)
    }

    /// The error `fault` at byte `at` of the text as it came.
    pub(crate) fn error_at(&self, at: usize, fault: Fault) -> ParseError {
        ParseError::new(self.bytes(), at, fault)
    }

    fn unexpected(&self, expected: &'static str) -> ParseError {
        let found = self.text.get(self.at..).and_then(|rest| rest.chars().next());
        self.error(Fault::Unexpected { expected, found })
    }

    /// Where this place lies in the compact text.
    pub(crate) fn offset(&self) -> u32 {
        u32::try_from(self.at - self.dropped).expect("a text of at most MAX_BYTES has 32-bit offsets")
    }

    /// The next byte that is not white space, which is dropped.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        let next = *self.bytes().get(self.at)?;
        if next > b' ' { Some(next) } else { self.drop_space() }
    }

    #[cold]
    fn drop_space(&mut self) -> Option<u8> {
        let rest = &self.bytes()[self.at..];
        let space = rest.iter().take_while(|byte| is_white(**byte)).count();
        self.compact.extend_from_slice(&self.bytes()[self.run_start..self.at]);
        self.at += space;
        self.run_start = self.at;
        self.dropped += space;
        self.bytes().get(self.at).copied()
    }

    /// Steps over `open`; says whether an item follows (and not `close`, which is stepped over too).
    pub(crate) fn open(&mut self, open: u8, close: u8, expected: &'static str) -> Result<bool, ParseError> {
        if self.peek() != Some(open) {
            return Err(self.unexpected(expected));
        }
        self.at += 1;
        if self.peek() == Some(close) {
            self.at += 1;
            return Ok(false);
        }
        Ok(true)
    }

    /// Steps over the comma or the `close` after an item; says whether another item follows.
    pub(crate) fn more(&mut self, close: u8) -> Result<bool, ParseError> {
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            _ if close == b'}' => Err(self.unexpected("a comma or the end of the object")),
            _ => Err(self.unexpected("a comma or the end of the array")),
        }
    }

    /// Steps over a member's name and its colon; gives where the name starts and its text between the quotes, as typed.
    pub(crate) fn key(&mut self) -> Result<(usize, &'a str), ParseError> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("a member name in double quotes"));
        }
        let start = self.at;
        let key = self.string()?;
        if self.peek() != Some(b':') {
            return Err(self.unexpected("a colon"));
        }
        self.at += 1;
        Ok((start, key))
    }

    /// Steps over a string; gives its text between the quotes, as typed.
    pub(crate) fn string(&mut self) -> Result<&'a str, ParseError> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("a string"));
        }
        let start = self.at + 1;
        self.at = start;
        loop {
            let rest = &self.bytes()[self.at..];
            let plain = rest.iter().position(|&byte| byte == b'"' || byte == b'\\' || byte < b' ');
            self.at += plain.unwrap_or(rest.len());
            match self.bytes().get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(&self.text[start..self.at - 1]);
                }
                Some(b'\\') => self.escape()?,
                Some(_) => return Err(self.error(Fault::ControlCharacter)),
                None => return Err(self.error_at(start - 1, Fault::OpenString)),
            }
        }
    }

    fn escape(&mut self) -> Result<(), ParseError> {
        let length = match self.bytes().get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') => {
                let digits = self.bytes().get(self.at + 2..self.at + 6);
                if digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) { 6 } else { 0 }
            }
            _ => 0,
        };
        if length == 0 {
            return Err(self.error(Fault::BadEscape));
        }
        self.at += length;
        Ok(())
    }

    /// Steps over a number; gives its text.
    pub(crate) fn number(&mut self) -> Result<&'a str, ParseError> {
        self.peek();
        let start = self.at;
        self.at += usize::from(self.byte_is(b'-'));
        let whole = self.digits();
        if whole == 0 || (whole > 1 && self.bytes()[self.at - whole] == b'0') {
            return Err(self.error_at(start, Fault::BadNumber));
        }
        if self.byte_is(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return Err(self.error_at(start, Fault::BadNumber));
            }
        }
        if self.byte_is(b'e') || self.byte_is(b'E') {
            self.at += 1;
            self.at += usize::from(self.byte_is(b'+') || self.byte_is(b'-'));
            if self.digits() == 0 {
                return Err(self.error_at(start, Fault::BadNumber));
            }
        }
        Ok(&self.text[start..self.at])
    }

    fn byte_is(&self, byte: u8) -> bool {
        self.bytes().get(self.at) == Some(&byte)
    }

    fn digits(&mut self) -> usize {
        let count = self.bytes()[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        count
    }

    /// Steps over `true`, `false` or `null`; gives it.
    pub(crate) fn literal(&mut self) -> Result<&'static str, ParseError> {
        self.peek();
        let rest = &self.bytes()[self.at..];
        for literal in ["true", "false", "null"] {
            if rest.starts_with(literal.as_bytes()) {
                self.at += literal.len();
                return Ok(literal);
            }
        }
        Err(self.unexpected("a value"))
    }

    /// Steps over any value; `depth` is how many arrays and objects are open around it.
    pub(crate) fn skip(&mut self, depth: usize) -> Result<(), ParseError> {
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b'-' | b'0'..=b'9') => self.number().map(drop),
            Some(b'{' | b'[') if depth >= MAX_DEPTH => Err(self.error(Fault::TooDeep)),
            Some(b'{') => {
                let mut more = self.open(b'{', b'}', "an object")?;
                while more {
                    self.key()?;
                    self.skip(depth + 1)?;
                    more = self.more(b'}')?;
                }
                Ok(())
            }
            Some(b'[') => {
                let mut more = self.open(b'[', b']', "an array")?;
                while more {
                    self.skip(depth + 1)?;
                    more = self.more(b']')?;
                }
                Ok(())
            }
            _ => self.literal().map(drop),
        }
    }

    /// Steps over any value of a text without white space between tokens, and gives its text.
    pub(crate) fn raw(&mut self, depth: usize) -> Result<&'a str, ParseError> {
        let start = self.at;
        self.skip(depth)?;
        Ok(&self.text[start..self.at])
    }

    /// Makes sure that nothing but white space follows.
    pub(crate) fn end(&mut self) -> Result<(), ParseError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.unexpected("nothing more after the value")),
        }
    }

    /// The text without white space between tokens; `None` if it had none.
    pub(crate) fn into_compact(mut self) -> Option<Vec<u8>> {
        if self.dropped == 0 {
            return None;
        }
        self.compact.extend_from_slice(&self.text.as_bytes()[self.run_start..self.at]);
        Some(self.compact)
    }
}

/// One JSON value as text, white space between its tokens dropped.
pub(crate) fn compact_text(text: &str) -> Result<String, ParseError> {
    let mut cursor = Cursor::new(text.as_bytes())?;
    cursor.skip(0)?;
    cursor.end()?;
    let compact = cursor.into_compact().map(String::from_utf8);
    Ok(compact.and_then(Result::ok).unwrap_or_else(|| text.to_owned()))
}

/// Where the items of a compact array are; `array` is known to be one.
pub(crate) fn items(array: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut cursor = Cursor::new(array).ok();
    let opened = cursor.as_mut().and_then(|cursor| cursor.open(b'[', b']', "an array").ok());
    let mut more = opened.unwrap_or(false);
    std::iter::from_fn(move || {
        let cursor = cursor.as_mut().filter(|_| more)?;
        cursor.peek();
        let start = cursor.at;
        cursor.skip(1).ok()?;
        let end = cursor.at;
        more = cursor.more(b']').unwrap_or(false);
        Some(start..end)
    })
}

/// The characters that the text between a string's quotes stands for. Half a surrogate pair, which the grammar allows
/// and Unicode does not, reads as U+FFFD.
pub(crate) fn unescape(typed: &str) -> Cow<'_, str> {
    if !typed.contains('\\') {
        return Cow::Borrowed(typed);
    }
    let mut units = Vec::with_capacity(typed.len());
    let mut rest = typed.chars();
    while let Some(character) = rest.next() {
        let meant = match character {
            '\\' => match rest.next() {
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some('u') => {
                    let digits: String = rest.by_ref().take(4).collect();
                    units.push(u16::from_str_radix(&digits, 16).unwrap_or(0xFFFD));
                    continue;
                }
                Some(itself) => itself,
                None => break,
            },
            plain => plain,
        };
        units.extend_from_slice(meant.encode_utf16(&mut [0; 2]));
    }
    Cow::Owned(String::from_utf16_lossy(&units))
}

/// Appends `text` as a JSON string, quotes included.
pub(crate) fn write_string(text: &str, out: &mut Vec<u8>) {
    if text.is_empty() {
        out.extend_from_slice(b"\"\"");
    } else if is_plain(text.as_bytes()) {
        out.reserve(text.len() + 2);
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        serde_json::to_writer(out, text).expect("writing a string to memory cannot fail");
    }
}

/// Whether nothing in a string is to be escaped.
pub(crate) fn is_plain(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks::<WORD>();
    // The last word may hold bytes of the one before: it is no slower, and there are no single bytes left.
    let last = text.last_chunk::<WORD>().copied().unwrap_or_else(|| words::filled(rest));
    words::is_plain(last) && words.iter().all(|word| words::is_plain(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, compact: Option<&str>) {
        assert_eq!(compact_text(text).ok().as_deref(), compact, "{text:?}");
        let judged = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        assert_eq!(judged, compact.is_some(), "serde_json disagrees on {text:?}");
    }

    #[test]
    fn the_grammar_of_rfc_8259_is_kept() {
        for (text, compact) in [
            (" { \"a\" : [ 1 , 2.50 , -0 ] } ", Some("{\"a\":[1,2.50,-0]}")),
            ("[]", Some("[]")),
            ("[ ]", Some("[]")),
            ("{ }", Some("{}")),
            ("\"a  b\"", Some("\"a  b\"")),
            ("1e5", Some("1e5")),
            ("1E-05", Some("1E-05")),
            ("123456789012345678901234567890", Some("123456789012345678901234567890")),
            ("\"\\u00e9\\/\"", Some("\"\\u00e9\\/\"")),
            ("true", Some("true")),
            ("01", None),
            ("-", None),
            ("1.", None),
            (".5", None),
            ("1e", None),
            ("+1", None),
            ("[1,]", None),
            ("{\"a\":1,}", None),
            ("{\"a\"}", None),
            ("{a:1}", None),
            ("\"\\x\"", None),
            ("\"\\u12\"", None),
            ("\"\n\"", None),
            ("\"open", None),
            ("[1 2]", None),
            ("1 2", None),
            ("", None),
            ("nul", None),
            ("\u{a0}1", None),
        ] {
            check(text, compact);
        }
    }

    #[test]
    fn what_is_missed_is_named() {
        for (text, expected) in [
            ("[1 2]", "a comma or the end of the array"),
            ("{\"a\":1 2}", "a comma or the end of the object"),
            ("{\"a\"}", "a colon"),
            ("{a:1}", "a member name in double quotes"),
        ] {
            let fault = compact_text(text).unwrap_err().fault;
            assert!(
                matches!(fault, Fault::Unexpected { expected: named, .. } if named == expected),
                "{text}: {fault}"
            );
        }
    }

    #[test]
    fn nesting_ends_at_the_limit() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(compact_text(&nested(MAX_DEPTH)).is_ok());
        let error = compact_text(&nested(MAX_DEPTH + 1)).unwrap_err();
        assert_eq!((error.fault, error.offset), (Fault::TooDeep, MAX_DEPTH));
        let objects = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        assert!(compact_text(&objects(MAX_DEPTH)).is_ok());
        assert_eq!(compact_text(&objects(MAX_DEPTH + 1)).unwrap_err().fault, Fault::TooDeep);
    }

    #[test]
    fn strings_are_written_as_another_writer_does() {
        for place in 0..20 {
            for odd in (0..=u8::MAX).map(char::from) {
                let text = format!("{}{odd}{}", "a".repeat(place), "b".repeat(19 - place));
                let mut out = Vec::new();
                write_string(&text, &mut out);
                assert_eq!(out, serde_json::to_vec(&text).unwrap(), "{text:?}");
            }
        }
    }

    #[test]
    fn escapes_read_as_what_they_mean() {
        for (typed, meant) in [
            ("plain", "plain"),
            ("a\\n\\\"\\\\\\/", "a\n\"\\/"),
            ("\\u00e9", "é"),
            ("\\ud83d\\ude00", "😀"),
            ("\\ud83dx", "\u{fffd}x"),
            ("é\\t😀", "é\t😀"),
        ] {
            assert_eq!(unescape(typed), meant);
        }
    }
}

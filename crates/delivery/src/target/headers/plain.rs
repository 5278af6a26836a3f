//! The lines of a list as most people write it: nothing escaped, nothing wrong. Borrowed, and read in one pass.

/// The lines of a Headers field, in order: a name, and a value without the white space around it.
///
/// A line is a token, a colon, and visible ASCII, spaces and tabs, of which the text between double quotes may hold commas.
/// Where anything else stands the lines end with [`Odd`]; what it is, or what is wrong with it,
/// [`HeaderList::parse`](super::HeaderList::parse) knows. Names that nobody may give are for that to refuse, too.
///
/// Allocates nothing.
#[derive(Clone, Debug)]
pub struct PlainLines<'a> {
    text: &'a str,
    /// Where what is still to be read begins.
    at: usize,
}

/// There is an escape in the list, or a mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the list has an escape, or a mistake")]
pub struct Odd;

/// What a byte may be, as bits.
const TOKEN: u8 = 1;
const VALUE: u8 = 2;
const QUOTED: u8 = 4;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let character = byte as u8;
        if character.is_ascii_alphanumeric()
            || matches!(character, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
        {
            classes[byte] |= TOKEN;
        }
        if matches!(character, b'\t' | b' '..=b'~') && !matches!(character, b'"' | b'\\') {
            classes[byte] |= QUOTED;
            if character != b',' {
                classes[byte] |= VALUE;
            }
        }
        byte += 1;
    }
    classes
};

/// How many bytes are looked at without asking in between whether the text ends.
const STRIDE: usize = 8;

const fn is(byte: u8, class: u8) -> bool {
    CLASSES[byte as usize] & class != 0
}

/// Where a run of bytes of this class ends that begins here.
///
/// Byte by byte: the next byte does not wait for what the last one was, as the next word would wait for where the last one
/// ended, and so this is the faster way for runs as short as these.
#[inline(always)]
fn run(text: &[u8], mut at: usize, class: u8) -> usize {
    while let Some(bytes) = text.get(at..).and_then(<[u8]>::first_chunk::<STRIDE>) {
        for (step, &byte) in bytes.iter().enumerate() {
            if !is(byte, class) {
                return at + step;
            }
        }
        at += STRIDE;
    }
    while text.get(at).is_some_and(|&byte| is(byte, class)) {
        at += 1;
    }
    at
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// The first byte from here on that is no blank.
#[inline(always)]
fn without_blanks(text: &[u8], mut at: usize) -> usize {
    while text.get(at).is_some_and(|&byte| is_blank(byte)) {
        at += 1;
    }
    at
}

/// Where a value ends that begins here: at a comma, or with the text.
#[inline(always)]
fn value_end(text: &[u8], start: usize) -> Option<usize> {
    let mut at = run(text, start, VALUE);
    loop {
        match text.get(at) {
            None | Some(b',') => return Some(at),
            Some(b'"') => {
                let quote = run(text, at + 1, QUOTED);
                if text.get(quote) != Some(&b'"') {
                    return None;
                }
                at = run(text, quote + 1, VALUE);
            }
            Some(_) => return None,
        }
    }
}

impl<'a> PlainLines<'a> {
    /// The lines of `text`.
    #[must_use]
    pub const fn of(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The line that begins here, and the place behind it.
    #[inline(always)]
    fn line(&self) -> Option<((&'a str, &'a str), usize)> {
        let text = self.text.as_bytes();
        let name = self.at..run(text, self.at, TOKEN);
        let colon = without_blanks(text, name.end);
        if name.is_empty() || text.get(colon) != Some(&b':') {
            return None;
        }
        let start = without_blanks(text, colon + 1);
        let end = value_end(text, start)?;
        let mut visible = end;
        while visible > start && is_blank(text[visible - 1]) {
            visible -= 1;
        }
        Some(((self.text.get(name)?, self.text.get(start..visible)?), end))
    }
}

impl<'a> Iterator for PlainLines<'a> {
    type Item = Result<(&'a str, &'a str), Odd>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let text = self.text.as_bytes();
        while matches!(text.get(self.at)?, b' ' | b'\t' | b',') {
            self.at += 1;
        }
        let line = self.line();
        self.at = line.map_or(text.len(), |(_, end)| end);
        Some(line.map(|(line, _)| line).ok_or(Odd))
    }
}

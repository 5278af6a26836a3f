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
    rest: &'a [u8],
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

/// How many bytes of this class a text begins with.
fn run(text: &[u8], class: u8) -> usize {
    text.iter().position(|byte| CLASSES[usize::from(*byte)] & class == 0).unwrap_or(text.len())
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn without_blanks(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_blank(*first)
    {
        text = rest;
    }
    text
}

impl<'a> PlainLines<'a> {
    /// The lines of `text`.
    #[must_use]
    pub const fn of(text: &'a str) -> Self {
        Self { rest: text.as_bytes() }
    }

    fn line(&mut self) -> Option<(&'a str, &'a str)> {
        let (name, rest) = self.rest.split_at(run(self.rest, TOKEN));
        let value = without_blanks(without_blanks(rest).strip_prefix(b":")?);
        let mut end = 0;
        loop {
            end += run(&value[end..], VALUE);
            match value.get(end) {
                None | Some(b',') => break,
                Some(b'"') => {
                    end += 1 + run(&value[end + 1..], QUOTED);
                    if value.get(end) != Some(&b'"') {
                        return None;
                    }
                    end += 1;
                }
                Some(_) => return None,
            }
        }
        let (value, rest) = value.split_at(end);
        self.rest = rest;
        let blanks = value.iter().rev().take_while(|byte| is_blank(**byte)).count();
        let text = |bytes: &'a [u8]| std::str::from_utf8(bytes).ok();
        (!name.is_empty()).then_some(())?;
        Some((text(name)?, text(&value[..value.len() - blanks])?))
    }
}

impl<'a> Iterator for PlainLines<'a> {
    type Item = Result<(&'a str, &'a str), Odd>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.rest = without_blanks(self.rest);
            match self.rest {
                [] => return None,
                [b',', rest @ ..] => self.rest = rest,
                _ => break,
            }
        }
        let line = self.line().ok_or(Odd);
        if line.is_err() {
            self.rest = &[];
        }
        Some(line)
    }
}

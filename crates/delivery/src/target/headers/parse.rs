//! Reads header lines from the three forms in which people give them: a list, a map, single lines.

use std::ops::Range;

use http::{HeaderName, HeaderValue};

use super::error::{HeaderError, HeaderFault, Place};
use super::plain::PlainLines;
use super::{HeaderLine, HeaderList, MAX_LINES, MAX_TEXT, OWNED, SINGLETONS};

/// A character of an item and where it stands; an escaped one stands where its backslash does.
#[derive(Clone, Copy)]
struct Typed {
    character: char,
    start: usize,
    end: usize,
}

pub(super) fn list(text: &str) -> Result<HeaderList, Vec<HeaderError>> {
    if text.len() > MAX_TEXT {
        let place = Place::Span(MAX_TEXT..text.len());
        return Err(vec![HeaderError { place, fault: HeaderFault::TooLong }]);
    }
    match plain(text) {
        Some(list) => Ok(list),
        None => any(text),
    }
}

/// A list in which nothing is escaped and nothing is wrong.
pub(super) fn plain(text: &str) -> Option<HeaderList> {
    let mut lines: Vec<HeaderLine> = Vec::new();
    for line in PlainLines::of(text) {
        let (typed_name, value) = line.ok()?;
        let name = HeaderName::from_bytes(typed_name.as_bytes()).ok()?;
        if lines.len() == MAX_LINES || is_owned(&name) || is_repeated(&name, &lines) {
            return None;
        }
        let value = HeaderValue::from_str(value).ok()?;
        lines.push(HeaderLine { typed_name: typed_name.to_owned(), name, value });
    }
    Some(HeaderList { lines })
}

/// Any list, with all that is wrong with it.
pub(super) fn any(text: &str) -> Result<HeaderList, Vec<HeaderError>> {
    let mut reading = Reading::default();
    let mut before: Option<Range<usize>> = None;
    for item in split(text, &mut reading.errors) {
        let Some(span) = span(trim(&item)) else { continue };
        match item.iter().position(|typed| typed.character == ':') {
            Some(colon) => {
                let (name, value) = (trim(&item[..colon]), trim(&item[colon + 1..]));
                reading.line(
                    &Raw { name, value, at: |range| Place::Span(range) },
                    // What is missing has its place where it is missed.
                    span.start..item[colon].end,
                );
            }
            None => reading.error(Place::Span(span.clone()), no_colon(text, &span, before.as_ref())),
        }
        before = Some(span);
    }
    reading.finish()
}

fn no_colon(text: &str, item: &Range<usize>, before: Option<&Range<usize>>) -> HeaderFault {
    let typed = &text[item.clone()];
    let with_colon = match typed.split_once([' ', '\t']) {
        Some((name, value)) => format!("{name}: {}", value.trim_start()),
        None => format!("{typed}:"),
    };
    let as_value = before.map(|before| format!("{}\\, {typed}", &text[before.clone()]));
    HeaderFault::NoColon { with_colon, as_value }
}

pub(super) fn pairs<N, V>(pairs: impl IntoIterator<Item = (N, V)>) -> Result<HeaderList, Vec<HeaderError>>
where
    N: AsRef<str>,
    V: AsRef<str>,
{
    let mut reading = Reading::default();
    for (number, (name, value)) in (1..).zip(pairs) {
        reading.entry(number, name.as_ref(), value.as_ref());
    }
    reading.finish()
}

pub(super) fn lines<L: AsRef<str>>(
    lines: impl IntoIterator<Item = L>,
) -> Result<HeaderList, Vec<HeaderError>> {
    let mut reading = Reading::default();
    for (number, line) in (1..).zip(lines) {
        let line = line.as_ref();
        match line.split_once(':') {
            Some((name, value)) => reading.entry(number, name, value),
            None => {
                let fault = no_colon(line, &(0..line.len()), None);
                reading.error(Place::Entry(number, String::new()), fault);
            }
        }
    }
    reading.finish()
}

/// Splits a text into items at the commas outside quotes, and takes the escapes away.
fn split(text: &str, errors: &mut Vec<HeaderError>) -> Vec<Vec<Typed>> {
    let mut items = vec![Vec::new()];
    let mut characters = text.char_indices().peekable();
    let mut open_quote = None;
    while let Some((start, character)) = characters.next() {
        let end = start + character.len_utf8();
        let typed = Typed { character, start, end };
        let next = characters.peek().copied();
        let item = items.last_mut().expect("it starts with one item and only grows");
        match (open_quote, character, next) {
            (None, '\\', Some((_, escaped @ (',' | '\\' | '"')))) => {
                characters.next();
                item.push(Typed { character: escaped, start, end: end + 1 });
            }
            (None, '\\', other) => {
                let place = Place::Span(start..other.map_or(end, |(at, other)| at + other.len_utf8()));
                errors.push(HeaderError {
                    place,
                    fault: HeaderFault::BadEscape(other.map(|(_, other)| other)),
                });
            }
            (None, ',', _) => items.push(Vec::new()),
            (None, '"', _) => {
                open_quote = Some(start);
                item.push(typed);
            }
            (Some(_), '"', _) => {
                open_quote = None;
                item.push(typed);
            }
            // Both are sent as typed; the backslash only keeps the next character from closing the quote.
            (Some(_), '\\', Some((at, escaped))) => {
                characters.next();
                item.extend([typed, Typed { character: escaped, start: at, end: at + escaped.len_utf8() }]);
            }
            (_, _, _) => item.push(typed),
        }
    }
    if let Some(start) = open_quote {
        errors.push(HeaderError { place: Place::Span(start..text.len()), fault: HeaderFault::OpenQuote });
    }
    items
}

fn trim(mut item: &[Typed]) -> &[Typed] {
    while let [first, rest @ ..] = item
        && matches!(first.character, ' ' | '\t')
    {
        item = rest;
    }
    while let [rest @ .., last] = item
        && matches!(last.character, ' ' | '\t')
    {
        item = rest;
    }
    item
}

fn span(item: &[Typed]) -> Option<Range<usize>> {
    Some(item.first()?.start..item.last()?.end)
}

/// A line whose characters still know where they stand.
struct Raw<'a, P> {
    name: &'a [Typed],
    value: &'a [Typed],
    at: P,
}

#[derive(Default)]
struct Reading {
    lines: Vec<HeaderLine>,
    errors: Vec<HeaderError>,
}

impl Reading {
    fn error(&mut self, place: Place, fault: HeaderFault) {
        self.errors.push(HeaderError { place, fault });
    }

    fn entry(&mut self, number: usize, name: &str, value: &str) {
        let typed = |text: &str| -> Vec<Typed> {
            let typed = |(start, character): (usize, char)| Typed { character, start, end: start };
            text.char_indices().map(typed).collect()
        };
        let (name_characters, value) = (typed(name), typed(value));
        let shown = name.trim();
        let at = |_: Range<usize>| Place::Entry(number, shown.to_owned());
        self.line(&Raw { name: trim(&name_characters), value: trim(&value), at }, 0..0);
    }

    /// Takes in one line; `around` is the place of what is not there.
    fn line<P: Fn(Range<usize>) -> Place>(&mut self, raw: &Raw<'_, P>, around: Range<usize>) {
        let errors = self.errors.len();
        let typed_name: String = raw.name.iter().map(|typed| typed.character).collect();
        let value: String = raw.value.iter().map(|typed| typed.character).collect();
        let bad_name = raw.name.iter().find(|typed| !is_token(typed.character));
        if let Some(bad) = bad_name {
            self.error((raw.at)(bad.start..bad.end), HeaderFault::BadName(bad.character));
        }
        if let Some(bad) = raw.value.iter().find(|typed| !matches!(typed.character, '\t' | ' '..='~')) {
            self.error((raw.at)(bad.start..bad.end), HeaderFault::BadValue(bad.character));
        }
        let name_span = span(raw.name);
        let place = (raw.at)(name_span.unwrap_or(around));
        let name = typed_name.parse::<HeaderName>();
        match &name {
            _ if typed_name.is_empty() => self.error(place, HeaderFault::EmptyName),
            Ok(name) if is_owned(name) => {
                self.error(place, HeaderFault::Owned(typed_name.clone()));
            }
            Ok(name) if is_repeated(name, &self.lines) => {
                self.error(place, HeaderFault::Repeated(typed_name.clone()));
            }
            Ok(_) if self.lines.len() == MAX_LINES => self.error(place, HeaderFault::TooMany),
            // A token longer than `http` takes (64 KiB) cannot come out of a text of `MAX_TEXT`, but can out of a map.
            Err(_) if bad_name.is_none() => self.error(place, HeaderFault::TooLong),
            Ok(_) | Err(_) => {}
        }
        if let (Ok(name), Ok(value), true) =
            (name, HeaderValue::from_str(&value), errors == self.errors.len())
        {
            self.lines.push(HeaderLine { typed_name, name, value });
        }
    }

    fn finish(mut self) -> Result<HeaderList, Vec<HeaderError>> {
        if self.errors.is_empty() {
            // Kept for as long as its target is, and there may be thousands.
            self.lines.shrink_to_fit();
            return Ok(HeaderList { lines: self.lines });
        }
        self.errors.sort_by_key(|error| match &error.place {
            Place::Span(span) => span.start,
            Place::Entry(number, _) => *number,
        });
        Err(self.errors)
    }
}

fn is_owned(name: &HeaderName) -> bool {
    OWNED.contains(&name.as_str()) || name.as_str().starts_with("proxy-")
}

/// Whether it may stand once only, and does already.
fn is_repeated(name: &HeaderName, lines: &[HeaderLine]) -> bool {
    SINGLETONS.contains(&name.as_str()) && lines.iter().any(|line| line.name == *name)
}

/// RFC 9110, section 5.6.2.
fn is_token(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(character)
}

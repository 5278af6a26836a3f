//! What can be asked of an update that was read, wherever its bytes lie.

use std::borrow::Cow;

use super::{Member, Top, What, quoted};
use crate::schema::Field;

/// An update that was read, borrowed from an [`Update`](super::Update) or a [`Reader`](super::Reader).
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub(super) text: &'a [u8],
    pub(super) members: &'a [Member],
    pub(super) top: &'a Top,
}

impl<'a> View<'a> {
    /// The update as JSON text without white space between tokens.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.text
    }

    pub(crate) const fn members(self) -> &'a [Member] {
        self.members
    }

    /// The value of a field of the update itself as JSON text; `None` if it is absent or `field` is a nested one.
    #[must_use]
    pub fn raw(self, field: Field) -> Option<&'a str> {
        self.members.get(self.place(field)?).map(|member| member.value(self.text))
    }

    /// The place of a field of the update itself among the members.
    #[inline]
    pub(crate) fn place(self, field: Field) -> Option<usize> {
        let place = usize::try_from(*self.top.places.get(field.index())?).ok()?;
        (place < self.members.len()).then_some(place)
    }

    /// How many items a field of the update itself has that holds items of the schema.
    pub(crate) fn items(self, field: Field) -> usize {
        let Some(place) = self.place(field) else { return 0 };
        let end = self.members[place].value_range().end;
        let inside = self.members[place + 1..].iter().take_while(|member| member.value_range().end <= end);
        inside.filter(|member| member.what == What::Item).count()
    }

    /// Whether there is any member that the schema does not have.
    pub(crate) const fn has_unknown(self) -> bool {
        self.top.unknown
    }

    /// The characters of a field that holds a string; borrowed, unless it has escapes.
    #[must_use]
    pub fn text(self, field: Field) -> Option<Cow<'a, str>> {
        quoted(self.raw(field)?)
    }

    /// The strings of a field that holds an array of strings, each as [`View::text`]; none if it holds none.
    #[must_use]
    pub fn texts(self, field: Field) -> Texts<'a> {
        Texts { rest: self.raw(field).and_then(|raw| raw.strip_prefix('[')).unwrap_or_default() }
    }

    /// The value of a field that holds an integer; `None` as well if it is beyond 64 bits.
    #[must_use]
    pub fn integer(self, field: Field) -> Option<i64> {
        self.raw(field)?.parse().ok()
    }

    /// The value of a field that holds a boolean.
    #[must_use]
    pub fn flag(self, field: Field) -> Option<bool> {
        self.raw(field)?.parse().ok()
    }

    /// The event's id.
    #[must_use]
    pub fn id(self) -> Option<Cow<'a, str>> {
        self.text(Field::ID)
    }

    /// `start`, `ongoing` or `end`, or what else came.
    #[must_use]
    pub fn alerttype(self) -> Option<Cow<'a, str>> {
        self.text(Field::ALERTTYPE)
    }
}

/// The strings of an array, one after the other; what else is in it is passed over.
#[derive(Clone, Debug)]
pub struct Texts<'a> {
    /// What follows the items so far, in an array that is known to be one and has no white space.
    rest: &'a str,
}

impl<'a> Iterator for Texts<'a> {
    type Item = Cow<'a, str>;

    fn next(&mut self) -> Option<Cow<'a, str>> {
        while !matches!(self.rest, "" | "]") {
            if let Some((text, rest)) = self.rest.strip_prefix('"').and_then(plain_string) {
                self.rest = rest.strip_prefix(',').unwrap_or(rest);
                return Some(Cow::Borrowed(text));
            }
            let (item, rest) = self.rest.split_at(item_length(self.rest.as_bytes()));
            self.rest = rest.strip_prefix(',').unwrap_or(rest);
            if let Some(text) = quoted(item) {
                return Some(text);
            }
        }
        None
    }
}

/// The characters of a string without escapes whose first quote was taken, and what follows it.
fn plain_string(text: &str) -> Option<(&str, &str)> {
    let end = text.bytes().position(|byte| matches!(byte, b'"' | b'\\'))?;
    Some((&text[..end], text[end..].strip_prefix('"')?))
}

/// How long the item is that a text begins with.
fn item_length(text: &[u8]) -> usize {
    let (mut depth, mut quote, mut at) = (0_usize, false, 0);
    while let Some(byte) = text.get(at) {
        match byte {
            b'\\' => at += 1,
            b'"' => quote = !quote,
            _ if quote => {}
            b'[' | b'{' => depth += 1,
            b',' | b']' if depth == 0 => return at,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    text.len()
}

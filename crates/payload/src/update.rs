//! One state update of an event: its bytes, and where its members are.
//!
//! Nothing is taken apart that does not have to be: number spelling, escapes, order and unknown members stay as they
//! came, because the bytes stay. Reading drops the white space between tokens and changes nothing else.

mod fast;
mod reader;
mod view;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::{Fault, MAX_BYTES, MAX_DEPTH, ParseError};
use crate::json::{self, Cursor};
use crate::lookup::Lookup;
use crate::schema::{Field, Kind, Node, TOP_LEVEL};

pub use reader::Reader;
pub use view::{Texts, View};

/// One state update, read once and known to be a JSON object in which no known field stands twice.
///
/// What its fields hold is not judged by reading it; [`check`](crate::check::check) does that. Cloning shares the bytes.
#[derive(Clone, Debug)]
pub struct Update {
    bytes: Bytes,
    members: Arc<Vec<Member>>,
    top: Top,
}

/// The places of the update's own fields among its members, and whether any member is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Top {
    places: [u32; TOP_LEVEL],
    unknown: bool,
}

impl Default for Top {
    fn default() -> Self {
        Self { places: [ABSENT; TOP_LEVEL], unknown: false }
    }
}

/// A member of one of the schema's objects, in the order of the text. Offsets are into the compact text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) what: What,
    /// The object that it stands in.
    pub(crate) node: Node,
    key_start: u32,
    value_start: u32,
    value_end: u32,
}

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A field of the schema.
    Field(Field),
    /// A name that the schema does not have.
    Unknown,
    /// No member but an item of an array whose items have fields.
    Item,
}

const _: () =
    assert!(TOP_LEVEL <= u64::BITS as usize, "the quick reading has a bit for each field of an object");

const ABSENT: u32 = u32::MAX;

/// How many members an update has that tells of one address.
const MEMBERS: usize = 112;

impl Update {
    /// Reads an update under the standard names.
    ///
    /// # Errors
    /// If `text` is not one JSON object (RFC 8259) within [`MAX_BYTES`] and
    /// [`MAX_DEPTH`], or a known field stands twice in one object.
    pub fn parse(text: impl Into<Bytes>) -> Result<Self, ParseError> {
        let (bytes, members) = scan(text.into(), Lookup::standard())?;
        Ok(Self { bytes, top: top(&members), members: Arc::new(members) })
    }

    /// The update as JSON text without white space between tokens.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same, shared.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        self.bytes.clone()
    }

    /// The same, borrowed.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View { text: &self.bytes, members: &self.members, top: &self.top }
    }

    /// See [`View::raw`].
    #[must_use]
    pub fn raw(&self, field: Field) -> Option<&str> {
        self.view().raw(field)
    }

    /// See [`View::text`].
    #[must_use]
    pub fn text(&self, field: Field) -> Option<Cow<'_, str>> {
        self.view().text(field)
    }

    /// See [`View::texts`].
    #[must_use]
    pub fn texts(&self, field: Field) -> Texts<'_> {
        self.view().texts(field)
    }

    /// See [`View::integer`].
    #[must_use]
    pub fn integer(&self, field: Field) -> Option<i64> {
        self.view().integer(field)
    }

    /// See [`View::flag`].
    #[must_use]
    pub fn flag(&self, field: Field) -> Option<bool> {
        self.view().flag(field)
    }

    /// See [`View::id`].
    #[must_use]
    pub fn id(&self) -> Option<Cow<'_, str>> {
        self.view().id()
    }

    /// See [`View::alerttype`].
    #[must_use]
    pub fn alerttype(&self) -> Option<Cow<'_, str>> {
        self.view().alerttype()
    }
}

/// Where each field of the update itself stands among the members.
fn top(members: &[Member]) -> Top {
    let mut top = Top::default();
    for (position, member) in (0..).zip(members) {
        top.unknown |= member.what == What::Unknown;
        if let (Node::ROOT, What::Field(field)) = (member.node, member.what) {
            top.places[field.index()] = position;
        }
    }
    top
}

impl std::str::FromStr for Update {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text.to_owned())
    }
}

impl Member {
    /// One whose value begins at `value_start`, and whose end is not known yet.
    const fn opening(what: What, node: Node, key_start: u32, value_start: u32) -> Self {
        Self { what, node, key_start, value_start, value_end: value_start }
    }

    fn range(from: u32, to: u32) -> Range<usize> {
        from as usize..to as usize
    }

    /// Its name and colon, its value, as places in the text.
    pub(crate) fn key_start(&self) -> usize {
        self.key_start as usize
    }

    pub(crate) fn value_range(&self) -> Range<usize> {
        Self::range(self.value_start, self.value_end)
    }

    /// Its name between the quotes, as typed.
    pub(crate) fn typed_name<'t>(&self, text: &'t [u8]) -> &'t str {
        // `"name":` without the first quote and the last two bytes.
        let name = text.get(self.key_start() + 1..self.value_range().start.saturating_sub(2));
        std::str::from_utf8(name.unwrap_or_default()).unwrap_or_default()
    }

    /// Its value as JSON text.
    pub(crate) fn value<'t>(&self, text: &'t [u8]) -> &'t str {
        std::str::from_utf8(self.bytes(text)).unwrap_or_default()
    }

    /// The same, not looked at.
    pub(crate) fn bytes<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        &text[self.value_range()]
    }
}

/// The characters of a value if it is a string.
pub(crate) fn quoted(value: &str) -> Option<Cow<'_, str>> {
    Some(json::unescape(value.strip_prefix('"')?.strip_suffix('"')?))
}

/// What a reading gives: the text without white space between tokens, and the members of the schema's objects.
pub(crate) type Read = (Bytes, Vec<Member>);

/// Reads `text` under the names of `lookup`.
pub(crate) fn scan(text: Bytes, lookup: &Lookup) -> Result<Read, ParseError> {
    match quick(&text, lookup) {
        Some(read) => Ok(read),
        None => plain(text, lookup),
    }
}

/// The reading of most texts, in a fraction of the time. What it gives is what the plain one gives; on all else it gives up.
pub(crate) fn quick(text: &Bytes, lookup: &Lookup) -> Option<Read> {
    if text.len() > MAX_BYTES {
        return None;
    }
    let mut found = fast::Found::new();
    if fast::compact(text, lookup, &mut found).is_some() {
        return Some((text.clone(), found.members));
    }
    let mut compact = Vec::new();
    found.clear();
    let length = fast::spaced(text, lookup, &mut found, &mut compact)?;
    compact.truncate(length);
    Some((compact.into(), found.members))
}

/// The reading of any text, with all that is to be said of it.
pub(crate) fn plain(text: Bytes, lookup: &Lookup) -> Result<Read, ParseError> {
    let mut scan = Scan { cursor: Cursor::new(&text)?, lookup, members: Vec::with_capacity(MEMBERS) };
    if scan.cursor.peek() != Some(b'{') {
        scan.cursor.skip(0)?;
        scan.cursor.end()?;
        return Err(scan.cursor.error_at(0, Fault::NotAnObject));
    }
    scan.object(Node::ROOT, 0)?;
    scan.cursor.end()?;
    let (compact, members) = (scan.cursor.into_compact(), scan.members);
    Ok((compact.map_or(text, Bytes::from), members))
}

struct Scan<'a> {
    cursor: Cursor<'a>,
    lookup: &'a Lookup,
    members: Vec<Member>,
}

impl Scan<'_> {
    fn object(&mut self, node: Node, depth: usize) -> Result<(), ParseError> {
        debug_assert!(depth < MAX_DEPTH, "the schema nests far less deep than the limit");
        let mut seen = 0_u64;
        let mut hint = 0;
        let first = node.fields().next().map_or(0, Field::index);
        let mut more = self.cursor.open(b'{', b'}', "an object")?;
        while more {
            self.cursor.peek();
            let key_start = self.cursor.offset();
            let (key_at, typed) = self.cursor.key()?;
            let field = self.lookup.field(node, typed, &mut hint);
            if let Some(field) = field {
                let bit = 1 << (field.index() - first);
                if seen & bit != 0 {
                    let path = field.path().to_owned();
                    return Err(self.cursor.error_at(key_at, Fault::DuplicateField(path)));
                }
                seen |= bit;
            }
            let what = field.map_or(What::Unknown, What::Field);
            self.value(what, node, key_start, depth + 1)?;
            more = self.cursor.more(b'}')?;
        }
        Ok(())
    }

    fn value(&mut self, what: What, node: Node, key_start: u32, depth: usize) -> Result<(), ParseError> {
        let next = self.cursor.peek();
        let position = self.members.len();
        let value_start = self.cursor.offset();
        self.members.push(Member::opening(what, node, key_start, value_start));
        let inner = match what {
            What::Field(field) => field.child().map(|child| (child, field.kind())),
            What::Unknown | What::Item => None,
        };
        match (inner, next) {
            (Some((child, Kind::Object(_))), Some(b'{')) => self.object(child, depth)?,
            (Some((child, Kind::Items(_))), Some(b'[')) => self.items(child, depth)?,
            _ => self.cursor.skip(depth)?,
        }
        self.members[position].value_end = self.cursor.offset();
        Ok(())
    }

    fn items(&mut self, node: Node, depth: usize) -> Result<(), ParseError> {
        let mut more = self.cursor.open(b'[', b']', "an array")?;
        while more {
            let next = self.cursor.peek();
            let (position, start) = (self.members.len(), self.cursor.offset());
            self.members.push(Member::opening(What::Item, node, start, start));
            if next == Some(b'{') {
                self.object(node, depth + 1)?;
            } else {
                self.cursor.skip(depth + 1)?;
            }
            self.members[position].value_end = self.cursor.offset();
            more = self.cursor.more(b']')?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

//! Reads an update that is as most are: without escapes in names, and with white space, if there is any, between tokens only.
//!
//! It gives up on everything else, and on every fault, without saying why: then the plain reading decides, which knows all forms
//! and tells each fault with its place. So nothing but time hangs on what is taken here, as long as what is taken is what the
//! plain reading takes; the two are played against each other.
//!
//! Every step takes the place where it begins and gives the one behind it, so that the place stays in a register.

mod number;
mod spaces;

use wide::u8x16;

use super::{MEMBERS, Member, Top, What};
use crate::blocks::{self, BLOCK};
use crate::error::MAX_DEPTH;
use crate::lookup::{HEAD, Inside, Lookup, Name, Names, head};
use crate::schema::{Field, Node};

/// What is found in a text: the members of the schema's objects, and the places of the update's own among them. What is in
/// them before a reading must be taken out.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) members: Vec<Member>,
    pub(super) top: Top,
}

impl Found {
    /// With room for usual updates.
    pub(super) fn new() -> Self {
        Self { members: Vec::with_capacity(MEMBERS), top: Top::default() }
    }

    pub(super) fn clear(&mut self) {
        self.members.clear();
        self.top = Top::default();
    }

    /// The next member is this field.
    #[inline(always)]
    fn place(&mut self, field: Field) {
        if let Some(place) = self.top.places.get_mut(field.index()) {
            *place = offset(self.members.len());
        }
    }
}

/// Reads a text without white space between tokens.
pub(super) fn compact(text: &[u8], lookup: &Lookup, found: &mut Found) -> Option<()> {
    let mut scan = Scan { text, seen: blocks::all(0), lookup, found };
    scan.all()
}

/// Reads a text with white space between tokens, and puts the same without it at the beginning of `out`, into which the members'
/// places are. Gives how long that is; what lies behind means nothing.
pub(super) fn spaced(text: &[u8], lookup: &Lookup, found: &mut Found, out: &mut Vec<u8>) -> Option<usize> {
    let length = spaces::squeeze(text, out)?;
    compact(&out[..length], lookup, found)?;
    Some(length)
}

/// A reading under way.
struct Scan<'a> {
    text: &'a [u8],
    /// The bits of all blocks of strings.
    seen: u8x16,
    lookup: &'a Lookup,
    found: &'a mut Found,
}

#[expect(clippy::cast_possible_truncation, reason = "a text of at most MAX_BYTES has 32-bit offsets")]
const fn offset(at: usize) -> u32 {
    at as u32
}

/// What follows an item.
enum More {
    /// Another, here.
    Item(usize),
    /// Nothing; this is behind the end.
    End(usize),
}

impl Scan<'_> {
    fn all(&mut self) -> Option<()> {
        if self.byte(0)? != b'{' {
            return None;
        }
        let end = self.object(0, Node::ROOT, 0)?;
        // What is between quotes is the only place where there can be anything beyond ASCII.
        let valid = !blocks::beyond_ascii(self.seen) || std::str::from_utf8(self.text).is_ok();
        (end == self.text.len() && valid).then_some(())
    }

    /// Behind an item: where the next one begins, or the end behind `close`.
    #[inline(always)]
    fn more(&mut self, at: usize, close: u8) -> Option<More> {
        match self.byte(at)? {
            b',' => Some(More::Item(at + 1)),
            byte if byte == close => Some(More::End(at + 1)),
            _ => None,
        }
    }

    #[inline]
    fn byte(&self, at: usize) -> Option<u8> {
        self.text.get(at).copied()
    }

    /// The first bytes from here on, as names are compared.
    #[inline(always)]
    fn head(&self, at: usize) -> u128 {
        match self.text.get(at..).and_then(<[u8]>::first_chunk::<HEAD>) {
            Some(bytes) => u128::from_le_bytes(*bytes),
            None => self.last_head(at),
        }
    }

    #[cold]
    fn last_head(&self, at: usize) -> u128 {
        head(self.text.get(at..).unwrap_or_default())
    }

    fn object(&mut self, open: usize, node: Node, depth: usize) -> Option<usize> {
        let names = self.lookup.of(node);
        let (mut found, mut hint) = (0_u64, 0);
        let mut at = open + 1;
        if self.byte(at)? == b'}' {
            return Some(at + 1);
        }
        loop {
            let start = offset(at);
            let name;
            (at, name) = self.name(at, names, &mut hint)?;
            let (what, inside) = match name {
                Some(name) => {
                    if found & name.bit != 0 {
                        return None;
                    }
                    found |= name.bit;
                    self.found.place(name.field);
                    (What::Field(name.field), name.inside)
                }
                None => {
                    self.found.top.unknown = true;
                    (What::Unknown, Inside::Nothing)
                }
            };
            let value = offset(at);
            if inside == Inside::Nothing {
                at = self.value(at, depth + 1)?;
                let member = Member::opening(what, node, start, value);
                self.found.members.push(Member { value_end: offset(at), ..member });
            } else {
                at = self.container(at, Member::opening(what, node, start, value), inside, depth + 1)?;
            }
            match self.more(at, b'}')? {
                More::Item(next) => at = next,
                More::End(end) => return Some(end),
            }
        }
    }

    /// Steps over a name and its colon; gives it if it is known.
    #[inline(always)]
    fn name<'n>(&mut self, at: usize, names: &'n Names, hint: &mut u32) -> Option<(usize, Option<&'n Name>)> {
        let head = self.head(at);
        if let Some(name) = names.expected(head, *hint) {
            *hint += 1;
            return Some((at + name.length(), Some(name)));
        }
        if let Some((name, position, length)) = names.short(head) {
            *hint = position + 1;
            return Some((at + length, Some(name)));
        }
        self.rare_name(at, head, names, hint)
    }

    /// Such as is long or unknown.
    fn rare_name<'n>(
        &mut self,
        at: usize,
        head: u128,
        names: &'n Names,
        hint: &mut u32,
    ) -> Option<(usize, Option<&'n Name>)> {
        let end = self.key(at)?;
        let found = names.find(&self.text[at..end], head);
        if let Some((_, position)) = found {
            *hint = position + 1;
        }
        Some((end, found.map(|(name, _)| name)))
    }

    /// Steps over a name that is not the expected one, and its colon.
    fn key(&mut self, at: usize) -> Option<usize> {
        if self.byte(at)? != b'"' {
            return None;
        }
        let quote = self.plain_end(at + 1);
        // A name with an escape may be known under another spelling.
        if self.byte(quote)? != b'"' {
            return None;
        }
        (self.byte(quote + 1)? == b':').then_some(quote + 2)
    }

    /// A value that has members of its own, which follow it.
    fn container(&mut self, at: usize, member: Member, inside: Inside, depth: usize) -> Option<usize> {
        let position = self.found.members.len();
        self.found.members.push(member);
        let end = match (inside, self.byte(at)?) {
            (Inside::Object(node), b'{') => self.object(at, node, depth)?,
            (Inside::Items(node), b'[') => self.items(at, node, depth)?,
            _ => self.value(at, depth)?,
        };
        self.found.members[position].value_end = offset(end);
        Some(end)
    }

    fn items(&mut self, open: usize, node: Node, depth: usize) -> Option<usize> {
        let mut at = open + 1;
        if self.byte(at)? == b']' {
            return Some(at + 1);
        }
        loop {
            let start = offset(at);
            let item = Member::opening(What::Item, node, start, start);
            at = self.container(at, item, Inside::Object(node), depth + 1)?;
            match self.more(at, b']')? {
                More::Item(next) => at = next,
                More::End(end) => return Some(end),
            }
        }
    }

    /// Steps over any value.
    #[inline(always)]
    fn value(&mut self, at: usize, depth: usize) -> Option<usize> {
        match self.byte(at)? {
            b'"' => self.string(at),
            b'0'..=b'9' => number::end(self.text, at),
            b't' => self.literal(at, *b"true"),
            b'f' => self.literal(at, *b"false"),
            b'n' => self.literal(at, *b"null"),
            b'-' => number::end(self.text, at + 1),
            first => self.nested(at, first, depth),
        }
    }

    /// Steps over an array or an object in which nothing is looked for.
    fn nested(&mut self, open: usize, first: u8, depth: usize) -> Option<usize> {
        let (close, keys) = match first {
            b'[' => (b']', false),
            b'{' => (b'}', true),
            _ => return None,
        };
        if depth >= MAX_DEPTH {
            return None;
        }
        let mut at = open + 1;
        if self.byte(at)? == close {
            return Some(at + 1);
        }
        loop {
            if keys {
                at = self.key(at)?;
            }
            at = self.value(at, depth + 1)?;
            match self.more(at, close)? {
                More::Item(next) => at = next,
                More::End(end) => return Some(end),
            }
        }
    }

    #[inline(always)]
    fn literal<const LENGTH: usize>(&self, at: usize, literal: [u8; LENGTH]) -> Option<usize> {
        let same = *self.text.get(at..)?.first_chunk()? == literal;
        same.then_some(at + LENGTH)
    }

    /// Steps over a string, from its first quote.
    #[inline(always)]
    fn string(&mut self, open: usize) -> Option<usize> {
        let at = self.plain_end(open + 1);
        if self.byte(at)? == b'"' { Some(at + 1) } else { self.odd_string(at) }
    }

    /// Where a run of plain characters in a string ends; a little before, near the end of the text.
    #[inline(always)]
    fn plain_end(&mut self, mut at: usize) -> usize {
        while let Some(block) = blocks::block(self.text, at) {
            self.seen |= block;
            let ends = blocks::ends_of_plain(block);
            if ends != 0 {
                return at + ends.trailing_zeros() as usize;
            }
            at += BLOCK;
        }
        at
    }

    /// Steps over the rest of a string that has an escape, or ends with the text.
    #[cold]
    fn odd_string(&mut self, mut at: usize) -> Option<usize> {
        loop {
            match self.byte(at)? {
                b'"' => return Some(at + 1),
                b'\\' => at += self.escape(at + 1)?,
                0..b' ' => return None,
                plain => {
                    self.seen |= blocks::all(plain);
                    at += 1;
                }
            }
        }
    }

    /// How long the escape is whose backslash stands before `at`.
    fn escape(&self, at: usize) -> Option<usize> {
        match self.byte(at)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(2),
            b'u' => self.text.get(at + 1..at + 5)?.iter().all(u8::is_ascii_hexdigit).then_some(6),
            _ => None,
        }
    }
}

//! From a member's name to its field: one table an object, for the standard names or for a mapping's.

use std::borrow::Cow;
use std::sync::LazyLock;

use crate::json;
use crate::schema::{Field, Kind, Node};

/// The names under which an update is read.
#[derive(Clone, Debug)]
pub(crate) struct Lookup {
    nodes: Vec<Names>,
}

/// The names of one object.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    /// In the sample's order, in which senders write.
    in_order: Vec<Name>,
    /// Positions in `in_order`, sorted by name.
    by_name: Vec<u8>,
    /// Positions in `in_order` by the hash of their keys.
    by_hash: [u8; SLOTS],
    factor: u64,
    /// Whether no two names have the same hash.
    apart: bool,
}

/// A name that a field goes by.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    text: Box<str>,
    pub(crate) field: Field,
    pub(crate) inside: Inside,
    /// The bit of its position, of those that fit.
    pub(crate) bit: u64,
    /// `"name":` as it stands in a text.
    key: Box<[u8]>,
    /// Its first bytes.
    head: u128,
    /// The same under the mask, or what nothing is under the mask if it is longer: a text may begin with anything.
    expected: u128,
    mask: u128,
}

/// What a field's value has inside that has fields of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inside {
    Nothing,
    /// It is an object.
    Object(Node),
    /// It is an array of objects.
    Items(Node),
}

/// How many bytes of a key are compared and hashed at once.
pub(crate) const HEAD: usize = size_of::<u128>();

/// More than twice the names of the largest object, so that a hash without collisions is soon found.
const SLOTS: usize = 256;

const NONE: u8 = u8::MAX;

/// The golden ratio's digits, which spread what is multiplied by them.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// How many factors are tried.
const MAX_FACTORS: u64 = 1_000;

static STANDARD: LazyLock<Lookup> = LazyLock::new(|| Lookup::new(|field| Some(field.name())));

/// As many of the first bytes as there are, the others zero.
pub(crate) fn head(bytes: &[u8]) -> u128 {
    let mut head = [0; HEAD];
    for (slot, byte) in head.iter_mut().zip(bytes) {
        *slot = *byte;
    }
    u128::from_le_bytes(head)
}

/// The bits of the first `length` bytes.
#[inline]
fn mask(length: usize) -> u128 {
    MASKS[length.min(HEAD)]
}

const MASKS: [u128; HEAD + 1] = {
    let mut masks = [0; HEAD + 1];
    let mut length = 1;
    while length <= HEAD {
        masks[length] = masks[length - 1] << 8 | 0xff;
        length += 1;
    }
    masks
};

/// How long a key with its colon is that begins a text with this head, if the head shows all of it.
#[inline]
fn key_length(head: u128) -> Option<usize> {
    const ONES: u128 = u128::from_le_bytes([1; HEAD]);
    // Without the first quote. A zero borrows its highest bit when one is taken away, and the first such byte is exact.
    let zero = (head >> 8) ^ (ONES * b'"' as u128);
    let quotes = zero.wrapping_sub(ONES) & !zero & (ONES << 7);
    let length = quotes.trailing_zeros() as usize / 8 + 3;
    (length <= HEAD).then_some(length)
}

impl Lookup {
    /// The standard names.
    pub(crate) fn standard() -> &'static Self {
        &STANDARD
    }

    /// The names that `name_of` gives; a field without one is not looked for.
    pub(crate) fn new<'n>(name_of: impl Fn(Field) -> Option<&'n str>) -> Self {
        let names = |node: Node| {
            Names::new(node.fields().filter_map(|field| Some(Name::new(field, name_of(field)?))).collect())
        };
        Self { nodes: Node::all().map(names).collect() }
    }

    /// The names of one object.
    pub(crate) fn of(&self, node: Node) -> &Names {
        &self.nodes[node.index()]
    }

    /// The field that the member named `typed` (between its quotes, as typed) of `node` is. `hint` is where it is
    /// looked for first, and is moved on: members in the expected order cost one comparison each.
    pub(crate) fn field(&self, node: Node, typed: &str, hint: &mut usize) -> Option<Field> {
        let names = self.of(node);
        let wanted: Cow<'_, str> = json::unescape(typed);
        if let Some(name) = names.in_order.get(*hint)
            && *name.text == *wanted
        {
            *hint += 1;
            return Some(name.field);
        }
        let position = names.position(wanted.as_bytes())?;
        *hint = position + 1;
        Some(names.in_order[position].field)
    }

    /// The field that the member of `node` is whose name reads so, escapes undone.
    pub(crate) fn field_named(&self, node: Node, name: &str) -> Option<Field> {
        let names = self.of(node);
        names.position(name.as_bytes()).map(|position| names.in_order[position].field)
    }
}

impl Name {
    fn new(field: Field, name: &str) -> Self {
        let mut key = Vec::new();
        json::write_string(name, &mut key);
        key.push(b':');
        let inside = match (field.child(), field.kind()) {
            (Some(node), Kind::Object(_)) => Inside::Object(node),
            (Some(node), Kind::Items(_)) => Inside::Items(node),
            (_, Kind::Leaf(_)) | (None, _) => Inside::Nothing,
        };
        let (mask, expected) = if key.len() > HEAD { (0, 1) } else { (mask(key.len()), head(&key)) };
        Self { text: name.into(), field, inside, bit: 0, head: head(&key), expected, mask, key: key.into() }
    }

    /// How long `"name":` is.
    #[inline]
    pub(crate) fn length(&self) -> usize {
        self.key.len()
    }
}

impl Names {
    fn new(mut in_order: Vec<Name>) -> Self {
        for (position, name) in (0..u64::BITS).zip(&mut in_order) {
            name.bit = 1 << position;
        }
        let mut by_name: Vec<u8> = (0..NONE).take(in_order.len()).collect();
        by_name.sort_by_key(|&position| &in_order[usize::from(position)].text);
        let mut names = Self { in_order, by_name, by_hash: [NONE; SLOTS], factor: GOLDEN, apart: false };
        // Odd numbers, until one tells all names apart. None can if their keys begin alike and are as long.
        for step in 0..MAX_FACTORS {
            names.factor = GOLDEN.wrapping_add(step.wrapping_mul(0x5851_f42d_4c95_7f2e));
            names.fill();
            if names.apart {
                break;
            }
        }
        names
    }

    /// Puts each name into its slot.
    fn fill(&mut self) {
        (self.by_hash, self.apart) = ([NONE; SLOTS], true);
        for (position, name) in (0..).zip(&self.in_order) {
            let slot = &mut self.by_hash[slot(name.head, name.key.len(), self.factor)];
            self.apart &= *slot == NONE;
            *slot = position;
        }
    }

    /// The position of the name that reads so.
    fn position(&self, name: &[u8]) -> Option<usize> {
        let found =
            self.by_name.binary_search_by_key(&name, |&at| self.in_order[usize::from(at)].text.as_bytes());
        Some(usize::from(self.by_name[found.ok()?]))
    }

    /// The name at `hint` if the text that `head` opens begins with it. A long name is not expected; it is found.
    #[inline]
    pub(crate) fn expected(&self, head: u128, hint: u32) -> Option<&Name> {
        self.in_order.get(hint as usize).filter(|name| head & name.mask == name.expected)
    }

    /// The name whose key the text begins with that `head` opens, its position and its length; not found if it is longer. The length
    /// is seen in the text, so that what stands behind can be looked at while the name is still looked for.
    #[inline]
    pub(crate) fn short(&self, head: u128) -> Option<(&Name, u32, usize)> {
        let length = key_length(head).filter(|_| self.apart)?;
        let key = head & mask(length);
        let position = self.by_hash[slot(key, length, self.factor)];
        let name = self.in_order.get(usize::from(position))?;
        // No key has a NUL, so equal heads are of equal lengths.
        (name.expected == key).then_some((name, u32::from(position), length))
    }

    /// The name that goes by `key`, which is as it stands in a text, without escapes, and opens with `head`; and its position.
    pub(crate) fn find(&self, key: &[u8], head: u128) -> Option<(&Name, u32)> {
        let position = if self.apart {
            self.by_hash[slot(head & mask(key.len()), key.len(), self.factor)]
        } else {
            u8::try_from(self.position(key.get(1..key.len().checked_sub(2)?)?)?).ok()?
        };
        let name = self.in_order.get(usize::from(position))?;
        let same = head & mask(key.len()) == name.head && name.key.len() == key.len();
        (same && (key.len() <= HEAD || *name.key == *key)).then_some((name, u32::from(position)))
    }
}

fn slot(head: u128, length: usize, factor: u64) -> usize {
    #[expect(clippy::cast_possible_truncation, reason = "the two halves are mixed")]
    let mixed = (head as u64) ^ ((head >> 64) as u64).rotate_left(31) ^ length as u64;
    (mixed.wrapping_mul(factor) >> (u64::BITS - SLOTS.ilog2())) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    /// A reading by whole keys, none of which is cut short.
    fn by_key(names: &Names, text: &[u8]) -> Option<(Field, usize)> {
        let is_key = |name: &&Name| name.key.len() <= HEAD && text.starts_with(&name.key);
        names.in_order.iter().find(is_key).map(|name| (name.field, name.key.len()))
    }

    #[test]
    fn each_short_name_is_found_by_its_head() {
        for node in Node::all() {
            let names = Lookup::standard().of(node);
            for name in &names.in_order {
                let text = [&name.key, &b"{\"id\":0}"[..]].concat();
                let found = names.short(head(&text)).map(|(name, _, length)| (name.field, length));
                assert_eq!(found, by_key(names, &text), "{}", name.text);
                assert_eq!(found.is_some(), name.key.len() <= HEAD, "{}", name.text);
            }
        }
    }

    #[test]
    fn a_name_is_expected_only_where_it_stands() {
        for names in Node::all().map(|node| Lookup::standard().of(node)) {
            for (hint, name) in (0..).zip(&names.in_order) {
                let expected = names.expected(head(&name.key), hint).map(|name| name.field);
                assert_eq!(expected, (name.key.len() <= HEAD).then_some(name.field), "{}", name.text);
                for other in [0, 1, b'\"', 0xff].map(|byte| head(&[byte; HEAD])) {
                    assert!(names.expected(other, hint).is_none(), "{}", name.text);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn what_begins_like_a_name_is_found_only_if_it_is_one(at in any::<proptest::sample::Index>(), cut in 0..HEAD, text in "[a-z\":\\\\ ]{0,16}") {
            let node = Node::all().nth(at.index(Node::all().count())).unwrap_or(Node::ROOT);
            let names = Lookup::standard().of(node);
            let name = &names.in_order[at.index(names.in_order.len())];
            let text = [&name.key[..cut.min(name.key.len())], text.as_bytes()].concat();
            let found = names.short(head(&text)).map(|(name, _, length)| (name.field, length));
            prop_assert_eq!(found, by_key(names, &text));
        }
    }
}

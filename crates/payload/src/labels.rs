//! How members begin when they are written: `,"name":`, for the standard names or for a mapping's.

use std::cell::Cell;
use std::sync::LazyLock;

use crate::json;
use crate::schema::{Field, Node};

/// Of each object the members in the sample's order, by [`Node::index`].
#[derive(Clone, Debug)]
pub(crate) struct Labels(Vec<Box<[Label]>>);

/// How a member begins, if it is not left out.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    key: Key,
    /// The object that it holds; of another member it means nothing.
    inside: Node,
}

static STANDARD: LazyLock<Labels> = LazyLock::new(|| Labels::new(|field| Some(field.name())));

impl Labels {
    /// The standard names.
    pub(crate) fn standard() -> &'static Self {
        &STANDARD
    }

    /// The names that `name_of` gives; a field without one is left out.
    pub(crate) fn new<'n>(name_of: impl Fn(Field) -> Option<&'n str>) -> Self {
        let label = |field: Field| {
            let key = name_of(field).map_or_else(Key::none, |name| Key::of(",", name));
            Label { key, inside: field.child().unwrap_or(Node::ROOT) }
        };
        Self(Node::all().map(|node| node.fields().map(label).collect()).collect())
    }
}

/// What a value is written with.
#[derive(Clone, Copy)]
pub(crate) struct Under<'l> {
    labels: &'l Labels,
    /// The object of the schema that it is, if it is one.
    node: Node,
    unknown: &'l Cell<bool>,
}

impl<'l> Under<'l> {
    /// For an update.
    #[inline]
    pub(crate) const fn all(labels: &'l Labels, unknown: &'l Cell<bool>) -> Self {
        Self { labels, node: Node::ROOT, unknown }
    }

    /// For the value of a member.
    #[inline]
    pub(crate) const fn inside(self, label: &Label) -> Self {
        Self { node: label.inside, ..self }
    }

    /// The members of the object, in the sample's order.
    #[inline]
    pub(crate) fn members(self) -> &'l [Label] {
        &self.labels.0[self.node.index()]
    }

    /// There is a member that the schema does not have.
    pub(crate) fn tell_of_unknown(self) {
        self.unknown.set(true);
    }
}

impl Label {
    /// Begins the member; says whether there is one.
    #[inline(always)]
    pub(crate) fn begin(&self, out: &mut Vec<u8>) -> bool {
        self.key.write(out)
    }
}

/// `"name":` as it is written, with what stands before it.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    /// Empty, if it is none.
    bytes: Box<[u8]>,
    /// Its first bytes, and zeros behind them if it is shorter: what has a known length is copied without a call.
    head: [u8; HEAD],
}

const HEAD: usize = 32;

impl Key {
    pub(crate) fn of(before: &str, name: &str) -> Self {
        let mut bytes = before.as_bytes().to_vec();
        json::write_string(name, &mut bytes);
        bytes.push(b':');
        let mut head = [0; HEAD];
        for (place, byte) in head.iter_mut().zip(&bytes) {
            *place = *byte;
        }
        Self { bytes: bytes.into(), head }
    }

    /// None at all.
    fn none() -> Self {
        Self { bytes: Box::default(), head: [0; HEAD] }
    }

    /// Appends it; says whether there is one.
    #[inline(always)]
    pub(crate) fn write(&self, out: &mut Vec<u8>) -> bool {
        // One comparison for both that are rare.
        if self.bytes.len().wrapping_sub(1) < HEAD {
            let end = out.len() + self.bytes.len();
            out.extend_from_slice(&self.head);
            out.truncate(end);
            return true;
        }
        out.extend_from_slice(&self.bytes);
        !self.bytes.is_empty()
    }
}

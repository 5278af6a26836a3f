//! How the members of a typed event begin when they are written, `,"name":`, under the standard names or a mapping's.

use std::cell::Cell;

use crate::json;
use crate::schema::{Field, Node};

/// The names that an object's members are written under.
pub(crate) trait Names: Copy {
    /// Begins a member of the schema, by its place in the object and its standard name as it is written; gives the names for what
    /// is inside of it. `None` if it is left out.
    fn begin(self, place: usize, standard: &'static str, out: &mut Vec<u8>) -> Option<Self>;

    /// There is a member that the schema does not have.
    fn tell_of_unknown(self);
}

/// The standard names, which are known when this is compiled.
#[derive(Clone, Copy)]
pub(crate) struct Standard;

impl Names for Standard {
    #[inline(always)]
    fn begin(self, _: usize, standard: &'static str, out: &mut Vec<u8>) -> Option<Self> {
        out.extend_from_slice(standard.as_bytes());
        Some(self)
    }

    fn tell_of_unknown(self) {}
}

/// A mapping's names for the members of each object, by [`Node::index`] and in the sample's order.
#[derive(Clone, Debug)]
pub(crate) struct Labels(Vec<Box<[Label]>>);

#[derive(Clone, Debug)]
struct Label {
    key: Option<Key<32>>,
    /// The object that it holds; of another member it means nothing.
    inside: Node,
}

impl Labels {
    /// The names that `name_of` gives; a field without one is left out.
    pub(crate) fn new<'n>(name_of: impl Fn(Field) -> Option<&'n str>) -> Self {
        let label = |field: Field| {
            let key = name_of(field).map(|name| Key::of(",", name));
            Label { key, inside: field.child().unwrap_or(Node::ROOT) }
        };
        Self(Node::all().map(|node| node.fields().map(label).collect()).collect())
    }
}

/// A mapping's names for one object.
#[derive(Clone, Copy)]
pub(crate) struct Mapped<'l> {
    all: &'l Labels,
    /// Those of this one.
    own: &'l [Label],
    unknown: &'l Cell<bool>,
}

impl<'l> Mapped<'l> {
    /// For an update; in `unknown` is told of members that the schema does not have.
    pub(crate) fn all(labels: &'l Labels, unknown: &'l Cell<bool>) -> Self {
        Self { all: labels, own: &labels.0[Node::ROOT.index()], unknown }
    }
}

impl Names for Mapped<'_> {
    #[inline(always)]
    fn begin(self, place: usize, _: &'static str, out: &mut Vec<u8>) -> Option<Self> {
        let label = self.own.get(place)?;
        label.key.as_ref()?.write(out);
        // Without a panic, so that nothing is done where it is not asked for.
        Some(Self { own: self.all.0.get(label.inside.index()).map_or(&[], |own| own), ..self })
    }

    fn tell_of_unknown(self) {
        self.unknown.set(true);
    }
}

/// `"name":` as it is written, with what stands before it.
#[derive(Clone, Debug)]
pub(crate) struct Key<const HEAD: usize> {
    bytes: Box<[u8]>,
    /// Its first bytes, and zeros behind them if it is shorter: what has a known length is copied without a call.
    head: [u8; HEAD],
}

impl<const HEAD: usize> Key<HEAD> {
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

    #[inline(always)]
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        if self.bytes.len() <= HEAD {
            let end = out.len() + self.bytes.len();
            out.extend_from_slice(&self.head);
            out.truncate(end);
        } else {
            out.extend_from_slice(&self.bytes);
        }
    }
}

//! How the members of a typed event begin when they are written, `,"name":`: one table for the standard names or a mapping's, which
//! has the shape of the event, so that nothing is looked up.

use std::fmt::Debug;

use crate::json;
use crate::out::Out;
use crate::schema::{Field, Node};

/// The names below a field, as its type has them.
pub(crate) trait Inside: Clone + Debug {
    /// The names that `name_of` gives to the fields of `node`, if there is any inside; a field without one is left out.
    fn new<'n>(node: Option<Node>, name_of: &impl Fn(Field) -> Option<&'n str>) -> Self;
}

/// Nothing inside has names of its own.
impl Inside for () {
    fn new<'n>(_: Option<Node>, _: &impl Fn(Field) -> Option<&'n str>) -> Self {}
}

/// How many bytes of a beginning are copied at once, without a call: most are not longer.
const HEAD: usize = 32;

/// How a member begins, and what is inside of it.
#[derive(Clone, Debug)]
pub(crate) struct Label<I> {
    /// The beginning's first bytes, and zeros behind them if it is shorter.
    head: [u8; HEAD],
    /// How long it is; zero if the member is left out, and anything above [`HEAD`] if it is longer than that.
    length: u8,
    /// All of it, if it is longer.
    long: Box<[u8]>,
    inside: I,
}

impl<I: Inside> Label<I> {
    pub(crate) fn new<'n>(field: Field, name_of: &impl Fn(Field) -> Option<&'n str>) -> Self {
        let mut long = Vec::new();
        if let Some(name) = name_of(field) {
            long.push(b',');
            json::write_string(name, &mut long);
            long.push(b':');
        }
        let mut head = [0; HEAD];
        head.iter_mut().zip(&long).for_each(|(place, byte)| *place = *byte);
        let length = u8::try_from(long.len()).unwrap_or(u8::MAX);
        if long.len() <= HEAD {
            long.clear();
        }
        Self { head, length, long: long.into(), inside: I::new(field.child(), name_of) }
    }

    /// Begins a member; gives the names for what is inside of it. `None` if it is left out.
    #[inline(always)]
    pub(crate) fn begin(&self, out: &mut Out<'_>) -> Option<&I> {
        match usize::from(self.length) {
            0 => return None,
            length @ 1..=HEAD => out.head(&self.head, length),
            _ => out.text(&self.long),
        }
        Some(&self.inside)
    }
}

//! From a member's name to its field: one table an object, for the standard names or for a mapping's.

use std::borrow::Cow;
use std::sync::LazyLock;

use crate::json;
use crate::schema::{Field, Node};

/// The names under which an update is read.
#[derive(Clone, Debug)]
pub(crate) struct Lookup {
    nodes: Vec<Names>,
}

#[derive(Clone, Debug)]
struct Names {
    /// In the sample's order, in which senders write.
    in_order: Vec<(Box<str>, Field)>,
    /// Positions in `in_order`, sorted by name.
    by_name: Vec<u8>,
}

static STANDARD: LazyLock<Lookup> = LazyLock::new(|| Lookup::new(|field| Some(field.name())));

impl Lookup {
    /// The standard names.
    pub(crate) fn standard() -> &'static Self {
        &STANDARD
    }

    /// The names that `name_of` gives; a field without one is not looked for.
    pub(crate) fn new<'n>(name_of: impl Fn(Field) -> Option<&'n str>) -> Self {
        let names = |node: Node| {
            let in_order: Vec<(Box<str>, Field)> =
                node.fields().filter_map(|field| Some((name_of(field)?.into(), field))).collect();
            let mut by_name: Vec<u8> = (0..=u8::MAX).take(in_order.len()).collect();
            by_name.sort_by_key(|&position| &in_order[usize::from(position)].0);
            Names { in_order, by_name }
        };
        Self { nodes: Node::all().map(names).collect() }
    }

    /// The field that the member named `typed` (between its quotes, as typed) of `node` is. `hint` is where it is
    /// looked for first, and is moved on: members in the expected order cost one comparison each.
    pub(crate) fn field(&self, node: Node, typed: &str, hint: &mut usize) -> Option<Field> {
        let names = &self.nodes[node.index()];
        if let Some((name, field)) = names.in_order.get(*hint)
            && **name == *typed
        {
            *hint += 1;
            return Some(*field);
        }
        let name: Cow<'_, str> = json::unescape(typed);
        let found = names.by_name.binary_search_by_key(&&*name, |&at| &*names.in_order[usize::from(at)].0);
        let position = usize::from(names.by_name[found.ok()?]);
        *hint = position + 1;
        Some(names.in_order[position].1)
    }
}

//! The fields of an update as places: every path of the table once, with a small number to index by.
//!
//! What the fields are, and what they may hold, stands in the table; here nothing is said twice.

mod table;

use std::fmt;
use std::sync::LazyLock;

pub(crate) use table::rows;
pub use table::{
    AUTONOMOUS_SYSTEM, EVENT, Form, GEO, IP_INFO, Kind, LOCATION, METRICS, Member, Object, PASSIVE_DNS,
    REPUTATION, STATISTICS,
};

/// A field of an update: one row of the table at one path. Top-level fields come first, in the sample's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Field(u8);

/// An object of the schema at one path. The update itself is [`Node::ROOT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(u8);

/// How many fields an update has at its top level.
pub const TOP_LEVEL: usize = EVENT.members.len();

struct FieldEntry {
    path: String,
    member: &'static Member,
    node: Node,
    child: Option<Node>,
}

struct NodeEntry {
    first: u8,
    object: &'static Object,
}

struct Schema {
    fields: Vec<FieldEntry>,
    nodes: Vec<NodeEntry>,
}

/// Every path once, the objects breadth first, so that the fields of one object lie side by side.
static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let mut fields: Vec<FieldEntry> = Vec::new();
    let mut nodes = Vec::new();
    let mut waiting = std::collections::VecDeque::from([(None::<usize>, &EVENT)]);
    while let Some((parent, object)) = waiting.pop_front() {
        let node = Node(small(nodes.len()));
        nodes.push(NodeEntry { first: small(fields.len()), object });
        let prefix = parent.map_or_else(String::new, |parent| {
            fields[parent].child = Some(node);
            format!("{}.", fields[parent].path)
        });
        for member in object.members {
            match member.kind {
                Kind::Leaf(_) => {}
                Kind::Object(inner) | Kind::Items(inner) => waiting.push_back((Some(fields.len()), inner)),
            }
            fields.push(FieldEntry { path: format!("{prefix}{}", member.name), member, node, child: None });
        }
    }
    Schema { fields, nodes }
});

fn small(index: usize) -> u8 {
    u8::try_from(index).expect("the table has fewer than 255 rows at all paths together")
}

impl Node {
    /// The update itself.
    pub const ROOT: Self = Self(0);

    /// All objects of the schema.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..small(SCHEMA.nodes.len())).map(Self)
    }

    /// Its fields, in the sample's order.
    pub fn fields(self) -> impl ExactSizeIterator<Item = Field> {
        let entry = &SCHEMA.nodes[self.index()];
        (entry.first..entry.first + small(entry.object.members.len())).map(Field)
    }

    /// Its place among [`Node::all`].
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl Field {
    /// `alerttype`
    pub const ALERTTYPE: Self = Self::top_level("alerttype");
    /// `algorithm`
    pub const ALGORITHM: Self = Self::top_level("algorithm");
    /// `bypassrule`
    pub const BYPASSRULE: Self = Self::top_level("bypassrule");
    /// `categories`
    pub const CATEGORIES: Self = Self::top_level("categories");
    /// `duration`
    pub const DURATION: Self = Self::top_level("duration");
    /// `end`
    pub const END: Self = Self::top_level("end");
    /// `id`
    pub const ID: Self = Self::top_level("id");
    /// `ipinfo`
    pub const IPINFO: Self = Self::top_level("ipinfo");
    /// `ipinfocount`
    pub const IPINFOCOUNT: Self = Self::top_level("ipinfocount");
    /// `lasttimestamp`
    pub const LASTTIMESTAMP: Self = Self::top_level("lasttimestamp");
    /// `rulecount`
    pub const RULECOUNT: Self = Self::top_level("rulecount");
    /// `rules`
    pub const RULES: Self = Self::top_level("rules");
    /// `severity`
    pub const SEVERITY: Self = Self::top_level("severity");
    /// `start`
    pub const START: Self = Self::top_level("start");
    /// `summary`
    pub const SUMMARY: Self = Self::top_level("summary");
    /// `timestamp`
    pub const TIMESTAMP: Self = Self::top_level("timestamp");
    /// `track_by`
    pub const TRACK_BY: Self = Self::top_level("track_by");
    /// `updatecount`
    pub const UPDATECOUNT: Self = Self::top_level("updatecount");

    /// All fields of an update, objects included.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        (0..small(SCHEMA.fields.len())).map(Self)
    }

    /// The field at `path`, such as `id` or `metrics.bits.avg`; items of arrays share a path (`ipinfo.geo.city`).
    #[must_use]
    pub fn at(path: &str) -> Option<Self> {
        Self::all().find(|field| field.path() == path)
    }

    const fn top_level(name: &str) -> Self {
        let mut index = 0;
        while index < TOP_LEVEL {
            if same(EVENT.members[index].name.as_bytes(), name.as_bytes()) {
                #[expect(clippy::cast_possible_truncation, reason = "the table has fewer than 255 rows")]
                return Self(index as u8);
            }
            index += 1;
        }
        panic!("no such row")
    }

    /// Its path in standard names.
    #[must_use]
    pub fn path(self) -> &'static str {
        &SCHEMA.fields[self.index()].path
    }

    /// Its standard name.
    #[must_use]
    pub fn name(self) -> &'static str {
        SCHEMA.fields[self.index()].member.name
    }

    /// What its value may be.
    #[must_use]
    pub fn kind(self) -> Kind {
        SCHEMA.fields[self.index()].member.kind
    }

    /// The object that it is a member of.
    #[must_use]
    pub fn node(self) -> Node {
        SCHEMA.fields[self.index()].node
    }

    /// The object, or the items, that it holds.
    #[must_use]
    pub fn child(self) -> Option<Node> {
        SCHEMA.fields[self.index()].child
    }

    /// Its place among [`Field::all`]; below [`TOP_LEVEL`] for the fields of the update itself.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path())
    }
}

const fn same(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut index = 0;
    while index < left.len() {
        if left[index] != right[index] {
            return false;
        }
        index += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_the_sample_s_fields_in_ascii_order() {
        assert_eq!(TOP_LEVEL, 42);
        for object in [&EVENT, &METRICS, &IP_INFO] {
            assert!(object.members.is_sorted_by_key(|member| member.name));
        }
        let order: Vec<_> = STATISTICS.members.iter().map(|member| member.name).collect();
        assert_eq!(order, ["avg", "max", "min", "sum"]);
    }

    #[test]
    fn every_path_leads_to_its_field() {
        for field in Field::all() {
            assert_eq!(Field::at(field.path()), Some(field));
            assert!(field.node().fields().any(|sibling| sibling == field));
        }
        let city = Field::at("ipinfo.geo.city").unwrap();
        assert_eq!(city.name(), "city");
        assert_eq!(Field::at("metrics").unwrap().child(), Some(Field::at("metrics.bits").unwrap().node()));
        assert_eq!(Field::at("city"), None);
    }
}

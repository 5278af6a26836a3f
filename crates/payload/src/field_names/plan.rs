//! Where in an update a mapping has something to do, so that writing does not look at every member.

use super::Edit;
use crate::schema::{Field, Kind, Node};
use crate::update::{Member, View, What};

/// The fields of the update itself that change, or have something inside that does; in the sample's order.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    steps: Box<[Step]>,
}

#[derive(Clone, Debug)]
struct Step {
    field: Field,
    /// How many members inside change at most.
    inside: usize,
}

impl Plan {
    pub(super) fn of(edits: &[Edit]) -> Self {
        let changes = |field: Field| !matches!(edits[field.index()], Edit::Keep);
        let step = |field| {
            let inside = inside(field, &changes);
            (changes(field) || inside > 0).then_some(Step { field, inside })
        };
        Self { steps: Node::ROOT.fields().filter_map(step).collect() }
    }

    /// Calls `edit` with each member that changes, in the order of the text; gives up when the update's fields stand in
    /// another order than the sample's.
    #[inline]
    pub(super) fn follow(
        &self,
        update: View<'_>,
        edits: &[Edit],
        mut edit: impl FnMut(&Member, &Edit),
    ) -> bool {
        let mut last = 0;
        for step in &self.steps {
            let Some(place) = update.place(step.field) else { continue };
            if place < last {
                return false;
            }
            last = place;
            let mut left = step.inside;
            let mut members = update.members()[place..].iter();
            let mut next = members.next();
            while let Some(member) = next {
                if let What::Field(field) = member.what
                    && !matches!(edits[field.index()], Edit::Keep)
                {
                    edit(member, &edits[field.index()]);
                    left -= usize::from(member.node != Node::ROOT);
                }
                next =
                    if left > 0 { members.next().filter(|member| member.node != Node::ROOT) } else { None };
            }
        }
        true
    }
}

/// How many members below a field change at most: each of an object's fields stands there once, and items are without number.
fn inside(field: Field, changes: &impl Fn(Field) -> bool) -> usize {
    let below = |node: Node| {
        node.fields()
            .map(|field| usize::from(changes(field)).saturating_add(inside(field, changes)))
            .fold(0, usize::saturating_add)
    };
    match (field.kind(), field.child().map_or(0, below)) {
        (Kind::Items(_), 1..) => usize::MAX,
        (_, count) => count,
    }
}

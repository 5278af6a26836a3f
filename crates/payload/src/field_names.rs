//! Custom field names: what an integration's receiver calls the fields, which it does not want, what it wants beside.
//!
//! A mapping is checked when it is made and compiled into one edit a field. Applying it is one pass over the bytes of
//! an update: everything between the edited names is copied, so number spelling, order and unknown members stay.

mod compile;
mod plan;
mod splice;

use std::fmt;
use std::sync::OnceLock;

use bytes::Bytes;

use crate::error::ParseError;
use crate::event::{Event, Labels, labels};
use crate::lookup::Lookup;
use crate::out::Out;
use crate::schema::{Field, Node};
use crate::update::{Update, View, What, scan};
use crate::value::{Json, Value};

use plan::Plan;
use splice::{Key, Splice};

pub use compile::{MAX_NAME, MAX_RULES, RuleError, RuleErrors, RuleFault};

/// One line of a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The field's path in standard names (`id`, `metrics.bits.avg`, `ipinfo.geo.city`), or the name of a constant.
    pub path: String,
    /// What becomes of it.
    pub change: Change,
}

/// What a mapping does to a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is sent under this name.
    Rename(String),
    /// It is left out, with all that is in it.
    Omit,
    /// There is no such field; a member of this name is added at the end of the update, with this value.
    Add(Json),
}

impl Rule {
    /// Sends the field at `path` as `name`.
    #[must_use]
    pub fn rename(path: &str, name: &str) -> Self {
        Self { path: path.to_owned(), change: Change::Rename(name.to_owned()) }
    }

    /// Leaves out the field at `path`.
    #[must_use]
    pub fn omit(path: &str) -> Self {
        Self { path: path.to_owned(), change: Change::Omit }
    }

    /// Adds the member `name` with a constant value.
    #[must_use]
    pub fn add(name: &str, value: Json) -> Self {
        Self { path: name.to_owned(), change: Change::Add(value) }
    }
}

/// A compiled mapping. [`FieldNames::standard`] is the one that changes nothing.
#[derive(Clone, Debug)]
pub struct FieldNames {
    /// One edit a field, by [`Field::index`].
    edits: Vec<Edit>,
    /// Where they are.
    plan: Plan,
    /// Whether any field of the object has another name, by [`Node::index`].
    renamed: Vec<bool>,
    constants: Vec<Constant>,
    /// The constants as members, with commas between them.
    added: Vec<u8>,
    /// Whether it changes nothing.
    standard: bool,
    /// The names as sent, for reading them back.
    as_sent: Lookup,
    /// The same for writing typed events, which not everybody does.
    labels: OnceLock<Box<Labels>>,
}

#[derive(Clone, Debug)]
enum Edit {
    Keep,
    /// The name as it reads, and as it is written.
    Rename {
        name: Box<str>,
        key: Key,
    },
    Omit,
}

#[derive(Clone, Debug)]
struct Constant {
    name: Box<str>,
    value: Json,
}

/// An unknown member of an update has the name that a mapping gives to a field, so that the body would say it twice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the update has an unknown member {name:?} where the mapping sends {path} under that name")]
pub struct Collision {
    /// The name.
    pub name: String,
    /// The field, or constant, that is sent under it.
    pub path: String,
}

/// A typed event that cannot be written under a mapping.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// With its `unknown` members it is no update.
    #[error(transparent)]
    NoUpdate(#[from] ParseError),
    /// One of them has a name that is taken.
    #[error(transparent)]
    Collision(#[from] Collision),
}

/// A body that cannot be read under a mapping.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// It is no update.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// A field came under its standard name although the mapping gives it another, or leaves it out.
    #[error("{path} came under its standard name; expected {}", match expected { Some(name) => format!("{name:?}"), None => "it to be left out".to_owned() })]
    StandardName {
        /// The field.
        path: String,
        /// The name it should have; `None` if it should be left out.
        expected: Option<String>,
    },
    /// A constant is missing or has another value.
    #[error("{name:?} should be there with the constant value {expected}")]
    Constant {
        /// Its name.
        name: String,
        /// Its value as JSON.
        expected: String,
    },
}

impl Default for FieldNames {
    fn default() -> Self {
        Self::standard()
    }
}

impl FieldNames {
    /// The mapping that changes nothing.
    #[must_use]
    pub fn standard() -> Self {
        Self {
            edits: Field::all().map(|_| Edit::Keep).collect(),
            renamed: Node::all().map(|_| false).collect(),
            plan: Plan::default(),
            constants: Vec::new(),
            added: Vec::new(),
            standard: true,
            as_sent: Lookup::new(|field| Some(field.name())),
            labels: OnceLock::new(),
        }
    }

    /// Hands the names as sent to a law.
    pub(crate) fn both_readings(&self, law: impl Fn(&Lookup)) {
        law(&self.as_sent);
    }

    /// Checks `rules` and compiles them.
    ///
    /// # Errors
    /// All mistakes together: an unknown path (with the nearest known one), an empty or overlong name, two members of
    /// one object ending in one name, a path with two rules, more than [`MAX_RULES`] rules.
    pub fn compile(rules: &[Rule]) -> Result<Self, RuleErrors> {
        compile::compile(rules)
    }

    /// Whether it changes nothing.
    #[must_use]
    pub const fn is_standard(&self) -> bool {
        self.standard
    }

    /// The name that a field is sent under; `None` if it is left out (itself, not through an object around it).
    #[must_use]
    pub fn name(&self, field: Field) -> Option<&str> {
        match &self.edits[field.index()] {
            Edit::Keep => Some(field.name()),
            Edit::Rename { name, .. } => Some(name),
            Edit::Omit => None,
        }
    }

    /// Writes the body of an update under these names.
    ///
    /// # Errors
    /// If an unknown member has a name that a field or a constant is sent under.
    pub fn render(&self, update: &Update) -> Result<Bytes, Collision> {
        if self.is_standard() {
            return Ok(update.bytes());
        }
        let mut body = Vec::with_capacity(update.as_bytes().len() + update.as_bytes().len() / 4);
        self.write(update.view(), &mut body)?;
        Ok(body.into())
    }

    /// Appends the same to a buffer.
    ///
    /// # Errors
    /// As [`Self::render`]; then the buffer is as it was.
    pub fn write(&self, update: View<'_>, out: &mut Vec<u8>) -> Result<(), Collision> {
        if self.standard {
            out.extend_from_slice(update.as_bytes());
            return Ok(());
        }
        self.refuse_collisions(update)?;
        let before = out.len();
        let mut splice = Splice::of(update.as_bytes(), out);
        if !self.plan.follow(update, &self.edits, |member, edit| splice.edit(member, edit)) {
            splice = splice.again(before);
            for member in update.members() {
                if let What::Field(field) = member.what {
                    splice.edit(member, &self.edits[field.index()]);
                }
            }
        }
        splice.end();
        self.append_constants(out);
        Ok(())
    }

    /// Appends the body of a typed event under these names: of one that is an update ([`Event::to_update`]) what [`Self::write`]
    /// makes of that, in one step; under the standard names what [`Event::write_json`] gives. Values that nest too deep for an
    /// update are written as they are, and what is in a field that is left out is not looked at.
    ///
    /// # Errors
    /// Only if this changes anything and the event has `unknown` members: if one has a name that a field or a constant is sent under,
    /// or the event is no update with them. Then the buffer is as it was.
    pub fn write_event(&self, event: &Event, out: &mut Vec<u8>) -> Result<(), EventError> {
        if self.standard {
            event.write_json(out);
            return Ok(());
        }
        let before = out.len();
        let labels = self.labels.get_or_init(|| Box::new(labels(|field| self.name(field))));
        if Out::append(out, |out| event.write(labels, out)) {
            self.append_constants(out);
            return Ok(());
        }
        // What nobody knows is rare, and may cost.
        out.truncate(before);
        Ok(self.write(event.to_update()?.view(), out)?)
    }

    /// # Errors
    /// As [`Self::render`].
    pub(crate) fn refuse_collisions(&self, update: View<'_>) -> Result<(), Collision> {
        if !update.has_unknown() {
            return Ok(());
        }
        let text = update.as_bytes();
        let unknown = update.members().iter().filter(|member| member.what == What::Unknown);
        for member in unknown {
            let added = member.node == Node::ROOT && !self.constants.is_empty();
            if !added && !self.renamed[member.node.index()] {
                continue;
            }
            let name = crate::json::unescape(member.typed_name(text));
            let path = match self.as_sent.field(member.node, member.typed_name(text), &mut 0) {
                Some(field) => field.path(),
                None if added && self.constant(&name).is_some() => "a constant",
                None => continue,
            };
            return Err(Collision { name: name.into_owned(), path: path.to_owned() });
        }
        Ok(())
    }

    fn constant(&self, name: &str) -> Option<&Constant> {
        self.constants.iter().find(|constant| *constant.name == *name)
    }

    fn append_constants(&self, body: &mut Vec<u8>) {
        if self.added.is_empty() {
            return;
        }
        body.pop(); // The closing brace; put back below.
        if body.last() != Some(&b'{') {
            body.push(b',');
        }
        body.extend_from_slice(&self.added);
        body.push(b'}');
    }

    /// Reads a body that was written under these names back to the standard ones; the reverse of [`Self::render`] but
    /// for what that left out. Constants are taken away again.
    ///
    /// # Errors
    /// If the body is no update, a field stands there under its standard name instead of the mapping's, or a constant
    /// is missing or differs.
    pub fn restore(&self, body: impl Into<Bytes>) -> Result<Update, RestoreError> {
        if self.is_standard() {
            return Ok(Update::parse(body)?);
        }
        let (text, members) = scan(body.into(), &self.as_sent)?;
        let mut found = vec![false; self.constants.len()];
        let mut drop = vec![false; members.len()];
        for (position, member) in
            members.iter().enumerate().filter(|(_, member)| member.what == What::Unknown)
        {
            let name = crate::json::unescape(member.typed_name(&text));
            // First of all it is a constant: one may have the standard name of a field that is sent under another, or not sent.
            let constant = self.constants.iter().position(|constant| *constant.name == *name);
            if let (Node::ROOT, Some(constant)) = (member.node, constant) {
                found[constant] = member.value(&text) == self.constants[constant].value.as_str();
                drop[position] = true;
            } else if let Some(field) = Lookup::standard().field_named(member.node, &name) {
                let expected = self.name(field).map(str::to_owned);
                return Err(RestoreError::StandardName { path: field.path().to_owned(), expected });
            }
        }
        if let Some((Constant { name, value }, _)) =
            self.constants.iter().zip(&found).find(|(_, found)| !**found)
        {
            let (name, expected) = (name.to_string(), value.as_str().to_owned());
            return Err(RestoreError::Constant { name, expected });
        }
        let mut standard = Vec::with_capacity(text.len());
        let mut splice = Splice::of(&text, &mut standard);
        for (member, dropped) in members.iter().zip(drop) {
            match member.what {
                What::Field(field) if matches!(self.edits[field.index()], Edit::Rename { .. }) => {
                    splice.rename(member, field.name());
                }
                What::Unknown if dropped => splice.omit(member),
                What::Field(_) | What::Unknown | What::Item => {}
            }
        }
        splice.end();
        Ok(Update::parse(standard)?)
    }
}

impl fmt::Display for FieldNames {
    /// One line a change: `metrics.bits.avg → mean`, `rules left out`, `source = "fusion" added`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for field in Field::all() {
            match &self.edits[field.index()] {
                Edit::Keep => {}
                Edit::Rename { name, .. } => writeln!(f, "{field} → {name}")?,
                Edit::Omit => writeln!(f, "{field} left out")?,
            }
        }
        for Constant { name, value } in &self.constants {
            writeln!(f, "{name} = {} added", value.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

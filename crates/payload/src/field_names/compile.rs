//! Checks the rules of a mapping and compiles them. All mistakes are reported together.

use std::fmt;

use super::{Change, Constant, Edit, FieldNames, Key, Plan, Rule};
use crate::json;
use crate::lookup::Lookup;
use crate::schema::{Field, Node};

/// The most rules a mapping may have: every field once and as many constants, with room.
pub const MAX_RULES: usize = 512;

/// The longest name, in bytes. Log stores cut field names off at a few hundred.
pub const MAX_NAME: usize = 256;

/// Every mistake of a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleErrors(pub Vec<RuleError>);

/// One mistake: the path of the rule and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    /// The path, or the constant's name, as it was given.
    pub path: String,
    /// What is wrong.
    pub fault: RuleFault,
}

/// What can be wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleFault {
    /// No field has this path.
    UnknownPath {
        /// The path that was probably meant.
        suggestion: Option<&'static str>,
    },
    /// The name is empty.
    EmptyName,
    /// The name is longer than [`MAX_NAME`].
    LongName,
    /// The path has an earlier rule.
    SecondRule,
    /// Another member of the same object is sent under the same name.
    SameName {
        /// The name.
        name: String,
        /// The other field's path, or the other constant's name.
        other: String,
    },
    /// There are more than [`MAX_RULES`].
    TooManyRules,
}

pub(super) fn compile(rules: &[Rule]) -> Result<FieldNames, RuleErrors> {
    let mut errors = Vec::new();
    let mut names = FieldNames::standard();
    if rules.len() > MAX_RULES {
        let path = rules[MAX_RULES].path.clone();
        return Err(RuleErrors(vec![RuleError { path, fault: RuleFault::TooManyRules }]));
    }
    for rule in rules {
        if let Err(fault) = apply(rule, &mut names) {
            errors.push(RuleError { path: rule.path.clone(), fault });
        }
    }
    refuse_same_names(&names, &mut errors);
    if !errors.is_empty() {
        return Err(RuleErrors(errors));
    }
    for field in Field::all() {
        names.renamed[field.node().index()] |= matches!(names.edits[field.index()], Edit::Rename { .. });
    }
    names.plan = Plan::of(&names.edits);
    for Constant { name, value } in &names.constants {
        if !names.added.is_empty() {
            names.added.push(b',');
        }
        json::write_string(name, &mut names.added);
        names.added.push(b':');
        names.added.extend_from_slice(value.as_str().as_bytes());
    }
    names.standard = names.constants.is_empty() && names.edits.iter().all(|edit| matches!(edit, Edit::Keep));
    names.as_sent = Lookup::new(|field| names.name(field));
    Ok(names)
}

fn apply(rule: &Rule, names: &mut FieldNames) -> Result<(), RuleFault> {
    match &rule.change {
        Change::Add(value) => {
            check_name(&rule.path)?;
            if names.constant(&rule.path).is_some() {
                return Err(RuleFault::SecondRule);
            }
            names.constants.push(Constant { name: rule.path.as_str().into(), value: value.clone() });
        }
        Change::Omit => {
            let field = find(&rule.path)?;
            set(names, field, Edit::Omit)?;
        }
        Change::Rename(name) => {
            let field = find(&rule.path)?;
            check_name(name)?;
            if name != field.name() {
                set(names, field, Edit::Rename { name: name.as_str().into(), key: Key::of(name) })?;
            }
        }
    }
    Ok(())
}

fn set(names: &mut FieldNames, field: Field, edit: Edit) -> Result<(), RuleFault> {
    let slot = &mut names.edits[field.index()];
    if !matches!(slot, Edit::Keep) {
        return Err(RuleFault::SecondRule);
    }
    *slot = edit;
    Ok(())
}

fn check_name(name: &str) -> Result<(), RuleFault> {
    match name.len() {
        0 => Err(RuleFault::EmptyName),
        1..=MAX_NAME => Ok(()),
        _ => Err(RuleFault::LongName),
    }
}

fn find(path: &str) -> Result<Field, RuleFault> {
    Field::at(path).ok_or_else(|| RuleFault::UnknownPath { suggestion: nearest(path) })
}

/// The known path that was probably meant: one that ends in what was typed, or the most alike if it is alike at all.
fn nearest(path: &str) -> Option<&'static str> {
    let lower = path.to_lowercase();
    let ending = format!(".{lower}");
    if let Some(field) = Field::all().find(|field| field.path() == lower || field.path().ends_with(&ending)) {
        return Some(field.path());
    }
    let alike = |field: Field| (strsim::jaro_winkler(&lower, field.path()), field.path());
    let best = Field::all().map(alike).max_by(|left, right| left.0.total_cmp(&right.0))?;
    (best.0 > 0.8).then_some(best.1)
}

fn refuse_same_names(names: &FieldNames, errors: &mut Vec<RuleError>) {
    for node in Node::all() {
        let mut taken: Vec<(&str, &str)> = Vec::new();
        let fields = node.fields().filter_map(|field| Some((names.name(field)?, field.path())));
        let constants = names.constants.iter().filter(|_| node == Node::ROOT);
        for (name, path) in fields.chain(constants.map(|constant| (&*constant.name, &*constant.name))) {
            if let Some((_, other)) = taken.iter().find(|(other, _)| *other == name) {
                let (name, other) = (name.to_owned(), (*other).to_owned());
                errors.push(RuleError { path: path.to_owned(), fault: RuleFault::SameName { name, other } });
            }
            taken.push((name, path));
        }
    }
}

impl fmt::Display for RuleErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, error) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path)?;
        match &self.fault {
            RuleFault::UnknownPath { suggestion: Some(near) } => {
                write!(f, "an update has no such field; did you mean {near}?")
            }
            RuleFault::UnknownPath { suggestion: None } => f.write_str(
                "an update has no such field; paths are like id, metrics.bits.avg, ipinfo.geo.city",
            ),
            RuleFault::EmptyName => f.write_str("the name is empty; to leave a field out, omit it"),
            RuleFault::LongName => write!(f, "the name is longer than {MAX_NAME} bytes"),
            RuleFault::SecondRule => f.write_str("there is a rule for it already; keep one"),
            RuleFault::SameName { name, other } => {
                write!(f, "would be sent as {name:?}, and so would {other}; give one of them another name")
            }
            RuleFault::TooManyRules => write!(f, "more than {MAX_RULES} rules"),
        }
    }
}

impl std::error::Error for RuleErrors {}

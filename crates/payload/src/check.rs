//! What is odd about an update. Pure judgement: nothing is refused here, every finding is listed.
//!
//! An error is something that no receiver can rely on (a wrong type, no id); a warning is something that the vendor's
//! documents do not lead one to expect (an unknown field, a count that is off).

use std::fmt;

use crate::field_names::FieldNames;
use crate::json;
use crate::schema::{Field, Form, Kind, Node};
use crate::update::{Update, What};
use crate::value::{AlertType, Severity};

/// The most findings that are listed; a hostile body could hold a million.
pub const MAX_FINDINGS: usize = 100;

/// One thing that is odd about an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub weight: Weight,
    /// Where, in standard names: `metrics.bits.avg`, `ipinfo[2].geo.city`.
    pub path: String,
    /// What should be there.
    pub expected: String,
    /// What came, cut to a readable length.
    pub got: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Odd, but usable.
    Warning,
    /// Not usable.
    Error,
}

impl Finding {
    fn error(path: impl Into<String>, expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self { weight: Weight::Error, path: path.into(), expected: expected.into(), got: got.into() }
    }

    fn warning(path: impl Into<String>, expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self { weight: Weight::Warning, path: path.into(), expected: expected.into(), got: got.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, got {}", self.path, self.expected, self.got)
    }
}

/// Lists what is odd about an update that is to be sent, or came, under `names`: what those leave out is not missed,
/// and a member that collides with one of them is found. At most [`MAX_FINDINGS`], errors first.
#[must_use]
pub fn check(update: &Update, names: &FieldNames) -> Vec<Finding> {
    list(update, names, Weight::Warning)
}

/// The errors among what [`check`] lists, without the work of writing down what is merely odd.
#[must_use]
pub fn errors(update: &Update, names: &FieldNames) -> Vec<Finding> {
    list(update, names, Weight::Error)
}

fn list(update: &Update, names: &FieldNames, least: Weight) -> Vec<Finding> {
    let mut findings = Vec::new();
    types(update, least, &mut findings);
    missing(update, names, least, &mut findings);
    if update.id().is_some_and(|id| id.is_empty()) {
        findings.push(Finding::error("id", "the event's id", "an empty string"));
    }
    if least == Weight::Warning {
        values(update, &mut findings);
    }
    if let Err(collision) = names.refuse_collisions(update.view()) {
        findings.push(Finding::error(collision.name.clone(), "another name", collision.to_string()));
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.weight));
    findings.truncate(MAX_FINDINGS);
    findings
}

/// Warnings and errors are bounded apart: what is merely unknown must not hide what is wrong.
fn types(update: &Update, least: Weight, findings: &mut Vec<Finding>) {
    let text = update.as_bytes();
    let max_warnings = if least == Weight::Warning { MAX_FINDINGS } else { 0 };
    let (mut item, mut errors, mut warnings) = (0, Vec::new(), Vec::new());
    for member in update.view().members() {
        if errors.len() >= MAX_FINDINGS {
            break;
        }
        let value = member.bytes(text);
        match member.what {
            What::Item => {
                item += 1;
                if !value.starts_with(b"{") {
                    let path = format!("ipinfo[{}]", item - 1);
                    errors.push(Finding::error(path, "an object", excerpt(member.value(text))));
                }
            }
            What::Field(field) => {
                if !allowed(field.kind(), value) {
                    let path = with_item(field.path(), item);
                    errors.push(Finding::error(path, expectation(field.kind()), excerpt(member.value(text))));
                }
            }
            What::Unknown if warnings.len() >= max_warnings => {}
            What::Unknown => {
                let name = json::unescape(member.typed_name(text));
                let path = match parent(member.node) {
                    Some(parent) => format!("{}.{}", with_item(parent.path(), item), excerpt(&name)),
                    None => excerpt(&name),
                };
                warnings.push(Finding::warning(path, "a known field", "an unknown one, kept as it is"));
            }
        }
    }
    findings.extend(errors.into_iter().chain(warnings));
}

fn parent(node: Node) -> Option<Field> {
    Field::all().find(|field| field.child() == Some(node))
}

/// `ipinfo.ip` as `ipinfo[2].ip`, `items` being how many items have begun.
fn with_item(path: &str, items: usize) -> String {
    match path.strip_prefix("ipinfo.") {
        Some(rest) => format!("ipinfo[{}].{rest}", items.saturating_sub(1)),
        None if path == "ipinfo" && items > 0 => format!("ipinfo[{}]", items - 1),
        None => path.to_owned(),
    }
}

/// Without these no receiver knows what an update is about.
const REQUIRED: [Field; 2] = [Field::ID, Field::ALERTTYPE];

fn missing(update: &Update, names: &FieldNames, least: Weight, findings: &mut Vec<Finding>) {
    if least == Weight::Error && REQUIRED.iter().all(|field| update.raw(*field).is_some()) {
        return;
    }
    // A field's place is one byte.
    let mut present = [false; 1 << u8::BITS];
    for member in update.view().members() {
        if let What::Field(field) = member.what {
            present[field.index()] = true;
        }
    }
    let looked_for = |field: &Field| least == Weight::Warning || REQUIRED.contains(field);
    for field in Field::all().filter(|field| !present[field.index()]).filter(looked_for) {
        // Inside `ipinfo` nothing is promised; inside an object that is missing itself, one finding is enough.
        if field.path().starts_with("ipinfo.")
            || parent(field.node()).is_some_and(|around| !present[around.index()])
            || names.name(field).is_none()
        {
            continue;
        }
        let expectation = expectation(field.kind());
        findings.push(match REQUIRED.contains(&field) {
            true => Finding::error(field.path(), expectation, "nothing"),
            false => Finding::warning(field.path(), expectation, "nothing"),
        });
    }
}

fn values(update: &Update, findings: &mut Vec<Finding>) {
    known(update, Field::ALERTTYPE, AlertType::KNOWN, findings);
    known(update, Field::SEVERITY, Severity::KNOWN, findings);
    // The items of `ipinfo` were found when the update was read.
    counted(update, Field::IPINFOCOUNT, Field::IPINFO, |_| update.view().items(Field::IPINFO), findings);
    counted(update, Field::RULECOUNT, Field::RULES, |raw| json::items(raw.as_bytes()).count(), findings);
    if let Some(count) = update.integer(Field::UPDATECOUNT).filter(|&count| count < 1) {
        findings.push(Finding::warning("updatecount", "1 or more", count.to_string()));
    }
    let (start, end) = (update.integer(Field::START), update.integer(Field::END));
    match update.alerttype().as_deref() {
        Some("start") => {
            for field in [Field::END, Field::DURATION, Field::LASTTIMESTAMP] {
                if let Some(value) = update.integer(field).filter(|&value| value != 0) {
                    findings.push(Finding::warning(field.path(), "0 in a start", value.to_string()));
                }
            }
        }
        Some("ongoing") => {
            if let Some(end) = end.filter(|&end| end != 0) {
                findings.push(Finding::warning("end", "0 while the event goes on", end.to_string()));
            }
        }
        Some("end") => {
            if let (Some(start), Some(end)) = (start, end)
                && end < start
            {
                findings.push(Finding::warning("end", format!("{start} or later"), end.to_string()));
            }
        }
        _ => {}
    }
}

fn known(update: &Update, field: Field, known: &[&str], findings: &mut Vec<Finding>) {
    if let Some(value) = update.text(field).filter(|value| !known.contains(&&**value)) {
        let got = if value.is_empty() { "an empty string".to_owned() } else { excerpt(&value) };
        findings.push(Finding::warning(field.path(), known.join(", "), got));
    }
}

fn counted(
    update: &Update,
    count: Field,
    list: Field,
    items: impl FnOnce(&str) -> usize,
    findings: &mut Vec<Finding>,
) {
    let (Some(counted), Some(raw)) = (update.integer(count), update.raw(list)) else { return };
    let items = items(raw);
    if i64::try_from(items) != Ok(counted) {
        let expected = format!("{items}, as many as {list} has");
        findings.push(Finding::warning(count.path(), expected, counted.to_string()));
    }
}

fn allowed(kind: Kind, value: &[u8]) -> bool {
    match kind {
        Kind::Object(_) => value.starts_with(b"{"),
        Kind::Items(_) => value.starts_with(b"["),
        Kind::Leaf(forms) => forms.iter().any(|form| form.allows(value)),
    }
}

impl Form {
    /// Whether `value`, a compact JSON value, has this form.
    fn allows(self, value: &[u8]) -> bool {
        let first = value.first().copied().unwrap_or_default();
        match self {
            Form::Text => first == b'"',
            Form::Flag => first == b't' || first == b'f',
            Form::Null => first == b'n',
            Form::Decimal => first == b'-' || first.is_ascii_digit(),
            Form::Integer => {
                let digits = value.strip_prefix(b"-").unwrap_or(value);
                !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
            }
            Form::List => first == b'[',
            Form::Texts => first == b'[' && are_texts(&value[1..]),
            Form::Counts => first == b'{' && are_counts(&value[1..]),
        }
    }

    const fn describe(self) -> &'static str {
        match self {
            Form::Text => "a string",
            Form::Flag => "true or false",
            Form::Null => "null",
            Form::Decimal => "a number",
            Form::Integer => "an integer",
            Form::List => "an array",
            Form::Texts => "an array of strings",
            Form::Counts => "an object of integers",
        }
    }
}

/// Whether what follows, in a compact array, are strings alone.
fn are_texts(mut rest: &[u8]) -> bool {
    while let Some(behind) = behind_string(rest) {
        match behind.strip_prefix(b",") {
            Some(next) => rest = next,
            None => return true,
        }
    }
    rest == b"]"
}

/// Whether what follows, in a compact object, are members with integers alone.
fn are_counts(mut rest: &[u8]) -> bool {
    while let Some(behind) = behind_string(rest) {
        let value = behind.strip_prefix(b":").unwrap_or_default();
        // An integer has neither in it.
        let end = value.iter().position(|byte| matches!(byte, b',' | b'}')).unwrap_or_default();
        let (count, behind) = value.split_at(end);
        if !Form::Integer.allows(count) {
            return false;
        }
        match behind.strip_prefix(b",") {
            Some(next) => rest = next,
            None => return true,
        }
    }
    rest == b"}"
}

/// What follows the string that a text begins with.
fn behind_string(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text.strip_prefix(b"\"")?;
    loop {
        let end = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
        if rest[end] == b'"' {
            return Some(&rest[end + 1..]);
        }
        // Whatever is escaped ends nothing.
        rest = rest.get(end + 2..)?;
    }
}

fn expectation(kind: Kind) -> String {
    match kind {
        Kind::Object(_) => "an object".to_owned(),
        Kind::Items(_) => "an array of objects".to_owned(),
        Kind::Leaf(forms) => forms.iter().map(|form| form.describe()).collect::<Vec<_>>().join(" or "),
    }
}

/// The most characters of a value that a finding shows.
const EXCERPT: usize = 60;

fn excerpt(value: &str) -> String {
    match value.char_indices().nth(EXCERPT) {
        Some((cut, _)) => format!("{}…", &value[..cut]),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests;

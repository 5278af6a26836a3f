//! The body: is it JSON, and is it an update under the names that the sender was told to use?

use payload::check::Weight;
use payload::field_names::RestoreError;
use payload::{FieldNames, Update};

use super::Strictness;
use crate::request::Request;
use crate::verdict::{Finding, Problem};

/// What was read of a body.
pub(super) struct Shape {
    pub(super) json: Finding,
    pub(super) shape: Finding,
    /// What is odd beside what is wrong.
    pub(super) odd: Option<Finding>,
    /// The update under the standard names, if it could be read.
    pub(super) update: Option<Update>,
}

pub(super) fn read(request: &Request, names: &FieldNames, strictness: Strictness) -> Shape {
    let skipped = |reason: &'static str| Shape {
        json: Finding::Skipped(reason.into()),
        shape: Finding::Skipped(reason.into()),
        odd: None,
        update: None,
    };
    let Some(body) = request.whole() else { return skipped("the body did not come whole") };
    match names.restore(body.clone()) {
        Ok(update) => {
            let (shape, odd) = judge(&update, names, strictness);
            Shape { json: Finding::Passed, shape, odd, update: Some(update) }
        }
        Err(RestoreError::Parse(error)) => {
            let got = if body.is_empty() { "an empty body".to_owned() } else { error.to_string() };
            let json = Finding::failed("body", "a JSON object", got);
            Shape { json, shape: Finding::Skipped("the body is not JSON".into()), odd: None, update: None }
        }
        Err(RestoreError::StandardName { path, expected }) => {
            let wanted =
                expected.map_or_else(|| "it to be left out".to_owned(), |name| format!("the name {name:?}"));
            let shape = Finding::failed(path, wanted, "its standard name");
            Shape { json: Finding::Passed, shape, odd: None, update: None }
        }
        Err(RestoreError::Constant { name, expected }) => {
            let shape =
                Finding::failed(name, format!("the constant {expected}"), "something else or nothing");
            Shape { json: Finding::Passed, shape, odd: None, update: None }
        }
    }
}

/// What is wrong, and apart from it what is only odd.
fn judge(update: &Update, names: &FieldNames, strictness: Strictness) -> (Finding, Option<Finding>) {
    let is_wrong =
        |finding: &payload::Finding| finding.weight == Weight::Error || strictness == Strictness::Strict;
    let (wrong, odd): (Vec<_>, Vec<_>) = payload::check(update, names).into_iter().partition(is_wrong);
    let problems = |findings: Vec<payload::Finding>| {
        let problem = |finding: payload::Finding| Problem::new(finding.path, finding.expected, finding.got);
        findings.into_iter().map(problem).collect::<Vec<_>>()
    };
    match (wrong.is_empty(), odd.is_empty()) {
        (true, true) => (Finding::Passed, None),
        (true, false) => (Finding::Noted(problems(odd)), None),
        (false, true) => (Finding::Failed(problems(wrong)), None),
        (false, false) => (Finding::Failed(problems(wrong)), Some(Finding::Noted(problems(odd)))),
    }
}

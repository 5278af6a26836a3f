//! The body: is it JSON, and is it an update under the names that the sender was told to use?

use payload::check::Weight;
use payload::field_names::RestoreError;
use payload::{FieldNames, Update};

use crate::request::Request;
use crate::verdict::{Finding, Problem};

/// What was read of a body.
pub(super) struct Shape {
    pub(super) json: Finding,
    pub(super) shape: Finding,
    /// The update under the standard names, if it could be read.
    pub(super) update: Option<Update>,
}

pub(super) fn read(request: &Request, names: &FieldNames) -> Shape {
    let skipped =
        |reason| Shape { json: Finding::Skipped(reason), shape: Finding::Skipped(reason), update: None };
    let Some(body) = request.whole() else { return skipped("the body did not come whole") };
    match names.restore(body.clone()) {
        Ok(update) => {
            let shape = judge(&update, names);
            Shape { json: Finding::Passed, shape, update: Some(update) }
        }
        Err(RestoreError::Parse(error)) => {
            let got = if body.is_empty() { "an empty body".to_owned() } else { error.to_string() };
            let json = Finding::failed("body", "a JSON object", got);
            Shape { json, shape: Finding::Skipped("the body is not JSON"), update: None }
        }
        Err(RestoreError::StandardName { path, expected }) => {
            let wanted =
                expected.map_or_else(|| "it to be left out".to_owned(), |name| format!("the name {name:?}"));
            let shape = Finding::failed(path, wanted, "its standard name");
            Shape { json: Finding::Passed, shape, update: None }
        }
        Err(RestoreError::Constant { name, expected }) => {
            let shape =
                Finding::failed(name, format!("the constant {expected}"), "something else or nothing");
            Shape { json: Finding::Passed, shape, update: None }
        }
    }
}

fn judge(update: &Update, names: &FieldNames) -> Finding {
    let findings = payload::check(update, names);
    let wrong = findings.iter().any(|finding| finding.weight == Weight::Error);
    let problems: Vec<_> = findings
        .into_iter()
        .map(|finding| Problem::new(finding.path, finding.expected, finding.got))
        .collect();
    match (wrong, problems.is_empty()) {
        (true, _) => Finding::Failed(problems),
        (false, false) => Finding::Noted(problems),
        (false, true) => Finding::Passed,
    }
}

//! What is wrong with what somebody wants to be configured, beside what the form itself tells.

use super::{ALERT_TYPES, MAX_DESCRIPTION, MAX_NAME, Refused, SEVERITIES, State, TRACK_BY};
use crate::policy::Policy;

pub(super) fn texts(name: &str, description: &str) -> Vec<String> {
    let mut mistakes = Vec::new();
    if name.trim().is_empty() {
        mistakes.push("name: it is needed, to know this one by".to_owned());
    }
    if name.len() > MAX_NAME || name.contains(['/', '\n', '\r', '\0']) {
        mistakes.push(format!("name: it has at most {MAX_NAME} bytes, no slash and no line break"));
    }
    if description.len() > MAX_DESCRIPTION {
        mistakes.push(format!("description: it is longer than {MAX_DESCRIPTION} bytes"));
    }
    mistakes
}

pub(super) fn policy(state: &State, policy: &Policy) -> Result<(), Refused> {
    let mut mistakes = texts(&policy.name, &policy.description);
    let known = |id: &&String| !state.stored.contains_key(*id) && !state.file.forms.contains_key(*id);
    for missing in policy.integrations.iter().filter(known) {
        mistakes.push(format!("integrations: there is no integration {missing:?}"));
    }
    for (field, values, allowed) in [
        ("alert types", &policy.alert_types, ALERT_TYPES),
        ("severities", &policy.severities, SEVERITIES),
        ("track by", &policy.track_by, TRACK_BY),
    ] {
        for wrong in values.iter().filter(|value| !allowed.contains(&value.as_str())) {
            mistakes.push(format!("{field}: {wrong:?} is none of {}", allowed.join(", ")));
        }
    }
    if mistakes.is_empty() { Ok(()) } else { Err(Refused::Invalid(mistakes)) }
}

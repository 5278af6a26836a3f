//! Response policies: which updates go to which integrations. Pure.
//!
//! Filters of different kinds must all match, of the values of one filter any; an empty filter, or one with `all`,
//! matches everything. Detection models that say so (`bypassrule`) are matched by no policy.

use std::borrow::Cow;

use payload::{Field, Update};
use serde::{Deserialize, Serialize};

/// A policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// What it is known by: its own, or its name in a file.
    #[serde(skip)]
    pub id: String,
    /// What a person calls it.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Whether it is switched off.
    pub disabled: bool,
    /// `start`, `ongoing`, `end`.
    pub alert_types: Vec<String>,
    /// `low`, `medium`, `high`.
    pub severities: Vec<String>,
    /// Detection models.
    pub algorithms: Vec<String>,
    /// Detection categories.
    pub categories: Vec<String>,
    /// Fields by which the detection model tells events apart.
    pub track_by: Vec<String>,
    /// The integrations that the updates go to.
    pub integrations: Vec<String>,
}

/// Where an update goes, and why nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route<'p> {
    /// To these integrations, each once.
    To(Vec<&'p str>),
    /// No policy matches.
    Unmatched,
    /// Its detection model bypasses policies.
    Bypassed,
}

impl Policy {
    /// Whether an update is one of those that this policy is for.
    #[must_use]
    pub fn matches(&self, update: &Update) -> bool {
        let one = |wanted, field| passes(wanted, update.text(field));
        let any = |wanted, field| passes(wanted, update.texts(field));
        !self.disabled
            && one(&self.alert_types, Field::ALERTTYPE)
            && one(&self.severities, Field::SEVERITY)
            && one(&self.algorithms, Field::ALGORITHM)
            && any(&self.categories, Field::CATEGORIES)
            && any(&self.track_by, Field::TRACK_BY)
    }
}

fn passes<'u>(wanted: &[String], came: impl IntoIterator<Item = Cow<'u, str>>) -> bool {
    let everything = wanted.is_empty() || wanted.iter().any(|value| value == "all");
    everything || came.into_iter().any(|value| wanted.iter().any(|wanted| *wanted == *value))
}

/// Says where an update goes: to the integrations of all policies that match, each once, in the order of the policies.
#[must_use]
pub fn route<'p>(update: &Update, policies: &'p [Policy]) -> Route<'p> {
    if update.flag(Field::BYPASSRULE) == Some(true) {
        return Route::Bypassed;
    }
    let mut to: Vec<&str> = Vec::new();
    for integration in
        policies.iter().filter(|policy| policy.matches(update)).flat_map(|policy| &policy.integrations)
    {
        if !to.contains(&integration.as_str()) {
            to.push(integration);
        }
    }
    if to.is_empty() { Route::Unmatched } else { Route::To(to) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(values: &[&str]) -> Vec<String> {
        values.iter().map(|&value| value.to_owned()).collect()
    }

    fn sample() -> Update {
        Update::parse(payload::SAMPLE).unwrap()
    }

    #[test]
    fn filters_are_anded_and_their_values_ored() {
        let any = Policy::default;
        for (policy, matches) in [
            (any(), true),
            (Policy { disabled: true, ..any() }, false),
            (Policy { alert_types: list(&["start"]), ..any() }, true),
            (Policy { alert_types: list(&["ongoing", "end"]), ..any() }, false),
            (Policy { severities: list(&["high", "medium"]), ..any() }, true),
            (Policy { severities: list(&["all"]), ..any() }, true),
            (Policy { algorithms: list(&["ping_scan_ext-int"]), ..any() }, false),
            (Policy { categories: list(&["p2p", "iprep"]), ..any() }, true),
            (Policy { track_by: list(&["dstip"]), ..any() }, true),
            (Policy { track_by: list(&["input"]), ..any() }, false),
            (Policy { alert_types: list(&["start"]), severities: list(&["low"]), ..any() }, false),
        ] {
            assert_eq!(policy.matches(&sample()), matches, "{policy:?}");
        }
    }

    #[test]
    fn an_integration_that_two_policies_name_gets_an_update_once() {
        let policy = |integrations: &[&str]| Policy { integrations: list(integrations), ..Policy::default() };
        let policies = [policy(&["a", "b"]), policy(&["b", "c"])];
        assert_eq!(route(&sample(), &policies), Route::To(vec!["a", "b", "c"]));
        assert_eq!(route(&sample(), &[]), Route::Unmatched);
        let bypassing =
            Update::parse(payload::SAMPLE.replace("\"bypassrule\":false", "\"bypassrule\":true")).unwrap();
        assert_eq!(route(&bypassing, &policies), Route::Bypassed);
    }
}

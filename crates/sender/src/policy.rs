//! Response policies: which updates go to which integrations. Pure.
//!
//! Filters of different kinds must all match, of the values of one filter any; an empty filter, or one with `all`,
//! matches everything. Detection models that say so (`bypassrule`) are matched by no policy.

use std::borrow::Cow;
use std::collections::HashMap;

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

/// What filters ask of an update, read once for all policies.
struct Facts<'u> {
    alert_type: Option<Cow<'u, str>>,
    severity: Option<Cow<'u, str>>,
    algorithm: Option<Cow<'u, str>>,
    update: &'u Update,
}

impl<'u> Facts<'u> {
    fn of(update: &'u Update) -> Self {
        Self {
            alert_type: update.alerttype(),
            severity: update.text(Field::SEVERITY),
            algorithm: update.text(Field::ALGORITHM),
            update,
        }
    }
}

/// Policies as they are asked for every update: those that are for other detection models are passed over.
#[derive(Debug, Default)]
pub struct Policies {
    all: Vec<Policy>,
    /// The places of those that are for a detection model, in their order.
    by_algorithm: HashMap<String, Vec<usize>>,
    /// Of those that are for any.
    of_any: Vec<usize>,
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
    fn matches(&self, facts: &Facts<'_>) -> bool {
        let any = |wanted, field| passes(wanted, || facts.update.texts(field));
        !self.disabled
            && passes(&self.alert_types, || facts.alert_type.as_ref())
            && passes(&self.severities, || facts.severity.as_ref())
            && passes(&self.algorithms, || facts.algorithm.as_ref())
            && any(&self.categories, Field::CATEGORIES)
            && any(&self.track_by, Field::TRACK_BY)
    }
}

fn passes<T: AsRef<str>, I: IntoIterator<Item = T>>(wanted: &[String], came: impl FnOnce() -> I) -> bool {
    for_any(wanted) || came().into_iter().any(|value| wanted.iter().any(|wanted| wanted == value.as_ref()))
}

/// Whether a filter lets everything pass.
fn for_any(wanted: &[String]) -> bool {
    wanted.is_empty() || wanted.iter().any(|value| value == "all")
}

impl Policies {
    /// These, in this order.
    #[must_use]
    pub fn new(all: Vec<Policy>) -> Self {
        let (mut by_algorithm, mut of_any) = (HashMap::<String, Vec<usize>>::new(), Vec::new());
        for (place, policy) in all.iter().enumerate() {
            if for_any(&policy.algorithms) {
                of_any.push(place);
                continue;
            }
            for algorithm in &policy.algorithms {
                let places = by_algorithm.entry(algorithm.clone()).or_default();
                if places.last() != Some(&place) {
                    places.push(place);
                }
            }
        }
        Self { all, by_algorithm, of_any }
    }

    /// Says the same as [`route`].
    #[must_use]
    pub fn route(&self, update: &Update) -> Route<'_> {
        let facts = Facts::of(update);
        let places = facts.algorithm.as_ref().and_then(|algorithm| self.by_algorithm.get(&**algorithm));
        let places = in_order(places.map_or(&[], Vec::as_slice), &self.of_any);
        gather(&facts, places.filter_map(|place| self.all.get(place)))
    }
}

/// Two lists of places as one, in their order.
fn in_order<'a>(mut one: &'a [usize], mut other: &'a [usize]) -> impl Iterator<Item = usize> + 'a {
    std::iter::from_fn(move || {
        let next = match (one.first(), other.first()) {
            (Some(first), Some(second)) if first > second => &mut other,
            (Some(_), _) => &mut one,
            (None, _) => &mut other,
        };
        next.split_off_first().copied()
    })
}

/// Says where an update goes: to the integrations of all policies that match, each once, in the order of the policies.
#[must_use]
pub fn route<'p>(update: &Update, policies: &'p [Policy]) -> Route<'p> {
    gather(&Facts::of(update), policies.iter())
}

fn gather<'p>(facts: &Facts<'_>, policies: impl Iterator<Item = &'p Policy>) -> Route<'p> {
    if facts.update.flag(Field::BYPASSRULE) == Some(true) {
        return Route::Bypassed;
    }
    let mut to: Vec<&str> = Vec::new();
    for integration in policies.filter(|policy| policy.matches(facts)).flat_map(|policy| &policy.integrations)
    {
        if !to.contains(&integration.as_str()) {
            to.push(integration);
        }
    }
    if to.is_empty() { Route::Unmatched } else { Route::To(to) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, any, prop_assert_eq, proptest};

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
            assert_eq!(policy.matches(&Facts::of(&sample())), matches, "{policy:?}");
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
        assert_eq!(Policies::new(policies.to_vec()).route(&bypassing), Route::Bypassed);
    }

    fn policy() -> impl Strategy<Value = Policy> {
        let some = |values: &'static [&'static str]| {
            proptest::collection::vec(proptest::sample::select(values).prop_map(str::to_owned), 0..3)
        };
        let filters = (
            some(&["start", "ongoing", "all"]),
            some(&["ddd_volume", "ping", "all", "tcp\u{e9}"]),
            some(&["tcp", "p2p"]),
        );
        (filters, some(&["a", "b", "c"]), any::<bool>()).prop_map(
            |((alert_types, algorithms, categories), integrations, disabled)| Policy {
                alert_types,
                algorithms,
                categories,
                integrations,
                disabled,
                ..Policy::default()
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_passed_over_would_not_have_matched(
            policies in proptest::collection::vec(policy(), 0..12),
            algorithm in proptest::sample::select(&["\"ping\"", "\"ddd_volume\"", "\"tcp\\u00e9\"", "\"all\"", "null"][..]),
        ) {
            let text = format!(r#"{{"alerttype":"start","algorithm":{algorithm},"categories":["tcp"]}}"#);
            let update = Update::parse(text).unwrap();
            let asked = Policies::new(policies.clone());
            prop_assert_eq!(asked.route(&update), route(&update, &policies));
        }
    }
}

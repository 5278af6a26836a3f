//! The order of each event's updates: start before ongoing before end, counts growing, times not running backwards.
//!
//! A delivery that came before (same `webhook-id`, or the same body) is a duplicate, which "at least once" allows: it is
//! noted. What came in the wrong order is a failure. Memory is bounded: the events that were quiet for longest are
//! forgotten, and from then on an event that seems to lack its start is not accused of it.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use payload::{Field, Update};

use crate::verdict::{Finding, Problem};

/// How many events are remembered.
pub const MAX_EVENTS: usize = 100_000;

/// How many earlier deliveries of one event are remembered, to know a duplicate by.
pub const MAX_REMEMBERED: usize = 32;

/// What is known of the events that were seen.
#[derive(Debug)]
pub struct Sequences {
    events: HashMap<String, Life>,
    /// Event ids with the step at which they were last seen; an entry that is not the latest of its event is stale.
    by_age: VecDeque<(u64, String)>,
    step: u64,
    limit: usize,
    forgotten: bool,
}

#[derive(Debug)]
struct Life {
    last_seen: u64,
    ended: bool,
    count: Option<i64>,
    timestamp: Option<i64>,
    /// Hashes of ids and of bodies of the latest deliveries.
    deliveries: VecDeque<(Option<u64>, u64)>,
}

impl Default for Sequences {
    fn default() -> Self {
        Self::remembering(MAX_EVENTS)
    }
}

impl Sequences {
    /// Remembers at most `limit` events.
    #[must_use]
    pub fn remembering(limit: usize) -> Self {
        Self {
            events: HashMap::new(),
            by_age: VecDeque::new(),
            step: 0,
            limit: limit.max(1),
            forgotten: false,
        }
    }

    /// Judges the next update that was taken in, and remembers it.
    pub(crate) fn judge(&mut self, update: &Update, delivery: Option<&str>) -> Finding {
        let Some(id) = update.id() else { return Finding::Skipped("the update has no id") };
        self.step += 1;
        let seen = (delivery.map(|id| hash(id.as_bytes())), hash(update.as_bytes()));
        let forgotten = self.forgotten;
        let finding = match self.events.get_mut(&*id) {
            Some(life) => life.judge(update, seen),
            None => {
                self.events.insert(id.to_string(), Life::begin(update, seen));
                if update.alerttype().as_deref() == Some("start") || forgotten {
                    Finding::Passed
                } else {
                    Finding::failed("alerttype", "start as the event's first update", kind(update))
                }
            }
        };
        if let Some(life) = self.events.get_mut(&*id) {
            life.last_seen = self.step;
        }
        self.by_age.push_back((self.step, id.into_owned()));
        self.forget();
        finding
    }

    /// Drops stale entries from the front, and the quietest events while there are too many.
    fn forget(&mut self) {
        while let Some((step, id)) = self.by_age.front() {
            let current = self.events.get(id).is_some_and(|life| life.last_seen == *step);
            if current && self.events.len() <= self.limit && self.by_age.len() <= 4 * self.limit {
                return;
            }
            if current && self.events.len() <= self.limit {
                // Alive and only in the way of stale entries behind it.
                let entry = self.by_age.pop_front();
                self.by_age.extend(entry);
                self.by_age.make_contiguous().sort_unstable_by_key(|(step, _)| *step);
                let events = &self.events;
                self.by_age.retain(|(step, id)| events.get(id).is_some_and(|life| life.last_seen == *step));
                return;
            }
            if current {
                self.events.remove(id);
                self.forgotten = true;
            }
            self.by_age.pop_front();
        }
    }
}

impl Life {
    fn begin(update: &Update, seen: (Option<u64>, u64)) -> Self {
        let mut life =
            Self { last_seen: 0, ended: false, count: None, timestamp: None, deliveries: VecDeque::new() };
        life.remember(update, seen);
        life
    }

    fn remember(&mut self, update: &Update, seen: (Option<u64>, u64)) {
        self.ended |= kind(update) == "end";
        self.count = self.count.max(update.integer(Field::UPDATECOUNT));
        self.timestamp = self.timestamp.max(update.integer(Field::TIMESTAMP));
        if self.deliveries.len() == MAX_REMEMBERED {
            self.deliveries.pop_front();
        }
        self.deliveries.push_back(seen);
    }

    fn judge(&mut self, update: &Update, seen: (Option<u64>, u64)) -> Finding {
        for (id, body) in &self.deliveries {
            let got = match (id.is_some() && *id == seen.0, *body == seen.1) {
                (true, true) => "the same delivery again",
                (true, false) => "an earlier webhook-id with another body",
                (false, true) => "an earlier body again",
                (false, false) => continue,
            };
            return Finding::Noted(vec![Problem::new("update", "one that was not here before", got)]);
        }
        let problems = self.problems(update);
        self.remember(update, seen);
        if problems.is_empty() { Finding::Passed } else { Finding::Failed(problems) }
    }

    fn problems(&self, update: &Update) -> Vec<Problem> {
        let mut problems = Vec::new();
        let kind = kind(update);
        if self.ended {
            problems.push(Problem::new("alerttype", "nothing after the end", &kind));
        } else if kind == "start" {
            problems.push(Problem::new("alerttype", "ongoing or end after the start", &kind));
        }
        for (field, before) in [(Field::UPDATECOUNT, self.count), (Field::TIMESTAMP, self.timestamp)] {
            let (Some(before), Some(now)) = (before, update.integer(field)) else { continue };
            if field == Field::UPDATECOUNT && now <= before {
                problems.push(Problem::new(field.path(), format!("more than {before}"), now.to_string()));
            } else if now < before {
                problems.push(Problem::new(field.path(), format!("{before} or later"), now.to_string()));
            }
        }
        problems
    }
}

fn kind(update: &Update) -> String {
    update.alerttype().map_or_else(|| "nothing".to_owned(), std::borrow::Cow::into_owned)
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(id: &str, kind: &str, count: i64, at: i64) -> Update {
        let text = format!(r#"{{"alerttype":"{kind}","id":"{id}","timestamp":{at},"updatecount":{count}}}"#);
        Update::parse(text).unwrap()
    }

    /// Plays a life of one event and says what was found at its last update.
    fn found(life: &[(&str, i64, i64)]) -> String {
        let mut sequences = Sequences::default();
        let mut last = String::new();
        for (kind, count, at) in life {
            let finding = sequences.judge(&update("a", kind, *count, *at), None);
            let problems: Vec<_> = finding.problems().iter().map(ToString::to_string).collect();
            let word = match finding {
                Finding::Passed => "passed",
                Finding::Noted(_) => "noted",
                Finding::Failed(_) => "failed",
                Finding::Skipped(_) => "skipped",
            };
            last = format!("{word} {}", problems.join("; ")).trim().to_owned();
        }
        last
    }

    #[test]
    fn the_order_of_a_life_is_judged() {
        for (life, expected) in [
            (&[("start", 1, 10)][..], "passed"),
            (&[("start", 1, 10), ("ongoing", 2, 20), ("end", 3, 30)], "passed"),
            (&[("start", 1, 10), ("end", 2, 10)], "passed"),
            (&[("start", 1, 10), ("ongoing", 5, 20)], "passed"),
            (
                &[("start", 1, 10), ("start", 1, 10)],
                "noted update: expected one that was not here before, got an earlier body again",
            ),
            (
                &[("ongoing", 2, 10)],
                "failed alerttype: expected start as the event's first update, got ongoing",
            ),
            (
                &[("start", 1, 10), ("end", 2, 20), ("ongoing", 3, 30)],
                "failed alerttype: expected nothing after the end, got ongoing",
            ),
            (
                &[("start", 1, 10), ("start", 2, 20)],
                "failed alerttype: expected ongoing or end after the start, got start",
            ),
            (
                &[("start", 1, 10), ("ongoing", 3, 30), ("ongoing", 2, 20)],
                "failed updatecount: expected more than 3, got 2; timestamp: expected 30 or later, got 20",
            ),
        ] {
            assert_eq!(found(life), expected, "{life:?}");
        }
    }

    #[test]
    fn a_retry_is_known_by_its_id() {
        let mut sequences = Sequences::default();
        assert_eq!(sequences.judge(&update("a", "start", 1, 1), Some("m1")), Finding::Passed);
        let again = sequences.judge(&update("a", "start", 1, 1), Some("m1"));
        assert_eq!(again.problems()[0].got, "the same delivery again");
        let other = sequences.judge(&update("a", "ongoing", 2, 2), Some("m1"));
        assert_eq!(other.problems()[0].got, "an earlier webhook-id with another body");
    }

    #[test]
    fn memory_is_bounded_and_what_was_forgotten_is_not_held_against_an_event() {
        let mut sequences = Sequences::remembering(2);
        for id in ["a", "b", "c"] {
            assert_eq!(sequences.judge(&update(id, "start", 1, 1), None), Finding::Passed);
        }
        assert_eq!(sequences.events.len(), 2);
        assert_eq!(sequences.judge(&update("a", "ongoing", 2, 2), None), Finding::Passed, "it was forgotten");
        for count in 2..1000 {
            assert_eq!(sequences.judge(&update("c", "ongoing", count, 2), None), Finding::Passed);
            assert!(sequences.by_age.len() <= 8 + 1, "stale entries are dropped");
        }
        assert_eq!(sequences.events.len(), 2);
    }
}

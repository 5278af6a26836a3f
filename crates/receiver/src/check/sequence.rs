//! The order of each event's updates: start before ongoing before end, counts growing, times not running backwards.
//!
//! A delivery that came before (same `webhook-id`, or the same body) is a duplicate if it was answered 2xx, and a retry if
//! not: "at least once" allows both, and they are noted. What came in the wrong order is a failure.
//!
//! Memory is bounded: events are known by a hash of their id, however long that is, and those that were quiet for longest
//! are forgotten. From then on an event that seems to lack its start is not accused of it, and neither is one whose start
//! may have met a fault before it was read.

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroU64;

use hashlink::LinkedHashMap;
use hashlink::linked_hash_map::Entry;
use http::StatusCode;
use payload::{Field, Update};

use crate::verdict::{Finding, Problem};

/// How many events are remembered.
pub const MAX_EVENTS: usize = 100_000;

/// What it is called when two updates have one id.
const REUSED: &str = "reused webhook-id";

/// How many earlier deliveries of one event are remembered, to know a duplicate by.
pub const MAX_REMEMBERED: usize = 32;

/// What is known of the events that were seen.
#[derive(Debug)]
pub struct Sequences {
    /// The one that was quiet for longest first.
    events: LinkedHashMap<Key, Life>,
    /// Which event each `webhook-id` belongs to, and the capture that said so first; the oldest first.
    owners: LinkedHashMap<u64, (Key, u64)>,
    limit: usize,
    /// Why an event that seems to lack its start is not accused of it.
    excuse: Excuse,
    /// Events from before all was forgotten, which may go on.
    before: HashSet<Key>,
}

/// The hash of an event's id.
type Key = u64;

/// What may have become of a start that nobody knows of. The later ones excuse more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Excuse {
    /// Nothing: all that came is known.
    #[default]
    None,
    /// A fault may have struck it before it was read.
    Lost,
    /// It was forgotten.
    Forgotten,
}

#[derive(Debug, Default)]
struct Life {
    /// Whether any update was taken, and whether a start was among them.
    begun: bool,
    started: bool,
    ended: bool,
    /// Whether an update was not taken for a reason that is not the sender's.
    spoilt: bool,
    count: Option<i64>,
    timestamp: Option<i64>,
    /// Oldest first; most events have few.
    deliveries: Vec<Delivery>,
}

/// An earlier delivery, by hashes of its id and its body.
#[derive(Clone, Copy, Debug)]
struct Delivery {
    id: Option<NonZeroU64>,
    body: u64,
    number: u64,
    status: Option<StatusCode>,
    taken: Taken,
}

/// Whether a sender holds its update to have arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It was answered 2xx.
    Yes,
    /// It was answered otherwise, or not at all, for what is wrong with it.
    Refused,
    /// The same because of a fault.
    Spoilt,
    /// The answer broke off, so that senders may differ.
    Unsure,
}

/// What an update is known again by. Made before anything is locked: a body may be long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marks {
    event: Option<Key>,
    /// Of its `webhook-id`.
    delivery: Option<u64>,
    body: u64,
}

impl Marks {
    pub(crate) fn of(update: &Update, delivery: Option<&str>) -> Self {
        Self {
            event: update.id().map(|id| hash(id.as_bytes())),
            delivery: delivery.map(|id| hash(id.as_bytes())),
            body: hash(update.as_bytes()),
        }
    }
}

/// An update as it came in.
pub(crate) struct Arrival<'a> {
    pub(crate) update: &'a Update,
    pub(crate) marks: Marks,
    /// The number of its capture.
    pub(crate) number: u64,
    /// What it is answered, if anything.
    pub(crate) status: Option<StatusCode>,
    pub(crate) taken: Taken,
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
            events: LinkedHashMap::new(),
            owners: LinkedHashMap::new(),
            limit: limit.max(1),
            excuse: Excuse::None,
            before: HashSet::new(),
        }
    }

    /// Forgets what every event went through: one that goes on is not accused of lacking its start.
    pub(crate) fn forget_all(&mut self) {
        let mut forgotten = Self { excuse: self.excuse, ..Self::remembering(self.limit) };
        forgotten.before = std::mem::take(&mut self.before);
        forgotten.before.extend(self.events.keys());
        if forgotten.before.len() > self.limit {
            (forgotten.before, forgotten.excuse) = (HashSet::new(), Excuse::Forgotten);
        }
        *self = forgotten;
    }

    /// A fault struck something before it was known which event it belonged to.
    pub(crate) fn lose(&mut self) {
        self.excuse = self.excuse.max(Excuse::Lost);
    }

    /// Judges the next update, and remembers it.
    pub(crate) fn judge(&mut self, arrival: &Arrival<'_>) -> Finding {
        let Some(key) = arrival.marks.event else { return Finding::Skipped("the update has no id".into()) };
        let excuse = if self.before.contains(&key) { Excuse::Forgotten } else { self.excuse };
        let life = match self.events.entry(key) {
            Entry::Occupied(mut known) => {
                known.to_back();
                known.into_mut()
            }
            Entry::Vacant(new) => new.insert(Life::default()),
        };
        let finding = life.judge(arrival, excuse);
        if self.events.len() > self.limit {
            self.events.pop_front();
            self.excuse = Excuse::Forgotten;
        }
        self.owned(arrival, key).unwrap_or(finding)
    }

    /// Whether its `webhook-id` was that of another event before.
    fn owned(&mut self, arrival: &Arrival<'_>, key: Key) -> Option<Finding> {
        let id = arrival.marks.delivery?;
        if let Some((owner, number)) = self.owners.get(&id) {
            let got = format!("that of #{number}, which is of another event");
            return (*owner != key)
                .then(|| Finding::failed(REUSED, "an id of its own for every update", got));
        }
        self.owners.insert(id, (key, arrival.number));
        if self.owners.len() > self.limit {
            self.owners.pop_front();
        }
        None
    }
}

impl Life {
    fn judge(&mut self, arrival: &Arrival<'_>, excuse: Excuse) -> Finding {
        let delivery = Delivery {
            id: arrival.marks.delivery.and_then(NonZeroU64::new),
            body: arrival.marks.body,
            number: arrival.number,
            status: arrival.status,
            taken: arrival.taken,
        };
        let again = self.again(&delivery);
        if self.counted(&delivery) {
            self.remember_delivery(delivery);
            return again.unwrap_or(Finding::Passed);
        }
        let place = self.place(arrival.update, excuse);
        self.remember(arrival.update, delivery);
        match again {
            Some(again) if again.is_failure() || !place.is_failure() => again,
            _ => place,
        }
    }

    /// Whether the same body was taken before.
    fn counted(&self, delivery: &Delivery) -> bool {
        let taken = |earlier: &&Delivery| matches!(earlier.taken, Taken::Yes | Taken::Unsure);
        self.deliveries.iter().filter(taken).any(|earlier| earlier.body == delivery.body)
    }

    /// Whether it was here before, and in what sense. What was taken is told before what was not.
    fn again(&self, delivery: &Delivery) -> Option<Finding> {
        let same = |earlier: &&Delivery| {
            earlier.body == delivery.body || (earlier.id.is_some() && earlier.id == delivery.id)
        };
        let earlier =
            self.deliveries.iter().filter(same).max_by_key(|earlier| earlier.taken == Taken::Yes)?;
        let same_id = earlier.id.is_some() && earlier.id == delivery.id;
        let answered = match (earlier.taken, earlier.status) {
            (Taken::Yes | Taken::Refused | Taken::Spoilt, Some(status)) => {
                format!("which was answered {}", status.as_u16())
            }
            (Taken::Unsure, _) => "whose answer may not have arrived".to_owned(),
            (_, None) => "which was not answered".to_owned(),
        };
        let of = |what: &str| format!("{what} of #{}, {answered}", earlier.number);
        let noted = |word, got| Some(Finding::Noted(vec![Problem::new(word, "an update that is new", got)]));
        match (same_id, earlier.body == delivery.body) {
            (true, false) => {
                let got = of("that");
                Some(Finding::failed(REUSED, "an id of its own for every update", got))
            }
            (true, true) if earlier.taken == Taken::Yes => noted("duplicate", of("the webhook-id and body")),
            (false, true) if earlier.taken == Taken::Yes => noted("duplicate", of("the body")),
            (true, true) => noted("retry", of("the webhook-id and body")),
            (false, _) => noted("retry", of("the body")),
        }
    }

    /// Where it stands in the life of its event.
    fn place(&self, update: &Update, excuse: Excuse) -> Finding {
        let kind = kind(update);
        if !self.begun {
            let missing = || Problem::new("missing start", "start as the event's first update", &*kind);
            return match () {
                () if kind == "start" || excuse == Excuse::Forgotten => Finding::Passed,
                // Its start met a fault, or may have met one: that is not the sender's doing.
                () if self.spoilt || excuse == Excuse::Lost => Finding::Noted(vec![missing()]),
                () => Finding::Failed(vec![missing()]),
            };
        }
        let mut problems = Vec::new();
        if kind == "start" && self.started {
            problems.push(Problem::new("restart", "one start in the life of an event", "another start"));
        } else if kind == "start" {
            let expected = "the start before the event's other updates";
            problems.push(Problem::new("late update", expected, "it after them"));
        } else if self.ended {
            problems.push(Problem::new("update after the end", "nothing after the end", &*kind));
        }
        for (field, before) in [(Field::UPDATECOUNT, self.count), (Field::TIMESTAMP, self.timestamp)] {
            let (Some(before), Some(now)) = (before, update.integer(field)) else { continue };
            let expected = match field == Field::UPDATECOUNT {
                true if now <= before => format!("{} above {before}", field.path()),
                false if now < before => format!("{} {before} or later", field.path()),
                _ => continue,
            };
            problems.push(Problem::new("late update", expected, now.to_string()));
        }
        if problems.is_empty() { Finding::Passed } else { Finding::Failed(problems) }
    }

    fn remember(&mut self, update: &Update, delivery: Delivery) {
        self.remember_delivery(delivery);
        match delivery.taken {
            Taken::Yes | Taken::Unsure => {
                self.begun = true;
                self.started |= kind(update) == "start";
                self.ended |= kind(update) == "end";
                self.count = self.count.max(update.integer(Field::UPDATECOUNT));
                self.timestamp = self.timestamp.max(update.integer(Field::TIMESTAMP));
            }
            Taken::Spoilt => self.spoilt = true,
            Taken::Refused => {}
        }
    }

    fn remember_delivery(&mut self, delivery: Delivery) {
        if self.deliveries.len() == MAX_REMEMBERED {
            self.deliveries.remove(0);
        }
        // Room for one more and not for four: there are as many of these as there are events.
        if self.deliveries.len() == self.deliveries.capacity() {
            self.deliveries.reserve_exact(self.deliveries.len().max(1));
        }
        self.deliveries.push(delivery);
    }
}

fn kind(update: &Update) -> Cow<'_, str> {
    update.alerttype().unwrap_or(Cow::Borrowed("nothing"))
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;

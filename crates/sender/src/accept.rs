//! The sender as a library: takes updates in, and hands each to the lanes of its integrations.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::digest;
use delivery::clock::Clock;
use delivery::engine::{AcceptError, Engine, Limits, Observer};
use delivery::http::Client;
use delivery::message::{Message, MessageId};
use delivery::store::desk::Desk;
use delivery::store::memory::MemoryStore;
use delivery::store::{Appended, Coalesce, Digest, Entry, Fault, LaneId, LaneRecord};
use delivery::target::Target;
use payload::{Field, Update};
use tokio::sync::oneshot;

use crate::integration::Integration;
use crate::message::message;
use crate::policy::{Policies, Policy, Route};

/// How many deliveries wait in memory at most, where there is no store on disk.
pub const MEMORY_BACKLOG: u64 = 100_000;

/// A running sender. Cloning gives the same; it stops when the last is dropped.
#[derive(Clone, Debug)]
pub struct Sender {
    engine: Engine<Target>,
    setup: Arc<RwLock<Setup>>,
    /// Whether accepts are remembered, so that sending one again adds nothing.
    remembers: bool,
}

/// What a reload replaces.
#[derive(Debug, Default)]
struct Setup {
    lanes: BTreeMap<String, (LaneId, Arc<Integration>)>,
    /// The ids by name, where the two differ; of several that share a name, the first.
    named: BTreeMap<String, String>,
    /// Of integrations that nothing is sent to for now, but whose deliveries wait: what comes for them waits too.
    waiting: BTreeMap<String, LaneId>,
    policies: Policies,
}

impl Setup {
    fn find(&self, integration: &str) -> Option<&(LaneId, Arc<Integration>)> {
        let named = || self.lanes.get(self.named.get(integration)?);
        self.lanes.get(integration).or_else(named)
    }

    /// Where what is routed to an integration goes.
    fn fan_out(&self, id: &str) -> Option<(LaneId, Coalesce)> {
        let waits = || self.waiting.get(id).map(|lane| (*lane, Coalesce::Nothing));
        self.lanes.get(id).map(fan_out).or_else(waits)
    }
}

/// What became of an update that was taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is on its way, under this id, to so many integrations.
    Enqueued(MessageId, usize),
    /// It was taken in before, under this id; nothing was added.
    Again(MessageId, usize),
    /// The same idempotency key came with another body before; nothing was added.
    Conflict,
    /// No policy matches; it was taken in under this id and goes nowhere.
    Unmatched(MessageId),
    /// Its detection model bypasses policies; it was taken in under this id and goes nowhere.
    Bypassed(MessageId),
}

impl Sender {
    /// Starts a sender that keeps what waits in memory. `observer` is told what happens to deliveries; their lanes are
    /// numbered in the order of `integrations`, from 1. `seed` makes the draws of retry delays repeatable.
    pub async fn start(
        integrations: &[Integration],
        policies: Vec<Policy>,
        seed: u64,
        observer: impl Observer,
    ) -> Self {
        let limits = Limits { backlog: MEMORY_BACKLOG, ..Limits::default() };
        let desk = Desk::inline(MemoryStore::default());
        let sender = Self::over(desk, Clock::start(), limits, seed, observer, false);
        // A store in memory has no faults.
        let integrations = integrations.iter().cloned().map(Arc::new).collect();
        let _ = sender.set_up(integrations, policies, &BTreeSet::new()).await;
        sender
    }

    /// Starts a sender on a store, which knows accepts again for a day, without integrations.
    pub fn on(desk: Desk, clock: Clock, limits: Limits, seed: u64, observer: impl Observer) -> Self {
        Self::over(desk, clock, limits, seed, observer, true)
    }

    fn over(
        desk: Desk,
        clock: Clock,
        limits: Limits,
        seed: u64,
        observer: impl Observer,
        remembers: bool,
    ) -> Self {
        let engine = Engine::start(Client::new(clock), clock, seed, limits, desk, observer);
        Self { engine, setup: Arc::default(), remembers }
    }

    /// Replaces integrations and policies. What changed holds for what waits too; what waits for an integration that is
    /// gone is dead, but of those whose ids are `kept`.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn set_up(
        &self,
        integrations: Vec<Arc<Integration>>,
        policies: Vec<Policy>,
        kept: &BTreeSet<String>,
    ) -> Result<(), Fault> {
        // Gathered first: a map that is made of all at once is half as large as one that grew.
        let mut lanes = Vec::new();
        for integration in integrations {
            let (target, settings) = (Arc::clone(&integration.target), integration.lane.clone());
            let lane = self.engine.set_lane(&integration.id, target, settings).await?;
            lanes.push((integration.id.clone(), (lane, integration)));
        }
        let lanes: BTreeMap<_, _> = lanes.into_iter().collect();
        // An integration may also have gone while nothing ran.
        let others = self.lanes().await?.into_iter().filter(|record| !lanes.contains_key(&record.name));
        let (waiting, gone): (Vec<_>, Vec<_>) = others.partition(|record| kept.contains(&record.name));
        let waiting = waiting.into_iter().map(|record| (record.name, record.id)).collect();
        let mut named = BTreeMap::new();
        for (id, (_, integration)) in lanes.iter().filter(|(id, (_, integration))| integration.name != **id) {
            named.entry(integration.name.clone()).or_insert_with(|| id.clone());
        }
        *self.setup.write().unwrap_or_else(PoisonError::into_inner) =
            Setup { lanes, named, waiting, policies: Policies::new(policies) };
        for record in gone {
            self.engine.remove_lane(record.id).await;
        }
        Ok(())
    }

    /// All lanes that the store has, those of integrations that are gone among them. On a full disk too: it is only read.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn lanes(&self) -> Result<Vec<LaneRecord>, Fault> {
        let (answer, answered) = oneshot::channel();
        self.engine.desk().ask(delivery::store::Store::lanes, move |lanes| drop(answer.send(lanes)));
        answered.await.unwrap_or(Err(Fault::Closed))
    }

    /// The lane of an integration, by its id or else its name.
    #[must_use]
    pub fn lane(&self, integration: &str) -> Option<LaneId> {
        self.read(|setup| setup.find(integration).map(|(lane, _)| *lane))
    }

    /// An integration with its lane, by its id or else its name.
    #[must_use]
    pub fn integration(&self, integration: &str) -> Option<(LaneId, Arc<Integration>)> {
        self.read(|setup| setup.find(integration).cloned())
    }

    /// Integrations by id, with their lanes.
    #[must_use]
    pub fn integrations(&self) -> Vec<(LaneId, Arc<Integration>)> {
        self.read(|setup| setup.lanes.values().cloned().collect())
    }

    fn read<T>(&self, look: impl FnOnce(&Setup) -> T) -> T {
        look(&self.setup.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes updates in and routes each by the policies; all are accepted or none. When this returns `Ok`, they are in the
    /// store: on disk, if that is where it is. If the future is dropped before it ends, they may be accepted or not.
    ///
    /// # Errors
    /// If the queue is full, the store does not take them, or the sender was shut down.
    pub async fn accept(&self, updates: &[Update]) -> Result<Vec<Accepted>, AcceptError> {
        self.accept_keyed(updates.iter().map(|update| (update, None))).await
    }

    /// The same with the caller's own key for each update: the text of the key, and the update's index in its batch. Without
    /// one, an update is known again by its event, alert type, update count and bytes.
    ///
    /// # Errors
    /// If the queue is full, the store does not take them, or the sender was shut down.
    pub async fn accept_keyed(
        &self,
        updates: impl Iterator<Item = (&Update, Option<(&str, usize)>)>,
    ) -> Result<Vec<Accepted>, AcceptError> {
        let entries: Vec<Entry> =
            self.read(|setup| updates.map(|(update, key)| self.entry(setup, update, key)).collect());
        let ids: Vec<_> = entries.iter().map(|entry| (entry.message.id.clone(), entry.route)).collect();
        let batch = self.engine.accept(entries).await?;
        let accepted = ids.into_iter().zip(batch.entries).map(|((id, route), appended)| {
            use delivery::store::Route::{Bypassed, Lanes, Unmatched};
            match (appended, route) {
                (Appended::New { deliveries, .. }, Lanes) => Accepted::Enqueued(id, deliveries),
                (Appended::New { .. }, Unmatched) => Accepted::Unmatched(id),
                (Appended::New { .. }, Bypassed) => Accepted::Bypassed(id),
                (Appended::Again { id, deliveries, .. }, _) => Accepted::Again(id, deliveries),
                (Appended::Conflict, _) => Accepted::Conflict,
            }
        });
        Ok(accepted.collect())
    }

    fn entry(&self, setup: &Setup, update: &Update, key: Option<(&str, usize)>) -> Entry {
        let (lanes, route) = match setup.policies.route(update) {
            Route::To(names) => (names, delivery::store::Route::Lanes),
            Route::Unmatched => (Vec::new(), delivery::store::Route::Unmatched),
            Route::Bypassed => (Vec::new(), delivery::store::Route::Bypassed),
        };
        let lanes: Vec<_> = lanes.iter().filter_map(|id| setup.fan_out(id)).collect();
        // The integrations of the policies that match are gone: somebody should see that.
        let nowhere = lanes.is_empty() && route == delivery::store::Route::Lanes;
        let route = if nowhere { delivery::store::Route::Unmatched } else { route };
        let once = self.remembers.then(|| once(update, key));
        Entry { message: message(update), lanes, once, route }
    }

    /// Takes messages in for one integration, whatever the policies say, and whether or not they came before; all are
    /// accepted or none.
    ///
    /// # Errors
    /// If the queue is full, the store does not take them, or the sender was shut down.
    pub async fn accept_for(&self, integration: &str, messages: Vec<Message>) -> Result<(), AcceptError> {
        let lanes: Vec<_> = self.read(|setup| setup.find(integration).map(fan_out)).into_iter().collect();
        let route = delivery::store::Route::Lanes;
        let entry = |message| Entry { message, lanes: lanes.clone(), once: None, route };
        self.engine.accept(messages.into_iter().map(entry).collect()).await?;
        Ok(())
    }

    /// Takes messages in once more, each for the lane that it was for, all of them or none; gives how many. Those of a lane
    /// whose integration is gone are left out.
    ///
    /// # Errors
    /// If the queue is full, the store does not take them, or the sender was shut down.
    pub async fn accept_again(&self, messages: Vec<(LaneId, Message)>) -> Result<usize, AcceptError> {
        let known: HashSet<LaneId> = self.read(|setup| {
            let open = setup.lanes.values().map(|(lane, _)| *lane);
            open.chain(setup.waiting.values().copied()).collect()
        });
        // Their keys are their own, so that they supersede nothing.
        let entry = |(lane, message): (LaneId, Message)| {
            let lanes = known.contains(&lane).then(|| vec![(lane, Coalesce::Nothing)])?;
            Some(Entry { message, lanes, once: None, route: delivery::store::Route::Lanes })
        };
        let entries: Vec<_> = messages.into_iter().filter_map(entry).collect();
        let many = entries.len();
        if many > 0 {
            self.engine.accept(entries).await?;
        }
        Ok(many)
    }

    /// The engine, to pause and resume lanes, and to look at them.
    #[must_use]
    pub const fn engine(&self) -> &Engine<Target> {
        &self.engine
    }

    /// Waits until all that was accepted is settled. Cancel safe.
    pub async fn drained(&self) {
        self.engine.drained().await;
    }
}

fn fan_out((lane, integration): &(LaneId, Arc<Integration>)) -> (LaneId, Coalesce) {
    (*lane, integration.lane.coalesce)
}

/// What an update is known again by, and the digest of its body. Without a key of the caller's the body is part of the first,
/// so that another body is another update and never a conflict.
fn once(update: &Update, key: Option<(&str, usize)>) -> (Digest, Digest) {
    let body = sha256(&[update.as_bytes()]);
    let known_by = match key {
        Some((key, index)) => sha256(&[b"key", key.as_bytes(), &index.to_le_bytes()]),
        None => {
            let (id, kind) = (update.id().unwrap_or_default(), update.alerttype().unwrap_or_default());
            let count = update.raw(Field::UPDATECOUNT).unwrap_or_default().as_bytes();
            sha256(&[b"event", id.as_bytes(), kind.as_bytes(), count, &body])
        }
    };
    (known_by, body)
}

/// The lengths are part of it, so that no two lists of parts look alike.
fn sha256(parts: &[&[u8]]) -> Digest {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&part.len().to_le_bytes());
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

//! The one loop: owns the schedule, reads the clock, throws the die, runs attempts, and tells the store what came of them.
//!
//! Everyone else sends it commands over a bounded channel. What waits is in the store; here is only what was claimed from
//! it. The loop never waits for the store: it asks, and the answer comes as an event, in the order in which the store did the
//! work.

mod backlog;
mod learn;
mod record;
mod rooms;
mod run;

use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::breaker::Breaker;
use crate::clock::{Clock, Timestamp};
use crate::http::Client;
use crate::lane::{Lane, LaneSettings};
use crate::message::Message;
use crate::outcome::Attempt;
use crate::retry::Disposition;
use crate::store::desk::Desk;
use crate::store::{Appended, AppendedBatch, DeliveryId, Entry, Fault, Gate, LaneId, LaneState, Settled};
use crate::target::Target;
use crate::tasks::{Task, spawn};

use learn::Event;
use rooms::Rooms;
use run::Loop;

/// How many commands may wait for the loop; who sends more waits too.
const MAX_COMMANDS: usize = 256;

/// Attempts under way at once over all lanes, unless settings say otherwise.
pub const DEFAULT_IN_FLIGHT: NonZeroUsize = NonZeroUsize::new(256).expect("256 is not 0");

/// Bytes of bodies under way at once over all lanes, unless settings say otherwise.
pub const DEFAULT_BYTES: u64 = 64 * 1024 * 1024;

/// How many deliveries may wait in all, unless settings say otherwise; more are refused.
pub const DEFAULT_BACKLOG: u64 = 10_000_000;

/// Makes attempts; [`Client`] does so over HTTP.
pub trait Transport: Send + Sync + 'static {
    /// What an attempt needs to know of its lane.
    type Target: Send + Sync + 'static;

    /// Tries once. It must end by itself.
    fn attempt(&self, target: &Self::Target, message: &Message) -> impl Future<Output = Attempt> + Send;
}

impl Transport for Client {
    type Target = Target;

    async fn attempt(&self, target: &Target, message: &Message) -> Attempt {
        Self::attempt(self, target, message).await
    }
}

/// Is told what happens, by the loop itself: it must not block.
pub trait Observer: Send + 'static {
    /// An attempt ended.
    fn attempted(&mut self, report: &AttemptReport<'_>);

    /// A delivery came to its end.
    fn settled(&mut self, report: &SettledReport<'_>);

    /// A receiver answered 410, so its lane stands still until [`Engine::resume`].
    fn disabled(&mut self, lane: LaneId);
}

/// An attempt that ended.
#[derive(Debug)]
pub struct AttemptReport<'a> {
    /// Its lane.
    pub lane: LaneId,
    /// What was to be delivered.
    pub message: &'a Message,
    /// Its number, from 1.
    pub number: u32,
    /// How it ended.
    pub attempt: &'a Attempt,
    /// What becomes of the delivery.
    pub disposition: &'a Disposition,
}

/// A delivery that came to its end.
#[derive(Debug)]
pub struct SettledReport<'a> {
    /// Its lane.
    pub lane: LaneId,
    /// How it ended.
    pub settled: &'a Settled,
    /// What was to be delivered, and how long ago it was accepted; `None` for what ended in the store.
    pub claimed: Option<(&'a Message, Duration)>,
}

/// What an engine may do at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Attempts under way at once over all lanes.
    pub in_flight: NonZeroUsize,
    /// Bytes of bodies under way at once over all lanes; the one that passes it is the last that starts.
    pub bytes: u64,
    /// Deliveries that are not settled, over all lanes.
    pub backlog: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { in_flight: DEFAULT_IN_FLIGHT, bytes: DEFAULT_BYTES, backlog: DEFAULT_BACKLOG }
    }
}

/// Messages that were not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AcceptError {
    /// [`Limits::backlog`] would be passed. Nothing was accepted.
    #[error("the queue is full: {0} deliveries wait already")]
    Full(u64),
    /// The store did not take them. They may be there or not.
    #[error(transparent)]
    Store(#[from] Fault),
    /// The engine was shut down.
    #[error("the sender was shut down")]
    ShutDown,
}

/// A lane as it is now.
#[derive(Clone, Debug)]
pub struct LaneView {
    /// Its number.
    pub id: LaneId,
    /// Deliveries that are not settled.
    pub backlog: u64,
    /// When the oldest of them was accepted.
    pub oldest: Option<Timestamp>,
    /// Attempts under way.
    pub in_flight: usize,
    /// Its breaker.
    pub breaker: Breaker,
    /// What of its state is kept.
    pub state: LaneState,
}

impl LaneView {
    fn new(id: LaneId, lane: &Lane) -> Self {
        Self {
            id,
            backlog: lane.backlog(),
            oldest: lane.oldest(),
            in_flight: lane.in_flight(),
            breaker: *lane.breaker(),
            state: lane.state(),
        }
    }
}

/// A running engine. Dropping the last handle stops it, attempts under way included.
#[derive(Debug)]
pub struct Engine<T> {
    commands: mpsc::Sender<Command<T>>,
    events: mpsc::UnboundedSender<Event>,
    desk: Desk,
    clock: Clock,
    limits: Limits,
    backlog: Arc<AtomicU64>,
    rooms: Rooms,
    _running: Arc<Task<()>>,
}

impl<T> Clone for Engine<T> {
    fn clone(&self) -> Self {
        Self {
            commands: self.commands.clone(),
            events: self.events.clone(),
            desk: self.desk.clone(),
            clock: self.clock,
            limits: self.limits,
            backlog: Arc::clone(&self.backlog),
            rooms: self.rooms.clone(),
            _running: Arc::clone(&self._running),
        }
    }
}

/// A lane that the store is asked for.
#[derive(Debug)]
struct Opening<T> {
    name: String,
    target: Arc<T>,
    settings: LaneSettings,
    reply: oneshot::Sender<LaneId>,
}

#[derive(Debug)]
enum Command<T> {
    SetLane(Opening<T>),
    RemoveLane(LaneId, oneshot::Sender<()>),
    SetGate(LaneId, Gate, oneshot::Sender<()>),
    Look(oneshot::Sender<Vec<LaneView>>),
    Drained(oneshot::Sender<()>),
    ShutDown(Duration, oneshot::Sender<()>),
}

impl<T: Send + Sync + 'static> Engine<T> {
    /// Starts an engine without lanes on a store. `seed` makes its throws repeatable.
    pub fn start<X, O>(transport: X, clock: Clock, seed: u64, limits: Limits, desk: Desk, observer: O) -> Self
    where
        X: Transport<Target = T>,
        O: Observer,
    {
        let (commands, inbox) = mpsc::channel(MAX_COMMANDS);
        // Bounded by what the store is asked: one claim and one sweep a lane, one answer a held delivery, the accepts.
        let (events, answers) = mpsc::unbounded_channel();
        let doubts = events.clone();
        desk.on_recovery(move || drop(doubts.send(Event::Doubt)));
        let backlog = Arc::new(AtomicU64::new(0));
        let rooms = Rooms::default();
        let shared = (Arc::clone(&backlog), rooms.clone());
        let run = Loop::new(transport, clock, seed, limits, desk.clone(), observer, shared);
        let running = spawn(run.run(inbox, events.clone(), answers));
        Self { commands, events, desk, clock, limits, backlog, rooms, _running: Arc::new(running) }
    }

    async fn command(&self, command: Command<T>) {
        // The loop is gone only after a shutdown, when no command means anything any more.
        let _ = self.commands.send(command).await;
    }

    /// Sends a command and waits until the loop has obeyed it.
    async fn obeyed(&self, command: impl FnOnce(oneshot::Sender<()>) -> Command<T>) {
        let (reply, done) = oneshot::channel();
        self.command(command(reply)).await;
        let _ = done.await;
    }

    /// Accepts messages, each for its lanes: all or none. When this returns `Ok`, they are durable. If the future is dropped
    /// before, they may be accepted or not; those that are will be delivered.
    ///
    /// # Errors
    /// If the queue is full, the store does not take them, or the engine was shut down.
    pub async fn accept(&self, entries: Vec<Entry>) -> Result<AppendedBatch, AcceptError> {
        if self.commands.is_closed() {
            return Err(AcceptError::ShutDown);
        }
        let deliveries: u64 = entries.iter().map(|entry| entry.lanes.len() as u64).sum();
        let waiting = self.backlog.load(Ordering::Relaxed);
        if waiting + deliveries > self.limits.backlog {
            return Err(AcceptError::Full(waiting));
        }
        let (events, backlog, clock) = (self.events.clone(), Arc::clone(&self.backlog), self.clock);
        let rooms = self.rooms.clone();
        let appended = self.desk.accept(
            move |store| {
                let batch = store.append(&entries, clock.now())?;
                let arrived = rooms.claim(store, &batch)?;
                Ok((batch, arrived))
            },
            move |(batch, arrived)| {
                let added: u64 = batch.added.iter().map(|(_, count)| count).sum();
                backlog.fetch_add(added, Ordering::Relaxed);
                // The loop is gone only after a shutdown; what was accepted is in the store.
                let _ = events.send(Event::Appended(std::mem::take(arrived), batch.superseded.clone()));
            },
        );
        Ok(appended.await?.0)
    }

    /// The lane of this name, which the store gets if it has none, with this target and these settings; they hold for its
    /// backlog too.
    ///
    /// # Errors
    /// If the engine was shut down, or the store closed.
    pub async fn set_lane(
        &self,
        name: &str,
        target: Arc<T>,
        settings: LaneSettings,
    ) -> Result<LaneId, Fault> {
        let (reply, opened) = oneshot::channel();
        self.command(Command::SetLane(Opening { name: name.to_owned(), target, settings, reply })).await;
        opened.await.map_err(|_| Fault::Closed)
    }

    /// Removes a lane; what it holds is dead.
    pub async fn remove_lane(&self, id: LaneId) {
        self.obeyed(|done| Command::RemoveLane(id, done)).await;
    }

    /// Starts no more attempts on a lane from when this returns; those under way go on.
    pub async fn pause(&self, id: LaneId) {
        self.obeyed(|done| Command::SetGate(id, Gate::Paused, done)).await;
    }

    /// Lets a lane go on that was paused or disabled.
    pub async fn resume(&self, id: LaneId) {
        self.obeyed(|done| Command::SetGate(id, Gate::Open, done)).await;
    }

    /// The lanes as they are now, by number.
    pub async fn look(&self) -> Vec<LaneView> {
        let (reply, seen) = oneshot::channel();
        self.command(Command::Look(reply)).await;
        seen.await.unwrap_or_default()
    }

    /// Waits until everything that was accepted is settled. Cancel safe.
    pub async fn drained(&self) {
        self.obeyed(Command::Drained).await;
    }

    /// Starts no more attempts, gives those under way until `limit` to end, and stops when the store has what came of them.
    pub async fn shut_down(&self, limit: Duration) {
        self.obeyed(|done| Command::ShutDown(limit, done)).await;
    }

    /// The store.
    #[must_use]
    pub const fn desk(&self) -> &Desk {
        &self.desk
    }
}

/// How many entries of a batch are new.
#[must_use]
pub fn new_entries(batch: &AppendedBatch) -> usize {
    batch.entries.iter().filter(|entry| matches!(entry, Appended::New { .. })).count()
}

/// A delivery, by its lane and its number there.
pub type Place = (LaneId, DeliveryId);

#[cfg(test)]
mod tests;

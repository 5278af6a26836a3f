//! The one loop: owns the schedule and the queue in memory, reads the clock, throws the die, runs attempts.
//!
//! Everyone else sends it commands over a bounded channel. What waits is held in memory and bounded by [`MAX_BACKLOG`];
//! the store that outlives the process takes the queue's place here.

mod queue;

use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use crate::http::Client;
use crate::lane::{DeliveryId, Gate, LaneSettings, Settled};
use crate::message::Message;
use crate::outcome::Attempt;
use crate::retry::{Die, Disposition};
use crate::schedule::{Action, LaneId, Schedule};
use crate::target::Target;
use crate::tasks::{Task, TaskSet, spawn};

use queue::Queue;

/// How many deliveries may wait in memory; more are refused.
pub const MAX_BACKLOG: usize = 100_000;

/// How many commands may wait for the loop; who sends more waits too.
const MAX_COMMANDS: usize = 256;

/// Attempts under way at once over all lanes, unless settings say otherwise.
pub const DEFAULT_IN_FLIGHT: NonZeroUsize = NonZeroUsize::new(256).expect("256 is not 0");

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
    fn settled(&mut self, lane: LaneId, message: &Message, settled: &Settled);

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

/// Messages that were not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AcceptError {
    /// [`MAX_BACKLOG`] would be passed. Nothing was accepted.
    #[error("the queue is full: {MAX_BACKLOG} deliveries wait already")]
    Full,
    /// The engine was shut down.
    #[error("the sender was shut down")]
    ShutDown,
}

/// A running engine. Dropping the last handle stops it, attempts under way included.
#[derive(Debug)]
pub struct Engine<T> {
    commands: mpsc::Sender<Command<T>>,
    _running: Arc<Task<()>>,
}

impl<T> Clone for Engine<T> {
    fn clone(&self) -> Self {
        Self { commands: self.commands.clone(), _running: Arc::clone(&self._running) }
    }
}

#[derive(Debug)]
enum Command<T> {
    Accept(Vec<(Message, Vec<LaneId>)>, oneshot::Sender<Result<(), AcceptError>>),
    SetLane(LaneId, Arc<T>, LaneSettings),
    RemoveLane(LaneId),
    SetGate(LaneId, Gate),
    Drained(oneshot::Sender<()>),
    ShutDown(Duration, oneshot::Sender<()>),
}

impl<T: Send + Sync + 'static> Engine<T> {
    /// Starts an engine without lanes. `seed` makes its throws repeatable.
    pub fn start<X, O>(transport: X, clock: Clock, seed: u64, in_flight: NonZeroUsize, observer: O) -> Self
    where
        X: Transport<Target = T>,
        O: Observer,
    {
        let (commands, inbox) = mpsc::channel(MAX_COMMANDS);
        let run = Loop {
            transport: Arc::new(transport),
            clock,
            dice: Rng::with_seed(seed),
            observer,
            schedule: Schedule::new(in_flight),
            queue: Queue::default(),
            attempts: TaskSet::default(),
            waiting: Vec::new(),
        };
        Self { commands, _running: Arc::new(spawn(run.run(inbox))) }
    }

    async fn command(&self, command: Command<T>) {
        // The loop is gone only after a shutdown, when no command means anything any more.
        let _ = self.commands.send(command).await;
    }

    /// Accepts messages, each for its lanes: all or none. When this returns `Ok`, the engine holds them.
    /// If the future is dropped before, they may be accepted or not.
    ///
    /// # Errors
    /// If the queue is full, or the engine was shut down.
    pub async fn accept(&self, messages: Vec<(Message, Vec<LaneId>)>) -> Result<(), AcceptError> {
        let (reply, accepted) = oneshot::channel();
        self.command(Command::Accept(messages, reply)).await;
        accepted.await.unwrap_or(Err(AcceptError::ShutDown))
    }

    /// Adds a lane, or changes one with its backlog.
    pub async fn set_lane(&self, id: LaneId, target: Arc<T>, settings: LaneSettings) {
        self.command(Command::SetLane(id, target, settings)).await;
    }

    /// Removes a lane; what it holds is dead.
    pub async fn remove_lane(&self, id: LaneId) {
        self.command(Command::RemoveLane(id)).await;
    }

    /// Starts no more attempts on a lane; those under way go on.
    pub async fn pause(&self, id: LaneId) {
        self.command(Command::SetGate(id, Gate::Paused)).await;
    }

    /// Lets a lane go on that was paused or disabled.
    pub async fn resume(&self, id: LaneId) {
        self.command(Command::SetGate(id, Gate::Open)).await;
    }

    /// Waits until everything that was accepted is settled. Cancel safe.
    pub async fn drained(&self) {
        let (reply, drained) = oneshot::channel();
        self.command(Command::Drained(reply)).await;
        let _ = drained.await;
    }

    /// Starts no more attempts, gives those under way until `limit` to end, and stops. What waits is gone.
    pub async fn shut_down(&self, limit: Duration) {
        let (reply, stopped) = oneshot::channel();
        self.command(Command::ShutDown(limit, reply)).await;
        let _ = stopped.await;
    }
}

/// The owner of all state.
struct Loop<X: Transport, O> {
    transport: Arc<X>,
    clock: Clock,
    dice: Rng,
    observer: O,
    schedule: Schedule,
    queue: Queue<X::Target>,
    attempts: TaskSet<(LaneId, DeliveryId, Attempt)>,
    waiting: Vec<oneshot::Sender<()>>,
}

impl<X: Transport, O: Observer> Loop<X, O> {
    async fn run(mut self, mut inbox: mpsc::Receiver<Command<X::Target>>) {
        loop {
            self.step();
            let wake = self.schedule.wake_at();
            let clock = self.clock;
            let sleep = async move {
                match wake {
                    Some(at) => clock.sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                command = inbox.recv() => match command {
                    None => return,
                    Some(Command::ShutDown(limit, reply)) => {
                        self.finish_attempts(limit).await;
                        let _ = reply.send(());
                        return;
                    }
                    Some(command) => self.obey(command),
                },
                (lane, delivery, attempt) = self.attempts.next() => self.ended(lane, delivery, &attempt),
                () = sleep => {}
            }
        }
    }

    fn step(&mut self) {
        let actions = self.schedule.step(self.clock.now());
        self.act(actions);
        if self.schedule.is_empty() {
            for waiting in self.waiting.drain(..) {
                let _ = waiting.send(());
            }
        }
    }

    fn obey(&mut self, command: Command<X::Target>) {
        match command {
            Command::Accept(messages, reply) => {
                let _ = reply.send(self.accept(messages));
            }
            Command::SetLane(id, target, settings) => {
                self.queue.set_target(id, target);
                self.schedule.set_lane(id, settings);
            }
            Command::RemoveLane(id) => {
                let actions = self.schedule.remove_lane(id);
                self.act(actions);
                self.queue.remove_target(id);
            }
            Command::SetGate(id, gate) => self.schedule.set_gate(id, gate),
            Command::Drained(reply) => self.waiting.push(reply),
            // The loop itself ends on it.
            Command::ShutDown(..) => {}
        }
    }

    fn accept(&mut self, messages: Vec<(Message, Vec<LaneId>)>) -> Result<(), AcceptError> {
        let deliveries: usize = messages.iter().map(|(_, lanes)| lanes.len()).sum();
        if self.queue.len() + deliveries > MAX_BACKLOG {
            return Err(AcceptError::Full);
        }
        let now = self.clock.now();
        for (message, lanes) in messages {
            let message = Arc::new(message);
            for lane in lanes {
                if self.schedule.lane(lane).is_none() {
                    continue; // It was removed while the message was on its way here.
                }
                let id = self.queue.add(Arc::clone(&message));
                let key = message.key.clone();
                let actions = self.schedule.enqueue(lane, id, key, message.supersedable, now);
                self.act(actions);
            }
        }
        Ok(())
    }

    fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Start(lane, delivery) => self.start(lane, delivery),
                Action::Settle(lane, delivery, settled) => {
                    if let Some(message) = self.queue.take(delivery) {
                        self.observer.settled(lane, &message, &settled);
                    }
                }
            }
        }
    }

    fn start(&mut self, lane: LaneId, delivery: DeliveryId) {
        let (Some(message), Some(target)) = (self.queue.message(delivery), self.queue.target(lane)) else {
            return;
        };
        let transport = Arc::clone(&self.transport);
        self.attempts.spawn(async move { (lane, delivery, transport.attempt(&target, &message).await) });
    }

    fn ended(&mut self, lane: LaneId, delivery: DeliveryId, attempt: &Attempt) {
        let (now, wall, die) = (self.clock.now(), self.clock.wall(), Die::new(self.dice.f64()));
        let Some((finished, action)) =
            self.schedule.finished(lane, delivery, &attempt.outcome, now, wall, die)
        else {
            return;
        };
        if let Some(message) = self.queue.message(delivery) {
            let (number, disposition) = (finished.attempt, &finished.disposition);
            self.observer.attempted(&AttemptReport { lane, message: &message, number, attempt, disposition });
        }
        if finished.disabled {
            self.observer.disabled(lane);
        }
        self.act(action.into_iter().collect());
    }

    async fn finish_attempts(&mut self, limit: Duration) {
        let end = self.clock.now().after(limit);
        while self.schedule.in_flight() > 0 {
            tokio::select! {
                (lane, delivery, attempt) = self.attempts.next() => self.ended(lane, delivery, &attempt),
                () = self.clock.sleep_until(end) => break,
            }
        }
        self.attempts.stop();
    }
}

#[cfg(test)]
mod tests;

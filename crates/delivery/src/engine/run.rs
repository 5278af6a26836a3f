//! The loop itself.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use fastrand::Rng;
use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};
use tokio::sync::{mpsc, oneshot};

use super::backlog::Backlog;
use super::learn::Event;
use super::record::record;
use super::rooms::Rooms;
use super::{AttemptReport, Command, LaneView, Limits, Observer, Opening, Place, Transport};
use crate::clock::{Clock, Timestamp};
use crate::lane::Lane;
use crate::message::Message;
use crate::outcome::Attempt;
use crate::retry::{Die, Reason};
use crate::schedule::{Action, Schedule};
use crate::store::desk::Desk;
use crate::store::{
    AttemptRecord, DeliveryId, Disposal, Fault, Finish, Finished, LaneId, Room, Settled, Store,
};
use crate::tasks::TaskSet;

/// After everything.
pub(super) const FAR: Timestamp = Timestamp::from_micros(u64::MAX);

/// How many deliveries of a lane the store settles in one request.
pub(super) const SWEEP: usize = 1000;

/// The owner of all state.
pub(super) struct Loop<X: Transport, O> {
    transport: Arc<X>,
    pub(super) clock: Clock,
    dice: Rng,
    pub(super) observer: O,
    pub(super) schedule: Schedule,
    /// What the last step asked for; empty between two.
    actions: Vec<Action>,
    desk: Desk,
    pub(super) targets: HashMap<LaneId, Arc<X::Target>>,
    pub(super) opening: Vec<Opening<X::Target>>,
    /// What was claimed, with the time of its accept.
    pub(super) held: HashMap<Place, (Arc<Message>, Timestamp)>,
    attempts: TaskSet<(LaneId, DeliveryId, Attempt)>,
    waiting: Vec<oneshot::Sender<()>>,
    pub(super) doubting: bool,
    /// Lanes that were removed, and whose backlog is being settled.
    pub(super) removing: HashSet<LaneId>,
    pub(super) backlog: Backlog,
    rooms: Rooms,
    events: Option<mpsc::UnboundedSender<Event>>,
}

impl<X: Transport, O: Observer> Loop<X, O> {
    pub(super) fn new(
        transport: X,
        clock: Clock,
        seed: u64,
        limits: Limits,
        desk: Desk,
        observer: O,
        (backlog, rooms): (Arc<AtomicU64>, Rooms),
    ) -> Self {
        Self {
            transport: Arc::new(transport),
            clock,
            dice: Rng::with_seed(seed),
            observer,
            schedule: Schedule::new(limits.in_flight, limits.bytes),
            actions: Vec::new(),
            desk,
            targets: HashMap::new(),
            opening: Vec::new(),
            held: HashMap::new(),
            attempts: TaskSet::default(),
            waiting: Vec::new(),
            doubting: false,
            removing: HashSet::new(),
            backlog: Backlog::new(backlog),
            rooms,
            events: None,
        }
    }

    pub(super) async fn run(
        mut self,
        mut inbox: mpsc::Receiver<Command<X::Target>>,
        events: mpsc::UnboundedSender<Event>,
        mut answers: mpsc::UnboundedReceiver<Event>,
    ) {
        self.events = Some(events);
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
                // What the store did comes first: commands and attempts build on it.
                biased;
                Some(event) = answers.recv() => {
                    self.learn(event);
                    while let Ok(event) = answers.try_recv() {
                        self.learn(event);
                    }
                }
                (lane, delivery, attempt) = self.attempts.next() => self.ended(lane, delivery, &attempt),
                command = inbox.recv() => match command {
                    None => return,
                    Some(Command::ShutDown(limit, reply)) => {
                        self.shut_down(limit).await;
                        let _ = reply.send(());
                        return;
                    }
                    Some(command) => self.obey(command),
                },
                () = sleep => {}
            }
        }
    }

    fn step(&mut self) {
        let mut actions = std::mem::take(&mut self.actions);
        self.schedule.step_into(self.clock.now(), &mut actions);
        self.act(&mut actions);
        self.actions = actions;
        if self.schedule.is_empty() && self.removing.is_empty() {
            for waiting in self.waiting.drain(..) {
                let _ = waiting.send(());
            }
        }
    }

    fn obey(&mut self, command: Command<X::Target>) {
        match command {
            Command::SetLane(opening) => {
                let name = opening.name.clone();
                self.opening.push(opening);
                self.ask(move |store| store.lane(&name), Event::Lane);
            }
            Command::RemoveLane(id, done) => {
                self.backlog.closed(id, self.schedule.lane(id).map(Lane::backlog));
                for delivery in self.schedule.remove_lane(id) {
                    self.settle(id, delivery, Lane::removed());
                }
                self.targets.remove(&id);
                self.rooms.set(id, Room::default());
                self.removing.insert(id);
                self.sweep(id, FAR, Reason::LaneRemoved);
                let _ = done.send(());
            }
            Command::SetGate(id, gate, done) => {
                self.schedule.set_gate(id, gate);
                let _ = done.send(());
            }
            Command::Look(reply) => drop(reply.send(self.look())),
            Command::Drained(reply) => self.waiting.push(reply),
            // The loop itself ends on it.
            Command::ShutDown(..) => {}
        }
    }

    fn look(&self) -> Vec<LaneView> {
        let mut lanes: Vec<_> = self.schedule.lanes().map(|(id, lane)| LaneView::new(id, lane)).collect();
        lanes.sort_by_key(|lane| lane.id);
        lanes
    }

    fn act(&mut self, actions: &mut Vec<Action>) {
        for action in actions.drain(..) {
            match action {
                Action::Start(lane, delivery) => self.start(lane, delivery),
                Action::Settle(lane, delivery, settled) => self.settle(lane, delivery, settled),
                Action::Claim(wanted) => {
                    let (clock, mut before) = (self.clock, Vec::new());
                    self.ask(
                        move |store| {
                            // After a fault this runs again; what it claimed unheard would be claimed for ever.
                            store.give_back(wanted.lane, &before);
                            let claim = store.claim(wanted, clock.now())?;
                            before = claim.offers.iter().map(|offer| offer.id).collect();
                            Ok(claim)
                        },
                        move |claim| Event::Claimed(wanted.lane, claim),
                    );
                }
                Action::Sweep(lane, until) => self.sweep(lane, until, Reason::Expired),
                Action::Lend(lane, room) => self.rooms.set(lane, room),
                Action::Save(lane, state) => self.desk.ask(move |store| store.save(lane, &state), |_| {}),
            }
        }
    }

    /// Asks the store; the answer comes as an event. If the store was closed there is none, and none is needed.
    pub(super) fn ask<R: Send + 'static>(
        &self,
        call: impl FnMut(&mut dyn Store) -> Result<R, Fault> + Send + 'static,
        event: impl FnOnce(R) -> Event + Send + 'static,
    ) {
        let Some(events) = self.events.clone() else { return };
        self.desk.ask(call, move |answer| {
            if let Ok(answer) = answer {
                let _ = events.send(event(answer));
            }
        });
    }

    pub(super) fn sweep(&self, lane: LaneId, until: Timestamp, reason: Reason) {
        let (clock, told) = (self.clock, reason.clone());
        self.ask(
            move |store| store.sweep(lane, until, &reason, clock.now(), SWEEP),
            move |swept| Event::Swept(lane, told, swept),
        );
    }

    pub(super) fn settle(&self, lane: LaneId, id: DeliveryId, settled: Settled) {
        self.finish(lane, id, 0, Disposal::Settle(settled), None);
    }

    fn finish(
        &self,
        lane: LaneId,
        id: DeliveryId,
        attempts: u32,
        disposal: Disposal,
        attempt: Option<AttemptRecord>,
    ) {
        let finish = Arc::new(Finish { lane, id, attempts, disposal, attempt, now: self.clock.now() });
        let (told, mut before) = (Arc::clone(&finish), None);
        let call = move |store: &mut dyn Store| {
            let done = store.finish(&finish)?;
            // After a fault this runs again; if it was done unheard, the first answer holds.
            let answer = if done == Finished::default() { before.unwrap_or(done) } else { done };
            before = Some(answer);
            Ok(answer)
        };
        self.ask(call, move |finished| Event::Closed(told, finished));
    }

    fn start(&mut self, lane: LaneId, delivery: DeliveryId) {
        let (Some((message, _)), Some(target)) = (self.held.get(&(lane, delivery)), self.targets.get(&lane))
        else {
            return;
        };
        let (message, target) = (Arc::clone(message), Arc::clone(target));
        let transport = Arc::clone(&self.transport);
        self.attempts.spawn(async move { (lane, delivery, transport.attempt(&target, &message).await) });
    }

    fn ended(&mut self, lane: LaneId, delivery: DeliveryId, attempt: &Attempt) {
        let (now, wall, die) = (self.clock.now(), self.clock.wall(), Die::new(self.dice.f64()));
        let Some(finished) = self.schedule.finished(lane, delivery, &attempt.outcome, now, wall, die) else {
            // Its lane was removed while it was under way.
            let delivered = attempt.outcome.word() == "delivered";
            self.settle(lane, delivery, if delivered { Settled::Delivered } else { Lane::removed() });
            return;
        };
        if let Some((message, _)) = self.held.get(&(lane, delivery)) {
            let (number, disposition) = (finished.attempt, &finished.disposition);
            self.observer.attempted(&AttemptReport { lane, message, number, attempt, disposition });
        }
        if finished.disabled {
            self.observer.disabled(lane);
        }
        if let Some(disposal) = finished.disposal {
            let record = record(finished.attempt, now, attempt, &finished.disposition);
            self.finish(lane, delivery, finished.attempt, disposal, Some(record));
        }
    }

    async fn shut_down(&mut self, limit: Duration) {
        let end = self.clock.now().after(limit);
        while self.schedule.in_flight() > 0 {
            tokio::select! {
                (lane, delivery, attempt) = self.attempts.next() => self.ended(lane, delivery, &attempt),
                () = self.clock.sleep_until(end) => break,
            }
        }
        self.attempts.stop();
        // The store answers in order: when this is answered, so is all before it.
        let (done, all_done) = oneshot::channel();
        self.desk.ask(
            |_| Ok(()),
            move |_| {
                let _ = done.send(());
            },
        );
        tokio::select! {
            _ = all_done => {}
            () = self.clock.sleep_until(end.after(Duration::from_secs(1))) => {}
        }
    }
}

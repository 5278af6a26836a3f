//! The world that is simulated: time that jumps, receivers, and a store whose commits take a while.

// Paths, because the fuzzer plays this world too, and takes the file from elsewhere.
#[path = "world/crash.rs"]
mod crash;
#[path = "world/dice.rs"]
mod dice;
#[path = "world/given.rs"]
mod given;
#[path = "world/laws.rs"]
mod laws;
#[path = "world/receivers.rs"]
mod receivers;
#[path = "world/requests.rs"]
mod requests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, VecDeque};
use std::num::NonZeroUsize;
use std::time::Duration;

use delivery::clock::Timestamp;
use delivery::lane::{LaneSettings, Pace};
use delivery::message::OrderKey;
use delivery::retry::RetryPolicy;
use delivery::schedule::{Action, Schedule};
use delivery::store::memory::MemoryStore;
use delivery::store::{Coalesce, DeliveryId, Disposal, Gate, LaneId, LaneRecord, Room, Store};
use fastrand::Rng;

use dice::Dice;
use receivers::{MOODS, Mood};
use requests::Request;

/// How large a world is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    Small,
    Large,
}

/// What came of a run.
pub(crate) struct Report {
    pub(crate) seen: BTreeMap<&'static str, u64>,
    /// A digest of all that happened, in order.
    pub(crate) trace: u64,
}

/// What happens at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrive,
    AttemptEnds { life: u32, lane: LaneId, id: DeliveryId, status: u16 },
    Commit { life: u32 },
    Crash,
    Gate { lane: usize, open: bool },
    Mood { lane: usize },
    Settings { lane: usize },
    Wake,
}

struct Lane {
    id: LaneId,
    settings: LaneSettings,
    mood: Mood,
    gate_closed: bool,
    throttled_until: Timestamp,
    in_flight: BTreeSet<DeliveryId>,
    /// What it lent last.
    room: Room,
    /// When attempts started, for the law of the pace.
    starts: VecDeque<Timestamp>,
    delivered: u64,
    busy: u64,
}

/// How many bytes may be under way: less than all attempts would have, where there are many.
const BYTES: u64 = 250;

pub(crate) struct World {
    rng: Dice,
    now: Timestamp,
    /// Until when it runs.
    end: Timestamp,
    order: u64,
    events: BinaryHeap<Reverse<(Timestamp, u64, Event)>>,
    store: MemoryStore,
    schedule: Schedule,
    limit: NonZeroUsize,
    lanes: Vec<Lane>,
    requests: VecDeque<Request>,
    committing: bool,
    life: u32,
    /// The law book's own account: per lane and key what is not settled, in order.
    unsettled: HashMap<(LaneId, OrderKey), VecDeque<DeliveryId>>,
    keys: HashMap<(LaneId, DeliveryId), OrderKey>,
    /// What receivers took with a 2xx.
    received: BTreeSet<(LaneId, DeliveryId)>,
    scripts: HashMap<(LaneId, OrderKey), u16>,
    read: usize,
    seen: BTreeMap<&'static str, u64>,
    trace: u64,
    healed: bool,
}

impl World {
    /// Plays one run, in which anything may happen, and then everything heals.
    pub(crate) fn play(seed: u64, scale: Scale) -> Report {
        let mut rng = Rng::with_seed(seed);
        let lanes = match scale {
            Scale::Small => rng.usize(1..5),
            Scale::Large => rng.usize(500..2000),
        };
        let mut world = Self::quiet(seed, lanes);
        for lane in 0..lanes {
            world.change_settings(lane);
            world.lanes[lane].mood = MOODS[rng.usize(0..MOODS.len())];
        }
        world
            .limit(NonZeroUsize::new(rng.usize(1..12) * if scale == Scale::Large { 20 } else { 1 }).unwrap());
        let arrivals = if scale == Scale::Small { rng.usize(1..120) } else { lanes * 4 };
        let span = rng.u64(1..200_000);
        for _ in 0..arrivals {
            world.at(rng.u64(0..span), Event::Arrive);
        }
        for _ in 0..rng.usize(0..4) {
            world.at(rng.u64(0..span), Event::Crash);
        }
        for _ in 0..rng.usize(0..6) {
            let lane = rng.usize(0..lanes);
            world.at(rng.u64(0..span), Event::Gate { lane, open: rng.bool() });
            world.at(rng.u64(0..span), Event::Mood { lane });
            world.at(rng.u64(0..span), Event::Settings { lane });
        }
        world.run_for(span / 1000 + 1);
        world.heal();
        Report { seen: world.seen, trace: world.trace }
    }

    /// A world with lanes whose receivers answer 200, in which nothing happens by itself.
    pub(crate) fn quiet(seed: u64, lanes: usize) -> Self {
        Self::new(Dice::Seeded(Rng::with_seed(seed ^ 0x5eed)), lanes)
    }

    fn new(rng: Dice, lanes: usize) -> Self {
        let limit = NonZeroUsize::new(64).unwrap();
        let mut world = Self {
            rng,
            now: Timestamp::from_micros(1_000_000_000_000),
            end: Timestamp::from_micros(0),
            order: 0,
            events: BinaryHeap::new(),
            store: MemoryStore::remembering(),
            schedule: Schedule::new(limit, BYTES),
            limit,
            lanes: Vec::new(),
            requests: VecDeque::new(),
            committing: false,
            life: 0,
            unsettled: HashMap::new(),
            keys: HashMap::new(),
            received: BTreeSet::new(),
            scripts: HashMap::new(),
            read: 0,
            seen: BTreeMap::new(),
            trace: 0,
            healed: false,
        };
        for number in 0..lanes {
            let record = world.store.lane(&format!("lane {number}")).unwrap();
            world.lanes.push(Lane {
                id: record.id,
                settings: LaneSettings::default(),
                mood: &[200],
                gate_closed: false,
                throttled_until: Timestamp::from_micros(0),
                in_flight: BTreeSet::new(),
                room: Room::default(),
                starts: VecDeque::new(),
                delivered: 0,
                busy: 0,
            });
        }
        world.open();
        world
    }

    pub(crate) fn limit(&mut self, limit: NonZeroUsize) {
        self.limit = limit;
        self.open();
    }

    pub(crate) fn script(&mut self, lane: usize, key: &str, status: u16) {
        self.scripts.insert((self.lanes[lane].id, OrderKey::from(key)), status);
    }

    pub(crate) fn hang(&mut self, lane: usize) {
        self.lanes[lane].mood = &[0];
    }

    pub(crate) fn delivered(&self, lane: usize) -> u64 {
        self.lanes[lane].delivered
    }

    /// The process starts: the schedule is made of what the store has.
    fn open(&mut self) {
        self.schedule = Schedule::new(self.limit, BYTES);
        for record in self.store.lanes().unwrap() {
            let index = self.index(record.id);
            self.lanes[index].in_flight.clear();
            self.lanes[index].room = Room::default();
            if record.state.open.is_some() {
                self.note("restarts with an open breaker");
            }
            let settings = self.lanes[index].settings.clone();
            self.schedule.set_lane(&LaneRecord { ..record.clone() }, settings, self.now);
            // A person's pause is in the store as soon as it was said; what was not saved yet is said again.
            if self.lanes[index].gate_closed {
                self.schedule.set_gate(record.id, Gate::Paused);
            }
        }
    }

    fn index(&self, lane: LaneId) -> usize {
        usize::try_from(lane.0).unwrap() - 1
    }

    fn note(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    fn at(&mut self, millis: u64, event: Event) {
        self.order += 1;
        let at = self.now.after(Duration::from_millis(millis));
        self.events.push(Reverse((at, self.order, event)));
    }

    pub(crate) fn append(&mut self, lane: usize, key: &str) {
        self.ask(Request::Append(lane, key.to_owned(), false));
    }

    /// Lets the time pass, in seconds.
    pub(crate) fn run_for(&mut self, seconds: u64) {
        self.pass(Duration::from_secs(seconds));
    }

    fn pass(&mut self, time: Duration) {
        self.end = self.now.after(time);
        self.step();
        while self.events.peek().is_some_and(|Reverse((at, ..))| *at <= self.end) {
            self.next();
        }
        self.now = self.end;
    }

    fn next(&mut self) {
        let Some(Reverse((at, _, event))) = self.events.pop() else { return };
        self.now = at;
        self.trace = self.trace.rotate_left(5) ^ at.as_micros() ^ (self.seen.values().sum::<u64>() << 20);
        self.happen(event);
        self.step();
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive => {
                let (lane, key) = (self.rng.usize(0..self.lanes.len()), self.rng.u8(0..4));
                let supersedable = self.rng.bool();
                self.ask(Request::Append(lane, format!("k{key}"), supersedable));
            }
            Event::AttemptEnds { life, lane, id, status } => self.attempt_ends(life, lane, id, status),
            Event::Commit { life } if life == self.life => self.commit(),
            Event::Commit { .. } | Event::Wake => {}
            Event::Crash => self.crash(),
            Event::Gate { lane, open } => {
                self.lanes[lane].gate_closed = !open;
                let gate = if open { Gate::Open } else { Gate::Paused };
                self.schedule.set_gate(self.lanes[lane].id, gate);
            }
            Event::Mood { lane } => self.lanes[lane].mood = MOODS[self.rng.usize(0..MOODS.len())],
            Event::Settings { lane } => {
                self.change_settings(lane);
                self.tell_settings(lane);
            }
        }
    }

    fn tell_settings(&mut self, lane: usize) {
        let (id, settings) = (self.lanes[lane].id, self.lanes[lane].settings.clone());
        let record = self.store.lanes().unwrap().into_iter().find(|record| record.id == id).unwrap();
        self.schedule.set_lane(&record, settings, self.now);
    }

    fn change_settings(&mut self, lane: usize) {
        let concurrency = NonZeroUsize::new(self.rng.usize(1..9)).unwrap();
        let pace = self.rng.bool().then(|| Pace::per_second(self.rng.u32(1..20)).unwrap());
        let expiry = Duration::from_secs(if self.rng.bool() { 86_400 } else { self.rng.u64(5..120) });
        let retry = RetryPolicy::new(
            vec![Duration::from_secs(self.rng.u64(1..10)), Duration::from_secs(self.rng.u64(10..60))],
            expiry,
            Duration::from_secs(60),
        );
        let coalesce = if self.rng.bool() { Coalesce::Superseded } else { Coalesce::Nothing };
        self.lanes[lane].settings = LaneSettings { concurrency, pace, retry: retry.unwrap(), coalesce };
        self.lanes[lane].starts.clear();
    }

    fn step(&mut self) {
        for action in self.schedule.step(self.now) {
            match action {
                Action::Start(lane, id) => self.start(lane, id),
                Action::Settle(lane, id, settled) => self.finish(lane, id, 0, Disposal::Settle(settled)),
                Action::Claim(wanted) => {
                    let lane = self.index(wanted.lane);
                    if self.schedule.lane(wanted.lane).is_some_and(|lane| lane.breaker().is_open()) {
                        self.note("probes");
                    }
                    assert!(!self.lanes[lane].gate_closed, "a closed lane claims");
                    self.ask(Request::Claim(wanted));
                }
                Action::Sweep(lane, until) => self.ask(Request::Sweep(lane, until)),
                Action::Lend(lane, room) => {
                    let lane = self.index(lane);
                    self.lanes[lane].room = room;
                }
                Action::Save(lane, state) => self.ask(Request::Save(lane, state)),
            }
        }
        if let Some(at) = self.schedule.wake_at() {
            assert!(at > self.now, "the time does not move on");
            self.order += 1;
            self.events.push(Reverse((at, self.order, Event::Wake)));
        }
    }
}

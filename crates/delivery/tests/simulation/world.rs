//! The world that is simulated: time that jumps, receivers, a store whose commits take a while, and the law book.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, VecDeque};
use std::num::NonZeroUsize;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use delivery::clock::Timestamp;
use delivery::lane::{LaneSettings, Pace};
use delivery::message::{Message, MessageId, OrderKey};
use delivery::outcome::{Answer, Outcome, Phase, RetryAfter, Unreachable};
use delivery::retry::{Die, Reason, RetryPolicy};
use delivery::schedule::{Action, Schedule};
use delivery::store::memory::MemoryStore;
use delivery::store::{
    Coalesce, DeliveryId, Disposal, Entry, Finish, Gate, LaneId, LaneRecord, LaneState, Route, Settled, Store,
    Wanted,
};
use fastrand::Rng;

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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

/// What the store was asked and has not committed.
#[derive(Clone, Debug)]
enum Request {
    Append(usize, String, bool),
    Claim(Wanted),
    Finish(Finish),
    Sweep(LaneId, Timestamp),
    Save(LaneId, LaneState),
}

/// How a receiver answers now: one of these statuses; 0 does not answer for long, 1 refuses, 2 resets, 3 is unsent.
type Mood = &'static [u16];

const MOODS: &[Mood] = &[
    &[200], &[200], &[200, 204, 500], &[500], &[503, 429], &[400, 200], &[1], &[0, 200], &[2, 301, 599], &[410, 200], &[3, 200],
];

/// A time-out of a receiver that does not answer, in milliseconds.
const HANG: u64 = 15_000;

struct Lane {
    id: LaneId,
    settings: LaneSettings,
    mood: Mood,
    gate_closed: bool,
    throttled_until: Timestamp,
    in_flight: BTreeSet<DeliveryId>,
    /// When attempts started, for the law of the pace.
    starts: VecDeque<Timestamp>,
    delivered: u64,
    busy: u64,
}

pub(crate) struct World {
    rng: Rng,
    now: Timestamp,
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
        world.limit(NonZeroUsize::new(rng.usize(1..12) * if scale == Scale::Large { 20 } else { 1 }).unwrap());
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
        let limit = NonZeroUsize::new(64).unwrap();
        let mut world = Self {
            rng: Rng::with_seed(seed ^ 0x5eed),
            now: Timestamp::from_micros(1_000_000_000_000),
            order: 0,
            events: BinaryHeap::new(),
            store: MemoryStore::remembering(),
            schedule: Schedule::new(limit),
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
        self.schedule = Schedule::new(self.limit);
        for record in self.store.lanes().unwrap() {
            let index = self.index(record.id);
            self.lanes[index].in_flight.clear();
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
        let end = self.now.after(Duration::from_secs(seconds));
        self.step();
        while let Some(Reverse((at, ..))) = self.events.peek() {
            if *at > end {
                break;
            }
            self.next();
        }
        self.now = end;
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
                let (id, settings) = (self.lanes[lane].id, self.lanes[lane].settings.clone());
                let record = self.store.lanes().unwrap().into_iter().find(|record| record.id == id).unwrap();
                self.schedule.set_lane(&record, settings, self.now);
            }
        }
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

    fn crash(&mut self) {
        self.note("crashes");
        self.life += 1;
        self.requests.clear();
        self.committing = false;
        self.store.restart();
        self.open();
    }

    fn ask(&mut self, request: Request) {
        self.requests.push_back(request);
        if !self.committing {
            self.committing = true;
            let millis = self.rng.u64(0..15);
            self.at(millis, Event::Commit { life: self.life });
        }
    }

    /// Everything that was asked is done and durable at once, and answered in order.
    fn commit(&mut self) {
        self.committing = false;
        for request in std::mem::take(&mut self.requests) {
            match request {
                Request::Append(lane, key, supersedable) => self.appended(lane, &key, supersedable),
                Request::Claim(wanted) => {
                    let claim = self.store.claim(wanted, self.now).unwrap();
                    let claimed: Vec<_> =
                        claim.offers.iter().map(|offer| (offer.id, offer.attempts, offer.accepted)).collect();
                    self.schedule.took(wanted.lane, &claimed, claim.next, claim.oldest, 0);
                }
                Request::Finish(finish) => {
                    let finished = self.store.finish(&finish).unwrap();
                    self.read_settled();
                    self.schedule.closed(finish.lane, finish.id, finished.settled, finished.due);
                }
                Request::Sweep(lane, until) => {
                    let swept = self.store.sweep(lane, until, &Reason::Expired, self.now, 3).unwrap();
                    self.read_settled();
                    self.schedule.swept(lane, swept.settled.len() as u64, swept.oldest, self.now);
                }
                Request::Save(lane, state) => self.store.save(lane, &state).unwrap(),
            }
        }
    }

    fn appended(&mut self, lane: usize, key: &str, supersedable: bool) {
        let (id, coalesce) = (self.lanes[lane].id, self.lanes[lane].settings.coalesce);
        let key = OrderKey::from(key);
        let message =
            Message { id: MessageId::from("m"), key: key.clone(), supersedable, body: Bytes::new() };
        let entry = Entry { message, lanes: vec![(id, coalesce)], once: None, route: Route::Lanes };
        let batch = self.store.append(&[entry], self.now).unwrap();
        let number = DeliveryId(self.keys.keys().filter(|(other, _)| *other == id).count() as u64 + 1);
        self.keys.insert((id, number), key.clone());
        self.unsettled.entry((id, key)).or_default().push_back(number);
        self.lanes[lane].busy += 1;
        self.read_settled();
        self.schedule.added(id, 1, batch.superseded.len() as u64, self.now);
    }

    /// Enters in the account what the store settled.
    fn read_settled(&mut self) {
        let news = self.store.settled()[self.read..].to_vec();
        self.read += news.len();
        for (lane, id, settled) in news {
            let key = self.keys[&(lane, id)].clone();
            let queue = self.unsettled.get_mut(&(lane, key)).unwrap();
            let position = queue.iter().position(|other| *other == id).expect("it is settled twice");
            queue.remove(position);
            let index = self.index(lane);
            self.lanes[index].busy -= 1;
            match settled {
                Settled::Delivered => {
                    assert!(self.received.contains(&(lane, id)), "{lane} {id:?} was never received");
                    self.lanes[index].delivered += 1;
                    self.note("delivered");
                }
                Settled::Superseded => self.note("superseded"),
                Settled::Dead(_) => self.note("dead"),
            }
        }
    }

    fn attempt_ends(&mut self, life: u32, lane: LaneId, id: DeliveryId, status: u16) {
        let index = self.index(lane);
        if (200..300).contains(&status) {
            // Whoever hears of it: the receiver has it.
            self.received.insert((lane, id));
        }
        if life != self.life {
            return;
        }
        self.lanes[index].in_flight.remove(&id);
        let retry_after = (status == 429).then_some(RetryAfter::Seconds(2));
        if matches!(status, 429 | 503) {
            self.note("throttled");
            let pause = Duration::from_secs(if status == 429 { 2 } else { 1 });
            let until = self.now.after(pause);
            self.lanes[index].throttled_until = self.lanes[index].throttled_until.max(until);
        }
        let outcome = match status {
            0 => Outcome::TimedOut(Phase::ResponseHead),
            1 => Outcome::Unreachable(Unreachable::Refused(([127, 0, 0, 1], 1).into())),
            2 => Outcome::Broken { phase: Phase::Request, reason: String::new() },
            3 => Outcome::Unsent,
            code => Outcome::Answered(Answer { status: http::StatusCode::from_u16(code).unwrap(), retry_after }),
        };
        let die = Die::new(self.rng.f64());
        let now = self.now;
        let finished = self.schedule.finished(lane, id, &outcome, now, UNIX_EPOCH, die).expect("it is under way");
        if finished.disabled {
            self.lanes[index].gate_closed = true;
            self.note("disabled");
        }
        if let Some(disposal) = finished.disposal {
            self.finish(lane, id, finished.attempt, disposal);
        }
    }

    fn finish(&mut self, lane: LaneId, id: DeliveryId, attempts: u32, disposal: Disposal) {
        self.ask(Request::Finish(Finish { lane, id, attempts, disposal, attempt: None, now: self.now }));
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
                Action::Save(lane, state) => self.ask(Request::Save(lane, state)),
            }
        }
        if let Some(at) = self.schedule.wake_at() {
            assert!(at > self.now, "the time does not move on");
            self.order += 1;
            self.events.push(Reverse((at, self.order, Event::Wake)));
        }
    }

    /// Every law about a start is read here.
    fn start(&mut self, lane: LaneId, id: DeliveryId) {
        let key = self.keys[&(lane, id)].clone();
        let queue = &self.unsettled[&(lane, key.clone())];
        assert_eq!(queue.front(), Some(&id), "{lane}: an earlier one of its key is not settled");
        let busy = self.lanes.iter().filter(|lane| lane.busy > 0).count();
        let total: usize = self.lanes.iter().map(|lane| lane.in_flight.len()).sum();
        assert!(total < self.limit.get(), "more than the global limit");
        let index = self.index(lane);
        let (now, share) = (self.now, (self.limit.get() / busy.max(1)).max(1));
        let here = &mut self.lanes[index];
        assert!(here.in_flight.insert(id), "it is under way already");
        assert!(here.in_flight.len() <= here.settings.concurrency.get(), "more than the lane's concurrency");
        assert!(here.in_flight.len() <= share, "more than the lane's share");
        assert!(!here.gate_closed, "the lane is closed");
        assert!(here.throttled_until <= now || self.life > 0, "the lane is throttled");
        here.starts.push_back(now);
        while here.starts.front().is_some_and(|start| now.since(*start) >= Duration::from_secs(1)) {
            here.starts.pop_front();
        }
        if let Some(pace) = &here.settings.pace {
            // A burst of a second's worth, and a second's worth that flows in: twice the rate in any second.
            let most = 2 * usize::try_from(pace.rate()).unwrap();
            assert!(here.starts.len() <= most || self.life > 0, "faster than the lane's pace");
        }
        let mood = here.mood;
        let status = *self.scripts.get(&(lane, key)).unwrap_or(&mood[self.rng.usize(0..mood.len())]);
        let millis = if status == 0 { HANG } else { self.rng.u64(0..40) };
        let life = self.life;
        self.at(millis, Event::AttemptEnds { life, lane, id, status });
    }

    /// Every receiver is well again, every lane open: now everything settles, in bounded time.
    fn heal(&mut self) {
        self.healed = true;
        for lane in 0..self.lanes.len() {
            self.lanes[lane].mood = &[200];
            self.happen(Event::Gate { lane, open: true });
        }
        self.step();
        let deadline = self.now.after(Duration::from_secs(2 * 86_400));
        while !(self.schedule.is_empty() && self.requests.is_empty()) {
            assert!(!self.events.is_empty() && self.now < deadline, "something is never settled");
            self.next();
        }
        let left: usize = self.unsettled.values().map(VecDeque::len).sum();
        assert_eq!(left, 0, "accepted, and neither delivered nor superseded nor dead");
    }
}

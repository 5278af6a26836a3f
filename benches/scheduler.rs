//! How much the scheduler does in a second, against how much waits: its cost a delivery is to be the same for a hundred and for
//! a million. Look at the ratio of the two, which `cargo xtask bench` prints.
//!
//! `BENCH_BACKLOG` is the most that waits in a store here, for a look that is quick.

#[path = "given/traffic.rs"]
mod traffic;

use std::hint::black_box;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use delivery::clock::Timestamp;
use delivery::lane::{Arrived, Claimed, Lane, LaneSettings, Share};
use delivery::message::{Message, MessageId, OrderKey};
use delivery::outcome::{Answer, Outcome};
use delivery::retry::Die;
use delivery::store::memory::MemoryStore;
use delivery::store::{
    Coalesce, DeliveryId, Disposal, Entry, Finish, LaneId, LaneRecord, Route, Settled, Store, Wanted,
};

use traffic::Traffic;

/// How many deliveries wait.
const BACKLOGS: [u64; 5] = [100, 1000, 10_000, 100_000, 1_000_000];

/// How many deliveries end in an iteration.
const TURNS: u64 = 64;

/// The schedule by itself: the backlog is elsewhere, and only told.
fn schedule(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("schedule");
    group.throughput(Throughput::Elements(TURNS));
    for backlog in BACKLOGS {
        let mut traffic = Traffic::new(backlog);
        assert!(traffic.under_way() > 0, "it is at work");
        group.bench_function(format!("{backlog} waiting"), |bencher| {
            bencher.iter(|| (0..TURNS).for_each(|_| black_box(&mut traffic).turn()));
        });
    }
    group.finish();
}

/// A lane with its store in memory behind it.
struct Line {
    store: MemoryStore,
    id: LaneId,
    lane: Lane,
    /// Messages so far.
    last: u64,
    now: Timestamp,
    delivered: Outcome,
}

/// All that there is is this lane's.
const SHARE: Share = Share { attempts: usize::MAX, claims: usize::MAX, bytes: u64::MAX };

impl Line {
    fn new(backlog: u64) -> Self {
        let (mut store, now) = (MemoryStore::default(), Timestamp::from_micros(1_700_000_000_000_000));
        let record = store.lane("somebody").expect("memory does not fail");
        let record = LaneRecord { backlog: 0, ..record };
        let lane = Lane::new(LaneSettings::default(), &record, now);
        let delivered = Outcome::Answered(Answer { status: http::StatusCode::OK, retry_after: None });
        let mut line = Self { store, id: record.id, lane, last: 0, now, delivered };
        (0..backlog).for_each(|_| line.append());
        line
    }

    /// An update of an event that nothing else waits of.
    fn append(&mut self) {
        self.last += 1;
        let key = self.last.to_string();
        let (id, key) = (MessageId::from(&*key), OrderKey::from(&*key));
        let message = Message { id, key, supersedable: false, body: Bytes::from_static(&[b'x'; 2000]) };
        let lanes = vec![(self.id, Coalesce::Nothing)];
        let entry = Entry { message, lanes, once: None, route: Route::Lanes };
        self.store.append(&[entry], self.now).expect("memory does not fail");
        let arrived = Arrived { added: 1, superseded: 0, claimed: &[], left: true };
        self.lane.arrived(arrived, self.now);
    }

    /// Starts the next delivery, claiming if need be.
    fn start(&mut self) -> Option<DeliveryId> {
        if let Some(ask) = self.lane.ask(SHARE, self.now) {
            let wanted = Wanted { lane: self.id, limit: ask.limit, epoch: ask.epoch, bytes: u64::MAX };
            let claim = self.store.claim(wanted, self.now).expect("memory does not fail");
            let claimed: Vec<Claimed> = claim.offers.iter().map(Claimed::from).collect();
            self.lane.take(&claimed, claim.next, claim.oldest, 0);
        }
        self.lane.start(SHARE, self.now)
    }

    /// A delivery starts, arrives and is settled, and another is appended.
    fn turn(&mut self) {
        self.now = self.now.after(Duration::from_micros(1));
        let Some(id) = self.start() else { return };
        let (wall, die) = (SystemTime::UNIX_EPOCH, Die::new(0.5));
        black_box(self.lane.finished(id, &self.delivered, self.now, wall, die));
        let disposal = Disposal::Settle(Settled::Delivered);
        let finish = Finish { lane: self.id, id, attempts: 1, disposal, attempt: None, now: self.now };
        let finished = self.store.finish(&finish).expect("memory does not fail");
        self.lane.closed(id, finished.settled, finished.due);
        self.append();
    }
}

/// A lane with a store in memory, where the backlog is real.
fn lane(criterion: &mut Criterion) {
    let most = std::env::var("BENCH_BACKLOG").ok().and_then(|most| most.parse().ok()).unwrap_or(u64::MAX);
    let mut group = criterion.benchmark_group("lane and store in memory");
    group.throughput(Throughput::Elements(TURNS));
    for backlog in BACKLOGS.into_iter().filter(|backlog| *backlog <= most) {
        let mut line = Line::new(backlog);
        group.bench_function(format!("{backlog} waiting"), |bencher| {
            bencher.iter(|| (0..TURNS).for_each(|_| black_box(&mut line).turn()));
        });
        assert_eq!(line.lane.backlog(), backlog, "one comes for each that went");
    }
    group.finish();
}

criterion_group!(benches, schedule, lane);
criterion_main!(benches);

//! Taking updates in and settling them on disk, in commits of several sizes, beside the least that a disk can do in the same
//! round: the same bytes written to a file that is there already, and synced. What `cargo xtask bench` prints of it are ratios
//! for commits of one, which are to cost two syncs at most; a commit of many costs what its rows cost, and is only shown here.
//!
//! Not measured by Criterion, which does one after the other: a disk that others use is ten times as slow in one minute as in
//! the next, so ours and the yardstick take turns.

#[path = "store/packed.rs"]
mod packed;

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use delivery::clock::Timestamp;
use delivery::message::{Message, MessageId, OrderKey};
use delivery::store::sqlite::{Retention, SqliteStore};
use delivery::store::{
    AttemptRecord, Coalesce, DeliveryId, Disposal, Entry, Finish, LaneId, Parts, Room, Route, Settled, Store,
};
use payload::generate::Play;
use serde_json::{Value, json};
use tempfile::TempDir;

/// How many updates are taken in, or settled, by one commit.
const BATCHES: [usize; 3] = [1, 16, 256];

/// How many rounds go by before any is counted.
const WARM_UP: usize = 10;

/// How many times as fast as its yardstick a commit of one is to be.
const GOAL: f64 = 0.5;

/// How much of the bare file is written before it begins anew, as the log of a store does.
const FILE: u64 = 8 * 1024 * 1024;

/// A folder on the disk that cargo builds on: the one for temporary files may be in memory.
fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("cargo made this folder")
}

/// A store on disk with one lane.
struct OnDisk {
    store: SqliteStore,
    lane: LaneId,
    bodies: Vec<Bytes>,
    /// Updates so far; time goes on with them.
    last: u64,
    _folder: TempDir,
}

impl OnDisk {
    fn new() -> Self {
        let folder = folder();
        let mut store = SqliteStore::open(folder.path(), Retention::default()).expect("it is empty");
        let lane = store.lane("somebody").expect("the disk works").id;
        let events = Play::new(7, 30, 1_689_391_131).take(64);
        let bodies = events.map(|event| Bytes::from(event.to_json())).collect();
        Self { store, lane, bodies, last: 0, _folder: folder }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_700_000_000_000_000 + self.last)
    }

    /// Updates of events that nothing else waits of.
    fn entries(&mut self, count: usize) -> Vec<Entry> {
        let lanes = vec![(self.lane, Coalesce::Nothing)];
        let entry = |(body, number): (&Bytes, u64)| {
            let key = format!("event {number}");
            let (id, key) = (MessageId::new(), OrderKey::from(&*key));
            let message = Message { id, key, supersedable: false, body: body.clone() };
            Entry { message, lanes: lanes.clone(), once: None, route: Route::Lanes }
        };
        let entries = self.bodies.iter().cycle().zip(self.last..).take(count).map(entry).collect();
        self.last += count as u64;
        entries
    }

    /// Appends, claims what was appended, and commits, as the engine does when there is room.
    fn append(&mut self, entries: &[Entry]) -> Vec<DeliveryId> {
        let now = self.now();
        self.store.append(entries, now).expect("the disk works");
        let room = Room { count: entries.len(), bytes: u64::MAX };
        let fresh = self.store.claim_appended(self.lane, room).expect("the disk works");
        self.commit();
        fresh.offers.iter().map(|offer| offer.id).collect()
    }

    fn commit(&mut self) {
        assert!(self.store.commit().expect("the disk works"), "something was written");
    }

    fn settle(&mut self, finishes: &[Finish]) {
        for finish in finishes {
            assert!(self.store.finish(finish).expect("the disk works").settled);
        }
        self.commit();
    }
}

/// A delivery that arrived at once.
fn delivered(lane: LaneId, id: DeliveryId, now: Timestamp) -> Finish {
    let attempt = AttemptRecord {
        number: 1,
        at: now,
        word: "delivered".into(),
        outcome: "200 OK".to_owned(),
        status: Some(200),
        took: Duration::from_millis(3),
        response: "ok".to_owned(),
        parts: Parts { peer: Some("192.0.2.1:443".to_owned()), ..Parts::default() },
    };
    let disposal = Disposal::Settle(Settled::Delivered);
    Finish { lane, id, attempts: 1, disposal, attempt: Some(attempt), now }
}

/// A file that has its length already, so that a sync writes what is in it and nothing else.
struct Bare {
    file: File,
    at: u64,
    _folder: TempDir,
}

impl Bare {
    fn new() -> Self {
        let folder = folder();
        let mut file = File::create(folder.path().join("bare")).expect("the folder is ours");
        file.write_all(&vec![0; usize::try_from(FILE).unwrap_or_default()]).expect("the disk works");
        file.sync_all().expect("the disk works");
        Self { file, at: 0, _folder: folder }
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.at + bytes.len() as u64 > FILE {
            self.at = 0;
        }
        self.file.seek(SeekFrom::Start(self.at)).expect("the disk works");
        self.file.write_all(bytes).expect("the disk works");
        self.file.sync_data().expect("the disk works");
        self.at += bytes.len() as u64;
    }
}

/// How long something took, in seconds.
#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let begun = Instant::now();
    let done = work();
    (begun.elapsed().as_secs_f64(), done)
}

/// What was measured of one step: seconds of ours and of the yardstick, round by round.
#[derive(Default)]
struct Rounds(Vec<[f64; 2]>);

impl Rounds {
    /// What lies above a quarter, half and three quarters of the rounds.
    fn quartiles(&self, figure: impl Fn(&[f64; 2]) -> f64) -> [f64; 3] {
        let mut figures: Vec<f64> = self.0.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        [1, 2, 3].map(|quarter| figures.get(figures.len() * quarter / 4).copied().unwrap_or(f64::NAN))
    }

    /// Prints it, and gives its row if there is a goal.
    fn told(&self, step: &str, batch: usize) -> Option<Value> {
        let [_, ours, _] = self.quartiles(|[ours, _]| *ours);
        let [_, bare, _] = self.quartiles(|[_, bare]| *bare);
        let [low, ratio, high] = self.quartiles(|[ours, bare]| bare / ours);
        let a_second = batch as f64 / ours;
        println!(
            "{step:<8} {batch:>4} at once: {:>8.0} µs, {a_second:>8.0}/s; write and sync {:>6.0} µs, {ratio:.3}× ({low:.3} to {high:.3})",
            ours * 1e6,
            bare * 1e6,
        );
        (batch == 1).then(|| {
            json!({
                "name": format!("store: {step}, one a commit / write and sync"), "unit": "×", "ratio": ratio,
                "spread": [low, high], "way": "at least", "goal": GOAL, "reached": ratio >= GOAL,
            })
        })
    }
}

/// Appends and settles batches, and does after each what the yardstick does.
fn measure(batch: usize, rounds: usize) -> [Rounds; 2] {
    let (mut store, mut bare) = (OnDisk::new(), Bare::new());
    let (mut appended, mut settled) = (Rounds::default(), Rounds::default());
    // The texts of an attempt, and as much again for its numbers.
    let record = 2 * ["delivered", "200 OK", "ok", "192.0.2.1:443"].map(str::len).iter().sum::<usize>();
    let records = vec![b'x'; batch * record];
    for round in 0..WARM_UP + rounds {
        let entries = store.entries(batch);
        let bodies = entries.iter().map(|entry| &*entry.message.body).collect::<Vec<_>>().concat();
        let (ours, claimed) = timed(|| store.append(&entries));
        let append = [ours, timed(|| bare.write(&bodies)).0];
        let now = store.now();
        let finishes: Vec<Finish> = claimed.into_iter().map(|id| delivered(store.lane, id, now)).collect();
        assert_eq!(finishes.len(), batch, "all that was appended is claimed");
        let settle = [timed(|| store.settle(&finishes)).0, timed(|| bare.write(&records)).0];
        if round >= WARM_UP {
            appended.0.push(append);
            settled.0.push(settle);
        }
    }
    [appended, settled]
}

/// `--quick`, and `--to FOLDER`, in which the rows are written as `store.json`. A test run of all targets calls this too.
fn main() {
    let words: Vec<String> = std::env::args().collect();
    if !words.iter().any(|word| word == "--bench") {
        return;
    }
    let rounds = if words.iter().any(|word| word == "--quick") { 30 } else { 500 };
    let mut rows = Vec::new();
    for batch in BATCHES {
        for (step, rounds) in ["append", "settle"].iter().zip(measure(batch, rounds)) {
            rows.extend(rounds.told(step, batch));
        }
    }
    packed::compare(rounds / 5);
    let to = words.iter().position(|word| word == "--to").and_then(|at| words.get(at + 1));
    if let Some(folder) = to {
        let text = json!({ "rows": rows }).to_string();
        std::fs::write(Path::new(folder).join("store.json"), text).expect("whoever asked made the folder");
    }
}

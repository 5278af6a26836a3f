//! Fails the store's N-th call, once and for ever, for N = 1, 2, 3 and so on until a run completes untouched, and holds what
//! was delivered against what was acknowledged.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use delivery::clock::{Clock, Timestamp};
use delivery::engine::{AttemptReport, Engine, Limits, Observer, SettledReport, Transport};
use delivery::lane::LaneSettings;
use delivery::message::{Message, MessageId, OrderKey};
use delivery::outcome::{Answer, Attempt, Outcome, Timings};
use delivery::retry::{Reason, RetryPolicy};
use delivery::store::desk::Desk;
use delivery::store::sqlite::{Retention, SqliteStore, scrub};
use delivery::store::{
    AppendedBatch, Change, Claim, Coalesce, DeliveryId, Documents, Entry, Fault, Finish, Finished, Fresh,
    LaneId, LaneRecord, LaneState, Room, Route, Store, Swept, Wanted,
};

const LIMIT: Duration = Duration::from_secs(30);

/// Which calls fail, and how.
#[derive(Clone, Copy, Debug)]
struct Plan {
    /// The first that fails, from 1.
    at: u64,
    /// How many fail from there on.
    times: u64,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Before the call did anything.
    Io,
    /// After it was done: what a failed sync looks like.
    Ambiguous,
    Full,
    /// After it was done: what a checkpoint looks like that finds no room.
    FullAfter,
}

struct Failing {
    inner: SqliteStore,
    plan: Plan,
    calls: Arc<AtomicU64>,
}

impl Failing {
    /// Whether this call fails before or after it is done.
    fn fails(&self) -> Option<Kind> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let failing = self.plan.at..self.plan.at.saturating_add(self.plan.times);
        failing.contains(&call).then_some(self.plan.kind)
    }

    fn call<T>(&mut self, work: impl FnOnce(&mut SqliteStore) -> Result<T, Fault>) -> Result<T, Fault> {
        match self.fails() {
            None => work(&mut self.inner),
            Some(Kind::Io) => Err(Fault::Io("injected".to_owned())),
            Some(Kind::Full) => Err(Fault::Full("injected".to_owned())),
            Some(Kind::Ambiguous) => work(&mut self.inner).and(Err(Fault::Io("injected".to_owned()))),
            Some(Kind::FullAfter) => work(&mut self.inner).and(Err(Fault::Full("injected".to_owned()))),
        }
    }
}

impl Store for Failing {
    fn lanes(&mut self) -> Result<Vec<LaneRecord>, Fault> {
        self.call(|store| store.lanes())
    }
    fn lane(&mut self, name: &str) -> Result<LaneRecord, Fault> {
        self.call(|store| store.lane(name))
    }
    fn save(&mut self, lane: LaneId, state: &LaneState) -> Result<(), Fault> {
        self.call(|store| store.save(lane, state))
    }
    fn documents(&mut self, kind: &str) -> Result<Documents, Fault> {
        self.call(|store| store.documents(kind))
    }
    fn change(&mut self, changes: &[Change]) -> Result<(), Fault> {
        self.call(|store| store.change(changes))
    }
    fn append(&mut self, entries: &[Entry], now: Timestamp) -> Result<AppendedBatch, Fault> {
        self.call(|store| store.append(entries, now))
    }
    fn claim_appended(&mut self, lane: LaneId, room: Room) -> Result<Fresh, Fault> {
        self.call(|store| store.claim_appended(lane, room))
    }

    fn claim(&mut self, wanted: Wanted, now: Timestamp) -> Result<Claim, Fault> {
        self.call(|store| store.claim(wanted, now))
    }
    fn give_back(&mut self, lane: LaneId, ids: &[DeliveryId]) {
        self.inner.give_back(lane, ids);
    }
    fn finish(&mut self, finish: &Finish) -> Result<Finished, Fault> {
        self.call(|store| store.finish(finish))
    }
    fn sweep(
        &mut self,
        lane: LaneId,
        until: Timestamp,
        reason: &Reason,
        now: Timestamp,
        limit: usize,
    ) -> Result<Swept, Fault> {
        self.call(|store| store.sweep(lane, until, reason, now, limit))
    }
    fn commit(&mut self) -> Result<bool, Fault> {
        match self.fails() {
            None => self.inner.commit(),
            Some(Kind::Io) => Err(Fault::Io("injected".to_owned())),
            Some(Kind::Full) => Err(Fault::Full("injected".to_owned())),
            Some(Kind::Ambiguous) => self.inner.commit_unheard().and(Err(Fault::Io("injected".to_owned()))),
            Some(Kind::FullAfter) => self.inner.commit_unheard().and(Err(Fault::Full("injected".to_owned()))),
        }
    }
    fn abort(&mut self) -> Result<(), Fault> {
        self.inner.abort()
    }
    fn reopen(&mut self) -> Result<(), Fault> {
        self.call(Store::reopen)
    }
    fn relieve(&mut self) {
        self.inner.relieve();
    }
    fn has_room(&mut self) -> bool {
        self.inner.has_room()
    }
}

/// A receiver that keeps account, and fails every third attempt.
#[derive(Clone, Default)]
struct Account(Arc<Mutex<(u64, Vec<String>)>>);

impl Transport for Account {
    type Target = ();

    async fn attempt(&self, (): &(), message: &Message) -> Attempt {
        let mut account = self.0.lock().unwrap();
        account.0 += 1;
        let status = if account.0.is_multiple_of(3) { 400 } else { 200 };
        if status == 200 {
            account.1.push(String::from_utf8_lossy(&message.body).into_owned());
        }
        let answer = Answer { status: http::StatusCode::from_u16(status).unwrap(), retry_after: None };
        let outcome = Outcome::Answered(answer);
        Attempt { outcome, timings: Timings::default(), connection: None, response: None }
    }
}

struct Deaf;

impl Observer for Deaf {
    fn attempted(&mut self, _: &AttemptReport<'_>) {}
    fn settled(&mut self, _: &SettledReport<'_>) {}
    fn disabled(&mut self, _: LaneId) {}
}

fn settings() -> LaneSettings {
    let retry =
        RetryPolicy::new(vec![Duration::from_millis(1)], Duration::from_secs(3600), Duration::from_secs(1));
    LaneSettings { retry: retry.unwrap(), ..LaneSettings::default() }
}

fn start(store: impl Store, account: &Account) -> Engine<()> {
    let clock = Clock::start();
    let desk = Desk::threaded(store, clock).unwrap();
    Engine::start(account.clone(), clock, 1, Limits::default(), desk, Deaf)
}

fn open(folder: &Path) -> SqliteStore {
    SqliteStore::open(folder, Retention::default()).unwrap()
}

fn entry(lane: LaneId, key: u64, number: u64) -> Entry {
    let message = Message {
        id: MessageId::new(),
        key: OrderKey::from(&*format!("key {key}")),
        supersedable: false,
        body: Bytes::from(format!("{key} {number}")),
    };
    Entry { message, lanes: vec![(lane, Coalesce::Nothing)], once: None, route: Route::Lanes }
}

/// Hands nine updates of three keys in under the plan, and starts anew without it. Says how many calls there were.
async fn play(plan: Plan) -> u64 {
    let (folder, account, calls) = (tempfile::tempdir().unwrap(), Account::default(), Arc::default());
    let mut acknowledged = Vec::new();
    {
        let store = Failing { inner: open(folder.path()), plan, calls: Arc::clone(&calls) };
        let engine = start(store, &account);
        let opened =
            tokio::time::timeout(Duration::from_millis(500), engine.set_lane("a", Arc::new(()), settings()));
        if let Ok(Ok(lane)) = opened.await {
            for number in 1..=3 {
                for key in 0..3 {
                    let entry = entry(lane, key, number);
                    let body = String::from_utf8_lossy(&entry.message.body).into_owned();
                    if engine.accept(vec![entry]).await.is_ok() {
                        acknowledged.push(body);
                    }
                }
            }
            let forever = plan.times == u64::MAX;
            let limit = if forever { Duration::from_millis(300) } else { LIMIT };
            let drained = tokio::time::timeout(limit, engine.drained()).await;
            assert!(forever || drained.is_ok(), "{plan:?}: it hangs");
        }
        engine.shut_down(Duration::from_millis(50)).await;
    }
    // The store's thread ends a moment after its last handle is gone; until then the folder is held.
    let store = loop {
        match SqliteStore::open(folder.path(), Retention::default()) {
            Ok(store) => break store,
            Err(error) if error.to_string().contains("is in use") => std::thread::yield_now(),
            Err(error) => panic!("{plan:?}: {error}"),
        }
    };
    let engine = start(store, &account);
    engine.set_lane("a", Arc::new(()), settings()).await.unwrap();
    tokio::time::timeout(LIMIT, engine.drained()).await.unwrap_or_else(|_| panic!("{plan:?}: it hangs"));
    let delivered = account.0.lock().unwrap().1.clone();
    for body in &acknowledged {
        assert!(delivered.contains(body), "{plan:?}: {body} was acknowledged and is lost");
    }
    let mut newest: BTreeMap<String, u64> = BTreeMap::new();
    let mut seen = Vec::new();
    for body in delivered {
        let (key, number) = body.split_once(' ').unwrap();
        let newest = newest.entry(key.to_owned()).or_default();
        if !seen.contains(&body) {
            let number = number.parse().unwrap();
            assert!(number > *newest, "{plan:?}: {body} came after {newest}");
            *newest = number;
            seen.push(body);
        }
    }
    assert_eq!(scrub::scrub(folder.path()).unwrap().findings, Vec::<String>::new(), "{plan:?}");
    calls.load(Ordering::SeqCst)
}

async fn until_untouched(times: u64, kind: Kind) {
    for at in 1..10_000 {
        if play(Plan { at, times, kind }).await < at {
            assert!(at > 20, "the plan reached so many calls only: {at}");
            return;
        }
    }
    panic!("no run completes untouched");
}

#[tokio::test(flavor = "multi_thread")]
async fn any_call_may_fail_once() {
    until_untouched(1, Kind::Io).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_call_may_fail_after_it_was_done() {
    until_untouched(1, Kind::Ambiguous).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_disk_may_be_full_at_any_call() {
    until_untouched(1, Kind::Full).await;
    until_untouched(1, Kind::FullAfter).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_any_call_on_everything_may_fail() {
    for at in (1..60).step_by(7) {
        play(Plan { at, times: u64::MAX, kind: Kind::Io }).await;
    }
}

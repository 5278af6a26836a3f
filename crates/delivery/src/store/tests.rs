//! What every store must keep, as tests that any implementation is run through.

use std::time::Duration;

use bytes::Bytes;

use super::memory::MemoryStore;
use super::sqlite::young::Bounds;
use super::sqlite::{Retention, SqliteStore};
use super::*;
use crate::message::OrderKey;

mod model;

/// A store that can be closed and opened again, as a process that starts anew does.
trait Subject: Store {
    fn restarted(self) -> Self;
}

impl Subject for MemoryStore {
    fn restarted(mut self) -> Self {
        self.restart();
        self
    }
}

/// A store on disk with its folder, which goes with it.
struct OnDisk {
    store: Option<SqliteStore>,
    folder: tempfile::TempDir,
    young: Bounds,
}

impl OnDisk {
    fn new() -> Self {
        Self::with(Bounds::USUAL)
    }

    /// One in which so many deliveries have no record of their own.
    fn with(young: Bounds) -> Self {
        Self { store: None, folder: tempfile::tempdir().unwrap(), young }.restarted()
    }

    fn store(&mut self) -> &mut SqliteStore {
        self.store.as_mut().unwrap()
    }
}

impl Subject for OnDisk {
    fn restarted(mut self) -> Self {
        self.store = None;
        let store = self.store.insert(SqliteStore::open(self.folder.path(), Retention::default()).unwrap());
        store.limit_young(self.young);
        self
    }
}

impl Store for OnDisk {
    fn lanes(&mut self) -> Result<Vec<LaneRecord>, Fault> {
        self.store().lanes()
    }
    fn lane(&mut self, name: &str) -> Result<LaneRecord, Fault> {
        self.store().lane(name)
    }
    fn save(&mut self, lane: LaneId, state: &LaneState) -> Result<(), Fault> {
        self.store().save(lane, state)
    }
    fn documents(&mut self, kind: &str) -> Result<Documents, Fault> {
        self.store().documents(kind)
    }
    fn change(&mut self, changes: &[Change]) -> Result<(), Fault> {
        self.store().change(changes)
    }
    fn append(&mut self, entries: &[Entry], now: Timestamp) -> Result<AppendedBatch, Fault> {
        self.store().append(entries, now)
    }
    fn claim_appended(&mut self, lane: LaneId, room: Room) -> Result<Fresh, Fault> {
        self.store().claim_appended(lane, room)
    }
    fn claim(&mut self, wanted: Wanted, now: Timestamp) -> Result<Claim, Fault> {
        self.store().claim(wanted, now)
    }
    fn give_back(&mut self, lane: LaneId, ids: &[DeliveryId]) {
        self.store().give_back(lane, ids);
    }
    fn finish(&mut self, finish: &Finish) -> Result<Finished, Fault> {
        self.store().finish(finish)
    }
    fn sweep(
        &mut self,
        lane: LaneId,
        until: Timestamp,
        reason: &Reason,
        now: Timestamp,
        limit: usize,
    ) -> Result<Swept, Fault> {
        self.store().sweep(lane, until, reason, now, limit)
    }
    fn commit(&mut self) -> Result<bool, Fault> {
        self.store().commit()
    }
    fn abort(&mut self) -> Result<(), Fault> {
        self.store().abort()
    }
    fn reopen(&mut self) -> Result<(), Fault> {
        self.store().reopen()
    }
}

/// The same test for every implementation.
macro_rules! contract {
    ($($name:ident),* $(,)?) => {
        mod memory_store {
            $(#[test] fn $name() { super::$name(super::MemoryStore::default()); })*
        }
        mod sqlite_store {
            $(#[test] fn $name() { super::$name(super::OnDisk::new()); })*
        }
        mod on_disk_with_a_record_for_most {
            $(#[test] fn $name() { super::$name(super::OnDisk::with(super::Bounds { number: 1, messages: 2, ..super::Bounds::USUAL })); })*
        }
    };
}

contract!(
    heads_only_are_claimed_and_once,
    a_parked_head_holds_its_key_and_no_other,
    what_waits_for_an_outage_is_due_when_it_is_over,
    the_same_accept_again_adds_nothing,
    a_later_message_supersedes_where_it_may,
    old_deliveries_are_swept_oldest_first,
    a_restart_forgets_claims_and_nothing_else,
    lane_states_are_kept,
    a_finish_may_be_repeated,
    a_claim_holds_so_many_bytes_but_always_one,
    what_is_appended_is_claimed_at_once_as_far_as_there_is_room,
    documents_are_kept_by_kind_and_id,
);

const START: Timestamp = Timestamp::from_micros(1_000_000_000_000);

fn at(seconds: u64) -> Timestamp {
    START.after(Duration::from_secs(seconds))
}

fn entry(key: &str, body: &str, lanes: &[(LaneId, Coalesce)]) -> Entry {
    let message = Message {
        id: MessageId::new(),
        key: OrderKey::from(key),
        supersedable: body.starts_with("ongoing"),
        body: Bytes::copy_from_slice(body.as_bytes()),
    };
    Entry { message, lanes: lanes.to_vec(), once: None, route: Route::Lanes }
}

fn plain(lane: LaneId) -> [(LaneId, Coalesce); 1] {
    [(lane, Coalesce::Nothing)]
}

fn append(store: &mut impl Store, entries: &[Entry], now: Timestamp) -> AppendedBatch {
    let batch = store.append(entries, now).unwrap();
    store.commit().unwrap();
    batch
}

fn claim(
    store: &mut impl Store,
    lane: LaneId,
    limit: usize,
    now: Timestamp,
) -> (Vec<String>, Option<Timestamp>) {
    claim_epoch(store, Wanted { lane, limit, epoch: 0, bytes: u64::MAX }, now)
}

fn claim_epoch(store: &mut impl Store, wanted: Wanted, now: Timestamp) -> (Vec<String>, Option<Timestamp>) {
    let claim = store.claim(wanted, now).unwrap();
    store.commit().unwrap();
    assert_eq!(claim.damaged, []);
    let body = |offer: &Offer| {
        format!("{} {} {}", offer.id.0, String::from_utf8_lossy(&offer.message.body), offer.attempts)
    };
    (claim.offers.iter().map(body).collect(), claim.next)
}

fn finish(store: &mut impl Store, lane: LaneId, id: u64, disposal: Disposal, now: Timestamp) -> Finished {
    let attempt = Some(AttemptRecord {
        number: 1,
        at: now,
        word: "rejected".into(),
        outcome: "400 Bad Request".to_owned(),
        status: Some(400),
        took: Duration::from_millis(3),
        response: "no".to_owned(),
        parts: Parts::default(),
    });
    let finish = Finish { lane, id: DeliveryId(id), attempts: 1, disposal, attempt, now };
    let finished = store.finish(&finish).unwrap();
    store.commit().unwrap();
    finished
}

const DELIVERED: Disposal = Disposal::Settle(Settled::Delivered);

fn park(until: Timestamp, outage: Option<u32>) -> Disposal {
    Disposal::Park { until, outage, coalesce: Coalesce::Nothing }
}

fn heads_only_are_claimed_and_once(mut store: impl Subject) {
    let lane = store.lane("a").unwrap().id;
    let lanes = plain(lane);
    append(
        &mut store,
        &[entry("x", "x1", &lanes), entry("x", "x2", &lanes), entry("y", "y1", &lanes)],
        at(0),
    );
    assert_eq!(claim(&mut store, lane, 1, at(0)), (vec!["1 x1 0".to_owned()], Some(at(0))));
    assert_eq!(claim(&mut store, lane, 9, at(0)), (vec!["3 y1 0".to_owned()], None));
    assert_eq!(claim(&mut store, lane, 9, at(9)), (vec![], None));
    let finished = finish(&mut store, lane, 1, DELIVERED, at(1));
    assert_eq!(finished, Finished { settled: true, superseded: false, due: Some(at(1)) });
    assert_eq!(claim(&mut store, lane, 9, at(1)), (vec!["2 x2 0".to_owned()], None));
}

fn a_parked_head_holds_its_key_and_no_other(mut store: impl Subject) {
    let lane = store.lane("a").unwrap().id;
    let lanes = plain(lane);
    append(&mut store, &[entry("x", "x1", &lanes), entry("x", "x2", &lanes)], at(0));
    claim(&mut store, lane, 9, at(0));
    let finished = finish(&mut store, lane, 1, park(at(60), None), at(1));
    assert_eq!(finished, Finished { settled: false, superseded: false, due: Some(at(60)) });
    append(&mut store, &[entry("y", "y1", &lanes)], at(2));
    assert_eq!(claim(&mut store, lane, 9, at(2)), (vec!["3 y1 0".to_owned()], Some(at(60))));
    assert_eq!(claim(&mut store, lane, 9, at(60)), (vec!["1 x1 1".to_owned()], None));
}

fn what_waits_for_an_outage_is_due_when_it_is_over(mut store: impl Subject) {
    let lane = store.lane("a").unwrap().id;
    let lanes = plain(lane);
    append(
        &mut store,
        &[entry("x", "x1", &lanes), entry("y", "y1", &lanes), entry("z", "z1", &lanes)],
        at(0),
    );
    claim(&mut store, lane, 9, at(0));
    finish(&mut store, lane, 1, park(at(600), Some(0)), at(1));
    finish(&mut store, lane, 2, park(at(60), None), at(1));
    finish(&mut store, lane, 3, park(at(600), Some(0)), at(1));
    assert_eq!(claim(&mut store, lane, 9, at(2)), (vec![], Some(at(60))));
    let back = Wanted { lane, limit: 1, epoch: 1, bytes: u64::MAX };
    assert_eq!(claim_epoch(&mut store, back, at(2)), (vec!["1 x1 1".to_owned()], Some(at(2))));
    assert_eq!(claim_epoch(&mut store, back, at(2)), (vec!["3 z1 1".to_owned()], Some(at(60))));
    finish(&mut store, lane, 1, park(at(700), Some(1)), at(3));
    assert_eq!(claim_epoch(&mut store, back, at(4)), (vec![], Some(at(60))));
}

fn the_same_accept_again_adds_nothing(mut store: impl Subject) {
    let lane = store.lane("a").unwrap().id;
    let entry = Entry { once: Some(([1; 32], [2; 32])), ..entry("x", "x1", &plain(lane)) };
    let first = append(&mut store, &[entry.clone(), entry.clone()], at(0));
    let again = Appended::Again { sequence: Sequence(1), id: entry.message.id.clone(), deliveries: 1 };
    assert_eq!(first.entries, [Appended::New { sequence: Sequence(1), deliveries: 1 }, again.clone()]);
    assert_eq!(first.added, [(lane, 1)]);
    let mut store = store.restarted();
    let other = Entry { once: Some(([1; 32], [3; 32])), ..entry.clone() };
    let second = append(&mut store, &[entry, other], at(1));
    assert_eq!(second.entries, [again, Appended::Conflict]);
    assert_eq!(second.added, []);
}

fn a_later_message_supersedes_where_it_may(mut store: impl Subject) {
    let lane = store.lane("a").unwrap().id;
    let lanes = [(lane, Coalesce::Superseded)];
    let bodies = ["start", "ongoing1"].map(|body| entry("x", body, &lanes));
    append(&mut store, &bodies, at(0));
    assert_eq!(claim(&mut store, lane, 9, at(0)).0, ["1 start 0"]);
    let batch = append(&mut store, &[entry("x", "ongoing2", &lanes)], at(1));
    assert_eq!(batch.superseded, [(lane, DeliveryId(2))]);
    finish(&mut store, lane, 1, DELIVERED, at(1));
    assert_eq!(claim(&mut store, lane, 9, at(1)).0, ["3 ongoing2 0"]);
    // One that is under way is not taken back; it is superseded when it would wait.
    let batch = append(&mut store, &[entry("x", "end", &lanes)], at(2));
    assert_eq!(batch.superseded, []);
    let wait = Disposal::Park { until: at(60), outage: None, coalesce: Coalesce::Superseded };
    let finished = finish(&mut store, lane, 3, wait, at(3));
    assert_eq!(finished, Finished { settled: true, superseded: true, due: Some(at(3)) });
    assert_eq!(claim(&mut store, lane, 9, at(3)).0, ["4 end 0"]);
}

fn old_deliveries_are_swept_oldest_first(mut store: impl Subject) {
    let lane = store.lane("a").unwrap().id;
    let lanes = plain(lane);
    for second in 0..5 {
        append(&mut store, &[entry("x", "x", &lanes)], at(second));
    }
    claim(&mut store, lane, 1, at(5));
    let swept = store.sweep(lane, at(3), &Reason::Expired, at(10), 2).unwrap();
    assert_eq!(swept, Swept { settled: vec![DeliveryId(2), DeliveryId(3)], oldest: Some(at(3)) });
    let swept = store.sweep(lane, at(3), &Reason::Expired, at(10), 9).unwrap();
    assert_eq!(swept, Swept { settled: vec![DeliveryId(4)], oldest: Some(at(4)) });
    store.commit().unwrap();
    finish(&mut store, lane, 1, DELIVERED, at(11));
    assert_eq!(claim(&mut store, lane, 9, at(11)).0, ["5 x 0"]);
}

fn a_restart_forgets_claims_and_nothing_else(mut store: impl Subject) {
    let (a, b) = (store.lane("a").unwrap().id, store.lane("b").unwrap().id);
    let both = [(a, Coalesce::Nothing), (b, Coalesce::Nothing)];
    append(&mut store, &[entry("x", "x1", &both), entry("y", "y1", &both)], at(0));
    claim(&mut store, a, 9, at(0));
    finish(&mut store, a, 1, park(at(60), None), at(1));
    let mut store = store.restarted();
    let lanes = store.lanes().unwrap();
    let depths: Vec<_> = lanes.iter().map(|lane| (lane.name.as_str(), lane.backlog, lane.oldest)).collect();
    assert_eq!(depths, [("a", 2, Some(at(0))), ("b", 2, Some(at(0)))]);
    assert_eq!(claim(&mut store, a, 9, at(2)), (vec!["2 y1 0".to_owned()], Some(at(60))));
    assert_eq!(claim(&mut store, a, 9, at(61)), (vec!["1 x1 1".to_owned()], None));
    assert_eq!(store.lane("b").unwrap().id, b);
}

fn lane_states_are_kept(mut store: impl Subject) {
    let lane = store.lane("a").unwrap().id;
    let state = LaneState {
        gate: Gate::Disabled,
        open: Some((at(7), Duration::from_secs(4))),
        slow_until: Some(at(9)),
        epoch: 3,
    };
    store.save(lane, &state).unwrap();
    store.commit().unwrap();
    let mut store = store.restarted();
    assert_eq!(store.lane("a").unwrap().state, state);
}

fn a_finish_may_be_repeated(mut store: impl Subject) {
    let lane = store.lane("a").unwrap().id;
    append(&mut store, &[entry("x", "x1", &plain(lane)), entry("x", "x2", &plain(lane))], at(0));
    claim(&mut store, lane, 9, at(0));
    finish(&mut store, lane, 1, DELIVERED, at(1));
    assert_eq!(finish(&mut store, lane, 1, DELIVERED, at(1)), Finished::default());
    assert_eq!(finish(&mut store, lane, 2, DELIVERED, at(1)), Finished::default(), "it is not claimed");
    assert_eq!(claim(&mut store, lane, 9, at(1)).0, ["2 x2 0"]);
}

fn a_claim_holds_so_many_bytes_but_always_one(mut store: impl Subject) {
    let lane = store.lane("a").unwrap().id;
    for key in ["x", "y", "z"] {
        append(&mut store, &[entry(key, "ten bytes!", &plain(lane))], at(0));
    }
    let wanted = Wanted { lane, limit: 9, epoch: 0, bytes: 20 };
    assert_eq!(claim_epoch(&mut store, wanted, at(0)).0.len(), 2);
    assert_eq!(claim_epoch(&mut store, Wanted { bytes: 0, ..wanted }, at(0)).0.len(), 1);
}

/// The numbers that a lane got of what was appended, and whether heads are left.
fn at_once(store: &mut impl Store, lane: LaneId, count: usize, bytes: u64) -> (Vec<u64>, bool) {
    let fresh = store.claim_appended(lane, Room { count, bytes }).unwrap();
    (fresh.offers.iter().map(|offer| offer.id.0).collect(), fresh.left)
}

fn what_is_appended_is_claimed_at_once_as_far_as_there_is_room(mut store: impl Subject) {
    let (lane, other) = (store.lane("a").unwrap().id, store.lane("b").unwrap().id);
    append(&mut store, &[entry("before", "ten bytes!", &plain(lane))], at(0));
    let batch = |lane| ["x", "x", "y", "z", "before"].map(|key| entry(key, "ten bytes!", &plain(lane)));
    for (count, bytes, ids, left) in [
        (0, 100, vec![], true),
        (2, 100, vec![2, 4], true),
        (9, 25, vec![2, 4], true),
        (9, 0, vec![2], true),
        (3, 100, vec![2, 4, 5], false),
    ] {
        let lane = store.lane(&format!("{count} of {bytes} bytes")).unwrap().id;
        append(&mut store, &[entry("before", "ten bytes!", &plain(lane))], at(0));
        store.append(&batch(lane), at(1)).unwrap();
        assert_eq!(at_once(&mut store, lane, count, bytes), (ids, left), "{count} of {bytes} bytes");
    }
    store.append(&batch(lane), at(1)).unwrap();
    assert_eq!(at_once(&mut store, lane, 2, 100), (vec![2, 4], true));
    assert_eq!(at_once(&mut store, other, 2, 100), (vec![], false));
    store.commit().unwrap();
    let (offers, next) = claim(&mut store, lane, 9, at(1));
    let numbers: Vec<_> = offers.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!((numbers, next), (vec!["1", "5"], None), "all others are claimed, or behind one that is");
    assert!(finish(&mut store, lane, 2, DELIVERED, at(2)).settled);
    assert_eq!(claim(&mut store, lane, 9, at(2)).0.len(), 1, "the next of its key");
    let spare = ["ongoing 1", "ongoing 2"].map(|body| entry("k", body, &[(lane, Coalesce::Superseded)]));
    store.append(&spare, at(3)).unwrap();
    assert_eq!(at_once(&mut store, lane, 9, 100), (vec![8], false), "the first is superseded");
}

fn documents_are_kept_by_kind_and_id(mut store: impl Subject) {
    let put =
        |kind: &str, id: &str, body: &str| Change::Put(Document::new(kind, id, body.as_bytes().to_vec()));
    let remove = |kind: &str, id: &str| Change::Remove { kind: kind.to_owned(), id: id.to_owned() };
    store.change(&[put("a", "2", "x"), put("a", "1", "y"), put("b", "1", "z")]).unwrap();
    store.commit().unwrap();
    store.change(&[put("a", "2", "w"), remove("b", "1"), remove("b", "none")]).unwrap();
    store.commit().unwrap();
    let mut store = store.restarted();
    let found = |store: &mut dyn Store, kind| -> Vec<(String, String)> {
        let documents = store.documents(kind).unwrap();
        assert!(documents.damaged.is_empty());
        let text = |document: Document| (document.id, String::from_utf8(document.body).unwrap());
        documents.found.into_iter().map(text).collect()
    };
    let pair = |id: &str, body: &str| (id.to_owned(), body.to_owned());
    assert_eq!(found(&mut store, "a"), [pair("1", "y"), pair("2", "w")]);
    assert_eq!(found(&mut store, "b"), []);
}

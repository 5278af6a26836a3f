//! What every store must keep, as tests that any implementation is run through.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, Strategy, any, prop_oneof, proptest};

use super::memory::MemoryStore;
use super::sqlite::young::Bounds;
use super::sqlite::{Retention, SqliteStore};
use super::*;
use crate::message::OrderKey;

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

/// What is done to both stores at once.
#[derive(Clone, Debug)]
enum Step {
    Append {
        lane: u64,
        key: u8,
        ongoing: bool,
        coalesce: bool,
        room: usize,
    },
    Claim {
        lane: u64,
        limit: usize,
        epoch: u32,
        bytes: u64,
    },
    Settle {
        which: usize,
    },
    Park {
        which: usize,
        seconds: u64,
        outage: Option<u32>,
    },
    Sweep {
        lane: u64,
        seconds: u64,
    },
    Wait {
        seconds: u64,
    },
    Restart,
    Reopen,
    /// All of this, and it is taken back.
    Undone {
        lane: u64,
        key: u8,
        which: usize,
        settle: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..3_u64, 0..3_u8, any::<bool>(), any::<bool>(), 0..2_usize)
            .prop_map(|(lane, key, ongoing, coalesce, room)| Step::Append { lane, key, ongoing, coalesce, room }),
        5 => (1..3_u64, 1..4_usize, 0..3_u32, 0..30_u64)
            .prop_map(|(lane, limit, epoch, bytes)| Step::Claim { lane, limit, epoch, bytes }),
        3 => any::<usize>().prop_map(|which| Step::Settle { which }),
        3 => (any::<usize>(), 0..90_u64, proptest::option::of(0..3_u32))
            .prop_map(|(which, seconds, outage)| Step::Park { which, seconds, outage }),
        1 => (1..3_u64, 0..90_u64).prop_map(|(lane, seconds)| Step::Sweep { lane, seconds }),
        2 => (0..40_u64).prop_map(|seconds| Step::Wait { seconds }),
        1 => proptest::strategy::Just(Step::Restart),
        1 => proptest::strategy::Just(Step::Reopen),
        2 => (1..3_u64, 0..3_u8, any::<usize>(), any::<bool>())
            .prop_map(|(lane, key, which, settle)| Step::Undone { lane, key, which, settle }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_store_on_disk_does_what_the_plain_model_does(steps in vec(step(), 1..60), (number, messages, deliveries) in (0..6_usize, 1..9_i64, 1..9_u64)) {
        let bounds = Bounds { number, messages, deliveries, ..Bounds::USUAL };
        let (mut disk, mut model) = (OnDisk::with(bounds), MemoryStore::default());
        for name in ["a", "b"] {
            assert_eq!(disk.lane(name).unwrap(), model.lane(name).unwrap());
            disk.commit().unwrap();
        }
        let (mut now, mut claimed) = (at(100), Vec::<(LaneId, DeliveryId)>::new());
        for step in steps {
            match step {
                Step::Append { lane, key, ongoing, coalesce, room } => {
                    let coalesce = if coalesce { Coalesce::Superseded } else { Coalesce::Nothing };
                    let body = if ongoing { "ongoing" } else { "start" };
                    let entry = entry(&format!("k{key}"), body, &[(LaneId(lane), coalesce)]);
                    let entries = std::slice::from_ref(&entry);
                    assert_eq!(disk.append(entries, now).unwrap(), model.append(entries, now).unwrap());
                    let fresh = at_once(&mut disk, LaneId(lane), room, 100);
                    assert_eq!(fresh, at_once(&mut model, LaneId(lane), room, 100));
                    claimed.extend(fresh.0.into_iter().map(|id| (LaneId(lane), DeliveryId(id))));
                    disk.commit().unwrap();
                }
                Step::Claim { lane, limit, epoch, bytes } => {
                    let wanted = Wanted { lane: LaneId(lane), limit, epoch, bytes };
                    let found = claim_epoch(&mut disk, wanted, now);
                    assert_eq!(found, claim_epoch(&mut model, wanted, now));
                    let number = |line: &String| line.split(' ').next().unwrap().parse().unwrap();
                    claimed.extend(found.0.iter().map(|line| (LaneId(lane), DeliveryId(number(line)))));
                }
                Step::Settle { which } if !claimed.is_empty() => {
                    let (lane, id) = claimed.swap_remove(which % claimed.len());
                    assert_eq!(finish(&mut disk, lane, id.0, DELIVERED, now), finish(&mut model, lane, id.0, DELIVERED, now));
                }
                Step::Park { which, seconds, outage } if !claimed.is_empty() => {
                    let (lane, id) = claimed.swap_remove(which % claimed.len());
                    let park = Disposal::Park { until: now.after(Duration::from_secs(seconds)), outage, coalesce: Coalesce::Superseded };
                    assert_eq!(finish(&mut disk, lane, id.0, park.clone(), now), finish(&mut model, lane, id.0, park, now));
                }
                Step::Settle { .. } | Step::Park { .. } => {}
                Step::Sweep { lane, seconds } => {
                    let until = Timestamp::from_micros(now.as_micros() - seconds * 1_000_000);
                    let swept = disk.sweep(LaneId(lane), until, &Reason::Expired, now, 2).unwrap();
                    assert_eq!(swept, model.sweep(LaneId(lane), until, &Reason::Expired, now, 2).unwrap());
                    disk.commit().unwrap();
                }
                Step::Wait { seconds } => now = now.after(Duration::from_secs(seconds)),
                Step::Restart => {
                    (disk, model) = (disk.restarted(), model.restarted());
                    claimed.clear();
                }
                Step::Reopen => disk.reopen().unwrap(),
                Step::Undone { lane, key, which, settle } => {
                    let entry = entry(&format!("k{key}"), "ongoing", &[(LaneId(lane), Coalesce::Superseded)]);
                    disk.append(&[entry.clone(), entry], now).unwrap();
                    at_once(&mut disk, LaneId(lane), 1, 100);
                    disk.store().claim(Wanted { lane: LaneId(lane), limit: 2, epoch: 9, bytes: 100 }, now).unwrap();
                    if let Some(&(lane, id)) = claimed.get(which % claimed.len().max(1)) {
                        let disposal = if settle { DELIVERED } else { park(now, Some(0)) };
                        let finish = Finish { lane, id, attempts: 1, disposal, attempt: None, now };
                        assert!(disk.store().finish(&finish).unwrap().due.is_some() || settle);
                    }
                    disk.store().sweep(LaneId(lane), now, &Reason::Expired, now, 1).unwrap();
                    disk.abort().unwrap();
                }
            }
            let backlogs = |lanes: Vec<LaneRecord>| -> BTreeMap<LaneId, (u64, Option<Timestamp>)> {
                lanes.into_iter().map(|lane| (lane.id, (lane.backlog, lane.oldest))).collect()
            };
            assert_eq!(backlogs(disk.lanes().unwrap()), backlogs(model.lanes().unwrap()));
        }
        let report = super::sqlite::scrub::scrub(disk.folder.path()).unwrap();
        assert_eq!(report.findings, Vec::<String>::new());
    }
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

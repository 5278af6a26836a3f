//! How often each step of a delivery asks for memory when it is warm, over 64 deliveries. What SQLite takes inside, in C, is not
//! counted.
//!
//! A bound that is passed is a step that became dearer; one that is far away is to be lowered.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use allocation_counter::measure;
use bytes::Bytes;
use delivery::clock::Timestamp;
use delivery::http::request::request;
use delivery::lane::{Arrived, Claimed, LaneSettings};
use delivery::message::{Message, MessageId, OrderKey};
use delivery::outcome::{Answer, Outcome};
use delivery::retry::Die;
use delivery::schedule::{Action, Schedule};
use delivery::store::memory::MemoryStore;
use delivery::store::sqlite::{Retention, SqliteStore};
use delivery::store::{
    AttemptRecord, Coalesce, DeliveryId, Disposal, Entry, Finish, LaneId, LaneRecord, LaneState, Parts, Room,
    Route, Settled, Store, Wanted,
};
use delivery::target::address::Address;
use delivery::target::credentials::Credentials;
use delivery::target::headers::HeaderList;
use delivery::target::tls::{Tls, TlsSettings, Trust};
use delivery::target::{self, AsAccepted, Target};
use http::Version;

/// How many deliveries each count is of.
const MANY: u64 = 64;

/// The most allocations of each, for [`MANY`] deliveries. What is not 0 has room for a hash map that grows.
const MOST: &[(&str, u64)] = &[
    ("schedule: steps", 0),
    ("schedule: attempts that ended", 0),
    ("schedule: claims", 0),
    ("memory: append", 224),
    ("memory: commit of what was appended", 0),
    ("memory: claim of what was appended", 12),
    ("memory: claim", 12),
    ("memory: finish", 0),
    ("memory: commit of what was finished", 0),
    ("SQLite: append", 664),
    ("SQLite: commit of what was appended", 8),
    ("SQLite: claim of what was appended", 8),
    ("SQLite: claim", 220),
    ("SQLite: finish", 264),
    ("SQLite: commit of what was finished", 8),
    ("request", 18 * MANY),
];

/// What was counted, beside its bounds.
#[derive(Default)]
struct Counted(Vec<(String, u64)>);

impl Counted {
    fn of<T>(&mut self, name: &str, work: impl FnOnce() -> T) -> T {
        let mut done = None;
        let count = measure(|| done = Some(work())).count_total;
        match self.0.iter_mut().find(|(other, _)| other == name) {
            Some((_, sum)) => *sum += count,
            None => self.0.push((name.to_owned(), count)),
        }
        done.unwrap()
    }

    fn check(self) {
        let over = self.0.into_iter().filter(|(name, count)| {
            let (_, most) = MOST.iter().find(|(other, _)| other == name).expect("every count has its bound");
            println!("{name}: {count}, at most {most}");
            count > most
        });
        assert_eq!(over.collect::<Vec<_>>(), []);
    }
}

const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

/// Lanes that all have something under way, as [`MANY`] deliveries end and others start.
#[test]
fn a_step_of_the_schedule_allocates_nothing() {
    const LANES: u64 = 16;
    let mut schedule = Schedule::new(NonZeroUsize::new(256).unwrap(), u64::MAX);
    for id in (1..=LANES).map(LaneId) {
        let (name, state) = (id.to_string(), LaneState::default());
        let record = LaneRecord { id, name, state, backlog: 1000, oldest: Some(NOW) };
        schedule.set_lane(&record, LaneSettings::default(), NOW);
    }
    let outcome = Outcome::Answered(Answer { status: http::StatusCode::OK, retry_after: None });
    let (mut actions, mut under_way, mut last) = (Vec::new(), std::collections::VecDeque::new(), 0);
    // The first rounds make all buffers as large as they get.
    for round in 0..8 {
        let mut counted = Counted::default();
        for turn in 0..MANY {
            let now = NOW.after(Duration::from_micros(round * MANY + turn));
            if let Some((lane, delivery)) = under_way.pop_front() {
                counted.of("schedule: attempts that ended", || {
                    schedule.finished(lane, delivery, &outcome, now, UNIX_EPOCH, Die::new(0.5));
                    schedule.closed(lane, delivery, true, None);
                    let arrived = Arrived { added: 1, superseded: 0, claimed: &[], left: true };
                    schedule.arrived(lane, arrived, now);
                });
            }
            let mut again = true;
            while std::mem::take(&mut again) {
                counted.of("schedule: steps", || schedule.step_into(now, &mut actions));
                for action in actions.drain(..) {
                    match action {
                        Action::Start(lane, delivery) => under_way.push_back((lane, delivery)),
                        Action::Claim(wanted) => {
                            let ids = (last + 1..).take(wanted.limit).map(DeliveryId);
                            let head = |id| Claimed { id, attempts: 0, accepted: now, bytes: 2000 };
                            let claimed: Vec<_> = ids.map(head).collect();
                            last += claimed.len() as u64;
                            counted.of("schedule: claims", || {
                                schedule.took(wanted.lane, &claimed, Some(now), Some(now), 0);
                            });
                            again = true;
                        }
                        Action::Settle(..) | Action::Sweep(..) | Action::Lend(..) | Action::Save(..) => {}
                    }
                }
            }
        }
        if round == 7 {
            assert_eq!(under_way.len(), 128, "all lanes are at work");
            counted.check();
        }
    }
}

/// Updates of as many events, for one lane.
fn entries(round: u64, lane: LaneId) -> Vec<Entry> {
    let entry = |number| {
        let key = format!("event {}", round * MANY + number);
        let id = MessageId::from(format!("msg_{key}").as_str());
        let body = Bytes::from(vec![b'x'; 2000]);
        let message = Message { id, key: OrderKey::from(key.as_str()), supersedable: false, body };
        let lanes = vec![(lane, Coalesce::Nothing)];
        Entry { message, lanes, once: None, route: Route::Lanes }
    };
    (0..MANY).map(entry).collect()
}

/// How a delivery ended that arrived at once.
fn finish(lane: LaneId, id: DeliveryId) -> Finish {
    let attempt = AttemptRecord {
        number: 1,
        at: NOW,
        word: "delivered".into(),
        outcome: "200 OK".to_owned(),
        status: Some(200),
        took: Duration::from_millis(3),
        response: "ok".to_owned(),
        parts: Parts { peer: Some("192.0.2.1:443".to_owned()), ..Parts::default() },
    };
    let disposal = Disposal::Settle(Settled::Delivered);
    Finish { lane, id, attempts: 1, disposal, attempt: Some(attempt), now: NOW }
}

/// Appends, claims and settles a few rounds, and counts the last of them.
fn through(store: &mut dyn Store, name: &str) {
    let lane = store.lane("somebody").unwrap().id;
    let limit = usize::try_from(MANY).unwrap();
    let wanted = Wanted { lane, limit, epoch: 0, bytes: u64::MAX };
    for round in 0..8 {
        let mut counted = Counted::default();
        let of = |what: &str| format!("{name}: {what}");
        let entries = entries(round, lane);
        counted.of(&of("append"), || store.append(&entries, NOW)).unwrap();
        // Half the rounds claim what they appended, as the engine does when there is room; the others look for it.
        let offers = if round % 2 == 0 {
            let room = Room { count: limit, bytes: u64::MAX };
            let fresh = counted.of(&of("claim of what was appended"), || store.claim_appended(lane, room));
            counted.of(&of("commit of what was appended"), || store.commit()).unwrap();
            fresh.unwrap().offers
        } else {
            counted.of(&of("commit of what was appended"), || store.commit()).unwrap();
            counted.of(&of("claim"), || store.claim(wanted, NOW)).unwrap().offers
        };
        assert_eq!(offers.len(), limit);
        for offer in offers {
            let finish = finish(lane, offer.id);
            counted.of(&of("finish"), || store.finish(&finish)).unwrap();
        }
        counted.of(&of("commit of what was finished"), || store.commit()).unwrap();
        if round >= 6 {
            counted.check();
        }
    }
}

#[test]
fn the_store_in_memory_allocates_little() {
    through(&mut MemoryStore::default(), "memory");
}

#[test]
fn the_store_on_disk_allocates_little() {
    let folder = tempfile::tempdir().unwrap();
    through(&mut SqliteStore::open(folder.path(), Retention::default()).unwrap(), "SQLite");
}

#[test]
fn a_request_allocates_little() {
    let trust = Trust::DangerSkipVerification;
    let parts = target::Parts {
        address: Address::parse("https://hooks.example.com/fusion?team=ams").unwrap(),
        headers: HeaderList::parse("X-Api-Key: 4f1d2c7a9b8e, X-Environment: production").unwrap(),
        credentials: Some(Credentials::new("somebody", "correct horse".into()).unwrap()),
        content_type: None,
        guard: None,
        tls: Tls::new(&TlsSettings { trust, client: None, http2: false }).unwrap(),
        attempt_timeout: target::DEFAULT_ATTEMPT_TIMEOUT,
        connect_timeout: target::DEFAULT_CONNECT_TIMEOUT,
        render: Arc::new(AsAccepted),
    };
    let target = Target::new(parts).unwrap();
    let entries = entries(0, LaneId(1));
    let made = || {
        for Entry { message, .. } in &entries {
            let body = target.parts().render.render(&message.body).unwrap();
            drop(request(&target, message, UNIX_EPOCH, body, Version::HTTP_11));
        }
    };
    made();
    let mut counted = Counted::default();
    counted.of("request", made);
    counted.check();
}

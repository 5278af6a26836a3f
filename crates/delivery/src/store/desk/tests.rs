use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::clock::Timestamp;
use crate::retry::Reason;
use crate::store::memory::MemoryStore;
use crate::store::{
    AppendedBatch, Change, Claim, DeliveryId, Documents, Entry, Finish, Finished, Fresh, LaneId, LaneRecord,
    LaneState, Room, Swept, Wanted,
};

/// A store whose commits fail as a script says, the last word of which repeats.
struct Failing {
    inner: MemoryStore,
    commits: Vec<Option<Fault>>,
    room: Arc<AtomicUsize>,
    reopened: Arc<AtomicUsize>,
    tidied: Arc<AtomicUsize>,
}

impl Store for Failing {
    fn lanes(&mut self) -> Result<Vec<LaneRecord>, Fault> {
        self.inner.lanes()
    }
    fn lane(&mut self, name: &str) -> Result<LaneRecord, Fault> {
        self.inner.lane(name)
    }
    fn save(&mut self, lane: LaneId, state: &LaneState) -> Result<(), Fault> {
        self.inner.save(lane, state)
    }
    fn documents(&mut self, kind: &str) -> Result<Documents, Fault> {
        self.inner.documents(kind)
    }
    fn change(&mut self, changes: &[Change]) -> Result<(), Fault> {
        self.inner.change(changes)
    }
    fn append(&mut self, entries: &[Entry], now: Timestamp) -> Result<AppendedBatch, Fault> {
        self.inner.append(entries, now)
    }
    fn claim_appended(&mut self, lane: LaneId, room: Room) -> Result<Fresh, Fault> {
        self.inner.claim_appended(lane, room)
    }

    fn claim(&mut self, wanted: Wanted, now: Timestamp) -> Result<Claim, Fault> {
        self.inner.claim(wanted, now)
    }
    fn give_back(&mut self, lane: LaneId, ids: &[DeliveryId]) {
        self.inner.give_back(lane, ids);
    }
    fn finish(&mut self, finish: &Finish) -> Result<Finished, Fault> {
        self.inner.finish(finish)
    }
    fn sweep(
        &mut self,
        lane: LaneId,
        until: Timestamp,
        reason: &Reason,
        now: Timestamp,
        limit: usize,
    ) -> Result<Swept, Fault> {
        self.inner.sweep(lane, until, reason, now, limit)
    }
    fn commit(&mut self) -> Result<bool, Fault> {
        let next = if self.commits.len() > 1 { self.commits.remove(0) } else { self.commits[0].clone() };
        next.map_or(Ok(true), Err)
    }
    fn abort(&mut self) -> Result<(), Fault> {
        Ok(())
    }
    fn reopen(&mut self) -> Result<(), Fault> {
        self.reopened.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
    fn tidy(&mut self, _: Timestamp) -> Result<bool, Fault> {
        // There is much to do.
        Ok(self.tidied.fetch_add(1, Ordering::SeqCst) < 60)
    }
    fn has_room(&mut self) -> bool {
        self.room.load(Ordering::SeqCst) > 0
    }
}

struct Setting {
    desk: Desk,
    room: Arc<AtomicUsize>,
    reopened: Arc<AtomicUsize>,
    tidied: Arc<AtomicUsize>,
}

fn setting(commits: &[Option<Fault>]) -> Setting {
    let (room, reopened, tidied): (Arc<AtomicUsize>, Arc<AtomicUsize>, Arc<AtomicUsize>) = Default::default();
    let store = Failing {
        inner: MemoryStore::default(),
        commits: commits.to_vec(),
        room: Arc::clone(&room),
        reopened: Arc::clone(&reopened),
        tidied: Arc::clone(&tidied),
    };
    Setting { desk: Desk::threaded(store, Clock::start()).unwrap(), room, reopened, tidied }
}

/// Asks as the engine does, and waits for the answer.
async fn ask(desk: &Desk, name: &'static str) -> Result<LaneId, Fault> {
    let (answer, answered) = oneshot::channel();
    desk.ask(move |store| store.lane(name), move |result| drop(answer.send(result)));
    answered.await.unwrap().map(|lane| lane.id)
}

async fn accept(desk: &Desk) -> Result<(), Fault> {
    desk.accept(|store| store.lane("a").map(|_| ()), |_| {}).await
}

#[tokio::test]
async fn who_asked_is_answered_after_the_commit() {
    let setting = setting(&[None]);
    accept(&setting.desk).await.unwrap();
    assert_eq!(ask(&setting.desk, "b").await, Ok(LaneId(2)));
    assert!(setting.desk.counts().commits >= 2);
    assert_eq!(setting.desk.health(), Health::Well);
}

#[tokio::test]
async fn after_a_failed_sync_accepts_are_refused_and_deliveries_done_anew() {
    let failed = Fault::Io("sync".to_owned());
    let setting = setting(&[Some(failed.clone()), Some(failed), None]);
    let refused = accept(&setting.desk).await.unwrap_err();
    assert_eq!(refused, Fault::Poisoned("sync".to_owned()));
    // The second failure meets the engine, which only sees that it took longer.
    assert_eq!(ask(&setting.desk, "b").await, Ok(LaneId(2)));
    assert_eq!(setting.reopened.load(Ordering::SeqCst), 2);
    accept(&setting.desk).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_refuses_accepts_until_there_is_room_and_settles_on() {
    let setting = setting(&[Some(Fault::Full("no space".to_owned())), None]);
    assert_eq!(accept(&setting.desk).await, Err(Fault::Full("no space".to_owned())));
    assert!(ask(&setting.desk, "b").await.is_ok(), "deliveries go on from the reserve");
    assert_eq!(accept(&setting.desk).await, Err(Fault::Full("no space".to_owned())));
    assert_eq!(setting.desk.health(), Health::Full("no space".to_owned()));
    setting.room.store(1, Ordering::SeqCst);
    accept(&setting.desk).await.unwrap();
    assert_eq!(setting.reopened.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn what_nobody_asks_for_is_done_under_load_too() {
    let setting = setting(&[None]);
    let tidied = async {
        while setting.tidied.load(Ordering::SeqCst) < 2 {
            accept(&setting.desk).await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(20), tidied).await.expect("it is tidied in time");
}

#[tokio::test]
async fn what_nobody_asks_for_does_not_pile_up() {
    let setting = setting(&[None]);
    let tidied = async {
        while setting.tidied.load(Ordering::SeqCst) < 60 {
            tokio::task::yield_now().await;
        }
    };
    // Half a second between two steps would make half a minute.
    tokio::time::timeout(Duration::from_secs(20), tidied).await.expect("what there is to do is done");
}

#[tokio::test]
async fn many_share_a_commit() {
    let setting = setting(&[None]);
    let mut set = tokio::task::JoinSet::new();
    for _ in 0..500 {
        let desk = setting.desk.clone();
        set.spawn(async move { accept(&desk).await });
    }
    for done in set.join_all().await {
        done.unwrap();
    }
    let counts = setting.desk.counts();
    assert!(counts.requests == 500 && counts.commits <= 500, "{counts:?}");
}

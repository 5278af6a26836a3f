use std::os::unix::fs::{FileExt, PermissionsExt};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rusqlite::Connection;

use super::archive::{Archive, State, Status};
use super::sweep::ONCE_FOR;
use super::*;
use crate::message::{Message, MessageId, OrderKey};
use crate::store::{Appended, Coalesce, Disposal, Route, Settled};

pub(super) const NOW: Timestamp = Timestamp::from_micros(1_000_000_000_000);

pub(super) fn open(folder: &Path) -> SqliteStore {
    SqliteStore::open(folder, Retention::default()).unwrap()
}

pub(super) fn fill(store: &mut SqliteStore, bodies: &[&str]) -> LaneId {
    let lane = store.lane("a").unwrap().id;
    let entries: Vec<_> = bodies
        .iter()
        .map(|body| Entry {
            message: Message {
                id: MessageId::new(),
                key: OrderKey::from(*body),
                supersedable: false,
                body: Bytes::copy_from_slice(body.as_bytes()),
            },
            lanes: vec![(lane, Coalesce::Nothing)],
            once: None,
            route: Route::Lanes,
        })
        .collect();
    store.append(&entries, NOW).unwrap();
    store.commit().unwrap();
    lane
}

pub(super) fn claim(store: &mut SqliteStore, lane: LaneId, limit: usize) -> Claim {
    let claim = store.claim(Wanted { lane, limit, epoch: 0, bytes: u64::MAX }, NOW).unwrap();
    store.commit().unwrap();
    claim
}

#[test]
fn the_folder_is_private_and_held_by_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/data");
    let mut store = open(&path);
    fill(&mut store, &["x"]);
    let mode = |name: &str| std::fs::metadata(path.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(""), 0o700);
    for name in ["store.sqlite", "store.sqlite-wal", "lock", "reserve", "high-water"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    let refused = SqliteStore::open(&path, Retention::default()).unwrap_err().to_string();
    let us = format!("is in use by process {}; stop that one first", std::process::id());
    assert!(refused.contains(&us), "{refused}");
    drop(store);
    open(&path);
}

/// What becomes of an accept with this digest, and a body that none has.
pub(super) fn once(store: &mut SqliteStore, digest: [u8; 32], now: Timestamp) -> Appended {
    let (id, key, body) = (MessageId::new(), OrderKey::from("k"), Bytes::from_static(b"x"));
    let message = Message { id, key, supersedable: false, body };
    let entry = Entry { message, lanes: Vec::new(), once: Some((digest, [0; 32])), route: Route::Unmatched };
    store.append(&[entry], now).unwrap().entries.remove(0)
}

#[test]
fn an_accept_is_known_again_for_a_day() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let (day, minute) = (Duration::from_secs(24 * 3600), Duration::from_secs(60));
    for number in 0..3 {
        let new = once(&mut store, [number; 32], NOW.after(minute * u32::from(number)));
        assert!(matches!(new, Appended::New { .. }));
    }
    store.commit().unwrap();
    // Between the second and the third of them.
    let later = NOW.after(day + minute + minute / 2);
    while store.tidy(later).unwrap() {
        store.commit().unwrap();
    }
    store.commit().unwrap();
    let is_known = |store: &mut SqliteStore, number| {
        let known = matches!(once(store, [number; 32], later), Appended::Again { .. });
        store.abort().unwrap();
        known
    };
    assert_eq!([0, 1, 2].map(|number| is_known(&mut store, number)), [false, false, true]);
    drop(store);
    let mut store = open(folder.path());
    assert_eq!([0, 1, 2].map(|number| is_known(&mut store, number)), [false, false, true]);
}

#[test]
fn an_accept_is_known_again_whose_message_is_gone_already() {
    let folder = tempfile::tempdir().unwrap();
    let retention = Retention { age: Duration::from_secs(60), ..Retention::default() };
    let mut store = SqliteStore::open(folder.path(), retention).unwrap();
    for number in 0..3 {
        once(&mut store, [number; 32], NOW.after(Duration::from_secs(50) * u32::from(number)));
    }
    store.commit().unwrap();
    let rows = |table: &str| {
        let connection = Connection::open(folder.path().join("store.sqlite")).unwrap();
        connection
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    assert_eq!((rows("message"), rows("once")), (3, 0), "of which each has what it is known by");
    let known = |store: &mut SqliteStore, now| {
        let known = [0, 1, 2].map(|number| matches!(once(store, [number; 32], now), Appended::Again { .. }));
        store.abort().unwrap();
        known
    };
    let tidied = |store: &mut SqliteStore, now| while store.tidy(now).unwrap() | store.commit().unwrap() {};
    let soon = NOW.after(Duration::from_secs(120));
    tidied(&mut store, soon);
    assert_eq!((rows("message"), rows("once")), (1, 2));
    assert_eq!(known(&mut store, soon), [true; 3]);
    drop(store);
    let mut store = SqliteStore::open(folder.path(), retention).unwrap();
    assert_eq!(known(&mut store, soon), [true; 3]);
    let day_later = NOW.after(ONCE_FOR + Duration::from_secs(25));
    tidied(&mut store, day_later);
    assert_eq!((rows("message"), rows("once")), (0, 2), "and of what is kept nothing is known for longer");
    assert_eq!(known(&mut store, day_later), [false, true, true]);
}

#[test]
fn what_a_damaged_record_says_is_not_known_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    for (number, damage) in (1..).zip(["id = 'msg_other'", "digest = NULL", "body_digest = x'00'"]) {
        once(&mut store, [number; 32], NOW);
        store.commit().unwrap();
        assert!(matches!(once(&mut store, [number; 32], NOW), Appended::Again { .. }));
        store.abort().unwrap();
        let connection = Connection::open(folder.path().join("store.sqlite")).unwrap();
        let changed =
            connection.execute(&format!("UPDATE message SET {damage} WHERE digest = ?1"), [[number; 32]]);
        assert_eq!(changed.unwrap(), 1);
        assert_eq!(scrub::scrub(folder.path()).unwrap().wrong, u64::from(number), "{damage}");
        assert!(
            matches!(once(&mut store, [number; 32], NOW), Appended::New { .. }),
            "rather twice: {damage}"
        );
        store.abort().unwrap();
        let years_later = NOW.after(Retention::default().age * 100);
        assert!(
            !store.tidy(years_later.after(Duration::from_secs(60) * u32::from(number))).unwrap(),
            "{damage}"
        );
        store.abort().unwrap();
    }
}

#[test]
fn an_accept_that_was_known_before_is_known_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let mut accept = |hours: u32| {
        let now = NOW.after(Duration::from_secs(3600) * hours);
        let became = once(&mut store, [1; 32], now);
        while store.tidy(now).unwrap() | store.commit().unwrap() {}
        matches!(became, Appended::New { .. })
    };
    // Their messages are kept for a week, and lie beside each other.
    assert_eq!([0, 23, 25, 26, 48, 50, 51].map(&mut accept), [true, false, true, false, false, true, false]);
    let connection = Connection::open(folder.path().join("store.sqlite")).unwrap();
    connection.execute("UPDATE message SET id = 'msg_other' WHERE seq = 3", []).unwrap();
    assert_eq!([52, 53].map(accept), [true, false], "one that is damaged hides no other");
}

#[test]
fn what_is_passed_over_by_the_thousand_is_read_from_an_index_alone() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let connection = Connection::open(folder.path().join("store.sqlite")).unwrap();
    let plan = |sql: &str| {
        let mut select = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let places = vec![1; select.parameter_count()];
        select.query_row(rusqlite::params_from_iter(places), |row| row.get::<_, String>(3)).unwrap()
    };
    let known = format!("{} WHERE seq >> 9 >= 1", once::OF_INDEX);
    assert_eq!(plan(&known), "SEARCH message USING COVERING INDEX message_of_digest (<expr>>?)");
    assert_eq!(plan(archive::search::DEAD), "SEARCH settled USING COVERING INDEX dead (seq>? AND seq<?)");
}

#[test]
fn a_file_that_is_gone_or_older_or_another_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.sqlite");
    let mut store = open(folder.path());
    fill(&mut store, &["x"]);
    drop(store);
    let old = std::fs::read(&file).unwrap();
    let mut store = open(folder.path());
    fill(&mut store, &["y"]);
    drop(store);
    let new = std::fs::read(&file).unwrap();
    let refused = || SqliteStore::open(folder.path(), Retention::default()).unwrap_err().to_string();

    std::fs::write(&file, &old).unwrap();
    assert!(refused().contains("was truncated, or replaced by an older copy"), "{}", refused());
    std::fs::remove_file(&file).unwrap();
    assert!(refused().contains("is gone"), "{}", refused());
    std::fs::write(&file, &new[..new.len() / 2]).unwrap();
    refused();
    let elsewhere = tempfile::tempdir().unwrap();
    drop(open(elsewhere.path()));
    std::fs::copy(elsewhere.path().join("store.sqlite"), &file).unwrap();
    assert!(refused().contains("another store"), "{}", refused());

    std::fs::write(&file, new).unwrap();
    let mut store = open(folder.path());
    let lane = store.lane("a").unwrap().id;
    assert_eq!(claim(&mut store, lane, 9).offers.len(), 2);
}

#[test]
fn a_damaged_record_is_put_aside_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let lane = fill(&mut store, &["first-body", "second-body", "third-body"]);
    drop(store);
    // One bit in the body of the second.
    let file = std::fs::OpenOptions::new().write(true).open(folder.path().join("store.sqlite")).unwrap();
    let bytes = std::fs::read(folder.path().join("store.sqlite")).unwrap();
    let places: Vec<_> =
        bytes.windows(11).enumerate().filter(|(_, window)| window == b"second-body").collect();
    for (at, _) in places {
        file.write_all_at(b"S", at as u64).unwrap();
    }
    let report = scrub::scrub(folder.path()).unwrap();
    assert!(
        report.wrong >= 1 && report.findings.iter().any(|finding| finding.contains("message 2")),
        "{report:?}"
    );

    let mut store = open(folder.path());
    let claimed = claim(&mut store, lane, 9);
    let bodies: Vec<_> = claimed.offers.iter().map(|offer| offer.message.body.clone()).collect();
    assert_eq!(bodies, ["first-body", "third-body"]);
    assert_eq!(claimed.damaged, [DeliveryId(2)]);
    let connection = Connection::open(folder.path().join("store.sqlite")).unwrap();
    let aside: i64 = connection.query_row("SELECT count(*) FROM quarantine", [], |row| row.get(0)).unwrap();
    assert_eq!(aside, 1);
}

#[test]
fn a_damaged_record_that_names_another_message_ends_at_its_own() {
    for named in [1, 3, 77, -1] {
        let folder = tempfile::tempdir().unwrap();
        let mut store = open(folder.path());
        store.limit_young(young::Bounds { number: 0, ..young::Bounds::USUAL });
        let lane = fill(&mut store, &["first", "second", "third"]);
        drop(store);
        let connection = Connection::open(folder.path().join("store.sqlite")).unwrap();
        connection.execute("UPDATE pending SET seq = ?1 WHERE n = 2", [named]).unwrap();
        let mut store = open(folder.path());
        let claimed = claim(&mut store, lane, 9);
        assert_eq!(claimed.damaged, [DeliveryId(2)]);
        let detail = Archive::new(folder.path()).delivery(lane, DeliveryId(2)).unwrap().unwrap();
        let ended = Status::Settled(Settled::Dead(Reason::Damaged), NOW);
        assert_eq!((detail.body.as_slice(), detail.delivery.status), (&b"second"[..], ended), "{named}");
        assert_eq!(scrub::scrub(folder.path()).unwrap().findings, Vec::<String>::new(), "{named}");
        drop(store);
        let offers = claim(&mut open(folder.path()), lane, 9).offers;
        assert_eq!(offers.iter().map(|offer| offer.id.0).collect::<Vec<_>>(), [1, 3], "{named}");
    }
}

#[test]
fn what_was_not_committed_is_undone() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let lane = fill(&mut store, &["x"]);
    let before = store.lanes().unwrap();
    let wanted = Wanted { lane, limit: 9, epoch: 0, bytes: u64::MAX };
    assert_eq!(store.claim(wanted, NOW).unwrap().offers.len(), 1);
    store
        .append(
            &[Entry {
                message: Message {
                    id: MessageId::new(),
                    key: OrderKey::from("y"),
                    supersedable: false,
                    body: Bytes::from_static(b"y"),
                },
                lanes: vec![(lane, Coalesce::Nothing)],
                once: None,
                route: Route::Lanes,
            }],
            NOW,
        )
        .unwrap();
    store.abort().unwrap();
    assert_eq!(store.lanes().unwrap(), before);
    assert_eq!(claim(&mut store, lane, 9).offers.len(), 1, "the claim was undone too");
}

#[test]
fn history_is_listed_and_dropped_and_what_waits_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let retention = Retention { age: std::time::Duration::from_secs(60), ..Retention::default() };
    let mut store = SqliteStore::open(folder.path(), retention).unwrap();
    let lane = fill(&mut store, &["x", "y"]);
    let offers = claim(&mut store, lane, 1).offers;
    let disposal = Disposal::Settle(Settled::Delivered);
    let id = offers[0].id;
    store.finish(&Finish { lane, id, attempts: 1, disposal, attempt: None, now: NOW }).unwrap();
    store.commit().unwrap();

    let archive = Archive::new(folder.path());
    let all = archive::Wanted { limit: 10, ..archive::Wanted::default() };
    let page = archive.deliveries(&all).unwrap();
    let states: Vec<_> = page.deliveries.iter().map(|delivery| delivery.status.state()).collect();
    assert_eq!(states, [Some(State::Pending), Some(State::Delivered)]);
    let dead = archive::Wanted { state: Some(State::Dead), ..all.clone() };
    assert!(archive.deliveries(&dead).unwrap().deliveries.is_empty());
    let of_key = archive::Wanted { key: Some("x".to_owned()), ..all.clone() };
    assert_eq!(archive.deliveries(&of_key).unwrap().deliveries.len(), 1);
    let detail = archive.delivery(lane, DeliveryId(2)).unwrap().unwrap();
    assert_eq!((detail.delivery.status, detail.body), (Status::Due(NOW), b"y".to_vec()));

    let later = NOW.after(std::time::Duration::from_secs(61));
    store.tidy(later).unwrap();
    store.commit().unwrap();
    assert_eq!(archive.deliveries(&all).unwrap().deliveries.len(), 1);
    assert_eq!(claim(&mut store, lane, 9).offers.len(), 1);
}

#[test]
fn what_a_clock_that_was_set_forward_gave_up_is_kept_as_long_as_everything() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let lane = fill(&mut store, &["x"]);
    let years_later = NOW.after(std::time::Duration::from_secs(10 * 365 * 86_400));
    assert_eq!(store.sweep(lane, NOW, &Reason::Expired, years_later, 9).unwrap().settled.len(), 1);
    let archive = Archive::new(folder.path());
    let listed = |store: &mut SqliteStore, now| {
        store.tidy(now).unwrap();
        store.commit().unwrap();
        archive.delivery(lane, DeliveryId(1)).unwrap().map(|detail| detail.body)
    };
    assert_eq!(listed(&mut store, years_later), Some(b"x".to_vec()), "it can still be resent");
    let age = Retention::default().age + std::time::Duration::from_secs(1);
    assert_eq!(listed(&mut store, years_later.after(age)), None);
}

#[test]
fn the_disk_is_given_back_after_a_backlog() {
    const WAIT: usize = 300;
    let bodies: Vec<String> = (0..WAIT * 10).map(|n| format!("{n:02000}")).collect();
    let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
    let (folder, small) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fill(&mut open(small.path()), &bodies[..WAIT]);
    let mut store = open(folder.path());
    let lane = fill(&mut store, &bodies);
    for offer in claim(&mut store, lane, bodies.len() - WAIT).offers {
        let disposal = Disposal::Settle(Settled::Delivered);
        store.finish(&Finish { lane, id: offer.id, attempts: 1, disposal, attempt: None, now: NOW }).unwrap();
    }
    store.commit().unwrap();
    let later = NOW.after(Retention::default().age * 2);
    while store.tidy(later).unwrap() {
        store.commit().unwrap();
    }
    store.commit().unwrap();
    assert_eq!(claim(&mut store, lane, bodies.len()).offers.len(), WAIT);
    drop(store);
    // Opening writes the log into the file.
    let size = |folder: &Path| {
        drop(open(folder));
        std::fs::metadata(folder.join("store.sqlite")).unwrap().len()
    };
    let (left, live) = (size(folder.path()), size(small.path()));
    assert!(left < 2 * live, "{left} bytes are left for {live} bytes of data");
}

#[test]
fn the_library_is_new_enough() {
    // Older ones can lose a commit when a log is reset while another connection reads (fixed in 3.51.3).
    assert!(rusqlite::version_number() >= 3_051_003, "{}", rusqlite::version());
}

#[test]
fn lists_and_the_writer_do_not_wait_for_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let lane = fill(&mut store, &["x"]);
    let archive = Arc::new(Archive::new(folder.path()));
    let reader = std::thread::spawn({
        let archive = Arc::clone(&archive);
        move || {
            let all = archive::Wanted { lane: Some(lane), limit: 100, ..archive::Wanted::default() };
            (0..50).map(|_| archive.deliveries(&all).unwrap().deliveries.len()).max()
        }
    });
    for _ in 0..50 {
        fill(&mut store, &["y"]);
    }
    assert!(reader.join().unwrap().is_some());
    for offer in claim(&mut store, lane, 2).offers {
        let disposal = Disposal::Park { until: NOW, outage: None, coalesce: Coalesce::Nothing };
        store.finish(&Finish { lane, id: offer.id, attempts: 1, disposal, attempt: None, now: NOW }).unwrap();
    }
    store.commit().unwrap();
    let soon = Timestamp::from_micros(NOW.as_micros() - 1);
    let blocked = |now| archive.blocked(now).unwrap().get(&lane).copied();
    assert_eq!((blocked(NOW), blocked(soon)), (None, Some(2)));
}

#[test]
fn a_commit_that_was_durable_and_failed_leaves_the_claims_as_they_were_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let lane = fill(&mut store, &["x"]);
    let id = claim(&mut store, lane, 9).offers[0].id;
    // A claim, and after it in the same group the park of what was claimed before.
    let group = |store: &mut SqliteStore| {
        let claim = store.claim(Wanted { lane, limit: 9, epoch: 0, bytes: u64::MAX }, NOW).unwrap();
        let disposal = Disposal::Park { until: NOW, outage: None, coalesce: Coalesce::Nothing };
        let finish = Finish { lane, id, attempts: 1, disposal, attempt: None, now: NOW };
        (claim.offers.len(), store.finish(&finish).unwrap())
    };
    let first = group(&mut store);
    store.commit_unheard().unwrap();
    store.reopen().unwrap();
    assert_eq!(group(&mut store), first, "done again, it does the same");
    assert_eq!(first.0, 0);
    store.commit().unwrap();
    assert_eq!(claim(&mut store, lane, 9).offers.len(), 1);
}

#[test]
fn a_commit_that_was_durable_and_is_taken_back_without_a_reopening_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let lane = fill(&mut store, &["x"]);
    let id = claim(&mut store, lane, 9).offers[0].id;
    let disposal = Disposal::Settle(Settled::Delivered);
    let finish = Finish { lane, id, attempts: 1, disposal, attempt: None, now: NOW };
    assert!(store.finish(&finish).unwrap().settled);
    fill_unheard(&mut store, "y");
    // As on a full disk, where the checkpoint after the commit fails.
    store.abort().unwrap();
    assert!(store.finish(&finish).unwrap().settled, "done again");
    store.commit().unwrap();
    fill(&mut store, &["x", "y"]);
    let numbers: Vec<_> = claim(&mut store, lane, 9).offers.iter().map(|offer| offer.id.0).collect();
    assert_eq!(
        numbers,
        [2, 3],
        "the other key's that was not heard of, and the next of the first; the third is behind"
    );
    assert_eq!(store.lane("a").unwrap().backlog, 3);
    assert_eq!(scrub::scrub(folder.path()).unwrap().findings, Vec::<String>::new());
}

/// Appends one whose commit is durable and then fails.
fn fill_unheard(store: &mut SqliteStore, body: &str) {
    let lane = store.lane("a").unwrap().id;
    let (id, key, body) = (MessageId::new(), OrderKey::from(body), Bytes::copy_from_slice(body.as_bytes()));
    let message = Message { id, key, supersedable: false, body };
    let entry = Entry { message, lanes: vec![(lane, Coalesce::Nothing)], once: None, route: Route::Lanes };
    store.append(&[entry], NOW).unwrap();
    store.commit_unheard().unwrap();
}

#[test]
fn the_log_is_written_into_the_file_when_it_is_long() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let longest = CHECKPOINT_EVERY;
    let body = "x".repeat(100_000);
    // Three times what the log may hold, a hundredth of it a commit.
    for number in 0..3 * longest / 100_000 {
        fill(&mut store, &[&format!("{number} {body}")]);
    }
    let size = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().len();
    assert!(size("store.sqlite-wal") < longest * 5 / 4, "{}", size("store.sqlite-wal"));
    assert!(size("store.sqlite") > longest, "{}", size("store.sqlite"));
}

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::super::archive::{Archive, Status};
use super::super::scrub;
use super::super::tests::{NOW, claim, fill, open};
use super::*;
use crate::store::{AttemptRecord, Coalesce, Disposal, Finish, Parts, Settled};

/// How many records a table has, as another process sees it.
fn records(folder: &Path, table: &str) -> u64 {
    let connection = Connection::open(folder.join("store.sqlite")).unwrap();
    let count = format!("SELECT count(*) FROM {table}");
    connection.query_row(&count, [], |row| row.get::<_, i64>(0)).unwrap().cast_unsigned()
}

#[test]
fn what_is_settled_soon_is_written_twice_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let lane = fill(&mut store, &["x", "x"]);
    assert_eq!(records(folder.path(), "pending"), 1, "the head has none");
    let attempt = AttemptRecord {
        number: 1,
        at: NOW,
        word: "delivered".into(),
        outcome: "200 OK".to_owned(),
        status: Some(200),
        took: Duration::from_millis(3),
        response: "thanks".to_owned(),
        parts: Parts { first_byte: Some(Duration::from_millis(2)), ..Parts::default() },
    };
    let id = claim(&mut store, lane, 9).offers[0].id;
    let disposal = Disposal::Settle(Settled::Delivered);
    let finish = Finish { lane, id, attempts: 1, disposal, attempt: Some(attempt.clone()), now: NOW };
    store.finish(&finish).unwrap();
    store.commit().unwrap();
    let kept = ["pending", "settled", "attempt"].map(|table| records(folder.path(), table));
    assert_eq!(kept, [1, 1, 0], "the attempt is in the record of the end");
    let archive = Archive::new(folder.path());
    let listed = archive.delivery(lane, id).unwrap().unwrap().delivery;
    assert_eq!(archive.attempts(&listed).unwrap(), std::slice::from_ref(&attempt));
    assert_eq!(listed.last, Some(attempt));
    let connection = Connection::open(folder.path().join("store.sqlite")).unwrap();
    connection.execute_batch("UPDATE settled SET response = 'Thanks'").unwrap();
    let status = archive.delivery(lane, id).unwrap().unwrap().delivery.status;
    assert!(matches!(status, Status::Unreadable(_)), "the check is over both: {status:?}");
}

#[test]
fn what_has_no_record_is_bounded_by_number_and_by_age() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    store.limit_young(Bounds { number: 3, messages: 8, ..Bounds::USUAL });
    let bodies: Vec<String> = (0..6).map(|number| number.to_string()).collect();
    fill(&mut store, &bodies.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(records(folder.path(), "pending"), 3, "those that came when there were three");
    fill(&mut store, &["a", "b", "c"]);
    assert_eq!(records(folder.path(), "pending"), 6);
    let lane = fill(&mut store, &["d"]);
    assert_eq!(
        records(folder.path(), "pending"),
        7,
        "the first two are too old; those in their places have none"
    );
    let oldest = claim(&mut store, lane, 4).offers;
    assert_eq!(oldest.iter().map(|offer| offer.id.0).collect::<Vec<_>>(), [1, 2, 3, 4]);
    drop(store);
    let mut store = open(folder.path());
    assert_eq!(store.lane("a").unwrap().backlog, 10);
    assert_eq!(claim(&mut store, lane, 99).offers.len(), 10);
    assert_eq!(scrub::scrub(folder.path()).unwrap().pending, 10);
    store.limit_young(Bounds { deliveries: 1, ..Bounds::USUAL });
    fill(&mut store, &["e", "f", "g", "h"]);
    assert_eq!(records(folder.path(), "pending"), 11, "those that were found, and the first of the others");
}

#[test]
fn bodies_that_there_is_no_room_for_are_left_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    fill(&mut store, &["found"]);
    drop(store);
    let mut store = open(folder.path());
    store.limit_young(Bounds { bytes: 8, ..Bounds::USUAL });
    let lane = fill(&mut store, &["7 bytes", "another", "one more", "the last"]);
    assert_eq!(records(folder.path(), "pending"), 0);
    let kept = |n| store.young.get(lane, DeliveryId(n)).is_some_and(|young| young.message.is_some());
    let kept: Vec<_> = (1..=5).map(kept).collect();
    assert_eq!(kept, [false, true, true, false, false], "one more than there is room for");
    let offers = claim(&mut store, lane, 9).offers;
    let bodies: Vec<_> = offers.iter().map(|offer| offer.message.body.to_vec()).collect();
    assert_eq!(bodies, [&b"found"[..], b"7 bytes", b"another", b"one more", b"the last"]);
}

/// Changes the file of a store that is closed.
fn damage(folder: &Path, sql: &str) {
    let connection = Connection::open(folder.join("store.sqlite")).unwrap();
    assert_eq!(connection.execute(sql, []).unwrap(), 1, "{sql}");
}

/// The numbers that a claim gives, and those that it finds damaged.
fn claimed(store: &mut SqliteStore, lane: LaneId) -> (Vec<u64>, Vec<u64>) {
    let claim = claim(store, lane, 9);
    (
        claim.offers.iter().map(|offer| offer.id.0).collect(),
        claim.damaged.iter().map(|number| number.0).collect(),
    )
}

#[test]
fn a_damaged_message_that_waits_without_a_record_holds_nobody() {
    let other = "x'01000000000000000900000000000000'";
    for (sql, damaged, aside) in [
        ("UPDATE message SET keyh = keyh + 1 WHERE seq = 1", vec![1], "delivery 1 of lane 1"),
        ("UPDATE message SET accepted = accepted * 2 WHERE seq = 1", vec![1], "delivery 1 of lane 1"),
        (&format!("UPDATE message SET fanout = {other} WHERE seq = 1"), vec![], "message 1"),
        ("UPDATE message SET fanout = x'01' WHERE seq = 1", vec![], "message 1"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let lane = fill(&mut open(folder.path()), &["x", "x", "y"]);
        damage(folder.path(), sql);
        let mut store = open(folder.path());
        let (mut offers, found) = claimed(&mut store, lane);
        offers.extend(claimed(&mut store, lane).0);
        offers.sort_unstable();
        assert_eq!((offers, found), (vec![2, 3], damaged), "{sql}");
        drop(store);
        drop(open(folder.path()));
        let connection = Connection::open(folder.path().join("store.sqlite")).unwrap();
        let told: String =
            connection.query_row("SELECT group_concat(what) FROM quarantine", [], |row| row.get(0)).unwrap();
        assert_eq!(told, aside, "once, and once only: {sql}");
    }
}

#[test]
fn what_a_damaged_record_leaves_without_one_keeps_its_place_in_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let lane = fill(&mut open(folder.path()), &["x", "x"]);
    damage(folder.path(), "UPDATE pending SET n = 7 WHERE n = 2");
    let mut store = open(folder.path());
    assert_eq!(claimed(&mut store, lane).0, [1], "one at a time of a key");
    let disposal = Disposal::Settle(Settled::Delivered);
    let id = DeliveryId(1);
    store.finish(&Finish { lane, id, attempts: 1, disposal, attempt: None, now: NOW }).unwrap();
    assert_eq!(claimed(&mut store, lane).0, [2]);
}

#[test]
fn a_damaged_record_behind_a_head_does_not_hide_what_else_waits_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let lane = fill(&mut store, &["y", "x", "x"]);
    let finish = |store: &mut SqliteStore, id, disposal| {
        let finish = Finish { lane, id: DeliveryId(id), attempts: 1, disposal, attempt: None, now: NOW };
        store.finish(&finish).unwrap();
        store.commit().unwrap();
    };
    assert_eq!(claimed(&mut store, lane).0, [1, 2]);
    finish(&mut store, 1, Disposal::Park { until: NOW, outage: None, coalesce: Coalesce::Nothing });
    damage(folder.path(), "UPDATE pending SET attempts = 7 WHERE n = 3");
    finish(&mut store, 2, Disposal::Settle(Settled::Delivered));
    assert_eq!(claimed(&mut store, lane).0, [1]);
}

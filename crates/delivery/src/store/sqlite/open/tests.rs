//! Files of other formats.

use std::path::Path;

use super::super::archive::{Archive, State, Wanted as Looked};
use super::super::rows::{MessageRow, SettledRow};
use super::super::tests::{NOW, once, open};
use super::super::{Retention, rows, scrub};
use super::*;
use crate::clock::Timestamp;
use crate::retry::Reason;
use crate::store::{Appended, Settled, Store, Wanted};

#[test]
fn a_newer_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let connection = Connection::open(folder.path().join("store.sqlite")).unwrap();
    connection.execute_batch("PRAGMA user_version = 9").unwrap();
    drop(connection);
    let refused = SqliteStore::open(folder.path(), Retention::default()).unwrap_err().to_string();
    assert!(refused.contains("has format 9, and this version knows formats up to 7"), "{refused}");
}

#[test]
fn a_file_of_each_format_that_ever_was_is_opened() {
    // Each was made by the release that introduced the format; it holds one delivery that was refused once, and from the
    // second on a record of its user.
    const FORMATS: &[&[u8]] = &[
        include_bytes!("../../../../tests/data/format-1.sqlite"),
        include_bytes!("../../../../tests/data/format-2.sqlite"),
        include_bytes!("../../../../tests/data/format-3.sqlite"),
        include_bytes!("../../../../tests/data/format-4.sqlite"),
        include_bytes!("../../../../tests/data/format-5.sqlite"),
        include_bytes!("../../../../tests/data/format-6.sqlite"),
        include_bytes!("../../../../tests/data/format-7.sqlite"),
    ];
    let peer = Some("127.0.0.1:9119");
    let kept = [(0, None), (1, None), (1, peer), (1, peer), (1, peer), (1, peer), (1, peer)];
    for (format, (documents, peer)) in FORMATS.iter().zip(kept) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("store.sqlite"), format).unwrap();
        let scrubbed = scrub::scrub(folder.path()).unwrap();
        assert_eq!((scrubbed.wrong, scrubbed.findings), (0, Vec::new()), "also before it is brought up");
        let looked =
            Archive::new(folder.path()).deliveries(&Looked { limit: 9, ..Looked::default() }).unwrap();
        assert!(looked.deliveries[0].last.as_ref().is_some_and(|last| last.number == 1));
        let key = looked.deliveries.into_iter().next().map(|delivery| delivery.key);
        let of_key =
            Archive::new(folder.path()).deliveries(&Looked { limit: 9, key, ..Looked::default() }).unwrap();
        assert_eq!(of_key.deliveries.len(), 1);
        let mut store = open(folder.path());
        let lane = store.lane("siem").unwrap();
        assert_eq!(lane.backlog, 1);
        assert_eq!(store.documents("integration").unwrap().found.len(), documents);
        assert_eq!(store.newest().unwrap(), lane.oldest);
        let looked = Archive::new(folder.path()).delivery(lane.id, DeliveryId(1)).unwrap().unwrap();
        assert_eq!((looked.attempts[0].number, looked.attempts[0].parts.peer.as_deref()), (1, peer));
        assert_eq!(looked.attempts[0].parts.first_byte.is_some(), peer.is_some());
        let connection = Connection::open(folder.path().join("store.sqlite")).unwrap();
        connection.execute_batch("UPDATE attempt SET peer = CAST(x'ff' AS TEXT)").unwrap();
        let looked = Archive::new(folder.path()).delivery(lane.id, DeliveryId(1)).unwrap().unwrap();
        assert_eq!(looked.attempts[0].word, "damaged", "and the delivery is shown all the same");
        connection.execute_batch("DELETE FROM attempt").unwrap();
        drop(connection);
        let far = Timestamp::from_micros(u64::MAX / 4);
        let wanted = Wanted { lane: lane.id, limit: 9, epoch: 0, bytes: u64::MAX };
        let offers = store.claim(wanted, far).unwrap().offers;
        assert_eq!(offers.iter().map(|offer| offer.attempts).collect::<Vec<_>>(), [1]);
        let known = Connection::open(folder.path().join("store.sqlite")).unwrap();
        let digest = "SELECT digest FROM once UNION ALL SELECT digest FROM message WHERE digest IS NOT NULL";
        let digest = known.query_row(digest, [], |row| row.get::<_, [u8; 32]>(0)).unwrap();
        drop(known);
        assert_eq!(once(&mut store, digest, lane.oldest.unwrap()), Appended::Conflict, "it is known again");
        store.commit().unwrap();
        assert!(offers[0].message.body.starts_with(b"{\"alerttype\":\"start\""));
        assert_eq!(scrub::scrub(folder.path()).unwrap().findings, Vec::<String>::new());
    }
}

#[test]
fn ends_of_an_earlier_format_are_ordered_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    std::fs::write(&path, include_bytes!("../../../../tests/data/format-5.sqlite")).unwrap();
    let connection = Connection::open(&path).unwrap();
    let settled = [Settled::Delivered, Settled::Superseded, Settled::Dead(Reason::GaveUp)];
    let mut ends: Vec<SettledRow<'_>> = (0..300_u64)
        .map(|number| SettledRow {
            lane: LaneId(7 + number % 3),
            n: DeliveryId(1 + number / 3),
            seq: 2 + int(number * 40),
            settled: settled[number as usize % 7 % 3].clone(),
            attempts: 1,
            accepted: NOW,
            at: NOW,
            attempt: None,
        })
        .collect();
    for end in &ends {
        end.write(&connection).unwrap();
    }
    let message = |end: &SettledRow<'_>| MessageRow {
        id: format!("m{}", end.seq),
        key: "k".to_owned(),
        accepted: NOW,
        ..MessageRow::hollow(end.seq, vec![(end.lane, end.n)])
    };
    write_as_before(&connection, ends.iter().map(message));
    let archive = Archive::new(folder.path());
    let listed = |state| {
        let wanted = Looked { state, limit: 999, ..Looked::default() };
        archive.deliveries(&wanted).unwrap().deliveries.len()
    };
    let delivered = ends.iter().filter(|end| end.settled == Settled::Delivered).count();
    assert_eq!((listed(None), listed(Some(State::Delivered))), (301, delivered), "before it is brought up");
    // One says that it is of another message, which is not asked, and one has a column that is not of its type.
    connection.execute("UPDATE settled SET seq = 77 WHERE lane = 7 AND n = 1", []).unwrap();
    drop(connection);
    flip_type(&path);
    drop(open(folder.path()));
    let connection = Connection::open(&path).unwrap();
    let sql = format!("SELECT {} FROM settled ORDER BY seq", rows::settled_columns(&connection).unwrap());
    let mut select = connection.prepare(&sql).unwrap();
    let kept: Vec<_> = select.query_map([], SettledRow::read).unwrap().map(Result::unwrap).collect();
    assert_eq!(kept.len(), ends.len());
    assert!(kept[1].is_err(), "{:?}", kept[1]);
    ends.remove(1);
    assert_eq!(kept.into_iter().flatten().collect::<Vec<_>>(), ends);
    assert_eq!(listed(Some(State::Delivered)), delivered);
}

/// Writes messages without the columns that came with format 7.
fn write_as_before(connection: &Connection, messages: impl Iterator<Item = MessageRow>) {
    let newer = tempfile::tempdir().unwrap();
    drop(open(newer.path()));
    let newer = newer.path().join("store.sqlite");
    let writer = Connection::open(&newer).unwrap();
    for message in messages {
        message.write(&writer).unwrap();
    }
    connection.execute("ATTACH ?1 AS newer", [newer.to_str().unwrap()]).unwrap();
    let columns = "seq, id, key, keyh, supersedable, accepted, route, fanout, body, crc";
    let copied = format!("INSERT INTO main.message SELECT {columns} FROM newer.message; DETACH newer");
    connection.execute_batch(&copied).unwrap();
}

/// Has the end of the first delivery of lane 8 hold a text where a number belongs, as a flipped bit could.
fn flip_type(path: &Path) {
    let strict = ["STRICT, WITHOUT ROWID", "WITHOUT ROWID"];
    let declare = |[before, after]: [&str; 2]| {
        let connection = Connection::open(path).unwrap();
        connection.execute_batch("PRAGMA writable_schema = ON").unwrap();
        let sql = "UPDATE sqlite_schema SET sql = replace(sql, ?1, ?2) WHERE name = 'settled'";
        assert_eq!(connection.execute(sql, [before, after]).unwrap(), 1);
    };
    declare(strict);
    let connection = Connection::open(path).unwrap();
    connection.execute("UPDATE settled SET accepted = 'soon' WHERE lane = 8 AND n = 1", []).unwrap();
    drop(connection);
    declare([strict[1], strict[0]]);
}

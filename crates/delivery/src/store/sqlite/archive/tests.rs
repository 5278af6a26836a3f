use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;

use super::super::rows::MESSAGE;
use super::super::young::Bounds;
use super::super::{Retention, SqliteStore};
use super::*;
use crate::message::{Message, MessageId, OrderKey};
use crate::retry::Reason;
use crate::store::{Coalesce, Disposal, Entry, Finish, Route, Settled, Store};

const KEYS: [&str; 3] = ["one", "two", "three"];
const LABELS: [&str; 2] = ["first", "second"];
const BEGINNING: u64 = 1_000_000;

/// Bodies begin with their label, or with something else.
fn label(body: &[u8]) -> Option<&'static str> {
    LABELS.into_iter().find(|label| body.starts_with(label.as_bytes()))
}

/// A store in which anything may have happened, and when it was last written.
fn play(dice: &mut Rng, folder: &Path) -> (SqliteStore, Timestamp) {
    let retention = Retention { age: Duration::from_micros(20), ..Retention::default() };
    let mut store = SqliteStore::open(folder, retention).unwrap();
    let lanes: Vec<LaneId> = ["a", "b", "c", "d"].map(|name| store.lane(name).unwrap().id).to_vec();
    let (number, messages, deliveries) = (dice.usize(0..9), dice.i64(1..30), dice.u64(1..60));
    store.limit_young(Bounds { number, messages, deliveries, ..Bounds::USUAL });
    // Ends are ordered among 4,096 messages: what happens may lie on both sides of a border, or far apart.
    store.next_message = [1, 4080, 8190][dice.usize(0..3)];
    let apart = dice.bool();
    let mut now = BEGINNING;
    for _ in 0..dice.usize(1..40) {
        now += dice.u64(0..3);
        if apart && dice.u8(0..6) == 0 {
            store.next_message += dice.i64(0..20_000);
        }
        let at = Timestamp::from_micros(now);
        let entries: Vec<Entry> = (0..dice.usize(0..4)).map(|_| entry(dice, &lanes)).collect();
        store.append(&entries, at).unwrap();
        // The last lane is one that little goes to, and nothing comes of.
        let lane = lanes[dice.usize(0..3)];
        let wanted = crate::store::Wanted { lane, limit: dice.usize(0..4), epoch: 0, bytes: u64::MAX };
        for offer in store.claim(wanted, at).unwrap().offers {
            let disposal = match dice.u8(0..4) {
                0 => Disposal::Park { until: at, outage: None, coalesce: Coalesce::Nothing },
                1 => Disposal::Settle(Settled::Dead(Reason::GaveUp)),
                _ => Disposal::Settle(Settled::Delivered),
            };
            let finish = Finish { lane, id: offer.id, attempts: 1, disposal, attempt: None, now: at };
            store.finish(&finish).unwrap();
        }
        if dice.u8(0..8) == 0 {
            store.sweep(lane, at, &Reason::Expired, at, 2).unwrap();
        }
        store.commit().unwrap();
    }
    // Some history may be gone.
    if dice.bool() {
        store.tidy(Timestamp::from_micros(now)).unwrap();
        store.commit().unwrap();
    }
    // Damage may have put an end among messages where it does not belong.
    if dice.bool() {
        let (seq, settled) = (store.next_message + dice.i64(4096..30_000), Settled::Delivered);
        let (lane, n, at) = (lanes[0], DeliveryId(dice.u64(1..9)), Timestamp::from_micros(now));
        let stray = SettledRow { lane, n, seq, settled, attempts: 1, accepted: at, at, attempt: None };
        stray.write(store.write().unwrap()).unwrap();
        store.commit().unwrap();
    }
    (store, Timestamp::from_micros(now))
}

fn entry(dice: &mut Rng, lanes: &[LaneId]) -> Entry {
    let body = ["first body", "second body", "third body"][dice.usize(0..3)];
    let mut chosen = Vec::new();
    for lane in lanes {
        let coalesce = if dice.bool() { Coalesce::Superseded } else { Coalesce::Nothing };
        if dice.u64(0..8) > lane.0 * 2 - 2 {
            chosen.push((*lane, coalesce));
        }
    }
    Entry {
        message: Message {
            id: MessageId::new(),
            key: OrderKey::from(KEYS[dice.usize(0..3)]),
            supersedable: dice.bool(),
            body: Bytes::from_static(body.as_bytes()),
        },
        route: if chosen.is_empty() { Route::Unmatched } else { Route::Lanes },
        lanes: chosen,
        once: None,
    }
}

/// Every delivery, newest message first, with its key, as it stands in the tables.
fn all(connection: &Connection) -> Vec<Delivery> {
    let mut select = connection.prepare(&format!("SELECT {MESSAGE} FROM message ORDER BY seq DESC")).unwrap();
    let messages: Vec<MessageRow> = select
        .query_map([], |row| Ok(MessageRow::read(row)?.unwrap()))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let of = |message: &MessageRow| -> Vec<Delivery> {
        let label = label(&message.body);
        message.fanout.iter().map(|place| delivery(connection, message, *place, label).unwrap()).collect()
    };
    messages.iter().flat_map(of).collect()
}

fn is_wanted(wanted: &Wanted, delivery: &Delivery) -> bool {
    wanted.lane.is_none_or(|lane| lane == delivery.lane)
        && wanted.key.as_ref().is_none_or(|key| *key == delivery.key)
        && (wanted.state.is_none() || wanted.state == delivery.status.state())
        && wanted.before.is_none_or(|before| delivery.sequence < before)
        && wanted.since.is_none_or(|since| delivery.accepted >= since)
        && wanted.until.is_none_or(|until| delivery.accepted < until)
        && (wanted.label.is_none() || wanted.label == delivery.label)
}

/// All pages together, each of them sound.
fn pages(connection: &Connection, wanted: &Wanted, work: usize) -> Vec<Delivery> {
    let (mut wanted, mut found) = (wanted.clone(), Vec::new());
    loop {
        let page = search::deliveries(connection, &wanted, work).unwrap();
        let last = page.deliveries.last().map(|delivery| delivery.sequence);
        let before = page.deliveries.iter().filter(|delivery| Some(delivery.sequence) != last).count();
        assert!(before < wanted.limit.max(1), "only the last message brings a few more");
        found.extend(page.deliveries);
        let Some(next) = page.next else { return found };
        assert!(wanted.before.is_none_or(|before| next < before), "each call comes further");
        wanted.before = Some(next);
    }
}

fn filters(dice: &mut Rng, end: Timestamp) -> Vec<Wanted> {
    let mut filters = Vec::new();
    let states = [State::Pending, State::Delivered, State::Superseded, State::Dead];
    let time = |dice: &mut Rng| {
        dice.bool().then(|| Timestamp::from_micros(dice.u64(BEGINNING - 1..end.as_micros() + 2)))
    };
    for lane in [None, Some(1), Some(2), Some(4), Some(9)] {
        for key in [None, Some(KEYS[0]), Some("of none")] {
            for state in states.iter().copied().map(Some).chain([None]) {
                for label in [None, Some(LABELS[0])] {
                    filters.push(Wanted {
                        lane: lane.map(LaneId),
                        key: key.map(str::to_owned),
                        state,
                        before: dice
                            .bool()
                            .then(|| Sequence(dice.u64(0..100) + [0, 4080, 8190, 20_000][dice.usize(0..4)])),
                        since: time(dice),
                        until: time(dice),
                        labels: Some(self::label),
                        label,
                        limit: dice.usize(0..6),
                    });
                }
            }
        }
    }
    filters
}

#[test]
fn every_filter_lists_what_a_look_at_everything_lists() {
    for seed in 0..24 {
        let mut dice = Rng::with_seed(seed);
        let folder = tempfile::tempdir().unwrap();
        let (store, end) = play(&mut dice, folder.path());
        let connection = store.connection().unwrap();
        let all = all(connection);
        let places = |found: &[Delivery]| -> Vec<_> {
            found.iter().map(|one| (one.sequence, one.lane, one.id, one.status.clone(), one.label)).collect()
        };
        for wanted in filters(&mut dice, end) {
            let work = [0, 1, 20, MAX_WORK][dice.usize(0..4)];
            let expected: Vec<_> = all.iter().filter(|one| is_wanted(&wanted, one)).cloned().collect();
            let found = pages(connection, &wanted, work);
            assert_eq!(places(&found), places(&expected), "seed {seed}, work {work}, {wanted:?}");
        }
    }
}

#[test]
fn what_went_nowhere_is_listed_page_by_page() {
    for seed in 0..20 {
        let mut dice = Rng::with_seed(seed);
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = play(&mut dice, folder.path());
        let connection = store.connection().unwrap();
        let mut expected =
            connection.prepare("SELECT seq FROM message WHERE route <> 0 ORDER BY seq DESC").unwrap();
        let expected: Vec<i64> =
            expected.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let (mut found, mut before) = (Vec::new(), None);
        loop {
            let (page, next) =
                search::unrouted(connection, before, dice.usize(0..3), dice.usize(0..20)).unwrap();
            found.extend(page.iter().map(|one| one.sequence.0.cast_signed()));
            before = next;
            if next.is_none() {
                break;
            }
        }
        assert_eq!(found, expected, "seed {seed}");
    }
}

#[test]
fn a_damaged_record_hides_no_other_of_its_lane() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = SqliteStore::open(folder.path(), Retention::default()).unwrap();
    let lane = store.lane("a").unwrap().id;
    let lanes = vec![(lane, Coalesce::Nothing)];
    let entry = |_| Entry { lanes: lanes.clone(), route: Route::Lanes, ..entry(&mut Rng::with_seed(1), &[]) };
    let entries: Vec<Entry> = (0..9).map(entry).collect();
    store.append(&entries, Timestamp::from_micros(BEGINNING)).unwrap();
    store.commit().unwrap();
    let connection = Connection::open(folder.path().join("store.sqlite")).unwrap();
    // One still points to its message, the other to a message far back.
    connection.execute_batch("UPDATE pending SET attempts = 7 WHERE n = 4").unwrap();
    connection.execute_batch("UPDATE pending SET seq = 1 WHERE n = 7").unwrap();
    let wanted = Wanted { lane: Some(lane), limit: 2, ..Wanted::default() };
    let listed = |wanted: &Wanted| -> Vec<_> {
        let found = pages(&connection, wanted, MAX_WORK);
        found.into_iter().map(|one| (one.id.0, matches!(one.status, Status::Unreadable(_)))).collect()
    };
    let sound = |n| (n, n == 4);
    assert_eq!(listed(&wanted), [9, 8, 6, 5, 4, 3, 2, 1].map(sound));
    let pending = Wanted { state: Some(State::Pending), ..wanted };
    assert_eq!(listed(&pending), [9, 8, 6, 5, 3, 2, 1].map(sound));
}

#[test]
fn documents_are_listed_page_by_page() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = SqliteStore::open(folder.path(), Retention::default()).unwrap();
    let put = |kind: &str, id: &str| crate::store::Change::Put(Document::new(kind, id, Vec::new()));
    store.change(&[put("a", "0"), put("b", "1"), put("b", "2"), put("b", "é"), put("c", "3")]).unwrap();
    store.commit().unwrap();
    let archive = Archive::new(folder.path());
    let ids = |before, limit| -> Vec<String> {
        archive.documents("b", before, limit).unwrap().into_iter().map(|document| document.id).collect()
    };
    assert_eq!(ids(None, 2), ["é", "2"]);
    assert_eq!(ids(Some("2"), 2), ["1"]);
    assert!(ids(Some("1"), 2).is_empty());
}

#[test]
fn a_filter_leads_to_what_it_names_past_everything_else() {
    const MESSAGES: u64 = 2000;
    let folder = tempfile::tempdir().unwrap();
    let mut store = SqliteStore::open(folder.path(), Retention::default()).unwrap();
    let [many, few] = ["many", "few"].map(|name| store.lane(name).unwrap().id);
    let is_rare = |number: u64| number % 900 == 5;
    let message = |number: u64| {
        let key = if is_rare(number) { "rare" } else { "usual" };
        let id = MessageId::new();
        let (key, body) = (OrderKey::from(key), Bytes::from_static(b"first body"));
        Message { id, key, supersedable: false, body }
    };
    for number in 1..=MESSAGES {
        let lane = if is_rare(number) { few } else { many };
        let (lanes, at) = (vec![(lane, Coalesce::Nothing)], Timestamp::from_micros(BEGINNING + number));
        let entry = Entry { message: message(number), lanes, once: None, route: Route::Lanes };
        store.append(&[entry], at).unwrap();
        // One is dead, one waits, and all others arrived.
        let wanted = crate::store::Wanted { lane, limit: 9, epoch: 0, bytes: u64::MAX };
        for offer in store.claim(wanted, at).unwrap().offers {
            let disposal = match number {
                500 => Disposal::Settle(Settled::Dead(Reason::GaveUp)),
                MESSAGES => Disposal::Park { until: at, outage: None, coalesce: Coalesce::Nothing },
                _ => Disposal::Settle(Settled::Delivered),
            };
            store
                .finish(&Finish { lane, id: offer.id, attempts: 1, disposal, attempt: None, now: at })
                .unwrap();
        }
    }
    store.commit().unwrap();
    // Enough for a page of ten, and far from enough for two thousand messages.
    let check = |wanted: Wanted, expected: &[u64]| {
        let wanted = Wanted { limit: 10, ..wanted };
        let page = search::deliveries(store.connection().unwrap(), &wanted, 400).unwrap();
        let found: Vec<u64> = page.deliveries.iter().map(|one| one.sequence.0).collect();
        assert_eq!((&*found, page.next), (expected, None), "{wanted:?}");
    };
    let all = Wanted::default();
    let time = |number: u64| Some(Timestamp::from_micros(BEGINNING + number));
    let (lane, key) = (Some(few), Some("rare".to_owned()));
    check(Wanted { lane, ..all.clone() }, &[1805, 905, 5]);
    check(Wanted { lane, state: Some(State::Delivered), ..all.clone() }, &[1805, 905, 5]);
    check(Wanted { key, before: Some(Sequence(905)), ..all.clone() }, &[5]);
    check(Wanted { state: Some(State::Dead), ..all.clone() }, &[500]);
    check(Wanted { lane, state: Some(State::Dead), ..all.clone() }, &[]);
    check(Wanted { state: Some(State::Pending), ..all.clone() }, &[MESSAGES]);
    check(Wanted { until: time(4), ..all.clone() }, &[3, 2, 1]);
    check(Wanted { lane: Some(many), since: time(7), until: time(9), ..all.clone() }, &[8, 7]);
    check(Wanted { lane: Some(many), since: time(1999), ..all.clone() }, &[2000, 1999]);
    check(Wanted { state: Some(State::Delivered), until: time(3), ..all }, &[2, 1]);
}

#[test]
fn one_call_does_so_much_work_and_says_where_to_go_on() {
    // Passing over a message counts for two.
    const LOOKED_AT: usize = MAX_WORK / 2;
    let at = Timestamp::from_micros(BEGINNING);
    for passed_over in [Route::Lanes, Route::Unmatched] {
        let folder = tempfile::tempdir().unwrap();
        let mut store = SqliteStore::open(folder.path(), Retention::default()).unwrap();
        let lane = store.lane("a").unwrap().id;
        let mut append = |route: Route, count: usize| {
            let one = |_| {
                let lanes = if route == Route::Lanes { vec![(lane, Coalesce::Nothing)] } else { Vec::new() };
                Entry { lanes, route, ..entry(&mut Rng::with_seed(1), &[]) }
            };
            store.append(&(0..count).map(one).collect::<Vec<_>>(), at).unwrap();
            store.commit().unwrap();
        };
        let archive = Archive::new(folder.path());
        // What is wanted is what went nowhere, or else what went somewhere; it came first.
        let look = |before: Option<Sequence>| match passed_over {
            Route::Lanes => {
                let (found, next) = archive.unrouted(before, 1).unwrap();
                (found.len(), next)
            }
            _ => {
                let page = archive.deliveries(&Wanted { before, limit: 1, ..Wanted::default() }).unwrap();
                (page.deliveries.len(), page.next)
            }
        };
        append(if passed_over == Route::Lanes { Route::Unmatched } else { Route::Lanes }, 1);
        append(passed_over, LOOKED_AT - 1);
        assert_eq!(look(None), (1, None), "as far as that one call looks");
        append(passed_over, 1);
        let (found, next) = look(None);
        assert_eq!((found, next), (0, Some(Sequence(2))), "and no further");
        assert_eq!(look(next), (1, None));
    }
}

#[test]
fn a_key_is_found_wherever_its_messages_lie() {
    const MESSAGES: u64 = 13_000;
    const OF_KEY: [u64; 6] = [1, 4095, 4096, 8200, 12_287, 12_288];
    let folder = tempfile::tempdir().unwrap();
    let mut store = SqliteStore::open(folder.path(), Retention::default()).unwrap();
    let entry = |number: u64| {
        let key = if OF_KEY.contains(&number) { "wanted".to_owned() } else { format!("key {number}") };
        let (id, key, body) = (MessageId::new(), OrderKey::from(key.as_str()), Bytes::from_static(b"body"));
        let message = Message { id, key, supersedable: false, body };
        Entry { message, lanes: Vec::new(), once: None, route: Route::Unmatched }
    };
    let entries: Vec<Entry> = (1..=MESSAGES).map(entry).collect();
    store.append(&entries, Timestamp::from_micros(BEGINNING)).unwrap();
    store.commit().unwrap();
    let connection = Connection::open(folder.path().join("store.sqlite")).unwrap();
    let found = |range: Range<i64>| {
        let mut found = Vec::new();
        of_key(&connection, "wanted", &range, |seq| {
            found.extend(seq);
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
        found
    };
    let mut all = OF_KEY.map(u64::cast_signed).to_vec();
    all.reverse();
    assert_eq!(found(i64::MIN..i64::MAX), all);
    assert_eq!(found(4096..12_288), all[1..4]);
    assert_eq!(found(2..4095), []);
    assert_eq!(found(MESSAGES.cast_signed() + 1..i64::MAX), []);
}

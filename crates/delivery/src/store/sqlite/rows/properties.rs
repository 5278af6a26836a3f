//! The law that a fuzzer plays against the records on disk, replayable on any toolchain. It panics when it is broken.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt::Debug;
use std::rc::Rc;
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::{Broken, LANE, LaneRow, MESSAGE, MessageRow, PENDING, Pending, SETTLED, SettledRow};
use crate::clock::Timestamp;
use crate::retry::Reason;
use crate::store::{AttemptRecord, DeliveryId, Gate, LaneId, LaneState, Parts, Route, Settled};

thread_local! {
    /// One for all inputs: to make one takes far longer than to play a record.
    static CONNECTION: OnceCell<Rc<Connection>> = const { OnceCell::new() };
}

/// A record that is written reads back as it was. Of one in which a bit flipped, in whatever column, is never read anything
/// but what was written: it is that, or it is told as broken.
pub fn keeping(data: &[u8]) {
    let mut given = Given(data);
    let flip = (given.byte(), given.byte(), given.byte());
    let kept = match given.byte() % 4 {
        0 => play(("pending", PENDING), &pending(&mut given), Pending::write, Pending::read, flip),
        1 => play(("message", MESSAGE), &message(&mut given), MessageRow::write, MessageRow::read, flip),
        2 => play(("settled", SETTLED), &settled(&mut given), SettledRow::write, SettledRow::read, flip),
        _ => play(("lane", LANE), &lane(&mut given), LaneRow::write, LaneRow::read, flip),
    };
    assert!(kept.is_ok(), "SQLite itself fails: {kept:?}");
}

fn empty() -> rusqlite::Result<Rc<Connection>> {
    let connection = Connection::open_in_memory()?;
    connection.execute_batch(include_str!("../schema.sql"))?;
    connection.execute_batch(include_str!("../places.sql"))?;
    connection.execute_batch(include_str!("../records.sql"))?;
    connection.execute_batch(include_str!("../ends.sql"))?;
    connection.execute_batch(include_str!("../known.sql"))?;
    Ok(Rc::new(connection))
}

fn play<T: Debug + PartialEq>(
    (table, columns): (&str, &str),
    written: &T,
    write: impl Fn(&T, &Connection) -> rusqlite::Result<()>,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<Result<T, Broken>>,
    (column, byte, bit): (u8, u8, u8),
) -> rusqlite::Result<()> {
    let kept = CONNECTION.with(|connection| match connection.get() {
        Some(connection) => Ok(Rc::clone(connection)),
        None => empty().map(|made| Rc::clone(connection.get_or_init(|| made))),
    })?;
    // Whatever is written is forgotten when the transaction is dropped.
    let connection = kept.unchecked_transaction()?;
    write(written, &connection)?;
    let select = format!("SELECT {columns} FROM {table}");
    let back = connection.prepare_cached(&select)?.query_row([], |row| read(row))?;
    assert_eq!(back.as_ref(), Ok(written), "what was written does not read back");
    let count = columns.split(", ").count();
    let mut values = connection
        .query_row(&select, [], |row| (0..count).map(|at| row.get(at)).collect::<Result<Vec<Value>, _>>())?;
    // STRICT tables take no text that is none, so what SQLite would read from a damaged page is given by itself.
    let marks: Vec<_> = (1..=count).map(|at| format!("?{at}")).collect();
    let select = format!("SELECT {}", marks.join(", "));
    let replay = |values: &[Value]| {
        connection.prepare_cached(&select)?.query_row(params_from_iter(values), |row| read(row))
    };
    assert_eq!(
        replay(&values)?.as_ref(),
        Ok(written),
        "what was written does not read back when it is given"
    );
    flip(&mut values[usize::from(column) % count], usize::from(byte), bit % 8);
    // An error of SQLite's tells it too.
    if let Ok(Ok(other)) = replay(&values) {
        assert_eq!(&other, written, "a flipped bit is not noticed");
    }
    Ok(())
}

/// Flips one bit; nothing becomes something, which is what a flipped type of a column looks like.
fn flip(value: &mut Value, byte: usize, bit: u8) {
    let in_bytes = |bytes: &mut Vec<u8>| match bytes.len() {
        0 => bytes.push(1 << bit),
        length => bytes[byte % length] ^= 1 << bit,
    };
    match value {
        Value::Null => *value = Value::Integer(1 << bit),
        Value::Integer(_) if byte == 255 => *value = Value::Null,
        Value::Integer(number) => *number ^= 1 << (8 * (byte % 8) + usize::from(bit)),
        Value::Real(number) => *number = -*number,
        Value::Blob(bytes) => in_bytes(bytes),
        Value::Text(text) => {
            let mut bytes = std::mem::take(text).into_bytes();
            in_bytes(&mut bytes);
            // What is text no more is read as the bytes that it is.
            *value =
                String::from_utf8(bytes).map_or_else(|error| Value::Blob(error.into_bytes()), Value::Text);
        }
    }
}

fn pending(given: &mut Given<'_>) -> Pending {
    Pending {
        lane: LaneId(given.number()),
        n: DeliveryId(given.number()),
        seq: given.number().cast_signed(),
        keyh: i64::from_le_bytes(given.bytes()),
        spare: given.flag(),
        accepted: given.time(),
        attempts: given.small(),
        head: given.flag(),
        due: given.time(),
        outage: given.flag().then(|| given.small()),
    }
}

fn message(given: &mut Given<'_>) -> MessageRow {
    let route = [Route::Lanes, Route::Unmatched, Route::Bypassed][usize::from(given.byte()) % 3];
    let fanout =
        (0..given.byte() % 4).map(|_| (LaneId(given.number()), DeliveryId(given.number()))).collect();
    MessageRow {
        seq: given.number().cast_signed(),
        supersedable: given.flag(),
        accepted: given.time(),
        route,
        fanout,
        id: given.text(),
        key: given.text(),
        once: given.flag().then(|| (given.bytes(), given.bytes())),
        body: given.0.to_vec().into(),
    }
}

fn settled(given: &mut Given<'_>) -> SettledRow<'static> {
    let settled = match given.byte() % 7 {
        0 => Settled::Delivered,
        1 => Settled::Superseded,
        2 => Settled::Dead(Reason::GaveUp),
        3 => Settled::Dead(Reason::Expired),
        4 => Settled::Dead(Reason::LaneRemoved),
        5 => Settled::Dead(Reason::Damaged),
        _ => Settled::Dead(Reason::Unrenderable(given.text())),
    };
    SettledRow {
        lane: LaneId(given.number()),
        n: DeliveryId(given.number()),
        seq: given.number().cast_signed(),
        settled,
        attempts: given.small(),
        accepted: given.time(),
        at: given.time(),
        attempt: given.flag().then(|| Cow::Owned(attempt(given))),
    }
}

fn attempt(given: &mut Given<'_>) -> AttemptRecord {
    let duration = |given: &mut Given<'_>| Duration::from_micros(given.number());
    AttemptRecord {
        number: given.small(),
        at: given.time(),
        word: given.text().into(),
        status: given.flag().then(|| u16::from(given.byte())),
        took: duration(given),
        parts: Parts {
            peer: given.flag().then(|| given.text()),
            connect: given.flag().then(|| duration(given)),
            tls: given.flag().then(|| duration(given)),
            first_byte: given.flag().then(|| duration(given)),
        },
        outcome: given.text(),
        response: given.text(),
    }
}

fn lane(given: &mut Given<'_>) -> LaneRow {
    let gate = [Gate::Open, Gate::Paused, Gate::Disabled][usize::from(given.byte()) % 3];
    let state = LaneState {
        gate,
        open: given.flag().then(|| (given.time(), Duration::from_micros(given.number()))),
        slow_until: given.flag().then(|| given.time()),
        epoch: given.small(),
    };
    LaneRow { id: LaneId(given.number()), state, last: given.number(), name: given.text() }
}

/// Input that is taken piece by piece; where it ends it is zeroes.
struct Given<'a>(&'a [u8]);

impl Given<'_> {
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        let (taken, rest) = self.0.split_at(N.min(self.0.len()));
        bytes[..taken.len()].copy_from_slice(taken);
        self.0 = rest;
        bytes
    }

    fn byte(&mut self) -> u8 {
        self.bytes::<1>()[0]
    }

    fn flag(&mut self) -> bool {
        self.byte() % 2 == 1
    }

    fn small(&mut self) -> u32 {
        u32::from_le_bytes(self.bytes())
    }

    /// SQLite's integers are signed, and ours stay within them.
    fn number(&mut self) -> u64 {
        u64::from_le_bytes(self.bytes()) >> 1
    }

    fn time(&mut self) -> Timestamp {
        Timestamp::from_micros(self.number())
    }

    fn text(&mut self) -> String {
        let length = usize::from(self.byte()).min(self.0.len());
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        String::from_utf8_lossy(taken).into_owned()
    }
}

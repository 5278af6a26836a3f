//! Attempts, for the history: rows of `attempt`.

use std::time::Duration;

use rusqlite::{Connection, Row, params};

use super::rows::{Broken, Seal, int, time};
use crate::clock::Timestamp;
use crate::store::{AttemptRecord, DeliveryId, LaneId, Parts};

/// The columns of a row, as a file of this format has them. One that was not opened since may be of an earlier one.
pub(super) fn columns(connection: &Connection) -> rusqlite::Result<&'static str> {
    let format: i64 = connection.prepare_cached("PRAGMA user_version")?.query_row([], |row| row.get(0))?;
    Ok(if format < WITH_PARTS { ATTEMPT_BEFORE } else { ATTEMPT })
}

/// The format that brought the parts.
const WITH_PARTS: i64 = 3;

const ATTEMPT_BEFORE: &str =
    "lane, n, number, at, word, outcome, status, took, response, crc, NULL, NULL, NULL, NULL";
const ATTEMPT: &str =
    "lane, n, number, at, word, outcome, status, took, response, crc, peer, connect, tls, first_byte";

fn micros(time: Duration) -> i64 {
    int(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

fn crc(lane: LaneId, n: DeliveryId, attempt: &AttemptRecord) -> i64 {
    let seal = Seal::of("attempt")
        .int(int(lane.0))
        .int(int(n.0))
        .int(i64::from(attempt.number))
        .int(time(attempt.at))
        .bytes(attempt.word.as_bytes())
        .bytes(attempt.outcome.as_bytes())
        .maybe(attempt.status.map(i64::from))
        .int(micros(attempt.took))
        .bytes(attempt.response.as_bytes());
    // A row of an earlier format has none of this, and its CRC was made without.
    let Parts { peer, connect, tls, first_byte } = &attempt.parts;
    if attempt.parts == Parts::default() {
        return seal.crc();
    }
    let times = [connect, tls, first_byte].map(|time| time.map(micros));
    let seal = times.into_iter().fold(seal, Seal::maybe);
    seal.bytes(peer.as_deref().unwrap_or_default().as_bytes()).crc()
}

pub(super) fn write(
    connection: &Connection,
    lane: LaneId,
    n: DeliveryId,
    attempt: &AttemptRecord,
) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO attempt (lane, n, number, at, word, outcome, status, took, response, crc, peer, connect, tls, first_byte)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?;
    insert.execute(params![
        int(lane.0),
        int(n.0),
        attempt.number,
        time(attempt.at),
        &*attempt.word,
        attempt.outcome,
        attempt.status,
        micros(attempt.took),
        attempt.response,
        crc(lane, n, attempt),
        attempt.parts.peer,
        attempt.parts.connect.map(micros),
        attempt.parts.tls.map(micros),
        attempt.parts.first_byte.map(micros),
    ])?;
    Ok(())
}

pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Result<AttemptRecord, Broken>> {
    let (lane, n): (i64, i64) = (row.get(0)?, row.get(1)?);
    let (lane, n) = (LaneId(lane.cast_unsigned()), DeliveryId(n.cast_unsigned()));
    let time_at = |column: usize| -> rusqlite::Result<Option<Duration>> {
        let micros: Option<i64> = row.get(column)?;
        Ok(micros.map(|micros| Duration::from_micros(micros.cast_unsigned())))
    };
    let attempt = AttemptRecord {
        number: row.get(2)?,
        at: Timestamp::from_micros(row.get::<_, i64>(3)?.cast_unsigned()),
        word: row.get::<_, String>(4)?.into(),
        outcome: row.get(5)?,
        status: row.get(6)?,
        took: Duration::from_micros(row.get::<_, i64>(7)?.cast_unsigned()),
        response: row.get(8)?,
        parts: Parts {
            peer: row.get(10)?,
            connect: time_at(11)?,
            tls: time_at(12)?,
            first_byte: time_at(13)?,
        },
    };
    let whole = crc(lane, n, &attempt) == row.get::<_, i64>(9)?;
    Ok(if whole { Ok(attempt) } else { Err(Broken(format!("an attempt of delivery {} of {lane}", n.0))) })
}

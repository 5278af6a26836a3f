//! Attempts, for the history: rows of `attempt`.

use std::time::Duration;

use rusqlite::{Connection, Row, params};

use super::rows::{Broken, Seal, format, int, time};
use crate::clock::Timestamp;
use crate::store::{AttemptRecord, DeliveryId, LaneId, Parts};

/// The columns of a row, as a file of this format has them. One that was not opened since may be of an earlier one.
pub(super) fn columns(connection: &Connection) -> rusqlite::Result<&'static str> {
    Ok(if format(connection)? < WITH_PARTS { ATTEMPT_BEFORE } else { ATTEMPT })
}

/// The format that brought the parts.
const WITH_PARTS: i64 = 3;

const ATTEMPT_BEFORE: &str =
    "lane, n, crc, number, at, word, outcome, status, took, response, NULL, NULL, NULL, NULL";
const ATTEMPT: &str =
    "lane, n, crc, number, at, word, outcome, status, took, response, peer, connect, tls, first_byte";

pub(super) fn micros(time: Duration) -> i64 {
    int(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

fn crc(lane: LaneId, n: DeliveryId, attempt: &AttemptRecord) -> i64 {
    cover(Seal::of("attempt").int(int(lane.0)).int(int(n.0)), attempt).crc()
}

/// Has a check cover an attempt too.
pub(super) fn cover(seal: Seal, attempt: &AttemptRecord) -> Seal {
    let seal = seal
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
        return seal;
    }
    let times = [connect, tls, first_byte].map(|time| time.map(micros));
    let seal = times.into_iter().fold(seal, Seal::maybe);
    seal.bytes(peer.as_deref().unwrap_or_default().as_bytes())
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
    let found = from_row(row, 3)?.filter(|attempt| row.get(2) == Ok(crc(lane, n, attempt)));
    Ok(found.ok_or_else(|| Broken(format!("an attempt of delivery {} of {lane}", n.0))))
}

/// The attempt that stands in a row from this column on; `None` if none does.
pub(super) fn from_row(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<AttemptRecord>> {
    let Some(number) = row.get(first)? else { return Ok(None) };
    let time_at = |column: usize| -> rusqlite::Result<Option<Duration>> {
        let micros: Option<i64> = row.get(first + column)?;
        Ok(micros.map(|micros| Duration::from_micros(micros.cast_unsigned())))
    };
    Ok(Some(AttemptRecord {
        number,
        at: Timestamp::from_micros(row.get::<_, i64>(first + 1)?.cast_unsigned()),
        word: row.get::<_, String>(first + 2)?.into(),
        outcome: row.get(first + 3)?,
        status: row.get(first + 4)?,
        took: time_at(5)?.unwrap_or_default(),
        response: row.get(first + 6)?,
        parts: Parts {
            peer: row.get(first + 7)?,
            connect: time_at(8)?,
            tls: time_at(9)?,
            first_byte: time_at(10)?,
        },
    }))
}

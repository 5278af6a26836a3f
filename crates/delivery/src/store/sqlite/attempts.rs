//! Attempts, for the history: rows of `attempt`.

use std::time::Duration;

use rusqlite::{Connection, Row, params};

use super::rows::{Broken, Seal, int, time};
use crate::clock::Timestamp;
use crate::store::{AttemptRecord, DeliveryId, LaneId};

pub(super) const ATTEMPT: &str = "lane, n, number, at, word, outcome, status, took, response, crc";

fn took(attempt: &AttemptRecord) -> i64 {
    int(u64::try_from(attempt.took.as_micros()).unwrap_or(u64::MAX))
}

fn crc(lane: LaneId, n: DeliveryId, attempt: &AttemptRecord) -> i64 {
    Seal::of("attempt")
        .int(int(lane.0))
        .int(int(n.0))
        .int(i64::from(attempt.number))
        .int(time(attempt.at))
        .bytes(attempt.word.as_bytes())
        .bytes(attempt.outcome.as_bytes())
        .maybe(attempt.status.map(i64::from))
        .int(took(attempt))
        .bytes(attempt.response.as_bytes())
        .crc()
}

pub(super) fn write(
    connection: &Connection,
    lane: LaneId,
    n: DeliveryId,
    attempt: &AttemptRecord,
) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO attempt (lane, n, number, at, word, outcome, status, took, response, crc)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    insert.execute(params![
        int(lane.0),
        int(n.0),
        attempt.number,
        time(attempt.at),
        &*attempt.word,
        attempt.outcome,
        attempt.status,
        took(attempt),
        attempt.response,
        crc(lane, n, attempt),
    ])?;
    Ok(())
}

pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Result<AttemptRecord, Broken>> {
    let (lane, n): (i64, i64) = (row.get(0)?, row.get(1)?);
    let (lane, n) = (LaneId(lane.cast_unsigned()), DeliveryId(n.cast_unsigned()));
    let attempt = AttemptRecord {
        number: row.get(2)?,
        at: Timestamp::from_micros(row.get::<_, i64>(3)?.cast_unsigned()),
        word: row.get::<_, String>(4)?.into(),
        outcome: row.get(5)?,
        status: row.get(6)?,
        took: Duration::from_micros(row.get::<_, i64>(7)?.cast_unsigned()),
        response: row.get(8)?,
    };
    let whole = crc(lane, n, &attempt) == row.get::<_, i64>(9)?;
    Ok(if whole { Ok(attempt) } else { Err(Broken(format!("an attempt of delivery {} of {lane}", n.0))) })
}

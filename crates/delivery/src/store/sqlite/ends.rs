//! The step to format 6: takes ends over into the order of their messages.
//!
//! Message by message, so that a long history needs no memory. Which message an end is of is said by the message, not by the
//! end: so nobody takes its delivery for one without a record, whatever damage made of that. An end that cannot be taken over
//! at all has another in its place that is not sound.

use rusqlite::{Connection, ErrorCode, params};

use super::rows::{fanout_of, int};

pub(super) fn take_over(connection: &Connection) -> rusqlite::Result<()> {
    let mut messages = connection.prepare("SELECT seq, fanout FROM message ORDER BY seq")?;
    let mut copy = connection.prepare(
        "INSERT INTO settled SELECT lane, n, ?1, result, detail, attempts, accepted, at, crc, number, ended, word, outcome,
             status, took, response, peer, connect, tls, first_byte
         FROM settled_before WHERE lane = ?2 AND n = ?3",
    )?;
    let mut stand_in = connection.prepare(
        "INSERT INTO settled (seq, lane, n, result, detail, attempts, accepted, at, crc)
         VALUES (?1, ?2, ?3, 0, '', 0, 0, 0, 0)",
    )?;
    let mut rows = messages.query([])?;
    while let Some(row) = rows.next()? {
        let (seq, fanout): (i64, Vec<u8>) = (row.get(0)?, row.get(1).unwrap_or_default());
        for (lane, n) in fanout_of(&fanout) {
            let place = params![seq, int(lane.0), int(n.0)];
            match copy.execute(place) {
                Err(error) if is_damage(&error) => stand_in.execute(place)?,
                other => other?,
            };
        }
    }
    connection.execute_batch("DROP TABLE settled_before")
}

/// A column that is not of its type any more, or a page that is none.
fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::ConstraintViolation | ErrorCode::DatabaseCorrupt))
}

//! Where in an ordered table something begins, found by halving: numbers and times rise together in a store, but only the
//! numbers are a key.

use rusqlite::{Connection, OptionalExtension};

use super::super::queries::one;
use super::super::rows::{MessageRow, message_columns};
use crate::clock::Timestamp;

/// The place of the first sound record of `low..high` that does not lie before the edge, or else `high`. `look` finds the first
/// sound record of a range, and tells its place and whether it lies before the edge.
pub(in super::super) fn edge(
    mut low: i64,
    mut high: i64,
    mut look: impl FnMut(i64, i64) -> rusqlite::Result<Option<(i64, bool)>>,
) -> rusqlite::Result<i64> {
    let mut first = high;
    while low < high {
        let middle = low + (high - low) / 2;
        match look(middle, high)? {
            Some((place, true)) => low = place + 1,
            Some((place, false)) => (first, high) = (place, middle),
            None => high = middle,
        }
    }
    Ok(first)
}

/// The number from which on messages were accepted then or later. Time never goes back in a store (`clock.rs`).
pub(in super::super) fn accepted_since(connection: &Connection, at: Timestamp) -> rusqlite::Result<i64> {
    let ends = "SELECT (SELECT min(seq) FROM message), (SELECT max(seq) FROM message)";
    let ends: Option<(Option<i64>, Option<i64>)> =
        connection.prepare_cached(ends)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((Some(first), Some(last))) = ends else { return Ok(0) };
    let columns = message_columns(connection)?;
    let sql = format!("SELECT {columns} FROM message WHERE seq >= ?1 AND seq < ?2 ORDER BY seq LIMIT 1");
    let mut select = connection.prepare_cached(&sql)?;
    edge(first.max(0), last.saturating_add(1), |mut from, to| {
        loop {
            let found = select
                .query_row([from, to], |row| Ok((row.get(0)?, one(MessageRow::read(row), String::new)?)));
            match found.optional()? {
                None => return Ok(None),
                Some((place, Some(Ok(message)))) => return Ok(Some((place, message.accepted < at))),
                // A broken record says nothing of its time.
                Some((place, _)) => from = place + 1,
            }
        }
    })
}

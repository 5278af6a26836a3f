//! Walks records, newest message first. In a lane numbers rise with messages, so what waits in a lane is read in the order of
//! its key, and those of several lanes are merged. What came to its end is in the order of messages; that of one lane is found
//! in one group of messages after another. That is what makes a list of one lane, or of what waits, as fast among a million
//! others as alone.

use std::collections::{BinaryHeap, VecDeque};
use std::ops::{ControlFlow, Range};

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::super::queries::one;
use super::super::rows::{Broken, PENDING, Pending, SettledRow, int, settled_columns};
use super::super::young;
use super::edge::edge;
use super::message;
use super::view::State;
use crate::store::LaneId;

/// How many records of a lane are read at once, first and at most: a lane that brings little to a page is read little.
const CHUNK: Range<usize> = 8..512;

/// Where deliveries are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Those of a lane that wait and have a record.
    Pending(i64),
    /// Those without a record yet, of a lane or of all.
    Young(Option<i64>),
    /// Those that came to their end, of a lane or of all.
    Settled(Option<i64>),
}

/// The lanes that have records of what waits; `None` if they are more than `most`. Found lane by lane: a lane whose own record
/// is broken is among them.
pub(super) fn pending_lanes(connection: &Connection, most: usize) -> rusqlite::Result<Option<Vec<i64>>> {
    let mut select =
        connection.prepare_cached("SELECT lane FROM pending WHERE lane > ?1 ORDER BY lane LIMIT 1")?;
    let (mut found, mut after) = (Vec::new(), i64::MIN);
    while let Some(lane) = select.query_row([after], |row| row.get(0)).optional()? {
        if found.len() == most {
            return Ok(None);
        }
        found.push(lane);
        after = lane;
    }
    Ok(Some(found))
}

/// The number of the first pending record of a lane that is not of a message before this one, if it is sound.
fn pending_from(connection: &Connection, lane: i64, before: i64) -> rusqlite::Result<i64> {
    let end = |order| format!("(SELECT n FROM pending WHERE lane = ?1 ORDER BY n {order} LIMIT 1)");
    let sql = format!("SELECT {}, {}", end("ASC"), end("DESC"));
    let ends: (Option<i64>, Option<i64>) =
        connection.prepare_cached(&sql)?.query_row([lane], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let span = ends.0.unwrap_or(0)..ends.1.map_or(0, |last| last + 1);
    let sql =
        format!("SELECT {PENDING} FROM pending WHERE lane = ?1 AND n >= ?2 AND n < ?3 ORDER BY n LIMIT 1");
    let mut select = connection.prepare_cached(&sql)?;
    edge(span.start, span.end, |mut from, to| {
        loop {
            let found = select.query_row(params![lane, from, to], |row| {
                Ok((row.get::<_, i64>(1)?, record(Pending::read(row))?))
            });
            match found.optional()? {
                None => return Ok(None),
                Some((place, Ok(pending))) => return Ok(Some((place, pending.seq < before))),
                // What a broken record says of its message is not believed.
                Some((place, Err(_))) => from = place + 1,
            }
        }
    })
}

fn record<T>(read: rusqlite::Result<Result<T, Broken>>) -> rusqlite::Result<Result<T, Broken>> {
    let what = || "a record".to_owned();
    Ok(one(read, what)?.unwrap_or_else(|| Err(Broken(what()))))
}

/// Messages among which the ends of a lane are ordered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    pub(super) number: i64,
}

impl Group {
    /// How many messages are in one, as a power of two. It stands in the index too.
    const BITS: u32 = 12;

    /// The latest that has an end of a message before this one. Those between that have none are passed over, however many.
    pub(super) fn before(connection: &Connection, seq: i64) -> rusqlite::Result<Option<Self>> {
        let mut select = connection.prepare_cached(
            "SELECT seq >> 12 FROM settled INDEXED BY settled_of_lane
             WHERE seq >> 12 <= ?1 ORDER BY seq >> 12 DESC LIMIT 1",
        )?;
        let last = select.query_row([seq.saturating_sub(1) >> Self::BITS], |row| row.get(0)).optional()?;
        Ok(last.map(|number| Self { number }))
    }

    /// Its first message.
    pub(super) const fn first(self) -> i64 {
        self.number << Self::BITS
    }
}

/// Tells `visit` of the messages in `range` that deliveries in these places belong to, newest first, one after another for each
/// delivery, and whether the delivery is in the state that is wanted.
pub(super) fn walk(
    connection: &Connection,
    places: &[Place],
    state: Option<State>,
    range: &Range<i64>,
    mut visit: impl FnMut(i64, bool) -> rusqlite::Result<ControlFlow<()>>,
) -> rusqlite::Result<()> {
    let (mut cursors, mut heads) = (Vec::with_capacity(places.len()), BinaryHeap::new());
    for place in places {
        let mut cursor = Cursor::new(connection, *place, range)?;
        heads.extend(cursor.head(connection, state)?.map(|seq| (seq, cursors.len())));
        cursors.push(cursor);
    }
    while let Some((_, index)) = heads.pop() {
        let cursor: &mut Cursor = &mut cursors[index];
        let Some((seq, wanted)) = cursor.rows.pop_front() else { continue };
        if seq < range.start || visit(seq, wanted)?.is_break() {
            break;
        }
        heads.extend(cursor.head(connection, state)?.map(|seq| (seq, index)));
    }
    Ok(())
}

/// The deliveries of a place, from the newest on.
struct Cursor {
    at: At,
    /// Those of messages in here are wanted.
    range: Range<i64>,
    chunk: usize,
    ended: bool,
    /// Messages that were read, and whether the delivery is in the wanted state.
    rows: VecDeque<(i64, bool)>,
}

/// What is left to be read.
enum At {
    /// The pending records of a lane, below this number.
    Pending { lane: i64, n: i64 },
    /// What may have no record, of messages before this one.
    Young { lane: Option<i64>, seq: i64 },
    /// All ends before this one, in the order of their keys.
    Settled { seq: i64, lane: i64, n: i64 },
    /// The ends of a lane below this number, in this group and those before it.
    SettledOf { lane: i64, group: Option<Group>, n: i64 },
}

impl Cursor {
    fn new(connection: &Connection, place: Place, range: &Range<i64>) -> rusqlite::Result<Self> {
        let seq = range.end;
        let at = match place {
            Place::Pending(lane) if seq == i64::MAX => At::Pending { lane, n: i64::MAX },
            Place::Pending(lane) => At::Pending { lane, n: pending_from(connection, lane, seq)? },
            Place::Young(lane) => At::Young { lane, seq },
            Place::Settled(None) => At::Settled { seq, lane: i64::MIN, n: i64::MIN },
            Place::Settled(Some(lane)) => {
                At::SettledOf { lane, group: Group::before(connection, seq)?, n: i64::MAX }
            }
        };
        Ok(Self { at, range: range.clone(), chunk: CHUNK.start, ended: false, rows: VecDeque::new() })
    }

    /// The message of the next record.
    fn head(&mut self, connection: &Connection, state: Option<State>) -> rusqlite::Result<Option<i64>> {
        while self.rows.is_empty() && !self.ended {
            self.ended = match self.at {
                At::Pending { lane, n } => self.fill_pending(connection, (lane, n), state)?,
                At::Young { lane, seq } => self.fill_young(connection, (lane, seq), state)?,
                At::Settled { seq, lane, n } => self.fill_settled(connection, [seq, lane, n], state)?,
                At::SettledOf { group: None, .. } => true,
                At::SettledOf { lane, group: Some(group), n } => {
                    self.fill_settled_of(connection, lane, (group, n), state)?
                }
            };
            self.chunk = (self.chunk * 2).min(CHUNK.end);
        }
        Ok(self.rows.front().map(|(seq, _)| *seq))
    }

    // Each of these reads the next records, and says whether they were the last.

    fn fill_pending(
        &mut self,
        connection: &Connection,
        (lane, mut n): (i64, i64),
        state: Option<State>,
    ) -> rusqlite::Result<bool> {
        let sql =
            format!("SELECT {PENDING} FROM pending WHERE lane = ?1 AND n < ?2 ORDER BY n DESC LIMIT ?3");
        let mut select = connection.prepare_cached(&sql)?;
        let mut rows = select.query(params![lane, n, int(self.chunk as u64)])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            (count, n) = (count + 1, row.get(1)?);
            let read = record(Pending::read(row))?.ok().map(|pending| (pending.seq, State::Pending));
            self.take(connection, row, read, state)?;
        }
        self.at = At::Pending { lane, n };
        Ok(count < self.chunk)
    }

    fn fill_young(
        &mut self,
        connection: &Connection,
        (lane, seq): (Option<i64>, i64),
        state: Option<State>,
    ) -> rusqlite::Result<bool> {
        let (rows, range) = (&mut self.rows, self.range.start..seq);
        let of = lane.map(|lane| LaneId(lane.cast_unsigned()));
        let left = young::find(connection, of, &range, self.chunk, |seq, waits| {
            // What was looked at and does not wait is told too: it is work.
            rows.push_back((seq, waits && state.is_none_or(|wanted| wanted == State::Pending)));
        })?;
        self.at = At::Young { lane, seq: left.unwrap_or(seq) };
        Ok(left.is_none())
    }

    fn fill_settled(
        &mut self,
        connection: &Connection,
        [mut seq, mut lane, mut n]: [i64; 3],
        state: Option<State>,
    ) -> rusqlite::Result<bool> {
        let sql = format!(
            "SELECT {} FROM settled WHERE (seq, lane, n) < (?1, ?2, ?3)
             ORDER BY seq DESC, lane DESC, n DESC LIMIT ?4",
            settled_columns(connection)?
        );
        let mut select = connection.prepare_cached(&sql)?;
        let mut rows = select.query(params![seq, lane, n, int(self.chunk as u64)])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            (count, lane, n, seq) = (count + 1, row.get(0)?, row.get(1)?, row.get(2)?);
            self.take_settled(connection, row, state)?;
        }
        self.at = At::Settled { seq, lane, n };
        Ok(count < self.chunk)
    }

    fn fill_settled_of(
        &mut self,
        connection: &Connection,
        lane: i64,
        (group, mut n): (Group, i64),
        state: Option<State>,
    ) -> rusqlite::Result<bool> {
        let sql = format!(
            "SELECT {} FROM settled INDEXED BY settled_of_lane
             WHERE seq >> 12 = ?1 AND lane = ?2 AND n < ?3 AND seq < ?4 ORDER BY n DESC LIMIT ?5",
            settled_columns(connection)?
        );
        let mut select = connection.prepare_cached(&sql)?;
        let (mut next, mut count, mut looked) = (Some(group), 0, 0);
        // Many groups may have nothing of the lane.
        while let Some(group) = next
            && count == 0
            && looked < CHUNK.end
        {
            let asked = params![group.number, lane, n, self.range.end, int(self.chunk as u64)];
            let mut rows = select.query(asked)?;
            while let Some(row) = rows.next()? {
                (count, n) = (count + 1, row.get(1)?);
                self.take_settled(connection, row, state)?;
            }
            if count < self.chunk {
                let first = group.first();
                // What damage put into a group that is not its own says nothing of those before.
                n = i64::MAX;
                next = if first > self.range.start { Group::before(connection, first)? } else { None };
                if next.is_some() {
                    // A look is work too, also where nothing is.
                    self.rows.push_back((first, false));
                }
                looked += 1;
            }
        }
        self.at = At::SettledOf { lane, group: next, n };
        Ok(next.is_none())
    }

    fn take_settled(
        &mut self,
        connection: &Connection,
        row: &Row<'_>,
        state: Option<State>,
    ) -> rusqlite::Result<()> {
        let read = record(SettledRow::read(row))?;
        let read = read.ok().map(|settled| (settled.seq, State::of(&settled.settled)));
        self.take(connection, row, read, state)
    }

    fn take(
        &mut self,
        connection: &Connection,
        row: &Row<'_>,
        read: Option<(i64, State)>,
        state: Option<State>,
    ) -> rusqlite::Result<()> {
        match read {
            Some((seq, is)) => self.rows.push_back((seq, state.is_none_or(|wanted| wanted == is))),
            // It is in no state, but a list of its lane shows that it is broken, if its message knows it.
            None if state.is_none() => {
                let (lane, n, seq) = (row.get(0)?, row.get(1)?, row.get(2).unwrap_or(0));
                if seq < self.range.end && belongs(connection, seq, lane, n)? {
                    self.rows.push_back((seq, true));
                }
            }
            None => {}
        }
        Ok(())
    }
}

fn belongs(connection: &Connection, seq: i64, lane: i64, n: i64) -> rusqlite::Result<bool> {
    let place = (lane.cast_unsigned(), n.cast_unsigned());
    let message = message(connection, seq)?.and_then(Result::ok);
    Ok(message.is_some_and(|message| message.fanout.iter().any(|(lane, n)| (lane.0, n.0) == place)))
}

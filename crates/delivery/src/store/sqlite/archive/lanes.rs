//! Walks the records of lanes, newest message first. In a lane numbers rise with messages, so each lane's records are read
//! in the order of its key, and those of several are merged. That is what makes a list of one lane, or of what waits, as
//! fast among a million others as alone.

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
    /// The records of a lane.
    Records(Table, i64),
    /// Those without a record yet, of a lane or of all.
    Young(Option<i64>),
}

/// Where the records of a lane are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Pending,
    Settled,
}

impl Table {
    /// Both.
    pub(super) const ALL: &[Self] = &[Self::Pending, Self::Settled];

    const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Settled => "settled",
        }
    }

    /// The lanes that have records here; `None` if they are more than `most`. Found lane by lane: a lane whose own record is
    /// broken is among them.
    pub(super) fn lanes(self, connection: &Connection, most: usize) -> rusqlite::Result<Option<Vec<i64>>> {
        let sql = format!("SELECT lane FROM {} WHERE lane > ?1 ORDER BY lane LIMIT 1", self.name());
        let mut select = connection.prepare_cached(&sql)?;
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

    /// The first number of a lane's records, and the one after the last.
    pub(super) fn span(self, connection: &Connection, lane: i64) -> rusqlite::Result<Range<i64>> {
        let name = self.name();
        let end = |order| format!("(SELECT n FROM {name} WHERE lane = ?1 ORDER BY n {order} LIMIT 1)");
        let sql = format!("SELECT {}, {}", end("ASC"), end("DESC"));
        let ends: (Option<i64>, Option<i64>) =
            connection.prepare_cached(&sql)?.query_row([lane], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(ends.0.unwrap_or(0)..ends.1.map_or(0, |last| last + 1))
    }

    /// Reads a record: its message and its state.
    fn read(self, row: &Row<'_>) -> rusqlite::Result<Result<(i64, State), Broken>> {
        let read = match self {
            Self::Pending => Pending::read(row).map(|read| read.map(|pending| (pending.seq, State::Pending))),
            Self::Settled => SettledRow::read(row)
                .map(|read| read.map(|settled| (settled.seq, State::of(&settled.settled)))),
        };
        Ok(one(read, || self.name().to_owned())?.unwrap_or_else(|| Err(Broken(self.name().to_owned()))))
    }

    fn select(self, connection: &Connection, rest: &str) -> rusqlite::Result<String> {
        let columns = match self {
            Self::Pending => PENDING,
            Self::Settled => settled_columns(connection)?,
        };
        Ok(format!("SELECT {columns} FROM {} {rest}", self.name()))
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
    place: Place,
    /// Those of messages from this one on are wanted.
    since: i64,
    /// Those of messages before this one are wanted.
    before: i64,
    /// Those from this number on were read: of the delivery in its lane, of the message where there is no record.
    read: i64,
    chunk: usize,
    ended: bool,
    /// Messages that were read, and whether the delivery is in the wanted state.
    rows: VecDeque<(i64, bool)>,
}

impl Cursor {
    /// At the last record of a message before this one, or at a broken one that stands after it.
    fn new(connection: &Connection, place: Place, range: &Range<i64>) -> rusqlite::Result<Self> {
        let (since, before) = (range.start, range.end);
        let mut read = before;
        if let Place::Records(table, lane) = place
            && before < i64::MAX
        {
            let span = table.span(connection, lane)?;
            let sql =
                table.select(connection, "WHERE lane = ?1 AND n >= ?2 AND n < ?3 ORDER BY n LIMIT 1")?;
            let mut select = connection.prepare_cached(&sql)?;
            read = edge(span.start, span.end, |mut from, to| {
                loop {
                    let found = select.query_row(params![lane, from, to], |row| {
                        Ok((row.get::<_, i64>(1)?, table.read(row)?))
                    });
                    match found.optional()? {
                        None => return Ok(None),
                        Some((place, Ok((seq, _)))) => return Ok(Some((place, seq < before))),
                        // What a broken record says of its message is not believed.
                        Some((place, Err(_))) => from = place + 1,
                    }
                }
            })?;
        }
        Ok(Self { place, since, before, read, chunk: CHUNK.start, ended: false, rows: VecDeque::new() })
    }

    /// The message of the next record.
    fn head(&mut self, connection: &Connection, state: Option<State>) -> rusqlite::Result<Option<i64>> {
        while self.rows.is_empty() && !self.ended {
            let count = match self.place {
                Place::Records(table, lane) => self.fill(connection, table, lane, state)?,
                Place::Young(lane) => self.fill_young(connection, lane, state)?,
            };
            (self.ended, self.chunk) = (count < self.chunk, (self.chunk * 2).min(CHUNK.end));
        }
        Ok(self.rows.front().map(|(seq, _)| *seq))
    }

    fn fill_young(
        &mut self,
        connection: &Connection,
        lane: Option<i64>,
        state: Option<State>,
    ) -> rusqlite::Result<usize> {
        let (rows, range) = (&mut self.rows, self.since..self.read);
        let lane = lane.map(|lane| LaneId(lane.cast_unsigned()));
        let left = young::find(connection, lane, &range, self.chunk, |seq, waits| {
            // What was looked at and does not wait is told too: it is work.
            rows.push_back((seq, waits && state.is_none_or(|wanted| wanted == State::Pending)));
        })?;
        self.read = left.unwrap_or(self.read);
        Ok(if left.is_some() { self.chunk } else { 0 })
    }

    /// Reads the next records; gives how many there were.
    fn fill(
        &mut self,
        connection: &Connection,
        table: Table,
        lane: i64,
        state: Option<State>,
    ) -> rusqlite::Result<usize> {
        let sql = table.select(connection, "WHERE lane = ?1 AND n < ?2 ORDER BY n DESC LIMIT ?3")?;
        let mut select = connection.prepare_cached(&sql)?;
        let mut rows = select.query(params![lane, self.read, int(self.chunk as u64)])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            (count, self.read) = (count + 1, row.get(1)?);
            match table.read(row)? {
                Ok((seq, is)) => self.rows.push_back((seq, state.is_none_or(|wanted| wanted == is))),
                // It is in no state, but a list of its lane shows that it is broken, if its message knows it.
                Err(_) if state.is_none() => {
                    let seq = row.get(2).unwrap_or(0);
                    if seq < self.before && belongs(connection, seq, lane, self.read)? {
                        self.rows.push_back((seq, true));
                    }
                }
                Err(_) => {}
            }
        }
        Ok(count)
    }
}

fn belongs(connection: &Connection, seq: i64, lane: i64, n: i64) -> rusqlite::Result<bool> {
    let place = (lane.cast_unsigned(), n.cast_unsigned());
    let message = message(connection, seq)?.and_then(Result::ok);
    Ok(message.is_some_and(|message| message.fanout.iter().any(|(lane, n)| (lane.0, n.0) == place)))
}

//! Finding what is wanted without looking at all there is. A filter says where to look: in the order of a key's messages, of
//! what is dead, of records of lanes and of ends, or else of all messages. Each of these gives messages newest first; every
//! message is then read, and its deliveries are judged by the whole filter. So where one looks decides about the time, never
//! about the answer.

use std::ops::{ControlFlow, Range};

use rusqlite::{Connection, params};

use super::super::rows::{by_message, int, key_hash, keys_together};
use super::edge::accepted_since;
use super::lanes::{Place, pending_lanes, walk};
use super::view::{Page, State, Unrouted, Wanted};
use super::{delivery, last, message};
use crate::store::Sequence;

/// How much one call does while it looks for what is wanted: a record that is passed over is one, a message that is read is
/// `READ`. Then it says where to go on.
pub const MAX_WORK: usize = 20_000;

/// What reading a message counts for, and what the records of a delivery count for.
const READ: usize = 8;

/// What passing over a message counts for: messages are long, so that few are on a page of the file.
const PASS: usize = 2;

/// Of how many lanes what waits is merged; with more of them all messages are walked.
const MAX_LANES: usize = 512;

/// Where to look.
#[derive(Debug, PartialEq, Eq)]
enum Source<'w> {
    /// At the messages of a key.
    Key(&'w str),
    /// At what is dead.
    Dead,
    /// At records that lie in the order of messages: of lanes, or of all that came to its end.
    Records(Vec<Place>),
    /// At all messages.
    Messages,
}

impl<'w> Source<'w> {
    fn choose(connection: &Connection, wanted: &'w Wanted) -> rusqlite::Result<Self> {
        let lane = wanted.lane.map(|lane| int(lane.0));
        let ended = Place::Settled(lane);
        Ok(match (&wanted.key, wanted.state, lane) {
            (Some(key), _, _) => Self::Key(key),
            (None, Some(State::Dead), None) => Self::Dead,
            // Either the lane is short, or what is dead elsewhere is to be passed over.
            (None, Some(State::Dead), Some(lane)) if is_long(connection, lane)? => Self::Dead,
            (None, None, None) => Self::Messages,
            (None, Some(State::Pending), Some(lane)) => {
                Self::Records(vec![Place::Pending(lane), Place::Young(Some(lane))])
            }
            (None, Some(State::Pending), None) => {
                let Some(lanes) = pending_lanes(connection, MAX_LANES)? else { return Ok(Self::Messages) };
                let lanes = lanes.into_iter().map(Place::Pending);
                Self::Records(lanes.chain([Place::Young(None)]).collect())
            }
            // A file of an earlier format that was not opened since.
            (None, _, _) if !by_message(connection)? => Self::Messages,
            (None, None, Some(lane)) => {
                Self::Records(vec![Place::Pending(lane), Place::Young(Some(lane)), ended])
            }
            (None, Some(State::Delivered | State::Superseded | State::Dead), _) => Self::Records(vec![ended]),
        })
    }
}

/// Whether a lane may have more records than one call can pass over, by how many deliveries it ever had.
fn is_long(connection: &Connection, lane: i64) -> rusqlite::Result<bool> {
    Ok(last(connection, lane)?.is_some_and(|last| last > int(MAX_WORK as u64)))
}

/// Deliveries, newest message first, for so much work.
pub(super) fn deliveries(connection: &Connection, wanted: &Wanted, work: usize) -> rusqlite::Result<Page> {
    let since = wanted.since.map_or(Ok(i64::MIN), |since| accepted_since(connection, since))?;
    let until = wanted.until.map_or(Ok(i64::MAX), |until| accepted_since(connection, until))?;
    let before = wanted.before.map_or(i64::MAX, |before| int(before.0));
    // Only damage makes a number that is negative.
    let range = since.max(0)..until.min(before);
    let mut search = Search { connection, wanted, work, at: None, read: None, page: Page::default() };
    match Source::choose(connection, wanted)? {
        Source::Key(key) => search.key(key, &range)?,
        Source::Dead => search.dead(&range)?,
        Source::Records(places) => {
            walk(connection, &places, wanted.state, &range, |seq, is| search.meet(seq, 1, is))?
        }
        Source::Messages => search.messages(&range)?,
    }
    Ok(search.page)
}

/// What is dead, newest message first, and its lane.
pub(in super::super) const DEAD: &str = "SELECT seq, lane FROM settled INDEXED BY dead
    WHERE result >= 2 AND seq >= ?1 AND seq < ?2 ORDER BY seq DESC";

/// A search under way.
struct Search<'a> {
    connection: &'a Connection,
    wanted: &'a Wanted,
    /// How much may still be done.
    work: usize,
    /// The message that was come to last.
    at: Option<i64>,
    /// The message that was read last.
    read: Option<i64>,
    page: Page,
}

impl Search<'_> {
    fn key(&mut self, key: &str, range: &Range<i64>) -> rusqlite::Result<()> {
        of_key(self.connection, key, range, |seq| match seq {
            Some(seq) => self.meet(seq, 1, true),
            None => {
                self.work = self.work.saturating_sub(1);
                Ok(ControlFlow::Continue(()))
            }
        })
    }

    fn dead(&mut self, range: &Range<i64>) -> rusqlite::Result<()> {
        let mut select = self.connection.prepare_cached(DEAD)?;
        let mut rows = select.query([range.start, range.end])?;
        let wanted = self.wanted.lane.map(|lane| int(lane.0));
        while let Some(row) = rows.next()? {
            let lane: i64 = row.get(1)?;
            if self.meet(row.get(0)?, 1, wanted.is_none_or(|wanted| wanted == lane))?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn messages(&mut self, range: &Range<i64>) -> rusqlite::Result<()> {
        let sql = "SELECT seq, route FROM message WHERE seq >= ?1 AND seq < ?2 ORDER BY seq DESC";
        let mut select = self.connection.prepare_cached(sql)?;
        let mut rows = select.query([range.start, range.end])?;
        while let Some(row) = rows.next()? {
            // What went nowhere has no deliveries.
            let routed = row.get::<_, i64>(1).unwrap_or(0) == 0;
            if self.meet(row.get(0)?, PASS, routed)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Comes to a message, and reads it if it may be wanted; breaks before it if the page is full, or enough was done. All
    /// that leads to one message is looked at in one call, so that the next call begins behind it.
    fn meet(&mut self, seq: i64, cost: usize, may_be_wanted: bool) -> rusqlite::Result<ControlFlow<()>> {
        match self.at {
            // Only a damaged index leads back.
            Some(at) if seq > at => return Ok(ControlFlow::Continue(())),
            Some(at) if seq < at => {
                let full = self.page.deliveries.len() >= self.wanted.limit.max(1);
                if full || self.work == 0 {
                    self.page.next = Some(Sequence(at.cast_unsigned()));
                    return Ok(ControlFlow::Break(()));
                }
            }
            _ => {}
        }
        self.at = Some(seq);
        self.work = self.work.saturating_sub(cost);
        if may_be_wanted && self.read != Some(seq) {
            self.read = Some(seq);
            self.work = self.work.saturating_sub(READ);
            self.read(seq)?;
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Reads a message, and lists those of its deliveries that are wanted.
    fn read(&mut self, seq: i64) -> rusqlite::Result<()> {
        let wanted = self.wanted;
        let Some(Ok(message)) = message(self.connection, seq)? else { return Ok(()) };
        // Two keys may share a hash.
        let of_key = wanted.key.as_ref().is_none_or(|key| *key == message.key);
        let in_time = wanted.since.is_none_or(|since| message.accepted >= since)
            && wanted.until.is_none_or(|until| message.accepted < until);
        if !of_key || !in_time {
            return Ok(());
        }
        let label = wanted.labels.and_then(|labels| labels(&message.body));
        if wanted.label.is_some() && wanted.label != label {
            return Ok(());
        }
        for (lane, n) in &message.fanout {
            if wanted.lane.is_some_and(|wanted| wanted != *lane) {
                continue;
            }
            self.work = self.work.saturating_sub(READ);
            let delivery = delivery(self.connection, &message, (*lane, *n), label)?;
            if wanted.state.is_none() || wanted.state == delivery.status.state() {
                self.page.deliveries.push(delivery);
            }
        }
        Ok(())
    }
}

/// Comes to the messages of a key, newest first, and to those that share its hash; `None` is a look where there may be none.
pub(super) fn of_key(
    connection: &Connection,
    key: &str,
    range: &Range<i64>,
    mut come: impl FnMut(Option<i64>) -> rusqlite::Result<ControlFlow<()>>,
) -> rusqlite::Result<()> {
    let mut ends =
        connection.prepare_cached("SELECT (SELECT min(seq) FROM message), (SELECT max(seq) FROM message)")?;
    let (first, last): (Option<i64>, Option<i64>) =
        ends.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (Some(first), Some(last)) = (first, last) else { return Ok(()) };
    let (first, last) = (first.max(range.start), last.min(range.end.saturating_sub(1)));
    let together = keys_together(connection)?;
    let mut select = connection.prepare_cached(&format!(
        "SELECT seq FROM message INDEXED BY message_of_key
         WHERE seq >> {together} = ?1 AND keyh = ?2 AND seq >= ?3 AND seq <= ?4 ORDER BY seq DESC",
    ))?;
    for group in ((first >> together)..=(last >> together)).rev() {
        if come(None)?.is_break() {
            return Ok(());
        }
        let mut rows = select.query(params![group, key_hash(key), first, last])?;
        while let Some(row) = rows.next()? {
            if come(Some(row.get(0)?))?.is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Messages that went nowhere, newest first, and where to go on, for so much work.
pub(super) fn unrouted(
    connection: &Connection,
    before: Option<Sequence>,
    limit: usize,
    mut work: usize,
) -> rusqlite::Result<(Vec<Unrouted>, Option<Sequence>)> {
    let mut select =
        connection.prepare_cached("SELECT seq, route FROM message WHERE seq < ?1 ORDER BY seq DESC")?;
    let mut rows = select.query([before.map_or(i64::MAX, |before| int(before.0))])?;
    let (mut found, mut at) = (Vec::new(), None);
    while let Some(row) = rows.next()? {
        if at.is_some() && (work == 0 || found.len() >= limit.max(1)) {
            return Ok((found, at));
        }
        let seq: i64 = row.get(0)?;
        (at, work) = (Some(Sequence(seq.cast_unsigned())), work.saturating_sub(PASS));
        if row.get::<_, i64>(1).unwrap_or(0) == 0 {
            continue;
        }
        work = work.saturating_sub(READ);
        if let Some(Ok(message)) = message(connection, seq)? {
            found.push(Unrouted {
                sequence: Sequence(message.seq.cast_unsigned()),
                message: message.id,
                key: message.key,
                accepted: message.accepted,
                route: message.route,
            });
        }
    }
    Ok((found, None))
}

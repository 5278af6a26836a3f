//! What nobody asked for: giving up what is too old, dropping history, giving space back.

use std::time::Duration;

use rusqlite::{OptionalExtension, Row, params};

use super::SqliteStore;
use super::once;
use super::pending::End;
use super::queries::one;
use super::rows::{MESSAGE, MessageRow, int, time};
use crate::clock::Timestamp;
use crate::retry::Reason;
use crate::store::{DeliveryId, Fault, LaneId, Settled, Store, Swept};

/// How long accepts are remembered, so that sending one again adds nothing.
pub(super) const ONCE_FOR: Duration = Duration::from_secs(24 * 3600);

/// How many records one step looks at.
const STEP: usize = 256;

/// How long there is nothing to drop after everything was looked at.
const REST: Duration = Duration::from_secs(30);

/// How many pages are given back in one step: 1 MiB of pages of 8 KiB.
const PAGES: u32 = 128;

/// For how long, and up to what size, what is settled is kept. What is not settled is never dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Since its last delivery was settled.
    pub age: Duration,
    /// Of the whole file, in bytes; what is oldest goes first.
    pub bytes: u64,
}

impl Default for Retention {
    /// 7 days and 10 GiB.
    fn default() -> Self {
        Self { age: Duration::from_secs(7 * 24 * 3600), bytes: 10 * 1024 * 1024 * 1024 }
    }
}

/// How far the last look got.
#[derive(Debug, Default)]
pub(super) struct Sweeper {
    after: i64,
    rest_until: Option<Timestamp>,
}

pub(super) fn sweep(
    store: &mut SqliteStore,
    lane: LaneId,
    until: Timestamp,
    reason: &Reason,
    now: Timestamp,
    limit: usize,
) -> Result<Swept, Fault> {
    let mut swept = Swept::default();
    let look_at = limit + store.claims(lane) + 1;
    let found = store
        .begin()?
        .prepare_cached("SELECT n, accepted FROM pending WHERE lane = ?1 ORDER BY n LIMIT ?2")
        .and_then(|mut select| {
            let rows = select
                .query_map(params![int(lane.0), int(look_at as u64)], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<rusqlite::Result<Vec<(i64, i64)>>>()
        });
    let time = |accepted| Timestamp::from_micros(u64::try_from(accepted).unwrap_or(0));
    let found = store.checked(found)?.into_iter().map(|(n, at)| (DeliveryId(n.cast_unsigned()), time(at)));
    let young = store.young.of_lane(lane).take(look_at).map(|young| (young.n, young.accepted));
    let mut found: Vec<_> = found.chain(young).collect();
    found.sort_unstable();
    for (n, accepted) in found {
        if store.is_claimed(lane, n) {
            continue;
        }
        if accepted > until || swept.settled.len() >= limit {
            swept.oldest = Some(accepted);
            break;
        }
        match store.pending(lane, n)? {
            Some(Ok(pending)) => {
                let dead = Settled::Dead(reason.clone());
                store.settle(&pending, End::without(dead, pending.attempts), now)?;
            }
            Some(Err(broken)) => {
                store.set_aside(lane, n, &broken, now)?;
            }
            None => continue,
        }
        swept.settled.push(n);
    }
    Ok(swept)
}

impl SqliteStore {
    /// Looks at everything that is not settled, and puts aside what is damaged; says how much that was. Commits as it goes.
    ///
    /// # Errors
    /// If the store fails.
    pub fn set_aside_damaged(&mut self, now: Timestamp) -> Result<u64, Fault> {
        let mut damaged = 0;
        let lanes: Vec<LaneId> = self.lanes.keys().copied().collect();
        for lane in lanes {
            let mut after = 0;
            loop {
                let found = self
                    .begin()?
                    .prepare_cached("SELECT n FROM pending WHERE lane = ?1 AND n > ?2 ORDER BY n LIMIT ?3")
                    .and_then(|mut select| {
                        let rows = select
                            .query_map(params![int(lane.0), after, int(STEP as u64)], |row| {
                                row.get::<_, i64>(0)
                            })?;
                        rows.collect::<rusqlite::Result<Vec<_>>>()
                    });
                let found = self.checked(found)?;
                let Some(&last) = found.last() else { break };
                after = last;
                for n in found {
                    let offered = self.offer(lane, DeliveryId(n.cast_unsigned()), now)?;
                    damaged += u64::from(offered.is_none());
                }
                self.commit()?;
            }
            for n in self.young.of_lane(lane).map(|young| young.n).collect::<Vec<_>>() {
                damaged += u64::from(self.offer(lane, n, now)?.is_none());
            }
            self.commit()?;
        }
        Ok(damaged)
    }
}

/// One step of the work that can wait; says whether there is more.
pub(super) fn tidy(store: &mut SqliteStore, now: Timestamp) -> Result<bool, Fault> {
    if store.sweeper.rest_until.is_some_and(|until| now < until) {
        return Ok(false);
    }
    if store.sweeper.after == 0 {
        once::forget_places(store, now)?;
    }
    let forgot = once::forget(store, now, STEP)?;
    let more = forgot | drop_history(store, now)? | give_back(store)?;
    if !more {
        (store.sweeper.after, store.sweeper.rest_until) = (0, Some(now.after(REST)));
    }
    Ok(more)
}

/// So much before.
pub(super) fn earlier(now: Timestamp, age: Duration) -> Timestamp {
    let age = u64::try_from(age.as_micros()).unwrap_or(u64::MAX);
    Timestamp::from_micros(now.as_micros().saturating_sub(age))
}

/// Drops messages whose deliveries are all settled, oldest first, while they are too old or the file is too large.
fn drop_history(store: &mut SqliteStore, now: Timestamp) -> Result<bool, Fault> {
    let too_old = earlier(now, store.retention.age);
    let mut excess = used(store)?.saturating_sub(store.retention.bytes);
    let found = store
        .connection()?
        .prepare_cached(&format!("SELECT {MESSAGE} FROM message WHERE seq > ?1 ORDER BY seq LIMIT ?2"))
        .and_then(|mut select| {
            let read = |row: &Row<'_>| one(MessageRow::read(row), String::new);
            let rows = select.query_map(params![store.sweeper.after, int(STEP as u64)], read)?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        });
    let found = store.checked(found)?;
    let full = found.len() == STEP;
    for message in found {
        // A broken record is left for the scrubber to report.
        let Some(Ok(message)) = message else { continue };
        if message.accepted > too_old && excess == 0 {
            return Ok(false);
        }
        store.sweeper.after = message.seq;
        if is_over(store, &message, if excess > 0 { now } else { too_old })? {
            excess = excess.saturating_sub(message.body.len() as u64);
            drop_message(store, &message, now)?;
        }
    }
    Ok(full)
}

/// Whether all deliveries of a message were settled, `by` then. What is missing or broken does not hold a message.
fn is_over(store: &mut SqliteStore, message: &MessageRow, by: Timestamp) -> Result<bool, Fault> {
    for (lane, n) in &message.fanout {
        if store.pending(*lane, *n)?.is_some() {
            return Ok(false);
        }
        let settled = store
            .connection()?
            .prepare_cached("SELECT at FROM settled WHERE seq = ?1 AND lane = ?2 AND n = ?3")
            .and_then(|mut select| {
                let at = |row: &rusqlite::Row<'_>| Ok(row.get(0).unwrap_or(0));
                select.query_row(params![message.seq, int(lane.0), int(n.0)], at).optional()
            });
        if store.checked(settled)?.is_some_and(|at: i64| at > time(by)) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn drop_message(store: &mut SqliteStore, message: &MessageRow, now: Timestamp) -> Result<(), Fault> {
    let connection = store.write()?;
    let dropped = (|| {
        once::keep(connection, message, now)?;
        for (lane, n) in &message.fanout {
            let place = params![int(lane.0), int(n.0)];
            connection.prepare_cached("DELETE FROM attempt WHERE lane = ?1 AND n = ?2")?.execute(place)?;
        }
        connection.prepare_cached("DELETE FROM settled WHERE seq = ?1")?.execute([message.seq])?;
        connection.prepare_cached("DELETE FROM message WHERE seq = ?1")?.execute([message.seq])
    })();
    store.checked(dropped).map(|_| ())
}

fn pragma(store: &SqliteStore, name: &str) -> Result<u64, Fault> {
    let value = store.connection()?.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
    store.checked(value).map(|value| u64::try_from(value).unwrap_or(0))
}

/// How much of the file is in use, in bytes.
fn used(store: &SqliteStore) -> Result<u64, Fault> {
    let pages = pragma(store, "page_count")?.saturating_sub(pragma(store, "freelist_count")?);
    Ok(pages * pragma(store, "page_size")?)
}

/// Gives pages that are free back to the file system, once they are a quarter of the file; says whether there are more.
fn give_back(store: &mut SqliteStore) -> Result<bool, Fault> {
    let (free, all) = (pragma(store, "freelist_count")?, pragma(store, "page_count")?);
    if free <= u64::from(PAGES) || free * 4 < all {
        return Ok(false);
    }
    let given = store.write()?.execute_batch(&format!("PRAGMA incremental_vacuum({PAGES})"));
    store.checked(given).map(|()| true)
}

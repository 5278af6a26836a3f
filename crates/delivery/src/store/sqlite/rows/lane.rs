//! A row of `lane`.

use rusqlite::{Row, params};

use super::{Broken, Seal, checked, int, small, time, timestamp, unsigned};
use crate::store::{Gate, LaneId, LaneState};

/// A row of `lane`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct LaneRow {
    pub(in super::super) id: LaneId,
    pub(in super::super) name: String,
    pub(in super::super) state: LaneState,
    pub(in super::super) last: u64,
}

pub(in super::super) const LANE: &str =
    "id, name, gate, open_until, open_pause, slow_until, epoch, last, crc";

impl LaneRow {
    fn columns(&self) -> (i64, Option<i64>, Option<i64>, Option<i64>) {
        let gate = match self.state.gate {
            Gate::Open => 0,
            Gate::Paused => 1,
            Gate::Disabled => 2,
        };
        let pause = |pause: std::time::Duration| int(u64::try_from(pause.as_micros()).unwrap_or(u64::MAX));
        let open = self.state.open;
        let (until, length) = (open.map(|(until, _)| time(until)), open.map(|(_, length)| pause(length)));
        (gate, until, length, self.state.slow_until.map(time))
    }

    fn crc(&self) -> i64 {
        let (gate, until, pause, slow) = self.columns();
        Seal::of("lane")
            .int(int(self.id.0))
            .bytes(self.name.as_bytes())
            .int(gate)
            .maybe(until)
            .maybe(pause)
            .maybe(slow)
            .int(i64::from(self.state.epoch))
            .int(int(self.last))
            .crc()
    }

    pub(in super::super) fn write(&self, connection: &rusqlite::Connection) -> rusqlite::Result<()> {
        let (gate, until, pause, slow) = self.columns();
        let mut statement = connection.prepare_cached(
            "INSERT OR REPLACE INTO lane (id, name, gate, open_until, open_pause, slow_until, epoch, last, crc)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?;
        let (id, last, epoch, crc) =
            (int(self.id.0), int(self.last), i64::from(self.state.epoch), self.crc());
        statement.execute(params![id, self.name, gate, until, pause, slow, epoch, last, crc])?;
        Ok(())
    }

    pub(in super::super) fn read(row: &Row<'_>) -> rusqlite::Result<Result<Self, Broken>> {
        let id = LaneId(unsigned(row.get(0)?));
        let what = || format!("{id}");
        let gate = match row.get::<_, i64>(2)? {
            0 => Gate::Open,
            1 => Gate::Paused,
            2 => Gate::Disabled,
            _ => return Ok(Err(Broken(what()))),
        };
        let open = row.get::<_, Option<i64>>(3)?.zip(row.get::<_, Option<i64>>(4)?);
        let pause = |micros| std::time::Duration::from_micros(unsigned(micros));
        let state = LaneState {
            gate,
            open: open.map(|(until, length)| (timestamp(until), pause(length))),
            slow_until: row.get::<_, Option<i64>>(5)?.map(timestamp),
            epoch: small(row.get(6)?),
        };
        let name = row.get_ref(1)?.as_bytes_or_null()?.unwrap_or_default();
        let name = String::from_utf8_lossy(name).into_owned();
        let lane = Self { id, name, state, last: unsigned(row.get(7)?) };
        let (found, expected) = (row.get(8)?, lane.crc());
        Ok(checked(|_| what(), found, expected, lane))
    }
}

//! A row of `document`.

use rusqlite::{Connection, Row, params};

use super::SqliteStore;
use super::rows::{Broken, Seal};
use crate::store::{Change, Document, Documents, Fault};

pub(super) const DOCUMENT: &str = "kind, id, body, crc";

fn crc(document: &Document) -> i64 {
    let seal = Seal::of("document").bytes(document.kind.as_bytes()).bytes(document.id.as_bytes());
    seal.bytes(&document.body).crc()
}

/// Reads a row; one that is not what was written is known by its id.
/// Whether the file has such records: one that was not opened since may be of the first format.
pub(super) fn are_there(connection: &Connection) -> rusqlite::Result<bool> {
    let format: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    Ok(format >= 2)
}

pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Result<Document, Broken>> {
    let text = |at| {
        row.get_ref(at)
            .map(|value| String::from_utf8_lossy(value.as_bytes().unwrap_or_default()).into_owned())
    };
    let document = Document { kind: text(0)?, id: text(1)?, body: row.get(2)? };
    let sound = row.get::<_, i64>(3)? == crc(&document);
    Ok(if sound { Ok(document) } else { Err(Broken(document.id)) })
}

pub(super) fn all(connection: &Connection, kind: &str) -> rusqlite::Result<Documents> {
    let sql = format!("SELECT {DOCUMENT} FROM document WHERE kind = ?1 ORDER BY id");
    let mut select = connection.prepare_cached(&sql)?;
    let mut documents = Documents::default();
    for row in select.query_map([kind], read)? {
        match row? {
            Ok(document) => documents.found.push(document),
            Err(Broken(id)) => documents.damaged.push(id),
        }
    }
    Ok(documents)
}

pub(super) fn change(store: &mut SqliteStore, changes: &[Change]) -> Result<(), Fault> {
    let connection = store.write()?;
    let done = changes.iter().try_for_each(|change| match change {
        Change::Put(document) => {
            let sql = format!("INSERT OR REPLACE INTO document ({DOCUMENT}) VALUES (?1, ?2, ?3, ?4)");
            let mut insert = connection.prepare_cached(&sql)?;
            insert.execute(params![document.kind, document.id, document.body, crc(document)]).map(drop)
        }
        Change::Remove { kind, id } => {
            let mut delete = connection.prepare_cached("DELETE FROM document WHERE kind = ?1 AND id = ?2")?;
            delete.execute(params![kind, id]).map(drop)
        }
    });
    store.checked(done)
}

//! `store`: for the person who has to look at a store on disk.

use std::path::Path;
use std::process::ExitCode;

use delivery::clock::Clock;
use delivery::store::sqlite::archive::{Archive, State, Wanted};
use delivery::store::sqlite::{Retention, SqliteStore, scrub};
use serde_json::json;

use crate::args::Store;
use crate::exit::{Failure, NOT_ALL_WELL};
use crate::show;

/// How many deliveries are read at once.
const PAGE: usize = 500;

pub(crate) fn store(what: Store) -> Result<ExitCode, Failure> {
    match what {
        Store::Check { data, json } => check(&data, json),
        Store::Scrub { data } => set_aside(&data),
        Store::Export { data, dead } => export(&data, if dead { State::Dead } else { State::Pending }),
    }
}

fn exists(data: &Path) -> Result<(), Failure> {
    if data.join("store.sqlite").exists() {
        return Ok(());
    }
    let why = format!("error: there is no store in {}; name its folder with --data", data.display());
    Err(Failure::wrong_input(why))
}

fn check(data: &Path, as_json: bool) -> Result<ExitCode, Failure> {
    exists(data)?;
    let report = scrub::scrub(data).map_err(|error| Failure::cannot_run(format!("error: {error}")))?;
    if as_json {
        let (rows, pending, wrong) = (report.rows, report.pending, report.wrong);
        show::println(
            &json!({ "rows": rows, "pending": pending, "wrong": wrong, "findings": report.findings })
                .to_string(),
        );
    } else {
        for finding in &report.findings {
            show::println(&format!("{}✗{:#} {}", show::BAD, show::BAD, show::printable(finding)));
        }
        show::println(&format!(
            "{} records verified, {} not settled, {} wrong",
            report.rows, report.pending, report.wrong
        ));
    }
    Ok(if report.wrong == 0 { ExitCode::SUCCESS } else { ExitCode::from(NOT_ALL_WELL) })
}

fn set_aside(data: &Path) -> Result<ExitCode, Failure> {
    exists(data)?;
    let mut store = SqliteStore::open(data, Retention::default())
        .map_err(|error| Failure::cannot_run(format!("error: {error}")))?;
    let damaged = store
        .set_aside_damaged(Clock::start().now())
        .map_err(|error| Failure::cannot_run(format!("error: {error}")))?;
    show::println(&format!("{damaged} damaged deliveries put aside as dead"));
    Ok(ExitCode::SUCCESS)
}

fn export(data: &Path, state: State) -> Result<ExitCode, Failure> {
    exists(data)?;
    let failed = |error| Failure::cannot_run(format!("error: {error}"));
    let archive = Archive::new(data);
    let names = archive.lanes().map_err(failed)?;
    let mut wanted = Wanted { state: Some(state), limit: PAGE, ..Wanted::default() };
    loop {
        let page = archive.deliveries(&wanted).map_err(failed)?;
        for delivery in page.deliveries {
            let name = names.iter().find(|(id, ..)| *id == delivery.lane).map(|(_, name, _)| name.as_str());
            let Some(detail) = archive.detail(&delivery).map_err(failed)? else {
                continue;
            };
            let line = json!({
                "integration": name,
                "number": delivery.id.0,
                "event": delivery.key,
                "webhook_id": delivery.message,
                "accepted_microseconds": delivery.accepted.as_micros(),
                "attempts": delivery.attempts,
                "body": String::from_utf8_lossy(&detail.body),
            });
            show::println(&line.to_string());
        }
        match page.next {
            Some(next) => wanted.before = Some(next),
            None => return Ok(ExitCode::SUCCESS),
        }
    }
}

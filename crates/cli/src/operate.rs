//! `status`, `deliveries`, `dead`, `integrations`, `policies`, `people`, `tokens`, `audit`: what an operator asks of a running server.

mod access;
mod configure;
mod policies;

use std::process::ExitCode;

use serde_json::Value;

use crate::args::configured::Integrations;
use crate::args::{Dead, Deliveries, Filter, Server};
use crate::ask::Ask;
use crate::exit::{Failure, NOT_ALL_WELL};
use crate::show;

pub(crate) use access::{people, tokens};
pub(crate) use policies::{audit, policies};

/// How many deliveries one request asks for.
const PAGE: usize = 500;

fn ask(server: &Server) -> Result<Ask, Failure> {
    Ask::new(&server.server, server.token.as_ref())
}

/// A value as a cell of a table: nothing that could move the cursor.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => show::printable(text).into_owned(),
        other => other.to_string(),
    }
}

/// Rows under their heads, each column as wide as its widest cell.
fn table(heads: &[&str], rows: &[Vec<String>]) {
    let mut widths: Vec<usize> = heads.iter().map(|head| head.len()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let faint = show::FAINT;
    show::println(&format!("{faint}{}{faint:#}", line(heads.to_vec())));
    for row in rows {
        show::println(&line(row.iter().map(String::as_str).collect()));
    }
}

/// Rows of the members of these names.
fn rows(values: &Value, names: &[&str]) -> Vec<Vec<String>> {
    let values = values.as_array().map(Vec::as_slice).unwrap_or_default();
    values.iter().map(|value| names.iter().map(|name| cell(&value[*name])).collect()).collect()
}

pub(crate) fn status(server: &Server) -> Result<ExitCode, Failure> {
    let value = ask(server)?.get("/v1/status", &[])?.good()?;
    if server.json {
        show::println(&value.to_string());
    } else {
        let reason =
            value["reason"].as_str().map_or(String::new(), |why| format!(": {}", show::printable(why)));
        let waits = match value["backlog"].as_u64() {
            Some(1) => "1 delivery waits".to_owned(),
            _ => format!("{} deliveries wait", cell(&value["backlog"])),
        };
        show::println(&format!("{}{reason}, {waits}", cell(&value["state"])));
        integrations_table(&value);
    }
    let ready = value["state"].as_str() == Some("ready");
    Ok(if ready { ExitCode::SUCCESS } else { ExitCode::from(NOT_ALL_WELL) })
}

fn integrations_table(value: &Value) {
    let heads = ["integration", "state", "breaker", "waiting", "under way", "oldest (s)", "url"];
    let names = ["name", "state", "breaker", "backlog", "in_flight", "oldest_age_seconds", "url"];
    table(&heads, &rows(&value["integrations"], &names));
}

pub(crate) fn integrations(what: Integrations) -> Result<ExitCode, Failure> {
    let (name, act, server) = match what {
        Integrations::List(server) => {
            let value = ask(&server)?.get("/v1/status", &[])?.good()?;
            if server.json {
                show::println(&value["integrations"].to_string());
            } else {
                integrations_table(&value);
            }
            return Ok(ExitCode::SUCCESS);
        }
        Integrations::Add { name, form, server } => return configure::add(&name, &form, &server),
        Integrations::Import { file, replace, server } => return configure::import(&file, replace, &server),
        Integrations::Export { data, with_secrets, key_file, key } => {
            return configure::export(&data, with_secrets.then_some((key.as_ref(), key_file.as_deref())));
        }
        Integrations::Remove { name, server } => return configure::remove(&name, &server),
        Integrations::Pause { name, server } => (name, "pause", server),
        Integrations::Resume { name, server } => (name, "resume", server),
        Integrations::Test { name, server } => (name, "test", server),
    };
    let path = format!("/v1/integrations/{}/{act}", encoded(&name));
    let value = ask(&server)?.post(&path, &[], b"")?.good()?;
    let failed = value["delivered"].as_bool() == Some(false);
    if server.json {
        show::println(&value.to_string());
    } else if act == "test" {
        for line in tried(&name, &value) {
            show::println(&line);
        }
    } else {
        show::println(&format!("{} is {}", show::printable(&name), cell(&value["state"])));
    }
    Ok(if failed { ExitCode::from(NOT_ALL_WELL) } else { ExitCode::SUCCESS })
}

/// What became of a test: the outcome, what to do about it, what it went over, and what the receiver said.
fn tried(name: &str, value: &Value) -> Vec<String> {
    let failed = value["delivered"] == false;
    let (style, mark) = if failed { (show::BAD, "✗") } else { (show::GOOD, "✓") };
    let took = value["timings"]["total"].as_f64().unwrap_or_default();
    let faint = show::FAINT;
    let mut lines = vec![format!(
        "{style}{mark}{style:#} {}: {}{faint}  {took:.1} ms{faint:#}",
        show::printable(name),
        cell(&value["outcome"])
    )];
    if let Some(advice) = value["advice"].as_str() {
        lines.push(format!("    {}", show::printable(advice)));
    }
    let connection = &value["connection"];
    if connection.is_object() {
        let checked = if connection["verified"] == true { "verified" } else { "certificate unchecked" };
        let tls = connection["tls"].as_str().map(|tls| format!(", {tls}, {checked}")).unwrap_or_default();
        let to = format!("{}, {}{tls}", cell(&connection["address"]), cell(&connection["http"]));
        lines.push(format!("    {faint}to {}{faint:#}", show::printable(&to)));
    }
    let body = value["response"]["body"].as_str().filter(|_| failed).unwrap_or_default();
    lines.extend(show::said(body).into_iter().map(|said| format!("    the receiver says: {said}")));
    lines
}

/// A name as one segment of a path (RFC 3986, section 3.3).
fn encoded(name: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    name.bytes().map(byte).collect()
}

fn query(filter: &Filter) -> Vec<(&'static str, String)> {
    let given = [
        ("integration", &filter.integration),
        ("event", &filter.event),
        ("alerttype", &filter.alerttype),
        ("since", &filter.since),
        ("until", &filter.until),
    ];
    given.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect()
}

/// Whether dead letters are listed that nobody has sent again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Still {
    Any,
    Dead,
}

/// Lists up to `limit` deliveries, page by page.
fn list(
    server: &Server,
    filter: &Filter,
    (state, still): (Option<&str>, Still),
    limit: usize,
) -> Result<ExitCode, Failure> {
    let (ask, mut found, mut before) = (ask(server)?, Vec::new(), None);
    let still = still == Still::Dead;
    while found.len() < limit {
        let mut query = query(filter);
        query.extend(state.map(|state| ("state", state.to_owned())));
        query.push(("limit", (limit - found.len()).min(PAGE).to_string()));
        query.extend(before.map(|before: u64| ("before", before.to_string())));
        let mut value = ask.get("/v1/deliveries", &query)?.good()?;
        let mut page = value["deliveries"].as_array_mut().map(std::mem::take).unwrap_or_default();
        // What was sent again since is dead no more, or is so as another delivery.
        page.retain(|one| !still || one["sent_again"].is_null());
        found.extend(page);
        before = value["next"].as_u64();
        if before.is_none() {
            break;
        }
    }
    found.truncate(limit);
    let found = Value::Array(found);
    if server.json {
        show::println(&found.to_string());
        return Ok(ExitCode::SUCCESS);
    }
    let heads = ["delivery", "event", "accepted", "state", "attempts", "next attempt", "last outcome"];
    let names = ["delivery", "event", "accepted", "state", "attempts", "next_attempt", "last_outcome"];
    table(&heads, &rows(&found, &names));
    Ok(ExitCode::SUCCESS)
}

/// The path of a delivery that is named as it is listed.
fn path(delivery: &str) -> Result<String, Failure> {
    let parts = delivery.rsplit_once('/').filter(|(_, number)| number.parse::<u64>().is_ok());
    let (integration, number) = parts.ok_or_else(|| {
        let why = format!(
            "error: {delivery:?} is no delivery as it is listed: integration/number, such as siem/12"
        );
        Failure::wrong_input(why)
    })?;
    Ok(format!("/v1/deliveries/{}/{number}", encoded(integration)))
}

pub(crate) fn deliveries(what: Deliveries) -> Result<ExitCode, Failure> {
    match what {
        Deliveries::List { filter, state, limit, server } => {
            list(&server, &filter, (state.as_deref(), Still::Any), limit)
        }
        Deliveries::Show { delivery, server } => {
            let value = ask(&server)?.get(&path(&delivery)?, &[])?.good()?;
            if server.json {
                show::println(&value.to_string());
            } else {
                detail(&value);
            }
            Ok(ExitCode::SUCCESS)
        }
        Deliveries::Resend { delivery, server } => {
            let value = ask(&server)?.post(&format!("{}/resend", path(&delivery)?), &[], b"")?.good()?;
            resent(&server, &value)
        }
    }
}

fn detail(value: &Value) {
    for name in [
        "delivery",
        "event",
        "webhook_id",
        "accepted",
        "state",
        "reason",
        "attempts",
        "next_attempt",
        "settled",
    ] {
        if !value[name].is_null() {
            show::println(&format!("{name:<13} {}", cell(&value[name])));
        }
    }
    let heads = ["attempt", "at", "to", "outcome", "ms"];
    let mut rows = rows(&value["history"], &["number", "at", "peer", "outcome", "milliseconds"]);
    for row in &mut rows {
        if let Some(took) = row.last_mut() {
            *took = took.parse::<f64>().map_or(took.clone(), |took| format!("{took:.1}"));
        }
    }
    table(&heads, &rows);
    show::println(&cell(&value["body"]));
}

fn resent(server: &Server, value: &Value) -> Result<ExitCode, Failure> {
    if server.json {
        show::println(&value.to_string());
    } else {
        show::println(&format!("{} sent again", cell(&value["resent"])));
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn dead(what: Dead) -> Result<ExitCode, Failure> {
    match what {
        Dead::List { filter, limit, server } => list(&server, &filter, (Some("dead"), Still::Dead), limit),
        Dead::Resend { filter, server } => {
            let value = ask(&server)?.post("/v1/dead/resend", &query(&filter), b"")?.good()?;
            resent(&server, &value)
        }
    }
}

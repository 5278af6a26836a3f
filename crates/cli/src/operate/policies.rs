//! `policies` and `audit`: which updates go where, and who changed that.

use std::process::ExitCode;

use serde_json::Value;

use super::{ask, cell, configure, encoded, rows, table};
use crate::args::Server;
use crate::args::configured::Policies;
use crate::ask::Ask;
use crate::exit::Failure;
use crate::show;

const RULES: &str = "/api/v1/rule-engine/rules";
const RULE: &str = "/api/v1/rule-engine/rule";

pub(crate) fn policies(what: &Policies) -> Result<ExitCode, Failure> {
    let (name, server, done) = match what {
        Policies::List(server) => return list(server),
        Policies::Add { name, form, server } => return configure::add_policy(name, form, server),
        Policies::Enable { name, server } => (name, server, "enabled"),
        Policies::Disable { name, server } => (name, server, "disabled"),
        Policies::Remove { name, server } => (name, server, "removed"),
    };
    let ask = ask(server)?;
    let path = format!("{RULE}/{}", encoded(&id(&ask, name)?));
    let answer = match what {
        Policies::Enable { .. } => ask.put(&format!("{path}/enable"), b""),
        Policies::Disable { .. } => ask.put(&format!("{path}/disable"), b""),
        Policies::Remove { .. } | Policies::List(_) | Policies::Add { .. } => ask.delete(&path),
    };
    let value = answer?.good()?;
    if server.json {
        show::println(&value.to_string());
    } else {
        show::println(&format!("{} is {done}", show::printable(name)));
    }
    Ok(ExitCode::SUCCESS)
}

/// The id of the one that is named so, or has it.
fn id(ask: &Ask, name: &str) -> Result<String, Failure> {
    let value = ask.get(RULES, &[])?.good()?;
    let policies = value["data"].as_array().map(Vec::as_slice).unwrap_or_default();
    let by = |member: &str| policies.iter().filter(|policy| policy[member] == name).collect::<Vec<_>>();
    let found = if by("id").is_empty() { by("name") } else { by("id") };
    let listed = |of: &[&Value], member: &str| {
        of.iter().map(|policy| cell(&policy[member])).collect::<Vec<_>>().join(", ")
    };
    let why = match &*found {
        [policy] => return Ok(policy["id"].as_str().unwrap_or(name).to_owned()),
        [] => {
            let all: Vec<_> = policies.iter().collect();
            format!("error: there is no policy {name:?}; there are: {}", listed(&all, "name"))
        }
        several => format!("error: several are called {name:?}; give an id: {}", listed(several, "id")),
    };
    Err(Failure::wrong_input(why))
}

fn list(server: &Server) -> Result<ExitCode, Failure> {
    let value = ask(server)?.get(RULES, &[])?.good()?;
    let policies = &value["data"];
    if server.json {
        show::println(&policies.to_string());
        return Ok(ExitCode::SUCCESS);
    }
    let heads =
        ["policy", "state", "alert types", "severities", "models", "categories", "integrations", "id"];
    let row = |policy: &Value| {
        let config = &policy["config"];
        let state = if policy["enabled"] == true { "enabled" } else { "disabled" };
        let plugins = policy["plugins"].as_array().into_iter().flatten();
        let names: Vec<_> = plugins.map(|plugin| cell(&plugin["name"])).collect();
        vec![
            cell(&policy["name"]),
            state.to_owned(),
            any_of(&config["alerttypes"]),
            any_of(&config["severities"]),
            any_of(&config["algorithms"]),
            any_of(&config["categories"]),
            names.join(", "),
            cell(&policy["id"]),
        ]
    };
    let rows: Vec<_> = policies.as_array().into_iter().flatten().map(row).collect();
    table(&heads, &rows);
    Ok(ExitCode::SUCCESS)
}

/// What a policy asks of a field: one of these, or nothing.
fn any_of(values: &Value) -> String {
    let values: Vec<_> = values.as_array().into_iter().flatten().map(cell).collect();
    if values.is_empty() { "any".to_owned() } else { values.join(", ") }
}

pub(crate) fn audit(limit: u16, server: &Server) -> Result<ExitCode, Failure> {
    let value = ask(server)?.get("/v1/audit", &[("limit", limit.to_string())])?.good()?;
    if server.json {
        show::println(&value.to_string());
    } else {
        table(&["at", "who", "what", "name"], &rows(&value["entries"], &["at", "who", "what", "name"]));
    }
    Ok(ExitCode::SUCCESS)
}

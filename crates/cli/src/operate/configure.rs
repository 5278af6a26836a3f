//! `integrations import`, `export`, `remove`: what is configured, from a file to a running server and back.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use delivery::store::sqlite::archive::Archive;
use payload::field_names::Change;
use sender::settings::Guarding;
use sender::{Policy, Settings, book};
use serde_json::{Value, json};

use super::{ask, encoded};
use crate::args::Server;
use crate::args::configured::{PolicyForm, WebhookForm};
use crate::ask::Ask;
use crate::exit::{Failure, NOT_ALL_WELL};
use crate::secret::Given;
use crate::target::rules;
use crate::{key, show};

/// Prints what is kept in a folder; with the secrets if it is said where their key is.
pub(super) fn export(data: &Path, key: Option<(Option<&Given>, Option<&Path>)>) -> Result<ExitCode, Failure> {
    if !data.join("store.sqlite").exists() {
        return Err(Failure::wrong_input(format!(
            "error: {}: there is no store in it; --data names another folder",
            data.display()
        )));
    }
    let key = key.map(|(given, file)| key::read(given, file, data)).transpose()?;
    let text = book::export(&Archive::new(data), key.as_ref());
    let text = text.map_err(|error| Failure::cannot_run(format!("error: {error}")))?;
    show::println(text.trim_end());
    Ok(ExitCode::SUCCESS)
}

/// The integrations that a server has, by name.
fn known(ask: &Ask) -> Result<BTreeMap<String, Value>, Failure> {
    let mut value = ask.get("/v1/integrations", &[])?.good()?;
    let list = value["integrations"].as_array_mut().map(std::mem::take).unwrap_or_default();
    Ok(list.into_iter().filter_map(|one| Some((one["form"]["name"].as_str()?.to_owned(), one))).collect())
}

/// Hands what a file holds to a server, one after the other. What is refused is told, and the others go on.
pub(super) fn import(file: &Path, replace: bool, server: &Server) -> Result<ExitCode, Failure> {
    // Which addresses they may connect to is for the server to say.
    let settings =
        Settings::read(file, Guarding::Off).map_err(|error| Failure::wrong_input(error.to_string()))?;
    let (ask, mut refused) = (ask(server)?, 0);
    let before = known(&ask)?;
    let mut told = |what: &str, name: &str, answer: Result<Value, Failure>| {
        let (style, mark, said) = match answer {
            Ok(_) => (show::GOOD, "✓", String::new()),
            Err(failure) => (show::BAD, "✗", format!(": {}", failure.text().trim_start_matches("error: "))),
        };
        refused += usize::from(!said.is_empty());
        show::println(&format!("{style}{mark}{style:#} {what} {}{said}", show::printable(name)));
    };
    for (name, form) in &settings.forms {
        let body =
            form.with_secrets().map_err(|error| Failure::cannot_run(format!("error: {name}: {error}")))?;
        let body = body.to_string();
        let answer = match before.get(name).and_then(|one| one["id"].as_str()).filter(|_| replace) {
            Some(id) => ask.put(&format!("/v1/integrations/{}", encoded(id)), body.as_bytes()),
            None => ask.post("/v1/integrations", &[], body.as_bytes()),
        };
        told("integration", name, answer.and_then(crate::ask::Answer::good));
    }
    let now = known(&ask)?;
    let policies = ask.get("/api/v1/rule-engine/rules", &[])?.good()?;
    for policy in &settings.policies {
        let same =
            policies["data"].as_array().into_iter().flatten().find(|one| one["name"] == policy.name.as_str());
        let body = rule(policy, &now).to_string();
        let answer = match same.and_then(|one| one["id"].as_str()) {
            Some(id) if replace => {
                ask.put(&format!("/api/v1/rule-engine/rule/{}", encoded(id)), body.as_bytes())
            }
            // Two of one name are allowed there, but importing a file again must not double what it holds.
            Some(_) => Err(Failure::wrong_input("there is one of this name already; --replace replaces it")),
            None => ask.post("/api/v1/rule-engine/rule", &[], body.as_bytes()),
        };
        told("policy", &policy.name, answer.and_then(crate::ask::Answer::good));
    }
    Ok(if refused == 0 { ExitCode::SUCCESS } else { ExitCode::from(NOT_ALL_WELL) })
}

/// Adds one integration, with what was typed.
pub(super) fn add(name: &str, typed: &WebhookForm, server: &Server) -> Result<ExitCode, Failure> {
    let (mut names, mut constants) = (serde_json::Map::new(), serde_json::Map::new());
    for rule in rules(&typed.names)? {
        match rule.change {
            Change::Rename(name) => names.insert(rule.path, name.into()),
            Change::Omit => names.insert(rule.path, false.into()),
            Change::Add(value) => {
                constants.insert(rule.path, serde_json::from_str(value.as_str()).unwrap_or_default())
            }
        };
    }
    let mut form = json!({
        "name": name,
        "description": typed.description,
        "url": typed.url,
        "skip_ssl_verification": typed.skip_ssl_verification,
        "headers": typed.headers,
        "username": typed.username,
        "allow": typed.allow,
        "field_names": names,
        "constants": constants,
    });
    if let Some(password) = &typed.password {
        form["password"] = password.text().into();
    }
    let (ask, body) = (ask(server)?, form.to_string());
    let before = if typed.replace { known(&ask)?.remove(name) } else { None };
    let answer = match before.as_ref().and_then(|one| one["id"].as_str()) {
        Some(id) => ask.put(&format!("/v1/integrations/{}", encoded(id)), body.as_bytes()),
        None => ask.post("/v1/integrations", &[], body.as_bytes()),
    };
    done(&answer?.good()?, name, server)
}

/// Adds one policy, with what was typed.
pub(super) fn add_policy(name: &str, typed: &PolicyForm, server: &Server) -> Result<ExitCode, Failure> {
    let ask = ask(server)?;
    let policy = Policy {
        id: String::new(),
        name: name.to_owned(),
        description: typed.description.clone(),
        disabled: false,
        alert_types: typed.alert_types.clone(),
        severities: typed.severities.clone(),
        algorithms: typed.models.clone(),
        categories: typed.categories.clone(),
        track_by: typed.track_by.clone(),
        integrations: typed.integrations.clone(),
    };
    let body = rule(&policy, &known(&ask)?).to_string();
    let policies = ask.get("/api/v1/rule-engine/rules", &[])?.good()?;
    let same = policies["data"].as_array().into_iter().flatten().find(|one| one["name"] == name);
    let answer = match same.and_then(|one| one["id"].as_str()) {
        Some(id) if typed.replace => {
            ask.put(&format!("/api/v1/rule-engine/rule/{}", encoded(id)), body.as_bytes())
        }
        Some(_) => {
            let why = format!("error: there is a policy {name:?} already; --replace replaces it");
            return Err(Failure::wrong_input(why));
        }
        None => ask.post("/api/v1/rule-engine/rule", &[], body.as_bytes()),
    };
    done(&answer?.good()?, name, server)
}

fn done(value: &Value, name: &str, server: &Server) -> Result<ExitCode, Failure> {
    if server.json {
        show::println(&value.to_string());
    } else {
        show::println(&format!("{} is in force", show::printable(name)));
    }
    Ok(ExitCode::SUCCESS)
}

/// A policy in the vendor's words, its integrations by the ids that the server gave them.
fn rule(policy: &Policy, known: &BTreeMap<String, Value>) -> Value {
    let id = |name: &String| known.get(name).and_then(|one| one["id"].as_str()).unwrap_or(name).to_owned();
    let name = if policy.name.is_empty() { &policy.id } else { &policy.name };
    json!({
        "name": name,
        "description": policy.description,
        "enabled": !policy.disabled,
        "config": {
            "alerttypes": policy.alert_types,
            "severities": policy.severities,
            "algorithms": policy.algorithms,
            "categories": policy.categories,
            "tracks": policy.track_by,
        },
        "plugins": policy.integrations.iter().map(id).collect::<Vec<_>>(),
    })
}

pub(super) fn remove(name: &str, server: &Server) -> Result<ExitCode, Failure> {
    let ask = ask(server)?;
    let known = known(&ask)?;
    let id = known.get(name).and_then(|one| one["id"].as_str()).unwrap_or(name);
    ask.delete(&format!("/v1/integrations/{}", encoded(id)))?.good()?;
    show::println(&format!("{} is removed", show::printable(name)));
    Ok(ExitCode::SUCCESS)
}

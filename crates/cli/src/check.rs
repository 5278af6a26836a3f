//! `check`: is this configuration valid, and what exactly would be sent? Sends nothing.

use std::process::ExitCode;

use payload::check::Weight;
use payload::{FieldNames, Update};
use sender::policy::{Route, route};
use sender::settings::Guarding;
use sender::{Integration, Preview};
use serde_json::json;

use crate::args::Check;
use crate::exit::{Failure, NOT_ALL_WELL};
use crate::target::{Destination, destination};
use crate::{clock, input, show};

pub(crate) fn check(arguments: &Check) -> Result<ExitCode, Failure> {
    // A configuration is for the server, which refuses what the guard does not let pass.
    let guarding = if arguments.allow_private { Guarding::Off } else { Guarding::Public };
    let destination = destination(&arguments.target, None, false, guarding)?;
    let updates = if arguments.files.is_empty() {
        let sample = Update::parse(payload::SAMPLE);
        vec![sample.map_err(|error| Failure::cannot_run(format!("the sample: {error}")))?]
    } else {
        input::updates(&arguments.files, &FieldNames::standard())?
    };
    let mut well = true;
    for update in &updates {
        well &= show(update, &destination, arguments.json);
    }
    let count = destination.integrations.len();
    anstream::eprintln!(
        "{} valid: {}",
        if count == 1 { "integration" } else { "integrations" },
        names(&destination)
    );
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::from(NOT_ALL_WELL) })
}

fn names(destination: &Destination) -> String {
    let names: Vec<_> =
        destination.integrations.iter().map(|integration| integration.name.as_str()).collect();
    names.join(", ")
}

fn show(update: &Update, destination: &Destination, json: bool) -> bool {
    let all: Vec<&str> =
        destination.integrations.iter().map(|integration| integration.name.as_str()).collect();
    let to = match destination.policies.as_deref().map(|policies| route(update, policies)) {
        None => all,
        Some(Route::To(to)) => to,
        Some(Route::Unmatched) => {
            anstream::eprintln!(
                "{}: no policy matches, so it is sent nowhere",
                show::update(update.as_bytes())
            );
            return true;
        }
        Some(Route::Bypassed) => {
            anstream::eprintln!("{}: it bypasses policies (bypassrule)", show::update(update.as_bytes()));
            return true;
        }
    };
    let mut well = true;
    for integration in
        destination.integrations.iter().filter(|integration| to.contains(&integration.name.as_str()))
    {
        well &= show_request(update, integration, json);
    }
    well
}

fn show_request(update: &Update, integration: &Integration, json: bool) -> bool {
    for finding in payload::check(update, &integration.field_names) {
        let word = if finding.weight == Weight::Error { "error" } else { "warning" };
        anstream::eprintln!("{word}: {}: {}", integration.name, show::printable(&finding.to_string()));
    }
    let preview = match Preview::of(integration, update, None, clock::wall()) {
        Ok(preview) => preview,
        Err(collision) => {
            anstream::eprintln!("error: {}: {collision}", integration.name);
            return false;
        }
    };
    if json {
        anstream::println!("{}", json!(preview));
    } else {
        let faint = show::FAINT;
        let parts = integration.target.parts();
        let unverified = parts.tls.is_unverified() && parts.address.is_secure();
        let warning = if unverified { ", certificate and host name unchecked" } else { "" };
        anstream::println!("{faint}# {}: {}{warning}{faint:#}", integration.name, preview.url);
        anstream::println!("{preview}\n");
    }
    true
}

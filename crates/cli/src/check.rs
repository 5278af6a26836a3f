//! `check`: is this configuration valid, and what exactly would be sent? Sends nothing.

use std::process::ExitCode;

use bytes::Bytes;
use delivery::http::request::request;
use delivery::target::headers::is_secret;
use http::{Request, Version};
use payload::check::Weight;
use payload::{FieldNames, Update};
use sender::Integration;
use sender::message::message;
use sender::policy::{Route, route};

use crate::args::Check;
use crate::exit::{Failure, NOT_ALL_WELL};
use crate::target::{Destination, destination};
use crate::{clock, input, show};

pub(crate) fn check(arguments: &Check) -> Result<ExitCode, Failure> {
    let destination = destination(&arguments.target, None, false)?;
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
    let message = message(update);
    let body = match integration.field_names.render(update) {
        Ok(body) => body,
        Err(collision) => {
            anstream::eprintln!("error: {}: {collision}", integration.name);
            return false;
        }
    };
    let request = request(&integration.target, &message, clock::wall(), body, Version::HTTP_11);
    if json {
        anstream::println!("{}", as_json(integration, &request));
    } else {
        print(integration, &request);
    }
    true
}

/// The header lines as they will be sent, secrets masked.
fn lines(request: &Request<Bytes>) -> Vec<(String, String)> {
    let line = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        let hidden = value.is_sensitive() || is_secret(name);
        let value =
            if hidden { "***".to_owned() } else { String::from_utf8_lossy(value.as_bytes()).into_owned() };
        (title_case(name.as_str()), value)
    };
    request.headers().iter().map(line).collect()
}

/// The spelling in which HTTP/1.1 sends a name.
fn title_case(name: &str) -> String {
    let word = |word: &str| {
        let mut word = word.to_owned();
        if let Some(first) = word.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        word
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

fn print(integration: &Integration, request: &Request<Bytes>) {
    let faint = show::FAINT;
    let parts = integration.target.parts();
    let unverified = parts.tls.is_unverified() && parts.address.is_secure();
    let warning = if unverified { ", certificate and host name unchecked" } else { "" };
    anstream::println!("{faint}# {}: {}{warning}{faint:#}", integration.name, parts.address);
    anstream::println!("POST {} HTTP/1.1", request.uri());
    for (name, value) in lines(request) {
        anstream::println!("{name}: {value}");
    }
    anstream::println!("\n{}\n", String::from_utf8_lossy(request.body()));
}

fn as_json(integration: &Integration, request: &Request<Bytes>) -> serde_json::Value {
    serde_json::json!({
        "integration": integration.name,
        "url": integration.target.parts().address.as_str(),
        "method": request.method().as_str(),
        "headers": lines(request),
        "body": String::from_utf8_lossy(request.body()),
    })
}

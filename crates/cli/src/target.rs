//! From the command line to integrations: those of a configuration, or one made of flags.

use std::path::Path;
use std::sync::Arc;

use delivery::retry::RetryPolicy;
use delivery::target::headers::{HeaderError, Place};
use payload::Rule;
use payload::value::Json;
use secrecy::SecretString;
use sender::integration::{Headers, Mistakes, What};
use sender::settings::Guarding;
use sender::{Draft, Integration, Policy, Settings};

use crate::args::{NameArguments, TargetArguments};
use crate::exit::Failure;
use crate::show;

/// Where updates go.
#[derive(Debug)]
pub(crate) struct Destination {
    /// All integrations that may be used.
    pub(crate) integrations: Vec<Integration>,
    /// How updates are routed; `None` if all go to the only integration.
    pub(crate) policies: Option<Vec<Policy>>,
}

/// Reads the flags. `retry` takes the place of the integrations' own policies; `guarding` is for those of a configuration.
pub(crate) fn destination(
    arguments: &TargetArguments,
    retry: Option<&RetryPolicy>,
    as_is: bool,
    guarding: Guarding,
) -> Result<Destination, Failure> {
    let Some(path) = &arguments.config else {
        let integration = from_flags(arguments, retry, as_is)?;
        return Ok(Destination { integrations: vec![integration], policies: None });
    };
    if as_is || !rules(&arguments.names)?.is_empty() {
        let sentence =
            "--as-is, --rename, --omit and --constant go with --url; a configuration has its own field names";
        return Err(Failure::wrong_input(sentence));
    }
    let settings = Settings::read(path, guarding).map_err(|error| Failure::wrong_input(error.to_string()))?;
    let mut integrations: Vec<Integration> =
        settings.integrations.into_values().map(Arc::unwrap_or_clone).collect();
    let policies = match &arguments.integration {
        Some(name) => {
            integrations = vec![named(path, integrations, name)?];
            None
        }
        None if settings.policies.is_empty() => {
            let sentence = format!(
                "{}: it has no policies that say where updates go; add one, or name an integration with --integration",
                path.display()
            );
            return Err(Failure::wrong_input(sentence));
        }
        None => Some(settings.policies),
    };
    if let Some(retry) = retry {
        for integration in &mut integrations {
            integration.lane.retry = retry.clone();
        }
    }
    Ok(Destination { integrations, policies })
}

/// The field names that the flags of a receiver ask for.
pub(crate) fn integration_of(path: &Path, name: &str) -> Result<Integration, Failure> {
    let settings =
        Settings::read(path, Guarding::Off).map_err(|error| Failure::wrong_input(error.to_string()))?;
    named(path, settings.integrations.into_values().map(Arc::unwrap_or_clone).collect(), name)
}

fn named(path: &Path, integrations: Vec<Integration>, name: &str) -> Result<Integration, Failure> {
    let known: Vec<String> = integrations.iter().map(|integration| integration.name.clone()).collect();
    integrations.into_iter().find(|integration| integration.name == name).ok_or_else(|| {
        let known = known.join(", ");
        Failure::wrong_input(format!(
            "{}: there is no integration {name:?}; there are: {known}",
            path.display()
        ))
    })
}

fn from_flags(
    arguments: &TargetArguments,
    retry: Option<&RetryPolicy>,
    as_is: bool,
) -> Result<Integration, Failure> {
    let Some(url) = &arguments.url else {
        let why = "error: where to? --url names a receiver, --config a file with integrations, and `send --server` a running server";
        return Err(Failure::wrong_input(why));
    };
    let mut draft = Draft::new(url);
    let lines = arguments.header.iter().flat_map(|given| given.0.iter().cloned()).collect();
    draft.headers = Headers { list: arguments.headers.clone().unwrap_or_default(), lines, pairs: Vec::new() };
    draft.username = arguments.username.clone().unwrap_or_default();
    draft.password =
        arguments.password.as_ref().map_or_else(SecretString::default, |password| password.0.clone());
    draft.skip_ssl_verification = arguments.skip_ssl_verification;
    draft.content_type.clone_from(&arguments.content_type);
    draft.http2 = arguments.http2;
    draft.field_names = rules(&arguments.names)?;
    if as_is && !draft.field_names.is_empty() {
        return Err(Failure::wrong_input(
            "--as-is sends a file unread, so that no field in it can be renamed",
        ));
    }
    if let Some(timeout) = arguments.timeout {
        draft.attempt_timeout = timeout;
        draft.connect_timeout = draft.connect_timeout.min(timeout);
    }
    if let Some(path) = &arguments.ca_file {
        let read = std::fs::read(path);
        draft.roots =
            Some(read.map_err(|error| Failure::wrong_input(format!("{}: {error}", path.display())))?);
    }
    if let Some(retry) = retry {
        draft.retry = retry.clone();
    }
    draft.check("command line").map_err(|Mistakes(mistakes)| {
        let shown: Vec<_> = mistakes.iter().map(|mistake| shown(mistake.field, &mistake.what)).collect();
        Failure::wrong_input(shown.join("\n"))
    })
}

fn shown(field: &str, what: &What) -> String {
    let flag = match field {
        "url" => "--url",
        "headers" => "--headers",
        "username, password" => "--username, --password",
        "username, headers" => "--username, --headers",
        "content_type" => "--content-type",
        "content_type, headers" => "--content-type, --headers",
        "field_names" => "--rename, --omit, --constant",
        "attempt_timeout, connect_timeout" => "--timeout",
        "ca_file" => "--ca-file",
        other => other,
    };
    match what {
        What::Sentence(sentence) => format!("error: {flag}: {sentence}"),
        What::Header { text: Some(text), error: HeaderError { place: Place::Span(span), fault } } => {
            let help = HeaderError { place: Place::Span(span.clone()), fault: fault.clone() }.help();
            show::caret(text, span, &fault.to_string(), &help, flag)
        }
        What::Header { error, .. } => {
            format!("error: --header: {error}\n  {}", error.help().replace('\n', "\n  "))
        }
    }
}

/// The rules that the flags spell.
pub(crate) fn rules(names: &NameArguments) -> Result<Vec<Rule>, Failure> {
    let split = |flag: &str, text: &str, form: &str| -> Result<(String, String), Failure> {
        let (left, right) = text
            .split_once('=')
            .ok_or_else(|| Failure::wrong_input(format!("error: {flag} {text:?}: write {flag} {form}")))?;
        Ok((left.trim().to_owned(), right.trim().to_owned()))
    };
    let mut rules = Vec::new();
    for text in &names.rename {
        let (path, name) = split("--rename", text, "path=name")?;
        rules.push(Rule::rename(&path, &name));
    }
    rules.extend(names.omit.iter().map(|path| Rule::omit(path)));
    for text in &names.constant {
        let (name, value) = split("--constant", text, "name=JSON")?;
        let value = Json::parse(&value).map_err(|error| {
            let hint = "a text needs its quotes: --constant 'name=\"value\"'";
            Failure::wrong_input(format!("error: --constant {text:?}: not JSON, {error}; {hint}"))
        })?;
        rules.push(Rule::add(&name, value));
    }
    Ok(rules)
}

//! The configuration as it is typed: private twins that TOML is read into, and what they resolve to.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use delivery::engine::Limits;
use delivery::retry::{DEFAULT_DELAYS, DEFAULT_EXPIRY, DEFAULT_RETRY_AFTER_CAP, RetryPolicy};
use delivery::store::sqlite::Retention;
use delivery::target::guard::Guard;
use payload::Rule;
use payload::value::Json;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use toml::Spanned;

use super::{Guarding, MIN_TOKEN, Mistake, Server, Source, line_of};
use crate::integration::{Draft, Headers};
use crate::policy::Policy;

pub(super) struct Typed {
    pub(super) integrations: BTreeMap<String, Spanned<TypedIntegration>>,
    pub(super) names: Vec<String>,
    pub(super) policies: Vec<Spanned<TypedPolicy>>,
    pub(super) server: TypedServer,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedFile {
    #[serde(default)]
    server: TypedServer,
    #[serde(default)]
    integrations: BTreeMap<String, Spanned<TypedIntegration>>,
    #[serde(default)]
    policies: Vec<Spanned<TypedPolicy>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TypedIntegration {
    url: String,
    #[serde(default)]
    skip_ssl_verification: bool,
    #[serde(default)]
    headers: TypedHeaders,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: Secret,
    content_type: Option<String>,
    #[serde(default)]
    field_names: BTreeMap<String, Name>,
    #[serde(default)]
    constants: BTreeMap<String, toml::Value>,
    attempt_timeout: Option<Time>,
    connect_timeout: Option<Time>,
    #[serde(default)]
    http2: bool,
    ca_file: Option<PathBuf>,
    #[serde(default)]
    allow: Vec<String>,
    concurrency: Option<usize>,
    rate_per_second: Option<u32>,
    #[serde(default)]
    coalesce: bool,
    #[serde(default)]
    retry: TypedRetry,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "headers are a text like \"X-A: b, X-C: d\" or a table of names and values")]
enum TypedHeaders {
    List(String),
    Table(BTreeMap<String, String>),
}

impl Default for TypedHeaders {
    fn default() -> Self {
        Self::List(String::new())
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a secret is a text, { env = \"VARIABLE\" } or { file = \"path\" }")]
enum Secret {
    InPlace(String),
    Variable { env: String },
    File { file: PathBuf },
}

impl Default for Secret {
    fn default() -> Self {
        Self::InPlace(String::new())
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a field has a new name, or false to be left out")]
enum Name {
    Renamed(String),
    Kept(bool),
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedRetry {
    delays: Option<Vec<Time>>,
    expiry: Option<Time>,
    retry_after_cap: Option<Time>,
}

/// A duration such as `15s`, `2m` or `24h`.
#[derive(Clone, Copy)]
struct Time(Duration);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        crate::duration(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TypedPolicy {
    #[serde(default)]
    name: String,
    #[serde(default = "yes")]
    enabled: bool,
    #[serde(default)]
    alert_types: Vec<String>,
    #[serde(default)]
    severities: Vec<String>,
    #[serde(default)]
    algorithms: Vec<String>,
    #[serde(default)]
    categories: Vec<String>,
    #[serde(default)]
    track_by: Vec<String>,
    #[serde(default)]
    integrations: Vec<String>,
}

const fn yes() -> bool {
    true
}

pub(super) fn parse(text: &str) -> Result<Typed, Mistake> {
    let file: TypedFile = toml::from_str(text).map_err(|error| Mistake {
        line: error.span().map(|span| line_of(text, span.start)),
        place: String::new(),
        what: error.message().to_owned(),
    })?;
    let names = file.integrations.keys().cloned().collect();
    Ok(Typed { integrations: file.integrations, names, policies: file.policies, server: file.server })
}

impl TypedIntegration {
    /// Fetches what is kept elsewhere.
    pub(super) fn resolve(self, source: &impl Source, guarding: Guarding) -> Result<Draft, Vec<String>> {
        let mut mistakes = Vec::new();
        let mut draft = Draft::new(&self.url);
        draft.password = secret("password", &self.password, source).unwrap_or_else(|mistake| {
            mistakes.push(mistake);
            SecretString::from("")
        });
        if let Some(path) = &self.ca_file {
            match source.file(path) {
                Ok(pem) => draft.roots = Some(pem),
                Err(error) => mistakes.push(format!("ca_file: {}: {error}", path.display())),
            }
        }
        match self.retry.resolve() {
            Ok(retry) => draft.retry = retry,
            Err(error) => mistakes.push(format!("retry: {error}")),
        }
        match Guard::new(&self.allow) {
            Ok(guard) => draft.guard = (guarding == Guarding::Public).then_some(guard),
            Err(wrong) => mistakes.extend(wrong.iter().map(|error| format!("allow: {error}"))),
        }
        draft.field_names = rules(&self.field_names, &self.constants, &mut mistakes);
        draft.headers = match self.headers {
            TypedHeaders::List(list) => Headers { list, ..Headers::default() },
            TypedHeaders::Table(table) => {
                Headers { pairs: table.into_iter().collect(), ..Headers::default() }
            }
        };
        draft.skip_ssl_verification = self.skip_ssl_verification;
        draft.username = self.username;
        draft.content_type = self.content_type;
        draft.attempt_timeout = self.attempt_timeout.map_or(draft.attempt_timeout, |time| time.0);
        draft.connect_timeout = self.connect_timeout.map_or(draft.connect_timeout, |time| time.0);
        draft.http2 = self.http2;
        draft.concurrency = self.concurrency.unwrap_or(draft.concurrency);
        draft.rate_per_second = self.rate_per_second;
        draft.coalesce = self.coalesce;
        if mistakes.is_empty() { Ok(draft) } else { Err(mistakes) }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TypedServer {
    listen: Option<String>,
    token: Option<Secret>,
    in_flight: Option<NonZeroUsize>,
    in_flight_mib: Option<u64>,
    backlog: Option<u64>,
    history_age: Option<Time>,
    history_mib: Option<u64>,
    drain: Option<Time>,
}

impl TypedServer {
    pub(super) fn resolve(self, source: &impl Source) -> Result<Server, Vec<String>> {
        let default = Server::default();
        let token = self.token.map(|token| secret("token", &token, source)).transpose();
        let token = token.map_err(|mistake| vec![mistake])?;
        if token.as_ref().is_some_and(|token| token.expose_secret().len() < MIN_TOKEN) {
            return Err(vec![format!(
                "token: it is shorter than {MIN_TOKEN} characters, so it could be guessed"
            )]);
        }
        Ok(Server {
            listen: self.listen.unwrap_or(default.listen),
            token,
            limits: Limits {
                in_flight: self.in_flight.unwrap_or(default.limits.in_flight),
                bytes: self.in_flight_mib.map_or(default.limits.bytes, |mib| mib.saturating_mul(1024 * 1024)),
                backlog: self.backlog.unwrap_or(default.limits.backlog),
            },
            retention: Retention {
                age: self.history_age.map_or(default.retention.age, |time| time.0),
                bytes: self
                    .history_mib
                    .map_or(default.retention.bytes, |mib| mib.saturating_mul(1024 * 1024)),
            },
            drain: self.drain.map_or(default.drain, |time| time.0),
        })
    }
}

/// Fetches a secret from where it is kept; `name` is its key.
fn secret(name: &str, secret: &Secret, source: &impl Source) -> Result<SecretString, String> {
    match secret {
        Secret::InPlace(text) => Ok(SecretString::from(text.as_str())),
        Secret::Variable { env } => source
            .variable(env)
            .map(SecretString::from)
            .ok_or_else(|| format!("{name}: the environment variable {env} is not set")),
        Secret::File { file } => {
            let read = source
                .file(file)
                .and_then(|bytes| String::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned()));
            let text = read.map_err(|error| format!("{name}: {}: {error}", file.display()))?;
            // Editors end a file with a line break, which is not part of the password.
            Ok(SecretString::from(
                text.strip_suffix('\n').map_or(text.as_str(), |line| line.trim_end_matches('\r')),
            ))
        }
    }
}

fn rules(
    names: &BTreeMap<String, Name>,
    constants: &BTreeMap<String, toml::Value>,
    mistakes: &mut Vec<String>,
) -> Vec<Rule> {
    let mut rules = Vec::new();
    for (path, name) in names {
        match name {
            Name::Renamed(name) => rules.push(Rule::rename(path, name)),
            Name::Kept(false) => rules.push(Rule::omit(path)),
            Name::Kept(true) => {}
        }
    }
    for (name, value) in constants {
        match serde_json::to_value(value) {
            Ok(value) => rules.push(Rule::add(name, Json::from(&value))),
            Err(error) => mistakes.push(format!("constants: {name}: {error}")),
        }
    }
    rules
}

impl TypedRetry {
    fn resolve(&self) -> Result<RetryPolicy, delivery::retry::PolicyError> {
        let delays = self.delays.as_ref().map(|delays| delays.iter().map(|time| time.0).collect());
        RetryPolicy::new(
            delays.unwrap_or_else(|| DEFAULT_DELAYS.to_vec()),
            self.expiry.map_or(DEFAULT_EXPIRY, |time| time.0),
            self.retry_after_cap.map_or(DEFAULT_RETRY_AFTER_CAP, |time| time.0),
        )
    }
}

impl From<TypedPolicy> for Policy {
    fn from(typed: TypedPolicy) -> Self {
        Self {
            name: typed.name,
            disabled: !typed.enabled,
            alert_types: typed.alert_types,
            severities: typed.severities,
            algorithms: typed.algorithms,
            categories: typed.categories,
            track_by: typed.track_by,
            integrations: typed.integrations,
        }
    }
}

//! The configuration as it is typed: private twins that TOML is read into, and what they resolve to.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use delivery::engine::Limits;
use delivery::store::sqlite::Retention;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use toml::Spanned;

use super::{Lines, MIN_TOKEN, Mistake, Server, Source};
use crate::duration::Time;
use crate::form::{Form, HeaderText, Name, Password, Retry};
use crate::policy::Policy;

pub(super) struct Typed {
    pub(super) integrations: BTreeMap<String, Spanned<TypedIntegration>>,
    pub(super) names: Vec<String>,
    pub(super) policies: Vec<Spanned<TypedPolicy>>,
    pub(super) server: Option<Spanned<TypedServer>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedFile {
    server: Option<Spanned<TypedServer>>,
    #[serde(default)]
    integrations: BTreeMap<String, Spanned<TypedIntegration>>,
    #[serde(default)]
    policies: Vec<Spanned<TypedPolicy>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TypedIntegration {
    #[serde(default)]
    description: String,
    url: String,
    #[serde(default)]
    skip_ssl_verification: bool,
    #[serde(default)]
    headers: HeaderText,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: Option<Secret>,
    content_type: Option<String>,
    #[serde(default)]
    field_names: BTreeMap<String, Name>,
    #[serde(default)]
    constants: BTreeMap<String, serde_json::Value>,
    attempt_timeout: Option<Time>,
    connect_timeout: Option<Time>,
    #[serde(default)]
    http2: bool,
    ca_file: Option<PathBuf>,
    ca: Option<String>,
    #[serde(default)]
    allow: Vec<String>,
    concurrency: Option<usize>,
    rate_per_second: Option<u32>,
    #[serde(default)]
    coalesce: bool,
    #[serde(default)]
    retry: Retry,
}

/// Where a secret is written down.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a secret is a text, { env = \"VARIABLE\" } or { file = \"path\" }")]
pub enum Secret {
    /// In this text itself.
    InPlace(String),
    /// In a variable of the environment.
    Variable {
        /// The variable's name.
        env: String,
    },
    /// In a file; a line break at its end does not belong to it.
    File {
        /// The file's path.
        file: PathBuf,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TypedPolicy {
    #[serde(default)]
    name: String,
    #[serde(default)]
    description: String,
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

pub(super) fn parse(text: &str, lines: &Lines) -> Result<Typed, Mistake> {
    let file: TypedFile = toml::from_str(text).map_err(|error| Mistake {
        line: error.span().map(|span| lines.at(span.start)),
        place: String::new(),
        what: error.message().to_owned(),
    })?;
    let names = file.integrations.keys().cloned().collect();
    Ok(Typed { integrations: file.integrations, names, policies: file.policies, server: file.server })
}

impl TypedIntegration {
    /// Fetches what is kept elsewhere. Its name is that of its table.
    pub(super) fn resolve(self, name: &str, source: &impl Source) -> Result<Form, Vec<String>> {
        let mut mistakes = Vec::new();
        let password = self
            .password
            .as_ref()
            .map(|password| password.read(source).map_err(|error| format!("password: {error}")));
        let password = password.transpose().map_err(|mistake| mistakes.push(mistake)).ok().flatten();
        let read = |path: &PathBuf| {
            let pem =
                source.file(path).and_then(|pem| String::from_utf8(pem).map_err(|_| "not UTF-8".to_owned()));
            pem.map_err(|error| format!("ca_file: {}: {error}", path.display()))
        };
        if self.ca.is_some() && self.ca_file.is_some() {
            mistakes.push("ca: it says the same as ca_file; keep one of them".to_owned());
        }
        let ca = self.ca_file.as_ref().map(read).transpose().map_err(|mistake| mistakes.push(mistake)).ok();
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        Ok(Form {
            name: name.to_owned(),
            description: self.description,
            url: self.url,
            skip_ssl_verification: self.skip_ssl_verification,
            headers: self.headers,
            username: self.username,
            password: password.map(Password),
            content_type: self.content_type,
            field_names: self.field_names,
            constants: self.constants,
            attempt_timeout: self.attempt_timeout,
            connect_timeout: self.connect_timeout,
            http2: self.http2,
            ca: ca.flatten().or(self.ca),
            allow: self.allow,
            concurrency: self.concurrency,
            rate_per_second: self.rate_per_second,
            coalesce: self.coalesce,
            retry: self.retry,
        })
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
        let token =
            self.token.map(|token| token.read(source).map_err(|error| format!("token: {error}"))).transpose();
        let token = token.map_err(|mistake| vec![mistake])?;
        if token.as_ref().is_some_and(|token| token.expose_secret().chars().count() < MIN_TOKEN) {
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

impl Secret {
    /// Fetches it from where it is kept.
    ///
    /// # Errors
    /// Why it is not to be had, for a person.
    pub fn read(&self, source: &impl Source) -> Result<SecretString, String> {
        match self {
            Self::InPlace(text) => Ok(SecretString::from(text.as_str())),
            Self::Variable { env } => source
                .variable(env)
                .map(SecretString::from)
                .ok_or_else(|| format!("the environment variable {env} is not set")),
            Self::File { file } => {
                let wrong = |error: String| format!("{}: {error}", file.display());
                let bytes = Zeroizing::new(source.file(file).map_err(wrong)?);
                let text = std::str::from_utf8(&bytes).map_err(|_| wrong("not UTF-8".to_owned()))?;
                // Editors end a file with a line break, which is not part of the password.
                Ok(SecretString::from(
                    text.strip_suffix('\n').map_or(text, |line| line.trim_end_matches('\r')),
                ))
            }
        }
    }
}

impl From<TypedPolicy> for Policy {
    fn from(typed: TypedPolicy) -> Self {
        Self {
            id: typed.name.clone(),
            name: typed.name,
            description: typed.description,
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

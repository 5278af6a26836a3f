//! A scenario: checks and faults in one TOML file, for runs that are worth repeating.
//!
//! ```
//! let scenario = receiver::scenario::Scenario::parse(r#"
//!     seed = 7
//!
//!     [checks]
//!     path = "/webhook"
//!     headers = ["X-Netography: Webhook"]
//!     without = ["sequence"]
//!
//!     [checks.field-names]
//!     id = "event_id"
//!     rules = false
//!
//!     [checks.constants]
//!     source = "fusion"
//!
//!     [[fault]]
//!     status = 503
//!     retry-after = 2
//!     first = 3
//!     per = "event"
//! "#)?;
//! let builder = scenario.apply(receiver::MockReceiver::builder());
//! # drop(builder);
//! # Ok::<(), receiver::scenario::ScenarioError>(())
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use http::Method;
use payload::FieldNames;
use payload::field_names as names;
use payload::value::Json;
use serde::Deserialize;
use toml::{Spanned, Value};

use crate::check::headers::Required;
use crate::check::signature::Signing;
use crate::check::{Checks, Strictness};
use crate::fault::{Pairs, Rule};
use crate::mock::Builder;
use crate::verdict::Subject;

/// What a file may hold at most, in bytes.
pub const MAX_SCENARIO: usize = 1024 * 1024;

/// Checks and faults. `Debug` shows no password.
#[derive(Clone, Default)]
pub struct Scenario {
    checks: Vec<Setting>,
    rules: Vec<Rule>,
    seed: Option<u64>,
}

impl std::fmt::Debug for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scenario")
            .field("rules", &self.rules)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

/// One change of the checks.
#[derive(Clone)]
enum Setting {
    Method(Method),
    Path(String),
    ContentType(String),
    Credentials { username: Option<String>, password: Option<String> },
    Header(Required),
    Signing(Signing),
    SignatureTolerance(Duration),
    Strictness(Strictness),
    Without(Subject),
    FieldNames(FieldNames),
    MaxBody(usize),
}

/// What is wrong with a scenario: every mistake with its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError {
    /// Line from 1, and what is wrong there.
    pub mistakes: Vec<(usize, String)>,
}

impl std::error::Error for ScenarioError {}

impl std::fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, (line, mistake)) in self.mistakes.iter().enumerate() {
            write!(f, "{}line {line}: {mistake}", if at == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

/// The file as it is typed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Typed {
    #[serde(default)]
    seed: Option<u64>,
    #[serde(default)]
    checks: TypedChecks,
    #[serde(default)]
    fault: Vec<Spanned<BTreeMap<String, Value>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct TypedChecks {
    method: Option<Spanned<String>>,
    path: Option<String>,
    content_type: Option<String>,
    username: Option<String>,
    password: Option<String>,
    headers: Vec<Spanned<String>>,
    signing_secrets: Vec<Spanned<String>>,
    signature_tolerance_seconds: Option<u64>,
    strict: bool,
    without: Vec<Spanned<String>>,
    max_body: Option<usize>,
    /// As in the sender's configuration: the field's path, and its name, or false for one that is left out.
    field_names: BTreeMap<String, Spanned<Name>>,
    constants: BTreeMap<String, Spanned<Value>>,
}

/// What a field is called.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a field has a name, or false if it is left out")]
enum Name {
    Renamed(String),
    Kept(bool),
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// With every mistake that is found.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let line = |at: usize| text.get(..at).map_or(1, |before| before.matches('\n').count() + 1);
        let one = |line, mistake| ScenarioError { mistakes: vec![(line, mistake)] };
        if text.len() > MAX_SCENARIO {
            return Err(one(1, format!("the file is longer than {MAX_SCENARIO} bytes")));
        }
        let typed: Typed = toml::from_str(text).map_err(|error| {
            one(error.span().map_or(1, |span| line(span.start)), error.message().replace('\n', " "))
        })?;
        let mut mistakes = Vec::new();
        let mut scenario = Self { seed: typed.seed, ..Self::default() };
        scenario.read_checks(typed.checks, &mut |at, mistake| mistakes.push((line(at), mistake)));
        for fault in typed.fault {
            let at = line(fault.span().start);
            match pairs(fault.into_inner()).and_then(|pairs| Rule::from_pairs(&pairs)) {
                Ok(rule) => scenario.rules.push(rule),
                Err(error) => mistakes.push((at, format!("fault: {error}"))),
            }
        }
        if mistakes.is_empty() { Ok(scenario) } else { Err(ScenarioError { mistakes }) }
    }

    fn read_checks(&mut self, typed: TypedChecks, wrong: &mut dyn FnMut(usize, String)) {
        let settings = &mut self.checks;
        settings.extend(field_names(&typed.field_names, &typed.constants, wrong).map(Setting::FieldNames));
        settings.extend(typed.path.map(Setting::Path));
        settings.extend(typed.content_type.map(Setting::ContentType));
        settings.extend(typed.max_body.map(Setting::MaxBody));
        let tolerance = typed.signature_tolerance_seconds.map(Duration::from_secs);
        settings.extend(tolerance.map(Setting::SignatureTolerance));
        if typed.strict {
            settings.push(Setting::Strictness(Strictness::Strict));
        }
        if typed.username.as_deref().is_some_and(|username| username.contains(':')) {
            wrong(0, "username: a colon in it would end it (RFC 7617, section 2)".to_owned());
        }
        if typed.username.is_some() || typed.password.is_some() {
            settings.push(Setting::Credentials { username: typed.username, password: typed.password });
        }
        if let Some(method) = typed.method {
            match method.get_ref().parse() {
                Ok(read) => settings.push(Setting::Method(read)),
                Err(_) => wrong(method.span().start, format!("method: {:?} is none", method.get_ref())),
            }
        }
        for header in typed.headers {
            match header.get_ref().parse() {
                Ok(required) => settings.push(Setting::Header(required)),
                Err(error) => wrong(header.span().start, format!("headers: {error}")),
            }
        }
        for name in typed.without {
            match Subject::ALL.into_iter().find(|subject| subject.as_str() == name.get_ref()) {
                Some(subject) => settings.push(Setting::Without(subject)),
                None => wrong(name.span().start, format!("without: there is no check {:?}", name.get_ref())),
            }
        }
        if let Some(first) = typed.signing_secrets.first().map(|secret| secret.span().start) {
            match Signing::new(typed.signing_secrets.iter().map(|secret| secret.get_ref().as_str())) {
                Ok(signing) => settings.push(Setting::Signing(signing)),
                Err(error) => wrong(first, format!("signing-secrets: {error}")),
            }
        }
    }

    /// Adds its checks and its faults to those of a receiver that is to be started.
    #[must_use]
    pub fn apply(self, mut builder: Builder) -> Builder {
        for setting in self.checks {
            builder = match setting {
                Setting::MaxBody(bytes) => builder.max_body(bytes),
                setting => {
                    setting.apply(builder.checks());
                    builder
                }
            };
        }
        builder = self.rules.into_iter().fold(builder, Builder::fault);
        match self.seed {
            Some(seed) => builder.seed(seed),
            None => builder,
        }
    }
}

impl Setting {
    fn apply(self, checks: &mut Checks) {
        match self {
            Self::Method(method) => checks.method = method,
            Self::Path(path) => checks.require_path(&path),
            Self::ContentType(content_type) => checks.content_type = Some(content_type),
            Self::Credentials { username, password } => {
                checks.require_credentials(username.as_deref(), password.as_deref());
            }
            Self::Header(required) => checks.headers.push(required),
            Self::Signing(signing) => checks.signing = Some(signing),
            Self::SignatureTolerance(tolerance) => checks.signature_tolerance = tolerance,
            Self::Strictness(strictness) => checks.strictness = strictness,
            Self::Without(subject) => checks.leave_out(subject),
            Self::FieldNames(names) => checks.field_names = names,
            Self::MaxBody(_) => {}
        }
    }
}

/// The names that the sender gives to the fields; `None` if nothing is said of them.
fn field_names(
    names: &BTreeMap<String, Spanned<Name>>,
    constants: &BTreeMap<String, Spanned<Value>>,
    wrong: &mut dyn FnMut(usize, String),
) -> Option<FieldNames> {
    let of_name = |(path, name): (&String, &Spanned<Name>)| match name.get_ref() {
        Name::Renamed(to) => Some(names::Rule::rename(path, to)),
        Name::Kept(false) => Some(names::Rule::omit(path)),
        Name::Kept(true) => None,
    };
    let mut rules: Vec<_> = names.iter().filter_map(of_name).collect();
    for (name, value) in constants {
        match serde_json::to_value(value.get_ref()) {
            Ok(json) => rules.push(names::Rule::add(name, Json::from(&json))),
            Err(error) => wrong(value.span().start, format!("constants: {name}: {error}")),
        }
    }
    let first = names
        .values()
        .map(|name| name.span().start)
        .chain(constants.values().map(|value| value.span().start))
        .min()?;
    let told = |errors: names::RuleErrors| {
        errors.to_string().lines().for_each(|error| wrong(first, format!("field-names: {error}")));
    };
    FieldNames::compile(&rules).map_err(told).ok()
}

/// A rule's values as text, whatever kind they are written as.
fn pairs(table: BTreeMap<String, Value>) -> Result<Pairs, crate::fault::RuleError> {
    let text = |(name, value): (String, Value)| match value {
        Value::String(text) => Ok((name, text)),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => Ok((name, value.to_string())),
        Value::Datetime(_) | Value::Array(_) | Value::Table(_) => {
            let why = "it takes a text, a number or true".to_owned();
            Err(crate::fault::RuleError { name, why })
        }
    };
    table.into_iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_is_told_with_its_line() {
        let text = "[checks]\nheaders = [\"X Y\"]\nwithout = [\"json\", \"nothing\"]\nsigning-secrets = [\"?\"]\n\n[[fault]]\nstatus = 99\n\n[[fault]]\nreset = \"before\"\nnth = 1\n\n[[fault]]\nslow = []\n";
        assert_eq!(
            Scenario::parse(text).unwrap_err().to_string(),
            "line 2: headers: \"X Y\" is no header name; write 'Name' or 'Name: value'\n\
             line 3: without: there is no check \"nothing\"\n\
             line 4: signing-secrets: the secret is not base64; write whsec_ and the base64 of the key\n\
             line 6: fault: status: \"99\" is no status from 200 to 599\n\
             line 13: fault: slow: it takes a text, a number or true"
        );
        assert_eq!(Scenario::parse("a = 1").unwrap_err().mistakes[0].0, 1);
        assert!(Scenario::parse("\n\nseed = -1").unwrap_err().to_string().starts_with("line 3: "));
    }

    #[test]
    fn a_scenario_is_applied() {
        let text = "seed = 3\n[checks]\nmethod = \"PUT\"\npath = \"/a\"\nusername = \"u\"\nstrict = true\nmax-body = 9\n[[fault]]\ntruncate = true\nevery = 2\n";
        let mut builder = Scenario::parse(text).unwrap().apply(crate::MockReceiver::builder());
        assert_eq!(builder.checks().method, "PUT");
        assert_eq!(builder.checks().path.as_deref(), Some("/a"));
        assert!(builder.checks().credentials.is_some());
        assert_eq!(builder.checks().strictness, Strictness::Strict);
    }

    #[test]
    fn field_names_are_those_of_the_sender() {
        let text = "[checks.field-names]\nid = \"event_id\"\nrules = false\nname = true\n[checks.constants]\nsource = \"fusion\"\n";
        let mut builder = Scenario::parse(text).unwrap().apply(crate::MockReceiver::builder());
        let update = payload::Update::parse(r#"{"id":"a","name":"b","rules":null}"#).unwrap();
        let sent = builder.checks().field_names.render(&update).unwrap().to_vec();
        assert_eq!(String::from_utf8(sent).unwrap(), r#"{"event_id":"a","name":"b","source":"fusion"}"#);
        let wrong = Scenario::parse("[checks.field-names]\nnone = \"x\"\n").unwrap_err().to_string();
        assert!(wrong.starts_with("line 2: field-names: "), "{wrong}");
    }
}

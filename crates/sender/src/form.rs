//! What is configured of an integration, as a person fills it in: the one form that the configuration file, the API and the
//! page have in common, and that is kept.
//!
//! It is text: nothing in it is checked yet but its types. [`Form::draft`] makes of it what can be checked. Written out, it
//! holds no secret: the password is left out, and the values of header fields whose names speak of a secret are `***`. What
//! is read back so keeps the secrets that were there ([`Form::keep_secrets_of`]).

mod headers;
mod whole;

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;

use delivery::retry::{DEFAULT_DELAYS, DEFAULT_EXPIRY, DEFAULT_RETRY_AFTER_CAP, RetryPolicy};
use delivery::target::address::Address;
use delivery::target::guard::Guard;
use payload::Rule;
use payload::value::Json;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::duration::Time;
use crate::integration::{Draft, Guarding, Headers, Integration, Mistakes};

pub use headers::HeaderText;

/// What stands in the place of a secret.
pub const MASK: &str = "***";

/// An integration as it is filled in.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = with_url)]
pub struct Form {
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The URL to POST the event JSON to.
    #[schemars(length(min = 1))]
    pub url: String,
    /// Whether the server's certificate and host name go unchecked.
    pub skip_ssl_verification: bool,
    /// Header lines.
    pub headers: HeaderText,
    /// Basic user name; no colon and no control character in it (RFC 7617).
    #[schemars(regex(pattern = r"^[^:\x00-\x1f\x7f-\x9f]*$"))]
    pub username: String,
    /// Basic password; absent it stays what it was, and empty it is none.
    #[serde(skip_serializing)]
    #[schemars(extend("pattern" = r"^[^\x00-\x1f\x7f-\x9f]*$"))]
    pub password: Option<Password>,
    /// The content type, if it is not `application/json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[!-.0-~]+/[!-~]+$"))]
    pub content_type: Option<String>,
    /// The names that fields are sent under, by their paths; false leaves a field out.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("propertyNames" = paths()))]
    pub field_names: BTreeMap<String, Name>,
    /// Members that are added to every body.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub constants: BTreeMap<String, serde_json::Value>,
    /// How long one attempt may take in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt_timeout: Option<Time>,
    /// How long connecting may take of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<Time>,
    /// Whether HTTP/2 may be spoken.
    pub http2: bool,
    /// Trusted roots as PEM, in place of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// Ranges of addresses that may be connected to beside the public ones (CIDR).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// Attempts under way at once.
    #[serde(deserialize_with = "whole::whole", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<usize>", range(min = 1))]
    pub concurrency: Option<usize>,
    /// Attempts started a second; no limit if absent.
    #[serde(deserialize_with = "whole::whole", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<u32>", range(min = 1))]
    pub rate_per_second: Option<u32>,
    /// Whether ongoing updates that a later one supersedes are spared.
    pub coalesce: bool,
    /// When to try again.
    #[serde(skip_serializing_if = "Retry::is_default")]
    pub retry: Retry,
}

/// A URL is always needed. A missing one is told with what else is wrong, so it is not serde that asks for it.
fn with_url(schema: &mut Schema) {
    if let Some(url) = schema.pointer_mut("/properties/url").and_then(serde_json::Value::as_object_mut) {
        url.remove("default");
    }
    let needed = schema.ensure_object().entry("required").or_insert_with(|| serde_json::json!([]));
    if let Some(needed) = needed.as_array_mut().filter(|needed| !needed.iter().any(|name| name == "url")) {
        needed.push("url".into());
    }
}

/// The fields of an update, which can be called otherwise.
fn paths() -> serde_json::Value {
    serde_json::json!({ "enum": payload::Field::all().map(payload::Field::path).collect::<Vec<_>>() })
}

/// A password, which does not print.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "String")]
pub struct Password(pub SecretString);

/// What a field is called.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged, expecting = "a field has a new name, or false to be left out")]
pub enum Name {
    /// So.
    Renamed(String),
    /// As it is, or nothing.
    Kept(bool),
}

/// When to try again; what is absent is the default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retry {
    /// Delays between attempts, the last of which repeats; none makes one attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delays: Option<Vec<Time>>,
    /// How long after the accept a delivery is given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiry: Option<Time>,
    /// The longest `Retry-After` that is honoured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_cap: Option<Time>,
}

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self(SecretString::from(text))
    }
}

impl JsonSchema for Password {
    fn schema_name() -> Cow<'static, str> {
        "Password".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "writeOnly": true })
    }
}

impl Retry {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    fn policy(&self) -> Result<RetryPolicy, String> {
        let delays = self.delays.as_ref().map(|delays| delays.iter().map(|time| time.0).collect());
        let policy = RetryPolicy::new(
            delays.unwrap_or_else(|| DEFAULT_DELAYS.to_vec()),
            self.expiry.map_or(DEFAULT_EXPIRY, |time| time.0),
            self.retry_after_cap.map_or(DEFAULT_RETRY_AFTER_CAP, |time| time.0),
        );
        policy.map_err(|error| format!("retry: {error}"))
    }
}

impl Form {
    /// What of it can be checked.
    ///
    /// # Errors
    /// All that is wrong with what is not checked there, each under its field.
    pub fn draft(&self, guarding: Guarding) -> Result<Draft, Vec<String>> {
        let mut mistakes = Vec::new();
        let mut draft = Draft::new(&self.url);
        match self.retry.policy() {
            Ok(retry) => draft.retry = retry,
            Err(mistake) => mistakes.push(mistake),
        }
        match Guard::new(&self.allow) {
            Ok(guard) => draft.guard = (guarding == Guarding::Public).then_some(guard),
            Err(wrong) => mistakes.extend(wrong.iter().map(|error| format!("allow: {error}"))),
        }
        if self.headers.is_masked() {
            mistakes.push(format!("headers: {MASK} stands for a secret that is not there; write its value"));
        }
        draft.headers = match self.headers.clone() {
            HeaderText::List(list) => Headers { list, ..Headers::default() },
            HeaderText::Table(table) => Headers { pairs: table.into_iter().collect(), ..Headers::default() },
        };
        draft.password = self.password.clone().map_or_else(|| SecretString::from(""), |password| password.0);
        draft.roots = self.ca.clone().map(String::into_bytes);
        draft.field_names = self.rules();
        draft.skip_ssl_verification = self.skip_ssl_verification;
        draft.username.clone_from(&self.username);
        draft.content_type.clone_from(&self.content_type);
        draft.attempt_timeout = self.attempt_timeout.map_or(draft.attempt_timeout, |time| time.0);
        draft.connect_timeout = self.connect_timeout.map_or(draft.connect_timeout, |time| time.0);
        draft.http2 = self.http2;
        draft.concurrency = self.concurrency.unwrap_or(draft.concurrency);
        draft.rate_per_second = self.rate_per_second;
        draft.coalesce = self.coalesce;
        if mistakes.is_empty() { Ok(draft) } else { Err(mistakes) }
    }

    /// The integration that it describes, which is known by `id`.
    ///
    /// # Errors
    /// All that is wrong, each under its field.
    pub fn check(&self, id: &str, guarding: Guarding) -> Result<Integration, Vec<String>> {
        let told = |mistakes: Mistakes| mistakes.0.iter().map(ToString::to_string).collect::<Vec<_>>();
        let integration = self.draft(guarding)?.check(&self.name).map_err(told)?;
        Ok(Integration { id: id.to_owned(), ..integration })
    }

    /// The field names as rules.
    #[must_use]
    pub fn rules(&self) -> Vec<Rule> {
        let named = self.field_names.iter().filter_map(|(path, name)| match name {
            Name::Renamed(name) => Some(Rule::rename(path, name)),
            Name::Kept(false) => Some(Rule::omit(path)),
            Name::Kept(true) => None,
        });
        let added = self.constants.iter().map(|(name, value)| Rule::add(name, Json::from(value)));
        named.chain(added).collect()
    }

    /// Takes over the secrets of the form that was there before, where this one does not say otherwise: no password for the
    /// same user, or `***` in a header field, of which the n-th line of a name has the value of the n-th.
    ///
    /// # Errors
    /// If they would go to another server than before: who may change an integration need not know them.
    pub fn keep_secrets_of(&mut self, before: &Self) -> Result<(), Vec<String>> {
        let knows_one =
            before.password.as_ref().is_some_and(|password| !password.0.expose_secret().is_empty());
        let password_stays = self.password.is_none()
            && knows_one
            && (self.username == before.username || !self.username.is_empty());
        let moved = match (Address::parse(&self.url), Address::parse(&before.url)) {
            (Ok(now), Ok(then)) => now.is_secure() != then.is_secure() || now.authority() != then.authority(),
            // That is wrong by itself, and nothing is sent there.
            (Err(_), _) => return Ok(()),
            (_, Err(_)) => true,
        };
        let kept =
            |field: &str| format!("{field}: its secret is not kept for another server; write it again");
        let mut mistakes = Vec::new();
        if password_stays && moved {
            mistakes.push(kept("password"));
        } else if password_stays && self.username != before.username {
            mistakes.push("password: the one that is kept is another user's; write this one's".to_owned());
        } else if password_stays {
            self.password.clone_from(&before.password);
        }
        if self.headers.is_masked() && moved {
            mistakes.push(kept("headers"));
        } else if self.headers.is_masked() {
            let known = RefCell::new(before.headers.values());
            self.headers = self.headers.mapped(|name, value| {
                let mut known = known.borrow_mut();
                let at = known.iter().position(|(known, _)| known.eq_ignore_ascii_case(name))?;
                let (_, kept) = known.remove(at);
                (value == MASK).then_some(kept)
            });
        }
        if mistakes.is_empty() { Ok(()) } else { Err(mistakes) }
    }

    /// Its secrets, to be sealed: the password and the header lines.
    ///
    /// # Errors
    /// If they cannot be written, which has no reason to happen.
    pub(crate) fn secrets(&self) -> Result<String, serde_json::Error> {
        let password = self.password.as_ref().map(|password| password.0.expose_secret());
        let headers = match &self.headers {
            HeaderText::List(list) => serde_json::json!(list),
            HeaderText::Table(table) => serde_json::json!(table),
        };
        serde_json::to_string(&serde_json::json!({ "password": password, "headers": headers }))
    }

    /// Puts secrets back that [`Form::secrets`] wrote.
    pub(crate) fn put_secrets(&mut self, text: &str) -> Result<(), serde_json::Error> {
        #[derive(Deserialize)]
        struct Secrets {
            password: Option<Password>,
            headers: HeaderText,
        }
        let secrets: Secrets = serde_json::from_str(text)?;
        (self.password, self.headers) = (secrets.password, secrets.headers);
        Ok(())
    }

    /// As a table of the configuration file, with its secrets if they are asked for.
    ///
    /// # Errors
    /// If something in it cannot be written in TOML.
    pub fn to_toml(&self, with_secrets: bool) -> Result<toml::Table, String> {
        let mut table = toml::Table::try_from(self).map_err(|error| error.to_string())?;
        // There the name is the table's own.
        table.remove("name");
        if with_secrets {
            if let Some(password) = self
                .password
                .as_ref()
                .map(|password| password.0.expose_secret())
                .filter(|password| !password.is_empty())
            {
                table.insert("password".to_owned(), password.into());
            }
            let headers = match &self.headers {
                HeaderText::List(list) => toml::Value::from(list.as_str()),
                HeaderText::Table(headers) => {
                    toml::Value::try_from(headers).map_err(|error| error.to_string())?
                }
            };
            table.insert("headers".to_owned(), headers);
        }
        table.retain(|_, value| {
            !matches!(value, toml::Value::String(text) if text.is_empty())
                && *value != toml::Value::Boolean(false)
        });
        Ok(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(json: serde_json::Value) -> Form {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn written_out_it_holds_no_secret_and_read_back_it_keeps_them() {
        let before = form(serde_json::json!({
            "url": "https://a.example/", "username": "u", "password": "s3cret",
            "headers": "X-A: \"b, c\", X-Api-Key: hidden", "attempt_timeout": "2m",
        }));
        let written = serde_json::to_value(&before).unwrap();
        assert!(
            !written.to_string().contains("s3cret") && !written.to_string().contains("hidden"),
            "{written}"
        );
        assert!(["s3cret", "hidden"].iter().all(|secret| !format!("{before:?}").contains(secret)));
        let mut again: Form = serde_json::from_value(written).unwrap();
        assert_eq!(again.headers.to_string(), "X-A: \"b, c\", X-Api-Key: ***");
        assert!(again.draft(Guarding::Off).unwrap_err()[0].starts_with("headers: ***"));
        again.keep_secrets_of(&before).unwrap();
        let draft = again.draft(Guarding::Off).unwrap();
        assert_eq!(
            (draft.password.expose_secret(), &*draft.headers.list),
            ("s3cret", "X-A: \"b, c\", X-Api-Key: hidden")
        );
        assert_eq!(draft.attempt_timeout.as_secs(), 120);

        let mut other = form(
            serde_json::json!({ "url": "https://a.example/", "password": "", "headers": { "X-Api-Key": "new" } }),
        );
        other.keep_secrets_of(&before).unwrap();
        let draft = other.draft(Guarding::Off).unwrap();
        assert_eq!((draft.password.expose_secret(), &*draft.headers.pairs[0].1), ("", "new"));
    }

    #[test]
    fn secrets_are_kept_for_the_same_server_and_user_only_and_each_line_keeps_its_own() {
        let before = form(serde_json::json!({
            "url": "https://a.example/old", "username": "u", "password": "s3cret",
            "headers": "X-Api-Key: first, X-Api-Key: second",
        }));
        for (url, username, headers, told) in [
            ("https://a.example:443/new", "u", "X-Api-Key: ***, X-Api-Key: ***", &[][..]),
            ("https://a.example:444/", "u", "X-A: b", &["password: its secret"]),
            ("https://b.example/", "", "X-Api-Key: ***", &["headers: its secret"]),
            ("http://a.example/", "u", "X-Api-Key: ***", &["password: its secret", "headers: its secret"]),
            ("https://a.example/", "v", "", &["password: the one that is kept is another user's"]),
            ("https://a.example/", "", "", &[]),
        ] {
            let mut now = form(serde_json::json!({ "url": url, "username": username, "headers": headers }));
            let mistakes = now.keep_secrets_of(&before).err().unwrap_or_default();
            assert_eq!(mistakes.len(), told.len(), "{url}: {mistakes:?}");
            assert!(
                mistakes.iter().zip(told).all(|(mistake, told)| mistake.starts_with(told)),
                "{mistakes:?}"
            );
            assert_eq!(now.password.is_some(), url.ends_with("new"), "{url} {username}");
            if url.ends_with("new") {
                assert_eq!(
                    now.draft(Guarding::Off).unwrap().headers.list,
                    "X-Api-Key: first, X-Api-Key: second"
                );
            }
        }
    }

    #[test]
    fn secrets_go_out_and_come_back() {
        for headers in [serde_json::json!("X-Api-Key: hidden"), serde_json::json!({ "X-Api-Key": "hidden" })]
        {
            let form = form(
                serde_json::json!({ "url": "https://a.example/", "password": "s3cret", "headers": headers }),
            );
            let mut again: Form = serde_json::from_value(serde_json::to_value(&form).unwrap()).unwrap();
            again.put_secrets(&form.secrets().unwrap()).unwrap();
            assert_eq!(again.secrets().unwrap(), form.secrets().unwrap());
            assert!(again.secrets().unwrap().contains("s3cret"));
        }
    }

    #[test]
    fn a_table_of_the_file_is_what_a_person_would_write() {
        let form = form(serde_json::json!({
            "name": "siem", "url": "https://a.example/", "username": "u", "password": "s3cret", "headers": "Api-Key: k",
            "field_names": { "id": "event_id", "rules": false }, "retry": { "expiry": "2h" },
        }));
        let open = form.to_toml(true).unwrap().to_string();
        assert!(
            open.contains("password = \"s3cret\"") && open.contains("headers = \"Api-Key: k\""),
            "{open}"
        );
        let shut = form.to_toml(false).unwrap().to_string();
        assert!(
            !shut.contains("s3cret")
                && shut.contains("headers = \"Api-Key: ***\"")
                && !shut.contains("http2"),
            "{shut}"
        );
    }
}

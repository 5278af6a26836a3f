//! What is kept in the store as the TOML of the configuration file.

use std::collections::BTreeMap;

use delivery::store::sqlite::archive::Archive;

use super::BookError;
use super::records::{self, Kept};
use crate::form::Form;
use crate::policy::Policy;
use crate::seal::SealingKey;

/// Writes what the store of an archive holds, also of one in use: with the secrets if a key is given, and else `***` in the
/// place of those in header lines, and no password.
///
/// # Errors
/// If it cannot be read, the key is another, or something cannot be written in TOML.
pub fn export(archive: &Archive, key: Option<&SealingKey>) -> Result<String, BookError> {
    let Kept { integrations, policies } = records::kept(archive, key)?;
    let names: BTreeMap<&String, &String> = integrations.iter().map(|(id, form)| (id, &form.name)).collect();
    let mut tables = toml::Table::new();
    for form in integrations.values() {
        let table = form.to_toml(key.is_some());
        let table = table.map_err(|error| BookError::Unreadable(form.name.clone(), error))?;
        tables.insert(form.name.clone(), table.into());
    }
    let list: Vec<_> =
        policies.iter().map(|policy| toml::Value::from(policy_table(policy, &names))).collect();
    let mut file = toml::Table::new();
    for (name, value) in [("integrations", toml::Value::from(tables)), ("policies", toml::Value::from(list))]
    {
        if value.as_table().is_none_or(|table| !table.is_empty())
            && value.as_array().is_none_or(|list| !list.is_empty())
        {
            file.insert(name.to_owned(), value);
        }
    }
    toml::to_string_pretty(&file)
        .map_err(|error| BookError::Unreadable("what is configured".to_owned(), error.to_string()))
}

fn policy_table(policy: &Policy, names: &BTreeMap<&String, &String>) -> toml::Table {
    let named = policy.integrations.iter().map(|id| names.get(id).map_or(id, |name| *name).clone()).collect();
    let mut table = toml::Table::new();
    table.insert("name".to_owned(), policy.name.as_str().into());
    if !policy.description.is_empty() {
        table.insert("description".to_owned(), policy.description.as_str().into());
    }
    table.insert("enabled".to_owned(), (!policy.disabled).into());
    for (key, values) in [
        ("alert_types", &policy.alert_types),
        ("severities", &policy.severities),
        ("algorithms", &policy.algorithms),
        ("categories", &policy.categories),
        ("track_by", &policy.track_by),
        ("integrations", &named),
    ] {
        if !values.is_empty() {
            table.insert(key.to_owned(), values.clone().into());
        }
    }
    table
}

impl Form {
    /// As the API takes it, with its secrets: for whoever hands it to a server.
    ///
    /// # Errors
    /// If it cannot be written, which has no reason to happen.
    pub fn with_secrets(&self) -> Result<serde_json::Value, serde_json::Error> {
        let mut value = serde_json::to_value(self)?;
        let secrets: serde_json::Value = serde_json::from_str(&self.secrets()?)?;
        value["password"] = secrets["password"].clone();
        value["headers"] = secrets["headers"].clone();
        if value["password"].is_null() {
            value["password"] = "".into();
        }
        Ok(value)
    }
}

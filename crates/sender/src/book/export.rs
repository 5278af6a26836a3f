//! What is kept in the store as the TOML of the configuration file.

use std::collections::BTreeMap;

use delivery::store::sqlite::archive::Archive;

use super::BookError;
use super::records::{self, Kept};
use crate::form::Form;
use crate::policy::Policy;
use crate::seal::SealingKey;

/// Writes what the store of an archive holds, also of one in use: with the secrets if a key is given, and else `***` in the
/// place of those in header lines, and no password. What a configuration file cannot say is left out, and a comment says so.
///
/// # Errors
/// If it cannot be read, the key is another, or something cannot be written in TOML.
pub fn export(archive: &Archive, key: Option<&SealingKey>) -> Result<String, BookError> {
    let Kept { integrations, policies } = records::kept(archive, key)?;
    let mut left_out = Vec::new();
    let mut names = BTreeMap::new();
    let mut tables = toml::Table::new();
    for (id, form) in &integrations {
        match form.to_toml(key.is_some()) {
            _ if tables.contains_key(&form.name) => {
                left_out.push(format!("integration {:?}: there is another one of this name", form.name));
            }
            Err(error) => left_out.push(format!("integration {:?}: {error}", form.name)),
            Ok(table) => {
                names.insert(id.as_str(), form.name.as_str());
                tables.insert(form.name.clone(), table.into());
            }
        }
    }
    let mut list = Vec::new();
    for policy in &policies {
        let (named, others): (Vec<&str>, Vec<&str>) =
            policy.integrations.iter().map(String::as_str).partition(|id| names.contains_key(id));
        let named: Vec<_> = named.iter().filter_map(|id| names.get(id).copied()).collect();
        if !others.is_empty() {
            left_out.push(format!("policy {:?}: it also goes to {}", policy.name, others.join(", ")));
        }
        if named.is_empty() {
            left_out.push(format!("policy {:?}: it goes to no integration of this file", policy.name));
        } else {
            list.push(toml::Value::from(policy_table(policy, &named)));
        }
    }
    let mut file = toml::Table::new();
    for (name, value) in [("integrations", toml::Value::from(tables)), ("policies", toml::Value::from(list))]
    {
        if value.as_table().is_none_or(|table| !table.is_empty())
            && value.as_array().is_none_or(|list| !list.is_empty())
        {
            file.insert(name.to_owned(), value);
        }
    }
    let written = toml::to_string_pretty(&file)
        .map_err(|error| BookError::Unreadable("what is configured".to_owned(), error.to_string()))?;
    // Debug output of a name has no line breaks, and neither has what TOML says of itself.
    let comments: String =
        left_out.iter().map(|what| format!("# left out: {}\n", what.replace('\n', " "))).collect();
    Ok(comments + &written)
}

fn policy_table(policy: &Policy, integrations: &[&str]) -> toml::Table {
    let named = integrations.iter().map(|&name| name.to_owned()).collect();
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
        value["headers"] = secrets["headers"].clone();
        // What is not said stays as it is.
        if !secrets["password"].is_null() {
            value["password"] = secrets["password"].clone();
        }
        Ok(value)
    }
}

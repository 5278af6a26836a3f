//! The vendor's words for an integration and a policy, read and written. Unknown ones are refused, as there.

use sender::book::View;
use sender::form::{HeaderText, Password};
use sender::{Form, Policy};
use serde::Deserialize;
use serde_json::{Value, json};

/// The content type, where none is given: it is the same to say it or not.
const CONTENT_TYPE: &str = "application/json";

/// The only adapter that there is here.
const ADAPTER: &str = "webhook";

/// An integration as it is sent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IntegrationIn {
    /// What was read may be sent back; it changes nothing.
    pub(super) id: Option<String>,
    adapter: String,
    name: String,
    description: String,
    config: ConfigIn,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigIn {
    url: String,
    authusername: Option<String>,
    authpassword: Option<Password>,
    headers: Option<HeaderText>,
    skipsslverification: Option<bool>,
    contenttype: Option<String>,
}

impl IntegrationIn {
    /// As a form: all that the vendor has words for from here, all else from the one that was there before.
    pub(super) fn form(self, before: Option<&Form>) -> Result<Form, String> {
        if self.adapter != ADAPTER {
            return Err(format!("adapter: {:?} is none of {ADAPTER}", self.adapter));
        }
        Ok(Form {
            name: self.name,
            description: self.description,
            url: self.config.url,
            skip_ssl_verification: self.config.skipsslverification.unwrap_or(false),
            headers: self.config.headers.unwrap_or_default(),
            username: self.config.authusername.unwrap_or_default(),
            password: self.config.authpassword,
            content_type: self.config.contenttype.filter(|kind| !kind.is_empty() && kind != CONTENT_TYPE),
            ..before.cloned().unwrap_or_default()
        })
    }
}

pub(super) fn integration(id: &str, form: &Form) -> Value {
    json!({
        "id": id,
        "adapter": ADAPTER,
        "name": form.name,
        "description": form.description,
        "config": {
            "url": form.url,
            "authusername": form.username,
            "headers": form.headers.to_string(),
            "skipsslverification": form.skip_ssl_verification,
            "contenttype": form.content_type.as_deref().unwrap_or(CONTENT_TYPE),
        },
    })
}

/// A policy as it is sent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleIn {
    id: Option<String>,
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default = "yes")]
    enabled: bool,
    r#type: Option<String>,
    #[serde(default)]
    config: RuleConfigIn,
    #[serde(default)]
    plugins: Vec<Plugin>,
}

const fn yes() -> bool {
    true
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RuleConfigIn {
    alerttypes: Vec<String>,
    severities: Vec<String>,
    algorithms: Vec<String>,
    categories: Vec<String>,
    tracks: Vec<String>,
}

/// An integration of a policy: by its id, or as it was read.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a plugin is the id of an integration, or an object with one")]
enum Plugin {
    Id(String),
    Read { id: String },
}

impl RuleIn {
    /// As a policy; `id` is the one that the path names.
    pub(super) fn policy(self, id: Option<&str>) -> Result<Policy, String> {
        if self.r#type.as_deref().is_some_and(|kind| kind != "alert") {
            return Err(format!("type: {:?} is none of alert", self.r#type.unwrap_or_default()));
        }
        if let (Some(named), Some(id)) = (&self.id, id)
            && named != id
        {
            return Err(format!("id: {named:?} is another one than the path names"));
        }
        let plugins = self.plugins.into_iter().map(|plugin| match plugin {
            Plugin::Id(id) | Plugin::Read { id } => id,
        });
        Ok(Policy {
            id: String::new(),
            name: self.name,
            description: self.description,
            disabled: !self.enabled,
            alert_types: self.config.alerttypes,
            severities: self.config.severities,
            algorithms: self.config.algorithms,
            categories: self.config.categories,
            track_by: self.config.tracks,
            integrations: plugins.collect(),
        })
    }
}

pub(super) fn rule(policy: &Policy, view: &View) -> Value {
    let plugin = |id: &String| {
        let form = view.form(id);
        let (name, description) = form.map_or(("", ""), |form| (&*form.name, &*form.description));
        json!({ "adapter": ADAPTER, "description": description, "id": id, "name": name, "type": "notification" })
    };
    json!({
        "id": policy.id,
        "name": policy.name,
        "description": policy.description,
        "enabled": !policy.disabled,
        "type": "alert",
        "config": {
            "alerttypes": policy.alert_types,
            "severities": policy.severities,
            "algorithms": policy.algorithms,
            "categories": policy.categories,
            "tracks": policy.track_by,
        },
        "plugins": policy.integrations.iter().map(plugin).collect::<Vec<_>>(),
    })
}

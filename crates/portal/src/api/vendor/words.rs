//! The vendor's words for an integration and a policy, read and written. Unknown ones are refused, as there.

use schemars::JsonSchema;
use sender::book::{ALERT_TYPES, MAX_NAME, SEVERITIES, TRACK_BY, View};
use sender::form::{HeaderText, Password};
use sender::{Form, Policy};
use serde::{Deserialize, Serialize};

/// The content type, where none is given: it is the same to say it or not.
const CONTENT_TYPE: &str = "application/json";

/// The only adapter that there is here.
const ADAPTER: &str = "webhook";

/// The only kind of policy that there is here.
const KIND: &str = "alert";

/// An integration as it is sent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "VendorIntegrationIn")]
pub(super) struct IntegrationIn {
    /// What was read may be sent back; it changes nothing.
    pub(super) id: Option<String>,
    #[schemars(extend("const" = ADAPTER))]
    adapter: String,
    name: String,
    description: String,
    config: ConfigIn,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "VendorIntegrationConfigIn")]
struct ConfigIn {
    #[schemars(length(min = 1))]
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

/// An integration as it is answered.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "VendorIntegration")]
pub(super) struct Integration {
    #[schemars(extend("const" = ADAPTER))]
    adapter: &'static str,
    config: Config,
    description: String,
    id: String,
    name: String,
}

/// The settings that the vendor has words for; the password is never among them.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "VendorIntegrationConfig")]
struct Config {
    authusername: String,
    contenttype: String,
    /// A comma-separated list of `name: value` pairs, `***` for secrets.
    headers: String,
    skipsslverification: bool,
    url: String,
}

pub(super) fn integration(id: &str, form: &Form) -> Integration {
    Integration {
        adapter: ADAPTER,
        config: Config {
            authusername: form.username.clone(),
            contenttype: form.content_type.as_deref().unwrap_or(CONTENT_TYPE).to_owned(),
            headers: form.headers.to_string(),
            skipsslverification: form.skip_ssl_verification,
            url: form.url.clone(),
        },
        description: form.description.clone(),
        id: id.to_owned(),
        name: form.name.clone(),
    }
}

/// A policy as it is sent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "VendorPolicyIn")]
pub(super) struct RuleIn {
    /// What was read may be sent back; it says nothing that the path does not.
    #[schemars(extend("readOnly" = true))]
    id: Option<String>,
    /// What people call it, 200 bytes at most.
    #[schemars(length(min = 1, max = MAX_NAME), regex(pattern = r"^[^/\r\n\x00]*$"))]
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default = "yes")]
    enabled: bool,
    #[schemars(extend("enum" = [KIND, null]))]
    r#type: Option<String>,
    #[serde(default)]
    config: RuleConfigIn,
    #[serde(default)]
    plugins: Vec<Plugin>,
}

const fn yes() -> bool {
    true
}

/// What a policy matches; what is empty or has `all` matches everything.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "VendorPolicyConfigIn")]
struct RuleConfigIn {
    #[schemars(extend("items" = one_of(ALERT_TYPES)))]
    alerttypes: Vec<String>,
    #[schemars(extend("items" = one_of(SEVERITIES)))]
    severities: Vec<String>,
    algorithms: Vec<String>,
    categories: Vec<String>,
    #[schemars(extend("items" = one_of(TRACK_BY)))]
    tracks: Vec<String>,
}

fn one_of(words: &[&str]) -> serde_json::Value {
    serde_json::json!({ "type": "string", "enum": words })
}

/// An integration of a policy: by its id, or as it was read.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "VendorPluginIn")]
#[serde(untagged, expecting = "a plugin is the id of an integration, or an object with one")]
enum Plugin {
    Id(String),
    Read { id: String },
}

impl RuleIn {
    /// As a policy; `id` is the one that the path names.
    pub(super) fn policy(self, id: Option<&str>) -> Result<Policy, String> {
        if self.r#type.as_deref().is_some_and(|kind| kind != KIND) {
            return Err(format!("type: {:?} is none of {KIND}", self.r#type.unwrap_or_default()));
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

/// A policy as it is answered.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "VendorPolicy")]
pub(super) struct Rule {
    config: RuleConfig,
    description: String,
    enabled: bool,
    id: String,
    name: String,
    plugins: Vec<PluginRead>,
    #[schemars(extend("const" = KIND))]
    r#type: &'static str,
}

/// What a policy matches. The configuration file may have more words than the vendor.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "VendorPolicyConfig")]
struct RuleConfig {
    algorithms: Vec<String>,
    alerttypes: Vec<String>,
    categories: Vec<String>,
    severities: Vec<String>,
    tracks: Vec<String>,
}

/// An integration of a policy as it is answered.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "VendorPlugin")]
struct PluginRead {
    #[schemars(extend("const" = ADAPTER))]
    adapter: &'static str,
    description: String,
    id: String,
    name: String,
    r#type: &'static str,
}

pub(super) fn rule(policy: &Policy, view: &View) -> Rule {
    let plugin = |id: &String| {
        let form = view.form(id);
        let (name, description) = form.map_or(("", ""), |form| (&*form.name, &*form.description));
        PluginRead {
            adapter: ADAPTER,
            description: description.to_owned(),
            id: id.clone(),
            name: name.to_owned(),
            r#type: "notification",
        }
    };
    Rule {
        config: RuleConfig {
            alerttypes: policy.alert_types.clone(),
            severities: policy.severities.clone(),
            algorithms: policy.algorithms.clone(),
            categories: policy.categories.clone(),
            tracks: policy.track_by.clone(),
        },
        description: policy.description.clone(),
        enabled: !policy.disabled,
        id: policy.id.clone(),
        name: policy.name.clone(),
        plugins: policy.integrations.iter().map(plugin).collect(),
        r#type: KIND,
    }
}

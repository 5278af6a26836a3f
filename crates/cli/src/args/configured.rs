//! `integrations` and `policies` as they are typed.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{NameArguments, Server};
use crate::secret::Given;

#[derive(Debug, Subcommand)]
pub(crate) enum Integrations {
    /// List integrations with what waits for them
    List(Server),
    /// Start no more attempts
    Pause {
        /// The integration
        name: String,
        #[command(flatten)]
        server: Server,
    },
    /// Go on, also after a 410
    Resume {
        /// The integration
        name: String,
        #[command(flatten)]
        server: Server,
    },
    /// Add a webhook, or put it in the place of one of its name
    Add {
        /// What to call it
        name: String,
        #[command(flatten)]
        form: Box<WebhookForm>,
        #[command(flatten)]
        server: Server,
    },
    /// Hand the integrations and policies of a configuration file to a running server, which keeps them
    Import {
        /// The file (TOML); passwords may stand elsewhere, as for `serve`
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Put an integration in the place of one with its name
        #[arg(long)]
        replace: bool,
        #[command(flatten)]
        server: Server,
    },
    /// Print what was added by API as the TOML of a configuration file: read from the folder, also while the server runs
    Export {
        /// The folder of the store
        #[arg(long, value_name = "DIR", default_value = "fusion-webhook-data")]
        data: PathBuf,
        /// With passwords and secret header values
        #[arg(long)]
        with_secrets: bool,
        /// The key that they are sealed with [default: the one in the folder]
        #[arg(long, value_name = "FILE", requires = "with_secrets")]
        key_file: Option<PathBuf>,
        /// The same, as a text
        #[arg(long, env = "FUSION_WEBHOOK_KEY", hide = true, hide_env_values = true)]
        key: Option<Given>,
    },
    /// Remove an integration that was added by API; what waits for it is dead
    Remove {
        /// The integration
        name: String,
        #[command(flatten)]
        server: Server,
    },
    /// Send the documentation page's sample, once, past the queue
    Test {
        /// The integration
        name: String,
        #[command(flatten)]
        server: Server,
    },
}

/// A webhook as it is typed; a configuration file has words for more of it.
#[derive(Args, Debug)]
pub(crate) struct WebhookForm {
    /// The URL to POST the event JSON to
    #[arg(long)]
    pub(crate) url: String,
    /// Skip SSL Verification: the certificate and the host name go unchecked
    #[arg(long)]
    pub(crate) skip_ssl_verification: bool,
    /// Comma-separated list of 'header: value' pairs; *** for a value keeps a secret that is there
    #[arg(long, value_name = "LIST", default_value = "", allow_hyphen_values = true)]
    pub(crate) headers: String,
    /// Basic user name
    #[arg(long, env = "FUSION_WEBHOOK_USERNAME", hide_env_values = true, default_value = "")]
    pub(crate) username: String,
    /// Basic password; env:NAME and file:PATH keep it out of the list of processes
    #[arg(long, env = "FUSION_WEBHOOK_PASSWORD", hide_env_values = true)]
    pub(crate) password: Option<Given>,
    /// What it is for
    #[arg(long, default_value = "")]
    pub(crate) description: String,
    /// A range of addresses that may be connected to beside the public ones (CIDR); may be repeated
    #[arg(long, value_name = "CIDR")]
    pub(crate) allow: Vec<String>,
    #[command(flatten)]
    pub(crate) names: NameArguments,
    /// Put it in the place of the one with its name
    #[arg(long)]
    pub(crate) replace: bool,
}

/// A policy as it is typed; a filter that is not given lets everything through.
#[derive(Args, Debug)]
pub(crate) struct PolicyForm {
    /// An integration that the updates go to, by its name or id; may be repeated
    #[arg(long = "integration", value_name = "NAME")]
    pub(crate) integrations: Vec<String>,
    /// start, ongoing or end; may be repeated
    #[arg(long = "alert-type", value_name = "TYPE")]
    pub(crate) alert_types: Vec<String>,
    /// low, medium or high; may be repeated
    #[arg(long = "severity", value_name = "SEVERITY")]
    pub(crate) severities: Vec<String>,
    /// A detection model; may be repeated
    #[arg(long = "model", value_name = "NAME")]
    pub(crate) models: Vec<String>,
    /// A detection category; may be repeated
    #[arg(long = "category", value_name = "NAME")]
    pub(crate) categories: Vec<String>,
    /// A field by which the detection model tells events apart; may be repeated
    #[arg(long = "track-by", value_name = "FIELD")]
    pub(crate) track_by: Vec<String>,
    /// What it is for
    #[arg(long, default_value = "")]
    pub(crate) description: String,
    /// Put it in the place of the one with its name
    #[arg(long)]
    pub(crate) replace: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Policies {
    /// List response policies, those of the file too
    List(Server),
    /// Add one, or put it in the place of one of its name
    Add {
        /// What to call it
        name: String,
        #[command(flatten)]
        form: Box<PolicyForm>,
        #[command(flatten)]
        server: Server,
    },
    /// Let one work
    Enable {
        /// The policy, by its name or id
        name: String,
        #[command(flatten)]
        server: Server,
    },
    /// Let one rest
    Disable {
        /// The policy, by its name or id
        name: String,
        #[command(flatten)]
        server: Server,
    },
    /// Remove one that was added by API
    Remove {
        /// The policy, by its name or id
        name: String,
        #[command(flatten)]
        server: Server,
    },
}

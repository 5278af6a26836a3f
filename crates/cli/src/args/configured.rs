//! `integrations` and `policies` as they are typed.

use std::path::PathBuf;

use clap::Subcommand;

use super::Server;

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
    /// Print what was added by API as the TOML of a configuration file, also while the server runs
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
        key: Option<String>,
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

#[derive(Debug, Subcommand)]
pub(crate) enum Policies {
    /// List response policies, those of the file too
    List(Server),
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

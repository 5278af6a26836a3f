//! The command line as it is typed.

pub(crate) mod access;
pub(crate) mod configured;
pub(crate) mod receive;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::exit;
use crate::secret::{Given, HeaderLines};
use access::{People, Tokens};
use configured::{Integrations, Policies};
use receive::Receive;

/// Sends the updates of a network-detection platform's events as webhooks, and receives them to develop and test against.
#[derive(Debug, Parser)]
#[command(name = "fusion-webhook", version, after_help = exit::HELP, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// POST updates from files or standard input
    Send(Box<Send>),
    /// Receive updates, check every request, and say what was found
    #[command(after_help = exit::HELP)]
    Receive(Box<Receive>),
    /// Try a receiver with what senders and networks do to it, and say what it should do better
    Certify(Box<Certify>),
    /// Say how a text is read
    #[command(subcommand)]
    Explain(Explain),
    /// Run the server: take updates in over HTTP, keep them on disk, deliver them
    Serve(Box<Serve>),
    /// Say how a running server is
    Status(Server),
    /// List, show and resend deliveries of a running server
    #[command(subcommand)]
    Deliveries(Deliveries),
    /// List and resend what a running server gave up
    #[command(subcommand)]
    Dead(Dead),
    /// List, add, pause, resume, test, import, export and remove integrations of a running server
    #[command(subcommand)]
    Integrations(Integrations),
    /// List, add, enable, disable and remove response policies of a running server
    #[command(subcommand)]
    Policies(Policies),
    /// List who changed what of a running server's configuration, newest first
    Audit {
        /// How many changes
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
        #[command(flatten)]
        server: Server,
    },
    /// List, add and remove who can log in to a running server
    #[command(subcommand)]
    People(People),
    /// List, make and remove the tokens with which programs ask a running server
    #[command(subcommand)]
    Tokens(Tokens),
    /// Look at a store on disk
    #[command(subcommand)]
    Store(Store),
    /// Play the lives of several events between a sender and a receiver of this program
    Demo(Demo),
    /// Say whether a configuration is valid, and show exactly what would be sent; sends nothing
    Check(Box<Check>),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Where updates go: an integration of a configuration, or one made of these flags.
#[derive(Args, Debug)]
pub(crate) struct TargetArguments {
    /// The URL to POST to
    #[arg(long, conflicts_with = "config")]
    pub(crate) url: Option<String>,
    /// A configuration file (TOML)
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// One integration of the configuration; without it, its policies say where each update goes
    #[arg(long, value_name = "NAME", requires = "config")]
    pub(crate) integration: Option<String>,
    /// A header line, 'Name: value', or @FILE with one a line; may be repeated
    #[arg(long = "header", value_name = "LINE", conflicts_with = "config", value_parser = HeaderLines::read)]
    pub(crate) header: Vec<HeaderLines>,
    /// The form's comma-separated list of 'name: value' pairs
    #[arg(long, value_name = "LIST", conflicts_with = "config", allow_hyphen_values = true)]
    pub(crate) headers: Option<String>,
    /// Basic user name
    #[arg(long, env = "FUSION_WEBHOOK_USERNAME", hide_env_values = true, conflicts_with = "config")]
    pub(crate) username: Option<String>,
    /// Basic password; env:NAME and file:PATH keep it out of the list of processes
    #[arg(long, env = "FUSION_WEBHOOK_PASSWORD", hide_env_values = true, conflicts_with = "config")]
    pub(crate) password: Option<Given>,
    /// Skip SSL Verification: the certificate and the host name go unchecked
    #[arg(long, conflicts_with = "config")]
    pub(crate) skip_ssl_verification: bool,
    /// Trust the certificates in this PEM file, and no others
    #[arg(long, value_name = "FILE", conflicts_with_all = ["config", "skip_ssl_verification"])]
    pub(crate) ca_file: Option<PathBuf>,
    /// Content-Type of the body [default: application/json]
    #[arg(long, value_name = "TYPE", conflicts_with = "config")]
    pub(crate) content_type: Option<String>,
    /// Speak HTTP/2 where the server offers it
    #[arg(long, conflicts_with = "config")]
    pub(crate) http2: bool,
    #[command(flatten)]
    pub(crate) names: NameArguments,
    /// How long one attempt may take, such as 15s [default: 15s]
    #[arg(long, value_name = "TIME", value_parser = sender::duration, conflicts_with = "config")]
    pub(crate) timeout: Option<Duration>,
}

/// Custom field names.
#[derive(Args, Debug)]
pub(crate) struct NameArguments {
    /// Send a field under another name: path=name, such as id=event_id or metrics.bits.avg=mean; may be repeated
    #[arg(long, value_name = "PATH=NAME")]
    pub(crate) rename: Vec<String>,
    /// Leave a field out; may be repeated
    #[arg(long, value_name = "PATH")]
    pub(crate) omit: Vec<String>,
    /// Add a member with a constant value: name=JSON; may be repeated
    #[arg(long, value_name = "NAME=JSON")]
    pub(crate) constant: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Send {
    /// Files with updates: one JSON object, an array, or one object a line; - is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) target: TargetArguments,
    /// Try again for so long, such as 2m; without it each update has one attempt
    #[arg(long, value_name = "TIME", value_parser = sender::duration)]
    pub(crate) retry_for: Option<Duration>,
    /// Hand the updates to the running server at this URL, which sends them by its policies
    #[arg(long, value_name = "URL", conflicts_with_all = ["url", "config", "retry_for", "as_is"])]
    pub(crate) server: Option<String>,
    /// The server's bearer token; env:NAME and file:PATH keep it out of the list of processes
    #[arg(long, env = "FUSION_WEBHOOK_TOKEN", hide_env_values = true, requires = "server")]
    pub(crate) token: Option<Given>,
    /// Send each file as it is, as one body, without reading it: to see what a receiver says of a broken one
    #[arg(long)]
    pub(crate) as_is: bool,
    /// Print one JSON object a line and nothing else on standard output
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Check {
    /// Files with updates to show [default: the documentation page's sample]
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) target: TargetArguments,
    /// Let integrations of the configuration connect to private addresses and to this machine, as `serve --allow-private` does
    #[arg(long, requires = "config")]
    pub(crate) allow_private: bool,
    /// Print one JSON object a request and nothing else on standard output
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Certify {
    /// The receiver's URL
    #[arg(value_name = "URL", conflicts_with_all = ["url", "config"])]
    pub(crate) receiver: Option<String>,
    #[command(flatten)]
    pub(crate) target: TargetArguments,
    /// Print one JSON object a trial and nothing else on standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// What is explained.
#[derive(Debug, Subcommand)]
pub(crate) enum Explain {
    /// Every reading of a Headers field, and the one that is used
    Headers {
        /// The comma-separated list of 'name: value' pairs
        #[arg(allow_hyphen_values = true)]
        text: String,
    },
    /// Take an Authorization header apart, without showing the password
    Authorization {
        /// The header's value, or the whole line; - reads it from standard input, which keeps it out of the process list
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// How many events to play
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) events: u16,
    /// The same seed plays the same events
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

#[derive(Args, Debug)]
pub(crate) struct Serve {
    /// Where the API listens; port 0 takes a free one [default: 127.0.0.1:8090]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,
    /// The folder of the store; it is made if there is none
    #[arg(long, value_name = "DIR", default_value = "fusion-webhook-data")]
    pub(crate) data: PathBuf,
    /// The configuration file (TOML); a change of it is taken over, and so is SIGHUP
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Let integrations connect to private addresses and to this machine, for a try on a laptop
    #[arg(long)]
    pub(crate) allow_private: bool,
    /// Take updates from standard input too, one JSON object a line
    #[arg(long)]
    pub(crate) stdin: bool,
    /// The bearer token of the API; env:NAME and file:PATH keep it out of the list of processes
    #[arg(long, env = "FUSION_WEBHOOK_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<Given>,
    /// The key that seals stored secrets: a file with the base64 of 32 bytes [default: one is made in the folder of the store]
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// The same, as a text
    #[arg(
        long,
        env = "FUSION_WEBHOOK_KEY",
        hide = true,
        hide_env_values = true,
        conflicts_with = "key_file"
    )]
    pub(crate) key: Option<Given>,
    /// How much the log on standard error tells
    #[arg(long, value_name = "LEVEL", default_value = "info", value_parser = ["error", "warn", "info", "debug", "trace"])]
    pub(crate) log: String,
    /// Write the log as JSON, one object a line
    #[arg(long)]
    pub(crate) log_json: bool,
}

/// A running server.
#[derive(Args, Debug)]
pub(crate) struct Server {
    /// The server's URL
    #[arg(long, value_name = "URL", env = "FUSION_WEBHOOK_SERVER", default_value = "http://127.0.0.1:8090")]
    pub(crate) server: String,
    /// The server's bearer token; env:NAME and file:PATH keep it out of the list of processes
    #[arg(long, env = "FUSION_WEBHOOK_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<Given>,
    /// Print the server's answer as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which deliveries are meant.
#[derive(Args, Debug)]
pub(crate) struct Filter {
    /// Of this integration
    #[arg(long, value_name = "NAME")]
    pub(crate) integration: Option<String>,
    /// Of this event
    #[arg(long, value_name = "ID")]
    pub(crate) event: Option<String>,
    /// Of this alert type
    #[arg(long, value_name = "TYPE", value_parser = ["start", "ongoing", "end"])]
    pub(crate) alerttype: Option<String>,
    /// Accepted then or later, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Accepted before then
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Deliveries {
    /// List deliveries, newest first
    List {
        #[command(flatten)]
        filter: Filter,
        /// In this state
        #[arg(long, value_parser = ["pending", "delivered", "superseded", "dead"])]
        state: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: usize,
        #[command(flatten)]
        server: Server,
    },
    /// Show one delivery with its attempts and its body
    Show {
        /// As listed: integration/number
        delivery: String,
        #[command(flatten)]
        server: Server,
    },
    /// Send a settled delivery again, at once
    Resend {
        /// As listed: integration/number
        delivery: String,
        #[command(flatten)]
        server: Server,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Dead {
    /// List what was given up, newest first
    List {
        #[command(flatten)]
        filter: Filter,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: usize,
        #[command(flatten)]
        server: Server,
    },
    /// Send all of it again that the filter names
    Resend {
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        server: Server,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Store {
    /// Verify every record of a store, also of one in use; changes nothing
    Check {
        /// The folder of the store
        #[arg(long, value_name = "DIR", default_value = "fusion-webhook-data")]
        data: PathBuf,
        /// Print the report as JSON
        #[arg(long)]
        json: bool,
    },
    /// Put damaged records aside, so that the rest goes on; the server must not run
    Scrub {
        /// The folder of the store
        #[arg(long, value_name = "DIR", default_value = "fusion-webhook-data")]
        data: PathBuf,
    },
    /// Print what is not settled, one JSON object a line
    Export {
        /// The folder of the store
        #[arg(long, value_name = "DIR", default_value = "fusion-webhook-data")]
        data: PathBuf,
        /// Print what was given up instead
        #[arg(long)]
        dead: bool,
    },
}

//! The command line of `receive`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use receiver::Rule;
use receiver::server::tls::made::Flaw;

use super::NameArguments;
use crate::secret::Given;

/// Receive updates, check every request, and say what was found.
#[derive(Args, Debug)]
pub(crate) struct Receive {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub(crate) listen: String,
    /// Show what comes on a page, live, and answer its API; port 0 takes a free one
    #[arg(long, value_name = "ADDR", num_args = 0..=1, require_equals = true, default_missing_value = "127.0.0.1:8081")]
    pub(crate) inspect: Option<String>,
    /// Checks and faults from a TOML file; flags come on top
    #[arg(long, value_name = "FILE")]
    pub(crate) scenario: Option<PathBuf>,
    /// Print one JSON object a line and nothing else on standard output
    #[arg(long)]
    pub(crate) json: bool,
    /// Print nothing of what comes, only where to send and how it ended
    #[arg(long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) checks: CheckArguments,
    #[command(flatten)]
    pub(crate) faults: FaultArguments,
    #[command(flatten)]
    pub(crate) tls: TlsArguments,
    #[command(flatten)]
    pub(crate) captures: CaptureArguments,
    #[command(flatten)]
    pub(crate) script: ScriptArguments,
}

/// The checks that can be left out, those of a scenario among them.
const LEFT_OUT: [&str; 10] = [
    "method",
    "path",
    "body",
    "credentials",
    "content-type",
    "headers",
    "signature",
    "json",
    "shape",
    "sequence",
];

/// What is checked.
#[derive(Args, Debug)]
#[command(next_help_heading = "Checks")]
pub(crate) struct CheckArguments {
    /// Require this Basic user name
    #[arg(long, env = "FUSION_WEBHOOK_USERNAME", hide_env_values = true)]
    pub(crate) username: Option<String>,
    /// Require this Basic password; env:NAME and file:PATH keep it out of the list of processes
    #[arg(long, env = "FUSION_WEBHOOK_PASSWORD", hide_env_values = true)]
    pub(crate) password: Option<Given>,
    /// Require a header, 'Name' or 'Name: value'; may be repeated
    #[arg(long, value_name = "LINE")]
    pub(crate) require_header: Vec<String>,
    /// Require a signature by this key, whsec_ and base64 (Standard Webhooks), or env:NAME, file:PATH; may be repeated
    #[arg(long, value_name = "SECRET", env = "FUSION_WEBHOOK_SIGNING_SECRET", hide_env_values = true)]
    pub(crate) signing_secret: Vec<Given>,
    /// How far a signature's time may be from now [default: 5m]
    #[arg(long, value_name = "TIME", value_parser = sender::duration)]
    pub(crate) signature_tolerance: Option<Duration>,
    /// Require this method [default: POST]
    #[arg(long, value_name = "NAME")]
    pub(crate) method: Option<http::Method>,
    /// Require this path
    #[arg(long)]
    pub(crate) path: Option<String>,
    /// Require this content type [default: application/json]
    #[arg(long, value_name = "TYPE")]
    pub(crate) content_type: Option<String>,
    #[command(flatten)]
    pub(crate) names: NameArguments,
    /// Take the field names from an integration of this configuration file
    #[arg(long, value_name = "FILE", requires = "integration")]
    pub(crate) config: Option<PathBuf>,
    /// The integration whose field names are expected
    #[arg(long, value_name = "NAME", requires = "config")]
    pub(crate) integration: Option<String>,
    /// Refuse what is only odd: unknown fields, unusual values
    #[arg(long)]
    pub(crate) strict: bool,
    /// Leave a check out; may be repeated
    #[arg(long, value_name = "CHECK", value_parser = LEFT_OUT)]
    pub(crate) without: Vec<String>,
    /// The longest body that is taken, in bytes [default: 16777216]
    #[arg(long, value_name = "BYTES")]
    pub(crate) max_body: Option<usize>,
}

/// What goes wrong on purpose.
#[derive(Args, Debug)]
#[command(next_help_heading = "Faults")]
pub(crate) struct FaultArguments {
    /// Do this wrong: status=503,retry-after=2 or redirect=URL, reset=before|within|after|answer, truncate, endless,
    /// raw=TEXT, slow=TIME, silent=TIME, accept-only=TIME, refuse, delay=TIME (100ms, 100ms..300ms, 200ms~50ms); to which requests:
    /// path=, event=, alerttype=, nth=, every=, first=, probability=, per=event, for=TIME. May be repeated, the first that
    /// applies decides
    #[arg(long, value_name = "RULE", value_parser = Rule::parse)]
    pub(crate) fault: Vec<Rule>,
    /// The same seed throws the dice of the faults alike [default: 0]
    #[arg(long)]
    pub(crate) seed: Option<u64>,
}

/// Plain or TLS, and with which certificate.
#[derive(Args, Debug)]
#[command(next_help_heading = "TLS")]
pub(crate) struct TlsArguments {
    /// Speak TLS with a certificate made now: right, expired, wrong-host, self-signed, untrusted-ca
    #[arg(long, value_name = "KIND", num_args = 0..=1, require_equals = true, default_missing_value = "right")]
    pub(crate) tls: Option<Flaw>,
    /// Make the certificate for this host name or address too, beside localhost and where it listens; may be repeated
    #[arg(long, value_name = "NAME", requires = "tls")]
    pub(crate) tls_name: Vec<String>,
    /// Write the made authority to this file, for senders to trust
    #[arg(long, value_name = "FILE", requires = "tls")]
    pub(crate) tls_ca_out: Option<PathBuf>,
    /// Want a certificate of every client; one that is right is written to this file, with its key
    #[arg(long, value_name = "FILE", requires = "tls")]
    pub(crate) tls_client_out: Option<PathBuf>,
    /// Speak TLS with this certificate chain (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key", conflicts_with = "tls")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Want a certificate of every client, by an authority in this file (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_client_ca: Option<PathBuf>,
}

/// What is kept of what came.
#[derive(Args, Debug)]
#[command(next_help_heading = "Captures")]
pub(crate) struct CaptureArguments {
    /// Write every capture to this file as it comes, one JSON object a line, secrets and all; it is added to
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
    /// Show the captures of such a file as they were, before those that come
    #[arg(long, value_name = "FILE", conflicts_with_all = ["expect", "expect_events"], group = "earlier")]
    pub(crate) open: Option<PathBuf>,
    /// Check the requests of such a file anew, as though they came now, before those that come
    #[arg(long, value_name = "FILE", group = "earlier")]
    pub(crate) replay_from: Option<PathBuf>,
    /// Print what was opened or replayed as curl commands, HAR or JSON lines, secrets masked, and end
    #[arg(long, value_name = "AS", requires = "earlier")]
    pub(crate) export: Option<Export>,
    /// How many captures are kept in memory; the oldest go first, and are counted
    #[arg(long, value_name = "COUNT", default_value_t = receiver::capture::MAX_CAPTURES)]
    pub(crate) keep: usize,
}

/// What captures are printed as.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Export {
    Curl,
    Har,
    Json,
}

/// For scripts.
#[derive(Args, Debug)]
#[command(next_help_heading = "Scripts")]
pub(crate) struct ScriptArguments {
    /// End by itself once so many requests came
    #[arg(long, value_name = "COUNT")]
    pub(crate) expect: Option<u64>,
    /// End by itself once updates of so many events came
    #[arg(long, value_name = "COUNT")]
    pub(crate) expect_events: Option<u64>,
    /// End after this time at the latest, such as 30s
    #[arg(long, value_name = "TIME", value_parser = sender::duration)]
    pub(crate) timeout: Option<Duration>,
    /// With --expect or --expect-events: fail, at once, if a check failed
    #[arg(long)]
    pub(crate) fail_on_verdict: bool,
    /// At the end write a report: junit=FILE or json=FILE; may be repeated
    #[arg(long, value_name = "KIND=FILE", value_parser = report)]
    pub(crate) report: Vec<Report>,
    /// Once it listens, write its URL to this file as one JSON object; the file appears whole
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
}

/// A report to write.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) kind: ReportKind,
    pub(crate) file: PathBuf,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum ReportKind {
    Junit,
    Json,
}

fn report(text: &str) -> Result<Report, String> {
    let (kind, file) = text
        .split_once('=')
        .filter(|(_, file)| !file.is_empty())
        .ok_or("write it as junit=FILE or json=FILE")?;
    let kind = match kind {
        "junit" => ReportKind::Junit,
        "json" => ReportKind::Json,
        _ => return Err(format!("{kind:?} is none of junit, json")),
    };
    Ok(Report { kind, file: file.into() })
}

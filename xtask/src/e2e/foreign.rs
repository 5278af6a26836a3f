//! Senders that are not ours against our receiver: what curl, requests and fetch send gets the same verdicts.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{BAD, CREDENTIALS, GOOD, HEADER, Receiver, SAMPLE};
use crate::run::{root, target};

/// Whether a sender is there, and how it is told what to send.
struct Foreign {
    name: &'static str,
    probe: &'static [&'static str],
    command: fn(url: &str, variant: &str, authority: &Path) -> Command,
}

const SENDERS: &[Foreign] = &[
    Foreign { name: "curl", probe: &["curl", "--version"], command: curl },
    Foreign { name: "requests", probe: &["python3", "-c", "import requests"], command: requests },
    Foreign { name: "fetch", probe: &["node", "--version"], command: fetch },
];

/// What is sent, the status that answers it, and what the receiver says at the end.
const CASES: &[(&str, &str, &str)] = &[
    ("right", "200", GOOD),
    ("wrong-password", "401", BAD),
    ("chunked", "200", GOOD),
    ("tls", "200", GOOD),
    ("http2", "200", GOOD),
];

/// Plays all of them. Says how many were as expected, and how many not.
pub(super) fn play(program: &PathBuf) -> Result<(usize, usize), String> {
    let authority = target().join("e2e-authority.pem");
    let (mut passed, mut failed) = (0, 0);
    for sender in SENDERS {
        if !is_there(sender) {
            if std::env::var_os("CI").is_some() {
                return Err(format!("{} is not installed, and in CI nothing is skipped", sender.name));
            }
            println!("{}: skipped, it is not installed", sender.name);
            continue;
        }
        for (variant, status, says) in CASES {
            // Only curl speaks HTTP/2 by itself.
            if *variant == "http2" && sender.name != "curl" {
                continue;
            }
            let mut arguments = [CREDENTIALS, HEADER].concat();
            let path = authority.to_str().ok_or("the target folder is no UTF-8")?;
            if *variant == "tls" {
                arguments.extend(["--tls", "--tls-ca-out", path]);
            }
            let receiver = Receiver::start(program, &arguments)?;
            let mut command = (sender.command)(&receiver.url, variant, &authority);
            let sent = command.current_dir(root()).output().map_err(|error| error.to_string())?;
            let answered = String::from_utf8_lossy(&sent.stdout).trim().to_owned();
            let received = receiver.stop()?;
            let good = answered == *status && received == *says;
            let word = if good { "as expected" } else { "NOT AS EXPECTED" };
            println!("{:<26} {answered:<5} {received:<34} {word}", format!("{} {variant}", sender.name));
            if !good {
                println!("  expected {status}, {says:?}; it said {}", String::from_utf8_lossy(&sent.stderr));
            }
            (passed, failed) = (passed + usize::from(good), failed + usize::from(!good));
        }
    }
    Ok((passed, failed))
}

fn is_there(sender: &Foreign) -> bool {
    let probe = Command::new(sender.probe[0]).args(&sender.probe[1..]).output();
    probe.is_ok_and(|output| output.status.success())
}

fn curl(url: &str, variant: &str, authority: &Path) -> Command {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--noproxy", "*", "--max-time", "20", "--output", "/dev/null"]);
    curl.args(["--write-out", "%{http_code}", "--data-binary", &format!("@{SAMPLE}")]);
    curl.args(["--header", "Content-Type: application/json", "--header", "X-Netography: Webhook"]);
    curl.args(["--user", if variant == "wrong-password" { "u:x" } else { "u:p" }]);
    match variant {
        "chunked" => drop(curl.args(["--header", "Transfer-Encoding: chunked"])),
        "tls" => drop(curl.arg("--cacert").arg(authority)),
        "http2" => drop(curl.arg("--http2-prior-knowledge")),
        _ => {}
    }
    curl.arg(url);
    curl
}

fn requests(url: &str, variant: &str, authority: &Path) -> Command {
    let mut python = Command::new("python3");
    python.args(["tests/senders/with_requests.py", url, variant]).arg(authority);
    python
}

fn fetch(url: &str, variant: &str, authority: &Path) -> Command {
    let mut node = Command::new("node");
    node.args(["tests/senders/with_fetch.mjs", url, variant]);
    if variant == "tls" {
        node.env("NODE_EXTRA_CA_CERTS", authority);
    }
    node
}

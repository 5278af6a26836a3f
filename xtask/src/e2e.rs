//! The built program as people run it: a receiver process, a sender process, and what both say, as a table.

mod foreign;

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::run::{cargo, root, target};

const SAMPLE: &str = "crates/payload/src/sample.json";

/// One row of the matrix.
struct Row {
    name: &'static str,
    receive: &'static [&'static str],
    send: &'static [&'static str],
    exit: i32,
    /// What the sender's output must contain.
    says: &'static str,
    /// What the receiver's last line must be; empty where nothing reaches it.
    receives: &'static str,
}

const GOOD: &str = "received 1, verified 1, failed 0";
const BAD: &str = "received 1, verified 0, failed 1";
const NONE: &str = "received 0, verified 0, failed 0";
const CREDENTIALS: &[&str] = &["--username", "u", "--password", "p"];
const HEADER: &[&str] = &["--require-header", "X-Netography: Webhook"];
const RIGHT_TLS: &[&str] =
    &["--tls-cert", "tests/data/right-host.pem", "--tls-key", "tests/data/right-host.key"];
const WRONG_TLS: &[&str] =
    &["--tls-cert", "tests/data/wrong-host.pem", "--tls-key", "tests/data/wrong-host.key"];

const fn row(
    name: &'static str,
    receive: &'static [&'static str],
    send: &'static [&'static str],
    exit: i32,
    says: &'static str,
    receives: &'static str,
) -> Row {
    Row { name, receive, send, exit, says, receives }
}

const ROWS: &[Row] = &[
    row("plain", &[], &[], 0, "200 OK", GOOD),
    row("credentials", CREDENTIALS, CREDENTIALS, 0, "200 OK", GOOD),
    row("wrong password", CREDENTIALS, &["--username", "u", "--password", "x"], 1, "a wrong password", BAD),
    row("unknown user", CREDENTIALS, &["--username", "x", "--password", "p"], 1, "unknown user", BAD),
    row("no credentials", CREDENTIALS, &[], 1, "401 Unauthorized", BAD),
    row("header line", HEADER, &["--header", "X-Netography: Webhook"], 0, "200 OK", GOOD),
    row("header list", HEADER, &["--headers", "X-A: b, X-Netography: Webhook"], 0, "200 OK", GOOD),
    row("missing header", HEADER, &[], 1, "no such header", BAD),
    row("wrong header", HEADER, &["--header", "X-Netography: x"], 1, "x-netography", BAD),
    row("bad header list", &[], &["--headers", "X-A: b, Webhook"], 2, "no colon", NONE),
    row("custom names", &["--rename", "id=event_id"], &["--rename", "id=event_id"], 0, "200 OK", GOOD),
    row("names not expected", &[], &["--rename", "id=event_id"], 1, "422", BAD),
    row("names not sent", &["--rename", "id=event_id"], &[], 1, "its standard name", BAD),
    row("wrong content type", &[], &["--content-type", "text/plain"], 1, "415", BAD),
    row("unread", &[], &["--as-is"], 0, "200 OK", GOOD),
    row("self-signed", RIGHT_TLS, &[], 1, "self-signed", NONE),
    row("self-signed, skipped", RIGHT_TLS, &["--skip-ssl-verification"], 0, "200 OK", GOOD),
    row("self-signed, trusted", RIGHT_TLS, &["--ca-file", "tests/data/right-host.pem"], 0, "200 OK", GOOD),
    row("HTTP/2", RIGHT_TLS, &["--skip-ssl-verification", "--http2"], 0, "200 OK", GOOD),
    row(
        "wrong host",
        WRONG_TLS,
        &["--ca-file", "tests/data/wrong-host.pem"],
        1,
        "is not for 127.0.0.1",
        NONE,
    ),
    row("wrong host, skipped", WRONG_TLS, &["--skip-ssl-verification"], 0, "200 OK", GOOD),
];

pub(crate) fn e2e() -> Result<(), String> {
    cargo(&["build", "--package", "fusion-webhook"])?;
    let program = target().join("debug/fusion-webhook");
    let mut failed = 0;
    println!("{:<26} {:<5} {:<34} verdict", "case", "exit", "receiver");
    for row in ROWS {
        let (exit, said, received) = play(&program, row)?;
        let good = exit == row.exit && said.contains(row.says) && received.starts_with(row.receives);
        failed += usize::from(!good);
        println!(
            "{:<26} {exit:<5} {received:<34} {}",
            row.name,
            if good { "as expected" } else { "NOT AS EXPECTED" }
        );
        if !good {
            println!(
                "  expected exit {}, {:?}, {:?}; the sender said:\n{said}",
                row.exit, row.says, row.receives
            );
        }
    }
    let passed = ROWS.len() - failed;
    let (foreign, foreign_failed) = foreign::play(&program)?;
    failed += foreign_failed;
    println!("{} passed, {failed} failed", passed + foreign);
    if failed == 0 { Ok(()) } else { Err("the table above shows what is not as expected".to_owned()) }
}

/// A receiver process that listens, and the lines that it prints.
struct Receiver {
    child: Child,
    lines: BufReader<ChildStdout>,
    url: String,
}

impl Receiver {
    fn start(program: &PathBuf, arguments: &[&str]) -> Result<Self, String> {
        let mut child = Command::new(program)
            .args(["receive", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .current_dir(root())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let stdout = child.stdout.take().ok_or("the receiver has no output")?;
        let mut lines = BufReader::new(stdout);
        let mut first = String::new();
        lines.read_line(&mut first).map_err(|error| error.to_string())?;
        let url = first.split_whitespace().find(|word| word.starts_with("http"));
        let url = url.ok_or_else(|| format!("the receiver said {first:?}"))?.to_owned();
        Ok(Self { child, lines, url })
    }

    /// Ends it as Ctrl-C does, and gives its last line.
    fn stop(mut self) -> Result<String, String> {
        let mut interrupt = Command::new("kill");
        crate::run::succeed(interrupt.args(["-INT", &self.child.id().to_string()]))?;
        let lines: Result<Vec<_>, _> = self.lines.by_ref().lines().collect();
        self.child.wait().map_err(|error| error.to_string())?;
        Ok(lines.map_err(|error| error.to_string())?.pop().unwrap_or_default())
    }
}

fn play(program: &PathBuf, row: &Row) -> Result<(i32, String, String), String> {
    let receiver = Receiver::start(program, row.receive)?;
    let sent = Command::new(program)
        .args(["send", SAMPLE, "--url", &receiver.url])
        .args(row.send)
        .current_dir(root())
        .output()
        .map_err(|error| error.to_string())?;
    let said = format!("{}{}", String::from_utf8_lossy(&sent.stdout), String::from_utf8_lossy(&sent.stderr));
    Ok((sent.status.code().unwrap_or(-1), said, receiver.stop()?))
}

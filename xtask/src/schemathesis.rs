//! The server's API against its own description: schemathesis makes requests from the OpenAPI document, right and wrong ones, and
//! judges the answers by it. What it lets pass stands in `tests/schemathesis.toml`.
//!
//! The API sends to URLs that it is given, and the tester invents URLs. So the server and the tester run in a network namespace
//! of their own, in which there is nothing but loopback: nothing can leave the machine.

use std::process::{Command, Stdio};

use crate::rig::{Server, request};
use crate::run::{cargo, root, succeed};

/// What the checks were written for.
const MAJOR: &str = "4.";

/// The bearer token; it is worth nothing elsewhere.
const TOKEN: &str = "a-token-for-tests-only";

/// Something to send to, where nobody listens, and a policy that sends all there: deliveries wait, fail and are listed.
const CONFIGURATION: &str = r#"
[server]
token = "a-token-for-tests-only"
[integrations.siem]
url = "http://127.0.0.1:9/"
allow = ["127.0.0.0/8"]
[[policies]]
name = "everything"
integrations = ["siem"]
"#;

/// Runs it, or says why not.
pub(crate) fn schemathesis(seconds: u64, seed: u64) -> Result<(), String> {
    let alone = match tester().and_then(|()| namespace()) {
        Ok(alone) => alone,
        Err(why) if std::env::var_os("CI").is_some() => {
            return Err(format!("{why}, and in CI nothing is skipped"));
        }
        Err(why) => {
            println!("schemathesis: skipped, {why}");
            return Ok(());
        }
    };
    // Inside there is no network to load anything from.
    cargo(&["build", "--quiet", "--release", "--package", "fusion-webhook"])?;
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut inside = Command::new(alone[0]);
    inside.args(&alone[1..]).arg(own).arg("schemathesis-alone");
    succeed(inside.args([seconds.to_string(), seed.to_string()]))
}

fn tester() -> Result<(), String> {
    let said = Command::new("schemathesis").arg("--version").output();
    let said = said.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    match said.split_whitespace().last() {
        Some(version) if version.starts_with(MAJOR) => Ok(()),
        Some(version) => Err(format!("version {MAJOR}x is wanted, and this is {version}")),
        None => Err("it is not installed (pip install 'schemathesis>=4,<5')".to_owned()),
    }
}

/// How a program is started in a network namespace of its own here: with rights, or as somebody who seems to have them.
fn namespace() -> Result<&'static [&'static str], String> {
    const WAYS: [&[&str]; 2] = [&["unshare", "--net"], &["unshare", "--map-root-user", "--net"]];
    let works = |way: &[&str]| {
        let mut probe = Command::new(way[0]);
        probe.args(&way[1..]).args(["ip", "link", "set", "lo", "up"]).stderr(Stdio::null());
        probe.status().is_ok_and(|status| status.success())
    };
    let found = WAYS.into_iter().find(|way| works(way));
    found.ok_or_else(|| "there is no network namespace to be had (unshare, ip)".to_owned())
}

/// What runs inside.
pub(crate) fn alone(seconds: &str, seed: &str) -> Result<(), String> {
    nothing_but_loopback()?;
    succeed(Command::new("ip").args(["link", "set", "lo", "up"]))?;
    let mut server = Server::new("schemathesis", CONFIGURATION)?;
    server.start()?;
    let mut tester = Command::new("schemathesis");
    tester.arg("--config-file").arg(root().join("tests/schemathesis.toml"));
    tester.args(["run", &format!("http://{}/v1/openapi.json", server.address)]);
    tester.args(["--header", &format!("Authorization: Bearer {TOKEN}"), "--checks", "all", "--no-color"]);
    tester.args(["--seed", seed, "--max-time", seconds, "--generation-database", "none"]);
    // The file switches it off and says why, and still it was heard of once: here all checks are asked for.
    tester.args(["--exclude-checks", "ensure_resource_availability"]);
    // What it keeps for itself goes away with the folder.
    let found = succeed(tester.current_dir(server.folder()));
    let log = std::fs::read_to_string(server.folder().join("log")).unwrap_or_default();
    if let Some(panic) = log.lines().find(|line| line.contains("panicked")) {
        return Err(format!("the server's log says: {panic}"));
    }
    if !matches!(request(&server.address, "GET", "/readyz", ""), Ok((200, _))) {
        return Err("the server is not ready afterwards".to_owned());
    }
    found.map_err(|_| "schemathesis found what stands above".to_owned())
}

/// Whoever runs this by hand must not send anything anywhere.
fn nothing_but_loopback() -> Result<(), String> {
    let devices = std::fs::read_to_string("/proc/self/net/dev").map_err(|error| error.to_string())?;
    let up = |name: &str| {
        let mut shown = Command::new("ip");
        let shown = shown.args(["-oneline", "link", "show", "up", "dev", name]).output();
        !shown.is_ok_and(|output| output.status.success() && output.stdout.is_empty())
    };
    let names = devices.lines().skip(2).filter_map(|line| line.split_once(':')).map(|(name, _)| name.trim());
    match names.filter(|name| *name != "lo").find(|name| up(name)) {
        Some(name) => {
            Err(format!("the network device {name} is up: this runs in a namespace of its own only"))
        }
        None => Ok(()),
    }
}

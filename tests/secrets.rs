//! Secrets that somebody looks for in whatever the programs print at their most talkative, and in whatever they write.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use receiver::MockReceiver;
use serde_json::json;
use tokio::task::{block_in_place, spawn_blocking};

use crate::harness::update;
use crate::program::PROGRAM;

/// None of these may stand anywhere.
const CANARIES: [&str; 9] = [
    "canary-file-password",
    "canary-file-key",
    "canary-password",
    "canary-key",
    "canary-typed",
    "canary-person-password",
    "canary-server-token",
    "canary-wrong-token",
    "Y2FuYXJ5LXNlYWxpbmcta2V5LW9mLTMyLWJ5dGVzISE=",
];

/// A program whose output is kept.
struct Talking {
    child: Child,
    url: String,
    said: std::thread::JoinHandle<String>,
}

fn start(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Talking {
    let log = std::fs::File::create(folder.join("stderr")).unwrap();
    let mut child = Command::new(PROGRAM)
        .args(arguments)
        .current_dir(folder)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    out.read_line(&mut first).unwrap();
    let url = first.split_whitespace().find(|word| word.starts_with("http")).unwrap().to_owned();
    let said = std::thread::spawn(move || {
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        first + &rest
    });
    Talking { child, url, said }
}

impl Talking {
    fn end(mut self) -> String {
        let ended = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(ended.success());
        self.child.wait().unwrap();
        self.said.join().unwrap()
    }
}

/// A secret is named on the command line, not given: what stands there can be read by everybody on the machine.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_named_on_the_command_line_and_one_that_stands_there_is_warned_of() {
    let receiver = MockReceiver::builder().credentials("u", "canary-password").start().await.unwrap();
    let receiver = receiver.url();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let file = write("password", b"canary-password\r\n");
    let header = write("headers", b"X-Api-Key: canary-key\n\nX-Other: 1\n");
    let (broken, gone) = (write("broken", b"canary-\xff"), folder.path().join("gone").display().to_string());
    let tried = |password: String, headers: Option<&str>| {
        let mut command = Command::new(PROGRAM);
        command.args(["send", "--url", &receiver, "--username", "u", "--password", &password]);
        command.args(headers.map(|path| format!("--header=@{path}")));
        command.env("CANARY", "canary-password").stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // One that refuses its arguments does not read on.
        let _ = child.stdin.take().unwrap().write_all(payload::SAMPLE.as_bytes());
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        none_is_in("the output", &output.stdout);
        none_is_in("the errors", errors.as_bytes());
        (output.status.code().unwrap(), errors)
    };
    block_in_place(|| {
        for named in ["env:CANARY".to_owned(), format!("file:{file}")] {
            assert_eq!(tried(named, Some(&header)), (0, String::new()));
        }
        let (code, errors) = tried("canary-password".to_owned(), None);
        assert!(code == 0 && errors.contains("warning: --password: other users of this machine"), "{errors}");
        for (named, why) in [
            ("env:NO_SUCH_CANARY".to_owned(), "the environment variable NO_SUCH_CANARY is not set"),
            (format!("file:{gone}"), "No such file"),
            (format!("file:{broken}"), "not UTF-8"),
            ("file:/dev/zero".to_owned(), "longer than 4194304 bytes"),
            ("env:".to_owned(), "name behind env:"),
            ("file:".to_owned(), "path behind file:"),
        ] {
            let (code, errors) = tried(named, None);
            assert!(code == 2 && errors.contains("--password") && errors.contains(why), "{errors}");
        }
        let (code, errors) = tried("env:CANARY".to_owned(), Some(&gone));
        assert!(code == 2 && errors.contains("--header") && errors.contains("No such file"), "{errors}");
    });
}

/// A variable's value is the secret itself, whatever it begins with.
#[test]
fn what_a_variable_says_is_not_looked_up_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let environment = [("FUSION_WEBHOOK_PASSWORD", "env:HOME"), ("FUSION_WEBHOOK_USERNAME", "u")];
    let receiver =
        start(folder.path(), &["receive", "--listen", "127.0.0.1:0", "--expect", "1"], &environment);
    let sent = Command::new(PROGRAM)
        .args(["send", "--url", &receiver.url, "-"])
        .envs(environment)
        .stdin(
            std::fs::File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/../payload/src/sample.json")).unwrap(),
        )
        .output()
        .unwrap();
    assert!(sent.status.success(), "{sent:?}");
}

/// Nothing is left of the memory of a program that crashes.
#[cfg(target_os = "linux")]
#[test]
fn a_crash_leaves_no_core() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &["serve", "--listen", "127.0.0.1:0", "--data", "data"], &[]);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.child.id())).unwrap();
    let core: Vec<&str> =
        limits.lines().find(|line| line.contains("core file")).unwrap().split_whitespace().collect();
    // Where whoever started the test allows none at all, it cannot be raised to one byte.
    assert!(core[4..6].iter().all(|limit| ["0", "1"].contains(limit)), "{core:?}");
    server.end();
}

/// Everything below a folder, with its path.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: std::path::PathBuf| {
        if path.is_dir() {
            files(&path)
        } else {
            vec![(path.display().to_string(), std::fs::read(&path).unwrap())]
        }
    };
    entries.flat_map(read).collect()
}

fn none_is_in(what: &str, bytes: &[u8]) {
    for canary in CANARIES {
        let found = bytes.windows(canary.len()).position(|window| window == canary.as_bytes());
        let around = |at: usize| String::from_utf8_lossy(&bytes[at.saturating_sub(200)..at]).into_owned();
        assert!(found.is_none(), "{canary} stands in {what} behind {:?}", found.map(around));
    }
}

const CONFIGURATION: &str = r#"
[integrations.filed]
url = "http://127.0.0.1:9/"
username = "u"
password = "canary-file-password"
headers = "X-Api-Key: canary-file-key"
allow = ["127.0.0.0/8"]
[integrations.filed.retry]
delays = ["10ms"]
expiry = "1s"
[[policies]]
integrations = ["filed"]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn at_trace_level_no_secret_is_printed_and_none_is_written_but_sealed() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let configuration = elsewhere.path().join("config.toml");
    std::fs::write(&configuration, CONFIGURATION).unwrap();
    let receiver = start(
        elsewhere.path(),
        &[
            "receive",
            "--listen",
            "127.0.0.1:0",
            "--username",
            "u",
            "--require-header",
            "X-Api-Key: canary-key",
        ],
        &[("FUSION_WEBHOOK_PASSWORD", "canary-password")],
    );
    let config = configuration.to_str().unwrap();
    let arguments = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--allow-private",
        "--config",
        config,
        "--data",
        "data",
        "--log",
        "trace",
    ];
    let secrets = [
        ("FUSION_WEBHOOK_TOKEN", "canary-server-token"),
        ("FUSION_WEBHOOK_KEY", "Y2FuYXJ5LXNlYWxpbmcta2V5LW9mLTMyLWJ5dGVzISE="),
    ];
    let server = start(folder.path(), &arguments, &secrets);
    let asked = Asked { url: server.url.clone(), receiver: receiver.url.clone() };
    spawn_blocking(move || ask_all(&asked)).await.unwrap();

    block_in_place(|| {
        none_is_in("what the server said", server.end().as_bytes());
        let answered = receiver.end();
        none_is_in("what the receiver said", answered.as_bytes());
        assert!(answered.contains("200 verified") && answered.contains("401"), "both were tried: {answered}");
    });
    let kept = files(folder.path());
    assert!(kept.iter().any(|(path, _)| path.ends_with("store.sqlite")));
    let log = &kept.iter().find(|(path, _)| path.ends_with("stderr")).unwrap().1;
    assert!(String::from_utf8_lossy(log).contains("DEBUG"), "it says more than usual");
    for (path, bytes) in kept {
        none_is_in(&path, &bytes);
    }
}

/// Where the server and the receiver are.
struct Asked {
    url: String,
    receiver: String,
}

/// Everything that has to do with a secret, right and wrong.
fn ask_all(asked: &Asked) {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).proxy(None).max_redirects(0).build().into();
    let ask = |method: &str, path: &str, token: &str, kind: &str, body: String| {
        let request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", asked.url));
        let request = request.header("content-type", kind).header("authorization", format!("Bearer {token}"));
        agent.run(request.body(body).unwrap()).unwrap().status().as_u16()
    };
    let json = |method: &str, path: &str, body: serde_json::Value| {
        ask(method, path, "canary-server-token", "application/json", body.to_string())
    };
    let form = |password: &str| {
        json!({
            "name": "kept", "url": asked.receiver, "username": "u", "password": password,
            "headers": "X-Api-Key: canary-key", "retry": { "delays": [] },
        })
    };
    assert_eq!(ask("GET", "v1/status", "canary-wrong-token", "text/plain", String::new()), 401);
    assert_eq!(json("POST", "v1/integrations", form("canary-typed")), 201, "with a wrong password");
    let broken = json!({ "name": "x", "url": "canary-typed", "headers": "X-Api-Key: canary-typed, oops", "password": "canary-typed" });
    assert_eq!(json("POST", "v1/integrations", broken), 400);
    assert_eq!(json("POST", "v1/test", json!({ "form": form("canary-typed") })), 200);
    assert_eq!(json("POST", "v1/preview", json!({ "form": form("canary-password") })), 200);
    let text = "{\"password\": \"canary-typed\" \"url\"".to_owned();
    assert_eq!(ask("POST", "v1/integrations", "canary-server-token", "application/json", text), 400);
    assert_eq!(
        json("POST", "v1/people", json!({ "name": "ann", "password": "canary-person-password" })),
        201
    );
    for password in ["canary-typed", "canary-person-password"] {
        let body = format!("name=ann&password={password}");
        let status = ask("POST", "login", "canary-wrong-token", "application/x-www-form-urlencoded", body);
        assert!([303, 403].contains(&status), "{status}");
    }
    let token = json!({ "name": "t" });
    assert_eq!(json("POST", "v1/tokens", token), 201);
    let (policy, body) = (json!({ "name": "all", "plugins": [id(asked, &agent)] }), update("start", 1));
    assert_eq!(json("POST", "api/v1/rule-engine/rule", policy), 201);
    let body = String::from_utf8(body.as_bytes().to_vec()).unwrap();
    assert_eq!(ask("POST", "v1/updates", "canary-server-token", "application/json", body), 202);
    // Once it is given up, the right password, and again.
    until(asked, &agent, "v1/deliveries?state=dead&integration=kept");
    let path = format!("v1/integrations/{}", id(asked, &agent));
    assert_eq!(json("PUT", &path, form("canary-password")), 200);
    assert_eq!(json("POST", "v1/deliveries/kept/1/resend", json!(null)), 202);
    until(asked, &agent, "v1/deliveries?state=delivered&integration=kept");
}

fn get(asked: &Asked, agent: &ureq::Agent, path: &str) -> serde_json::Value {
    let request =
        agent.get(format!("{}{path}", asked.url)).header("authorization", "Bearer canary-server-token");
    let text = request.call().unwrap().body_mut().read_to_string().unwrap();
    serde_json::from_str(&text).unwrap()
}

fn id(asked: &Asked, agent: &ureq::Agent) -> String {
    let list = get(asked, agent, "v1/integrations");
    let kept =
        list["integrations"].as_array().unwrap().iter().find(|one| one["form"]["name"] == "kept").unwrap();
    kept["id"].as_str().unwrap().to_owned()
}

/// Far more often than it takes, and an end to what hangs.
const MAX_ASKED: usize = 50_000;

/// Asks until there is such a delivery.
fn until(asked: &Asked, agent: &ureq::Agent, path: &str) {
    let there = (0..MAX_ASKED).any(|_| !get(asked, agent, path)["deliveries"][0].is_null());
    assert!(there, "{path} comes in time");
}

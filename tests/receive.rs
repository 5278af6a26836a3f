//! `receive` as scripts use it: exit codes, files, and what is printed.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::program::{PROGRAM, run};

/// A receiver in the background of a script, which is told where it is by its ready file.
struct Background {
    child: Child,
    folder: tempfile::TempDir,
}

impl Background {
    fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let child = Command::new(PROGRAM)
            .args(["receive", "--listen", "127.0.0.1:0", "--ready-file", "ready.json"])
            .args(arguments)
            .current_dir(folder.path())
            .stdout(std::fs::File::create(folder.path().join("out")).unwrap())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        Self { child, folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    async fn ready(&mut self) -> Value {
        let ready = self.path("ready.json");
        while !Path::new(&ready).exists() {
            assert!(
                self.child.try_wait().unwrap().is_none(),
                "it ended before it was ready: {}",
                self.text("out")
            );
            tokio::task::yield_now().await;
        }
        serde_json::from_str(&self.text("ready.json")).expect("the file appears whole")
    }

    async fn url(&mut self) -> String {
        self.ready().await["receiver"].as_str().unwrap().to_owned()
    }

    async fn end(mut self) -> (i32, tempfile::TempDir) {
        let code =
            tokio::task::spawn_blocking(move || (self.child.wait().unwrap(), self.folder)).await.unwrap();
        (code.0.code().unwrap(), code.1)
    }
}

/// Sends the sample so many times.
async fn send(url: &str, times: usize, more: &[&str]) -> i32 {
    let mut last = 0;
    for _ in 0..times {
        last = run(&[&["send", "--url", url][..], more].concat(), payload::SAMPLE).await.0;
    }
    last
}

#[tokio::test]
async fn a_script_learns_by_code_and_report_whether_what_it_expected_came() {
    let reports = ["--report", "junit=report.xml", "--report", "json=report.json"];
    for (arguments, sent, credentials, code, said) in [
        (
            &["--expect", "2", "--expect-events", "1", "--timeout", "20s"][..],
            2,
            true,
            0,
            "all that was expected came",
        ),
        (
            &["--expect", "2", "--timeout", "300ms"],
            1,
            true,
            1,
            "not all that was expected came, 1 of 2 requests",
        ),
        (
            &["--expect", "1", "--timeout", "20s"],
            1,
            false,
            0,
            "failed 1 (not counted without --fail-on-verdict); all",
        ),
        (
            &["--expect", "9", "--fail-on-verdict", "--timeout", "20s"],
            1,
            false,
            1,
            "not all that was expected came",
        ),
        (&["--expect-events", "2", "--keep", "1", "--timeout", "300ms"], 2, true, 4, "nobody knows"),
        (&["--timeout", "300ms"], 1, false, 1, "received 1, verified 0, failed 1"),
        (
            &["--expect-events", "3", "--fail-on-verdict", "--keep", "1", "--timeout", "300ms"],
            2,
            false,
            1,
            "not all that was expected came",
        ),
    ] {
        let mut receiver =
            Background::start(&[&["--username", "u", "--password", "p"][..], arguments, &reports].concat());
        let url = receiver.url().await;
        let known: &[&str] = if credentials { &["--username", "u", "--password", "p"] } else { &[] };
        send(&url, sent, known).await;
        let (ended, folder) = receiver.end().await;
        let text = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(ended, code, "{arguments:?}: {}", text("out"));
        assert!(text("out").contains(said), "{arguments:?}: {}", text("out"));
        let report: Value = serde_json::from_str(&text("report.json")).unwrap();
        assert_eq!((&report["met"], &report["unknown"]), (&json!(code == 0), &json!(code == 4)));
        let junit = text("report.xml");
        assert!(junit.contains("<testcase name=\"expectations\" classname=\"run\""), "{junit}");
        assert_eq!(junit.contains("failures=\"0\" errors=\"0\">"), code == 0 && credentials, "{junit}");
        assert!(!junit.contains("dTpw"), "no secret is in a report");
    }
}

#[tokio::test]
async fn captures_are_recorded_opened_replayed_and_exported() {
    let mut receiver =
        Background::start(&["--record", "captures.ndjson", "--expect", "2", "--timeout", "20s", "--json"]);
    let url = receiver.url().await;
    send(&url, 2, &["--username", "u", "--password", "p"]).await;
    let (code, folder) = receiver.end().await;
    let out = std::fs::read_to_string(folder.path().join("out")).unwrap();
    assert_eq!(code, 0, "{out}");
    let lines: Vec<Value> =
        out.lines().map(|line| serde_json::from_str(line).expect("only JSON lines")).collect();
    assert!(
        lines[0]["receiver"].is_string() && lines[1]["number"] == 1 && lines.last().unwrap()["met"] == true
    );

    let file = folder.path().join("captures.ndjson");
    let path = file.to_str().unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "it holds secrets");
    }
    // A kill in the middle of a line leaves a part of it, and the next run goes on after it.
    let mut text = std::fs::read_to_string(&file).unwrap();
    text.push_str("{\"number\":3,\"ki");
    std::fs::write(&file, text).unwrap();
    let more = ["--record", path, "--expect", "1", "--timeout", "20s"];
    let mut receiver = Background::start(&more);
    let url = receiver.url().await;
    send(&url, 1, &["--username", "u", "--password", "p"]).await;
    assert_eq!(receiver.end().await.0, 0);
    let (code, curl, errors) = run(&["receive", "--open", path, "--export", "curl"], "").await;
    assert_eq!((code, curl.matches("curl --request 'POST'").count()), (0, 3), "{errors}");
    assert!(errors.contains("line 3 broke off") && curl.contains("${AUTHORIZATION:?}"), "{errors}");
    let (code, _, errors) = run(&["receive", "--open", path, "--record", path], "").await;
    assert!(code == 2 && errors.contains("record to another file"), "{errors}");
    let wrong =
        ["receive", "--replay-from", path, "--export", "json", "--username", "u", "--password", "other"];
    let (_, judged, _) = run(&wrong, "").await;
    let again: Value = serde_json::from_str(judged.lines().next().unwrap()).unwrap();
    assert_eq!(again["passed"], false, "the checks are those of now: {judged}");
    let missing = "nowhere/report.xml";
    for arguments in [&["--open", "nowhere.ndjson"][..], &["--report", &format!("junit={missing}")]] {
        let (code, _, errors) = run(&[&["receive", "--listen", "127.0.0.1:0"], arguments].concat(), "").await;
        assert!(code == 2 && errors.contains("nowhere"), "{errors}");
    }
}

#[tokio::test]
async fn a_scenario_and_its_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scenario.toml");
    let path = path.to_str().unwrap();
    std::fs::write(path, "[checks]\nusername = \"u\"\n[[fault]]\nstatus = 503\nfirst = 1\n").unwrap();
    let mut receiver = Background::start(&["--scenario", path, "--expect", "2", "--timeout", "20s"]);
    let url = receiver.url().await;
    assert_eq!(send(&url, 1, &["--username", "u"]).await, 1);
    assert_eq!(send(&url, 1, &["--username", "u"]).await, 0);
    assert_eq!(receiver.end().await.0, 0);

    // A flag changes what it names, and leaves the rest of the scenario.
    std::fs::write(
        path,
        "[checks]\nusername = \"u\"\npath = \"/hook/\"\n[checks.field-names]\nid = \"event_id\"\n",
    )
    .unwrap();
    let arguments =
        ["--scenario", path, "--password", "p", "--expect", "1", "--fail-on-verdict", "--timeout", "20s"];
    let mut receiver = Background::start(&arguments);
    let url = receiver.url().await;
    assert!(url.ends_with("/hook/"), "{url}");
    assert_eq!(send(&url, 1, &["--username", "u", "--password", "p", "--rename", "id=event_id"]).await, 0);
    assert_eq!(receiver.end().await.0, 0);
    std::fs::write(path, "[checks]\nheaders = [\"X Y\"]\n\n[[fault]]\nstatus = 99\n").unwrap();
    let (code, _, errors) = run(&["receive", "--scenario", path], "").await;
    assert_eq!(code, 2);
    assert!(
        errors.contains("line 2: headers: \"X Y\"") && errors.contains("line 4: fault: status: \"99\""),
        "{errors}"
    );
}

#[tokio::test]
async fn a_made_certificate_can_be_trusted_or_skipped() {
    let arguments =
        ["--tls", "--tls-ca-out", "ca.pem", "--inspect=127.0.0.1:0", "--expect", "2", "--timeout", "20s"];
    let mut receiver = Background::start(&arguments);
    let ready = receiver.ready().await;
    let url = ready["receiver"].as_str().unwrap();
    assert!(
        url.starts_with("https://127.0.0.1:")
            && ready["inspector"].as_str().unwrap().starts_with("http://127.0.0.1:")
    );
    assert_eq!(send(url, 1, &[]).await, 1, "nobody trusts it yet");
    assert_eq!(send(url, 1, &["--ca-file", &receiver.path("ca.pem")]).await, 0);
    assert_eq!(send(url, 1, &["--skip-ssl-verification"]).await, 0);
    let out = receiver.text("out");
    assert!(out.contains("trust it: curl --cacert") && out.contains("look at http://"), "{out}");
    let (code, folder) = receiver.end().await;
    let out = std::fs::read_to_string(folder.path().join("out")).unwrap();
    assert!(code == 0 && out.contains("(a TLS handshake that ended)"), "{out}");
}

#[tokio::test]
async fn an_output_that_nobody_reads_holds_up_no_sender() {
    let folder = tempfile::tempdir().unwrap();
    let ready = folder.path().join("ready.json");
    let mut child = Command::new(PROGRAM)
        .args(["receive", "--listen", "127.0.0.1:0", "--json", "--ready-file"])
        .arg(&ready)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    while !ready.exists() {
        assert!(child.try_wait().unwrap().is_none());
        tokio::task::yield_now().await;
    }
    let said: Value = serde_json::from_str(&std::fs::read_to_string(&ready).unwrap()).unwrap();
    // Many times what a pipe holds.
    let updates: String = (0..500)
        .map(|number| payload::SAMPLE.replace('\n', "").replace("00edee24", &format!("{number:08}")) + "\n")
        .collect();
    let (code, printed, errors) = run(&["send", "--url", said["receiver"].as_str().unwrap()], &updates).await;
    assert_eq!(code, 0, "{printed}{errors}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test]
async fn a_reader_that_is_gone_ends_a_run_that_nothing_else_tells_of() {
    let folder = tempfile::tempdir().unwrap();
    let ready = folder.path().join("ready.json");
    let mut child = Command::new(PROGRAM)
        .args(["receive", "--listen", "0", "--ready-file"])
        .arg(&ready)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !ready.exists() {
        assert!(child.try_wait().unwrap().is_none());
        tokio::task::yield_now().await;
    }
    drop(child.stdout.take());
    let said: Value = serde_json::from_str(&std::fs::read_to_string(&ready).unwrap()).unwrap();
    let url = said["receiver"].as_str().unwrap().to_owned();
    assert_eq!(send(&url, 1, &[]).await, 0);
    let ended = tokio::task::spawn_blocking(move || child.wait().unwrap());
    assert_eq!(tokio::time::timeout(crate::harness::LIMIT, ended).await.unwrap().unwrap().code(), Some(0));
}

#[tokio::test]
async fn mistakes_on_the_command_line_are_told_and_end_with_2() {
    for (arguments, told) in [
        (&["--username", "a:b"][..], "--username: a colon"),
        (&["--export", "curl"], "--open"),
        (&["--ready-file", "nowhere/ready.json"], "nowhere/ready.json: cannot be written"),
        (&["--record", "nowhere/captures.ndjson"], "--record: nowhere"),
        (&["--tls", "--tls-name", "\u{fc}"], "--tls-name"),
        (&["--fault", "status=500,alerttype=strat"], "none of start, ongoing, end"),
    ] {
        let (code, _, errors) = run(&[&["receive", "--listen", ":0"], arguments].concat(), "").await;
        assert!(code == 2 && errors.contains(told), "{arguments:?}: {code} {errors}");
    }
}

/// So many connections from one machine do not come by themselves.
const MANY: usize = 10_000;

#[tokio::test]
async fn ten_thousand_connections_do_not_exhaust_it() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let wanted = MANY as u64 + 500;
    let raised = rustix::process::Rlimit { current: Some(wanted), ..limit };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised)
        .expect("this test opens 10,000 connections: allow so many descriptors, ulimit -Hn 11000");
    let mut receiver = Background::start(&["--expect", "2", "--timeout", "60s"]);
    let url = receiver.url().await;
    let address: std::net::SocketAddr =
        url.trim_start_matches("http://").trim_end_matches('/').parse().unwrap();
    // Some never say anything, the others begin a head and never end it.
    let mut open = Vec::new();
    for number in 0..MANY {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        if number % 2 == 0 {
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"POST / HTTP/1.1\r\nHo").await;
        }
        open.push(stream);
        if number == MANY / 2 {
            assert_eq!(send(&url, 1, &[]).await, 0, "with half of them open");
        }
    }
    assert_eq!(send(&url, 1, &[]).await, 0, "with all of them open");
    let resident = resident_kib(receiver.child.id());
    let (code, folder) = receiver.end().await;
    assert_eq!(code, 0);
    let out = std::fs::read_to_string(folder.path().join("out")).unwrap();
    assert!(out.matches("(closed to make room)").count() > 1_000, "what made room is told");
    assert!(resident < 512 * 1024, "{resident} KiB");
}

#[cfg(target_os = "linux")]
fn resident_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

#[cfg(not(target_os = "linux"))]
fn resident_kib(_: u32) -> u64 {
    0
}

//! The built program: what it prints, and how it exits.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use receiver::{MockReceiver, Rule};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_fusion-webhook");

/// Runs the program with `input` on its standard input, without blocking the receivers of the test.
pub(crate) async fn run(arguments: &[&str], input: &str) -> (i32, String, String) {
    let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    let input = input.to_owned();
    let work = move || -> Output {
        let mut child = Command::new(PROGRAM)
            .args(arguments)
            .env_remove("FUSION_WEBHOOK_USERNAME")
            .env_remove("FUSION_WEBHOOK_PASSWORD")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that refuses its arguments does not read on.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    };
    let output = tokio::task::spawn_blocking(work).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn the_demo_ends_with_its_count() {
    let (code, printed, _) = run(&["demo", "--events", "3"], "").await;
    assert_eq!(code, 0, "{printed}");
    let last = printed.lines().last().unwrap();
    let number = last.strip_prefix("sent ").and_then(|rest| rest.split(',').next()).unwrap();
    assert_eq!(last, format!("sent {number}, verified {number}, failed 0"));
    assert!(number.parse::<u32>().unwrap() >= 6, "three events have a start and an end each");
    assert!(!printed.contains('\u{1b}'), "no colours without a terminal");
}

#[tokio::test]
async fn send_exits_with_zero_only_if_all_arrived() {
    let receiver = MockReceiver::builder().credentials("u", "p").start().await.unwrap();
    let url = receiver.url();
    let good = ["send", "--url", &url, "--username", "u", "--password", "p"];
    let (code, printed, errors) = run(&good, payload::SAMPLE).await;
    assert_eq!((code, printed.lines().last()), (0, Some("sent 1, delivered 1, failed 0")), "{errors}");

    let bad = ["send", "--url", &url, "--username", "u", "--password", "hidden"];
    let (code, printed, errors) = run(&bad, payload::SAMPLE).await;
    assert_eq!(code, 1, "{printed}{errors}");
    assert!(
        printed.contains("the receiver says: credentials:")
            && printed.contains("a wrong password for user \"u\"")
    );
    assert!(!format!("{printed}{errors}").contains("hidden"), "the password is not printed");
}

#[tokio::test]
async fn send_takes_arrays_and_streams_and_prints_json() {
    let receiver = MockReceiver::builder().start().await.unwrap();
    let event = |id: &str| payload::SAMPLE.replace("00edee24", id).replace('\n', " ");
    let stream = format!("{}\n{}\n", event("00000001"), event("00000002"));
    let array = format!("[{},{}]", event("00000003"), event("00000004"));
    for input in [stream, array] {
        let (code, printed, errors) = run(&["send", "--json", "--url", &receiver.url()], &input).await;
        assert_eq!(code, 0, "{errors}");
        let lines: Vec<serde_json::Value> =
            printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((lines.len(), &lines[2]["delivered"]), (3, &serde_json::json!(2)));
        assert_eq!(lines[0]["status"], 200);
    }
    assert_eq!(receiver.counts().passed, 4);
}

#[tokio::test]
async fn what_is_wrong_is_said_where_it_is_and_nothing_is_sent() {
    let receiver = MockReceiver::builder().start().await.unwrap();
    let url = receiver.url();
    for (arguments, input, code, said) in [
        (
            &["send", "--url", &url][..],
            "{\"id\":\n5,",
            2,
            "error: standard input: line 2, column 3: expected a member name",
        ),
        (&["send", "--url", &url], "{\"id\":5,\"alerttype\":\"end\"}", 2, "id: expected a string, got 5"),
        (&["send", "--url", &url], "", 2, "there is no update in it"),
        (&["send", "--url", &url, "--headers", "X-A: b, C"], "{}", 2, "X-A: b\\, C"),
        (&["send", "--url", &url, "--header", "Host: x"], "{}", 2, "Host is written by the sender itself"),
        (&["send", "--url", &url, "--rename", "idd=x"], "{}", 2, "did you mean id?"),
        (&["send", "--url", &url, "--rename", "id"], "{}", 2, "write --rename path=name"),
        (&["send", "--url", "nowhere"], "{}", 2, "did you mean https://nowhere?"),
        (&["send", "--url", &url, "/no/such/file"], "", 2, "(os error 2); name a file that is there"),
        (&["send"], "{}", 2, "--url"),
        (&["receive", "--listen", &url[7..url.len() - 1]], "", 3, "another program listens there"),
        (&["receive", "--require-header", "X Y"], "", 2, "is no header name"),
    ] {
        let (exit, printed, errors) = run(arguments, input).await;
        assert_eq!(exit, code, "{arguments:?}: {printed}{errors}");
        assert!(errors.contains(said), "{arguments:?}: {errors}");
    }
    assert_eq!(receiver.counts().received, 0);
}

#[tokio::test]
async fn a_broken_body_can_be_sent_to_see_what_the_receiver_says() {
    let receiver = MockReceiver::builder().start().await.unwrap();
    let (code, printed, _) = run(&["send", "--as-is", "--url", &receiver.url()], "{\"id\":").await;
    assert_eq!(code, 1);
    assert!(
        printed.contains("400 Bad Request") && printed.contains("json: body: expected a JSON object"),
        "{printed}"
    );
}

#[tokio::test]
async fn a_receiver_that_comes_back_is_waited_for() {
    let faulty =
        async |rule| MockReceiver::builder().fault(Rule::parse(rule).unwrap()).start().await.unwrap();
    let ill = faulty("status=500,first=1").await;
    let (code, printed, _) = run(&["send", "--retry-for", "20s", "--url", &ill.url()], payload::SAMPLE).await;
    assert_eq!(code, 0, "{printed}");
    assert!(printed.contains("↻") && printed.contains("attempt 2"), "{printed}");
    assert_eq!(ill.counts().failed, 0, "a fault is not held against the sender");

    let gone = faulty("status=410").await;
    let (code, printed, _) =
        run(&["send", "--retry-for", "20s", "--url", &gone.url()], payload::SAMPLE).await;
    assert_eq!(code, 1);
    assert!(printed.contains("gone for good"), "{printed}");
}

#[tokio::test]
async fn check_shows_the_request_and_masks_its_secrets() {
    let arguments = ["check", "--url", "https://example.com/hook", "--username", "u", "--password", "s3cret"];
    let more = ["--headers", "X-Api-Key: t0ken, X-A: b", "--rename", "id=event_id"];
    let (code, printed, _) = run(&[&arguments[..], &more[..]].concat(), "").await;
    assert_eq!(code, 0);
    for line in ["POST /hook HTTP/1.1", "Host: example.com", "Authorization: ***", "X-Api-Key: ***", "X-A: b"]
    {
        assert!(printed.lines().any(|printed| printed == line), "{line}: {printed}");
    }
    assert!(printed.contains("\"event_id\":\"00edee24"), "{printed}");
    assert!(!printed.contains("s3cret") && !printed.contains("t0ken"));
}

#[tokio::test]
async fn check_says_of_a_configuration_what_the_server_s_guard_would() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fusion.toml");
    let guarded = sender::settings::EXAMPLE.replace("allow = [\"127.0.0.0/8\"]", "");
    std::fs::write(&file, guarded).unwrap();
    let check = ["check", "--config", file.to_str().unwrap()];
    let (code, printed, errors) = run(&check, "").await;
    assert!(code == 2 && printed.is_empty() && errors.contains("127.0.0.1 is loopback"), "{errors}");
    let (code, printed, errors) = run(&[&check[..], &["--allow-private"]].concat(), "").await;
    assert!(code == 0 && printed.contains("POST /webhook HTTP/1.1"), "{errors}");
}

#[tokio::test]
async fn a_configuration_names_integrations_and_routes() {
    let receiver = MockReceiver::builder().credentials("fusion", "change me").start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fusion.toml");
    let example = sender::settings::EXAMPLE.replace("http://127.0.0.1:8080/webhook", &receiver.url());
    let plain = example.replace("id = \"event_id\"", "").replace("rules = false", "");
    let plain = plain.replace("\"metrics.bits.avg\" = \"mean_bits\"", "").replace("source = \"fusion\"", "");
    std::fs::write(&file, plain).unwrap();
    let file = file.to_str().unwrap();
    for more in [&["--integration", "siem"][..], &[]] {
        let (code, printed, errors) =
            run(&[&["send", "--config", file][..], more].concat(), payload::SAMPLE).await;
        assert_eq!(code, 0, "{printed}{errors}");
    }
    let low = payload::SAMPLE.replace("\"severity\":\"medium\"", "\"severity\":\"low\"");
    let (_, printed, _) = run(&["send", "--config", file], &low).await;
    assert!(printed.contains("1 matched no policy"), "{printed}");
    let (code, _, errors) = run(&["send", "--config", file, "--integration", "nope"], payload::SAMPLE).await;
    assert_eq!(code, 2);
    assert!(errors.contains("there is no integration \"nope\"; there are: siem"), "{errors}");
    assert_eq!(receiver.counts().passed, 2);
}

#[tokio::test]
async fn completions_are_printed_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, printed, _) = run(&["completions", shell], "").await;
        assert!(code == 0 && printed.contains("fusion-webhook"), "{shell}");
    }
}

fn send_signal(program: &tokio::process::Child, signal: &str) {
    let pid = program.id().unwrap().to_string();
    assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
}

#[tokio::test]
async fn a_second_signal_ends_a_send_at_once() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let sending = tokio::process::Command::new(PROGRAM)
        .args(["send", "crates/payload/src/sample.json", "--url", &url])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _unanswered = silent.accept().await.unwrap();
    for signal in ["-INT", "-TERM"] {
        send_signal(&sending, signal);
    }
    let ended = sending.wait_with_output().await.unwrap();
    assert_eq!(ended.status.code(), Some(3));
    assert_eq!(ended.stderr, b"stopped at once: what was under way may have arrived\n");
}

#[tokio::test]
async fn a_signal_ends_a_send_with_its_account() {
    let receiver = MockReceiver::builder().credentials("u", "p").start().await.unwrap();
    for signal in ["-INT", "-TERM"] {
        let mut sending = tokio::process::Command::new(PROGRAM)
            .args(["send", "crates/payload/src/sample.json", "--retry-for", "10m", "--url", &receiver.url()])
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut printed = sending.stdout.take().map(tokio::io::BufReader::new).unwrap();
        let mut attempted = String::new();
        let reading = tokio::io::AsyncBufReadExt::read_line(&mut printed, &mut attempted);
        tokio::time::timeout(std::time::Duration::from_secs(20), reading).await.unwrap().unwrap();
        assert!(attempted.contains("401"), "{attempted}");
        send_signal(&sending, signal);
        let mut rest = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut printed, &mut rest).await.unwrap();
        assert_eq!(sending.wait().await.unwrap().code(), Some(1), "{signal}");
        assert_eq!(
            rest.lines().last(),
            Some("sent 0, delivered 0, failed 0, interrupted: the rest was not sent")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_of_the_environment_sees_nothing() {
    let receiver = MockReceiver::start().await.unwrap();
    let proxy = MockReceiver::start().await.unwrap();
    let variables =
        ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"].map(|name| [name.to_owned(), name.to_lowercase()]);
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../payload/src/sample.json");
    for url in [receiver.url(), receiver.url().replace("http:", "https:")] {
        let mut send = Command::new(PROGRAM);
        send.args(["send", sample, "--url", &url]).env_remove("NO_PROXY").env_remove("no_proxy");
        send.envs(variables.as_flattened().iter().map(|name| (name, proxy.url())));
        let ended = tokio::task::spawn_blocking(move || send.output().unwrap()).await.unwrap();
        assert_eq!(ended.status.success(), url.starts_with("http:"), "{ended:?}");
    }
    assert_eq!((receiver.counts().passed, proxy.counts().received), (1, 0));
}

//! The server as a process: taking in, delivering, being killed, reloading, draining, refusing.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use receiver::MockReceiver;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::block_in_place;
use tokio::time::timeout;

use crate::harness::{LIMIT, update};
use crate::server::{PROGRAM, Server, configuration};

const JSON: (&str, &str) = ("content-type", "application/json");

fn body(kind: &str, count: u32) -> String {
    String::from_utf8(update(kind, count).as_bytes().to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_is_delivered_in_order_and_once() {
    let receiver = MockReceiver::builder().start().await.unwrap();
    let server = Server::start(&receiver.url(), &[]);
    for (kind, count) in [("start", 1), ("ongoing", 2), ("end", 3)] {
        let (status, answer) = server.post(&body(kind, count), &[JSON]);
        assert_eq!((status, &answer["result"], &answer["deliveries"]), (202, &"accepted".into(), &1.into()));
    }
    let (status, answer) = server.post(&body("start", 1), &[JSON]);
    assert_eq!((status, &answer["result"]), (202, &"again".into()));
    let captures = receiver.wait_for(3, LIMIT).await.unwrap();
    assert!(captures.iter().all(|capture| capture.verdict.passed()), "{captures:#?}");
    server.until("v1/status", |status| status["backlog"] == 0).await;
    let (_, list) = server.get("v1/deliveries?state=delivered");
    assert_eq!(list["deliveries"].as_array().unwrap().len(), 3);
    let (_, ended) = server.get("v1/deliveries?alerttype=end&since=2026-01-31T12:00:00Z");
    assert_eq!(
        (&ended["deliveries"][0]["delivery"], &ended["deliveries"][0]["alerttype"], &ended["deliveries"][1]),
        (&"siem/3".into(), &"end".into(), &serde_json::Value::Null)
    );
    let (_, before) = server.get("v1/deliveries?until=2026-01-31T12:00:00Z");
    assert_eq!(before["deliveries"].as_array().unwrap().len(), 0);
    for wrong in ["alerttype=begin", "until=yesterday", "since=-1"] {
        assert_eq!(server.get(&format!("v1/deliveries?{wrong}")).0, 400, "{wrong}");
    }
    let (_, detail) = server.get("v1/deliveries/siem/1");
    assert_eq!((&detail["history"][0]["word"], &detail["alerttype"]), (&"delivered".into(), &"start".into()));
    assert_eq!(receiver.counts().received, 3, "nothing came twice");
    assert_eq!(server.end(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn how_long_attempts_took_is_told_of_integrations_that_had_one() {
    let receiver = MockReceiver::builder().start().await.unwrap();
    let server = Server::start(&receiver.url(), &[]);
    let metrics = || {
        let url = format!("{}metrics", server.url);
        block_in_place(|| server.agent.get(url).call().unwrap().into_body().read_to_string().unwrap())
    };
    let of = |what: &str| format!("fusion_webhook_{what}_seconds_count{{integration=\"siem\"}} 1");
    let before = metrics();
    assert!(before.contains("fusion_webhook_backlog{integration=\"siem\"} 0"), "{before}");
    assert!(!before.contains("_seconds_count"), "there was none yet: {before}");
    server.post(&body("start", 1), &[JSON]);
    server.until("v1/status", |status| status["backlog"] == 0).await;
    receiver.wait_for(1, LIMIT).await.unwrap();
    server.until("v1/deliveries?state=delivered", |list| list["deliveries"][0].is_object()).await;
    let after = metrics();
    assert!(after.contains(&of("attempt")) && after.contains(&of("delivery")), "{after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_loses_nothing_and_keeps_the_order() {
    let receiver = MockReceiver::builder().start().await.unwrap();
    let address = receiver.address().to_string();
    let mut server = Server::start(&receiver.url(), &[]);
    drop(receiver);
    let batch: Vec<String> =
        (1..=20).map(|count| body(if count == 1 { "start" } else { "ongoing" }, count)).collect();
    let (status, answer) = server.post(&batch.join("\n"), &[("content-type", "application/x-ndjson")]);
    assert_eq!(status, 202, "{answer}");
    server
        .until("v1/deliveries?limit=100", |list| {
            list["deliveries"]
                .as_array()
                .is_some_and(|list| list.iter().any(|delivery| delivery["attempts"] != 0))
        })
        .await;
    server.kill_and_restart();
    let receiver = MockReceiver::builder().listen(&address).start().await.unwrap();
    server.kill_and_restart();
    let captures = receiver.wait_for(20, LIMIT).await.unwrap();
    let failed: Vec<_> = captures.iter().filter(|capture| !capture.verdict.passed()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    server.until("v1/status", |status| status["backlog"] == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_tells_what_became_of_each() {
    let receiver = MockReceiver::builder().start().await.unwrap();
    let server = Server::start(&receiver.url(), &[]);
    let low = body("start", 1).replace("\"severity\":\"medium\"", "\"severity\":\"low\"");
    let bypassing = body("start", 1).replace("\"bypassrule\":false", "\"bypassrule\":true");
    let batch = format!("[{},{{\"id\":7}},{low},{bypassing}]", body("start", 1));
    let (status, answer) = server.post(&batch, &[JSON]);
    let results = answer["results"].as_array().unwrap();
    let words: Vec<_> = results.iter().map(|result| result["result"].as_str().unwrap_or_default()).collect();
    assert_eq!((status, words.as_slice()), (207, &["accepted", "invalid", "unmatched", "bypassed"][..]));
    assert_eq!(results[1]["status"], 422);
    assert!(
        results[1]["findings"].as_array().unwrap().iter().any(|finding| finding["path"] == "id"),
        "{answer}"
    );
    let (_, unrouted) = server.get("v1/unrouted");
    assert_eq!(unrouted["updates"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_taken_in_is_refused_with_the_reason() {
    let receiver = MockReceiver::builder().start().await.unwrap();
    let server = Server::start(&receiver.url(), &[]);
    let refused = |body: &str, headers: &[(&str, &str)]| {
        let (status, answer) = server.post(body, headers);
        (status, answer["error"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(refused("{}", &[("content-type", "text/plain")]).0, 415);
    assert_eq!(refused("", &[JSON]).0, 400);
    assert_eq!(refused("[{},", &[JSON]).0, 400);
    let (status, why) = refused("{\"id\":", &[JSON]);
    assert!(status == 422 && why.contains("line 1"), "{status} {why}");
    assert_eq!(refused(&" ".repeat(17 * 1024 * 1024), &[JSON]).0, 413);
    assert_eq!(refused("{}", &[JSON, ("host", "example.com")]).0, 421);
    assert_eq!(refused("{}", &[JSON, ("origin", "https://example.com")]).0, 403);
    assert_eq!(refused("{}", &[JSON, ("idempotency-key", "")]).0, 400);

    let key = [JSON, ("idempotency-key", "k1")];
    assert_eq!(server.post(&body("start", 1), &key).1["result"], "accepted");
    assert_eq!(server.post(&body("start", 1), &key).1["result"], "again");
    let (status, answer) = server.post(&body("start", 9), &key);
    assert_eq!((status, &answer["result"]), (422, &"conflict".into()));
    assert_eq!(server.get("v1/nothing").0, 404);
    assert_eq!(server.get("v1/updates").0, 405);
    assert_eq!(server.get("v1/deliveries?state=lost").0, 400);
    assert_eq!(server.get("v1/deliveries/nobody/1").0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_token_nobody_else_is_answered() {
    let receiver = MockReceiver::builder().start().await.unwrap();
    let server = Server::start(&receiver.url(), &["--token", "0123456789abcdef"]);
    assert_eq!(server.get("v1/status").0, 401);
    assert_eq!(server.get("metrics").0, 401);
    assert_eq!(server.get("healthz"), (200, "alive\n".into()));
    assert_eq!(server.get("readyz"), (200, "ready\n".into()));
    let known = ("authorization", "Bearer 0123456789abcdef");
    assert_eq!(server.post(&body("start", 1), &[JSON, known]).0, 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrected_configuration_repairs_what_waits_and_a_wrong_one_changes_nothing() {
    let receiver = MockReceiver::builder().credentials("u", "p").start().await.unwrap();
    let server = Server::start(&receiver.url(), &[]);
    assert_eq!(server.post(&body("start", 1), &[JSON]).0, 202);
    receiver.wait_for(1, LIMIT).await.unwrap();
    server.configure("[integrations.siem]\nurl = \"nonsense\"\n");
    server.signal("-HUP");
    assert_eq!(server.get("v1/status").1["integrations"][0]["url"], receiver.url());
    server.configure(&configuration(&receiver.url(), "username = \"u\"\npassword = \"p\""));
    server.until("v1/status", |status| status["backlog"] == 0).await;
    assert!(receiver.captures().last().unwrap().verdict.passed());

    server.configure("");
    server.signal("-HUP");
    server.until("v1/status", |status| status["integrations"].as_array().is_some_and(Vec::is_empty)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_integration_waits_and_the_dead_are_resent() {
    let receiver = MockReceiver::builder().start().await.unwrap();
    let server = Server::start(&receiver.url(), &[]);
    let ask = |arguments: &[&str]| {
        let output = Command::new(PROGRAM)
            .args(arguments)
            .args(["--server", server.url.trim_end_matches('/')])
            .env_remove("FUSION_WEBHOOK_TOKEN")
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout) + &text(output.stderr))
    };
    assert_eq!(ask(&["integrations", "pause", "siem"]), (0, "siem is paused\n".to_owned()));
    server.post(&body("start", 1), &[JSON]);
    let (code, printed) = ask(&["status"]);
    assert!(
        code == 0 && printed.contains("ready, 1 delivery waits") && printed.contains("paused"),
        "{printed}"
    );
    assert_eq!(receiver.counts().received, 0);
    let (code, printed) = ask(&["integrations", "test", "siem"]);
    assert!(code == 0 && printed.contains("200 OK"), "{printed}");
    ask(&["integrations", "resume", "siem"]);
    server.until("v1/status", |status| status["backlog"] == 0).await;
    let (code, printed) = ask(&["deliveries", "resend", "siem/1"]);
    assert_eq!((code, printed.as_str()), (0, "1 sent again\n"));
    let captures = receiver.wait_for(3, LIMIT).await.unwrap();
    let id = |at: usize| captures[at].request().unwrap().header("webhook-id");
    assert!(id(1).is_some() && id(1) == id(2), "a resend keeps its id");
    assert!(
        id(0).is_some_and(|id| id.starts_with("test_")),
        "a try is no part of the event's life: {:?}",
        id(0)
    );
    let (code, printed) = ask(&["integrations", "pause", "nobody"]);
    assert!(
        code == 2 && printed.contains("there is no integration \"nobody\"; there are: siem"),
        "{printed}"
    );

    // Removed with something waiting, and added again: what waited is dead, and can be sent again.
    ask(&["integrations", "pause", "siem"]);
    server.post(&body("ongoing", 2), &[JSON]);
    server.configure("");
    server.until("v1/status", |status| status["backlog"] == 0).await;
    server.configure(&configuration(&receiver.url(), ""));
    server.until("v1/status", |status| status["integrations"][0]["name"] == "siem").await;
    let (_, printed) = ask(&["dead", "list"]);
    assert!(printed.contains("siem/3") && printed.contains("dead"), "{printed}");
    ask(&["integrations", "resume", "siem"]);
    assert_eq!(ask(&["dead", "resend", "--integration", "siem"]).1, "1 sent again\n");
    receiver.wait_for(4, LIMIT).await.unwrap();
    let (code, printed) = ask(&["deliveries", "show", "siem/3"]);
    assert!(code == 0 && printed.contains("its integration was removed"), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_integration_that_went_while_nothing_ran_leaves_its_backlog_dead() {
    let receiver = MockReceiver::builder().credentials("u", "p").start().await.unwrap();
    let mut server = Server::start(&receiver.url(), &[]);
    server.post(&body("end", 9), &[JSON]);
    receiver.wait_for(1, LIMIT).await.unwrap();
    server.configure("");
    server.kill_and_restart();
    let list = server.until("v1/deliveries?state=dead", |list| list["deliveries"][0].is_object()).await;
    assert_eq!(list["deliveries"][0]["integration"], "siem");
    assert_eq!(list["deliveries"][0]["reason"], "its integration was removed");
    assert_eq!(server.get("v1/deliveries/siem/1").1["state"], "dead", "it can still be looked at");
    assert_eq!(server.get("v1/deliveries?integration=siem").0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_server_takes_nothing_in_and_finishes_what_is_under_way() {
    let slow = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::start(&format!("http://{}/", slow.local_addr().unwrap()), &[]);
    server.post(&body("start", 1), &[JSON]);
    let (mut socket, _) = tokio::time::timeout(LIMIT, slow.accept()).await.unwrap().unwrap();
    server.signal("-TERM");
    server.until("readyz", |answer| answer["error"] == "draining").await;
    assert_eq!(server.post(&body("end", 2), &[JSON]).0, 503);
    tokio::io::AsyncWriteExt::write_all(&mut socket, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .await
        .unwrap();
    let folder = server.folder.path().to_path_buf();
    let mut server = server;
    assert_eq!(block_in_place(|| server.child.wait().unwrap().code()), Some(0));
    let exported =
        Command::new(PROGRAM).args(["store", "export", "--data", "data"]).current_dir(folder).output();
    assert!(exported.unwrap().stdout.is_empty(), "it was settled before the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guard_refuses_what_is_not_public_and_the_second_server_on_a_folder() {
    let receiver = MockReceiver::builder().start().await.unwrap();
    let server = Server::start(&receiver.url(), &[]);
    let run = |arguments: &[&str]| {
        let output = Command::new(PROGRAM)
            .args(["serve", "--config", "config.toml"])
            .args(arguments)
            .current_dir(server.folder.path())
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, errors) = run(&["--listen", "127.0.0.1:0", "--data", "data"]);
    let holder = format!("data is in use by process {}", server.child.id());
    assert!(code == Some(3) && errors.contains(&holder), "{errors}");
    server.configure(&configuration(&receiver.url(), "").replace("allow = [\"127.0.0.0/8\"]\n", ""));
    let (code, errors) = run(&["--listen", "127.0.0.1:0", "--data", "other"]);
    assert!(code == Some(2) && errors.contains("127.0.0.1 is loopback"), "{errors}");
    // A name that resolves to an address that is refused: known only when it is connected to.
    server.configure(
        &configuration(&receiver.url().replace("127.0.0.1", "localhost"), "")
            .replace("allow = [\"127.0.0.0/8\"]\n", ""),
    );
    server
        .until("v1/status", |status| {
            status["integrations"][0]["url"].as_str().is_some_and(|url| url.contains("localhost"))
        })
        .await;
    server.post(&body("start", 1), &[JSON]);
    server
        .until("v1/deliveries", |list| {
            list["deliveries"][0]["last_outcome"]
                .as_str()
                .is_some_and(|outcome| outcome.contains("is loopback"))
        })
        .await;
    assert_eq!(receiver.counts().received, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_come_over_standard_input_and_from_send() {
    let receiver = MockReceiver::builder().start().await.unwrap();
    let mut server = Server::start(&receiver.url(), &["--stdin"]);
    let mut input = server.child.stdin.take().unwrap();
    writeln!(input, "{}\n\nnonsense\n{}", body("start", 1), body("ongoing", 2)).unwrap();
    receiver.wait_for(2, LIMIT).await.unwrap();
    drop(input);
    let mut send = Command::new(PROGRAM)
        .args(["send", "--server", server.url.trim_end_matches('/')])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    send.stdin.take().unwrap().write_all(body("end", 3).as_bytes()).unwrap();
    let sent = block_in_place(|| send.wait_with_output().unwrap());
    let printed = String::from_utf8(sent.stdout).unwrap();
    assert!(sent.status.success() && printed.ends_with("accepted 1, refused 0\n"), "{printed}");
    let captures = receiver.wait_for(3, LIMIT).await.unwrap();
    assert!(captures.iter().all(|capture| capture.verdict.passed()));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_outage_what_waited_comes_in_order_within_seconds() {
    let receiver = MockReceiver::builder().start().await.unwrap();
    let address = receiver.address().to_string();
    let server = Server::start(&receiver.url(), &[]);
    drop(receiver);
    for count in 1..=60 {
        let kind = if count == 1 { "start" } else { "ongoing" };
        assert_eq!(server.post(&body(kind, count), &[JSON]).0, 202);
    }
    server.until("v1/status", |status| status["integrations"][0]["breaker"] == "open").await;
    let receiver = MockReceiver::builder().listen(&address).start().await.unwrap();
    let captures = receiver.wait_for(60, Duration::from_secs(10)).await.unwrap();
    assert!(captures.iter().all(|capture| capture.verdict.passed()));
}

/// Reads one answer of a connection that goes on.
async fn answer(stream: &mut TcpStream) -> String {
    let (mut read, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let count = timeout(LIMIT, stream.read(&mut piece)).await.unwrap().unwrap();
        read.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&read).to_lowercase();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if count == 0 || length.is_some_and(|length| length.parse() == Ok(body.len())) {
            return text;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_nobody_wants_spoils_neither_the_answer_nor_the_next_request() {
    let server = Server::start("http://127.0.0.1:9/", &[]);
    let address = server.url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    for target in ["/nowhere", "/v1/status", "/v1/updates", "/api/v1/rule-engine/rule/none"] {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let head = format!("PATCH {target} HTTP/1.1\r\nhost: {address}\r\ncontent-length: 200000\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        for _ in 0..200 {
            stream.write_all(&[b'x'; 1000]).await.unwrap();
        }
        let answered = answer(&mut stream).await;
        assert!(answered.starts_with("http/1.1 40") && !answered.contains("connection: close"), "{answered}");
        let next = format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\n\r\n");
        stream.write_all(next.as_bytes()).await.unwrap();
        let answered = answer(&mut stream).await;
        assert!(answered.ends_with("alive\n"), "{answered}");
    }
    // Who asks before sending is answered before sending, and told that the connection ends.
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let head = "POST /astray HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let answered = answer(&mut stream).await;
    assert!(answered.starts_with("http/1.1 404") && answered.contains("connection: close"), "{answered}");
}

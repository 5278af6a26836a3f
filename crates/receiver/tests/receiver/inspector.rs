//! The inspector's API over real sockets: what it lists, how it waits, who gets no answer.

use std::net::SocketAddr;
use std::time::Duration;

use receiver::MockReceiver;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{JSON, LIMIT, UPDATE, exchange, post};

async fn inspected() -> MockReceiver {
    MockReceiver::builder().inspect("127.0.0.1:0").start().await.unwrap()
}

fn address(receiver: &MockReceiver) -> SocketAddr {
    let url = receiver.inspector_url().unwrap();
    url.trim_start_matches("http://").trim_end_matches('/').parse().unwrap()
}

/// Asks with lines of one's own, and gives status line with header fields, and body.
async fn asked(receiver: &MockReceiver, request: &str, lines: &str, body: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address(receiver)).await.unwrap();
    let length = body.len();
    let request =
        format!("{request} HTTP/1.1\r\nconnection: close\r\ncontent-length: {length}\r\n{lines}\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(LIMIT, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// Asks as a script does, and gives the status and the JSON.
async fn json_of(receiver: &MockReceiver, request: &str, body: &str) -> (u16, Value) {
    let lines = "host: localhost\r\ncontent-type: application/json\r\n";
    let (head, body) = asked(receiver, request, lines, body).await;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(&body).unwrap_or(Value::Null))
}

#[tokio::test]
async fn captures_are_listed_by_what_is_asked_for() {
    let receiver = inspected().await;
    let secret = "authorization: Basic dTpwNHNz\r\n";
    exchange(&receiver, &post(&format!("{JSON}{secret}"), UPDATE)).await;
    exchange(
        &receiver,
        &post(JSON, &UPDATE.replace("start", "end").replace('}', ",\"summary\":\"Ünusual\"}")),
    )
    .await;
    exchange(&receiver, &post(JSON, "{")).await;
    for (query, numbers) in [
        ("", &[1, 2, 3][..]),
        ("?after=1", &[2, 3]),
        ("?limit=2", &[1, 2]),
        ("?event=a", &[1, 2]),
        ("?alerttype=end", &[2]),
        ("?verdict=failed", &[3]),
        ("?verdict=passed", &[]),
        ("?verdict=noted", &[1, 2]),
        ("?status=400", &[3]),
        ("?path=/&method=POST", &[1, 2, 3]),
        ("?q=%C3%BCNUSUAL", &[2]),
        ("?q=dTpwNHNz", &[]),
    ] {
        let (status, answer) = json_of(&receiver, &format!("GET /api/captures{query}"), "").await;
        let came: Vec<_> = answer["captures"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["number"].as_u64().unwrap())
            .collect();
        assert_eq!((status, &came[..]), (200, numbers), "{query}");
        assert_eq!(answer["counts"]["received"], 3);
    }
    let (status, answer) = json_of(&receiver, "GET /api/captures?unheard=1", "").await;
    assert!(status == 400 && answer["error"].as_str().unwrap().contains("unheard"), "{answer}");

    let (_, one) = asked(&receiver, "GET /api/captures/1", "host: localhost\r\n", "").await;
    assert!(one.contains("Basic ***") && !one.contains("dTpwNHNz"), "secrets are masked: {one}");
    assert_eq!(json_of(&receiver, "GET /api/captures/9", "").await.0, 404);
    let (_, curl) = asked(&receiver, "GET /api/captures/1/curl", "host: localhost\r\n", "").await;
    assert!(curl.starts_with("curl --request 'POST' --http1.1 'http://127.0.0.1:"), "{curl}");
    let (_, har) = json_of(&receiver, "GET /api/export/har?event=a", "").await;
    assert_eq!(har["log"]["entries"].as_array().unwrap().len(), 2);
    let (_, events) = json_of(&receiver, "GET /api/events", "").await;
    let life: Vec<_> =
        events["events"][0]["updates"].as_array().unwrap().iter().map(|one| &one["alerttype"]).collect();
    assert_eq!(life, ["start", "end"]);
}

#[tokio::test]
async fn rules_are_changed_all_or_none_and_a_reset_forgets() {
    let receiver = inspected().await;
    let wanted =
        json!({ "seed": 5, "rules": ["status=503,first=1", { "delay": "1ms", "nth": 2 }] }).to_string();
    let (status, set) = json_of(&receiver, "PUT /api/faults", &wanted).await;
    assert_eq!((status, &set["seed"], &set["rules"][1]["nth"]), (200, &json!(5), &json!("2")));
    assert!(exchange(&receiver, &post(JSON, UPDATE)).await.starts_with("HTTP/1.1 503"));
    let wrong = json!({ "rules": ["reset", "status=1"] }).to_string();
    let (status, answer) = json_of(&receiver, "PUT /api/faults", &wrong).await;
    assert_eq!(
        (status, answer["error"].as_str().unwrap()),
        (422, "rule 2: status: \"1\" is no status from 200 to 599")
    );
    assert_eq!(json_of(&receiver, "GET /api/faults", "").await.1, set, "nothing was changed");
    assert_eq!(json_of(&receiver, "DELETE /api/faults", "").await.0, 204);
    assert!(exchange(&receiver, &post(JSON, UPDATE)).await.starts_with("HTTP/1.1 200"));
    assert_eq!(json_of(&receiver, "POST /api/reset", "").await.0, 204);
    assert_eq!(receiver.counts().received, 0);
}

#[tokio::test]
async fn waiting_ends_when_enough_came_or_the_time_is_over() {
    let receiver = inspected().await;
    let late = async {
        exchange(&receiver, &post(JSON, UPDATE)).await;
        exchange(&receiver, &post(JSON, UPDATE)).await;
    };
    let (waited, ()) = tokio::join!(json_of(&receiver, "GET /api/wait?count=2&event=a&timeout=10", ""), late);
    assert_eq!((waited.1["met"].clone(), waited.1["captures"].as_array().unwrap().len()), (json!(true), 2));
    let (_, waited) = json_of(&receiver, "GET /api/wait?count=3&timeout=0.02", "").await;
    assert_eq!((&waited["met"], &waited["unknown"]), (&json!(false), &json!(false)));
}

#[tokio::test]
async fn a_stream_tells_what_comes_and_goes_on_where_it_stopped() {
    let receiver = inspected().await;
    exchange(&receiver, &post(JSON, UPDATE)).await;
    let mut stream = TcpStream::connect(address(&receiver)).await.unwrap();
    stream
        .write_all(b"GET /api/stream HTTP/1.1\r\nhost: localhost\r\nlast-event-id: 1\r\n\r\n")
        .await
        .unwrap();
    let mut told = String::new();
    let mut until = async |wanted: &str| {
        while !told.contains(wanted) {
            let mut piece = [0; 4096];
            let read = tokio::time::timeout(LIMIT, stream.read(&mut piece)).await.unwrap().unwrap();
            assert!(read > 0, "{told}");
            told.push_str(std::str::from_utf8(&piece[..read]).unwrap());
        }
        std::mem::take(&mut told)
    };
    until("text/event-stream").await;
    exchange(&receiver, &post(JSON, &UPDATE.replace("start", "end"))).await;
    let second = until("id: 2").await;
    assert!(second.contains("event: captures") && !second.contains("\"number\":1"), "{second}");
    receiver.reset();
    until("event: cleared").await;
}

#[tokio::test]
async fn other_origins_and_other_names_get_no_answer_and_every_answer_is_fenced() {
    let receiver = inspected().await;
    for (request, lines) in [
        ("GET /api/captures", "host: rebound.example\r\n"),
        ("GET /", "host: rebound.example\r\n"),
        ("POST /api/reset", "host: localhost\r\norigin: http://elsewhere.example\r\n"),
        ("PUT /api/faults", "host: localhost\r\norigin: null\r\n"),
        ("GET /api/stream", "host: localhost\r\nsec-fetch-site: cross-site\r\n"),
    ] {
        let (head, _) = asked(&receiver, request, lines, "").await;
        assert!(head.starts_with("HTTP/1.1 403"), "{request} {lines} {head}");
    }
    let (head, page) = asked(&receiver, "GET /", "host: localhost\r\n", "").await;
    assert!(head.contains("content-security-policy: default-src 'none'; script-src 'self'"), "{head}");
    assert!(!page.contains("//cdn") && !page.contains("https://"), "nothing comes from another host");
}

#[tokio::test]
async fn the_description_names_every_route_and_no_other() {
    let receiver = inspected().await;
    let (_, described) = json_of(&receiver, "GET /api/openapi.json", "").await;
    for (path, methods) in described["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let path = path.replace("{number}", "1");
            let request = format!("{} {path}?timeout=0", method.to_uppercase());
            let mut stream = TcpStream::connect(address(&receiver)).await.unwrap();
            stream
                .write_all(format!("{request} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes())
                .await
                .unwrap();
            let mut answer = [0; 512];
            let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut answer))
                .await
                .unwrap()
                .unwrap();
            let answer = String::from_utf8_lossy(&answer[..read]);
            assert!(
                !answer.contains("there is nothing here") && !answer.starts_with("HTTP/1.1 405"),
                "{request}: {answer}"
            );
        }
    }
    let source = include_str!("../../src/inspector/api.rs");
    let routes = source.split(".route(\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let described: Vec<_> = described["paths"].as_object().unwrap().keys().cloned().collect();
    let mut routes: Vec<_> = routes.collect();
    routes.sort_unstable();
    assert_eq!(described, routes);
}

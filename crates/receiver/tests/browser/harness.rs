//! A receiver for a browser to look at, and what is sent to it.

use receiver::MockReceiver;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) async fn inspected() -> MockReceiver {
    MockReceiver::builder().inspect("127.0.0.1:0").start().await.unwrap()
}

/// POSTs a body and waits for the answer.
pub(crate) async fn send(receiver: &MockReceiver, body: &str) {
    let mut stream = TcpStream::connect(receiver.address()).await.unwrap();
    let length = body.len();
    let head = format!(
        "POST /hook?from=test HTTP/1.1\r\nHost: receiver\r\nContent-Type: application/json\r\nX-Netography: Webhook\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
}

pub(crate) fn body(event: &str, kind: &str, count: u32, summary: &str) -> String {
    json!({ "id": event, "alerttype": kind, "updatecount": count, "summary": summary, "severity": "high", "metrics": { "bits": { "avg": 0.5, "max": count } }, "tags": ["one", "two"] }).to_string()
}

pub(crate) fn update(event: &str, kind: &str, count: u32) -> String {
    body(event, kind, count, "Srcip reputation is a known botnet")
}

/// An event from its start to its end.
pub(crate) async fn life(receiver: &MockReceiver, event: &str) {
    for (kind, count) in [("start", 1), ("ongoing", 2), ("end", 3)] {
        send(receiver, &update(event, kind, count)).await;
    }
}

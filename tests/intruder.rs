//! A server and a receiver among people who send what nobody should: after each of them they are as they were.

use std::io::{Read, Write};
use std::net::TcpStream;

use receiver::MockReceiver;
use tokio::task::block_in_place;

use crate::harness::LIMIT;
use crate::server::Server;

/// What comes back on a connection of its own over which these bytes went: the status, or 0 if there is no answer.
fn status(url: &str, bytes: &[u8]) -> u16 {
    block_in_place(|| {
        let address = url.trim_start_matches("http://").trim_end_matches('/');
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        // A server that has said no reads no further.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let head = String::from_utf8_lossy(&answer).into_owned();
        head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
    })
}

fn post(body: &str) -> String {
    let length = body.len();
    format!(
        "POST /v1/updates HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

fn head(lines: &str) -> String {
    format!(
        "POST /v1/updates HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n{lines}\r\n"
    )
}

/// What is no request, or more than one, and the answers that it may get; none is one too.
fn no_requests() -> Vec<(&'static str, String, &'static [u16])> {
    let smuggled = "GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n";
    vec![
        ("a head without end", head(&format!("X: {}\r\n", "x".repeat(200_000))), &[400, 431]),
        ("lines without end", head(&"X: y\r\n".repeat(20_000)), &[400, 431]),
        (
            "an address without end",
            format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(200_000)),
            &[400, 414, 431],
        ),
        ("two lengths", head("Content-Length: 2\r\nContent-Length: 3\r\n") + "{} ", &[400]),
        ("a length that is none", head("Content-Length: +2\r\n") + "{}", &[400]),
        ("a length beyond all", head("Content-Length: 99999999999999999999999\r\n") + "{}", &[400, 413]),
        ("an unknown coding", head("Transfer-Encoding: xchunked\r\n") + "2\r\n{}\r\n0\r\n\r\n", &[400, 501]),
        (
            "chunked, and not last",
            head("Transfer-Encoding: chunked, gzip\r\n") + "2\r\n{}\r\n0\r\n\r\n",
            &[400, 501],
        ),
        (
            "a chunk beyond all",
            head("Transfer-Encoding: chunked\r\n") + "FFFFFFFFFFFFFFFFF\r\n{}",
            &[400, 413],
        ),
        (
            "a chunk that is none",
            head("Transfer-Encoding: chunked\r\n") + "zz\r\n{}\r\n0\r\n\r\n",
            &[400, 413],
        ),
        ("a folded line", head("X: a\r\n b\r\n"), &[400]),
        ("a space before the colon", head("X : a\r\n"), &[400]),
        ("a NUL", head("X: a\0b\r\n"), &[400]),
        ("HTTP/0.9", "GET /\r\n".to_owned(), &[400]),
        ("HTTP/2 without TLS", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), &[400, 505]),
        ("TLS", "\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03".to_owned(), &[400]),
        ("no host", "GET / HTTP/1.1\r\n\r\n".to_owned(), &[400, 421]),
        ("too much", head("Content-Length: 20000000\r\n"), &[413]),
        (
            "both a length and chunks",
            head("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n" + smuggled,
            &[400],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_refused_and_what_follows_it_is_not_taken_for_one() {
    let server = Server::start("http://127.0.0.1:9/", &[]);
    for (what, bytes, statuses) in no_requests() {
        let answered = status(&server.url, bytes.as_bytes());
        assert!(statuses.contains(&answered) || answered == 0, "{what}: {answered}");
        assert_eq!(server.get("healthz").0, 200, "after {what}");
    }
    assert_eq!(server.get("v1/deliveries").1["deliveries"], serde_json::json!([]), "nothing was taken in");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_bombs_are_refused_or_kept_as_they_came() {
    let server = Server::start("http://127.0.0.1:9/", &[]);
    let event = |more: &str| payload::SAMPLE.replacen('{', &format!("{{{more},"), 1);
    for (what, body, status_is) in [
        ("depth", "[".repeat(1_000_000), 400),
        ("depth in a member", event(&format!("\"x\":{}1{}", "[".repeat(100_000), "]".repeat(100_000))), 422),
        ("a known name twice", event("\"id\":\"other\""), 422),
        ("a control character", event("\"x\":\"\u{1}\""), 422),
        ("a number beyond all", event(&format!("\"x\":1{}", "0".repeat(100_000))), 202),
        ("a lone surrogate", event("\"x\":\"\\ud800\""), 202),
        (
            "a hundred thousand members",
            event(&(0..100_000).map(|n| format!("\"x{n}\":1")).collect::<Vec<_>>().join(",")),
            202,
        ),
        ("nothing", String::new(), 400),
        ("no JSON", "NaN".to_owned(), 422),
        ("a byte order mark", format!("\u{feff}{}", payload::SAMPLE), 422),
        ("more behind", format!("{} x", payload::SAMPLE), 400),
    ] {
        assert_eq!(status(&server.url, post(&body).as_bytes()), status_is, "{what}");
        assert_eq!(server.get("healthz").0, 200, "after {what}");
    }
    let mut bytes = post("{\"id\":\"????\"}").into_bytes();
    let at = bytes.iter().position(|byte| *byte == b'?').unwrap();
    bytes[at..at + 4].copy_from_slice(&[0xff, 0xfe, 0x80, 0xc0]);
    assert_eq!(status(&server.url, &bytes), 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_say_nothing_keep_nobody_out() {
    let server = Server::start("http://127.0.0.1:9/", &[]);
    let address = server.url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let open = move |_| {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHo").unwrap();
        stream
    };
    let still: Vec<_> = block_in_place(|| (0..portal::server::MAX_CONNECTIONS + 200).map(open).collect());
    assert_eq!(server.get("v1/status").0, 200);
    drop(still);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_says_of_what_is_no_update_what_it_is_and_goes_on() {
    let receiver = MockReceiver::start().await.unwrap();
    let url = receiver.url();
    for (what, bytes, statuses) in no_requests() {
        // What is a request like any other here: the receiver knows no host, no limit below 16 MiB, and HTTP/2.
        if ["no host", "HTTP/2 without TLS"].contains(&what) {
            continue;
        }
        let answered = status(&url, bytes.as_bytes());
        assert!(statuses.contains(&answered) || answered == 0, "{what}: {answered}");
        assert_eq!(status(&url, post(payload::SAMPLE).as_bytes()), 200, "after {what}");
    }
    let verified = receiver.counts().passed;
    assert_eq!(verified, no_requests().len() as u64 - 2, "only what was sent whole between them");
    let event = |more: &str| payload::SAMPLE.replacen('{', &format!("{{{more},"), 1);
    for (what, body, statuses) in [
        ("depth", "[".repeat(1_000_000), 400),
        ("depth in a member", event(&format!("\"x\":{}1{}", "[".repeat(100_000), "]".repeat(100_000))), 400),
        ("a known name twice", event("\"id\":\"other\""), 400),
        ("a control character", event("\"x\":\"\u{1}\""), 400),
        ("a number beyond all", event(&format!("\"x\":1{}", "0".repeat(100_000))), 200),
        ("a lone surrogate", event("\"x\":\"\\ud800\""), 200),
        ("nothing", String::new(), 400),
        ("no JSON", "NaN".to_owned(), 400),
        ("a byte order mark", format!("\u{feff}{}", payload::SAMPLE), 400),
        ("more behind", format!("{} x", payload::SAMPLE), 400),
    ] {
        assert_eq!(status(&url, post(&body).as_bytes()), statuses, "{what}");
        let last = receiver.captures().last().cloned().unwrap();
        assert_eq!(last.request().unwrap().whole().unwrap(), body.as_bytes(), "{what} is kept as it came");
    }
}

//! Receivers that misuse HTTP/2 (RFC 9113): frames that come too often, too large, or not in their place.

use std::net::SocketAddr;
use std::time::Duration;

use delivery::http::MAX_HEADERS;
use delivery::outcome::{Outcome, Phase};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::harness::{Certificate, outcome, status};

/// The end of an attempt that a receiver would draw out for ever.
const SHORT: Duration = Duration::from_millis(500);

// Frame types and flags (RFC 9113, section 6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// `:status: 200`, from the static table (RFC 7541, appendix A).
const STATUS_200: &[u8] = &[0x88];

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Says hello, reads what comes of the request, writes `once`, and then `again` for ever, if there is something in it.
async fn peer(certificate: &Certificate, once: Vec<u8>, again: Vec<u8>) -> (SocketAddr, JoinSet<()>) {
    let acceptor = certificate.acceptor(&["h2"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, mut serving) = (listener.local_addr().unwrap(), JoinSet::new());
    serving.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, once, again) = (acceptor.clone(), once.clone(), again.clone());
            connections.spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut came = Vec::new();
                let _ = stream.write_all(&frame(SETTINGS, 0, 0, &[])).await;
                // The preface, settings and the head of a request are more than this.
                while came.len() < 100 && stream.read_buf(&mut came).await.is_ok_and(|read| read > 0) {}
                let mut going = stream.write_all(&once).await.is_ok();
                while going && !again.is_empty() {
                    going = stream.write_all(&again).await.is_ok();
                }
                let mut rest = [0; 4096];
                while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
            });
        }
    });
    (address, serving)
}

/// What is written once, and what again and again.
fn plays() -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
    let head = || frame(HEADERS, END_HEADERS, 1, STATUS_200);
    let once = |name, bytes: Vec<u8>| (name, bytes, Vec::new());
    let again = |name, bytes: Vec<u8>, many: usize| (name, Vec::new(), bytes.repeat(many));
    vec![
        once("silence", Vec::new()),
        once("the stream is reset", frame(RST_STREAM, 0, 1, &8_u32.to_be_bytes())),
        once("the stream is refused", frame(RST_STREAM, 0, 1, &7_u32.to_be_bytes())),
        once("the connection goes away", frame(GOAWAY, 0, 0, &[0; 8])),
        once("it goes away and asks for calm", frame(GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 11])),
        once("a head and then a reset", [head(), frame(RST_STREAM, 0, 1, &2_u32.to_be_bytes())].concat()),
        once("a head that is none", frame(HEADERS, END_HEADERS, 1, &[0xff; 40])),
        once("a head without a status", frame(HEADERS, END_HEADERS | END_STREAM, 1, &[])),
        once("a frame that is too large", frame(DATA, 0, 1, &vec![0; 100_000])),
        once("more than the window", [head(), frame(DATA, 0, 1, &vec![0; 16_384]).repeat(1_000)].concat()),
        once("a window beyond all", frame(WINDOW_UPDATE, 0, 0, &0x7fff_ffff_u32.to_be_bytes()).repeat(3)),
        once("a window of nothing more", frame(WINDOW_UPDATE, 0, 1, &[0; 4])),
        once("a promise that nobody wants", frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2, 0x82])),
        once("an answer on another stream", frame(HEADERS, END_HEADERS | END_STREAM, 3, STATUS_200)),
        once("settings that are none", frame(SETTINGS, 0, 0, &[1, 2, 3])),
        once("no HTTP/2 at all", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec()),
        ("a head without end", frame(HEADERS, 0, 1, STATUS_200), frame(CONTINUATION, 0, 1, &[0x88; 1_000])),
        ("an empty body without end", head(), frame(DATA, 0, 1, &[]).repeat(100)),
        again("settings without end", frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 1]), 100),
        again("pings without end", frame(PING, 0, 0, &[0; 8]), 100),
        again("resets without end", frame(RST_STREAM, 0, 1, &8_u32.to_be_bytes()), 100),
    ]
}

#[tokio::test]
async fn misused_http2_ends_the_attempt_within_its_time() {
    let certificate = Certificate::signed(&["127.0.0.1"]);
    let good = frame(HEADERS, END_HEADERS | END_STREAM, 1, STATUS_200);
    let (address, _serving) = peer(&certificate, good, Vec::new()).await;
    let ask = |address: SocketAddr, ca: &str| {
        let ca = ca.as_bytes().to_vec();
        outcome(&format!("https://{address}/"), move |draft| {
            (draft.http2, draft.roots, draft.attempt_timeout) = (true, Some(ca), SHORT);
        })
    };
    assert_eq!(status(&ask(address, &certificate.ca).await), 200, "frames are made rightly");
    for (what, once, again) in plays() {
        let (address, _serving) = peer(&certificate, once, again).await;
        let met = tokio::time::timeout(SHORT * 10, ask(address, &certificate.ca)).await;
        let met = met.unwrap_or_else(|_| panic!("{what}: the deadline holds"));
        let ended = matches!(met, Outcome::Broken { .. } | Outcome::TimedOut(_) | Outcome::Unsent);
        // What was answered and then went wrong may count as an answer too, with its body cut.
        let cut = matches!(&met, Outcome::Answered(answer) if answer.status.as_u16() == 200);
        assert!(ended || (cut && what.starts_with("more than")), "{what}: {met:?}");
    }
}

#[tokio::test]
async fn an_answer_over_http2_has_no_more_lines_than_another() {
    let certificate = Certificate::signed(&["127.0.0.1"]);
    // A field that is written out, its name too (RFC 7541, section 6.2.2).
    let line = [0, 1, b'x', 1, b'y'];
    for (lines, is_answer) in [(MAX_HEADERS, true), (MAX_HEADERS + 1, false)] {
        let head = [STATUS_200, &line.repeat(lines)].concat();
        let head = frame(HEADERS, END_HEADERS | END_STREAM, 1, &head);
        let (address, _serving) = peer(&certificate, head, Vec::new()).await;
        let ca = certificate.ca.as_bytes().to_vec();
        let url = format!("https://{address}/");
        let met = outcome(&url, move |draft| (draft.http2, draft.roots) = (true, Some(ca))).await;
        match met {
            Outcome::Answered(_) => assert!(is_answer, "{lines} lines"),
            Outcome::Broken { phase: Phase::ResponseHead, reason } => assert!(!is_answer, "{reason}"),
            other => panic!("{lines} lines: {other}"),
        }
    }
}

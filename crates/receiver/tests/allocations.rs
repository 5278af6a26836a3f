//! What reading credentials allocates, which is nothing, and what a capture holds.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use allocation_counter::measure;
use payload::generate::Play;
use receiver::MockReceiver;
use receiver::check::credentials::{Room, read};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[test]
fn reading_usual_credentials_allocates_nothing() {
    for (value, pair) in [
        ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", ("Aladdin", "open sesame")),
        ("basic  dGVzdDoxMjPCow== ", ("test", "123\u{a3}")),
        ("Basic Og==", ("", "")),
    ] {
        let read = measure(|| assert_eq!(read(value.as_bytes(), &mut Room::default()), Ok(pair)));
        assert_eq!(read.count_total, 0, "{value}");
    }
}

/// Sends requests one after the other on one connection: with a body as it is, and in a chunk.
async fn send(stream: &mut TcpStream, requests: usize) {
    let event = Play::new(1, 1, 1_700_000_000).next().unwrap();
    let body = String::from_utf8(event.to_json()).unwrap();
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nX-Own: some value\r\n";
    let whole = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    let chunk = format!("{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    for number in 0..requests {
        stream.write_all(if number % 2 == 0 { &whole } else { &chunk }.as_bytes()).await.unwrap();
        let mut answer = [0; 4096];
        assert!(stream.read(&mut answer).await.unwrap() > 0);
    }
}

#[test]
fn a_capture_holds_what_it_weighs() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let receiver = runtime.block_on(MockReceiver::builder().start()).unwrap();
    let address = receiver.url().trim_start_matches("http://").trim_end_matches('/').to_owned();
    let mut stream = runtime.block_on(TcpStream::connect(address)).unwrap();
    let weighs = || receiver.captures().iter().map(|capture| capture.weight() as i64).sum::<i64>();
    runtime.block_on(send(&mut stream, 100));
    let before = weighs();
    let held = measure(|| runtime.block_on(send(&mut stream, 1000))).bytes_current;
    let weight = weighs() - before;
    assert!(held < weight * 5 / 4, "captures that weigh {weight} bytes hold {held}");
}

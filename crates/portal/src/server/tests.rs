use std::net::SocketAddr;
use std::path::Path;

use delivery::clock::Clock;
use delivery::engine::Limits;
use delivery::store::desk::Desk;
use delivery::store::memory::MemoryStore;
use sender::seal::SealingKey;
use sender::settings::Guarding;
use sender::{Book, Sender, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::arrival::{FORM_TIMEOUT, MAX_FORM, MAX_LOGIN, UPDATES_TIMEOUT};
use crate::pages::MAX_FIELDS;
use crate::portal::{MAX_BODIES, MAX_BODY, MAX_UPDATES};
use crate::{Access, Watch};

/// How far a paused clock goes on at a time.
const STEP: Duration = Duration::from_millis(1);

/// A server on loopback, open to this machine, which keeps what it is given in memory.
struct Server {
    address: SocketAddr,
    _serving: JoinSet<()>,
}

impl Server {
    async fn start() -> Self {
        Self::up_to(MAX_CONNECTIONS).await
    }

    async fn up_to(connections: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (clock, watch) = (Clock::start(), Watch::new());
        let desk = Desk::inline(MemoryStore::default());
        let sender = Sender::on(desk, clock, Limits::default(), 1, watch.clone());
        let access = Access::open(address, None, &sender).await.unwrap();
        let key = SealingKey::parse(&SealingKey::generate().unwrap()).unwrap();
        let book = Book::open(sender.clone(), key, Guarding::Off, clock).await.unwrap();
        let portal = Portal::new(sender, book, watch, Path::new("nowhere"), access, clock);
        portal.set_up(Settings::default()).await.unwrap();
        let mut serving = JoinSet::new();
        serving.spawn(serve_up_to(connections, listener, Arc::new(portal), std::future::pending()));
        Self { address, _serving: serving }
    }

    /// A connection over which this was sent.
    async fn send(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream
    }

    /// The status that this is answered with.
    async fn status(&self, bytes: &[u8]) -> u16 {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // A server that has said no reads no further.
        let _ = stream.write_all(bytes).await;
        status(&mut stream).await
    }
}

/// The status of the next answer; 0 if the connection ends without one.
async fn status(stream: &mut TcpStream) -> u16 {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return 0,
        }
    }
    String::from_utf8(head).unwrap()[9..12].parse().unwrap()
}

/// Reads all of an answer of `/healthz`.
async fn healthy(stream: &mut TcpStream) {
    let mut answer = Vec::new();
    while !answer.ends_with(b"alive\n") {
        assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "it is answered");
    }
}

fn head(target: &str, kind: &str, length: usize, more: &str) -> String {
    format!(
        "POST {target} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n{more}\r\n"
    )
}

fn post(target: &str, kind: &str, body: &str) -> Vec<u8> {
    (head(target, kind, body.len(), "") + body).into_bytes()
}

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const UPDATES: &str = "/v1/updates";
const INTEGRATIONS: &str = "/v1/integrations";

/// An integration as JSON of so many bytes.
fn integration(name: &str, bytes: usize) -> String {
    let form = format!("{{\"name\":\"{name}\",\"url\":\"http://127.0.0.1:9/\"}}");
    format!("{form}{}", " ".repeat(bytes - form.len()))
}

#[tokio::test]
async fn the_head_of_a_request_ends_at_its_bound() {
    let server = Server::start().await;
    let (begin, end) = ("GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: ", "\r\n\r\n");
    for (bytes, answered) in [(MAX_HEAD, 200), (MAX_HEAD + 1, 431)] {
        let head = format!("{begin}{}{end}", "x".repeat(bytes - begin.len() - end.len()));
        assert_eq!(server.status(head.as_bytes()).await, answered, "{bytes}");
    }
}

#[tokio::test]
async fn for_one_connection_too_many_the_one_that_was_still_for_longest_goes() {
    const MANY: usize = 3;
    let server = Server::up_to(MANY).await;
    let (begin, end) = (&b"GET /healthz HTTP/1.1\r\nhost: local"[..], &b"host\r\n\r\n"[..]);
    let whole = [begin, end].concat();
    let (mut first, mut second) = (server.send(begin).await, server.send(begin).await);
    // Once the last was answered all were accepted, and nobody had to go for it.
    let mut last = server.send(&whole).await;
    healthy(&mut last).await;
    first.write_all(end).await.unwrap();
    healthy(&mut first).await;
    let mut more = server.send(&whole).await;
    healthy(&mut more).await;
    // What was closed at the other end may take this, or not.
    let _ = second.write_all(end).await;
    assert_eq!(status(&mut second).await, 0, "it made room");
    // Others had been still for longer.
    first.write_all(&whole).await.unwrap();
    healthy(&mut first).await;
}

#[tokio::test]
async fn forms_end_at_their_bounds() {
    let server = Server::start().await;
    let form = |bytes: usize| post(INTEGRATIONS, JSON, &integration("one", bytes));
    assert_eq!(server.status(&form(MAX_FORM + 1)).await, 413);
    assert_eq!(server.status(&form(MAX_FORM)).await, 201);
    // It is too long, or else nobody has this name.
    let login = |bytes: usize| post("/login", FORM, &format!("name={}", "x".repeat(bytes - 5)));
    assert_eq!(server.status(&login(MAX_LOGIN + 1)).await, 413);
    assert_eq!(server.status(&login(MAX_LOGIN)).await, 403);
    // It has too many fields, or else no word that shows that it is one of ours.
    let fields = |count: usize| post("/settings/access", FORM, &vec!["a=b"; count].join("&"));
    assert_eq!(server.status(&fields(MAX_FIELDS + 1)).await, 413);
    assert_eq!(server.status(&fields(MAX_FIELDS)).await, 403);
}

#[tokio::test]
async fn a_request_with_updates_ends_at_its_bounds() {
    let server = Server::start().await;
    // It is too long, or else no update.
    assert_eq!(server.status(&post(UPDATES, JSON, &"x".repeat(MAX_BODY))).await, 422);
    let told = head(UPDATES, JSON, MAX_BODY + 1, "expect: 100-continue\r\n");
    assert_eq!(server.status(told.as_bytes()).await, 413, "before any of it was sent");
    for (bytes, answered) in [(MAX_BODY, 422), (MAX_BODY + 1, 413)] {
        let head = format!(
            "POST {UPDATES} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {JSON}\r\ntransfer-encoding: chunked\r\n\r\n"
        );
        let chunked = format!("{head}{bytes:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(bytes));
        assert_eq!(server.status(chunked.as_bytes()).await, answered, "{bytes} whose length is not told");
    }
    let updates = |count: usize| post(UPDATES, JSON, &format!("[{}]", vec!["1"; count].join(",")));
    assert_eq!(server.status(&updates(MAX_UPDATES)).await, 207);
    assert_eq!(server.status(&updates(MAX_UPDATES + 1)).await, 413);
}

#[tokio::test]
async fn what_all_requests_with_updates_hold_together_has_a_bound() {
    let server = Server::start().await;
    // Who asks before sending is told to go on when there is room.
    let ask = async |length: usize| {
        let mut stream =
            server.send(head(UPDATES, JSON, length, "expect: 100-continue\r\n").as_bytes()).await;
        (status(&mut stream).await, stream)
    };
    let mut held = Vec::new();
    for _ in 1..MAX_BODIES / MAX_BODY {
        held.push(ask(MAX_BODY).await);
    }
    held.push(ask(MAX_BODY - 2).await);
    assert!(held.iter().all(|(status, _)| *status == 100));
    assert_eq!(ask(3).await.0, 429);
    let (status, last) = ask(2).await;
    assert_eq!(status, 100);
    assert_eq!(ask(1).await.0, 429);
    drop(last);
}

/// Lets everybody do what there is to do while a paused clock stands: by itself it would run on as soon as everybody waits,
/// also for a socket.
async fn standing<T>(what: impl Future<Output = T>) -> T {
    let spinning = async {
        loop {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        done = what => done,
        () = spinning => unreachable!("it goes on for ever"),
    }
}

/// The same while the clock goes on step by step.
async fn ticking<T>(what: impl Future<Output = T>) -> T {
    let going_on = async {
        loop {
            tokio::time::advance(STEP).await;
        }
    };
    tokio::select! {
        done = what => done,
        () = going_on => unreachable!("it goes on for ever"),
    }
}

/// What was written is read by the other end.
async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_head_of_a_request_has_its_time() {
    let server = Server::start().await;
    let (begin, end) = (&b"GET /healthz HTTP/1.1\r\nhost: local"[..], &b"host\r\n\r\n"[..]);
    let mut stream = standing(server.send(begin)).await;
    settle().await;
    tokio::time::advance(HEAD_TIMEOUT - STEP).await;
    standing(stream.write_all(end)).await.unwrap();
    standing(healthy(&mut stream)).await;
    // Where another request could come, and where half of one has.
    let mut other = standing(server.send(begin)).await;
    settle().await;
    tokio::time::advance(HEAD_TIMEOUT - STEP).await;
    settle().await;
    for stream in [&stream, &other] {
        assert!(stream.try_read(&mut [0]).is_err(), "it is open");
    }
    tokio::time::advance(STEP).await;
    for stream in [&mut stream, &mut other] {
        standing(stream.read_to_end(&mut Vec::new())).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn bodies_have_their_time() {
    let server = Server::start().await;
    for (target, kind, body, limit, in_time) in [
        (INTEGRATIONS, JSON, integration("one", 100), FORM_TIMEOUT, 201),
        ("/login", FORM, "name=nobody".to_owned(), FORM_TIMEOUT, 403),
        (UPDATES, JSON, "[]".to_owned(), UPDATES_TIMEOUT, 400),
    ] {
        let request = post(target, kind, &body);
        let (last, first) = request.split_last().unwrap();
        for (waits, answered) in [(limit - STEP, in_time), (limit, 408)] {
            let mut stream = standing(server.send(first)).await;
            settle().await;
            tokio::time::advance(waits).await;
            settle().await;
            standing(stream.write_all(&[*last])).await.unwrap();
            assert_eq!(ticking(status(&mut stream)).await, answered, "{target} after {waits:?}");
        }
    }
}

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::*;
use crate::capture::Captures;
use crate::check::Checks;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";

/// Whether a request is answered; otherwise the connection has come to its end.
async fn is_answered(stream: &mut TcpStream) -> bool {
    // What was closed at the other end may take this, or not.
    let _ = stream.write_all(REQUEST).await;
    let mut answer = [0; 4096];
    stream.read(&mut answer).await.is_ok_and(|read| answer[..read].starts_with(b"HTTP/1.1 "))
}

#[tokio::test]
async fn for_one_connection_too_many_the_one_that_was_idle_for_longest_goes() {
    const MANY: usize = 3;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let desk = Desk::new(Checks::default(), Limits::default(), Captures::keeping(100), None, (Vec::new(), 0));
    let mut running = JoinSet::new();
    running.spawn(async move {
        accept(listener, None, &Arc::new(desk), &mut Tasks::default(), MANY).await;
    });
    let mut streams = Vec::new();
    for _ in 0..MANY {
        streams.push(TcpStream::connect(address).await.unwrap());
    }
    // Once the last was answered all were accepted.
    for at in [MANY - 1, 1, 0, MANY - 1] {
        assert!(is_answered(&mut streams[at]).await, "{at}: nobody has to go");
    }
    let mut more = TcpStream::connect(address).await.unwrap();
    assert!(is_answered(&mut more).await);
    assert!(!is_answered(&mut streams[1]).await, "it made room, though another came first");
    let mut one_more = TcpStream::connect(address).await.unwrap();
    assert!(is_answered(&mut one_more).await);
    assert!(!is_answered(&mut streams[0]).await, "it is the next that goes");
    for stream in [&mut streams[MANY - 1], &mut more, &mut one_more] {
        assert!(is_answered(stream).await);
    }
}

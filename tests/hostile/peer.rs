//! A receiver that does with its connections whatever a play says, byte by byte.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What happens on a connection: how much of the request is read, what is written, and how it ends.
#[derive(Clone)]
pub(super) struct Play {
    pub(super) name: &'static str,
    pub(super) read: Read,
    pub(super) write: Vec<u8>,
    pub(super) then: Then,
}

/// How much of the request is read before something is written.
#[derive(Clone, Copy)]
pub(super) enum Read {
    Nothing,
    Head,
    All,
}

/// How a connection ends.
#[derive(Clone, Copy)]
pub(super) enum Then {
    Close,
    Reset,
    /// This half is closed, and what comes is read to its end.
    HalfClose,
    /// The same bytes are written for ever.
    Endless,
    /// Nothing more, until the other end goes.
    Hang,
}

impl Play {
    pub(super) fn new(name: &'static str, read: Read, write: impl Into<Vec<u8>>, then: Then) -> Self {
        Self { name, read, write: write.into(), then }
    }
}

/// The receiver, and how its connections are.
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    pub(super) accepted: Arc<AtomicUsize>,
    pub(super) open: Arc<AtomicUsize>,
    _accepting: tokio::task::JoinSet<()>,
}

/// Plays the plays in turn, one a connection.
pub(super) async fn peer(plays: Vec<Play>) -> Peer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (accepted, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counted, under_way) = (Arc::clone(&accepted), Arc::clone(&open));
    let mut accepting = tokio::task::JoinSet::new();
    accepting.spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let number = counted.fetch_add(1, Ordering::SeqCst);
            under_way.fetch_add(1, Ordering::SeqCst);
            let (play, under_way) = (plays[number % plays.len()].clone(), Arc::clone(&under_way));
            connections.spawn(async move {
                // What the other end does to it is the other end's affair.
                let _ = run(stream, &play).await;
                under_way.fetch_sub(1, Ordering::SeqCst);
            });
            while connections.try_join_next().is_some() {}
        }
    });
    Peer { address, accepted, open, _accepting: accepting }
}

async fn run(mut stream: TcpStream, play: &Play) -> std::io::Result<()> {
    match play.read {
        Read::Nothing => {}
        Read::Head => drop(read_head(&mut stream).await?),
        Read::All => read_all(&mut stream).await?,
    }
    stream.write_all(&play.write).await?;
    match play.then {
        Then::Close => {
            // What is unread would make it a reset.
            if matches!(play.read, Read::Nothing | Read::Head) {
                stream.shutdown().await?;
                read_on(&mut stream).await;
            }
        }
        Then::Reset => stream.set_zero_linger()?,
        Then::HalfClose => {
            stream.shutdown().await?;
            read_on(&mut stream).await;
        }
        Then::Endless => loop {
            stream.write_all(&play.write).await?;
        },
        Then::Hang => read_on(&mut stream).await,
    }
    Ok(())
}

async fn read_on(stream: &mut TcpStream) {
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
}

/// The head, and what came with it of the body.
async fn read_head(stream: &mut TcpStream) -> std::io::Result<(Vec<u8>, usize)> {
    let mut came = Vec::new();
    loop {
        if let Some(end) = came.windows(4).position(|window| window == b"\r\n\r\n") {
            return Ok((came, end + 4));
        }
        if stream.read_buf(&mut came).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}

async fn read_all(stream: &mut TcpStream) -> std::io::Result<()> {
    let (mut came, end) = read_head(stream).await?;
    let head = String::from_utf8_lossy(&came[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0").trim();
    let whole = end + length.parse::<usize>().unwrap();
    while came.len() < whole {
        if stream.read_buf(&mut came).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

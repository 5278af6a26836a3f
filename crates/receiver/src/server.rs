//! The sockets: accepts connections, reads requests within limits, and passes each to the desk.
//!
//! Everything a peer can make grow has a bound here, and every wait for it a deadline.

mod answer;
mod connection;
mod desk;
mod idle;
#[doc(hidden)]
pub mod properties;
mod read;
mod tap;
pub mod tls;

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;

use crate::clock::{self, Tasks};
pub(crate) use desk::Desk;
pub use desk::OnCapture;
use idle::Idle;

/// How many connections are open at once. When there are more, the one that has been idle for longest is closed.
pub const MAX_CONNECTIONS: usize = 4096;

/// How long the head of a request may take, the wait on a kept-alive connection included.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a TLS handshake may take.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a connection that has become idle is looked for while one waits for a place.
const MAKE_ROOM_STEP: Duration = Duration::from_millis(50);

/// How large the head of a request may be, in bytes.
pub const MAX_HEAD: usize = 64 * 1024;

/// How much larger than its body a message may be to be kept byte for byte: its head, and the framing of its chunks.
pub const MAX_FRAMING: usize = 256 * 1024;

/// How much of a body that is refused is still read, in bytes, and for how long: a sender that is cut off while it writes
/// may never see the answer (RFC 9112, section 9.6).
pub const MAX_DISCARDED: usize = 16 * 1024 * 1024;
/// See [`MAX_DISCARDED`].
pub const DISCARD_TIMEOUT: Duration = Duration::from_secs(1);

/// Limits that are chosen by whoever starts the receiver.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How large a body may be, in bytes.
    pub body: usize,
    /// How long a body may take.
    pub body_timeout: Duration,
    /// How many bytes of bodies are under way at once, over all connections; what is beyond is answered 503. Their bytes
    /// as they came are kept beside them until they were judged, so that twice this is held.
    pub under_way: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body: 16 * 1024 * 1024, body_timeout: Duration::from_secs(30), under_way: 256 * 1024 * 1024 }
    }
}

/// Accepts connections until it is told to close, and then waits for what is under way; or until it is dropped.
pub(crate) async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, desk: Arc<Desk>) {
    let mut tasks = Tasks::default();
    accept(listener, tls, &desk, &mut tasks, MAX_CONNECTIONS).await;
    tasks.ended().await;
    desk.closed();
}

/// Accepts connections until it is told to close; then nobody listens there any more. So many are open at once.
async fn accept(
    mut listener: TcpListener,
    tls: Option<TlsAcceptor>,
    desk: &Arc<Desk>,
    tasks: &mut Tasks,
    connections: usize,
) {
    let Ok(address) = listener.local_addr() else { return };
    let (slots, idle) = (Arc::new(Semaphore::new(connections)), Arc::new(Idle::default()));
    let mut waiting = None;
    loop {
        if desk.refusing().is_some() {
            drop(listener);
            listener = tokio::select! {
                listener = listen_again(address, desk) => listener,
                () = desk.closing() => return,
            };
        }
        // Accepted first and placed then: as long as there is not one more, nobody has to go.
        let placed = async {
            if waiting.is_none() {
                waiting = Some(listener.accept().await?);
            }
            io::Result::Ok(slot(&slots, &idle).await)
        };
        let placed = tokio::select! {
            placed = placed => placed,
            () = desk.faults_changed() => continue,
            () = desk.closing() => return,
        };
        match placed {
            Ok(slot) => {
                let Some((stream, peer)) = waiting.take() else { continue };
                let connection = connection::Opened { stream, peer, slot, idle: Arc::clone(&idle) };
                tasks.run(connection.run(tls.clone(), Arc::clone(desk)));
            }
            Err(error) if is_of_one_connection(&error) => {}
            // Out of file descriptors or memory: what is idle makes room, and what runs gets a moment to end.
            Err(_) => {
                idle.end_longest();
                clock::pause(Duration::from_millis(20)).await;
            }
        }
    }
}

/// Waits for a place. While there is none, what has become idle is asked again and again to make room.
async fn slot(slots: &Arc<Semaphore>, idle: &Idle) -> Option<OwnedSemaphorePermit> {
    let mut place = pin!(Arc::clone(slots).acquire_owned());
    loop {
        if slots.available_permits() == 0 {
            idle.end_longest();
        }
        tokio::select! {
            place = place.as_mut() => return place.ok(),
            () = clock::pause(MAKE_ROOM_STEP) => {}
        }
    }
}

/// Waits while the rules say that nobody listens, and listens on the same address again.
async fn listen_again(address: SocketAddr, desk: &Desk) -> TcpListener {
    while let Some(left) = desk.refusing() {
        tokio::select! {
            () = clock::pause(left) => {}
            () = desk.faults_changed() => {}
        }
    }
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            // Another program took the port meanwhile, or a socket of ours still holds it.
            Err(_) => clock::pause(Duration::from_millis(50)).await,
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests;

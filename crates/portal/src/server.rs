//! The sockets: accepts connections within limits, and hands their requests to the routes.

mod places;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::access::Peer;
use crate::api;
use crate::history;
use crate::pages;
use crate::portal::Portal;

use places::Places;

/// How many connections are open at once. For one more the one that has been still for longest goes; where all are busy, more
/// wait in the listen queue.
pub const MAX_CONNECTIONS: usize = 1024;

/// How long the head of a request may take, the wait on a kept-alive connection included.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How large the head of a request may be, in bytes.
pub const MAX_HEAD: usize = 64 * 1024;

/// How long to wait for the one that was asked to leave, before another one is asked.
const MAKE_ROOM: Duration = Duration::from_millis(20);

/// How long requests under way may take to end after `stop`.
const FINISH: Duration = Duration::from_secs(5);

/// Answers until `stop`, then lets the requests under way end.
pub async fn serve(listener: TcpListener, portal: Arc<Portal>, stop: impl Future<Output = ()>) {
    serve_up_to(MAX_CONNECTIONS, listener, portal, stop).await;
}

/// The same with so many connections at once.
async fn serve_up_to(
    connections: usize,
    listener: TcpListener,
    portal: Arc<Portal>,
    stop: impl Future<Output = ()>,
) {
    let routes = pages::before(api::routes(Arc::clone(&portal)), Arc::clone(&portal));
    let looking = look(&portal);
    tokio::pin!(looking);
    let (slots, places) = (Arc::new(Semaphore::new(connections)), Places::default());
    let (graceful, mut open) = (GracefulShutdown::new(), JoinSet::new());
    tokio::pin!(stop);
    loop {
        let accepted = async {
            let accepted = listener.accept().await;
            (room(&slots, &places).await, accepted)
        };
        let (slot, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut looking => continue,
            () = &mut stop => break,
        };
        let Ok((stream, peer)) = accepted else {
            // Out of file descriptors or memory: give what runs a moment to end instead of spinning.
            pause().await;
            continue;
        };
        let place = Arc::new(places.take());
        let _ = stream.set_nodelay(true);
        let mut server = http1::Builder::new();
        server.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
        // The buffer's bound holds while a head is not whole, the head's also when more was read than the buffer should take.
        server.max_buf_size(MAX_HEAD).max_header_size(MAX_HEAD);
        // Who has said all that they have to say may close their half, and still gets the answer.
        server.half_close(true);
        let routes = TowerToHyperService::new(routes.clone());
        let asked = Arc::clone(&place);
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer.ip()));
            let (busy, answer) = (asked.busy(), routes.call(request));
            async move {
                let answer = answer.await;
                drop(busy);
                answer
            }
        });
        let connection = graceful.watch(server.serve_connection(TokioIo::new(stream), service));
        open.spawn(async move {
            tokio::select! {
                // What breaks below a request ends the connection; there is nobody left to tell.
                _ = connection => {}
                () = place.wanted() => {}
            }
            drop(slot);
        });
        while open.try_join_next().is_some() {}
    }
    drop(listener);
    let _ = tokio::time::timeout(FINISH, graceful.shutdown()).await;
}

/// A slot for one more connection, as soon as there is one.
async fn room(slots: &Arc<Semaphore>, places: &Places) -> Option<OwnedSemaphorePermit> {
    loop {
        if let Ok(slot) = Arc::clone(slots).try_acquire_owned() {
            return Some(slot);
        }
        places.make_room();
        tokio::select! {
            slot = Arc::clone(slots).acquire_owned() => return slot.ok(),
            // Who was to leave may have got something to do just then.
            () = sleep(MAKE_ROOM) => {}
        }
    }
}

/// Looks at what was counted, now and then, for the plots of the last hour.
async fn look(portal: &Portal) {
    loop {
        portal.look().await;
        sleep(history::EVERY).await;
    }
}

async fn pause() {
    sleep(Duration::from_millis(100)).await;
}

#[expect(clippy::disallowed_methods, reason = "the accept loop is the one loop of this crate that sleeps")]
async fn sleep(time: Duration) {
    tokio::time::sleep(time).await;
}

#[cfg(test)]
mod tests;

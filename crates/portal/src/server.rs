//! The sockets: accepts connections within limits, and hands their requests to the routes.

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
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::access::Peer;
use crate::api;
use crate::history;
use crate::pages;
use crate::portal::Portal;

/// How many connections are open at once; more wait in the listen queue.
pub const MAX_CONNECTIONS: usize = 1024;

/// How long the head of a request may take, the wait on a kept-alive connection included.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How large the head of a request may be, in bytes.
pub const MAX_HEAD: usize = 64 * 1024;

/// How long requests under way may take to end after `stop`.
const FINISH: Duration = Duration::from_secs(5);

/// Answers until `stop`, then lets the requests under way end.
pub async fn serve(listener: TcpListener, portal: Arc<Portal>, stop: impl Future<Output = ()>) {
    let routes = pages::before(api::routes(Arc::clone(&portal)), Arc::clone(&portal));
    let looking = look(&portal);
    tokio::pin!(looking);
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let (graceful, mut connections) = (GracefulShutdown::new(), JoinSet::new());
    tokio::pin!(stop);
    loop {
        let accepted = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut looking => continue,
            () = &mut stop => break,
        };
        let (Ok(slot), Ok((stream, peer))) = (slot, accepted) else {
            // Out of file descriptors or memory: give what runs a moment to end instead of spinning.
            pause().await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let mut server = http1::Builder::new();
        server.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(MAX_HEAD);
        let routes = TowerToHyperService::new(routes.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer.ip()));
            routes.call(request)
        });
        let connection = graceful.watch(server.serve_connection(TokioIo::new(stream), service));
        connections.spawn(async move {
            // What breaks below a request ends the connection; there is nobody left to tell.
            let _ = connection.await;
            drop(slot);
        });
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    let _ = tokio::time::timeout(FINISH, graceful.shutdown()).await;
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

//! The inspector: a page and an API on a port of their own, where a person or a script looks at what came, live.
//!
//! It shows what strangers sent, so it trusts none of it: every text is shown as text, secrets are masked, and neither
//! another site nor a name that points at this machine gets an answer.

mod api;
mod filter;
mod guard;
mod page;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::capture::Captures;
use crate::clock::{self, Tasks};
use crate::server::Desk;

/// How many connections the inspector has at once; more wait in the listen queue. A page that is open holds one.
pub const MAX_CONNECTIONS: usize = 64;

/// How long the head of a request may take, the wait on a kept-alive connection included.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How large the body of a request to the API may be, in bytes.
pub const MAX_BODY: usize = 256 * 1024;

/// The longest that `/api/wait` waits.
pub const MAX_WAIT: Duration = Duration::from_secs(10 * 60);

/// How many captures one answer holds at most.
pub const MAX_LISTED: usize = 1_000;

/// What the routes look at.
#[derive(Debug)]
struct Shown {
    captures: Captures,
    desk: Arc<Desk>,
    /// The receiver's URL, to point a sender at.
    receiver: String,
}

/// Answers until it is dropped.
pub(crate) async fn serve(listener: TcpListener, captures: Captures, desk: Arc<Desk>, receiver: String) {
    let shown = Shown { captures, desk, receiver };
    let routes: Router = guard::around(page::routes().merge(api::routes(Arc::new(shown))));
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut tasks = Tasks::default();
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors or memory: give what runs a moment to end instead of spinning.
            clock::pause(Duration::from_millis(100)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let mut server = http1::Builder::new();
        server.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(64 * 1024);
        let service = TowerToHyperService::new(routes.clone());
        let connection = server.serve_connection(TokioIo::new(stream), service);
        tasks.run(async move {
            // What breaks below a request ends the connection; there is nobody left to tell.
            let _ = connection.await;
            drop(slot);
        });
    }
}

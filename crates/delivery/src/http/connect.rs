//! Makes a connection: has it reach the target, shakes hands.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Version;
use http_body_util::Full;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::pool::{Live, Sender, reason};
use super::reach::{System, first_that_connects, resolve};
use super::{MAX_HEAD, MAX_HEADERS};
use crate::outcome::{Connection, Phase, Timings, TlsFault, Unreachable};
use crate::target::Target;
use crate::target::tls::fault;
use crate::tasks::spawn;

/// Why there is no connection.
pub(super) enum Failure {
    Unreachable(Unreachable),
    Tls(TlsFault),
    /// The HTTP library's own handshake failed, for a person.
    Handshake(String),
}

/// Connects to `target`, telling `phase` and `timings` how far it is.
pub(super) async fn connect(
    target: &Target,
    phase: &mut Phase,
    timings: &mut Timings,
    elapsed: impl Fn() -> Duration,
) -> Result<Live, Failure> {
    let parts = target.parts();
    *phase = Phase::Resolve;
    let addresses =
        resolve(&System, &parts.address, parts.guard.as_ref()).await.map_err(Failure::Unreachable)?;
    *phase = Phase::Connect;
    let reached = first_that_connects(&System, &addresses, parts.connect_timeout).await;
    let (stream, peer) = reached.map_err(Failure::Unreachable)?;
    timings.connect = Some(elapsed());
    // A request is one small write; waiting to fill a packet would only delay it.
    let _ = stream.set_nodelay(true);
    let mut facts =
        Connection { peer, reused: false, version: Version::HTTP_11, tls: None, unverified: false };
    if !parts.address.is_secure() {
        return shake_hands(stream, facts).await;
    }
    *phase = Phase::Tls;
    let stream = secure(stream, target).await?;
    timings.tls = Some(elapsed());
    let session = stream.get_ref().1;
    facts.tls = session
        .protocol_version()
        .zip(session.negotiated_cipher_suite())
        .map(|(version, suite)| format!("{version:?} {:?}", suite.suite()));
    facts.unverified = parts.tls.is_unverified();
    if session.alpn_protocol() == Some(b"h2") {
        facts.version = Version::HTTP_2;
    }
    shake_hands(stream, facts).await
}

async fn secure(stream: TcpStream, target: &Target) -> Result<TlsStream<TcpStream>, Failure> {
    let parts = target.parts();
    let Some(name) = parts.address.server_name() else {
        return Err(Failure::Tls(TlsFault::Handshake("the host is no name that TLS can carry".to_owned())));
    };
    let connected = TlsConnector::from(parts.tls.config()).connect(name, stream).await;
    connected.map_err(|error| {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        Failure::Tls(match inner {
            Some(rustls::Error::InvalidMessage(_)) => TlsFault::Handshake(
                "what listens there does not speak TLS; is the URL meant to be http://?".to_owned(),
            ),
            Some(error) => fault(error),
            None if error.kind() == io::ErrorKind::UnexpectedEof => {
                TlsFault::Handshake("the connection was closed during the handshake".to_owned())
            }
            None => TlsFault::Handshake(error.to_string()),
        })
    })
}

async fn shake_hands<S>(stream: S, facts: Connection) -> Result<Live, Failure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let failed = |error: hyper::Error| Failure::Handshake(reason(&error));
    let stream = TokioIo::new(stream);
    let (sender, driver) = if facts.version == Version::HTTP_2 {
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
            .handshake::<_, Full<Bytes>>(stream)
            .await
            .map_err(failed)?;
        (Sender::Http2(sender), spawn(driven(connection)))
    } else {
        let (sender, connection) = http1::Builder::new()
            // While a head is not whole, and of a whole one: more may be read at once than the buffer should take.
            .max_buf_size(MAX_HEAD)
            .max_header_size(MAX_HEAD)
            .max_headers(MAX_HEADERS)
            .title_case_headers(true)
            .handshake::<_, Full<Bytes>>(stream)
            .await
            .map_err(failed)?;
        (Sender::Http1(sender), spawn(driven(connection)))
    };
    Ok(Live { sender, facts, driver: Arc::new(driver) })
}

/// What goes wrong on a connection is told to whoever waits for a response on it, not here.
async fn driven(connection: impl Future<Output = Result<(), hyper::Error>>) {
    let _ = connection.await;
}

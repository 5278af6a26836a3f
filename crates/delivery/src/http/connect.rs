//! Makes a connection: resolves the name, connects, shakes hands.

use std::io;
use std::net::SocketAddr;
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
use super::{MAX_HEAD, MAX_HEADERS};
use crate::outcome::{Connection, Phase, Timings, TlsFault, Unreachable};
use crate::target::Target;
use crate::target::address::Address;
use crate::target::guard::Guard;
use crate::target::tls::fault;
use crate::tasks::spawn;

/// Why there is no connection.
pub(super) enum Failure {
    Unreachable(Unreachable),
    Tls(TlsFault),
    /// The HTTP library's own handshake failed, for a person.
    Handshake(String),
}

/// How many addresses of a name are tried; each gets its share of the time.
const MAX_ADDRESSES: usize = 4;

/// Connects to `target`, telling `phase` and `timings` how far it is.
pub(super) async fn connect(
    target: &Target,
    phase: &mut Phase,
    timings: &mut Timings,
    elapsed: impl Fn() -> Duration,
) -> Result<Live, Failure> {
    let parts = target.parts();
    *phase = Phase::Resolve;
    let addresses = resolve(&parts.address, parts.guard.as_ref()).await?;
    *phase = Phase::Connect;
    let (stream, peer) = first_that_connects(&addresses, parts.connect_timeout).await?;
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

/// All addresses of the host, each of which the guard lets pass. What is returned here is what is connected to: a name that
/// resolves otherwise a moment later changes nothing.
async fn resolve(address: &Address, guard: Option<&Guard>) -> Result<Vec<SocketAddr>, Failure> {
    let found = tokio::net::lookup_host((address.host(), address.port())).await;
    let found: Vec<_> = found.map(|found| found.take(MAX_ADDRESSES).collect()).unwrap_or_default();
    if found.is_empty() {
        return Err(Failure::Unreachable(Unreachable::NameNotFound(address.host().to_owned())));
    }
    if let Some(guard) = guard {
        let blocked = found.iter().find_map(|found| guard.judge(found.ip()).err());
        blocked.map_or(Ok(()), |blocked| Err(Failure::Unreachable(Unreachable::Blocked(blocked))))?;
    }
    Ok(found)
}

/// Tries the addresses in the resolver's order, an equal share of the time each; tells the first failure of all.
async fn first_that_connects(
    addresses: &[SocketAddr],
    limit: Duration,
) -> Result<(TcpStream, SocketAddr), Failure> {
    let mut first_failure = None;
    for (position, &address) in addresses.iter().enumerate() {
        let connecting = TcpStream::connect(address);
        let connected = if position + 1 == addresses.len() {
            connecting.await
        } else {
            let share = limit / u32::try_from(addresses.len()).unwrap_or(1);
            let timed = tokio::time::timeout(share, connecting).await;
            timed.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)))
        };
        match connected {
            Ok(stream) => return Ok((stream, address)),
            Err(error) => first_failure = first_failure.or(Some((address, error))),
        }
    }
    let Some((address, error)) = first_failure else {
        return Err(Failure::Unreachable(Unreachable::Failed(
            "there is no address to connect to".to_owned(),
        )));
    };
    Err(Failure::Unreachable(match error.kind() {
        io::ErrorKind::ConnectionRefused => Unreachable::Refused(address),
        _ => Unreachable::Failed(format!("{address}: {error}")),
    }))
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
            .max_buf_size(MAX_HEAD)
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

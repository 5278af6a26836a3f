//! A client and a server that are no more than hyper: the yardsticks. An expert writes them so when nothing may be lost in
//! between and nothing need be kept.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::Done;

/// Basic credentials of u and p, which everybody sends and the receiver checks.
pub(crate) const CREDENTIALS: &str = "Basic dTpw";

/// Connections that are kept alive.
pub(crate) struct Client {
    connections: Vec<SendRequest<Full<Bytes>>>,
    path: &'static str,
    headers: HeaderMap,
    drivers: JoinSet<()>,
}

impl Client {
    /// So many connections to `address`, over which bodies of this type are posted to `path`.
    pub(crate) async fn connect(
        address: SocketAddr,
        count: usize,
        authority: Option<&Path>,
        (path, kind): (&'static str, &'static str),
    ) -> Done<Self> {
        let mut client =
            Self { connections: Vec::new(), path, headers: HeaderMap::new(), drivers: JoinSet::new() };
        client.headers.insert(HOST, HeaderValue::from_str(&address.to_string())?);
        client.headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        client.headers.insert(AUTHORIZATION, HeaderValue::from_static(CREDENTIALS));
        client.headers.insert("x-netography", HeaderValue::from_static("Webhook"));
        let tls = authority.map(connector).transpose()?;
        for _ in 0..count {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            match &tls {
                None => client.shake_hands(stream).await?,
                Some(tls) => {
                    let name = ServerName::IpAddress(address.ip().into());
                    client.shake_hands(tls.connect(name, stream).await?).await?;
                }
            }
        }
        Ok(client)
    }

    async fn shake_hands<S>(&mut self, stream: S) -> Done
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        self.drivers.spawn(async move { drop(connection.await) });
        self.connections.push(sender);
        Ok(())
    }

    /// Posts all of them, each connection the next as soon as its last is answered; all must be answered with 2xx.
    pub(crate) async fn post(&mut self, bodies: Vec<Bytes>) -> Done {
        let (bodies, next) = (Arc::new(bodies), Arc::new(AtomicUsize::new(0)));
        let mut under_way = JoinSet::new();
        for mut connection in self.connections.drain(..) {
            let (bodies, next) = (Arc::clone(&bodies), Arc::clone(&next));
            let (path, headers) = (self.path, self.headers.clone());
            under_way.spawn(async move {
                while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut request = Request::new(Full::new(body.clone()));
                    *request.method_mut() = Method::POST;
                    *request.uri_mut() = path.parse()?;
                    request.headers_mut().clone_from(&headers);
                    connection.ready().await?;
                    let answer = connection.send_request(request).await?;
                    let status = answer.status();
                    let said = answer.into_body().collect().await?.to_bytes();
                    if !status.is_success() {
                        let said = String::from_utf8_lossy(&said[..said.len().min(300)]).into_owned();
                        return Err(format!("a request was answered with {status}: {said}").into());
                    }
                }
                Done::Ok(connection)
            });
        }
        while let Some(connection) = under_way.join_next().await {
            self.connections.push(connection??);
        }
        Ok(())
    }
}

fn connector(authority: &Path) -> Done<TlsConnector> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(authority)? {
        roots.add(certificate?)?;
    }
    let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// A certificate chain and its key.
pub(crate) fn acceptor(certificate: &Path, key: &Path) -> Done<TlsAcceptor> {
    let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Answers every request with the status that `judge` gives for its path and its body, as long as it is polled.
pub(crate) async fn serve<J>(listener: TcpListener, tls: Option<TlsAcceptor>, judge: J)
where
    J: Fn(&str, &[u8]) -> StatusCode + Clone + Send + Sync + 'static,
{
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let (tls, judge) = (tls.clone(), judge.clone());
        connections.spawn(async move {
            match tls {
                None => converse(stream, judge).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        converse(stream, judge).await;
                    }
                }
            }
        });
    }
}

async fn converse<S, J>(stream: S, judge: J)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    J: Fn(&str, &[u8]) -> StatusCode + Clone + Send + Sync + 'static,
{
    let answer = |request: Request<Incoming>| {
        let judge = judge.clone();
        async move {
            let (head, body) = request.into_parts();
            let status = body
                .collect()
                .await
                .map_or(StatusCode::BAD_REQUEST, |body| judge(head.uri.path(), &body.to_bytes()));
            let mut response = Response::new(Full::new(Bytes::new()));
            *response.status_mut() = status;
            Ok::<_, Infallible>(response)
        }
    };
    let served =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
    let _ = served.await;
}

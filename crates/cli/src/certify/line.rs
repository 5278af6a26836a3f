//! One request by hand, byte for byte as a trial wants it, and what came back. A client library would mend what the trial
//! breaks.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use delivery::target::Target;
use http::HeaderMap;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{self, ClientConfig};

use crate::clock;

/// The largest head of an answer that is read, in bytes.
const MAX_HEAD: usize = 64 * 1024;

/// A request as a trial wants it.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: &'static str,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) manner: Manner,
}

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// As senders do.
    Plain,
    /// Names in lower and upper case (RFC 9110, section 5.1: they ignore case).
    OddCase,
    /// In chunks (RFC 9112, section 7.1).
    Chunked,
    /// The body in so many pieces, with a pause before each.
    Slow { pieces: usize, pause: Duration },
    /// Half of the body, and then a close.
    BrokenOff,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Status {
        code: u16,
        took: Duration,
    },
    /// The connection was closed without one.
    Closed(String),
    /// Nothing, within the time that an attempt has.
    Nothing,
    /// There was nobody to ask.
    Unreachable(String),
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Sends a request on a connection of its own.
pub(super) async fn send(target: &Target, request: &Request) -> Answer {
    let parts = target.parts();
    // From before the connection: a receiver that is busy may not take it yet.
    let began = clock::wall();
    let mut stream = match tokio::time::timeout(parts.connect_timeout, connect(target)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Answer::Unreachable(unreachable(&error)),
        Err(_) => return Answer::Unreachable("no connection in time".to_owned()),
    };
    match tokio::time::timeout(parts.attempt_timeout, exchange(&mut *stream, target, request)).await {
        Ok(Ok(code)) => {
            Answer::Status { code, took: clock::wall().duration_since(began).unwrap_or_default() }
        }
        Ok(Err(error)) => Answer::Closed(error.to_string()),
        Err(_) => Answer::Nothing,
    }
}

fn unreachable(error: &io::Error) -> String {
    let of_tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match of_tls {
        Some(rustls::Error::InvalidCertificate(_)) => {
            format!(
                "{error}; trust its authority with --ca-file, or leave it unchecked with --skip-ssl-verification"
            )
        }
        _ => error.to_string(),
    }
}

async fn connect(target: &Target) -> io::Result<Box<dyn Stream>> {
    let parts = target.parts();
    let stream = TcpStream::connect((parts.address.host(), parts.address.port())).await?;
    stream.set_nodelay(true)?;
    let name = parts.address.server_name().filter(|_| parts.address.is_secure());
    match name {
        None => Ok(Box::new(stream)),
        Some(name) => {
            // What follows is HTTP/1.1, whatever the target would speak.
            let mut config = ClientConfig::clone(&parts.tls.config());
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            Ok(Box::new(TlsConnector::from(Arc::new(config)).connect(name, stream).await?))
        }
    }
}

/// An answer that comes while the body is still being sent counts too: a receiver need not read what it refuses.
async fn exchange(stream: &mut dyn Stream, target: &Target, request: &Request) -> io::Result<u16> {
    let (mut reading, mut writing) = tokio::io::split(stream);
    let writes = async {
        // The receiver may have had enough: what it answered tells.
        let _ = write(&mut writing, target, request).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        status = read_status(&mut reading) => status,
        () = writes => Err(io::Error::other("the request was not written")),
    }
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), target: &Target, request: &Request) -> io::Result<()> {
    let body = &request.body;
    stream.write_all(&head(target, request)).await?;
    match request.manner {
        Manner::Plain | Manner::OddCase => stream.write_all(body).await?,
        Manner::Chunked => {
            for chunk in body.chunks((body.len() / 3).max(1)) {
                stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).await?;
                stream.write_all(chunk).await?;
                stream.write_all(b"\r\n").await?;
            }
            stream.write_all(b"0\r\n\r\n").await?;
        }
        Manner::Slow { pieces, pause } => {
            for piece in body.chunks(body.len().div_ceil(pieces).max(1)) {
                clock::sleep(pause).await;
                stream.write_all(piece).await?;
                stream.flush().await?;
            }
        }
        Manner::BrokenOff => {
            stream.write_all(&body[..body.len() / 2]).await?;
            return stream.shutdown().await;
        }
    }
    stream.flush().await
}

fn head(target: &Target, request: &Request) -> Vec<u8> {
    let path = target.parts().address.path_and_query();
    let mut head = format!("{} {path} HTTP/1.1\r\n", request.method).into_bytes();
    for (at, (name, value)) in request.headers.iter().enumerate() {
        let name = match request.manner {
            Manner::OddCase if at % 2 == 0 => name.as_str().to_ascii_uppercase(),
            _ => name.as_str().to_owned(),
        };
        head.extend_from_slice(&[name.as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    match request.manner {
        Manner::Chunked => head.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        Manner::Plain | Manner::OddCase | Manner::Slow { .. } | Manner::BrokenOff => {
            head.extend_from_slice(format!("content-length: {}\r\n", request.body.len()).as_bytes());
        }
    }
    head.extend_from_slice(b"connection: close\r\n\r\n");
    head
}

/// The status of the final answer; interim ones (RFC 9110, section 15.2) are passed over.
async fn read_status(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<u16> {
    let mut came = Vec::new();
    loop {
        let mut fields = [httparse::EMPTY_HEADER; 128];
        let mut response = httparse::Response::new(&mut fields);
        match response.parse(&came) {
            Ok(httparse::Status::Complete(length)) => match response.code {
                Some(code) if code >= 200 => return Ok(code),
                _ => {
                    came.drain(..length);
                    continue;
                }
            },
            Ok(httparse::Status::Partial) if came.len() < MAX_HEAD => {}
            Ok(httparse::Status::Partial) => return Err(io::Error::other("a head without end")),
            Err(error) => return Err(io::Error::other(format!("something that is not HTTP: {error}"))),
        }
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).await?;
        if read == 0 {
            return Err(io::Error::other("a close without an answer"));
        }
        came.extend_from_slice(&piece[..read]);
    }
}

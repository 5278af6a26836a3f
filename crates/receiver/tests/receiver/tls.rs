//! Certificates made at start, and what a sender that refuses them leaves behind.

use std::sync::Arc;

use receiver::MockReceiver;
use receiver::capture::Arrival;
use receiver::server::tls::made::Flaw;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::{JSON, LIMIT, UPDATE, post};

/// Posts an update, trusting the receiver's authority and showing its certificate for clients, if there is one.
async fn sent(receiver: &MockReceiver, with_certificate: bool) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(receiver.ca().unwrap().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    let config = if with_certificate {
        let pem = receiver.client_certificate().unwrap().as_bytes();
        let chain = vec![CertificateDer::from_pem_slice(pem).unwrap()];
        builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(pem).unwrap()).unwrap()
    } else {
        builder.with_no_client_auth()
    };
    let stream = TcpStream::connect(receiver.address()).await?;
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    stream.write_all(post(JSON, UPDATE).as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8(answer).unwrap())
}

#[tokio::test]
async fn a_made_certificate_is_right_and_a_flawed_one_is_refused_and_told() {
    let right = MockReceiver::builder().make_tls(Flaw::None).unwrap().start().await.unwrap();
    assert!(sent(&right, false).await.unwrap().starts_with("HTTP/1.1 200"));
    assert!(right.url().starts_with("https://127.0.0.1:"));
    assert!(right.captures()[0].connection.secure);

    for (flaw, why) in [
        (Flaw::Expired, "CertificateExpired"),
        (Flaw::WrongHost, "BadCertificate"),
        (Flaw::SelfSigned, "UnknownCA"),
        (Flaw::UntrustedCa, "UnknownCA"),
    ] {
        let receiver = MockReceiver::builder().make_tls(flaw).unwrap().start().await.unwrap();
        assert!(sent(&receiver, false).await.is_err(), "{flaw}");
        let look = |log: &receiver::capture::Captures| log.all().pop();
        let capture = receiver.log().until(LIMIT, look).await.unwrap();
        assert!(
            matches!(&capture.arrival, Arrival::Handshake { why: told } if told.contains(why)),
            "{flaw}: {capture:?}"
        );
        assert!(capture.verdict.passed(), "often it is what should happen");
    }
}

#[tokio::test]
async fn a_made_certificate_is_for_where_it_listens_and_says_who_signed_it() {
    let receiver =
        MockReceiver::builder().listen("127.0.0.2:0").tls_name("receiver.test").make_tls(Flaw::None);
    let receiver = receiver.unwrap().start().await.unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(receiver.ca().unwrap().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let connector = TlsConnector::from(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()));
    for (name, good) in
        [("127.0.0.2", true), ("receiver.test", true), ("localhost", true), ("other.test", false)]
    {
        let stream = TcpStream::connect(receiver.address()).await.unwrap();
        let shaken = connector.connect(ServerName::try_from(name).unwrap(), stream).await;
        assert_eq!(shaken.is_ok(), good, "{name}");
        if let Ok(stream) = shaken {
            let shown = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
            // The extension's object identifier is 2.5.29.35.
            assert!(
                shown.windows(5).any(|part| part == [6, 3, 0x55, 0x1d, 35]),
                "it names its authority's key"
            );
        }
    }
}

#[tokio::test]
async fn clients_can_be_made_to_show_a_certificate() {
    let receiver = MockReceiver::builder().make_tls_for_clients(Flaw::None).unwrap().start().await.unwrap();
    assert!(sent(&receiver, true).await.unwrap().starts_with("HTTP/1.1 200"));
    assert!(sent(&receiver, false).await.is_err());
    let look =
        |log: &receiver::capture::Captures| log.all().into_iter().find(|capture| !capture.is_request());
    let capture = receiver.log().until(LIMIT, look).await.unwrap();
    assert!(
        matches!(&capture.arrival, Arrival::Handshake { why } if why.contains("no certificates")),
        "{capture:?}"
    );
}

#[tokio::test]
async fn plain_http_on_a_tls_port_is_told() {
    let receiver = MockReceiver::builder().make_tls(Flaw::None).unwrap().start().await.unwrap();
    let _ = tokio::time::timeout(LIMIT, async {
        let mut stream = TcpStream::connect(receiver.address()).await.unwrap();
        stream.write_all(post(JSON, UPDATE).as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
    })
    .await;
    let capture = receiver.log().until(LIMIT, |log| log.all().pop()).await.unwrap();
    assert!(
        matches!(&capture.arrival, Arrival::Handshake { why } if why.contains("plain HTTP")),
        "{capture:?}"
    );
}

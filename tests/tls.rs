//! TLS: who is trusted, who is not, and what Skip SSL Verification lets pass. Against our receiver, and against wiremock
//! behind a TLS end of the test's own.

use delivery::outcome::{Outcome, TlsFault};
use rcgen::date_time_ymd;
use receiver::MockReceiver;
use receiver::server::tls::Identity;
use sender::Draft;
use tokio::net::{TcpListener, TcpStream};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::harness::{Certificate, outcome, sample, send, status};

async fn receiver(identity: Identity) -> MockReceiver {
    MockReceiver::builder().tls(identity).start().await.unwrap()
}

pub(crate) fn trusting(certificate: &Certificate) -> impl FnOnce(&mut Draft) + use<> {
    let ca = certificate.ca.clone().into_bytes();
    |draft| draft.roots = Some(ca)
}

fn skipping(draft: &mut Draft) {
    draft.skip_ssl_verification = true;
}

#[tokio::test]
async fn every_fault_of_a_certificate_has_its_word_and_skipping_lets_it_pass() {
    let expired = |params: &mut rcgen::CertificateParams| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    };
    let future = |params: &mut rcgen::CertificateParams| {
        params.not_before = date_time_ymd(2090, 1, 1);
        params.not_after = date_time_ymd(2091, 1, 1);
    };
    let stranger = Certificate::signed(&["stranger"]).ca;
    for (certificate, own_authority, fault) in [
        (Certificate::signed(&["127.0.0.1"]), false, TlsFault::UnknownIssuer { self_signed: false }),
        (Certificate::self_signed(&["127.0.0.1"]), false, TlsFault::UnknownIssuer { self_signed: true }),
        (Certificate::adjusted(&["127.0.0.1"], expired), true, TlsFault::Expired),
        (Certificate::adjusted(&["127.0.0.1"], future), true, TlsFault::NotYetValid),
    ] {
        let receiver = receiver(certificate.identity()).await;
        let roots = if own_authority { certificate.ca } else { stranger.clone() }.into_bytes();
        let verified = outcome(&receiver.url(), |draft| draft.roots = Some(roots)).await;
        assert_eq!(verified, Outcome::Tls(fault));
        assert_eq!(receiver.counts().received, 0, "nothing is sent before the certificate is accepted");
        let skipped = send(&receiver.url(), &[sample()], skipping).await.remove(0);
        assert_eq!(status(&skipped.outcome), 200);
        assert!(skipped.connection.unwrap().unverified, "it is told that nothing was verified");
    }
}

#[tokio::test]
async fn a_certificate_for_another_host_is_refused_unless_skipped() {
    let certificate = Certificate::signed(&["other.example"]);
    let receiver = receiver(certificate.identity()).await;
    match outcome(&receiver.url(), trusting(&certificate)).await {
        Outcome::Tls(TlsFault::WrongHost { expected, presented }) => {
            assert_eq!(expected, "127.0.0.1");
            assert!(presented.iter().any(|name| name.contains("other.example")), "{presented:?}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(status(&outcome(&receiver.url(), skipping).await), 200);
}

#[tokio::test]
async fn an_authority_that_is_named_is_trusted() {
    let certificate = Certificate::signed(&["127.0.0.1", "localhost"]);
    let receiver = receiver(certificate.identity()).await;
    let attempt = send(&receiver.url(), &[sample()], trusting(&certificate)).await.remove(0);
    assert_eq!(status(&attempt.outcome), 200);
    let connection = attempt.connection.unwrap();
    assert_eq!(connection.version, http::Version::HTTP_11, "HTTP/2 is spoken only where it is allowed");
    assert!(!connection.unverified && connection.tls.is_some() && attempt.timings.tls.is_some());
    let by_name = receiver.url().replace("127.0.0.1", "localhost");
    assert_eq!(status(&outcome(&by_name, trusting(&certificate)).await), 200);
}

#[tokio::test]
async fn http2_is_spoken_where_both_ends_allow_it() {
    let certificate = Certificate::signed(&["127.0.0.1"]);
    let receiver = receiver(certificate.identity()).await;
    let attempt = send(&receiver.url(), &[sample()], |draft| {
        trusting(&certificate)(draft);
        draft.http2 = true;
    });
    let attempt = attempt.await.remove(0);
    assert_eq!(status(&attempt.outcome), 200);
    assert_eq!(attempt.connection.unwrap().version, http::Version::HTTP_2);
    assert_eq!(receiver.captures()[0].request().unwrap().version, http::Version::HTTP_2);
}

#[tokio::test]
async fn what_does_not_speak_tls_is_told_so() {
    let receiver = MockReceiver::builder().start().await.unwrap();
    let url = receiver.url().replace("http://", "https://");
    match outcome(&url, skipping).await {
        Outcome::Tls(TlsFault::Handshake(reason)) => {
            assert!(reason.contains("does not speak TLS"), "{reason}")
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn another_server_behind_tls_is_reached_too() {
    let server = MockServer::start().await;
    Mock::given(wiremock::matchers::any())
        .respond_with(ResponseTemplate::new(202))
        .expect(1)
        .mount(&server)
        .await;
    let certificate = Certificate::signed(&["127.0.0.1"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let end = terminate(listener, &certificate, *server.address());
    let answered = tokio::select! {
        answered = outcome(&url, trusting(&certificate)) => answered,
        () = end => unreachable!("the TLS end serves until the test is over"),
    };
    assert_eq!(status(&answered), 202);
}

/// Takes TLS off and passes the bytes on.
async fn terminate(listener: TcpListener, certificate: &Certificate, to: std::net::SocketAddr) {
    let acceptor = certificate.acceptor(&[]);
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let Ok(mut inside) = acceptor.accept(stream).await else { continue };
        let mut outside = TcpStream::connect(to).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut inside, &mut outside).await;
    }
}

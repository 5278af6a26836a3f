//! What the tests are told with: a sender that is set up by a closure, certificates, and what it reports.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use delivery::engine::{AttemptReport, Observer, SettledReport};
use delivery::outcome::{Attempt, Outcome};
use delivery::retry::RetryPolicy;
use delivery::store::{LaneId, Settled};
use payload::Update;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use receiver::server::tls::Identity;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sender::{Draft, Policy, Sender};

/// Far more than anything here takes, and an end to what hangs.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// The sample of the documentation page.
pub(crate) fn sample() -> Update {
    Update::parse(payload::SAMPLE).unwrap()
}

/// The sample as another kind of update of the same event.
pub(crate) fn update(kind: &str, count: u32) -> Update {
    let text = payload::SAMPLE
        .replace("\"alerttype\":\"start\"", &format!("\"alerttype\":\"{kind}\""))
        .replace("\"updatecount\":1", &format!("\"updatecount\":{count}"));
    let end = if kind == "end" { "\"end\":1689391999" } else { "\"end\":0" };
    Update::parse(text.replace("\"end\":0", end)).unwrap()
}

/// What an observer was told.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    pub(crate) attempts: Arc<Mutex<Vec<Attempt>>>,
    pub(crate) settled: Arc<Mutex<Vec<Settled>>>,
}

impl Observer for Seen {
    fn attempted(&mut self, report: &AttemptReport<'_>) {
        self.attempts.lock().unwrap().push(report.attempt.clone());
    }

    fn settled(&mut self, report: &SettledReport<'_>) {
        self.settled.lock().unwrap().push(report.settled.clone());
    }

    fn disabled(&mut self, _: LaneId) {}
}

/// Sends updates to `url` by an integration that `fill` fills in, one attempt each, and says what happened.
pub(crate) fn send<F: FnOnce(&mut Draft)>(
    url: &str,
    updates: &[Update],
    fill: F,
) -> impl Future<Output = Vec<Attempt>> + use<F> {
    let mut draft = Draft::new(url);
    draft.retry = RetryPolicy::once();
    draft.attempt_timeout = LIMIT;
    fill(&mut draft);
    let integration = draft.check("test").unwrap();
    let policy = Policy { integrations: vec!["test".to_owned()], ..Policy::default() };
    let (seen, updates) = (Seen::default(), updates.to_vec());
    async move {
        let sender = Sender::start(&[integration], vec![policy], 1, seen.clone()).await;
        sender.accept(&updates).await.unwrap();
        tokio::time::timeout(LIMIT, sender.drained()).await.expect("everything is settled in time");
        let attempts = std::mem::take(&mut *seen.attempts.lock().unwrap());
        assert_eq!(seen.settled.lock().unwrap().len(), updates.len(), "each update is settled once");
        attempts
    }
}

/// Sends one update, and says how its attempt ended.
pub(crate) fn outcome<F: FnOnce(&mut Draft)>(url: &str, fill: F) -> impl Future<Output = Outcome> + use<F> {
    let sent = send(url, &[sample()], fill);
    async { sent.await.remove(0).outcome }
}

/// The status of an outcome that is an answer.
pub(crate) fn status(outcome: &Outcome) -> u16 {
    match outcome {
        Outcome::Answered(answer) => answer.status.as_u16(),
        other => panic!("no answer but: {other}"),
    }
}

/// A certificate with its key, and whom to trust to accept it.
pub(crate) struct Certificate {
    pub(crate) chain: String,
    pub(crate) key: String,
    pub(crate) ca: String,
}

impl Certificate {
    /// Signed by a CA of its own, for the names.
    pub(crate) fn signed(names: &[&str]) -> Self {
        Self::adjusted(names, |_| {})
    }

    /// The same, with something changed.
    pub(crate) fn adjusted(names: &[&str], adjust: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(DnType::CommonName, format!("authority of {names:?}"));
        let issuer = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let mut params =
            CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).unwrap();
        adjust(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        Self { chain: certificate.pem(), key: key.serialize_pem(), ca: issuer.pem() }
    }

    /// Signed by itself.
    pub(crate) fn self_signed(names: &[&str]) -> Self {
        let mut params =
            CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "alone");
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { chain: certificate.pem(), key: key.serialize_pem(), ca: certificate.pem() }
    }

    /// For a server of somebody else, which speaks these protocols (ALPN).
    pub(crate) fn acceptor(&self, protocols: &[&str]) -> tokio_rustls::TlsAcceptor {
        let chain = CertificateDer::from_pem_slice(self.chain.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![chain], key)
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        tokio_rustls::TlsAcceptor::from(Arc::new(config))
    }

    /// As a receiver uses it.
    pub(crate) fn identity(&self) -> Identity {
        Identity::from_pem(self.chain.as_bytes(), self.key.as_bytes()).unwrap()
    }
}

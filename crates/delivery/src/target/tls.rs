//! TLS of a target: whom to trust, whom not to ask, and what went wrong.
//!
//! Skip SSL Verification drops the check of the chain and of the host name, as the documentation page says, and nothing
//! else: the handshake is still signed by the key of the certificate, and TLS is 1.2 at least. It is a setting of one
//! target; sessions and connections are never shared between targets.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError, Weak};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, OtherError, RootCertStore,
    SignatureScheme, WantsVerifier,
};
use webpki::EndEntityCert;

use crate::outcome::TlsFault;

/// How a target's certificate is judged, and which protocols are offered.
#[derive(Clone, Debug, Default)]
pub struct TlsSettings {
    /// Whom to trust.
    pub trust: Trust,
    /// A certificate chain and its key, both PEM, for servers that ask for one.
    pub client: Option<(Vec<u8>, secrecy::SecretString)>,
    /// Whether HTTP/2 is offered (ALPN, RFC 7301).
    pub http2: bool,
}

/// Whom to trust.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Trust {
    /// The roots of the system.
    #[default]
    System,
    /// These roots only, as PEM.
    Roots(Vec<u8>),
    /// Anybody: Skip SSL Verification.
    DangerSkipVerification,
}

/// TLS, ready to be used. Cloning gives the same.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    builder: &'static ConfigBuilder<ClientConfig, WantsVerifier>,
    judge: Arc<dyn ServerCertVerifier>,
    http2: bool,
    unverified: bool,
    /// Made for the first connection: it has room for sessions, and many targets never have one, or do not speak TLS.
    config: OnceLock<Arc<ClientConfig>>,
}

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The system has no roots that could be read.
    #[error(
        "no trusted roots were found on this system ({0}); install its CA certificates, or name a CA file"
    )]
    NoSystemRoots(String),
    /// A text holds no PEM certificate, or a broken one.
    #[error("the {what} is not PEM: {reason}")]
    Pem {
        /// Which text.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// A certificate and a key do not fit, or are of a kind that is not supported.
    #[error("the client certificate cannot be used: {0}")]
    Client(rustls::Error),
    /// What else the TLS library refuses.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

/// The certificate is its own issuer; carried through the TLS library, which has no word for it.
#[derive(Debug)]
struct SelfSigned;

impl fmt::Display for SelfSigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("self-signed certificate")
    }
}

impl std::error::Error for SelfSigned {}

static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));

/// What all configurations begin with.
static BUILDER: LazyLock<Result<ConfigBuilder<ClientConfig, WantsVerifier>, String>> = LazyLock::new(|| {
    let builder = ClientConfig::builder_with_provider(Arc::clone(&PROVIDER));
    builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())
});

/// Read once: some hundred certificates, the same for all targets.
static SYSTEM_ROOTS: LazyLock<Result<Arc<RootCertStore>, String>> = LazyLock::new(|| {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let reasons: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
        return Err(if reasons.is_empty() { "none are installed".to_owned() } else { reasons.join("; ") });
    }
    Ok(Arc::new(roots))
});

/// Who judges certificates, by whom is trusted: one for all targets, as each holds the names of some hundred roots.
static JUDGES: LazyLock<Mutex<HashMap<Trust, Weak<dyn ServerCertVerifier>>>> = LazyLock::new(Mutex::default);

/// How many TLS sessions a target remembers to be resumed: as many as the library keeps of one server.
const MAX_SESSIONS: usize = 8;

impl Tls {
    /// Sets TLS up.
    ///
    /// # Errors
    /// If there are no roots, or a certificate or key cannot be used.
    pub fn new(settings: &TlsSettings) -> Result<Self, TlsError> {
        let builder = BUILDER.as_ref().map_err(|error| TlsError::Setup(error.clone()))?;
        let judge = judge(&settings.trust)?;
        let config = OnceLock::new();
        if let Some((chain, key)) = &settings.client {
            let key = secrecy::ExposeSecret::expose_secret(key).as_bytes();
            let key = PrivateKeyDer::from_pem_slice(key)
                .map_err(|error| TlsError::Pem { what: "client key", reason: error.to_string() })?;
            let chain = certificates(chain, "client certificate")?;
            let judged = builder.clone().dangerous().with_custom_certificate_verifier(Arc::clone(&judge));
            let made = judged.with_client_auth_cert(chain, key).map_err(TlsError::Client)?;
            config.get_or_init(|| completed(made, settings.http2));
        }
        let unverified = matches!(settings.trust, Trust::DangerSkipVerification);
        Ok(Self(Arc::new(Inner { builder, judge, http2: settings.http2, unverified, config })))
    }

    /// The configuration of the TLS library, for whoever writes requests by hand.
    #[must_use]
    pub fn config(&self) -> Arc<ClientConfig> {
        let Inner { builder, judge, http2, config, .. } = &*self.0;
        let judged = || (*builder).clone().dangerous().with_custom_certificate_verifier(Arc::clone(judge));
        Arc::clone(config.get_or_init(|| completed(judged().with_no_client_auth(), *http2)))
    }

    /// Whether certificates go unchecked.
    #[must_use]
    pub fn is_unverified(&self) -> bool {
        self.0.unverified
    }
}

fn completed(mut config: ClientConfig, http2: bool) -> Arc<ClientConfig> {
    config.alpn_protocols = match http2 {
        true => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        false => vec![b"http/1.1".to_vec()],
    };
    config.resumption = Resumption::in_memory_sessions(MAX_SESSIONS);
    Arc::new(config)
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("unverified", &self.0.unverified).finish_non_exhaustive()
    }
}

fn judge(trust: &Trust) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    let mut judges = JUDGES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(judge) = judges.get(trust).and_then(Weak::upgrade) {
        return Ok(judge);
    }
    let judge: Arc<dyn ServerCertVerifier> = match trust {
        Trust::System => verifying(SYSTEM_ROOTS.clone().map_err(TlsError::NoSystemRoots)?)?,
        Trust::Roots(pem) => verifying(Arc::new(roots(pem)?))?,
        Trust::DangerSkipVerification => {
            Arc::new(DangerAcceptAny { algorithms: PROVIDER.signature_verification_algorithms })
        }
    };
    judges.retain(|_, judge| judge.strong_count() > 0);
    judges.insert(trust.clone(), Arc::downgrade(&judge));
    Ok(judge)
}

fn roots(pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem, "CA file")? {
        let added = roots.add(certificate);
        added.map_err(|error| TlsError::Pem { what: "CA file", reason: error.to_string() })?;
    }
    Ok(roots)
}

fn certificates(pem: &[u8], what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let read = read.map_err(|error| TlsError::Pem { what, reason: error.to_string() })?;
    if read.is_empty() {
        return Err(TlsError::Pem { what, reason: "it has no CERTIFICATE section".to_owned() });
    }
    Ok(read)
}

fn verifying(roots: Arc<RootCertStore>) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    let inner = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&PROVIDER))
        .build()
        .map_err(|error| TlsError::Setup(error.to_string()))?;
    Ok(Arc::new(Explaining { inner }))
}

/// Verifies as the TLS library does, and tells a self-signed certificate from one of an unknown issuer.
#[derive(Debug)]
struct Explaining {
    inner: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for Explaining {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified =
            self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        verified.map_err(|error| match error {
            rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)
                if is_self_signed(end_entity) =>
            {
                CertificateError::Other(OtherError(Arc::new(SelfSigned))).into()
            }
            error => error,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

fn is_self_signed(certificate: &CertificateDer<'_>) -> bool {
    EndEntityCert::try_from(certificate)
        .is_ok_and(|certificate| certificate.issuer() == certificate.subject())
}

/// Takes any certificate, but still wants the handshake to be signed by its key.
#[derive(Debug)]
struct DangerAcceptAny {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for DangerAcceptAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// What an error of the TLS library means to a person.
pub(crate) fn fault(error: &rustls::Error) -> TlsFault {
    let rustls::Error::InvalidCertificate(error) = error else {
        return TlsFault::Handshake(error.to_string());
    };
    match error {
        CertificateError::UnknownIssuer => TlsFault::UnknownIssuer { self_signed: false },
        CertificateError::Other(OtherError(other)) if other.is::<SelfSigned>() => {
            TlsFault::UnknownIssuer { self_signed: true }
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            TlsFault::WrongHost { expected: expected.to_str().into_owned(), presented: presented.clone() }
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsFault::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => TlsFault::NotYetValid,
        CertificateError::BadSignature => {
            TlsFault::BadCertificate("its signature is not by the issuer that it names".to_owned())
        }
        // The library adds names as it grows; each says what it means.
        other => TlsFault::BadCertificate(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_share_who_judges_for_them_while_there_are_any() {
        let (anybody, system) = (Trust::DangerSkipVerification, Trust::System);
        let first = judge(&anybody).unwrap();
        assert!(Arc::ptr_eq(&first, &judge(&anybody).unwrap()));
        assert!(!Arc::ptr_eq(&first, &judge(&system).unwrap()));
        let tls = |trust| Tls::new(&TlsSettings { trust, client: None, http2: false }).unwrap();
        assert_eq!([tls(anybody), tls(system)].map(|tls| tls.is_unverified()), [true, false]);
        assert!(judge(&Trust::Roots(b"no roots".to_vec())).is_err());
    }
}

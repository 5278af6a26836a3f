//! TLS for the receiver: a certificate and its key, as PEM, or made at start.

pub mod made;

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

/// A certificate chain and its key, ready to be used.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    clients: Option<Arc<RootCertStore>>,
    config: Arc<ServerConfig>,
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self {
            chain: self.chain.clone(),
            key: self.key.clone_key(),
            clients: self.clients.clone(),
            config: Arc::clone(&self.config),
        }
    }
}

/// Why a certificate and its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The text holds no PEM certificate, or a broken one.
    #[error("the certificate is not PEM: {0}")]
    Certificate(String),
    /// The text holds no PEM private key, or a broken one.
    #[error("the private key is not PEM: {0}")]
    Key(String),
    /// The authority of the clients cannot be used.
    #[error("the clients' authority cannot be used: {0}")]
    Clients(String),
    /// One of the names that a certificate was to be made for is none.
    #[error("{0:?} is no host name or address in ASCII")]
    Name(String),
    /// A certificate could not be made.
    #[error("a certificate could not be made: {0}")]
    Making(String),
    /// The two do not belong together, or are of a kind that is not supported.
    #[error("the certificate and the key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

impl Identity {
    /// Takes a certificate chain (the server's own first) and its private key from PEM texts.
    ///
    /// # Errors
    /// If a text is not PEM, or the two do not belong together.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, IdentityError> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|error| IdentityError::Certificate(error.to_string()))?;
        if chain.is_empty() {
            return Err(IdentityError::Certificate("it has no CERTIFICATE section".to_owned()));
        }
        let key =
            PrivateKeyDer::from_pem_slice(key).map_err(|error| IdentityError::Key(error.to_string()))?;
        Self::new(chain, key, None)
    }

    /// Wants a certificate of every client, by one of the authorities in this PEM text.
    ///
    /// # Errors
    /// If the text holds no authority that can be used.
    pub fn require_clients(self, authorities: &[u8]) -> Result<Self, IdentityError> {
        let mut roots = RootCertStore::empty();
        for authority in CertificateDer::pem_slice_iter(authorities) {
            let authority = authority.map_err(|error| IdentityError::Clients(error.to_string()))?;
            roots.add(authority)?;
        }
        if roots.is_empty() {
            return Err(IdentityError::Clients("it has no CERTIFICATE section".to_owned()));
        }
        Self::new(self.chain, self.key, Some(Arc::new(roots)))
    }

    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        clients: Option<Arc<RootCertStore>>,
    ) -> Result<Self, IdentityError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = match &clients {
            None => builder.with_no_client_auth(),
            Some(roots) => {
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), provider).build();
                let verifier = verifier.map_err(|error| IdentityError::Clients(error.to_string()))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_single_cert(chain.clone(), key.clone_key())?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { chain, key, clients, config: Arc::new(config) })
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity")
    }
}

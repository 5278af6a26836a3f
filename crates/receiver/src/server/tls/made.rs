//! Certificates made at start: a right one, and those that a sender should refuse.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};

use super::{Identity, IdentityError};

/// The names that a made certificate is always for: those under which a machine reaches itself.
pub const NAMES: &[&str] = &["localhost", "127.0.0.1", "::1"];

/// How long a made certificate is right. Senders of some systems refuse more than 825 days.
pub const LIFETIME: Duration = Duration::from_secs(90 * 24 * 3600);

/// Which certificate to make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flaw {
    /// A right one, by an authority made with it.
    #[default]
    None,
    /// It has expired.
    Expired,
    /// It is for another host.
    WrongHost,
    /// It is signed by itself, and by no authority.
    SelfSigned,
    /// Its authority is another than the one that is given out.
    UntrustedCa,
}

/// The names of the flaws, as they are typed.
pub const FLAWS: &[(&str, Flaw)] = &[
    ("right", Flaw::None),
    ("expired", Flaw::Expired),
    ("wrong-host", Flaw::WrongHost),
    ("self-signed", Flaw::SelfSigned),
    ("untrusted-ca", Flaw::UntrustedCa),
];

impl FromStr for Flaw {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = FLAWS.iter().find(|(name, _)| *name == text);
        found.map(|(_, flaw)| *flaw).ok_or_else(|| {
            let names: Vec<_> = FLAWS.iter().map(|(name, _)| *name).collect();
            format!("{text:?} is none of {}", names.join(", "))
        })
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = FLAWS.iter().find(|(_, flaw)| flaw == self).map_or("right", |(name, _)| name);
        f.write_str(name)
    }
}

/// A made certificate, and what a sender needs to get along with it.
pub struct Made {
    /// What the receiver shows.
    pub identity: Identity,
    /// The authority to trust, as PEM. With a flaw, trusting it does not help.
    pub ca: String,
    /// A client's certificate and key by the same authority, as one PEM text; only if clients must have one.
    pub client: Option<String>,
}

impl fmt::Debug for Made {
    /// Without the client's key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Made").field("ca", &self.ca).finish_non_exhaustive()
    }
}

/// Makes a certificate for [`NAMES`] and `more` host names and addresses, and with `clients` an authority that clients need
/// a certificate of.
///
/// # Errors
/// If one of `more` is no name, or the cryptography fails, which it has no reason to.
pub fn make(flaw: Flaw, clients: bool, more: &[String]) -> Result<Made, IdentityError> {
    let is_none = |name: &&String| name.is_empty() || CertificateParams::new(vec![(*name).clone()]).is_err();
    if let Some(wrong) = more.iter().find(is_none) {
        return Err(IdentityError::Name(wrong.clone()));
    }
    made(flaw, clients, more).map_err(|error| IdentityError::Making(error.to_string()))?
}

fn made(flaw: Flaw, clients: bool, more: &[String]) -> Result<Result<Made, IdentityError>, rcgen::Error> {
    let names: Vec<_> = match flaw {
        Flaw::WrongHost => vec!["other.invalid".to_owned()],
        _ => NAMES.iter().map(|&name| name.to_owned()).chain(more.iter().cloned()).collect(),
    };
    let mut params = CertificateParams::new(names)?;
    // Some verifiers want every certificate to name the key that signed it (RFC 5280, section 4.2.1.1).
    params.use_authority_key_identifier_extension = true;
    params.distinguished_name.push(DnType::CommonName, "fusion-webhook receiver");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let now = now();
    (params.not_before, params.not_after) = match flaw {
        Flaw::Expired => ((now - 2 * LIFETIME).into(), (now - LIFETIME).into()),
        _ => ((now - Duration::from_secs(3600)).into(), (now + LIFETIME).into()),
    };
    let key = KeyPair::generate()?;
    let authority = authority("fusion-webhook receiver's own authority", now)?;
    let (chain, ca) = match flaw {
        Flaw::SelfSigned => {
            let alone = params.self_signed(&key)?.pem();
            (alone, authority.pem())
        }
        Flaw::UntrustedCa => {
            let stranger = self::authority("an authority that nobody is given", now)?;
            (params.signed_by(&key, &stranger)?.pem(), authority.pem())
        }
        Flaw::None | Flaw::Expired | Flaw::WrongHost => {
            (params.signed_by(&key, &authority)?.pem(), authority.pem())
        }
    };
    let client = if clients { Some(client(&authority, now)?) } else { None };
    let identity = Identity::from_pem(chain.as_bytes(), key.serialize_pem().as_bytes());
    let identity = match (identity, clients) {
        (Ok(identity), true) => identity.require_clients(authority.pem().as_bytes()),
        (identity, _) => identity,
    };
    Ok(identity.map(|identity| Made { identity, ca, client }))
}

fn authority(name: &str, now: SystemTime) -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, name);
    (params.not_before, params.not_after) = ((now - 3 * LIFETIME).into(), (now + LIFETIME).into());
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

fn client(authority: &CertifiedIssuer<'_, KeyPair>, now: SystemTime) -> Result<String, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "a sender");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    (params.not_before, params.not_after) =
        ((now - Duration::from_secs(3600)).into(), (now + LIFETIME).into());
    let key = KeyPair::generate()?;
    Ok(format!("{}{}", params.signed_by(&key, authority)?.pem(), key.serialize_pem()))
}

fn now() -> SystemTime {
    crate::clock::wall()
}

//! Signatures as a receiver verifies them: Standard Webhooks, symmetric (`v1`), written from its specification.
//!
//! `webhook-signature` holds one or more signatures, apart by spaces, each `v1,` and the base64 of HMAC-SHA256 over
//! `{webhook-id}.{webhook-timestamp}.{body}`. One that is right is enough: during a rotation a sender signs with two keys.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac::{self, HMAC_SHA256, Key};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use crate::request::Request;
use crate::verdict::{Finding, Problem};

/// How far `webhook-timestamp` may be from the receiver's clock, if nothing else is said.
pub const DEFAULT_TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// How many signatures of one request are looked at.
pub const MAX_SIGNATURES: usize = 16;

/// The keys that a sender may sign with. `Debug` does not show the keys.
#[derive(Clone)]
pub struct Signing {
    keys: Vec<Key>,
}

/// A secret that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// What stands after `whsec_` is not base64.
    #[error("the secret is not base64; write whsec_ and the base64 of the key")]
    NotBase64,
    /// The key has no bytes.
    #[error("the secret is empty")]
    Empty,
}

impl Signing {
    /// Takes secrets as Standard Webhooks writes them: `whsec_` and base64; the prefix may be missing.
    ///
    /// # Errors
    /// If one of them is not base64, or empty.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Result<Self, SecretError> {
        let keys: Vec<_> = secrets.into_iter().map(key).collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Err(SecretError::Empty);
        }
        Ok(Self { keys })
    }
}

fn key(secret: &str) -> Result<Key, SecretError> {
    let encoded = secret.trim().trim_start_matches("whsec_").trim_end_matches('=');
    let bytes = STANDARD_NO_PAD.decode(encoded).map_err(|_| SecretError::NotBase64)?;
    if bytes.is_empty() {
        return Err(SecretError::Empty);
    }
    Ok(Key::new(HMAC_SHA256, &bytes))
}

impl fmt::Debug for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signing").field("keys", &self.keys.len()).finish()
    }
}

pub(super) fn check(request: &Request, signing: &Signing, tolerance: Duration) -> Finding {
    let mut problems = Vec::new();
    let mut part = |name: &str| {
        let value = request.header(name).filter(|value| !value.is_empty());
        if value.is_none() {
            problems.push(Problem::new(name, "one", "none"));
        }
        value
    };
    let (id, stamp, signatures) = (part("webhook-id"), part("webhook-timestamp"), part("webhook-signature"));
    if let Some(stamp) = &stamp {
        problems.extend(age(stamp, request.at, tolerance));
    }
    let (Some(id), Some(stamp), Some(signatures)) = (id, stamp, signatures) else {
        return Finding::Failed(problems);
    };
    let Some(body) = request.whole() else {
        return Finding::Skipped("the body did not come whole".into());
    };
    let signed = [id.as_bytes(), b".", stamp.as_bytes(), b".", body].concat();
    problems.extend(forged(&signatures, &signed, &signing.keys));
    if problems.is_empty() { Finding::Passed } else { Finding::Failed(problems) }
}

/// Against replays: a signature is for a time that is near.
fn age(stamp: &str, now: SystemTime, tolerance: Duration) -> Option<Problem> {
    let expected = format!("a time within {} s of now", tolerance.as_secs());
    let wrong = |got: String| Some(Problem::new("webhook-timestamp", expected.clone(), got));
    let Ok(seconds) = stamp.parse::<u64>() else {
        return wrong(format!("{stamp:?}, which is no count of seconds since 1970"));
    };
    let now = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    if now.abs_diff(seconds) <= tolerance.as_secs() {
        return None;
    }
    wrong(format!("one {} s {}", now.abs_diff(seconds), if seconds < now { "ago" } else { "ahead" }))
}

fn forged(signatures: &str, signed: &[u8], keys: &[Key]) -> Option<Problem> {
    let wrong =
        |got: &str| Some(Problem::new("webhook-signature", "v1 and an HMAC-SHA256 by a known key", got));
    let mut version_1 = signatures.split(' ').filter_map(|one| one.strip_prefix("v1,")).peekable();
    if version_1.peek().is_none() {
        return wrong("no signature of version 1");
    }
    let mut readable = false;
    for signature in version_1.take(MAX_SIGNATURES) {
        let Ok(tag) = STANDARD.decode(signature) else { continue };
        readable = true;
        // `verify` compares in constant time.
        if keys.iter().any(|key| hmac::verify(key, signed, &tag).is_ok()) {
            return None;
        }
    }
    wrong(if readable {
        "one by another key, or over another id, time or body"
    } else {
        "one that is not base64"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks specification.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const STAMP: &str = "1614265330";
    const BODY: &str = r#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn judged(id: &str, stamp: &str, signature: &str, body: &str, secrets: &[&str]) -> String {
        let mut request = crate::check::tests::request(body, &[]);
        request.at = UNIX_EPOCH + Duration::from_secs(1_614_265_400);
        for (name, value) in
            [("webhook-id", id), ("webhook-timestamp", stamp), ("webhook-signature", signature)]
        {
            request.headers.insert(name, value.parse().unwrap());
        }
        let signing = Signing::new(secrets.iter().copied()).unwrap();
        let finding = check(&request, &signing, DEFAULT_TOLERANCE);
        let problems: Vec<_> = finding.problems().iter().map(|problem| problem.got.clone()).collect();
        format!("{} {}", finding.as_str(), problems.join("; ")).trim().to_owned()
    }

    #[test]
    fn signatures_are_verified() {
        let other = "whsec_c2VjcmV0";
        let two = format!("v1a,ignored v1,AAAA {SIGNATURE}");
        for (id, stamp, signature, body, secrets, expected) in [
            (ID, STAMP, SIGNATURE, BODY, &[SECRET][..], "passed"),
            (ID, STAMP, SIGNATURE, BODY, &[other, SECRET], "passed"),
            (ID, STAMP, &two, BODY, &[SECRET], "passed"),
            (
                ID,
                STAMP,
                SIGNATURE,
                BODY,
                &[other],
                "failed one by another key, or over another id, time or body",
            ),
            (
                "x",
                STAMP,
                SIGNATURE,
                BODY,
                &[SECRET],
                "failed one by another key, or over another id, time or body",
            ),
            (
                ID,
                STAMP,
                SIGNATURE,
                "{}",
                &[SECRET],
                "failed one by another key, or over another id, time or body",
            ),
            (ID, STAMP, "v1,?", BODY, &[SECRET], "failed one that is not base64"),
            (ID, STAMP, "v2,AAAA", BODY, &[SECRET], "failed no signature of version 1"),
            (ID, "", "", BODY, &[SECRET], "failed none; none"),
            (
                ID,
                "soon",
                SIGNATURE,
                BODY,
                &[SECRET],
                "failed \"soon\", which is no count of seconds since 1970; one by another key, or over another id, time or body",
            ),
            (
                ID,
                "1614260000",
                SIGNATURE,
                BODY,
                &[SECRET],
                "failed one 5400 s ago; one by another key, or over another id, time or body",
            ),
        ] {
            assert_eq!(judged(id, stamp, signature, body, secrets), expected, "{id} {stamp} {signature}");
        }
    }

    #[test]
    fn a_secret_that_is_none_is_refused_and_none_prints() {
        assert_eq!(Signing::new(["whsec_?"]).unwrap_err(), SecretError::NotBase64);
        assert_eq!(Signing::new(["whsec_"]).unwrap_err(), SecretError::Empty);
        assert!(!format!("{:?}", Signing::new([SECRET]).unwrap()).contains("MfKQ"));
    }
}

//! What to do about an outcome, in one clause for a person, where its own words do not say it.

use super::{Attempt, Outcome, Phase, TlsFault, Unreachable};

impl Attempt {
    /// What a person can do about it; `None` if it is delivered, or the outcome's own words say all that there is to say.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        match &self.outcome {
            Outcome::Answered(answer) => of_status(answer.status.as_u16()),
            Outcome::Unreachable(why) => of_address(why),
            Outcome::Tls(fault) => of_tls(fault),
            Outcome::TimedOut(phase) => Some(of_wait(*phase)),
            Outcome::Broken { phase: Phase::Request | Phase::ResponseHead, .. } => {
                let plain = self.connection.as_ref().is_some_and(|connection| connection.tls.is_none());
                plain.then_some("if the receiver speaks TLS, its URL begins with https")
            }
            Outcome::Broken { .. } | Outcome::Unsent | Outcome::Unrenderable(_) => None,
        }
    }
}

const fn of_status(status: u16) -> Option<&'static str> {
    Some(match status {
        300..=399 => "redirects are not followed: give the URL that it points to",
        401 => "the receiver wants other credentials",
        403 => "the receiver refuses these credentials, headers or this address",
        404 => "the receiver knows no such path: check the URL",
        405 => "this URL takes no POST: check its path",
        410 => "the receiver is gone for good",
        413 => "the receiver takes shorter bodies only",
        415 => "the receiver wants another content type",
        429 => "the receiver wants fewer requests",
        _ => return None,
    })
}

const fn of_address(why: &Unreachable) -> Option<&'static str> {
    match why {
        Unreachable::NameNotFound(_) => Some("check the host of the URL, and the resolver of this machine"),
        Unreachable::Refused(_) => Some("check host and port of the URL, and that the receiver runs"),
        Unreachable::Blocked(_) | Unreachable::Failed(_) => None,
    }
}

const fn of_tls(fault: &TlsFault) -> Option<&'static str> {
    Some(match fault {
        TlsFault::UnknownIssuer { self_signed: true } => {
            "give it as a trusted root, or for a test skip verification"
        }
        TlsFault::UnknownIssuer { self_signed: false } => {
            "give its root as a trusted one, and let the receiver send the whole chain"
        }
        TlsFault::WrongHost { .. } => "give the URL with a name that it is for",
        TlsFault::Expired => "let the receiver renew it, and check the clocks",
        TlsFault::NotYetValid => "check the clocks of both machines",
        TlsFault::BadCertificate(_) => "let the receiver use another one",
        // It says itself what to look at.
        TlsFault::Handshake(_) => return None,
    })
}

const fn of_wait(phase: Phase) -> &'static str {
    match phase {
        Phase::Resolve => "the resolver of this machine does not answer",
        Phase::Connect => "a firewall may drop what is sent there: check host and port of the URL",
        Phase::Tls => "check that the port speaks TLS",
        Phase::Request | Phase::ResponseHead | Phase::ResponseBody => {
            "a receiver should answer first and work afterwards; a longer attempt timeout helps too"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Answer, Connection, Timings};

    fn advice(outcome: Outcome, tls: Option<&str>) -> Option<&'static str> {
        let connection = Connection {
            peer: ([127, 0, 0, 1], 9).into(),
            reused: false,
            version: http::Version::HTTP_11,
            tls: tls.map(str::to_owned),
            unverified: false,
        };
        let (timings, connection) = (Timings::default(), Some(connection));
        Attempt { outcome, timings, connection, response: None }.advice()
    }

    #[test]
    fn what_is_delivered_needs_no_advice_and_what_has_no_answer_gets_some() {
        let answered = |status| {
            let status = http::StatusCode::from_u16(status).unwrap();
            advice(Outcome::Answered(Answer { status, retry_after: None }), None)
        };
        assert!([200, 202, 204, 299, 500, 503].into_iter().all(|status| answered(status).is_none()));
        assert!([301, 401, 404, 410, 415].into_iter().all(|status| answered(status).is_some()));
        for phase in [Phase::Resolve, Phase::Connect, Phase::Tls, Phase::Request, Phase::ResponseHead] {
            assert!(advice(Outcome::TimedOut(phase), None).is_some(), "{phase}");
        }
        let refused = Unreachable::Refused(([127, 0, 0, 1], 9).into());
        assert!(advice(Outcome::Unreachable(refused), None).is_some());
        assert!(advice(Outcome::Tls(TlsFault::UnknownIssuer { self_signed: true }), None).is_some());
        let broken = || Outcome::Broken { phase: Phase::ResponseHead, reason: String::new() };
        assert!(advice(broken(), None).is_some_and(|advice| advice.contains("https")));
        assert_eq!(advice(broken(), Some("TLS 1.3")), None, "it speaks TLS already");
    }
}

//! What to do about an outcome, in one clause for a person, where its own words do not say it.

use super::{Outcome, Phase, TlsFault, Unreachable};

impl Outcome {
    /// What a person can do about it; `None` if it is delivered, or its own words say all that there is to say.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Answered(answer) => of_status(answer.status.as_u16()),
            Self::Unreachable(why) => of_address(why),
            Self::Tls(fault) => of_tls(fault),
            Self::TimedOut(phase) => Some(of_wait(*phase)),
            Self::Broken { phase: Phase::Connect | Phase::Request | Phase::ResponseHead, .. } => {
                Some("if the receiver speaks TLS, its URL begins with https")
            }
            Self::Broken { .. } | Self::Unsent | Self::Unrenderable(_) => None,
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
    use crate::outcome::Answer;

    #[test]
    fn what_is_delivered_needs_no_advice_and_what_has_no_answer_gets_some() {
        let answered = |status| {
            let status = http::StatusCode::from_u16(status).unwrap();
            Outcome::Answered(Answer { status, retry_after: None }).advice()
        };
        assert!([200, 202, 204, 299, 500, 503].into_iter().all(|status| answered(status).is_none()));
        assert!([301, 401, 404, 410, 415].into_iter().all(|status| answered(status).is_some()));
        for phase in [Phase::Resolve, Phase::Connect, Phase::Tls, Phase::Request, Phase::ResponseHead] {
            assert!(Outcome::TimedOut(phase).advice().is_some(), "{phase}");
        }
        let refused = Unreachable::Refused(([127, 0, 0, 1], 9).into());
        assert!(Outcome::Unreachable(refused).advice().is_some());
        assert!(Outcome::Tls(TlsFault::UnknownIssuer { self_signed: true }).advice().is_some());
    }
}

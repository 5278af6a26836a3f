//! One try at delivering one message: a connection, a request, a response, and how it ended.
//!
//! One call is one try. Nothing is repeated, redirected or decompressed behind the caller's back; one deadline covers
//! everything from the resolution of the name to the end of the response; whatever the other end can make grow has a
//! bound that holds while it is read. Connections are kept alive per target, and never shared between targets.

mod connect;
mod pool;
mod reach;
pub mod request;
mod response;

use std::time::Duration;

use http_body_util::Full;
use hyper::body::Incoming;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::message::Message;
use crate::outcome::{Answer, Attempt, Connection, Outcome, Phase, Response, Timings};
use crate::target::Target;

use connect::Failure;
use pool::{Live, Pool, Unanswered};

#[doc(hidden)]
pub use response::properties;
pub use response::{MAX_KEPT_BODY, MAX_READ_BODY, retry_after};

/// The largest head of a response, in bytes.
pub const MAX_HEAD: usize = 64 * 1024;

/// The most header lines of a response.
pub const MAX_HEADERS: usize = 128;

/// Makes attempts. Cheap to share behind an `Arc`; holds the kept-alive connections.
#[derive(Debug)]
pub struct Client {
    clock: Clock,
    pool: Pool,
}

/// What is known of an attempt while it runs; what a deadline leaves behind.
struct Trace {
    began: crate::clock::Timestamp,
    phase: Phase,
    timings: Timings,
    connection: Option<Connection>,
    response: Option<Response>,
}

impl Client {
    /// A client without connections, going by `clock`.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, pool: Pool::default() }
    }

    /// Tries once to deliver `message` to `target`. It always ends, at the latest after the target's attempt timeout.
    ///
    /// Cancel safe in that nothing is left behind: dropping the future closes the connection it was using. The receiver
    /// may then have taken the message in all the same.
    pub async fn attempt(&self, target: &Target, message: &Message) -> Attempt {
        let mut trace = Trace {
            began: self.clock.now(),
            phase: Phase::Resolve,
            timings: Timings::default(),
            connection: None,
            response: None,
        };
        let limit = target.parts().attempt_timeout;
        let outcome = match timeout(limit, self.exchange(target, message, &mut trace)).await {
            Ok(Ok(answer)) => Outcome::Answered(answer),
            Ok(Err(outcome)) => outcome,
            Err(_) => Outcome::TimedOut(trace.phase),
        };
        trace.timings.total = self.since(&trace);
        Attempt { outcome, timings: trace.timings, connection: trace.connection, response: trace.response }
    }

    fn since(&self, trace: &Trace) -> Duration {
        self.clock.now().since(trace.began)
    }

    async fn exchange(
        &self,
        target: &Target,
        message: &Message,
        trace: &mut Trace,
    ) -> Result<Answer, Outcome> {
        let body = target.parts().render.render(&message.body).map_err(Outcome::Unrenderable)?;
        let mut live = match self.pool.take(target.id(), self.clock.now()) {
            Some(live) => live,
            // Boxed, because it is rare and what it holds is large: an attempt is moved several times before it begins.
            None => Box::pin(self.connect(target, trace)).await?,
        };
        trace.phase = Phase::Request;
        trace.connection = Some(live.facts.clone());
        let request = request::request(target, message, self.clock.wall(), body, live.facts.version);
        live.ready().await.map_err(|()| self.unsent(target, &live))?;
        trace.phase = Phase::ResponseHead;
        let answered = live.send(request.map(Full::new)).await;
        let response = answered.map_err(|unanswered| match unanswered {
            Unanswered::Unsent => self.unsent(target, &live),
            Unanswered::Broken(reason) => Outcome::Broken { phase: Phase::ResponseHead, reason },
        })?;
        trace.timings.first_byte = Some(self.since(trace));
        // Over HTTP/1 nothing comes here that has more; HTTP/2 is bounded in bytes only.
        if response.headers().len() > MAX_HEADERS {
            let reason = format!("the answer has more than {MAX_HEADERS} header lines");
            return Err(Outcome::Broken { phase: Phase::ResponseHead, reason });
        }
        self.finish(target, live, response, trace).await
    }

    /// A connection was dead before a byte of the request was written. Where it was a kept-alive one, that is no failure.
    fn unsent(&self, target: &Target, live: &Live) -> Outcome {
        if live.facts.reused {
            self.pool.forget(target.id());
            return Outcome::Unsent;
        }
        let reason = "the connection was closed as soon as it stood".to_owned();
        Outcome::Broken { phase: Phase::Request, reason }
    }

    async fn connect(&self, target: &Target, trace: &mut Trace) -> Result<Live, Outcome> {
        let parts = target.parts();
        let (began, clock) = (trace.began, self.clock);
        let connecting =
            connect::connect(target, &mut trace.phase, &mut trace.timings, || clock.now().since(began));
        match timeout(parts.connect_timeout, connecting).await {
            Ok(Ok(live)) => Ok(live),
            Ok(Err(Failure::Unreachable(why))) => Err(Outcome::Unreachable(why)),
            Ok(Err(Failure::Tls(fault))) => Err(Outcome::Tls(fault)),
            Ok(Err(Failure::Handshake(reason))) => Err(Outcome::Broken { phase: Phase::Request, reason }),
            Err(_) => Err(Outcome::TimedOut(trace.phase)),
        }
    }

    async fn finish(
        &self,
        target: &Target,
        live: Live,
        response: http::Response<Incoming>,
        trace: &mut Trace,
    ) -> Result<Answer, Outcome> {
        trace.phase = Phase::ResponseBody;
        let (head, body) = response.into_parts();
        let answer = Answer { status: head.status, retry_after: retry_after(&head.headers) };
        let kept = trace.response.insert(Response {
            status: head.status,
            headers: head.headers,
            body: bytes::Bytes::new(),
            truncated: false,
        });
        let end = response::read(body, kept).await;
        match end {
            response::End::Whole => self.pool.put(target.id(), live, self.clock.now()),
            // The rest would be taken for the next response, so the connection goes.
            response::End::Cut => drop(live),
            response::End::Broken(reason) => {
                return Err(Outcome::Broken { phase: Phase::ResponseBody, reason });
            }
        }
        Ok(answer)
    }
}

#[cfg(test)]
mod tests;

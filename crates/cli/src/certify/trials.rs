//! What a webhook receiver is tried with, what it should answer, and why. One row a trial.

use std::time::Duration;

use bytes::Bytes;
use delivery::http::request::request;
use delivery::message::{Message, MessageId, OrderKey};
use delivery::target::credentials::Credentials;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Version};
use payload::event::Event;
use payload::value::{AlertType, Number};
use payload::{ParseError, Update};
use secrecy::SecretString;
use sender::Integration;

use super::line::{Manner, Request};
use crate::clock;

/// How many requests come at once.
pub(super) const AT_ONCE: usize = 32;

/// How large the large body is, in bytes.
pub(super) const LARGE: usize = 2 * 1024 * 1024;

/// How long the slow body takes, and in how many pieces it comes.
pub(super) const SLOW: Duration = Duration::from_secs(5);
const PIECES: usize = 10;

/// How long the slow body is under way when another update comes.
pub(super) const AHEAD: Duration = Duration::from_millis(500);

/// An update that is answered later than this beside a slow body had to wait for it.
pub(super) const HELD_UP: Duration = Duration::from_secs(4);

/// How soon an update should be answered. Work that takes longer belongs behind the answer.
pub(super) const PROMPT: Duration = Duration::from_secs(2);

/// What a receiver is tried with.
pub(super) struct Trial {
    pub(super) name: String,
    /// Why a receiver should behave so.
    pub(super) why: &'static str,
    /// What is sent and what should come back.
    pub(super) steps: Vec<(Request, Wanted)>,
    pub(super) order: Order,
}

/// In which order the steps of a trial go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    OneByOne,
    AtOnce,
    /// All but the first once that one is under way for [`AHEAD`].
    Behind,
}

/// What should come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// 2xx.
    Taken,
    /// 2xx, and soon.
    TakenPromptly,
    /// 2xx, and not only when something slow has ended.
    TakenMeanwhile,
    /// 4xx; the first of these fits best.
    Refused(&'static [u16]),
    /// 4xx would be better, but 2xx does no harm.
    BetterRefused(&'static [u16]),
    /// 2xx, or one of these refusals.
    TakenOr(&'static [u16]),
    /// Whatever comes: the step is there for what follows it.
    Anything,
}

/// Makes requests for one receiver.
struct Maker<'a> {
    integration: &'a Integration,
    events: u32,
}

impl Maker<'_> {
    /// A new event, as it starts.
    fn event(&mut self) -> Event {
        self.events += 1;
        let mut event =
            Event::parse(payload::SAMPLE).unwrap_or_else(|_| unreachable!("the sample is an update"));
        event.id = format!("certify-{}-{}", clock::unix_seconds(), self.events);
        event
    }

    /// The next update of an event.
    fn next(event: &Event, kind: AlertType) -> Event {
        let mut next = event.clone();
        next.alerttype = kind;
        let later = |number: &Number, by: i64| Number::from(number.as_i64().unwrap_or_default() + by);
        next.updatecount = later(&event.updatecount, 1);
        next.timestamp = later(&event.timestamp, 300);
        next
    }

    fn request(&self, event: &Event) -> Result<Request, String> {
        let update = event.to_update().map_err(|error: ParseError| error.to_string())?;
        self.carrying(&update)
    }

    fn carrying(&self, update: &Update) -> Result<Request, String> {
        let body = self.integration.field_names.render(update).map_err(|error| error.to_string())?;
        Ok(self.with_body(body.to_vec()))
    }

    /// As the sender would send it, with this body.
    fn with_body(&self, body: Vec<u8>) -> Request {
        let id = MessageId::new();
        let message = Message { id, key: OrderKey::from("certify"), body: Bytes::new(), supersedable: false };
        let made =
            request(&self.integration.target, &message, clock::wall(), body.clone().into(), Version::HTTP_11);
        let mut headers: HeaderMap = made.headers().clone();
        headers.remove(CONTENT_LENGTH);
        Request { method: "POST", headers, body, manner: Manner::Plain }
    }

    fn start(&mut self) -> Result<Request, String> {
        let event = self.event();
        self.request(&event)
    }

    fn start_in(&mut self, manner: Manner) -> Result<Request, String> {
        Ok(Request { manner, ..self.start()? })
    }

    fn start_without(&mut self, name: &HeaderName) -> Result<Request, String> {
        let mut request = self.start()?;
        request.headers.remove(name);
        Ok(request)
    }

    fn start_with(&mut self, name: HeaderName, value: HeaderValue) -> Result<Request, String> {
        let mut request = self.start()?;
        request.headers.insert(name, value);
        Ok(request)
    }
}

fn trial(name: impl Into<String>, why: &'static str, steps: Vec<(Request, Wanted)>) -> Trial {
    Trial { name: name.into(), why, steps, order: Order::OneByOne }
}

/// All trials, in the order in which they are made: what is right first, so that what follows means something.
///
/// # Errors
/// If the field names leave no update to send.
pub(super) fn all(integration: &Integration) -> Result<Vec<Trial>, String> {
    let mut make = Maker { integration, events: 0 };
    let mut trials = right(&mut make)?;
    trials.extend(again(&mut make)?);
    trials.extend(credentials(&mut make)?);
    trials.extend(headers(&mut make)?);
    trials.extend(bodies(&mut make)?);
    trials.extend(load(&mut make)?);
    Ok(trials)
}

fn right(make: &mut Maker<'_>) -> Result<Vec<Trial>, String> {
    let start = make.event();
    let ongoing = Maker::next(&start, AlertType::Ongoing);
    let end = Maker::next(&ongoing, AlertType::End);
    let mut unknown = make.start()?;
    if let Some(brace) = unknown.body.iter().position(|&byte| byte == b'{') {
        unknown.body.splice(brace..=brace, br#"{"a_field_of_tomorrow":{"x":1},"#.iter().copied());
    }
    let life = vec![
        (make.request(&start)?, Wanted::TakenPromptly),
        (make.request(&ongoing)?, Wanted::Taken),
        (make.request(&end)?, Wanted::Taken),
    ];
    Ok(vec![
        trial(
            "an event from its start to its end",
            "each update is answered 2xx, soon: who works before it answers is sent the same again",
            life,
        ),
        trial(
            "a field that is not known yet",
            "the platform may add fields at any time",
            vec![(unknown, Wanted::Taken)],
        ),
        trial(
            "header names in another case",
            "names ignore case (RFC 9110, section 5.1)",
            vec![(make.start_in(Manner::OddCase)?, Wanted::Taken)],
        ),
        trial(
            "a body in chunks",
            "a sender need not know a length (RFC 9112, section 7.1)",
            vec![(make.start_in(Manner::Chunked)?, Wanted::TakenOr(&[411]))],
        ),
    ])
}

fn again(make: &mut Maker<'_>) -> Result<Vec<Trial>, String> {
    let same = make.start()?;
    let start = make.event();
    let end = Maker::next(&start, AlertType::End);
    Ok(vec![
        trial(
            "the same delivery twice",
            "delivery is at least once: who refuses what came before is sent it for ever",
            vec![(same.clone(), Wanted::Taken), (same, Wanted::Taken)],
        ),
        trial(
            "an end before its start",
            "updates of senders that do not keep the order are not wrong by themselves, and sending them again does not mend the order",
            vec![(make.request(&end)?, Wanted::Taken), (make.request(&start)?, Wanted::Taken)],
        ),
    ])
}

fn credentials(make: &mut Maker<'_>) -> Result<Vec<Trial>, String> {
    const STATUSES: &[u16] = &[401, 403];
    let Some(right) = make.integration.target.parts().credentials.as_ref() else { return Ok(Vec::new()) };
    let wrong = |username: &str| {
        let made = Credentials::new(username, SecretString::from("certify: not the password"));
        made.map(|credentials| credentials.header_value()).map_err(|error| error.to_string())
    };
    let (password, user) = (wrong(right.username())?, wrong("certify-nobody")?);
    let why = "whoever finds the URL could send what he likes";
    let broken = HeaderValue::from_static("Basic not*base64");
    Ok(vec![
        trial("no credentials", why, vec![(make.start_without(&AUTHORIZATION)?, Wanted::Refused(STATUSES))]),
        trial(
            "a wrong password",
            why,
            vec![(make.start_with(AUTHORIZATION, password)?, Wanted::Refused(STATUSES))],
        ),
        trial(
            "an unknown user",
            why,
            vec![(make.start_with(AUTHORIZATION, user)?, Wanted::Refused(STATUSES))],
        ),
        trial(
            "credentials that are not base64",
            "what cannot be read is no reason to fall over",
            vec![(make.start_with(AUTHORIZATION, broken)?, Wanted::Refused(&[401, 400, 403]))],
        ),
    ])
}

fn headers(make: &mut Maker<'_>) -> Result<Vec<Trial>, String> {
    let parts = make.integration.target.parts();
    let custom: Vec<HeaderName> = parts.headers.iter().map(|line| line.name().clone()).collect();
    let mut trials = Vec::new();
    for name in custom {
        let request = make.start_without(&name)?;
        let why = "a header that is configured is there to be checked; who does not can drop it";
        trials.push(trial(
            format!("no {name} header"),
            why,
            vec![(request, Wanted::BetterRefused(&[400, 401, 403]))],
        ));
    }
    let text = make.start_with(CONTENT_TYPE, HeaderValue::from_static("text/plain"))?;
    trials.push(trial(
        "another content type",
        "415 tells a wrong setting at once",
        vec![(text, Wanted::BetterRefused(&[415, 400]))],
    ));
    let get = Request { method: "GET", body: Vec::new(), ..make.start()? };
    trials.push(trial(
        "GET in place of POST",
        "a link that somebody opens is no update",
        vec![(get, Wanted::Refused(&[405, 404]))],
    ));
    Ok(trials)
}

fn bodies(make: &mut Maker<'_>) -> Result<Vec<Trial>, String> {
    let mut cut = make.start()?;
    cut.body.truncate(cut.body.len() / 2);
    let mut large = make.event();
    large.summary = "x".repeat(LARGE);
    let large = make.request(&large)?;
    let broken = make.start_in(Manner::BrokenOff)?;
    Ok(vec![
        trial(
            "broken JSON",
            "what cannot be read was not taken in; 5xx would be sent again",
            vec![(cut, Wanted::Refused(&[400, 422]))],
        ),
        trial(
            "an empty body",
            "what holds no update was not taken in; 5xx would be sent again",
            vec![(make.with_body(Vec::new()), Wanted::Refused(&[400, 422, 411]))],
        ),
        trial(
            "JSON that is no update",
            "what holds no update was not taken in; 5xx would be sent again",
            vec![(make.with_body(b"[1,2]".to_vec()), Wanted::BetterRefused(&[422, 400]))],
        ),
        trial(
            "a large body, 2 MiB",
            "either it is taken or its size is refused; a receiver that falls over is sent it again",
            vec![(large, Wanted::TakenOr(&[413]))],
        ),
        trial(
            "a body that breaks off",
            "a connection that is lost must not hurt what comes after it",
            vec![(broken, Wanted::Anything), (make.start()?, Wanted::Taken)],
        ),
    ])
}

fn load(make: &mut Maker<'_>) -> Result<Vec<Trial>, String> {
    let slow = Manner::Slow { pieces: PIECES, pause: SLOW / u32::try_from(PIECES).unwrap_or(1) };
    let held = vec![(make.start_in(slow)?, Wanted::TakenOr(&[408])), (make.start()?, Wanted::TakenMeanwhile)];
    let many = (0..AT_ONCE).map(|_| Ok((make.start()?, Wanted::Taken))).collect::<Result<_, String>>()?;
    Ok(vec![
        Trial {
            order: Order::Behind,
            ..trial(
                "a slow body, and another update meanwhile",
                "one slow sender must not hold up the others",
                held,
            )
        },
        Trial {
            order: Order::AtOnce,
            ..trial(format!("{AT_ONCE} at once"), "an outage ends with everything at once", many)
        },
    ])
}

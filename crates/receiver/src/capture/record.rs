//! A capture as JSON: one object a line in a file, a line on a terminal, an answer of the inspector. It can be read back.
//!
//! | member | is |
//! |---|---|
//! | `number`, `at` (seconds since 1970), `connection`, `turn`, `peer`, `secure` | which it is |
//! | `kind`, `why` | `request`, `head`, `handshake`, `unused`, `evicted`, `turned`; and for all but a request the reason |
//! | `version`, `method`, `target`, `headers`, `body` or `body_base64`, `body_problem` | the request |
//! | `raw`, `raw_cut`, `chunks` | the bytes as they came, in base64; whether more came; the lengths of the chunks |
//! | `head_ms`, `body_ms` | how long they took |
//! | `event`, `alerttype`, `webhook_id` | the update |
//! | `passed`, `checks` | the verdict |
//! | `status`, `fault` | the answer |
//!
//! Unknown members are ignored, so that a later version's file can be read.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use serde::{Deserialize, Serialize};

use super::{Arrival, Capture, Event};
use crate::fault::{Rule, Struck};
use crate::request::{Body, Connection, Request, Timing};
use crate::verdict::{Check, Finding, Problem, Subject, Verdict};
use crate::wire::{self, Raw};

/// What becomes of the values of header fields that hold a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// They are shown as asterisks, in the raw bytes too.
    Masked,
    /// They stay: for a file that is replayed.
    Kept,
}

/// How much of a capture is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// What a list shows: no header fields, body and raw bytes, and only checks that have something to tell.
    Short,
    /// All but the raw bytes, which repeat what the rest says.
    Plain,
    /// All of it.
    Full,
}

/// How many chunks of a body are told; where the others end is in the raw bytes.
const MAX_CHUNKS: usize = 1000;

/// A capture as it is written and read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    pub(super) number: u64,
    pub(super) at: f64,
    kind: Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    connection: u64,
    turn: u32,
    peer: Option<SocketAddr>,
    pub(super) secure: bool,
    pub(super) version: Cow<'static, str>,
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_problem: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    raw_cut: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    chunks: Option<Vec<usize>>,
    pub(super) head_ms: f64,
    pub(super) body_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alerttype: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_id: Option<String>,
    passed: bool,
    checks: Vec<CheckRecord>,
    pub(super) status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fault: Option<FaultRecord>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct CheckRecord {
    check: String,
    result: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    problems: Vec<ProblemRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct ProblemRecord {
    what: String,
    expected: String,
    got: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct FaultRecord {
    rule: usize,
    delay_ms: u64,
    /// For a person.
    pub(super) what: String,
    /// As a rule is written.
    does: BTreeMap<String, String>,
}

/// A line that is no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RecordError(String);

impl Record {
    /// Writes a capture.
    #[must_use]
    pub fn of(capture: &Capture, secrets: Secrets, detail: Detail) -> Self {
        let tells = |check: &&Check| detail != Detail::Short || !check.finding.problems().is_empty();
        let mut record = Self {
            number: capture.number,
            at: capture.unix_seconds(),
            connection: capture.connection.number,
            peer: Some(capture.connection.peer),
            secure: capture.connection.secure,
            event: capture.event.as_ref().and_then(|event| event.id.clone()),
            alerttype: capture.event.as_ref().and_then(|event| event.alerttype.clone()),
            passed: capture.verdict.passed(),
            checks: capture.verdict.checks.iter().filter(tells).map(CheckRecord::of).collect(),
            status: capture.status.map(|status| status.as_u16()),
            fault: capture.fault.as_ref().map(FaultRecord::of),
            ..Self::default()
        };
        match &capture.arrival {
            Arrival::Request(request) => record.add_request(request, secrets, detail),
            Arrival::Head { raw, why } => {
                (record.kind, record.why) = ("head".into(), Some(why.clone()));
                record.add_raw(raw.as_ref(), secrets, detail);
            }
            Arrival::Handshake { why } => (record.kind, record.why) = ("handshake".into(), Some(why.clone())),
            Arrival::Unused => record.kind = "unused".into(),
            Arrival::Evicted { raw } => {
                record.kind = "evicted".into();
                record.add_raw(raw.as_ref(), secrets, detail);
            }
            Arrival::Turned => record.kind = "turned".into(),
        }
        record
    }

    fn add_request(&mut self, request: &Request, secrets: Secrets, detail: Detail) {
        self.kind = "request".into();
        self.turn = request.turn;
        self.version = version(request.version).into();
        self.method = request.method.to_string();
        self.target.clone_from(&request.target);
        (self.head_ms, self.body_ms) = (millis(request.timing.head), millis(request.timing.body));
        self.webhook_id = request.webhook_id();
        if detail == Detail::Short {
            return;
        }
        let shown = |(name, value): (String, Vec<u8>)| {
            let masked = secrets == Secrets::Masked && wire::is_secret(&name);
            let value = if masked { wire::mask(&value) } else { value };
            (name, String::from_utf8_lossy(&value).into_owned())
        };
        self.headers = request.lines().into_iter().map(shown).collect();
        match &request.body {
            Body::Whole(body) => match std::str::from_utf8(body) {
                Ok(text) => self.body = Some(text.to_owned()),
                Err(_) => self.body_base64 = Some(STANDARD.encode(body)),
            },
            Body::TooLarge { limit } => self.body_problem = Some(format!("too-large {limit}")),
            Body::BrokenOff(why) => self.body_problem = Some(format!("broken-off {why}")),
            Body::Spoilt => self.body_problem = Some("spoilt by a fault".to_owned()),
            Body::TooSlow { limit } => self.body_problem = Some(format!("too-slow {}", limit.as_millis())),
            Body::NoRoom { limit } => self.body_problem = Some(format!("no-room {limit}")),
        }
        self.add_raw(request.raw.as_ref(), secrets, detail);
    }

    fn add_raw(&mut self, raw: Option<&Raw>, secrets: Secrets, detail: Detail) {
        let Some(raw) = raw.filter(|_| detail == Detail::Full) else { return };
        self.raw_cut = raw.cut;
        self.chunks = wire::layout(&raw.bytes).and_then(|layout| layout.chunks);
        if let Some(chunks) = &mut self.chunks {
            chunks.truncate(MAX_CHUNKS);
        }
        self.raw = Some(match secrets {
            Secrets::Masked => STANDARD.encode(wire::masked(&raw.bytes)),
            Secrets::Kept => STANDARD.encode(&raw.bytes),
        });
    }

    /// The texts that somebody may search for.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        let headers = self.headers.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
        let others = [self.body.as_deref(), self.why.as_deref(), self.webhook_id.as_deref()];
        headers.chain(others.into_iter().flatten())
    }

    /// One line of JSON.
    #[must_use]
    pub fn line(&self) -> String {
        // Texts, numbers and maps with text keys: there is nothing that could not be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a line.
    ///
    /// # Errors
    /// If it is no JSON object, or a member has a wrong value.
    pub fn read(line: &str) -> Result<Self, RecordError> {
        serde_json::from_str(line).map_err(|error| RecordError(error.to_string()))
    }

    /// Makes the capture again.
    ///
    /// # Errors
    /// If a member cannot be what it says.
    pub fn capture(&self) -> Result<Capture, RecordError> {
        let wrong = |member: &str| RecordError(format!("{member} cannot be read"));
        // A double holds a time of this century to the microsecond.
        let since = Duration::try_from_secs_f64(self.at).ok();
        let since = since.map(|since| (since + Duration::from_nanos(500)).as_micros());
        let since = since.and_then(|micros| u64::try_from(micros).ok()).map(Duration::from_micros);
        let at = since.and_then(|since| UNIX_EPOCH.checked_add(since));
        let at = at.ok_or_else(|| wrong("at"))?;
        let peer = self.peer.ok_or_else(|| wrong("peer"))?;
        let connection = Connection { number: self.connection, peer, secure: self.secure };
        let raw = self.raw.as_ref().map(|raw| STANDARD.decode(raw).map(Bytes::from)).transpose();
        let raw = raw.map_err(|_| wrong("raw"))?.map(|bytes| Raw { bytes, cut: self.raw_cut });
        let why = self.why.clone().unwrap_or_default();
        let arrival = match &*self.kind {
            "request" => Arrival::Request(Box::new(self.request(at, connection, raw)?)),
            "head" => Arrival::Head { raw, why },
            "handshake" => Arrival::Handshake { why },
            "unused" => Arrival::Unused,
            "evicted" => Arrival::Evicted { raw },
            "turned" => Arrival::Turned,
            _ => return Err(wrong("kind")),
        };
        let checks = self.checks.iter().map(CheckRecord::check).collect::<Result<_, _>>()?;
        let status = self.status.map(StatusCode::from_u16).transpose().map_err(|_| wrong("status"))?;
        let event = (self.event.is_some() || self.alerttype.is_some())
            .then(|| Event { id: self.event.clone(), alerttype: self.alerttype.clone() });
        Ok(Capture {
            number: self.number,
            at,
            connection,
            arrival,
            event,
            verdict: Verdict { checks },
            status,
            fault: self.fault.as_ref().map(FaultRecord::struck).transpose()?,
        })
    }

    fn request(
        &self,
        at: SystemTime,
        connection: Connection,
        raw: Option<Raw>,
    ) -> Result<Request, RecordError> {
        let wrong = |member: &str| RecordError(format!("{member} cannot be read"));
        let mut headers = HeaderMap::new();
        // Values are bytes, and JSON has only text for them: where the bytes as they came are there, they are better.
        let as_text = || self.headers.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes()));
        let lines = raw.as_ref().and_then(|raw| wire::lines(&raw.bytes));
        for (name, value) in lines.unwrap_or_else(|| as_text().collect()) {
            let name = name.parse::<HeaderName>().map_err(|_| wrong("headers"))?;
            headers.append(name, HeaderValue::from_bytes(&value).map_err(|_| wrong("headers"))?);
        }
        Ok(Request {
            at,
            timing: Timing { head: duration(self.head_ms), body: duration(self.body_ms) },
            connection,
            turn: self.turn,
            version: VERSIONS
                .iter()
                .find(|(_, name)| *name == self.version)
                .ok_or_else(|| wrong("version"))?
                .0,
            method: self.method.parse::<Method>().map_err(|_| wrong("method"))?,
            target: self.target.clone(),
            headers,
            body: self.whole().ok_or_else(|| wrong("body"))?,
            raw,
        })
    }

    fn whole(&self) -> Option<Body> {
        if let Some(problem) = &self.body_problem {
            let (kind, rest) = problem.split_once(' ')?;
            return Some(match kind {
                "too-large" => Body::TooLarge { limit: rest.parse().ok()? },
                "spoilt" => Body::Spoilt,
                "no-room" => Body::NoRoom { limit: rest.parse().ok()? },
                "too-slow" => Body::TooSlow { limit: Duration::from_millis(rest.parse().ok()?) },
                _ => Body::BrokenOff(rest.to_owned()),
            });
        }
        let encoded = self.body_base64.as_ref().map(|body| STANDARD.decode(body)).transpose().ok()?;
        let body = encoded.or_else(|| self.body.as_ref().map(|body| body.clone().into_bytes()));
        Some(Body::Whole(body.unwrap_or_default().into()))
    }
}

const VERSIONS: &[(Version, &str)] =
    &[(Version::HTTP_10, "HTTP/1.0"), (Version::HTTP_11, "HTTP/1.1"), (Version::HTTP_2, "HTTP/2")];

fn version(version: Version) -> &'static str {
    VERSIONS.iter().find(|(known, _)| *known == version).map_or("HTTP/1.1", |(_, name)| name)
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn duration(millis: f64) -> Duration {
    Duration::try_from_secs_f64(millis / 1000.0).unwrap_or_default()
}

impl CheckRecord {
    fn of(check: &Check) -> Self {
        let problem = |problem: &Problem| ProblemRecord {
            what: problem.what.clone(),
            expected: problem.expected.clone(),
            got: problem.got.clone(),
        };
        let reason = match &check.finding {
            Finding::Skipped(reason) => Some(reason.to_string()),
            Finding::Passed | Finding::Noted(_) | Finding::Failed(_) => None,
        };
        Self {
            check: check.subject.as_str().to_owned(),
            result: check.finding.as_str().to_owned(),
            problems: check.finding.problems().iter().map(problem).collect(),
            reason,
        }
    }

    fn check(&self) -> Result<Check, RecordError> {
        let subject = Subject::ALL.into_iter().find(|subject| subject.as_str() == self.check);
        let subject = subject.ok_or_else(|| RecordError(format!("there is no check {:?}", self.check)))?;
        let problem = |problem: &ProblemRecord| Problem {
            what: problem.what.clone(),
            expected: problem.expected.clone(),
            got: problem.got.clone(),
        };
        let problems = self.problems.iter().map(problem).collect();
        let finding = match &*self.result {
            "passed" => Finding::Passed,
            "noted" => Finding::Noted(problems),
            "failed" => Finding::Failed(problems),
            "skipped" => Finding::Skipped(self.reason.clone().unwrap_or_default().into()),
            other => return Err(RecordError(format!("there is no result {other:?}"))),
        };
        Ok(Check { subject, finding })
    }
}

impl FaultRecord {
    fn of(struck: &Struck) -> Self {
        let does = Rule { fault: struck.fault.clone(), ..Rule::default() }.pairs();
        let delay_ms = u64::try_from(struck.delay.as_millis()).unwrap_or(u64::MAX);
        Self { rule: struck.rule, delay_ms, what: struck.to_string(), does }
    }

    fn struck(&self) -> Result<Struck, RecordError> {
        let delay = Duration::from_millis(self.delay_ms);
        let fault = if self.does.is_empty() {
            crate::fault::Fault::None
        } else {
            Rule::from_pairs(&self.does).map_err(|error| RecordError(format!("fault: {error}")))?.fault
        };
        Ok(Struck { rule: self.rule, delay, fault })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_as_the_capture_it_was() {
        let at = UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        let connection = Connection { number: 3, peer: ([127, 0, 0, 1], 4).into(), secure: true };
        let bytes =
            Bytes::from_static(b"POST /a HTTP/1.1\r\nX-Key: hidden\r\nContent-Length: 2\r\n\r\n\xff{");
        let mut headers = HeaderMap::new();
        headers.insert("x-key", "hidden".parse().unwrap());
        headers.insert("content-length", "2".parse().unwrap());
        let request = |body| Request {
            at,
            timing: Timing { head: Duration::from_millis(1), body: Duration::from_millis(2) },
            connection,
            turn: 2,
            version: Version::HTTP_11,
            method: Method::POST,
            target: "/a".to_owned(),
            headers: headers.clone(),
            body,
            raw: Some(Raw { bytes: bytes.clone(), cut: false }),
        };
        let fault = Rule::parse("status=503,retry-after=2").unwrap().fault;
        let struck = Struck { rule: 1, delay: Duration::from_millis(5), fault };
        let finding = Finding::Failed(vec![Problem::new("a", "b", "c")]);
        let skipped = Finding::Skipped("no body".into());
        for arrival in [
            Arrival::Request(Box::new(request(Body::Whole(bytes.slice(bytes.len() - 2..))))),
            Arrival::Request(Box::new(request(Body::TooLarge { limit: 7 }))),
            Arrival::Request(Box::new(request(Body::BrokenOff("a b".to_owned())))),
            Arrival::Request(Box::new(request(Body::Spoilt))),
            Arrival::Request(Box::new(request(Body::NoRoom { limit: 7 }))),
            Arrival::Request(Box::new(request(Body::TooSlow { limit: Duration::from_secs(1) }))),
            Arrival::Head { raw: Some(Raw { bytes: bytes.clone(), cut: true }), why: "odd".to_owned() },
            Arrival::Handshake { why: "refused".to_owned() },
            Arrival::Unused,
            Arrival::Evicted { raw: Some(Raw { bytes: bytes.clone(), cut: false }) },
            Arrival::Turned,
        ] {
            let capture = Capture {
                number: 9,
                at,
                connection,
                arrival,
                event: Some(Event { id: Some("e".to_owned()), alerttype: None }),
                verdict: Verdict {
                    checks: vec![
                        Check { subject: Subject::Credentials, finding: finding.clone() },
                        Check { subject: Subject::Json, finding: skipped.clone() },
                    ],
                },
                status: Some(StatusCode::OK),
                fault: Some(struck.clone()),
            };
            let line = Record::of(&capture, Secrets::Kept, Detail::Full).line();
            let again = Record::read(&line).unwrap().capture().unwrap();
            assert_eq!(again, capture);
            assert!(!format!("{again:?}").contains("hidden"), "{again:?}");
            let masked = Record::of(&capture, Secrets::Masked, Detail::Full);
            let raw = masked.raw.as_ref().map(|raw| STANDARD.decode(raw).unwrap()).unwrap_or_default();
            assert!(!masked.line().contains("hidden") && !raw.windows(6).any(|part| part == b"hidden"));
        }
    }

    #[test]
    fn what_is_no_record_is_an_error() {
        for line in ["", "{", "7", "{\"number\":-1}"] {
            assert!(Record::read(line).is_err(), "{line}");
        }
        for line in [
            "{}",
            r#"{"kind":"request","peer":"127.0.0.1:1"}"#,
            r#"{"kind":"unused","peer":"127.0.0.1:1","at":-1}"#,
        ] {
            assert!(Record::read(line).unwrap().capture().is_err(), "{line}");
        }
    }
}

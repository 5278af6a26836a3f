//! A rule as it is written: pairs of names and values, which the command line, a file and the API have in common.
//!
//! | names | mean |
//! |---|---|
//! | `path`, `event`, `alerttype` | which requests are counted |
//! | `nth`, `every`, `first`, `probability`, `per=event`, `for` | which of those are struck, and how long the rule lasts |
//! | `status` (`retry-after`), `redirect` (`status`), `reset`, `truncate`, `endless`, `raw`, `slow`, `silent`, `accept-only`, `refuse` | what goes wrong: at most one |
//! | `delay` | how long the answer is held back |

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};

use super::{Fault, MAX_HOLD, Moment, Per, Rule, Stage};

/// A rule's names and values.
pub type Pairs = BTreeMap<String, String>;

/// A rule that cannot be: which name is wrong, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {why}")]
pub struct RuleError {
    /// The name.
    pub name: String,
    /// What is wrong with it, and what would be right.
    pub why: String,
}

fn wrong(name: &str, why: impl Into<String>) -> RuleError {
    RuleError { name: name.to_owned(), why: why.into() }
}

/// The name of the fault whose value is bytes.
const RAW: &str = "raw";

/// How a comma is written where commas separate.
const COMMA: &str = "\\x2c";

/// Makes a fault from its value, and takes what else belongs to it from the pairs that are left.
type Make = fn(&str, &mut Pairs) -> Result<Fault, String>;

/// The faults by name, each with what it is made from. `""` is the value of a name that stands alone.
const FAULTS: &[(&str, Make)] = &[
    ("redirect", redirect),
    ("status", status),
    ("reset", reset),
    ("truncate", |value, _| alone(value, Fault::Truncate)),
    ("endless", |value, _| alone(value, Fault::Endless)),
    (RAW, |value, _| Ok(Fault::Raw(unescaped(value)?))),
    ("slow", |value, _| {
        Ok(Fault::Slow(if value.is_empty() { Duration::from_millis(100) } else { duration(value)? }))
    }),
    ("silent", |value, _| Ok(Fault::Silent(hold(value)?))),
    ("accept-only", |value, _| Ok(Fault::AcceptOnly(hold(value)?))),
    ("refuse", |value, _| alone(value, Fault::Refuse)),
];

/// The other names, in the order in which they are shown.
const CONDITIONS: &[&str] =
    &["path", "event", "alerttype", "nth", "every", "first", "probability", "per", "for", "delay"];

impl Rule {
    /// Makes a rule from its pairs.
    ///
    /// # Errors
    /// If a name is unknown, a value wrong, or two do not go together; the first that is found.
    pub fn from_pairs(pairs: &Pairs) -> Result<Self, RuleError> {
        let mut left = pairs.clone();
        let mut rule = Self {
            path: left
                .remove("path")
                .map(|path| if path.starts_with('/') { path } else { format!("/{path}") }),
            event: left.remove("event"),
            alerttype: take(&mut left, "alerttype", alerttype)?,
            nth: count(&mut left, "nth")?,
            every: count(&mut left, "every")?,
            first: count(&mut left, "first")?,
            probability: probability(&mut left)?,
            per: per(&mut left)?,
            lasts: take(&mut left, "for", duration)?,
            delay: take(&mut left, "delay", str::parse)?,
            fault: Fault::None,
        };
        for (name, make) in FAULTS {
            let Some(value) = left.remove(*name) else { continue };
            if rule.fault != Fault::None {
                return Err(wrong(name, "a rule has one fault; write two rules"));
            }
            rule.fault = make(&value, &mut left).map_err(|why| wrong(name, why))?;
        }
        if let Some(name) = left.keys().next() {
            return Err(wrong(name, unknown(name)));
        }
        rule.goes_together()?;
        Ok(rule)
    }

    /// Reads `name=value,name=value`; a name may stand alone. A comma in a value is written `\\x2c`.
    ///
    /// # Errors
    /// As [`Rule::from_pairs`], or if a name stands twice.
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        let mut pairs = Pairs::new();
        for pair in text.split(',') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (name.trim(), value.trim());
            // Raw bytes have this escape among others, and are read later.
            let value = if name == RAW { value.to_owned() } else { value.replace(COMMA, ",") };
            if pairs.insert(name.to_owned(), value).is_some() {
                return Err(wrong(name, "it stands twice"));
            }
        }
        Self::from_pairs(&pairs)
    }

    /// What of a request is not known at the stage of the fault cannot be a condition.
    fn goes_together(&self) -> Result<(), RuleError> {
        let stage = self.fault.stage();
        if self.fault == Fault::None && self.delay.is_none() {
            let faults: Vec<_> = FAULTS.iter().map(|(name, _)| *name).collect();
            return Err(wrong(
                "fault",
                format!("the rule has none; add delay or one of {}", faults.join(", ")),
            ));
        }
        let by_body = self.event.is_some() || self.alerttype.is_some() || self.per == Per::Event;
        if by_body && stage != Stage::Request {
            return Err(wrong(
                "event",
                "this fault strikes before the body is read; it can go by event no more than by alert type",
            ));
        }
        if self.path.is_some() && matches!(stage, Stage::Connection | Stage::Listening) {
            return Err(wrong("path", "this fault strikes before a request is read"));
        }
        let counts =
            self.nth.is_some() || self.every.is_some() || self.first.is_some() || self.probability.is_some();
        if stage == Stage::Listening && (counts || self.delay.is_some()) {
            return Err(wrong(
                "refuse",
                "what is refused cannot be counted or delayed; say for how long: refuse,for=30s",
            ));
        }
        Ok(())
    }

    /// The rule as it is written.
    #[must_use]
    pub fn pairs(&self) -> Pairs {
        let number = |number: &Option<u64>| number.map(|number| number.to_string());
        let mut pairs: Vec<(&str, Option<String>)> = vec![
            ("path", self.path.clone()),
            ("event", self.event.clone()),
            ("alerttype", self.alerttype.clone()),
            ("nth", number(&self.nth)),
            ("every", number(&self.every)),
            ("first", number(&self.first)),
            ("probability", self.probability.map(|probability| probability.to_string())),
            ("per", (self.per == Per::Event).then(|| "event".to_owned())),
            ("for", self.lasts.map(show)),
            ("delay", self.delay.map(|delay| delay.to_string())),
        ];
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        match &self.fault {
            Fault::None => {}
            Fault::Status { status, retry_after } => {
                pairs.push(("status", Some(status.as_u16().to_string())));
                pairs.push(("retry-after", retry_after.as_ref().map(text)));
            }
            Fault::Redirect { status, location } => {
                pairs.push(("redirect", Some(text(location))));
                pairs.push(("status", Some(status.as_u16().to_string())));
            }
            Fault::Reset(moment) => {
                let (name, _) = MOMENTS.iter().find(|(_, of)| of == moment).unwrap_or(&MOMENTS[0]);
                pairs.push(("reset", Some((*name).to_owned())));
            }
            Fault::Truncate => pairs.push(("truncate", Some(String::new()))),
            Fault::Endless => pairs.push(("endless", Some(String::new()))),
            Fault::Raw(bytes) => pairs.push((RAW, Some(escaped(bytes)))),
            Fault::Slow(pause) => pairs.push(("slow", Some(show(*pause)))),
            Fault::Silent(hold) => pairs.push(("silent", Some(show(*hold)))),
            Fault::AcceptOnly(hold) => pairs.push(("accept-only", Some(show(*hold)))),
            Fault::Refuse => pairs.push(("refuse", Some(String::new()))),
        }
        pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}

impl fmt::Display for Rule {
    /// As [`Rule::parse`] reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, value)) in self.pairs().iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            match value.is_empty() {
                true => write!(f, "{comma}{name}")?,
                false => write!(f, "{comma}{name}={}", value.replace(',', COMMA))?,
            }
        }
        Ok(())
    }
}

fn unknown(name: &str) -> String {
    if name == "retry-after" {
        return "it goes with status".to_owned();
    }
    let known: Vec<_> = FAULTS.iter().map(|(name, _)| *name).chain(CONDITIONS.iter().copied()).collect();
    format!("no such name; there are {}", known.join(", "))
}

fn take<T>(
    pairs: &mut Pairs,
    name: &str,
    read: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<T>, RuleError> {
    pairs.remove(name).map(|value| read(&value).map_err(|why| wrong(name, why))).transpose()
}

fn count(pairs: &mut Pairs, name: &str) -> Result<Option<u64>, RuleError> {
    take(pairs, name, |value| match value.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("{value:?} is no number from 1 on")),
    })
}

fn probability(pairs: &mut Pairs) -> Result<Option<f64>, RuleError> {
    take(pairs, "probability", |value| match value.parse() {
        Ok(probability) if (0.0..=1.0).contains(&probability) => Ok(probability),
        _ => Err(format!("{value:?} is no number from 0 to 1")),
    })
}

fn alerttype(value: &str) -> Result<String, String> {
    match value {
        "start" | "ongoing" | "end" => Ok(value.to_owned()),
        _ => Err(format!("{value:?} is none of start, ongoing, end")),
    }
}

fn per(pairs: &mut Pairs) -> Result<Per, RuleError> {
    let per = take(pairs, "per", |value| match value {
        "event" => Ok(Per::Event),
        "run" => Ok(Per::Run),
        _ => Err(format!("{value:?} is none of event, run")),
    })?;
    Ok(per.unwrap_or_default())
}

fn alone(value: &str, fault: Fault) -> Result<Fault, String> {
    // A file cannot have a name without a value, so there it is `true`.
    if value.is_empty() || value == "true" { Ok(fault) } else { Err("it takes no value".to_owned()) }
}

fn status(value: &str, left: &mut Pairs) -> Result<Fault, String> {
    let status = status_code(value, 200)?;
    let retry_after = left.remove("retry-after");
    let retry_after = retry_after.map(|after| HeaderValue::from_str(&after)).transpose();
    let retry_after = retry_after.map_err(|_| "retry-after has a character that a header cannot have")?;
    Ok(Fault::Status { status, retry_after })
}

fn status_code(value: &str, least: u16) -> Result<StatusCode, String> {
    let code = value.parse::<u16>().ok().filter(|code| (least..=599).contains(code));
    let code = code.and_then(|code| StatusCode::from_u16(code).ok());
    code.ok_or_else(|| format!("{value:?} is no status from {least} to 599"))
}

fn redirect(value: &str, left: &mut Pairs) -> Result<Fault, String> {
    let location = HeaderValue::from_str(value).ok().filter(|location| !location.is_empty());
    let location = location.ok_or("it wants a URL")?;
    let status = match left.remove("status") {
        Some(status) => status_code(&status, 300)?,
        None => StatusCode::TEMPORARY_REDIRECT,
    };
    if ![301, 302, 303, 307, 308].contains(&status.as_u16()) {
        return Err(format!("{} redirects nowhere; take 301, 302, 303, 307 or 308", status.as_u16()));
    }
    Ok(Fault::Redirect { status, location })
}

const MOMENTS: &[(&str, Moment)] = &[
    ("before", Moment::Before),
    ("within", Moment::Within),
    ("after", Moment::After),
    ("answer", Moment::Answer),
];

fn reset(value: &str, _: &mut Pairs) -> Result<Fault, String> {
    let value = if value.is_empty() { "after" } else { value };
    let found = MOMENTS.iter().find(|(name, _)| *name == value);
    found
        .map(|(_, moment)| Fault::Reset(*moment))
        .ok_or_else(|| format!("{value:?} is none of before, within, after, answer"))
}

/// Bytes as text: `\\r`, `\\n`, `\\t`, `\\\\` and `\\xNN` stand for what cannot be typed, and `\\x2c` for a comma.
fn unescaped(text: &str) -> Result<Bytes, String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let hex = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
        let (meant, length) = match rest {
            [b'r', ..] => (b'\r', 1),
            [b'n', ..] => (b'\n', 1),
            [b't', ..] => (b'\t', 1),
            [b'\\', ..] => (b'\\', 1),
            [b'x', high, low, ..] if let Some(byte) = hex(&[*high, *low]) => (byte, 3),
            _ => {
                return Err(
                    "a backslash stands before r, n, t, a backslash, or x and two hex digits".to_owned()
                );
            }
        };
        bytes.push(meant);
        rest = &rest[length..];
    }
    Ok(bytes.into())
}

fn escaped(bytes: &[u8]) -> String {
    let shown = |&byte: &u8| match byte {
        b'\r' => "\\r".to_owned(),
        b'\n' => "\\n".to_owned(),
        b'\\' => "\\\\".to_owned(),
        // A comma ends a pair on the command line.
        b' '..=b'~' if byte != b',' => char::from(byte).to_string(),
        _ => format!("\\x{byte:02x}"),
    };
    bytes.iter().map(shown).collect()
}

fn hold(value: &str) -> Result<Duration, String> {
    if value.is_empty() || value == "true" { Ok(MAX_HOLD) } else { duration(value) }
}

/// The units of a time, longest first.
const UNITS: &[(&str, u64)] = &[("ms", 1), ("m", 60_000), ("s", 1_000)];

/// Reads `200ms`, `2s`, `1m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let read = |(unit, millis): &(&str, u64)| {
        let number = text.strip_suffix(unit)?.parse::<u64>().ok()?;
        number.checked_mul(*millis).map(Duration::from_millis)
    };
    let found = UNITS.iter().find_map(read);
    let found = found.ok_or_else(|| format!("{text:?} is no time; write it as 200ms, 2s or 1m"))?;
    if found > MAX_HOLD {
        return Err(format!("{text:?} is longer than {}, the longest that is held", show(MAX_HOLD)));
    }
    Ok(found)
}

/// Writes a time in the largest unit that it is a whole number of.
pub(super) fn show(duration: Duration) -> String {
    let millis = duration.as_millis();
    match millis {
        _ if millis > 0 && millis.is_multiple_of(60_000) => format!("{}m", millis / 60_000),
        _ if millis.is_multiple_of(1_000) => format!("{}s", millis / 1_000),
        _ => format!("{millis}ms"),
    }
}

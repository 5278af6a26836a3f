//! Which captures a caller asks for. All that is given must hold.

use serde::Deserialize;

use crate::capture::Capture;
use crate::capture::record::{Detail, Record, Secrets};
use crate::verdict::Finding;

/// As it stands in a query.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Filter {
    /// Only captures with a number above this.
    after: u64,
    /// At most so many.
    pub(super) limit: Option<usize>,
    event: Option<String>,
    alerttype: Option<String>,
    path: Option<String>,
    method: Option<String>,
    status: Option<u16>,
    verdict: Option<Judged>,
    /// A text somewhere in target, header fields, event or body; ignores case.
    q: Option<String>,
    /// For `/api/wait`: how many, and for how long in seconds.
    pub(super) count: Option<u64>,
    pub(super) timeout: Option<f64>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Judged {
    Passed,
    Noted,
    Failed,
}

impl Filter {
    pub(super) fn holds(&self, capture: &Capture) -> bool {
        let is = |wanted: &Option<String>, came: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| came == Some(wanted))
        };
        let event = capture.event.as_ref();
        capture.number > self.after
            && is(&self.event, event.and_then(|event| event.id.as_deref()))
            && is(&self.alerttype, event.and_then(|event| event.alerttype.as_deref()))
            && is(&self.path, capture.request().map(crate::request::Request::path))
            && is(&self.method, capture.request().map(|request| request.method.as_str()))
            && self.status.is_none_or(|wanted| capture.status.is_some_and(|status| status.as_u16() == wanted))
            && self.verdict.is_none_or(|wanted| judged(capture) == wanted)
            && self.q.as_deref().is_none_or(|wanted| contains(capture, &wanted.to_lowercase()))
    }
}

fn judged(capture: &Capture) -> Judged {
    let noted = |finding: &Finding| matches!(finding, Finding::Noted(_));
    match capture.verdict.passed() {
        false => Judged::Failed,
        true if capture.verdict.checks.iter().any(|check| noted(&check.finding)) => Judged::Noted,
        true => Judged::Passed,
    }
}

/// Secrets cannot be searched for: they are masked before.
fn contains(capture: &Capture, wanted: &str) -> bool {
    let has = |text: &str| text.to_lowercase().contains(wanted);
    if has(&capture.summary()) {
        return true;
    }
    let record = Record::of(capture, Secrets::Masked, Detail::Plain);
    record.texts().any(has)
}

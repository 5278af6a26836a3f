//! What `send` shows: a line an update, what the receiver said of those it refused, a progress bar when there are many.

use std::fmt;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use delivery::engine::{AttemptReport, Observer, SettledReport};
use delivery::outcome::{Attempt, Outcome, TlsFault};
use delivery::retry::{Disposition, Reason};
use delivery::store::{LaneId, Settled};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use sender::Integration;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::show;

/// From so many updates on, a bar takes the place of the lines of those that arrive.
const MANY: usize = 20;

/// The account of a run. Cloning gives the same.
#[derive(Clone)]
pub(super) struct Report {
    shared: Arc<Shared>,
}

struct Shared {
    integrations: Vec<String>,
    json: bool,
    bar: ProgressBar,
    quiet: bool,
    state: Mutex<State>,
    disabled: Notify,
}

#[derive(Default)]
struct State {
    sent: u64,
    delivered: u64,
    nowhere: usize,
    interrupted: bool,
    disabled: Vec<LaneId>,
}

impl Report {
    pub(super) fn new(integrations: &[Integration], total: usize, json: bool) -> Self {
        let quiet = total > MANY && !json && std::io::stderr().is_terminal();
        let bar = if quiet { ProgressBar::new(total as u64) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} updates, {rate}, {eta} left") {
            let rate = |state: &ProgressState, out: &mut dyn fmt::Write| {
                let _ = write!(out, "{:.0}/s", state.per_sec());
            };
            bar.set_style(style.with_key("rate", rate));
        }
        let integrations = integrations.iter().map(|integration| integration.name.clone()).collect();
        let state = Mutex::default();
        Self { shared: Arc::new(Shared { integrations, json, bar, quiet, state, disabled: Notify::new() }) }
    }

    pub(super) fn observer(&self) -> impl Observer + use<> {
        Watching(self.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next lane whose receiver answered 410. Cancel safe.
    pub(super) async fn next_disabled(&self) -> LaneId {
        loop {
            if let Some(lane) = self.state().disabled.pop() {
                return lane;
            }
            self.shared.disabled.notified().await;
        }
    }

    pub(super) fn went_nowhere(&self, updates: usize) {
        self.state().nowhere += updates;
    }

    /// A person ended the run before its end.
    pub(super) fn interrupted(&self) {
        self.state().interrupted = true;
    }

    /// The last line; says whether all arrived.
    pub(super) fn finish(&self) -> bool {
        self.shared.bar.finish_and_clear();
        let state = self.state();
        let failed = state.sent - state.delivered;
        if self.shared.json {
            let summary = json!({
                "sent": state.sent,
                "delivered": state.delivered,
                "failed": failed,
                "unrouted": state.nowhere,
                "interrupted": state.interrupted,
            });
            show::println(&summary.to_string());
        } else {
            let style = if failed == 0 { show::GOOD } else { show::BAD };
            let nowhere = match state.nowhere {
                0 => String::new(),
                count => format!(", {count} matched no policy"),
            };
            let rest = if state.interrupted { ", interrupted: the rest was not sent" } else { "" };
            show::println(&format!(
                "{style}sent {}, delivered {}, failed {failed}{style:#}{nowhere}{rest}",
                state.sent, state.delivered
            ));
        }
        failed == 0 && !state.interrupted
    }

    fn integration(&self, lane: LaneId) -> &str {
        // Lanes are numbered from 1, in the order of the integrations.
        let index = usize::try_from(lane.0).unwrap_or(usize::MAX).wrapping_sub(1);
        self.shared.integrations.get(index).map_or("", String::as_str)
    }

    fn line(&self, line: &str) {
        if self.shared.quiet { self.shared.bar.suspend(|| show::println(line)) } else { show::println(line) }
    }
}

struct Watching(Report);

impl Observer for Watching {
    fn attempted(&mut self, report: &AttemptReport<'_>) {
        let integration = self.0.integration(report.lane).to_owned();
        if self.0.shared.json {
            self.0.line(&as_json(&integration, report).to_string());
            return;
        }
        if matches!(report.disposition, Disposition::Delivered) && self.0.shared.quiet {
            return;
        }
        for line in lines(self.0.shared.integrations.len() > 1, &integration, report) {
            self.0.line(&line);
        }
    }

    fn settled(&mut self, report: &SettledReport<'_>) {
        let (lane, settled) = (report.lane, report.settled);
        let message = report.claimed.map(|(message, _)| message);
        let mut state = self.0.state();
        state.sent += 1;
        state.delivered += u64::from(*settled == Settled::Delivered);
        drop(state);
        self.0.shared.bar.inc(1);
        // What ends without an attempt of its own has no line yet.
        let reason = match settled {
            Settled::Dead(reason @ (Reason::Expired | Reason::LaneRemoved | Reason::Damaged)) => {
                reason.to_string()
            }
            Settled::Superseded => "superseded by a later update".to_owned(),
            Settled::Delivered | Settled::Dead(Reason::GaveUp | Reason::Unrenderable(_)) => return,
        };
        let what = message.map_or_else(|| "an update".to_owned(), |message| show::update(&message.body));
        let bad = show::BAD;
        if self.0.shared.json {
            let integration = self.0.integration(lane);
            let id = message.map(|message| message.id.as_str());
            self.0.line(
                &json!({ "integration": integration, "webhook_id": id, "result": "dead", "reason": reason })
                    .to_string(),
            );
        } else {
            self.0.line(&format!("{bad}✗{bad:#} {what}  {reason}"));
        }
    }

    fn disabled(&mut self, lane: LaneId) {
        self.0.state().disabled.push(lane);
        self.0.shared.disabled.notify_one();
    }
}

/// The line of an attempt, and what the receiver said if it was refused.
fn lines(several: bool, integration: &str, report: &AttemptReport<'_>) -> Vec<String> {
    let (good, bad, odd, faint) = (show::GOOD, show::BAD, show::ODD, show::FAINT);
    let (mark, style) = match report.disposition {
        Disposition::Delivered => ("✓", good),
        Disposition::Repeat | Disposition::Retry(_) => ("↻", odd),
        Disposition::Dead(_) => ("✗", bad),
    };
    let what = show::update(&report.message.body);
    let to = if several { format!(" → {integration}") } else { String::new() };
    let outcome = explained(report.attempt);
    let took = show::duration(report.attempt.timings.total);
    let number = if report.number > 1 { format!(", attempt {}", report.number) } else { String::new() };
    let unverified = report.attempt.connection.as_ref().is_some_and(|connection| connection.unverified);
    let warning = if unverified { ", certificate unchecked" } else { "" };
    let mut lines = vec![format!(
        "{style}{mark}{style:#} {what}{to}  {style}{outcome}{style:#}{faint}  {took}{number}{warning}{faint:#}"
    )];
    if !matches!(report.disposition, Disposition::Delivered) {
        let body = report.attempt.response.as_ref().map(|response| String::from_utf8_lossy(&response.body));
        let said = show::said(&body.unwrap_or_default());
        lines.extend(said.into_iter().map(|said| format!("    the receiver says: {said}")));
    }
    lines
}

/// The outcome, with what to do about it where that is not plain.
fn explained(attempt: &Attempt) -> String {
    let advice = match &attempt.outcome {
        Outcome::Tls(TlsFault::UnknownIssuer { .. }) => {
            Some("--ca-file names whom to trust, --skip-ssl-verification trusts anybody")
        }
        _ => attempt.advice(),
    };
    let advice = advice.map(|advice| format!("; {advice}")).unwrap_or_default();
    format!("{}{advice}", show::printable(&attempt.outcome.to_string()))
}

fn as_json(integration: &str, report: &AttemptReport<'_>) -> Value {
    let attempt = report.attempt;
    let result = match report.disposition {
        Disposition::Delivered => "delivered",
        Disposition::Repeat | Disposition::Retry(_) => "retry",
        Disposition::Dead(_) => "dead",
    };
    let update = payload::Update::parse(report.message.body.clone()).ok();
    let millis = |duration: std::time::Duration| duration.as_secs_f64() * 1000.0;
    json!({
        "integration": integration,
        "webhook_id": report.message.id.as_str(),
        "event": update.as_ref().and_then(payload::Update::id),
        "alerttype": update.as_ref().and_then(payload::Update::alerttype),
        "attempt": report.number,
        "result": result,
        "outcome": attempt.outcome.to_string(),
        "status": attempt.response.as_ref().map(|response| response.status.as_u16()),
        "response": attempt.response.as_ref().map(|response| String::from_utf8_lossy(&response.body)),
        "timings_ms": {
            "connect": attempt.timings.connect.map(millis),
            "tls": attempt.timings.tls.map(millis),
            "first_byte": attempt.timings.first_byte.map(millis),
            "total": millis(attempt.timings.total),
        },
    })
}

//! What every connection shares, and the one place where a request is judged, answered and recorded.

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Response, StatusCode};
use tokio::sync::{Notify, Semaphore, watch};

use super::Limits;
use crate::capture::{Arrival, Capture, Captures, Event};
use crate::check::sequence::{Sequences, Taken};
use crate::check::{self, Checked, Checks};
use crate::clock::Stopwatch;
use crate::fault::{Facts, Fault, Faults, Moment, Rule, Stage, Struck};
use crate::reply;
use crate::request::{Body, Connection, Request};
use crate::verdict::{Subject, Verdict, cut};

/// What is called with each capture, in their order. It must not block.
pub type OnCapture = Box<dyn Fn(&Arc<Capture>) + Send + Sync>;

/// What every connection shares.
pub(crate) struct Desk {
    checks: Checks,
    pub(crate) limits: Limits,
    captures: Captures,
    on_capture: Option<OnCapture>,
    state: Mutex<State>,
    /// Whether there are rules: while there are none, nobody need ask under the lock what goes wrong.
    has_rules: AtomicBool,
    faults_changed: Notify,
    /// The clock that rules go by.
    running: Stopwatch,
    connections: AtomicU64,
    /// Room for the bytes of bodies that are being read.
    pub(super) room: Arc<Semaphore>,
    phase: watch::Sender<Phase>,
}

/// How far a server is with ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Open,
    Closing,
    Closed,
}

/// What a request changes. While it is judged the lock is held, so that captures are numbered, told and logged in the order
/// in which they were judged.
struct State {
    sequences: Sequences,
    faults: Faults,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk")
            .field("checks", &self.checks)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Desk {
    pub(crate) fn new(
        checks: Checks,
        limits: Limits,
        captures: Captures,
        on_capture: Option<OnCapture>,
        (rules, seed): (Vec<Rule>, u64),
    ) -> Self {
        let has_rules = AtomicBool::new(!rules.is_empty());
        let faults = Faults::new(rules, seed, Duration::ZERO);
        Self {
            checks,
            limits,
            captures,
            on_capture,
            state: Mutex::new(State { sequences: Sequences::default(), faults }),
            has_rules,
            faults_changed: Notify::new(),
            running: Stopwatch::start(),
            connections: AtomicU64::new(0),
            room: Arc::new(Semaphore::new(limits.under_way)),
            phase: watch::Sender::new(Phase::Open),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// For how long nobody listens, if nobody does.
    pub(super) fn refusing(&self) -> Option<Duration> {
        if !self.has_rules.load(Ordering::SeqCst) {
            return None;
        }
        let mut state = self.state();
        let left = state.faults.refusing(self.running.elapsed());
        if left.is_some() {
            state.sequences.lose();
        }
        left
    }

    /// Tells the server to end, and waits until it did.
    pub(crate) async fn close(&self) {
        self.phase.send_if_modified(|phase| std::mem::replace(phase, (*phase).max(Phase::Closing)) != *phase);
        self.reached(Phase::Closed).await;
    }

    pub(super) fn is_closing(&self) -> bool {
        *self.phase.borrow() >= Phase::Closing
    }

    /// Until the server should end.
    pub(super) async fn closing(&self) {
        self.reached(Phase::Closing).await;
    }

    /// The last connection has ended.
    pub(super) fn closed(&self) {
        self.phase.send_replace(Phase::Closed);
    }

    async fn reached(&self, wanted: Phase) {
        // The sender lives as long as this does.
        let _ = self.phase.subscribe().wait_for(|phase| *phase >= wanted).await;
    }

    /// Until the rules were changed. Only the accept loop waits for it.
    pub(super) async fn faults_changed(&self) {
        self.faults_changed.notified().await;
    }

    /// Puts other rules in force, from now on; the seed stays if none is given.
    pub(crate) fn set_faults(&self, rules: Vec<Rule>, seed: Option<u64>) {
        let mut state = self.state();
        let seed = seed.unwrap_or(state.faults.seed());
        self.has_rules.store(!rules.is_empty(), Ordering::SeqCst);
        state.faults = Faults::new(rules, seed, self.running.elapsed());
        drop(state);
        self.faults_changed.notify_one();
    }

    /// The rules in force, and the seed.
    pub(crate) fn faults(&self) -> (Vec<Rule>, u64) {
        let state = self.state();
        (state.faults.rules().cloned().collect(), state.faults.seed())
    }

    /// Forgets what came: captures and sequences. Rules begin anew.
    pub(crate) fn reset(&self) {
        let mut state = self.state();
        state.sequences.forget_all();
        let (rules, seed) = (state.faults.rules().cloned().collect(), state.faults.seed());
        state.faults = Faults::new(rules, seed, self.running.elapsed());
        self.captures.clear();
        drop(state);
        self.faults_changed.notify_one();
    }

    /// What goes wrong before a request is whole.
    pub(super) fn plan(&self, stage: Stage, path: &str) -> Option<Struck> {
        if !self.has_rules.load(Ordering::SeqCst) {
            return None;
        }
        let facts = Facts { path, ..Facts::default() };
        let mut state = self.state();
        let struck = state.faults.plan(stage, &facts, self.running.elapsed());
        if struck.is_some() {
            // Whose update it would have been is not known, so that no event is accused of lacking it.
            state.sequences.lose();
        }
        struck
    }

    /// Judges a request, decides what to answer, and records both. `early` is a fault that struck within it.
    pub(crate) fn take(&self, request: Request, early: Option<Struck>) -> (Response<Bytes>, Option<Struck>) {
        let mut checked = check::check(&request, &self.checks);
        let event = event(&checked);
        let request = Box::new(request);
        let mut state = self.state();
        let number = self.captures.next_number();
        let struck = early.or_else(|| {
            let update = checked.update.as_ref();
            let (id, alerttype) =
                update.map_or((None, None), |(update, _)| (update.id(), update.alerttype()));
            let facts = Facts { path: request.path(), event: id.as_deref(), alerttype: alerttype.as_deref() };
            state.faults.plan(Stage::Request, &facts, self.running.elapsed())
        });
        // What is found of the sequence refuses nothing, and does not change it.
        let right = reply::status(&checked.verdict, &request.body);
        let under = |struck: &Struck| status_under(&struck.fault, right);
        let status = struck.as_ref().map_or(Some(right), under);
        if matches!(request.body, Body::NoRoom { .. }) {
            state.sequences.lose();
        }
        let taken = taken(&checked.verdict, struck.as_ref());
        check::follow(&mut checked, &self.checks, &mut state.sequences, (number, status, taken));
        let capture = Arc::new(Capture {
            number,
            at: request.at,
            connection: request.connection,
            arrival: Arrival::Request(request),
            event,
            verdict: checked.verdict,
            status,
            fault: struck,
        });
        let dropped = self.record(Arc::clone(&capture));
        // Others are judged while what is left to do is done.
        drop(state);
        let struck = capture.fault.clone();
        let fault = struck.as_ref().map(|struck| &struck.fault);
        let response = reply::reply(&capture.verdict, &self.checks, right, fault);
        drop(dropped);
        (response, struck)
    }

    /// Records a connection that came to no request.
    pub(super) fn note(
        &self,
        at: SystemTime,
        connection: Connection,
        arrival: Arrival,
        (status, struck): (Option<StatusCode>, Option<Struck>),
    ) {
        let state = self.state();
        let mut capture = Capture::without_request(self.captures.next_number(), at, connection, arrival);
        (capture.status, capture.fault) = (status, struck);
        let dropped = self.record(Arc::new(capture));
        drop((state, dropped));
    }

    /// Takes over a capture of an earlier run as it is, under a number of this one. Its event goes on from there.
    pub(crate) fn adopt(&self, mut capture: Capture) {
        let checked = capture.request().map(|request| check::check(request, &self.checks));
        let mut state = self.state();
        capture.number = self.captures.next_number();
        if let Some(mut checked) = checked {
            let taken = taken(&capture.verdict, capture.fault.as_ref());
            let answered = (capture.number, capture.status, taken);
            check::follow(&mut checked, &self.checks, &mut state.sequences, answered);
        }
        let dropped = self.record(Arc::new(capture));
        drop((state, dropped));
    }

    /// Gives back the captures that had to make room.
    fn record(&self, capture: Arc<Capture>) -> Vec<Arc<Capture>> {
        if let Some(on_capture) = &self.on_capture {
            on_capture(&capture);
        }
        self.captures.record(capture)
    }
}

fn event(checked: &Checked) -> Option<Event> {
    let (update, _) = checked.update.as_ref()?;
    let owned = |text: Option<Cow<'_, str>>| text.map(|text| cut(text.into_owned()));
    let event = Event { id: owned(update.id()), alerttype: owned(update.alerttype()) };
    // What names no event belongs to none, whether it was just taken or is read from a record.
    (event != Event::default()).then_some(event)
}

/// What is answered under a fault; `None` if nothing is.
const fn status_under(fault: &Fault, right: StatusCode) -> Option<StatusCode> {
    match fault {
        Fault::Status { status, .. } | Fault::Redirect { status, .. } => Some(*status),
        Fault::None | Fault::Truncate | Fault::Endless | Fault::Slow(_) | Fault::Reset(Moment::Answer) => {
            Some(right)
        }
        Fault::Reset(Moment::Before | Moment::Within | Moment::After)
        | Fault::Raw(_)
        | Fault::Silent(_)
        | Fault::AcceptOnly(_)
        | Fault::Refuse => None,
    }
}

/// Whether the sender will hold its update to have arrived.
fn taken(verdict: &Verdict, struck: Option<&Struck>) -> Taken {
    // Findings on the sequence refuse nothing.
    if verdict.failures().any(|check| check.subject != Subject::Sequence) {
        return Taken::Refused;
    }
    let Some(struck) = struck else { return Taken::Yes };
    match status_under(&struck.fault, StatusCode::OK) {
        // What the bytes say is not known here.
        None if matches!(struck.fault, Fault::Raw(_)) => Taken::Unsure,
        None => Taken::Spoilt,
        Some(status) if !status.is_success() => Taken::Spoilt,
        // An answer that is late or breaks off: one sender takes the status, another waits for the end and gives up.
        Some(_) => match struck.fault {
            Fault::Status { .. } if struck.delay.is_zero() => Taken::Yes,
            _ => Taken::Unsure,
        },
    }
}

//! What the engine does, counted for monitoring and told to the log.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use delivery::engine::{AttemptReport, Observer, SettledReport};
use delivery::retry::Disposition;
use delivery::store::{LaneId, Settled};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::history::{History, Step, Totals};

/// The label of what is counted by result.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ByResult {
    pub(crate) result: &'static str,
}

/// The label of what is counted by integration.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ByIntegration {
    pub(crate) integration: String,
}

/// The labels of attempts and settlements.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ByOutcome {
    integration: String,
    outcome: &'static str,
}

/// Bounds of how long an attempt takes, in seconds.
const ATTEMPT_SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0];

/// Bounds of how long it takes from an accept to its delivery, in seconds: retries may take days.
const DELIVERY_SECONDS: [f64; 13] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 10.0, 60.0, 600.0, 3600.0, 86_400.0];

type ByLane<T> = Family<ByIntegration, T>;

/// Everything that is counted.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) registry: Registry,
    pub(crate) accepted: Family<ByResult, Counter>,
    attempts: Family<ByOutcome, Counter>,
    settled: Family<ByOutcome, Counter>,
    connections: Family<ByResult, Counter>,
    unverified: Counter,
    pub(crate) backlog: ByLane<Gauge>,
    pub(crate) oldest: ByLane<Gauge>,
    pub(crate) in_flight: ByLane<Gauge>,
    pub(crate) blocked: ByLane<Gauge>,
    pub(crate) breaker_open: ByLane<Gauge>,
    pub(crate) paused: ByLane<Gauge>,
    pub(crate) commits: Gauge,
    pub(crate) requests: Gauge,
    pub(crate) faults: Gauge,
    pub(crate) healthy: Gauge,
}

/// The engine's observer, and what it counts. Cloning gives the same.
#[derive(Clone, Debug)]
pub struct Watch {
    pub(crate) metrics: Arc<Metrics>,
    lanes: Arc<RwLock<HashMap<LaneId, Arc<Lane>>>>,
    hour: Arc<(Totals, History)>,
    attempt_seconds: ByLaneSeconds,
    delivery_seconds: ByLaneSeconds,
}

type ByLaneSeconds = Family<ByIntegration, Histogram, fn() -> Histogram>;

/// What is looked up for each attempt of a lane.
#[derive(Debug)]
struct Lane {
    name: String,
    id: String,
    /// Made when there is something to tell: each is a kilobyte, and twenty lines for whoever gathers metrics.
    attempt_seconds: OnceLock<Histogram>,
    delivery_seconds: OnceLock<Histogram>,
}

impl Lane {
    fn observe(&self, of: &ByLaneSeconds, kept: &OnceLock<Histogram>, seconds: Duration) {
        let made = || of.get_or_create_owned(&ByIntegration { integration: self.name.clone() });
        kept.get_or_init(made).observe(seconds.as_secs_f64());
    }
}

fn attempt_seconds() -> Histogram {
    Histogram::new(ATTEMPT_SECONDS)
}

fn delivery_seconds() -> Histogram {
    Histogram::new(DELIVERY_SECONDS)
}

impl Default for Watch {
    fn default() -> Self {
        Self::new()
    }
}

impl Watch {
    /// Nothing counted yet.
    #[must_use]
    pub fn new() -> Self {
        let mut metrics = Metrics::default();
        let attempt_seconds: ByLaneSeconds = Family::new_with_constructor(attempt_seconds);
        let delivery_seconds: ByLaneSeconds = Family::new_with_constructor(delivery_seconds);
        let mut registry = Registry::with_prefix("fusion_webhook");
        registry.register("accepted", "Updates that were handed in, by result", metrics.accepted.clone());
        registry.register("attempts", "Attempts, by integration and outcome", metrics.attempts.clone());
        registry.register(
            "settled",
            "Deliveries that came to their end, by integration and outcome",
            metrics.settled.clone(),
        );
        registry.register(
            "connections",
            "Connections of attempts, opened and reused",
            metrics.connections.clone(),
        );
        registry.register(
            "unverified_attempts",
            "Attempts over TLS whose certificate went unchecked",
            metrics.unverified.clone(),
        );
        registry.register_with_unit(
            "attempt",
            "How long attempts take",
            Unit::Seconds,
            attempt_seconds.clone(),
        );
        registry.register_with_unit(
            "delivery",
            "From the accept to the delivery, all attempts and waits included",
            Unit::Seconds,
            delivery_seconds.clone(),
        );
        Self::register_gauges(&mut registry, &metrics);
        metrics.registry = registry;
        let metrics = Arc::new(metrics);
        Self { metrics, lanes: Arc::default(), hour: Arc::default(), attempt_seconds, delivery_seconds }
    }

    fn register_gauges(registry: &mut Registry, metrics: &Metrics) {
        for (name, help, gauge) in [
            ("backlog", "Deliveries that are not settled", &metrics.backlog),
            ("in_flight", "Attempts under way", &metrics.in_flight),
            ("blocked_events", "Events whose oldest update waits for its next attempt", &metrics.blocked),
            ("breaker_open", "Whether the breaker is open", &metrics.breaker_open),
            ("paused", "Whether the integration is paused or disabled", &metrics.paused),
        ] {
            registry.register(name, help, gauge.clone());
        }
        registry.register_with_unit(
            "oldest_undelivered",
            "How long ago the oldest delivery that is not settled was accepted",
            Unit::Seconds,
            metrics.oldest.clone(),
        );
        for (name, help, gauge) in [
            ("store_commits", "Commits of the store since the start, each with one sync", &metrics.commits),
            ("store_requests", "Requests to the store since the start", &metrics.requests),
            ("store_faults", "Faults of the store since the start", &metrics.faults),
            ("store_healthy", "Whether the store takes accepts", &metrics.healthy),
        ] {
            registry.register(name, help, gauge.clone());
        }
    }

    /// Tells what a lane is called, and the id of its integration, which no other ever has.
    pub fn name(&self, lane: LaneId, integration: &str, id: &str) {
        let lanes = &mut self.lanes.write().unwrap_or_else(PoisonError::into_inner);
        let (name, id) = (integration.to_owned(), id.to_owned());
        let (attempt_seconds, delivery_seconds) = (OnceLock::new(), OnceLock::new());
        lanes.insert(lane, Arc::new(Lane { name, id, attempt_seconds, delivery_seconds }));
    }

    pub(crate) fn name_of(&self, lane: LaneId) -> String {
        self.lane(lane).map_or_else(|| lane.to_string(), |lane| lane.name.clone())
    }

    pub(crate) fn id_of(&self, lane: LaneId) -> String {
        self.lane(lane).map_or_else(|| lane.to_string(), |lane| lane.id.clone())
    }

    /// The lane of the integration with this id, also if it is gone.
    pub(crate) fn lane_of_id(&self, id: &str) -> Option<LaneId> {
        self.latest(|lane| lane.id == id)
    }

    /// The lane of this name, also of an integration that is gone; the latest, if several had the name.
    pub(crate) fn lane_named(&self, name: &str) -> Option<LaneId> {
        self.latest(|lane| lane.name == name)
    }

    fn latest(&self, is: impl Fn(&Lane) -> bool) -> Option<LaneId> {
        let lanes = self.lanes.read().unwrap_or_else(PoisonError::into_inner);
        lanes.iter().filter(|(_, lane)| is(lane)).map(|(id, _)| *id).max()
    }

    fn lane(&self, lane: LaneId) -> Option<Arc<Lane>> {
        self.lanes.read().unwrap_or_else(PoisonError::into_inner).get(&lane).cloned()
    }

    /// Remembers what was counted by now, for the plots.
    pub(crate) fn look(&self, backlog: u64) {
        let (totals, history) = &*self.hour;
        history.look(totals, backlog);
    }

    /// How many deliveries were given up, and how many updates went nowhere, since the start.
    pub(crate) fn lost(&self) -> (u64, u64) {
        let totals = &self.hour.0;
        (totals.dead.load(Ordering::Relaxed), totals.nowhere.load(Ordering::Relaxed))
    }

    /// The last hour.
    pub(crate) fn steps(&self, backlog: u64) -> Vec<Step> {
        let (totals, history) = &*self.hour;
        history.steps(totals, backlog)
    }

    /// Counts what was handed in.
    pub(crate) fn accepted(&self, result: &'static str, count: u64) {
        if ["accepted", "unmatched", "bypassed"].contains(&result) {
            self.hour.0.accepted.fetch_add(count, Ordering::Relaxed);
        }
        if ["unmatched", "bypassed"].contains(&result) {
            self.hour.0.nowhere.fetch_add(count, Ordering::Relaxed);
        }
        self.metrics.accepted.get_or_create(&ByResult { result }).inc_by(count);
    }
}

/// How a settlement is called in counts and lists.
#[must_use]
pub(crate) const fn word(settled: &Settled) -> &'static str {
    match settled {
        Settled::Delivered => "delivered",
        Settled::Superseded => "superseded",
        Settled::Dead(_) => "dead",
    }
}

impl Observer for Watch {
    fn attempted(&mut self, report: &AttemptReport<'_>) {
        let Some(lane) = self.lane(report.lane) else { return };
        let outcome = report.attempt.outcome.word();
        lane.observe(&self.attempt_seconds, &lane.attempt_seconds, report.attempt.timings.total);
        let integration = lane.name.as_str();
        let labels = ByOutcome { integration: integration.to_owned(), outcome };
        self.metrics.attempts.get_or_create(&labels).inc();
        if let Some(connection) = &report.attempt.connection {
            let result = if connection.reused { "reused" } else { "opened" };
            self.metrics.connections.get_or_create(&ByResult { result }).inc();
            self.metrics.unverified.inc_by(u64::from(connection.unverified));
        }
        let (id, number) = (report.message.id.as_str(), report.number);
        let text = report.attempt.outcome.to_string();
        match report.disposition {
            Disposition::Delivered => tracing::debug!(integration, id, number, "delivered"),
            Disposition::Repeat | Disposition::Retry(_) => {
                // What was never sent is repeated at once, and counts for nothing.
                let counts = u64::from(!matches!(report.disposition, Disposition::Repeat));
                self.hour.0.failed.fetch_add(counts, Ordering::Relaxed);
                tracing::info!(
                    integration,
                    id,
                    number,
                    outcome = text,
                    "an attempt failed and is tried again"
                );
            }
            Disposition::Dead(reason) => {
                self.hour.0.failed.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(integration, id, number, outcome = text, %reason, "a delivery is dead");
            }
        }
    }

    fn settled(&mut self, report: &SettledReport<'_>) {
        let (integration, outcome) = (self.name_of(report.lane), word(report.settled));
        let counted = match report.settled {
            Settled::Delivered => Some(&self.hour.0.delivered),
            Settled::Dead(_) => Some(&self.hour.0.dead),
            Settled::Superseded => None,
        };
        if let Some(counted) = counted {
            counted.fetch_add(1, Ordering::Relaxed);
        }
        match (report.settled, report.claimed) {
            (Settled::Dead(reason), None) => tracing::warn!(integration, %reason, "a delivery is dead"),
            (Settled::Delivered, Some((_, waited))) => {
                self.hour.0.took(waited);
                if let Some(lane) = self.lane(report.lane) {
                    lane.observe(&self.delivery_seconds, &lane.delivery_seconds, waited);
                }
            }
            _ => {}
        }
        self.metrics.settled.get_or_create(&ByOutcome { integration, outcome }).inc();
    }

    fn disabled(&mut self, lane: LaneId) {
        let integration = self.name_of(lane);
        tracing::warn!(
            integration,
            "the receiver answered 410 Gone: the integration is disabled until it is resumed"
        );
    }
}

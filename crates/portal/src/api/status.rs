//! How the server is: for people, for whoever sends work here, and for monitoring.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use delivery::breaker::Breaker;
use delivery::clock::Timestamp;
use delivery::engine::LaneView;
use delivery::store::Gate;
use delivery::store::desk::Health;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use schemars::JsonSchema;
use sender::Integration;
use serde::Serialize;

use super::Problem;
use super::operation::{Operation, get};
use crate::portal::Portal;
use crate::watch::ByIntegration;

/// The content type of the metrics.
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The content type of a word.
const TEXT: &str = "text/plain; charset=utf-8";

pub(super) fn operations() -> Vec<Operation> {
    vec![
        get("/v1/status", "status", status)
            .says("Says how the server, its store and its integrations are")
            .gives::<Status>(200, "How they are."),
        get("/metrics", "metrics", metrics)
            .says("Counts for monitoring")
            .gives_as::<String>(200, "The counts, as OpenMetrics.", METRICS)
            .refuses(&[503]),
        get("/healthz", "alive", alive)
            .says("Answers as long as the process does")
            .open()
            .gives_as::<String>(200, "It is alive.", TEXT),
        get("/readyz", "ready", ready)
            .says("Says whether updates are taken in")
            .open()
            .gives_as::<String>(200, "They are.", TEXT)
            .refuses(&[503]),
    ]
}

/// How the server is.
#[derive(Debug, Serialize, JsonSchema)]
struct Status {
    #[schemars(extend("enum" = ["ready", "draining", "full", "failed"]))]
    state: &'static str,
    /// Why it is not ready.
    reason: Option<String>,
    /// Deliveries that wait or are under way.
    backlog: u64,
    store: Store,
    integrations: Vec<Lane>,
}

/// What the store did since it was opened.
#[derive(Debug, Serialize, JsonSchema)]
struct Store {
    commits: u64,
    requests: u64,
    faults: u64,
}

/// How an integration is.
#[derive(Debug, Serialize, JsonSchema)]
struct Lane {
    name: String,
    url: String,
    /// Whether it speaks TLS with a server that nobody verifies.
    unverified: bool,
    #[schemars(extend("enum" = ["open", "paused", "disabled"]))]
    state: &'static str,
    /// `open` while it fails and is only probed.
    #[schemars(extend("enum" = ["closed", "open", "ramping"]))]
    breaker: &'static str,
    /// When it is probed next.
    next_probe: Option<String>,
    backlog: u64,
    in_flight: usize,
    /// How long the oldest delivery has waited.
    oldest_age_seconds: Option<u64>,
}

/// A time as people read it (RFC 3339), in UTC.
pub(crate) fn time(at: Timestamp) -> String {
    let micros = i64::try_from(at.as_micros()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_microsecond(micros).map_or_else(|_| "never".to_owned(), |at| format!("{at:.3}"))
}

async fn status(State(portal): State<Arc<Portal>>) -> Json<Status> {
    let (now, counts) = (portal.clock.now(), portal.sender.engine().desk().counts());
    let (state, why) = health(&portal);
    let lanes = portal.lanes().await;
    let backlog: u64 = lanes.iter().map(|(_, lane)| lane.backlog).sum();
    Json(Status {
        state,
        reason: why,
        backlog,
        store: Store { commits: counts.commits, requests: counts.requests, faults: counts.faults },
        integrations: lanes.iter().map(|(integration, lane)| view(integration, lane, now)).collect(),
    })
}

pub(crate) fn health(portal: &Portal) -> (&'static str, Option<String>) {
    match portal.health() {
        _ if portal.is_draining() => ("draining", None),
        Health::Well => ("ready", None),
        Health::Full(why) => ("full", Some(why)),
        Health::Poisoned(why) => ("failed", Some(why)),
    }
}

fn view(integration: &Integration, lane: &LaneView, now: Timestamp) -> Lane {
    let parts = integration.target.parts();
    let state = match lane.state.gate {
        Gate::Open => "open",
        Gate::Paused => "paused",
        Gate::Disabled => "disabled",
    };
    let (breaker, probe) = match lane.breaker {
        Breaker::Closed { .. } => ("closed", None),
        Breaker::Open { until, .. } => ("open", Some(time(until))),
        Breaker::Ramping { .. } => ("ramping", None),
    };
    Lane {
        name: integration.name.clone(),
        url: parts.address.to_string(),
        unverified: parts.tls.is_unverified() && parts.address.is_secure(),
        state,
        breaker,
        next_probe: probe,
        backlog: lane.backlog,
        in_flight: lane.in_flight,
        oldest_age_seconds: age(lane, now),
    }
}

fn age(lane: &LaneView, now: Timestamp) -> Option<u64> {
    lane.oldest.filter(|_| lane.backlog > 0).map(|oldest| now.since(oldest).as_secs())
}

async fn alive() -> &'static str {
    "alive\n"
}

async fn ready(State(portal): State<Arc<Portal>>) -> Result<&'static str, Problem> {
    match health(&portal) {
        ("ready", _) => Ok("ready\n"),
        (state, why) => {
            let why = why.map_or_else(|| state.to_owned(), |why| format!("{state}: {why}"));
            Err(Problem::later(StatusCode::SERVICE_UNAVAILABLE, why, 5))
        }
    }
}

async fn metrics(State(portal): State<Arc<Portal>>) -> Result<Response, Problem> {
    let metrics = &portal.watch.metrics;
    let gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let (now, counts) = (portal.clock.now(), portal.sender.engine().desk().counts());
    metrics.commits.set(gauge(counts.commits));
    metrics.requests.set(gauge(counts.requests));
    metrics.faults.set(gauge(counts.faults));
    metrics.healthy.set(i64::from(portal.health() == Health::Well));
    let blocked = portal.read(move |archive| archive.blocked(now)).await?;
    for (integration, lane) in portal.lanes().await {
        let label = ByIntegration { integration: integration.name.clone() };
        let blocked = blocked.get(&lane.id).copied().unwrap_or(0);
        metrics.backlog.get_or_create(&label).set(gauge(lane.backlog));
        metrics.in_flight.get_or_create(&label).set(gauge(lane.in_flight as u64));
        metrics.blocked.get_or_create(&label).set(gauge(blocked));
        metrics.oldest.get_or_create(&label).set(gauge(age(&lane, now).unwrap_or(0)));
        metrics.breaker_open.get_or_create(&label).set(i64::from(lane.breaker.is_open()));
        metrics.paused.get_or_create(&label).set(i64::from(lane.state.gate != Gate::Open));
    }
    let mut text = String::new();
    // Writing into a String does not fail.
    let _ = prometheus_client::encoding::text::encode(&mut text, &metrics.registry);
    Ok(([(CONTENT_TYPE, METRICS)], text).into_response())
}

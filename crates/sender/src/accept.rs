//! The sender as a library: takes updates in, and hands each to the lanes of its integrations.

use std::collections::BTreeMap;

use delivery::clock::Clock;
use delivery::engine::{AcceptError, DEFAULT_IN_FLIGHT, Engine, Observer};
use delivery::http::Client;
use delivery::message::{Message, MessageId};
use delivery::schedule::LaneId;
use delivery::target::Target;
use payload::Update;

use crate::integration::Integration;
use crate::message::message;
use crate::policy::{Policy, Route, route};

/// A running sender. Dropping it stops it.
#[derive(Debug)]
pub struct Sender {
    engine: Engine<Target>,
    lanes: BTreeMap<String, LaneId>,
    policies: Vec<Policy>,
}

/// What became of an update that was taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is on its way, under this id, to so many integrations.
    Enqueued(MessageId, usize),
    /// No policy matches.
    Unmatched,
    /// Its detection model bypasses policies.
    Bypassed,
}

impl Sender {
    /// Starts a sender with these integrations and policies. `observer` is told what happens to deliveries; their lanes
    /// are numbered in the order of `integrations`, from 0. `seed` makes the draws of retry delays repeatable.
    pub async fn start(
        integrations: &[Integration],
        policies: Vec<Policy>,
        seed: u64,
        observer: impl Observer,
    ) -> Self {
        let clock = Clock::start();
        let engine = Engine::start(Client::new(clock), clock, seed, DEFAULT_IN_FLIGHT, observer);
        let mut lanes = BTreeMap::new();
        for (number, integration) in (0..).zip(integrations) {
            let lane = LaneId(number);
            engine.set_lane(lane, integration.target.clone(), integration.lane.clone()).await;
            lanes.insert(integration.name.clone(), lane);
        }
        Self { engine, lanes, policies }
    }

    /// Takes updates in and routes each by the policies; all are accepted or none. Held in memory only.
    /// If the future is dropped before it ends, they may be accepted or not.
    ///
    /// # Errors
    /// If the queue is full, or the sender was shut down.
    pub async fn accept(&self, updates: &[Update]) -> Result<Vec<Accepted>, AcceptError> {
        let mut messages = Vec::new();
        let mut accepted = Vec::new();
        for update in updates {
            let to = match route(update, &self.policies) {
                Route::To(names) => names,
                Route::Unmatched => {
                    accepted.push(Accepted::Unmatched);
                    continue;
                }
                Route::Bypassed => {
                    accepted.push(Accepted::Bypassed);
                    continue;
                }
            };
            let lanes: Vec<_> = to.iter().filter_map(|name| self.lanes.get(*name).copied()).collect();
            let message = message(update);
            accepted.push(Accepted::Enqueued(message.id.clone(), lanes.len()));
            messages.push((message, lanes));
        }
        self.engine.accept(messages).await?;
        Ok(accepted)
    }

    /// Takes messages in for one integration, whatever the policies say; all are accepted or none.
    ///
    /// # Errors
    /// If the queue is full, or the sender was shut down.
    pub async fn accept_for(&self, integration: &str, messages: Vec<Message>) -> Result<(), AcceptError> {
        let lanes: Vec<_> = self.lanes.get(integration).copied().into_iter().collect();
        self.engine.accept(messages.into_iter().map(|message| (message, lanes.clone())).collect()).await
    }

    /// The engine, to pause, resume and remove lanes.
    #[must_use]
    pub const fn engine(&self) -> &Engine<Target> {
        &self.engine
    }

    /// Waits until all that was accepted is settled. Cancel safe.
    pub async fn drained(&self) {
        self.engine.drained().await;
    }
}

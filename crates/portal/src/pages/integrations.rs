//! *Settings > Response Integrations*: how each integration is at a glance, and what can be done with it.

use std::collections::HashMap;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use delivery::breaker::Breaker;
use delivery::clock::Timestamp;
use delivery::engine::LaneView;
use delivery::store::Gate;
use http::{StatusCode, Uri};
use maud::{Markup, html};
use sender::Policy;
use sender::book::{Origin, Refused};

use super::layout::{address, button, count, named, page, query, segment, span};
use super::{Failed, Fields, Posted, Shared};
use crate::access::Caller;
use crate::portal::Portal;

/// How an integration is: a word that is also its colour, and the rest in a sentence.
pub(super) struct Health {
    pub(super) word: &'static str,
    pub(super) told: Markup,
}

impl Health {
    pub(super) fn of(lane: &LaneView, now: Timestamp) -> Self {
        let waits =
            count(usize::try_from(lane.backlog).unwrap_or(usize::MAX), "delivery waits", "deliveries wait");
        let (word, told) = match (lane.state.gate, &lane.breaker) {
            (Gate::Paused, _) => ("paused", html! { "by a person" }),
            (Gate::Disabled, _) => ("disabled", html! { "the receiver answered 410 Gone" }),
            (Gate::Open, Breaker::Open { until, .. }) => {
                let soon = until.since(now).as_secs();
                (
                    "retrying",
                    html! { "the receiver fails; next try " @if soon == 0 { "now" } @else { "in " (span(soon)) } },
                )
            }
            (Gate::Open, Breaker::Closed { failures }) if *failures > 0 => {
                ("retrying", html! { (count(*failures as usize, "failure", "failures in a row")) })
            }
            (Gate::Open, _) if lane.backlog > 0 => ("delivering", html! { (lane.in_flight) " under way" }),
            (Gate::Open, _) => ("delivering", html! { "nothing waits" }),
        };
        let oldest = lane.oldest.filter(|_| lane.backlog > 0).map(|oldest| now.since(oldest).as_secs());
        let told = html! {
            (told)
            @if lane.backlog > 0 { "; " (waits) }
            @if let Some(oldest) = oldest { ", the oldest for " (span(oldest)) }
        };
        Self { word, told }
    }

    pub(super) fn shown(&self) -> Markup {
        html! { span class={ "pill " (self.word) } { (self.word) } " " span.faint { (self.told) } }
    }
}

/// The integrations that are at work, with how they are, by id.
pub(super) async fn at_work(portal: &Portal) -> HashMap<String, LaneView> {
    portal.lanes().await.into_iter().map(|(integration, lane)| (integration.id.clone(), lane)).collect()
}

pub(super) async fn list(State(portal): Shared, Extension(caller): Extension<Caller>, uri: Uri) -> Markup {
    let (view, lanes, now) = (portal.book.view(), at_work(&portal).await, portal.clock.now());
    let policies = |id: &str| {
        let using =
            view.policies.iter().filter(|(policy, _)| policy.integrations.iter().any(|used| used == id));
        let called = |policy: &Policy| if policy.name.is_empty() { &policy.id } else { &policy.name }.clone();
        using.map(|(policy, _)| called(policy)).collect::<Vec<_>>().join(", ")
    };
    let body = html! {
        div.head { h1 { "Response Integrations" } a.button.primary href="/settings/add-integration" { "Add Integration" } }
        @if view.integrations.is_empty() && view.wrong.is_empty() {
            p.empty { "There is no integration yet. " a href="/settings/add-integration" { "Add Integration" } ", choose Webhook, and give its URL." }
        } @else {
            div.scroll #integrations data-live {
                table.rows {
                    thead { tr { th scope="col" { "Name" } th scope="col" { "Health" } th scope="col" { "URL" } th scope="col" { "Policies" } th scope="col" { "" } } }
                    tbody {
                        @for (id, (form, mistakes)) in &view.wrong {
                            tr {
                                th scope="row" { a href={ "/settings/integrations/" (segment(id)) } { (form.name) } }
                                td { span.pill.disabled { "not right" } " " span.faint { (mistakes.join("; ")) } }
                                td.url { (form.url) }
                                td { (policies(id)) }
                                td { (remove(&caller, id, &form.name)) }
                            }
                        }
                        @for (id, listed) in &view.integrations {
                            @let lane = lanes.get(id);
                            @let parts = listed.integration.target.parts();
                            tr {
                                (named(&format!("/settings/integrations/{}", segment(id)), &listed.form.name, listed.origin, &listed.form.description))
                                td.health {
                                    @match lane { Some(lane) => (Health::of(lane, now).shown()), None => span.pill { "starting" } }
                                    @if parts.tls.is_unverified() && parts.address.is_secure() { p.odd { "certificate not verified" } }
                                }
                                td.url { (parts.address.to_string()) }
                                td {
                                    @let policies = policies(id);
                                    @if policies.is_empty() { span.odd { "none: nothing is sent to it" } } @else { (policies) }
                                }
                                td.acts { (acts(&caller, id, &listed.form.name, lane, listed.origin)) }
                            }
                        }
                    }
                }
            }
        }
    };
    page(&portal, &caller, ("/settings/integrations", "Response Integrations"), &query(&uri), &body)
}

fn acts(caller: &Caller, id: &str, name: &str, lane: Option<&LaneView>, origin: Origin) -> Markup {
    let act = format!("/settings/integrations/{}/act", segment(id));
    html! {
        @match lane.map(|lane| lane.state.gate) {
            Some(Gate::Open) => (button(caller, (&act, &[]), ("pause", "Pause"), None)),
            Some(Gate::Paused | Gate::Disabled) => (button(caller, (&act, &[]), ("resume", "Resume"), None)),
            None => "",
        }
        a.button href=(address("/deliveries", &[("integration", id)])) { "Deliveries" }
        @if origin == Origin::Store { (remove(caller, id, name)) }
    }
}

fn remove(caller: &Caller, id: &str, name: &str) -> Markup {
    let ask = format!("Remove {name}? What waits for it is given up.");
    button(
        caller,
        (&format!("/settings/integrations/{}/act", segment(id)), &[]),
        ("remove", "Remove"),
        Some(&ask),
    )
}

pub(super) async fn choose(State(portal): Shared, Extension(caller): Extension<Caller>) -> Markup {
    let body = html! {
        p.crumbs { a href="/settings/integrations" { "Response Integrations" } " › Add Integration" }
        h1 { "Add Integration" }
        ul.choices {
            li {
                a href="/settings/add-integration/webhook" { "Webhook" }
                p { "POSTs the JSON of each update of an event to a URL of yours." }
            }
        }
    };
    page(&portal, &caller, ("/settings/integrations", "Add Integration"), &Fields::default(), &body)
}

pub(super) async fn act(
    State(portal): Shared,
    Path(id): Path<String>,
    Posted { caller, fields, .. }: Posted,
) -> Result<Response, Failed> {
    let done = match fields.text("act") {
        "pause" => {
            portal.pause(&id, &caller.who).await?;
            "paused"
        }
        "resume" => {
            portal.resume(&id, &caller.who).await?;
            "resumed"
        }
        "remove" => {
            portal.book.remove(&id, &caller.who).await?;
            portal.name_lanes().await.map_err(Refused::from)?;
            "removed"
        }
        _ => return Err(Failed::new(StatusCode::BAD_REQUEST, "there is no such act")),
    };
    Ok(Redirect::to(&format!("/settings/integrations?done={done}")).into_response())
}

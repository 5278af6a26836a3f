//! The overview: whether all goes well, what needs somebody, and the last hour.

use axum::Extension;
use axum::extract::State;
use http::Uri;
use maud::{Markup, html};

use super::Shared;
use super::integrations::Health;
use super::layout::{address, count, page, query, segment, span};
use super::plot::{Line, every, number, plot, time};
use crate::access::Caller;
use crate::api::status::health;
use crate::history::Step;
use crate::portal::Portal;

pub(super) async fn show(State(portal): Shared, Extension(caller): Extension<Caller>, uri: Uri) -> Markup {
    let (lanes, now) = (portal.lanes().await, portal.clock.now());
    let backlog: u64 = lanes.iter().map(|(_, lane)| lane.backlog).sum();
    let oldest = lanes.iter().filter(|(_, lane)| lane.backlog > 0).filter_map(|(_, lane)| lane.oldest).min();
    let mut trouble: Vec<_> = lanes
        .iter()
        .map(|(integration, lane)| (&**integration, Health::of(lane, now)))
        .filter(|(_, health)| health.word != "delivering")
        .collect();
    trouble.sort_by(|one, other| one.0.name.cmp(&other.0.name));
    let view = portal.book.view();
    let (state, why) = health(&portal);
    let (steps, (dead, nowhere)) = (portal.watch.steps(backlog), portal.watch.lost());
    let body = html! {
        h1 { "Overview" }
        div #now data-live {
            ul.cards {
                li { span.label { "Server" } strong.{ "state " (state) } { (state) } @if let Some(why) = &why { span.faint { (why) } } }
                li { span.label { "Waiting" } strong { (number(backlog as f64)) } @if let Some(oldest) = oldest { span.faint { "the oldest for " (span(now.since(oldest).as_secs())) } } }
                li { span.label { "Integrations" } strong { (view.integrations.len()) } @if view.integrations.is_empty() { a href="/settings/add-integration" { "Add Integration" } } }
                @for (label, many, path) in [("Given up since the start", dead, "/dead"), ("Went nowhere since the start", nowhere, "/nowhere")] {
                    @if many > 0 { li { span.label { (label) } strong.failed { (number(many as f64)) } a href=(path) { "Look" } } }
                }
                li { span.label { "Policies" } strong { (view.policies.len()) } @if view.policies.is_empty() { a href="/settings/add-policy" { "Add Policy" } } }
            }
            (wants_somebody(&portal, &trouble))
        }
        h2 { "The last hour" }
        p.hint { "Looked at every " (every()) " seconds since the server started." }
        div.plots #plots data-live { (plots(&steps)) }
    };
    page(&portal, &caller, ("/", "Overview"), &query(&uri), &body)
}

fn wants_somebody(portal: &Portal, trouble: &[(&sender::Integration, Health)]) -> Markup {
    let view = portal.book.view();
    html! {
        @for (id, (form, mistakes)) in &view.wrong {
            p.banner { a href={ "/settings/integrations/" (segment(id)) } { (form.name) } " is not right any more, and nothing is sent to it: " (mistakes.join("; ")) }
        }
        @if !trouble.is_empty() {
            h2 { (count(trouble.len(), "integration needs", "integrations need")) " a look" }
            div.scroll { table { tbody {
                @for (integration, health) in trouble {
                    tr {
                        th scope="row" { a href={ "/settings/integrations/" (segment(&integration.id)) } { (integration.name) } }
                        td { (health.shown()) }
                        td.acts { a.button href=(address("/deliveries", &[("integration", &integration.id), ("state", "pending")])) { "What waits" } }
                    }
                }
            } } }
        }
    }
}

fn plots(steps: &[Step]) -> Markup {
    let of = |name, class, value: fn(&Step) -> f64| Line::new(name, class, steps.iter().map(value));
    let maybe = |name, class, value: fn(&Step) -> Option<f64>| Line {
        name,
        class,
        values: steps.iter().map(value).collect(),
    };
    html! {
        (plot("Updates a second", number, &[of("accepted", "one", |step| step.accepted), of("delivered", "two", |step| step.delivered)]))
        (plot("Failures a second", number, &[of("attempts that failed", "odd", |step| step.failed), of("given up", "bad", |step| step.dead)]))
        (plot("From accept to delivery", time, &[maybe("median", "one", |step| step.median), maybe("slowest 1 %", "odd", |step| step.slow)]))
        (plot("Waiting", number, &[of("deliveries", "one", |step| step.backlog)]))
    }
}

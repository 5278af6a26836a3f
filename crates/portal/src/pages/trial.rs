//! What an integration would send, and what became of a test: for a person, with every secret hidden.

use std::time::Duration;

use delivery::outcome::{Attempt, Connection, Response};
use delivery::target::headers::is_secret;
use maud::{Markup, html};
use payload::{FieldNames, Update};
use sender::form::MASK;
use sender::{Integration, Preview};

use super::json::{beside, shown};
use crate::api::tried::Tried;
use crate::portal::Portal;

/// How many oddities of an update are shown.
const MAX_FINDINGS: usize = 20;

/// The request that would be sent for an update.
pub(super) fn preview(
    portal: &Portal,
    integration: &Integration,
    (update, id): (&Update, Option<&str>),
    what: &str,
) -> Markup {
    let preview = match Preview::of(integration, update, id, portal.clock.wall()) {
        Ok(preview) => preview,
        Err(collision) => return html! { p.bad { (collision) } },
    };
    let body = String::from_utf8_lossy(&preview.body);
    let standard = String::from_utf8_lossy(update.as_bytes());
    let named = FieldNames::standard().render(update).is_ok_and(|standard| standard != preview.body);
    let odd = payload::check(update, &integration.field_names);
    html! {
        p.hint { "To " code { (preview.url) } ", " (what) @if !named { "; the body is sent without the line breaks" } "." }
        pre.request tabindex="0" {
            span.name { (preview.method) " " (preview.target) " HTTP/1.1" } "\n"
            @for (name, value) in &preview.headers { span.name { (name) } ": " (value) "\n" }
        }
        @if named { (beside(("As documented", &standard), ("As sent", &body))) }
        @else { (shown(&body)) }
        @for finding in odd.iter().take(MAX_FINDINGS) { p.odd { (finding) } }
        @if odd.len() > MAX_FINDINGS { p.odd { "and " (odd.len() - MAX_FINDINGS) " more" } }
    }
}

/// What became of a test.
pub(super) fn tried(tried: &Tried) -> Markup {
    let Attempt { outcome, timings, connection, response } = &tried.attempt;
    let good = tried.delivered();
    html! {
        p class={ "outcome " (if good { "good" } else { "bad" }) } role="status" {
            @if good { "✓ The test arrived: " } @else { "✗ The test did not arrive: " }
            (outcome)
        }
        @if let Some(advice) = tried.attempt.advice() { p.advice { (sentence(advice)) } }
        table.facts {
            @if let Some(connection) = connection { (went_over(connection)) }
            tr { th scope="row" { "Took" } td {
                (milliseconds(timings.total)) " in all"
                @for (what, at) in [("connected", timings.connect), ("TLS", timings.tls), ("first byte", timings.first_byte)] {
                    @if let Some(at) = at { ", " (what) " after " (milliseconds(at)) }
                }
            } }
        }
        @if let Some(response) = response { (answered(response)) }
    }
}

/// An advice as a sentence of its own.
fn sentence(advice: &str) -> String {
    let mut characters = advice.chars();
    characters
        .next()
        .map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), characters.as_str()))
}

pub(super) fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

fn went_over(connection: &Connection) -> Markup {
    html! {
        tr { th scope="row" { "Address" } td { code { (connection.peer.to_string()) } } }
        tr { th scope="row" { "Protocol" } td {
            (format!("{:?}", connection.version))
            @match &connection.tls {
                Some(tls) => {
                    " over " (tls) ", "
                    @if connection.unverified { span.odd { "certificate not verified" } } @else { "certificate verified" }
                }
                None => ", without TLS",
            }
        } }
    }
}

fn answered(response: &Response) -> Markup {
    let body = String::from_utf8_lossy(&response.body);
    html! {
        h3 { "The receiver answered " (response.status) }
        pre.request tabindex="0" {
            @for (name, value) in &response.headers {
                span.name { (name) } ": "
                @if is_secret(name) { (MASK) } @else { (String::from_utf8_lossy(value.as_bytes())) }
                "\n"
            }
        }
        @if body.is_empty() { p.faint { "No body." } }
        @else {
            pre.body tabindex="0" { (body) }
            @if response.truncated { p.faint { "It goes on; no more was read." } }
        }
    }
}

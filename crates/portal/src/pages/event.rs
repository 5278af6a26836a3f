//! One delivery, and one event's life: every update with every attempt.

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use delivery::store::sqlite::archive::{Archive, Delivery, Detail, ReadError, State as Is, Wanted};
use delivery::store::{AttemptRecord, DeliveryId, Parts};
use http::{StatusCode, Uri};
use maud::{Markup, html};
use payload::Update;

use super::deliveries::{event, place, since, state};
use super::layout::{button, count, moment, page, query};
use super::{Answer, Failed, Posted, Shared, json, trial};
use crate::access::Caller;
use crate::api::deliveries::{alerttype, detail, is_again, look, send_again, sent_again};
use crate::portal::Portal;

/// How many deliveries of a life are shown, the latest.
const MAX_LIFE: usize = 200;

pub(super) async fn delivery(
    State(portal): Shared,
    Extension(caller): Extension<Caller>,
    Path((integration, number)): Path<(String, u64)>,
    uri: Uri,
) -> Answer {
    let found = detail(&portal, &integration, number).await?;
    let name = portal.watch.name_of(found.delivery.lane);
    let title = format!("{name}/{number}");
    let again = sent_again(&portal, &found.delivery).await?;
    let settled = found.delivery.status.state() != Some(Is::Pending);
    let body = html! {
        p.crumbs { a href="/deliveries" { "Deliveries" } " › " (title) }
        div.head {
            h1 { (title) }
            @if settled { (button(&caller, (&place(&portal, &found.delivery), &[]), ("resend", "Resend"), None)) }
        }
        div #delivery data-live {
            (facts(&found, &name, &since(&portal, &found.delivery, again)))
            h2 { (count(found.attempts.len(), "Attempt", "Attempts")) }
            (attempts(&found.attempts))
        }
        (request(&portal, &found))
    };
    Ok(page(&portal, &caller, ("/deliveries", &title), &query(&uri), &body))
}

fn facts(found: &Detail, integration: &str, since: &Markup) -> Markup {
    let delivery = &found.delivery;
    html! {
        table.facts {
            tr { th scope="row" { "Event" } td { (event(&delivery.key)) } }
            @if let Some(kind) = alerttype(&found.body) { tr { th scope="row" { "Alert type" } td { (kind) } } }
            tr { th scope="row" { "Integration" } td { (integration) } }
            tr { th scope="row" { "State" } td { (state(&delivery.status)) (since) } }
            tr { th scope="row" { "Accepted" } td { (moment(delivery.accepted)) " UTC" } }
            tr { th scope="row" { "webhook-id" } td { code { (delivery.message) } } }
        }
    }
}

/// How many attempts are shown, the latest; what was tried for days has hundreds.
const MAX_ATTEMPTS: usize = 50;

fn attempts(all: &[AttemptRecord]) -> Markup {
    let attempts = &all[all.len().saturating_sub(MAX_ATTEMPTS)..];
    html! {
        @if attempts.len() < all.len() { p.faint { "The latest " (MAX_ATTEMPTS) " of " (all.len()) ":" } }
        @if attempts.is_empty() { p.faint { "None yet, or none that is still kept." } }
        @else {
            div.scroll { table.attempts.rows {
                thead { tr { @for head in ["#", "Ended (UTC)", "Took", "Over", "Outcome", "The receiver answered"] { th scope="col" { (head) } } } }
                tbody { @for attempt in attempts {
                    tr {
                        td.number { (attempt.number) }
                        td { (moment(attempt.at)) }
                        td.number { (trial::milliseconds(attempt.took)) }
                        td.faint { (parts(attempt)) }
                        td class=(if attempt.word == "delivered" { "good" } else { "bad" }) { (attempt.outcome) }
                        td { @if attempt.status.is_none() { span.faint { "nothing" } } @else if attempt.response.is_empty() { span.faint { "no body" } } @else { pre.answer { (attempt.response) } } }
                    }
                } }
            } }
        }
    }
}

/// Where an attempt went, and when its parts were done.
fn parts(attempt: &AttemptRecord) -> Markup {
    let Parts { peer, connect, tls, first_byte } = &attempt.parts;
    let done = [("connected", connect), ("TLS", tls), ("first byte", first_byte)];
    html! {
        @if let Some(peer) = peer {
            code { (peer) }
            @if connect.is_none() { ", kept-alive" }
            @for (what, time) in done {
                @if let Some(time) = time { ", " (what) " after " (trial::milliseconds(*time)) }
            }
        } @else { "–" }
    }
}

/// The request, as it would be sent with what is configured now: an attempt renders what was accepted when it starts.
fn request(portal: &Portal, found: &Detail) -> Markup {
    let body = String::from_utf8_lossy(&found.body);
    let integration = portal.sender.integrations().into_iter().find(|(lane, _)| *lane == found.delivery.lane);
    let update = Update::parse(found.body.clone()).ok();
    html! {
        @match integration.zip(update) {
            Some(((_, integration), update)) => {
                h2 { "Request" }
                (trial::preview(portal, &integration, (&update, Some(&found.delivery.message)), "as the integration is now"))
            }
            None => {
                h2 { "Update" }
                p.hint { "As it was accepted; its integration is gone, or not right any more." }
                (json::shown(&body))
            }
        }
    }
}

pub(super) async fn resend(
    State(portal): Shared,
    Path((integration, number)): Path<(String, u64)>,
    Posted { caller, .. }: Posted,
) -> Result<Response, Failed> {
    send_again(&portal, &integration, number).await?;
    tracing::info!(who = caller.who, integration, number, "a delivery is sent again");
    Ok(Redirect::to("/deliveries?done=resent").into_response())
}

pub(super) async fn life(State(portal): Shared, Extension(caller): Extension<Caller>, uri: Uri) -> Answer {
    let query = query(&uri);
    let id = query.text("id").to_owned();
    if id.is_empty() {
        return Err(Failed::new(StatusCode::BAD_REQUEST, "which event? Its id is missing"));
    }
    let wanted =
        Wanted { key: Some(id.clone()), limit: MAX_LIFE, labels: Some(alerttype), ..Wanted::default() };
    let mut found = portal.read(move |archive| whole(archive, &wanted)).await?;
    // In the order in which it was lived.
    found.reverse();
    let body = html! {
        p.crumbs { a href="/deliveries" { "Deliveries" } " › event" }
        h1 { "Event " code { (id) } }
        @if found.is_empty() { p.empty { "Nothing is known of it, or nothing any more." } }
        ol.life #life data-live {
            @for (delivery, attempts, again) in &found { (one(&portal, delivery, attempts, *again)) }
        }
    };
    Ok(page(&portal, &caller, ("/deliveries", "Event"), &query, &body))
}

/// A delivery, its attempts, and what it was sent again as.
type Lived = (Delivery, Vec<AttemptRecord>, Option<DeliveryId>);

fn whole(archive: &Archive, wanted: &Wanted) -> Result<Vec<Lived>, ReadError> {
    let looked = look(archive, wanted)?;
    let with_attempts = |delivery: &Delivery| {
        let attempts = archive.attempts(delivery)?;
        Ok((delivery.clone(), attempts, looked.again(delivery)))
    };
    looked.page.deliveries.iter().take(MAX_LIFE).map(with_attempts).collect()
}

fn one(portal: &Portal, delivery: &Delivery, made: &[AttemptRecord], again: Option<DeliveryId>) -> Markup {
    html! {
        li {
            p {
                strong { (delivery.label.unwrap_or("update")) }
                " accepted " (moment(delivery.accepted)) " for "
                a href=(place(portal, delivery)) { (portal.watch.name_of(delivery.lane)) "/" (delivery.id.0) }
                @if is_again(&delivery.key) { " " span.chip { "resend" } }
                " " (state(&delivery.status)) (since(portal, delivery, again))
            }
            (attempts(made))
        }
    }
}

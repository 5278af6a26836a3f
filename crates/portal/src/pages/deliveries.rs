//! *Deliveries* and *Dead letters*: what became of updates, by filter, newest first.

use axum::Extension;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use delivery::store::sqlite::archive::{Delivery, State as Is, Status};
use delivery::store::{DeliveryId, LaneId, Settled};
use http::{StatusCode, Uri};
use maud::{Markup, html};

use super::layout::{address, confirmation, moment, page, query, segment};
use super::{Answer, Failed, Fields, Posted, Shared};
use crate::access::Caller;
use crate::api::Problem;
use crate::api::deliveries::{Filter, Looked, event_of, is_again, known_by, look, send_dead_again};
use crate::portal::Portal;

/// What a list can be narrowed by.
const FILTERS: [&str; 7] = ["integration", "event", "alerttype", "state", "since", "until", "before"];

/// How many are shown at once.
const LIMIT: &str = "50";

pub(super) async fn list(State(portal): Shared, Extension(caller): Extension<Caller>, uri: Uri) -> Answer {
    show(&portal, &caller, &query(&uri), Place::Deliveries).await
}

pub(super) async fn dead(State(portal): Shared, Extension(caller): Extension<Caller>, uri: Uri) -> Answer {
    let mut query = query(&uri);
    query.0.retain(|(name, _)| name != "state");
    query.put("state", "dead");
    show(&portal, &caller, &query, Place::Dead).await
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Deliveries,
    Dead,
}

/// The filter that the fields of a page amount to. A browser gives a time without its seconds and zone; it is UTC.
fn filter(fields: &Fields) -> Result<Filter, Failed> {
    let whole = |name: &str| {
        let value = fields.text(name).trim();
        let is_time = ["since", "until"].contains(&name) && value.len() == 16;
        if is_time { format!("{value}:00Z") } else { value.to_owned() }
    };
    let values = FILTERS.map(|name| (name, whole(name)));
    let mut pairs: Vec<_> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    pairs.push(("limit", LIMIT));
    // The same filter as the API's, read the same way.
    let too_long = |_| Failed::new(StatusCode::URI_TOO_LONG, "this filter is too long");
    let uri: Uri = address("/", &pairs).parse().map_err(too_long)?;
    let read = Query::<Filter>::try_from_uri(&uri).map_err(Problem::from);
    Ok(read?.0)
}

async fn show(portal: &Portal, caller: &Caller, fields: &Fields, place: Place) -> Answer {
    let read = match filter(fields).and_then(|filter| Ok(filter.wanted(portal)?)) {
        Ok(wanted) => {
            let looked = portal.read(move |archive| look(archive, &wanted)).await?;
            Ok(if place == Place::Dead { looked.still_dead() } else { looked })
        }
        Err(failed) => Err(failed.why),
    };
    let (path, title) = match place {
        Place::Deliveries => ("/deliveries", "Deliveries"),
        Place::Dead => ("/dead", "Dead letters"),
    };
    let body = html! {
        h1 { (title) }
        @if place == Place::Dead { p.hint { "What was given up, with its reason. It is kept for as long as the history, and can be sent again." } }
        @if place == Place::Deliveries { p.hint { a href="/nowhere" { "Updates that went nowhere" } } }
        (filters(portal, fields, path, place))
        @match &read {
            Err(why) => p.bad role="alert" { (why) },
            Ok(found) => {
                @if place == Place::Dead && !found.page.deliveries.is_empty() { (all_again(caller, fields)) }
                (table(portal, fields, found, path))
            }
        }
    };
    Ok(page(portal, caller, (path, title), fields, &body))
}

fn filters(portal: &Portal, fields: &Fields, path: &str, place: Place) -> Markup {
    let view = portal.book.view();
    let known = view.integrations.iter().map(|(id, listed)| (id, &listed.form.name));
    let gone = view.gone.iter();
    let known: Vec<_> =
        known.chain(view.wrong.iter().map(|(id, (form, _))| (id, &form.name))).chain(gone).collect();
    let choice = |name: &str, title: &str, values: &[&str]| {
        html! {
            label { (title) " "
                select name=(name) {
                    option value="" { "any" }
                    @for value in values { option value=(value) selected[fields.text(name) == *value] { (value) } }
                }
            }
        }
    };
    html! {
        form.filters method="get" action=(path) data-filters {
            label { "Integration "
                select name="integration" {
                    option value="" { "any" }
                    @for (id, name) in &known {
                        option value=(id) selected[fields.text("integration") == id.as_str() || fields.text("integration") == name.as_str()] {
                            (name) @if view.gone.contains_key(*id) { " (removed)" }
                        }
                    }
                }
            }
            label { "Event " input name="event" value=(fields.text("event")) placeholder="its id" autocomplete="off" spellcheck="false"; }
            (choice("alerttype", "Alert type", &["start", "ongoing", "end"]))
            @if place == Place::Deliveries { (choice("state", "State", &["pending", "delivered", "superseded", "dead"])) }
            label { "Since (UTC) " input type="datetime-local" name="since" value=(fields.text("since")); }
            label { "Until (UTC) " input type="datetime-local" name="until" value=(fields.text("until")); }
            button type="submit" { "Show" }
            a href=(path) { "All" }
        }
    }
}

/// Sends again all that the filter lets through.
fn all_again(caller: &Caller, fields: &Fields) -> Markup {
    let narrowed = FILTERS.iter().any(|name| !["state", "before"].contains(name) && fields.is(name));
    html! {
        form.inline method="post" action="/dead" data-ask="Send all of them again?" {
            (confirmation(caller))
            @for name in FILTERS { @if name != "before" && fields.is(name) { input type="hidden" name=(name) value=(fields.text(name)); } }
            button type="submit" { @if narrowed { "Resend all of these" } @else { "Resend all dead letters" } }
        }
    }
}

pub(super) async fn resend_dead(
    State(portal): Shared,
    Posted { caller, fields, .. }: Posted,
) -> Result<Response, Failed> {
    let resent = send_dead_again(&portal, filter(&fields)?).await?;
    tracing::info!(who = caller.who, resent, "dead letters are sent again");
    Ok(Redirect::to(&format!("/dead?done=resent&number={resent}")).into_response())
}

fn table(portal: &Portal, fields: &Fields, looked: &Looked, path: &str) -> Markup {
    let found = &looked.page;
    let next = found.next.map(|next| {
        let before = next.0.to_string();
        let mut pairs: Vec<_> =
            FILTERS.iter().filter(|name| **name != "before").map(|name| (*name, fields.text(name))).collect();
        pairs.push(("before", &before));
        address(path, &pairs)
    });
    html! {
        div.scroll #deliveries data-live {
            @if found.deliveries.is_empty() {
                p.empty { @if next.is_some() { "None among the latest; there may be earlier ones." } @else { "There are none." } }
            } @else {
                table.rows {
                    thead { tr {
                        @for head in ["Accepted (UTC)", "Event", "Alert type", "Integration", "State", "Attempts", "Last outcome"] { th scope="col" { (head) } }
                    } }
                    tbody { @for delivery in &found.deliveries { (row(portal, looked, delivery)) } }
                }
            }
            // It goes on from the last that is shown, so it is live with them.
            @if let Some(next) = next { p { a rel="next" href=(next) { "Earlier ones" } } }
        }
    }
}

/// Where a delivery is shown.
pub(super) fn place(portal: &Portal, delivery: &Delivery) -> String {
    place_of(portal, delivery.lane, delivery.id)
}

fn place_of(portal: &Portal, lane: LaneId, id: DeliveryId) -> String {
    format!("/deliveries/{}/{}", segment(&known_by(portal, lane)), id.0)
}

fn row(portal: &Portal, looked: &Looked, delivery: &Delivery) -> Markup {
    html! {
        tr {
            td { a href=(place(portal, delivery)) { (moment(delivery.accepted)) } }
            td { (event(&delivery.key)) }
            td { (delivery.label.unwrap_or("–")) }
            td { (portal.watch.name_of(delivery.lane)) }
            td { (state(&delivery.status)) (since(portal, delivery, looked.again(delivery))) }
            td.number { (delivery.attempts) }
            td { @if let Some(last) = &delivery.last { (last.outcome) } @else { span.faint { "none yet" } } }
        }
    }
}

/// The event that a delivery is of, and whether a person sent it again.
pub(super) fn event(key: &str) -> Markup {
    let id = event_of(key);
    html! {
        a.id href=(address("/event", &[("id", id)])) { (id) }
        @if is_again(key) { " " span.chip { "resend" } }
    }
}

/// What a dead letter was sent again as, since.
pub(super) fn since(portal: &Portal, delivery: &Delivery, again: Option<DeliveryId>) -> Markup {
    html! {
        @if let Some(id) = again {
            span.faint { ", sent again as " a href=(place_of(portal, delivery.lane, id)) { (portal.watch.name_of(delivery.lane)) "/" (id.0) } }
        }
    }
}

/// How a delivery is, with when and why.
pub(super) fn state(status: &Status) -> Markup {
    let pill = |word: &str| html! { span class={ "pill " (word) } { (word) } };
    match status {
        Status::Due(at) => html! { (pill("pending")) " " span.faint { "next attempt " (moment(*at)) } },
        Status::Behind => {
            html! { (pill("pending")) " " span.faint { "behind an earlier update of its event" } }
        }
        Status::Settled(Settled::Dead(reason), _) => html! { (pill("dead")) " " span.faint { (reason) } },
        Status::Settled(..) => match status.state() {
            Some(Is::Superseded) => pill("superseded"),
            _ => pill("delivered"),
        },
        Status::Unreadable(why) => html! { (pill("unreadable")) " " span.bad { (why) } },
    }
}

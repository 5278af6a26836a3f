//! Updates that were taken in and went to nobody, with why: so that nothing is missed in silence.

use axum::Extension;
use axum::extract::State;
use delivery::store::{Route, Sequence};
use http::Uri;
use maud::html;

use super::layout::{address, moment, page, query};
use super::{Answer, Shared};
use crate::access::Caller;

/// How many are shown at once.
const LIMIT: usize = 50;

pub(super) async fn show(State(portal): Shared, Extension(caller): Extension<Caller>, uri: Uri) -> Answer {
    let query = query(&uri);
    let before = query.text("before").parse().ok().map(Sequence);
    let (found, next) = portal.read(move |archive| archive.unrouted(before, LIMIT)).await?;
    let why = |route: &Route| match route {
        Route::Unmatched => "no response policy matches, or the integrations of those that do are gone",
        Route::Bypassed | Route::Lanes => "its detection model bypasses policies",
    };
    let next = next.map(|next| address("/nowhere", &[("before", &next.0.to_string())]));
    let body = html! {
        p.crumbs { a href="/deliveries" { "Deliveries" } " › went nowhere" }
        h1 { "Updates that went nowhere" }
        p.hint { "They were taken in, and no integration gets them, also not when a policy is added later. " a href="/settings/policies" { "Response Policies" } }
        div #nowhere data-live {
            @if found.is_empty() { p.empty { @if next.is_some() { "None among the latest; there may be earlier ones." } @else { "There are none." } } }
            @else {
                div.scroll { table.rows {
                    thead { tr { @for head in ["Accepted (UTC)", "Event", "Why"] { th scope="col" { (head) } } } }
                    tbody { @for update in &found {
                        tr { td { (moment(update.accepted)) } td { code { (update.key) } } td { (why(&update.route)) } }
                    } }
                } }
            }
            @if let Some(next) = next { p { a rel="next" href=(next) { "Earlier ones" } } }
        }
    };
    Ok(page(&portal, &caller, ("/deliveries", "Went nowhere"), &query, &body))
}

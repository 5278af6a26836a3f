//! *Settings > Changes*: who changed what.

use axum::Extension;
use axum::extract::State;
use delivery::clock::Timestamp;
use http::Uri;
use maud::html;
use sender::book::{AUDIT, Audit};

use super::layout::{address, moment, page, query};
use super::{Answer, Shared};
use crate::access::Caller;

/// How many are shown at once.
const LIMIT: usize = 100;

pub(super) async fn show(State(portal): Shared, Extension(caller): Extension<Caller>, uri: Uri) -> Answer {
    let query = query(&uri);
    let before = Some(query.text("before").to_owned()).filter(|before| !before.is_empty());
    let read = portal.read(move |archive| archive.documents(AUDIT, before.as_deref(), LIMIT)).await?;
    let next = read
        .last()
        .filter(|_| read.len() == LIMIT)
        .map(|last| address("/settings/changes", &[("before", &last.id)]));
    let entries: Vec<_> = read.iter().filter_map(Audit::read).collect();
    let body = html! {
        h1 { "Changes" }
        @if entries.is_empty() { p.empty { "Nothing was changed yet." } }
        @else {
            div.scroll {
                table {
                    thead { tr { th scope="col" { "When (UTC)" } th scope="col" { "Who" } th scope="col" { "What" } th scope="col" { "Which" } } }
                    tbody {
                        @for entry in &entries {
                            tr { td { (moment(Timestamp::from_micros(entry.at))) } td { (entry.who) } td { (entry.what) } td { (entry.name) } }
                        }
                    }
                }
            }
            @if let Some(next) = next { p { a href=(next) { "Earlier ones" } } }
        }
    };
    Ok(page(&portal, &caller, ("/settings/changes", "Changes"), &query, &body))
}

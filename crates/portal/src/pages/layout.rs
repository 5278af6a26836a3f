//! What all pages have in common: the head, the way around, and the small pieces that repeat.

use delivery::clock::Timestamp;
use http::Uri;
use maud::{DOCTYPE, Markup, html};
use sender::book::Origin;
use url::form_urlencoded;

use super::Fields;
use crate::access::{By, Caller};
use crate::api::deliveries::MAX_RESEND;
use crate::api::status::{health, time};
use crate::portal::Portal;

/// Where pages are found: the address, and what it is called.
const PLACES: [(&str, &str); 4] =
    [("/", "Overview"), ("/deliveries", "Deliveries"), ("/dead", "Dead letters"), ("/settings", "Settings")];

/// What there is to set.
const SETTINGS: [(&str, &str); 4] = [
    ("/settings/integrations", "Response Integrations"),
    ("/settings/policies", "Response Policies"),
    ("/settings/access", "Access"),
    ("/settings/changes", "Changes"),
];

/// What may be said on the page that follows a change, by the word in its address.
const DONE: [(&str, &str); 9] = [
    ("added", "Added."),
    ("saved", "Saved. It is in force."),
    ("removed", "Removed."),
    ("paused", "Paused: no more attempts are started, and what comes waits."),
    ("resumed", "Resumed."),
    ("resent", "Sent again."),
    ("enabled", "Enabled."),
    ("disabled", "Disabled."),
    ("setup", "You can log in now."),
];

/// A page that needs nobody to be let in.
pub(super) fn bare(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · fusion-webhook" }
                link rel="icon" href="/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href="/page.css";
                script src="/page.js" type="module" {}
            }
            body { (body) }
        }
    }
}

/// A page with the way around; `here` is the place that it belongs to.
pub(super) fn page(
    portal: &Portal,
    caller: &Caller,
    (here, title): (&str, &str),
    query: &Fields,
    body: &Markup,
) -> Markup {
    let (state, why) = health(portal);
    bare(
        title,
        &html! {
            a.skip href="#main" { "To the content" }
            header {
                p.brand { a href="/" { "fusion-webhook" } }
                nav aria-label="Pages" {
                    @for (path, name) in PLACES {
                        @let current = path == here || (here.starts_with("/settings/") && path == "/settings");
                        a href=(path) aria-current=[current.then_some("page")] { (name) }
                    }
                }
                p #state data-live role="status" title=[why.as_deref()] { span class={ "pill " (state) } { (state) } }
                @if caller.is_logged_in() {
                    form method="post" action="/logout" {
                        (confirmation(caller))
                        button.link type="submit" { "Log out " (caller.who) }
                    }
                }
            }
            @if here.starts_with("/settings/") {
                nav.settings aria-label="Settings" {
                    @for (path, name) in SETTINGS {
                        a href=(path) aria-current=[(path == here).then_some("page")] { (name) }
                    }
                }
            }
            @if matches!(caller.by, By::Machine { .. }) {
                p.banner {
                    "Nobody has to log in: whoever is on this machine can change all of this. "
                    a href="/settings/access" { "Let somebody log in" }
                }
            }
            p #lost role="alert" hidden { "The server does not answer; what is shown may be old." }
            main #main {
                @if let Some((_, text)) = DONE.iter().find(|(word, _)| *word == query.text("done")) {
                    p.done role="status" { (text) (many(query.text("number"))) }
                }
                (body)
            }
        },
    )
}

/// How many it was, where that is told; and that it was not all, where it was as many as are done at once.
fn many(number: &str) -> String {
    match number.parse::<usize>() {
        Err(_) => String::new(),
        Ok(0) => " It was none: their integrations are gone.".to_owned(),
        Ok(MAX_RESEND) => {
            format!(" It was {MAX_RESEND}, the newest: for earlier ones give a time in Until.")
        }
        Ok(number) => format!(" It was {number}."),
    }
}

/// What makes a form one of ours.
pub(super) fn confirmation(caller: &Caller) -> Markup {
    html! { input type="hidden" name="csrf" value=(caller.confirmation()); }
}

/// The fields of a query.
pub(super) fn query(uri: &Uri) -> Fields {
    Fields::read(uri.query().unwrap_or_default().as_bytes()).unwrap_or_default()
}

/// A path with a query of those values that are not empty.
pub(super) fn address(path: &str, values: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(values.iter().filter(|(_, value)| !value.is_empty()));
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// A text as one segment of a path (RFC 3986, section 3.3).
pub(super) fn segment(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// A moment, in UTC, to the second; to the millisecond for whoever points at it.
pub(super) fn moment(at: Timestamp) -> Markup {
    let whole = time(at);
    let shown = whole.get(..19).unwrap_or(&whole).replace('T', " ");
    html! { time datetime=(whole) title=(whole) { (shown) } }
}

/// How long something is, in its largest unit.
pub(super) fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// A button that posts by itself.
pub(super) fn button(
    caller: &Caller,
    (action, hidden): (&str, &[(&str, &str)]),
    (act, text): (&str, &str),
    ask: Option<&str>,
) -> Markup {
    html! {
        form.inline method="post" action=(action) data-ask=[ask] {
            (confirmation(caller))
            @for (name, value) in hidden { input type="hidden" name=(name) value=(value); }
            button type="submit" name="act" value=(act) { (text) }
        }
    }
}

/// How something that is configured begins its row: its name, that it is the file's, what it is for.
pub(super) fn named(href: &str, name: &str, origin: Origin, description: &str) -> Markup {
    html! {
        th scope="row" {
            a href=(href) { (name) }
            @if origin == Origin::File { " " span.chip title="configured in the file; changed only there" { "file" } }
            @if !description.is_empty() { p.faint { (description) } }
        }
    }
}

/// What is wrong with a field, below it; the place is there also when nothing is wrong.
pub(super) fn mistakes(field: &str, of: &[String]) -> Markup {
    html! { div.wrong id={ "wrong-" (field) } data-live { (told(field, of)) } }
}

/// The same in a form that is not looked at while somebody types.
pub(super) fn told(field: &str, of: &[String]) -> Markup {
    let mine = of.iter().filter_map(|mistake| {
        let (named, told) = mistake.split_once(": ")?;
        (named.split(", ").next() == Some(field)).then_some(told)
    });
    html! { @for told in mine { p.wrong { (told) } } }
}

/// What is wrong and belongs to none of these fields.
pub(super) fn other_mistakes(fields: &[&str], of: &[String]) -> Markup {
    let other = of.iter().filter(|mistake| {
        let named = mistake.split_once(": ").map_or("", |(named, _)| named);
        !fields.contains(&named.split(", ").next().unwrap_or_default())
    });
    html! {
        div.wrong #wrong-other data-live role="alert" {
            @if !of.is_empty() { p { strong { (count(of.len(), "thing is", "things are")) " not right yet." } } }
            @for told in other { p { (told) } }
        }
    }
}

/// A number with what it counts.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

//! *Add Integration → Webhook*: the form of the documentation page, with what would be sent beside it.

mod way;

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use delivery::target::headers::MAX_LINES;
use http::{StatusCode, Uri};
use maud::{Markup, html};
use sender::book::{Origin, Refused};
use sender::{Form, Integration};

use super::layout::{confirmation, mistakes, other_mistakes, page, query, segment};
use super::{Answer, Failed, Fields, Posted, Shared, fields, headers, trial, typed};
use crate::access::Caller;
use crate::api::tried::{Tried, sample};
use crate::portal::Portal;

/// The fields that have a place for what is wrong with them.
const SHOWN: [&str; 20] = [
    "name",
    "description",
    "url",
    "headers",
    "username",
    "password",
    "content_type",
    "attempt_timeout",
    "connect_timeout",
    "ca_file",
    "allow",
    "concurrency",
    "rate_per_second",
    "retry",
    "delays",
    "expiry",
    "retry_after_cap",
    "field_names",
    "constants",
    "skip_ssl_verification",
];

/// The form as it stands.
#[derive(Default)]
struct Draft {
    /// The integration that it is for; none for a new one.
    id: Option<String>,
    fields: Fields,
    wrong: Vec<String>,
    /// It is the file's: it can be looked at, and tried.
    fixed: bool,
    has_password: bool,
    integration: Option<Arc<Integration>>,
    tried: Option<Tried>,
}

pub(super) async fn blank(State(portal): Shared, Extension(caller): Extension<Caller>, uri: Uri) -> Markup {
    show_draft(&portal, &caller, &query(&uri), &Draft::default())
}

fn unknown(id: &str) -> Failed {
    Refused::Unknown { what: "response integration", id: id.to_owned() }.into()
}

/// What is kept of an integration, and whether it is the file's.
fn kept(portal: &Portal, id: &str) -> Result<(Form, bool, Option<Arc<Integration>>), Failed> {
    let view = portal.book.view();
    if let Some(listed) = view.integrations.get(id) {
        let fixed = listed.origin == Origin::File;
        return Ok(((*listed.form).clone(), fixed, Some(Arc::clone(&listed.integration))));
    }
    view.wrong.get(id).map(|(form, _)| (form.clone(), false, None)).ok_or_else(|| unknown(id))
}

pub(super) async fn show(
    State(portal): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    uri: Uri,
) -> Answer {
    let (form, fixed, integration) = kept(&portal, &id)?;
    let wrong = portal.book.view().wrong.get(&id).map(|(_, mistakes)| mistakes.clone());
    let mut fields = typed::fields(&form);
    fields.put("id", &id);
    let draft = Draft {
        id: Some(id),
        fields,
        wrong: wrong.unwrap_or_default(),
        fixed,
        has_password: typed::has_password(&form),
        integration,
        tried: None,
    };
    Ok(show_draft(&portal, &caller, &query(&uri), &draft))
}

pub(super) async fn add(State(portal): Shared, posted: Posted) -> Result<Response, Failed> {
    let (form, draft) = judge(&portal, None, &posted.fields);
    act(&portal, posted, form, draft).await
}

pub(super) async fn replace(
    State(portal): Shared,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, Failed> {
    let (before, fixed, integration) = kept(&portal, &id)?;
    if fixed {
        let mut fields = typed::fields(&before);
        fields.put("id", &id);
        let has_password = typed::has_password(&before);
        let draft = Draft { id: Some(id), fields, fixed, has_password, integration, ..Draft::default() };
        return act(&portal, posted, before, draft).await;
    }
    let (form, draft) = judge(&portal, Some((&id, &before)), &posted.fields);
    act(&portal, posted, form, draft).await
}

/// What was filled in, and what is wrong with it.
fn judge(portal: &Portal, before: Option<(&str, &Form)>, fields: &Fields) -> (Form, Draft) {
    let (form, mut wrong) = typed::form(fields);
    let mut whole = form.clone();
    if let Some((_, before)) = before {
        wrong.extend(whole.keep_secrets_of(before).err().into_iter().flatten());
    }
    let checked = whole.check("test", portal.book.guarding());
    let integration = match checked {
        Ok(integration) if wrong.is_empty() => Some(Arc::new(integration)),
        Ok(_) => None,
        Err(mistakes) => {
            wrong.extend(mistakes);
            None
        }
    };
    let draft = Draft {
        id: before.map(|(id, _)| id.to_owned()),
        fields: fields.clone(),
        wrong,
        has_password: before.is_some_and(|(_, before)| typed::has_password(before)),
        integration,
        ..Draft::default()
    };
    (form, draft)
}

/// Does what the button says: looks at it, sends a test, or saves it.
async fn act(
    portal: &Arc<Portal>,
    Posted { caller, fields, live }: Posted,
    form: Form,
    mut draft: Draft,
) -> Result<Response, Failed> {
    let mut status = StatusCode::OK;
    match fields.text("act") {
        // What is not there yet is not wrong yet.
        "look" => draft.wrong.retain(|mistake| !(mistake.starts_with("url: ") && form.url.is_empty())),
        "try" => {
            if let (Some(integration), Ok(sample)) = (&draft.integration, sample()) {
                draft.tried = Some(Tried::of(portal, integration, &sample).await);
            }
        }
        _ if draft.fixed => return Err(Refused::InFile(form.name).into()),
        _ => {
            if draft.wrong.is_empty() {
                draft.wrong = match save(portal, &caller, draft.id.as_deref(), form).await? {
                    Ok(id) => {
                        let done = if draft.id.is_some() { "saved" } else { "added" };
                        let to = format!("/settings/integrations/{}?done={done}", segment(&id));
                        return Ok(Redirect::to(&to).into_response());
                    }
                    Err(mistakes) => mistakes,
                };
            }
            status = StatusCode::UNPROCESSABLE_ENTITY;
        }
    }
    if !draft.fixed {
        hide_secrets(&mut draft, live);
    }
    // The header list is judged as it was typed, and shown without its secrets.
    let shown = show_typed(portal, &caller, &Fields::default(), &draft, fields.text("headers"));
    Ok((status, shown).into_response())
}

/// Takes secrets out of what is shown. Without the script the page that comes is the form, and they have to be typed again.
fn hide_secrets(draft: &mut Draft, live: bool) {
    let typed = draft.fields.text("headers").to_owned();
    let list = headers::shown(&typed);
    if list != typed && !live {
        draft.wrong.push(
            "headers: secrets are not repeated in a page: write them again in the place of ***".to_owned(),
        );
    }
    if draft.fields.is("password") && !live {
        draft.wrong.push("password: it is not repeated in a page: type it again".to_owned());
    }
    if let Some((_, value)) = draft.fields.0.iter_mut().find(|(name, _)| name == "headers") {
        *value = list;
    }
}

/// Gives the id, or what is wrong after all.
async fn save(
    portal: &Portal,
    caller: &Caller,
    id: Option<&str>,
    form: Form,
) -> Result<Result<String, Vec<String>>, Failed> {
    let saved = match id {
        Some(id) => portal.book.replace(id, form, &caller.who).await.map(|()| id.to_owned()),
        None => portal.book.add(form, &caller.who).await,
    };
    match saved {
        Ok(id) => {
            portal.name_lanes().await.map_err(Refused::from)?;
            Ok(Ok(id))
        }
        Err(Refused::Invalid(mistakes)) => Ok(Err(mistakes)),
        Err(refused) => Err(refused.into()),
    }
}

fn show_draft(portal: &Portal, caller: &Caller, query: &Fields, draft: &Draft) -> Markup {
    show_typed(portal, caller, query, draft, draft.fields.text("headers"))
}

fn show_typed(portal: &Portal, caller: &Caller, query: &Fields, draft: &Draft, list: &str) -> Markup {
    let name = draft.fields.text("name");
    let title = if draft.id.is_some() { name } else { "Add a webhook" };
    let body = html! {
        p.crumbs { a href="/settings/integrations" { "Response Integrations" } " › " (title) }
        h1 { (title) }
        @if draft.fixed {
            p.banner role="note" {
                "This integration stands in the configuration file that the server was started with. It can be looked at and "
                "tried here, and changed only there; the server takes the file over when it changes."
            }
        }
        @if let Some(id) = &draft.id { (without_policy(portal, id)) }
        div.columns {
            form.stack #integration method="post" data-check novalidate {
                (confirmation(caller))
                (other_mistakes(&SHOWN, &draft.wrong))
                (webhook(draft, list))
                (authentication(draft))
                (fields::table(&draft.fields, &draft.wrong, draft.fixed))
                (way::of_delivery(draft))
                p.actions {
                    @if !draft.fixed { button.primary type="submit" name="act" value="save" { "Save" } }
                    button type="submit" name="act" value="try" { "Send test" }
                    button.without-script type="submit" name="act" value="look" { "Preview" }
                    a href="/settings/integrations" { "Cancel" }
                }
            }
            aside aria-label="What is sent" {
                section {
                    div #tried data-live aria-live="polite" { (outcome(draft)) }
                    h2 { "Preview" }
                    div #preview data-live { (what_is_sent(portal, draft)) }
                }
            }
        }
    };
    page(portal, caller, ("/settings/integrations", title), query, &body)
}

/// What is added and not named by a policy yet gets nothing.
fn without_policy(portal: &Portal, id: &str) -> Markup {
    let view = portal.book.view();
    let named = view.policies.iter().any(|(policy, _)| policy.integrations.iter().any(|named| named == id));
    html! {
        @if !named {
            p.banner { "No response policy names it yet, so nothing is sent to it. " a href="/settings/add-policy" { "Add Policy" } }
        }
    }
}

fn outcome(draft: &Draft) -> Markup {
    html! { @if let Some(tried) = &draft.tried { h2 { "Test" } (trial::tried(tried)) } }
}

fn what_is_sent(portal: &Portal, draft: &Draft) -> Markup {
    match (&draft.integration, sample()) {
        (Some(integration), Ok(sample)) => {
            trial::preview(portal, integration, (&sample, None), "for the documented sample")
        }
        _ if draft.wrong.is_empty() => html! { p.faint { "Give a URL to see the request." } },
        _ => html! { p.faint { "The request is shown when what is marked is put right." } },
    }
}

/// One line to type into, with its label, its help, and what is wrong.
fn line(draft: &Draft, (name, label): (&str, &str), placeholder: &str, hint: &str) -> Markup {
    html! {
        label for=(name) { (label) }
        input id=(name) name=(name) value=(draft.fields.text(name)) placeholder=(placeholder) disabled[draft.fixed]
            autocomplete="off" spellcheck="false" aria-describedby={ "wrong-" (name) };
        @if !hint.is_empty() { p.hint { (hint) } }
        (mistakes(name, &draft.wrong))
    }
}

fn tick(draft: &Draft, (name, label): (&str, &str), hint: &str) -> Markup {
    html! {
        label.tick { input type="checkbox" id=(name) name=(name) checked[draft.fields.is(name)] disabled[draft.fixed]; " " (label) }
        p.hint { (hint) }
    }
}

fn webhook(draft: &Draft, list: &str) -> Markup {
    let of_list = headers::wrong(list);
    html! {
        fieldset {
            legend { "Webhook" }
            (line(draft, ("name", "Name"), "my SIEM", ""))
            label for="description" { "Description" }
            textarea #description name="description" rows="2" disabled[draft.fixed] { (draft.fields.text("description")) }
            (mistakes("description", &draft.wrong))
            (line(draft, ("url", "URL"), "https://receiver.example/webhook", "The URL to POST the event JSON to."))
            div #hint-url data-live {
                @if draft.wrong.iter().any(|mistake| mistake.starts_with("url: ") && mistake.contains("allow = ")) {
                    p.hint { "In this form the range goes into Delivery > Allowed address ranges." }
                }
            }
            (tick(draft, ("skip_ssl_verification", "Skip SSL Verification"),
                "If ticked, the server's certificate is not validated, and need not be for the URL's host name."))
            label for="headers" { "Headers" }
            textarea #headers name="headers" rows="3" spellcheck="false" placeholder="X-Netography: Webhook" disabled[draft.fixed]
                aria-describedby="wrong-headers" { (draft.fields.text("headers")) }
            p.hint {
                "Comma-separated list of " code { "header: value" } " pairs, at most " (MAX_LINES) ". A comma inside a value is written "
                code { "\\," } " or put between quotes. " code { "***" } " stands for a secret that is kept."
            }
            @match of_list {
                Some(told) => div.wrong #wrong-headers data-live { (told) },
                None => (mistakes("headers", &draft.wrong)),
            }
        }
    }
}

fn authentication(draft: &Draft) -> Markup {
    html! {
        fieldset {
            legend { "Authentication" }
            (line(draft, ("username", "Username"), "", "HTTP Basic Auth ID; leave both empty for none."))
            label for="password" { "Password" }
            input #password name="password" type="password" autocomplete="new-password" disabled[draft.fixed]
                placeholder=[draft.has_password.then_some("kept; type to replace it")];
            p.hint { "HTTP Basic Auth password. It is kept sealed, and never shown again." }
            (mistakes("password", &draft.wrong))
            @if draft.has_password && !draft.fixed {
                label.tick { input type="checkbox" name="forget_password" checked[draft.fields.is("forget_password")]; " Forget the password" }
            }
        }
    }
}

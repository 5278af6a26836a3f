//! *Settings > Response Policies*: which updates go to which integrations, in the vendor's form.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{StatusCode, Uri};
use maud::{Markup, html};
use sender::Policy;
use sender::book::{Origin, Refused};

use super::layout::{button, confirmation, mistakes, named, other_mistakes, page, query, segment};
use super::{Answer, Failed, Fields, Posted, Shared};
use crate::access::Caller;
use crate::portal::Portal;

const HERE: &str = "/settings/policies";

/// The choices of a policy that are a closed set: field, title, values.
const CHOICES: [(&str, &str, &[&str]); 3] = [
    ("severities", "Severities", &["high", "medium", "low"]),
    ("alert_types", "Alert Types", &["start", "ongoing", "end"]),
    ("track_by", "Track By", &["srcip", "dstip", "flowsrcname", "tag", "input", "output"]),
];

pub(super) async fn list(State(portal): Shared, Extension(caller): Extension<Caller>, uri: Uri) -> Markup {
    let view = portal.book.view();
    let any = |values: &[String]| if values.is_empty() { "any".to_owned() } else { values.join(", ") };
    let names = |policy: &Policy| {
        let name = |id: &String| view.form(id).map_or_else(|| id.clone(), |form| form.name.clone());
        policy.integrations.iter().map(name).collect::<Vec<_>>().join(", ")
    };
    let body = html! {
        div.head { h1 { "Response Policies" } a.button.primary href="/settings/add-policy" { "Add Policy" } }
        p.hint { "An integration is sent what a policy that names it matches. Filters of different kinds must all match; of the values of one, any." }
        @if view.policies.is_empty() {
            p.empty { "There is no policy yet, so nothing is sent anywhere. " a href="/settings/add-policy" { "Add Policy" } }
        } @else {
            div.scroll {
                table.rows {
                    thead { tr {
                        @for head in ["Policy", "State", "Alert types", "Severities", "Models", "Categories", "Track by", "Integrations", ""] {
                            th scope="col" { (head) }
                        }
                    } }
                    tbody {
                        @for (policy, origin) in &view.policies {
                            tr {
                                (named(&format!("{HERE}/{}", segment(&policy.id)), if policy.name.is_empty() { &policy.id } else { &policy.name }, *origin, &policy.description))
                                td { @if policy.disabled { span.pill.paused { "disabled" } } @else { span.pill.delivering { "enabled" } } }
                                td { (any(&policy.alert_types)) }
                                td { (any(&policy.severities)) }
                                td { (any(&policy.algorithms)) }
                                td { (any(&policy.categories)) }
                                td { (any(&policy.track_by)) }
                                td { @if policy.integrations.is_empty() { span.odd { "none: nothing is sent" } } @else { (names(policy)) } }
                                td.acts { @if *origin == Origin::Store { (acts(&caller, policy)) } }
                            }
                        }
                    }
                }
            }
        }
    };
    page(&portal, &caller, (HERE, "Response Policies"), &query(&uri), &body)
}

fn acts(caller: &Caller, policy: &Policy) -> Markup {
    let act = format!("{HERE}/{}/act", segment(&policy.id));
    let switch = if policy.disabled { ("enable", "Enable") } else { ("disable", "Disable") };
    let ask = format!("Remove the policy {}?", policy.name);
    html! {
        (button(caller, (&act, &[]), switch, None))
        (button(caller, (&act, &[]), ("remove", "Remove"), Some(&ask)))
    }
}

pub(super) async fn act(
    State(portal): Shared,
    Path(id): Path<String>,
    Posted { caller, fields, .. }: Posted,
) -> Result<Response, Failed> {
    let done = match fields.text("act") {
        "enable" => portal.book.switch_policy(&id, true, &caller.who).await.map(|()| "enabled"),
        "disable" => portal.book.switch_policy(&id, false, &caller.who).await.map(|()| "disabled"),
        "remove" => portal.book.remove_policy(&id, &caller.who).await.map(|()| "removed"),
        _ => return Err(Failed::new(StatusCode::BAD_REQUEST, "there is no such act")),
    };
    Ok(Redirect::to(&format!("{HERE}?done={}", done?)).into_response())
}

pub(super) async fn blank(State(portal): Shared, Extension(caller): Extension<Caller>) -> Markup {
    let mut fields = Fields::default();
    fields.put("enabled", "on");
    form(&portal, &caller, &fields, &[], None)
}

pub(super) async fn show(
    State(portal): Shared,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Answer {
    let view = portal.book.view();
    let found = view.policies.iter().find(|(policy, _)| policy.id == id);
    let (policy, origin) =
        found.ok_or_else(|| Refused::Unknown { what: "response policy", id: id.clone() })?;
    Ok(form(&portal, &caller, &typed(policy), &[], Some((&id, *origin))))
}

pub(super) async fn add(State(portal): Shared, posted: Posted) -> Result<Response, Failed> {
    save(&portal, &posted, None).await
}

pub(super) async fn replace(
    State(portal): Shared,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, Failed> {
    save(&portal, &posted, Some(&id)).await
}

async fn save(portal: &Arc<Portal>, posted: &Posted, id: Option<&str>) -> Result<Response, Failed> {
    let Posted { caller, fields, .. } = posted;
    let policy = read(fields);
    let (done, saved) = match id {
        Some(id) => ("saved", portal.book.replace_policy(id, policy, &caller.who).await),
        None => ("added", portal.book.add_policy(policy, &caller.who).await.map(drop)),
    };
    match saved {
        Ok(()) => Ok(Redirect::to(&format!("{HERE}?done={done}")).into_response()),
        Err(Refused::Invalid(wrong)) => {
            let page = form(portal, caller, fields, &wrong, id.map(|id| (id, Origin::Store)));
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
        Err(refused) => Err(refused.into()),
    }
}

fn typed(policy: &Policy) -> Fields {
    let mut fields = Fields::default();
    for (name, value) in [
        ("name", policy.name.clone()),
        ("description", policy.description.clone()),
        ("enabled", if policy.disabled { String::new() } else { "on".to_owned() }),
        ("algorithms", policy.algorithms.join("\n")),
        ("categories", policy.categories.join("\n")),
    ] {
        fields.put(name, value);
    }
    for (name, values) in [
        ("severities", &policy.severities),
        ("alert_types", &policy.alert_types),
        ("track_by", &policy.track_by),
        ("integrations", &policy.integrations),
    ] {
        values.iter().for_each(|value| fields.put(name, value));
    }
    fields
}

fn read(fields: &Fields) -> Policy {
    let all = |name: &str| fields.all(name).map(str::to_owned).collect::<Vec<_>>();
    let list = |name: &str| {
        let items = fields.text(name).lines().map(str::trim).filter(|item| !item.is_empty());
        items.map(str::to_owned).collect::<Vec<_>>()
    };
    Policy {
        id: String::new(),
        name: fields.text("name").trim().to_owned(),
        description: fields.text("description").trim().to_owned(),
        disabled: !fields.is("enabled"),
        alert_types: all("alert_types"),
        severities: all("severities"),
        algorithms: list("algorithms"),
        categories: list("categories"),
        track_by: all("track_by"),
        integrations: all("integrations"),
    }
}

fn form(
    portal: &Portal,
    caller: &Caller,
    fields: &Fields,
    wrong: &[String],
    of: Option<(&str, Origin)>,
) -> Markup {
    let view = portal.book.view();
    let title = if of.is_some() { fields.text("name") } else { "Add Policy" };
    let fixed = of.is_some_and(|(_, origin)| origin == Origin::File);
    let known = view.integrations.iter().map(|(id, listed)| (id, &listed.form.name));
    let known: Vec<_> = known.chain(view.wrong.iter().map(|(id, (form, _))| (id, &form.name))).collect();
    let ticked = |name: &str, value: &str| fields.all(name).any(|ticked| ticked == value);
    let body = html! {
        p.crumbs { a href=(HERE) { "Response Policies" } " › " (title) }
        h1 { (title) }
        @if fixed {
            p.banner role="note" { "This policy stands in the configuration file that the server was started with, and can be changed only there." }
        }
        form.stack method="post" data-check novalidate {
            (confirmation(caller))
            (other_mistakes(&["name", "description", "integrations"], wrong))
            label for="name" { "Policy Name" }
            input #name name="name" value=(fields.text("name")) disabled[fixed] required autocomplete="off";
            (mistakes("name", wrong))
            label.tick { input type="checkbox" name="enabled" checked[fields.is("enabled")] disabled[fixed]; " Enabled" }
            label for="description" { "Description" }
            textarea #description name="description" rows="2" disabled[fixed] { (fields.text("description")) }
            (mistakes("description", wrong))
            label for="categories" { "Detection Categories" }
            textarea #categories name="categories" rows="2" placeholder="any" disabled[fixed] spellcheck="false" { (fields.text("categories")) }
            p.hint { "One a line, such as " code { "iprep" } ", " code { "p2p" } ", " code { "t1046" } "; empty for any." }
            label for="algorithms" { "Detection Models" }
            textarea #algorithms name="algorithms" rows="2" placeholder="any" disabled[fixed] spellcheck="false" { (fields.text("algorithms")) }
            p.hint { "One a line, such as " code { "knownbotnet" } "; empty for any." }
            @for (name, title, values) in CHOICES {
                fieldset.choices {
                    legend { (title) }
                    @for value in values.iter().copied().chain(fields.all(name).filter(|value| !values.contains(value))) {
                        label.tick { input type="checkbox" name=(name) value=(value) checked[ticked(name, value)] disabled[fixed]; " " (value) }
                    }
                    p.hint { "None ticked means any." }
                }
            }
            fieldset.choices {
                legend { "Integrations" }
                @if known.is_empty() { p.odd { "There is no integration yet. " a href="/settings/add-integration" { "Add Integration" } } }
                @for (id, name) in &known {
                    label.tick { input type="checkbox" name="integrations" value=(id) checked[ticked("integrations", id)] disabled[fixed]; " " (name) }
                }
                // One that is not there now may come back, such as with the file that it stood in.
                @for id in fields.all("integrations").filter(|id| !known.iter().any(|(known, _)| known == id)) {
                    label.tick { input type="checkbox" name="integrations" value=(id) checked disabled[fixed]; " " (view.gone.get(id).map_or(id, String::as_str)) " (gone)" }
                }
                (mistakes("integrations", wrong))
            }
            p.actions {
                @if !fixed { button.primary type="submit" { "Save" } }
                a href=(HERE) { "Cancel" }
            }
        }
    };
    page(portal, caller, (HERE, title), &Fields::default(), &body)
}

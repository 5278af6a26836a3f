//! *Settings > Access*: who can log in, and the tokens of programs.

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::{StatusCode, Uri};
use maud::{Markup, html};
use secrecy::SecretString;

use super::layout::{button, confirmation, moment, page, query, told};
use super::{Failed, Fields, Posted, Shared};
use crate::access::{By, Caller, Denied, MIN_PASSWORD};
use crate::portal::Portal;

const HERE: &str = "/settings/access";

/// What is said once: a token that was just made, or what is wrong with what was filled in, and in which of the forms.
#[derive(Default)]
struct Said<'a> {
    token: Option<(&'a str, &'a str)>,
    wrong: &'a [String],
    at: &'a str,
    name: &'a str,
}

pub(super) async fn show(State(portal): Shared, Extension(caller): Extension<Caller>, uri: Uri) -> Markup {
    whole(&portal, &caller, &query(&uri), &Said::default())
}

pub(super) async fn change(
    State(portal): Shared,
    Posted { caller, fields, .. }: Posted,
) -> Result<Response, Failed> {
    let (name, act) = (fields.text("name").trim(), fields.text("act"));
    let password = || SecretString::from(fields.text("password"));
    let (access, book, now, who) = (&portal.access, &portal.book, portal.clock.now(), &caller.who);
    let done = match act {
        "add-person" => access.add_person((name, password()), book, who, now).await.map(|()| "added"),
        "change-password" => access.change_password(name, password(), book, who).await.map(|()| "saved"),
        "remove-person" => access.remove_person(name, book, who).await.map(|()| "removed"),
        "remove-token" => access.remove_token(name, book, who).await.map(|()| "removed"),
        "add-token" => match access.add_token(name, book, who, now).await {
            Ok((_, text)) => {
                let said = Said { token: Some((name, &text)), ..Said::default() };
                return Ok(whole(&portal, &caller, &Fields::default(), &said).into_response());
            }
            Err(denied) => Err(denied),
        },
        _ => return Err(Failed::new(StatusCode::BAD_REQUEST, "there is no such act")),
    };
    match done {
        Ok(done) => Ok(Redirect::to(&format!("{HERE}?done={done}")).into_response()),
        Err(Denied::Invalid(wrong)) => {
            let said = Said { wrong: &wrong, at: act, name, token: None };
            let page = whole(&portal, &caller, &Fields::default(), &said);
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
        Err(denied) => Err(denied.into()),
    }
}

fn whole(portal: &Portal, caller: &Caller, query: &Fields, said: &Said<'_>) -> Markup {
    let body = html! {
        h1 { "Access" }
        (people(portal, caller, said))
        (tokens(portal, caller, said))
    };
    page(portal, caller, (HERE, "Access"), query, &body)
}

fn people(portal: &Portal, caller: &Caller, said: &Said<'_>) -> Markup {
    let people = portal.access.people();
    let wrong = |at: &str| if said.at == at { said.wrong } else { &[] };
    html! {
        section {
            h2 { "People who can log in" }
            @if people.is_empty() {
                p {
                    "Nobody yet. "
                    @if matches!(caller.by, By::Machine { .. }) { "As soon as there is somebody, everybody has to log in, and programs need a token." }
                }
            } @else {
                div.scroll { table {
                    thead { tr { th scope="col" { "Name" } th scope="col" { "Since (UTC)" } th scope="col" { "" } } }
                    tbody { @for (name, since) in &people {
                        tr {
                            th scope="row" { (name) }
                            td { (moment(*since)) }
                            td.acts { @if people.len() > 1 { (button(caller, (HERE, &[("name", name)]), ("remove-person", "Remove"), Some(&format!("Remove {name}?")))) } }
                        }
                    } }
                } }
                details open[said.at == "change-password"] {
                    summary { "Change a password" }
                    form.stack method="post" {
                        (confirmation(caller))
                        input type="hidden" name="act" value="change-password";
                        label for="whose" { "Name" }
                        select #whose name="name" { @for (name, _) in &people { option value=(name) selected[*name == caller.who] { (name) } } }
                        label for="new-password" { "New password" }
                        input #new-password name="password" type="password" autocomplete="new-password" required minlength=(MIN_PASSWORD);
                        (told("password", wrong("change-password")))
                        p.actions { button type="submit" { "Change password" } }
                    }
                }
            }
            details open[people.is_empty() || said.at == "add-person"] {
                summary { "Let somebody log in" }
                form.stack method="post" {
                    (confirmation(caller))
                    label for="person" { "Name" }
                    input #person name="name" value=(if said.at == "add-person" { said.name } else { "" }) autocomplete="off" required;
                    (told("name", wrong("add-person")))
                    label for="password" { "Password" }
                    input #password name="password" type="password" autocomplete="new-password" required minlength=(MIN_PASSWORD);
                    p.hint { "At least " (MIN_PASSWORD) " characters." }
                    (told("password", wrong("add-person")))
                    p.actions { button type="submit" name="act" value="add-person" { "Let them log in" } }
                }
            }
        }
    }
}

fn tokens(portal: &Portal, caller: &Caller, said: &Said<'_>) -> Markup {
    let tokens = portal.access.tokens();
    let wrong = if said.at == "add-token" { said.wrong } else { &[] };
    html! {
        section {
            h2 { "Tokens of programs" }
            p.hint { "A program that asks the API sends one: " code { "Authorization: Bearer …" } ". It may do all that a person may." }
            @if let Some((name, text)) = said.token {
                p.done role="status" { "The token " (name) " is made. It is shown this once: copy it now." }
                pre.secret #new-token tabindex="0" { (text) }
            }
            @if !tokens.is_empty() {
                div.scroll { table {
                    thead { tr { th scope="col" { "Name" } th scope="col" { "Made by" } th scope="col" { "Since (UTC)" } th scope="col" { "" } } }
                    tbody { @for (id, token) in &tokens {
                        tr {
                            th scope="row" { (token.name) }
                            td { (token.made_by) }
                            td { (moment(token.since())) }
                            td.acts { (button(caller, (HERE, &[("name", id)]), ("remove-token", "Remove"), Some(&format!("Remove the token {}? Programs that use it are refused from then on.", token.name)))) }
                        }
                    } }
                } }
            }
            form.stack method="post" {
                (confirmation(caller))
                label for="token" { "Name of a new token" }
                input #token name="name" value=(if said.at == "add-token" { said.name } else { "" }) autocomplete="off" required placeholder="ci";
                (told("name", wrong))
                p.actions { button type="submit" name="act" value="add-token" { "Make a token" } }
            }
        }
    }
}

//! What is wrong in a header list, with a caret under it. The text is shown with its secrets starred, each as long as it
//! was, so that the caret stands where it should.

use delivery::target::headers::{HeaderError, HeaderFault, HeaderList, Place, is_secret};
use http::HeaderName;
use maud::{Markup, html};
use sender::form::{HeaderText, MASK};

/// How much of a long list is shown before and behind a mistake, in characters.
const AROUND: usize = 40;

/// All that is wrong with a list.
pub(super) fn wrong(list: &str) -> Option<Markup> {
    let errors = HeaderList::parse(list).err()?;
    let stars = masked(list, |secret| "*".repeat(secret.len()));
    Some(html! {
        @for error in &errors {
            @match &error.place {
                Place::Span(span) => {
                    p { "In pair " (pair(&list[..list.floor_char_boundary(span.start)])) ": " (error.fault) }
                    (pointed(&stars, span))
                }
                Place::Entry(..) => p { (error) },
            }
            p.hint { (help(error)) }
        }
    })
}

/// Which pair comes behind a text: commas between quotes, or behind a backslash, separate none.
fn pair(before: &str) -> usize {
    let (mut pair, mut quoted, mut escaped) = (1, false, false);
    for character in before.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => pair += 1,
            _ => {}
        }
    }
    pair
}

/// What to do; without the text, which may hold secrets.
fn help(error: &HeaderError) -> String {
    match &error.fault {
        HeaderFault::NoColon { as_value: None, .. } => "put a colon after the name".to_owned(),
        HeaderFault::NoColon { .. } => {
            "put a colon after the name, or write \\, if the comma belongs to the value before it".to_owned()
        }
        _ => error.help(),
    }
}

fn pointed(text: &str, span: &std::ops::Range<usize>) -> Markup {
    let start = text.floor_char_boundary(span.start);
    let end = text.ceil_char_boundary(span.end).max(start);
    let before: String = text[..start].chars().rev().take(AROUND).collect();
    let before: String = before.chars().rev().map(plain).collect();
    let within: String = text[start..end].chars().map(plain).collect();
    let behind: String = text[end..].chars().take(AROUND).map(plain).collect();
    let before = if text[..start].chars().count() > AROUND { format!("…{before}") } else { before };
    let (left, carets) = (before.chars().count(), within.chars().count().max(1));
    html! { pre.caret { (before) (within) (behind) "\n" (" ".repeat(left)) span.bad { ("^".repeat(carets)) } } }
}

/// A character that takes one place.
fn plain(character: char) -> char {
    if character.is_control() { '␣' } else { character }
}

/// A list for showing, whether it can be read or not: secrets are `***`, which stands for nothing when it is sent back.
pub(super) fn shown(list: &str) -> String {
    match HeaderList::parse(list) {
        Ok(_) => HeaderText::List(list.to_owned()).to_string(),
        Err(_) => masked(list, |_| MASK.to_owned()),
    }
}

/// The text with whatever may be a secret replaced. Where it cannot be read, a value is taken to go on until a comma that
/// is followed by another name and its colon, and what stands without a colon behind a secret to belong to it.
fn masked(list: &str, replaced: impl Fn(&str) -> String) -> String {
    let mut out = String::with_capacity(list.len());
    let mut in_secret = false;
    for (index, item) in list.split(',').enumerate() {
        if index > 0 {
            out.push(',');
        }
        let name = |text: &str| text.trim().parse::<HeaderName>().ok();
        let (head, value) = match item.split_once(':') {
            Some((before, _)) if name(before).is_some() => item.split_at(before.len() + 1),
            // A name that lacks its colon, perhaps with the secret behind it.
            _ if !in_secret => {
                let begin = item.len() - item.trim_start().len();
                let word = item[begin..].find(char::is_whitespace).map_or(item.len(), |end| begin + end);
                item.split_at(word)
            }
            _ => ("", item),
        };
        let named = name(head.trim_end_matches(':'));
        in_secret = match named {
            Some(name) => is_secret(&name),
            None => in_secret,
        };
        out.push_str(head);
        let secret = value.trim();
        if in_secret && !secret.is_empty() {
            let lead = value.len() - value.trim_start().len();
            out.push_str(&value[..lead]);
            out.push_str(&replaced(secret));
            out.push_str(&value[lead + secret.len()..]);
        } else {
            out.push_str(value);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_the_mistake_and_secrets_are_stars() {
        let shown = wrong("X-Api-Key: s3cret, oops, X-A: b").unwrap().into_string();
        assert!(shown.contains("no colon between name and value"), "{shown}");
        assert!(!shown.contains("s3cret"), "{shown}");
        let shown = wrong("X-A: b, oops").unwrap().into_string();
        assert!(
            shown.contains("X-A: b, oops\n        <span class=\"bad\">^^^^</span>"),
            "the caret is below: {shown}"
        );
        let quoted = wrong("X-A: \"a,b\", X-B: c\\, d, oops").unwrap().into_string();
        assert!(quoted.contains("In pair 3: "), "{quoted}");
        assert!(wrong("X-A: b, X-Api-Key: s3cret").is_none());
        let markup = wrong("<script>alert(1)</script>").unwrap().into_string();
        assert!(!markup.contains("<script>"), "{markup}");
    }

    #[test]
    fn whatever_may_be_a_secret_is_hidden() {
        for (list, hidden) in [
            ("X-A: b, Authorization: Bearer s3cret, X-C: d", "X-A: b, Authorization: ***, X-C: d"),
            ("X-Api-Key: one,two, X-C: d", "X-Api-Key: ***,***, X-C: d"),
            ("Authorization Bearer s3cret", "Authorization ***"),
            ("X-Token: \"a, b\"", "X-Token: ***"),
            ("X-Token: \"a, b", "X-Token: ***, ***"),
            ("plain", "plain"),
            ("", ""),
        ] {
            assert_eq!(shown(list), hidden);
            assert_eq!(masked(list, |secret| "*".repeat(secret.len())).len(), list.len());
        }
    }
}

//! JSON for reading: the bytes as they are, with line breaks between. Numbers, names and their order stay as they were sent,
//! which a parser would not promise.

use std::collections::HashSet;

use maud::{Markup, html};

/// The text with a line for each member and item. What is no JSON comes out as something, and nothing is lost.
pub(super) fn indent(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if quoted {
            out.push(character);
            quoted = escaped || character != '"';
            escaped = !escaped && character == '\\';
            continue;
        }
        match character {
            '{' | '[' => {
                out.push(character);
                let closing = if character == '{' { '}' } else { ']' };
                if characters.peek() == Some(&closing) {
                    continue;
                }
                depth += 1;
                line(&mut out, depth);
            }
            '}' | ']' => {
                if !out.ends_with(['{', '[']) {
                    depth = depth.saturating_sub(1);
                    line(&mut out, depth);
                }
                out.push(character);
            }
            ',' => {
                out.push(',');
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            '"' => {
                out.push('"');
                quoted = true;
            }
            space if space.is_ascii_whitespace() => {}
            other => out.push(other),
        }
    }
    out
}

/// Deeper than this nothing is indented further: a body of brackets alone would grow with its square.
const MAX_INDENT: usize = 32;

fn line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth.min(MAX_INDENT)));
}

/// How long a body may be to be shown, in bytes: as lines, with their indents, it is many times that.
pub(super) const MAX_SHOWN: usize = 64 * 1024;

/// A body for reading, or how long it is.
pub(super) fn shown(text: &str) -> Markup {
    html! {
        @if text.len() > MAX_SHOWN { (too_long(text)) }
        @else { pre.body tabindex="0" { (indent(text)) } }
    }
}

fn too_long(text: &str) -> Markup {
    html! { p.faint { "The body has " (text.len()) " bytes; up to " (MAX_SHOWN) " are shown here. The API and " code { "deliveries show" } " have all of it." } }
}

/// Two texts side by side, with the lines marked that the other one has not.
pub(super) fn beside((before, one): (&str, &str), (after, other): (&str, &str)) -> Markup {
    if one.len().max(other.len()) > MAX_SHOWN {
        return too_long(if one.len() > other.len() { one } else { other });
    }
    let (one, other) = (indent(one), indent(other));
    // The last member of an object has no comma; that alone is no difference.
    let bare = |line: &'_ str| line.trim_end_matches(',').to_owned();
    let lines = |text: &str| text.lines().map(bare).collect::<HashSet<_>>();
    let (in_one, in_other) = (lines(&one), lines(&other));
    let column = |title: &str, text: &str, there: &HashSet<String>, class: &str| {
        html! {
            figure {
                figcaption { (title) }
                pre.body tabindex="0" {
                    @for line in text.lines() {
                        @if there.contains(&bare(line)) { (line) "\n" }
                        @else { span class=(class) { (line) } "\n" }
                    }
                }
            }
        }
    };
    html! {
        div.beside {
            (column(before, &one, &in_other, "removed"))
            (column(after, &other, &in_one, "added"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_broken_into_lines_and_stays_what_it_was() {
        let text = r#"{"a":[1,0.00,{"b":"x, \"y\": {"}],"c":{},"d":[],"e":"\\"}"#;
        let indented = indent(text);
        assert_eq!(
            indented,
            "{\n  \"a\": [\n    1,\n    0.00,\n    {\n      \"b\": \"x, \\\"y\\\": {\"\n    }\n  ],\n  \"c\": {},\n  \"d\": [],\n  \"e\": \"\\\\\"\n}"
        );
        assert_eq!(indent(&indented), indented);
        for odd in ["", "]", "{", "\"", "[[[", "é", "{\"a\":"] {
            indent(odd);
        }
        assert!(indent(&"[".repeat(10_000)).len() < 10_000 * 80);
        let long = format!("[{}1]", "1,".repeat(MAX_SHOWN));
        assert!(
            shown(&long).into_string().len() < 500
                && beside(("a", "1"), ("b", &long)).into_string().len() < 500
        );
    }

    #[test]
    fn a_body_is_shown_up_to_its_bound() {
        for (bytes, is_shown) in [(MAX_SHOWN, true), (MAX_SHOWN + 1, false)] {
            let long = format!("\"{}\"", "x".repeat(bytes - 2));
            for page in [shown(&long), beside(("a", "1"), ("b", &long)), beside(("a", &long), ("b", "1"))] {
                let page = page.into_string();
                assert_eq!(page.contains("xxx"), is_shown, "{bytes}");
                assert_eq!(page.contains("The body has 65537 bytes"), !is_shown, "{bytes}");
            }
        }
    }

    #[test]
    fn what_differs_is_marked_and_what_is_markup_is_text() {
        let shown = beside(("was", r#"{"id":"<b>","x":1}"#), ("is", r#"{"event":"<b>"}"#)).into_string();
        assert!(
            shown.contains("<span class=\"added\">  &quot;event&quot;: &quot;&lt;b&gt;&quot;</span>"),
            "{shown}"
        );
        assert!(
            shown.contains("<span class=\"removed\">  &quot;x&quot;: 1</span>") && !shown.contains("<b>")
        );
    }
}

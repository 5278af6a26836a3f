//! A Headers field and the ways in which it can be read. No product documents how a comma or a quote in a value is to be
//! written, so what one sender makes of a text another may not.

use delivery::target::headers::{HeaderList, Place, is_secret};
use http::HeaderName;

use crate::show;

/// What one reading makes of the text: lines, and items that are none.
struct Reading {
    rule: &'static str,
    lines: Vec<Result<(String, String), String>>,
}

/// The readings, and whether the one that is used takes the text.
pub(super) fn explain(text: &str) -> (Vec<String>, bool) {
    let used = HeaderList::parse(text);
    let (good, odd) = (show::GOOD, show::ODD);
    let rule = "commas between quotes do not separate, \\, is a comma, quotes are sent";
    let mut out = vec![format!("{good}used here{good:#}: {rule}")];
    let ours = match &used {
        Ok(list) => Some(Reading {
            rule: "",
            lines: list
                .iter()
                .map(|line| {
                    Ok((line.name().to_string(), line.value().to_str().unwrap_or_default().to_owned()))
                })
                .collect(),
        }),
        Err(errors) => {
            for error in errors {
                let told = match &error.place {
                    // The text would show the secret.
                    Place::Span(span) if has_secret(text) => {
                        format!("error: {} (at byte {})", error.fault, span.start)
                    }
                    Place::Span(span) => {
                        show::caret(text, span, &error.fault.to_string(), &error.help(), "headers")
                    }
                    Place::Entry(..) => error.to_string(),
                };
                out.extend(told.lines().map(|line| format!("  {line}")));
            }
            None
        }
    };
    let open = ours.as_ref().map_or_else(Vec::new, not_secret);
    out.extend(ours.iter().flat_map(|ours| shown(ours, &open)));
    let others = [every_comma(text), before_a_name(text), unquoted(ours.as_ref())];
    for other in others.into_iter().flatten() {
        let same = ours.as_ref().is_some_and(|ours| agree(ours, &other));
        if same {
            out.push(format!("{}: the same", other.rule));
        } else {
            out.push(format!("{odd}{}{odd:#}: otherwise", other.rule));
            out.extend(shown(&other, &open));
        }
    }
    (out, used.is_ok())
}

fn has_secret(text: &str) -> bool {
    let name = |item: &str| item.split_once(':').and_then(|(name, _)| name.trim().parse::<HeaderName>().ok());
    text.split(',').filter_map(name).any(|name| is_secret(&name))
}

fn agree(one: &Reading, other: &Reading) -> bool {
    let normal = |reading: &Reading| -> Vec<_> {
        reading
            .lines
            .iter()
            .map(|line| line.clone().map(|(name, value)| (name.to_ascii_lowercase(), value)))
            .collect()
    };
    normal(one) == normal(other)
}

/// A line in the reading that is used, which holds no secret.
type Open = (String, String);

fn not_secret(ours: &Reading) -> Vec<Open> {
    let lines = ours.lines.iter().flatten();
    let lines = lines.filter(|(name, _)| !names_a_secret(name));
    lines.map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect()
}

fn names_a_secret(name: &str) -> bool {
    name.parse::<HeaderName>().is_ok_and(|name| is_secret(&name))
}

/// What follows a secret may be its rest, however this reading takes it: it is shown only if the reading that is used says
/// that it is a line of its own.
fn shown(reading: &Reading, open: &[Open]) -> Vec<String> {
    let mut after_secret = false;
    let line = |line: &Result<(String, String), String>| match line {
        Ok((name, _)) if names_a_secret(name) => {
            after_secret = true;
            format!("  {}: ***", show::printable(name))
        }
        Ok((name, value)) if after_secret && !open.contains(&(name.to_ascii_lowercase(), value.clone())) => {
            "  *** (it may be a part of the secret)".to_owned()
        }
        Ok((name, value)) => format!("  {}: {}", show::printable(name), show::printable(value)),
        Err(_) if after_secret => "  *** (no colon: no header)".to_owned(),
        Err(item) => format!("  {} (no colon: no header)", show::printable(item)),
    };
    reading.lines.iter().map(line).collect()
}

fn item(text: &str) -> Option<Result<(String, String), String>> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    Some(match text.split_once(':') {
        Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
        None => Err(text.to_owned()),
    })
}

/// The plainest: whatever stands between commas.
fn every_comma(text: &str) -> Option<Reading> {
    Some(Reading { rule: "every comma separates", lines: text.split(',').filter_map(item).collect() })
}

/// A comma separates only where a name and a colon follow.
fn before_a_name(text: &str) -> Option<Reading> {
    let mut lines: Vec<String> = Vec::new();
    for part in text.split(',') {
        let name = part.split_once(':').map(|(name, _)| name.trim());
        let begins = name.is_some_and(|name| name.parse::<HeaderName>().is_ok());
        match lines.last_mut() {
            Some(last) if !begins => {
                last.push(',');
                last.push_str(part);
            }
            _ => lines.push(part.to_owned()),
        }
    }
    let lines = lines.iter().filter_map(|line| item(line)).collect();
    Some(Reading { rule: "a comma separates where a name and a colon follow", lines })
}

/// Values that are quoted strings lose their quotes (RFC 9110, section 5.6.4).
fn unquoted(ours: Option<&Reading>) -> Option<Reading> {
    let lines = ours?.lines.iter().cloned().map(|line| {
        line.map(|(name, value)| {
            let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
            let inner = inner.map(|inner| inner.replace("\\\"", "\"").replace("\\\\", "\\"));
            (name, inner.unwrap_or(value))
        })
    });
    Some(Reading { rule: "quotes around a value are not sent", lines: lines.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        explain(text).0.join("\n")
    }

    #[test]
    fn readings_that_differ_are_shown_and_those_that_agree_are_said_to() {
        assert_eq!(told("A: 1, B: 2").matches(": the same").count(), 3);
        let comma = told("A: \"1, 2\", Api-Key: hidden");
        assert!(
            comma.contains("every comma separates") && comma.contains("2\" (no colon: no header)"),
            "{comma}"
        );
        assert!(comma.contains("Api-Key: ***") && !comma.contains("hidden"), "{comma}");
        assert!(comma.contains("  a: 1, 2"), "quotes are not sent: {comma}");
        assert!(!told("Api-Key: hid,den").contains("den"), "the rest of a secret is one");
        let inside = told("Api-Key: \"a,b: hidden\", C: d");
        assert!(!inside.contains("hidden") && inside.contains("  C: d"), "{inside}");
        let (broken, well) = explain("A: 1, oops");
        assert!(!well && broken.join("\n").contains("no colon between name and value"), "{broken:?}");
    }
}

//! How things look on a terminal. What came over the network is made printable first: it could move the cursor.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use anstyle::{AnsiColor, Style};
use payload::Update;
use serde_json::Value;

pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const ODD: Style = AnsiColor::Yellow.on_default();
pub(crate) const FAINT: Style = Style::new().dimmed();

/// How many findings of one check are shown; `--json` has them all.
pub(crate) const MAX_PROBLEMS: usize = 6;

/// Whether a line was lost, because nobody reads standard output any more or it cannot be written.
static LOST: AtomicBool = AtomicBool::new(false);

/// A line on standard output. That nobody reads on is no reason to stop working; [`is_lost`] tells.
pub(crate) fn println(line: &str) {
    use std::io::Write;
    if writeln!(anstream::stdout().lock(), "{line}").is_err() {
        LOST.store(true, Ordering::Relaxed);
    }
}

/// Whether what was printed last went nowhere.
pub(crate) fn is_lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// Whether a person looks at standard output.
pub(crate) fn is_terminal() -> bool {
    std::io::IsTerminal::is_terminal(&std::io::stdout())
}

/// A text without control characters: they are shown as escapes, and so are the marks that turn the writing direction.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let harmful = |character: char| {
        character.is_control()
            || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(harmful) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::new();
    for character in text.chars() {
        if harmful(character) { shown.extend(character.escape_default()) } else { shown.push(character) }
    }
    Cow::Owned(shown)
}

/// An error under the text it is in, with a caret at its place.
pub(crate) fn caret(text: &str, span: &Range<usize>, title: &str, help: &str, origin: &str) -> String {
    // A caret needs a character to stand under, and a text of one line.
    let shown: String =
        text.chars().map(|c| if c.is_control() && c != '\t' { '\u{2423}' } else { c }).collect();
    let same = shown.len() == text.len();
    if !same {
        return format!("error: {origin}: {title} (at byte {} of {:?})\n  {help}", span.start, text);
    }
    let snippet = Snippet::source(&*shown)
        .path(origin)
        .annotation(AnnotationKind::Primary.span(span.clone()).label("here"));
    let error = Level::ERROR.primary_title(title).element(snippet);
    let help: Vec<Group<'_>> =
        help.lines().map(|line| Group::with_title(Level::HELP.secondary_title(line))).collect();
    let report: Vec<_> = std::iter::once(error).chain(help).collect();
    Renderer::styled().render(&report)
}

/// An update in a few words: its alert type, and as much of its event's id as tells events apart.
pub(crate) fn update(body: &[u8]) -> String {
    let Ok(update) = Update::parse(body.to_vec()) else { return "(no update)".to_owned() };
    event(&update.alerttype().unwrap_or_default(), &update.id().unwrap_or_default())
}

/// The same of what is known of it.
pub(crate) fn event(kind: &str, id: &str) -> String {
    format!("{:<7} {}", printable(kind), short(&printable(id)))
}

fn short(id: &str) -> String {
    match id.char_indices().nth(13) {
        Some((cut, _)) if id.len() > 16 => format!("{}…", &id[..cut]),
        _ => id.to_owned(),
    }
}

/// A duration at the precision that a person cares for.
pub(crate) fn duration(duration: Duration) -> String {
    let millis = duration.as_secs_f64() * 1000.0;
    if millis < 10.0 {
        format!("{millis:.1} ms")
    } else if millis < 1000.0 {
        format!("{millis:.0} ms")
    } else {
        format!("{:.1} s", millis / 1000.0)
    }
}

/// The time of day, in UTC.
pub(crate) fn time(at: SystemTime) -> String {
    jiff::Timestamp::try_from(at).map_or_else(|_| String::new(), |at| at.strftime("%H:%M:%SZ").to_string())
}

/// How much of a response is shown, in characters, if it is not one that we can read.
const EXCERPT: usize = 300;

/// What a receiver says: the failed checks if it is one of ours, else the start of its text.
pub(crate) fn said(body: &str) -> Vec<String> {
    let read: Option<Value> = serde_json::from_str(body).ok();
    let failed = read.as_ref().and_then(|read| read.get("failed")).and_then(Value::as_array);
    if let Some(failed) = failed {
        let part =
            |problem: &Value, name: &str| problem.get(name).and_then(Value::as_str).unwrap_or("?").to_owned();
        let line = |problem: &Value| {
            let (check, what) = (part(problem, "check"), part(problem, "what"));
            let (expected, got) = (part(problem, "expected"), part(problem, "got"));
            printable(&format!("{check}: {what}: expected {expected}, got {got}")).into_owned()
        };
        return failed.iter().take(20).map(line).collect();
    }
    let trimmed = body.trim();
    if trimmed.is_empty() {
        return Vec::new();
    }
    let cut: String = trimmed.chars().take(EXCERPT).collect();
    vec![printable(&cut).into_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_move_the_cursor_is_escaped() {
        assert_eq!(printable("a\u{1b}[2Jb\r\n"), "a\\u{1b}[2Jb\\r\\n");
        assert_eq!(printable("\u{202e}abc"), "\\u{202e}abc");
        assert_eq!(printable("plain ä 😀"), "plain ä 😀");
    }
}

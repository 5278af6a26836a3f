//! Durations as people type them.

use std::time::Duration;

/// Reads `15s`, `2m`, `1h 30m`, `250ms`.
///
/// # Errors
/// A sentence that says what a duration looks like.
pub fn duration(text: &str) -> Result<Duration, String> {
    let read = text.parse::<jiff::SignedDuration>().ok().and_then(|read| Duration::try_from(read).ok());
    read.ok_or_else(|| format!("{text:?} is no duration, such as 15s, 2m or 24h"))
}

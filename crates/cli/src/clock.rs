//! The one place of the program that reads a clock.

use std::time::SystemTime;

/// Now.
#[expect(clippy::disallowed_methods, reason = "this is the named file that reads the clock")]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}

/// Now in Unix seconds.
pub(crate) fn unix_seconds() -> u64 {
    wall().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Lets a while pass.
#[expect(clippy::disallowed_methods, reason = "this is the named file that waits for time to pass")]
pub(crate) async fn sleep(pause: std::time::Duration) {
    tokio::time::sleep(pause).await;
}

//! Takes the configuration over when it changed, or when SIGHUP says so: all of it, or nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use portal::Portal;
use sender::Settings;
use sender::settings::Guarding;
use tokio::signal::unix::Signal;

use crate::clock::sleep;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What tells a file from what it was: when it changed, and how long it is.
type Look = Option<(SystemTime, u64)>;

pub(super) fn look(path: &Path) -> Look {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// What was seen of the file, and what of it is in force.
struct Seen {
    taken: Look,
    last: Look,
    /// Whether somebody asked for it since.
    asked: bool,
}

impl Seen {
    /// Whether it is time to take it over. Who writes it may not be done: what is half written may be right, and lack
    /// integrations that others wait for; so it must look the same twice, also if somebody asks.
    fn is_due(&mut self, now: Look) -> bool {
        let settled = now == self.last;
        self.last = now;
        let due = settled && (self.asked || (now.is_some() && now != self.taken));
        if due {
            (self.taken, self.asked) = (now, false);
        }
        due
    }
}

/// Takes the file over when it changes, and when `signal` asks for it.
pub(super) async fn reload(
    (path, taken): (PathBuf, Look),
    mut signal: Option<Signal>,
    guarding: Guarding,
    portal: Arc<Portal>,
) {
    let mut seen = Seen { taken, last: taken, asked: false };
    loop {
        let asked = async {
            match &mut signal {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = asked => {
                // Two looks are some time apart, always.
                seen.asked = true;
                continue;
            }
            () = sleep(LOOK) => {}
        }
        if !seen.is_due(look(&path)) {
            continue;
        }
        let read = Settings::read(&path, guarding);
        if look(&path) != seen.taken {
            // It was written just then.
            seen.taken = None;
            continue;
        }
        match read {
            Ok(settings) => {
                let integrations = settings.integrations.len();
                match portal.set_up(settings).await {
                    Ok(()) => tracing::info!(integrations, "the configuration was taken over"),
                    Err(error) => {
                        tracing::error!(%error, "the configuration could not be taken over; it is tried again");
                        seen.taken = None;
                    }
                }
            }
            Err(error) => {
                for mistake in error.to_string().lines() {
                    tracing::error!(mistake, "the configuration is wrong; the one before stays in force");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_taken_over_once_when_it_has_come_to_rest() {
        let at = |seconds| Some((SystemTime::UNIX_EPOCH + Duration::from_secs(seconds), seconds));
        let mut seen = Seen { taken: at(1), last: at(1), asked: false };
        for (now, asked, due) in [
            (at(1), false, false),
            (at(2), false, false),
            (at(3), false, false),
            (at(3), false, true),
            (at(3), false, false),
            (None, false, false),
            (None, false, false),
            (at(4), false, false),
            (at(4), false, true),
            (at(4), true, true),
            (at(5), true, false),
            (at(6), false, false),
            (at(6), false, true),
            (None, true, false),
            (None, false, true),
            (None, false, false),
        ] {
            seen.asked |= asked;
            assert_eq!(seen.is_due(now), due, "{now:?} {asked}");
        }
    }
}

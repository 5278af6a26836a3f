//! Takes the configuration over when it changed, or when SIGHUP says so: all of it, or nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use portal::Portal;
use sender::Settings;
use sender::settings::Guarding;

use super::hang_up;
use crate::clock::sleep;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What tells a file from what it was: when it changed, and how long it is.
type Look = Option<(SystemTime, u64)>;

pub(super) fn look(path: &Path) -> Look {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

pub(super) async fn reload((path, mut taken): (PathBuf, Look), guarding: Guarding, portal: Arc<Portal>) {
    let mut signal = hang_up();
    loop {
        let asked = async {
            match &mut signal {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        let asked = tokio::select! {
            _ = asked => true,
            () = sleep(LOOK) => false,
        };
        let now = look(&path);
        if !asked && (now.is_none() || now == taken) {
            continue;
        }
        taken = now;
        match Settings::read(&path, guarding) {
            Ok(settings) => {
                let integrations = settings.integrations.len();
                match portal.set_up(settings).await {
                    Ok(()) => tracing::info!(integrations, "the configuration was taken over"),
                    Err(error) => tracing::error!(%error, "the configuration could not be taken over"),
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

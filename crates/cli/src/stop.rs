//! The signals that end a command, Ctrl-C and the termination signal: the first asks it to end, a second ends it at once.

use delivery::tasks::{Task, spawn};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::exit::{CANNOT_RUN, Failure};

/// Listens for them from when it is made until it is dropped. It is made before the first line that tells somebody that the
/// command is at work: who reads that and signals at once is heard too.
#[derive(Debug)]
pub(crate) struct Stop {
    asked: watch::Receiver<bool>,
    _listening: Task<()>,
}

impl Stop {
    /// From here on the first signal is for [`asked`](Self::asked), and no longer ends the process by itself. A second one does,
    /// whatever the command waits for then, after `told` has told so.
    ///
    /// # Errors
    /// If the system gives nothing to listen with.
    pub(crate) fn listen(told: fn()) -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| Failure::cannot_run(format!("error: cannot listen for signals: {error}")))
        };
        let (mut interrupted, mut terminated) =
            (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
        let (ask, asked) = watch::channel(false);
        let listening = async move {
            for again in [false, true] {
                tokio::select! {
                    _ = interrupted.recv() => {}
                    _ = terminated.recv() => {}
                }
                if again {
                    told();
                    std::process::exit(CANNOT_RUN.into());
                }
                ask.send_replace(true);
            }
        };
        Ok(Self { asked, _listening: spawn(listening) })
    }

    /// Until the first one comes, or at once if it came. Cancel safe.
    pub(crate) async fn asked(&self) {
        // Whoever would tell lives as long as this.
        let _ = self.asked.clone().wait_for(|asked| *asked).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Signal, getpid, kill_process};

    #[tokio::test]
    async fn a_signal_that_comes_before_it_is_waited_for_is_heard() {
        for sent in [Signal::INT, Signal::TERM] {
            let stop = Stop::listen(|| {}).unwrap();
            kill_process(getpid(), sent).unwrap();
            stop.asked().await;
            stop.asked().await;
        }
    }
}

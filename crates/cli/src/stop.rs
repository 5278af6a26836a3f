//! The signals that end a command: Ctrl-C and the termination signal.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Failure;

/// Listens for them from when it is made, before anything is told or begun: who reads the first line and signals at once is
/// heard too.
#[derive(Debug)]
pub(crate) struct Stop {
    interrupted: Signal,
    terminated: Signal,
}

impl Stop {
    /// From here on a signal waits for [`asked`](Self::asked), and no longer ends the process by itself.
    ///
    /// # Errors
    /// If the system gives nothing to listen with.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| Failure::cannot_run(format!("error: cannot listen for signals: {error}")))
        };
        Ok(Self {
            interrupted: listen(SignalKind::interrupt())?,
            terminated: listen(SignalKind::terminate())?,
        })
    }

    /// Until one comes, or at once if one came that nobody was told of. Cancel safe.
    pub(crate) async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupted.recv() => {}
            _ = self.terminated.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Signal, getpid, kill_process};

    #[tokio::test]
    async fn a_signal_that_comes_before_it_is_waited_for_is_heard() {
        for sent in [Signal::INT, Signal::TERM] {
            let mut stop = Stop::listen().unwrap();
            kill_process(getpid(), sent).unwrap();
            stop.asked().await;
        }
    }
}

//! `--stdin`: updates from standard input, one JSON object a line. Standard input waits while the queue is full.

use std::io::{BufRead, Read};
use std::sync::Arc;
use std::time::Duration;

use payload::Update;
use portal::Portal;
use tokio::sync::mpsc;

use crate::clock::sleep;

/// How many lines wait to be taken in.
const MAX_LINES: usize = 256;

/// How long to wait before a refused update is handed in again.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) async fn take_in(portal: Arc<Portal>) {
    let (lines, mut read) = mpsc::channel(MAX_LINES);
    // The thread ends with standard input, or with the process.
    let reader = std::thread::Builder::new().name("stdin".to_owned()).spawn(move || read_lines(&lines));
    if let Err(error) = reader {
        tracing::error!(%error, "standard input cannot be read");
        return;
    }
    let mut batch = Vec::new();
    while read.recv_many(&mut batch, MAX_LINES).await > 0 {
        let updates: Vec<Update> = batch.drain(..).filter_map(parse).collect();
        while let Err(error) = portal.sender.accept(&updates).await {
            tracing::warn!(%error, "updates from standard input are not taken in yet");
            sleep(PAUSE).await;
        }
    }
    tracing::info!("standard input ended");
}

fn parse((number, line): (u64, Vec<u8>)) -> Option<Update> {
    match Update::parse(line) {
        Ok(update) => Some(update),
        Err(error) => {
            tracing::error!(line = number, %error, "a line of standard input is no update");
            None
        }
    }
}

fn read_lines(lines: &mpsc::Sender<(u64, Vec<u8>)>) {
    let mut input = std::io::stdin().lock();
    for number in 1.. {
        let mut line = Vec::new();
        let limit = payload::MAX_BYTES as u64 + 1;
        match input.by_ref().take(limit).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) if line.iter().all(u8::is_ascii_whitespace) => {}
            Ok(_) => {
                if lines.blocking_send((number, line)).is_err() {
                    return;
                }
            }
        }
    }
}

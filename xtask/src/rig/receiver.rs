//! A receiver that keeps account of what comes, and answers as it is told to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::{Dice, now};

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// 200 always.
    Well,
    /// Now and then 500, 503, or a connection that breaks off.
    Moody,
    /// 500 always.
    Failing,
    /// Never.
    Silent,
}

/// What came.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) path: String,
    pub(crate) event: String,
    pub(crate) count: u64,
    pub(crate) body: String,
    pub(crate) at: Instant,
    /// Whether it was taken: answered with 200.
    pub(crate) taken: bool,
}

pub(crate) struct Receiver {
    pub(crate) address: String,
    arrivals: Arc<Mutex<Vec<Arrival>>>,
    stopped: Arc<AtomicBool>,
}

impl Receiver {
    /// Listens at `address`; port 0 takes a free one. `mood` says how requests to a path are answered.
    pub(crate) fn start(address: &str, seed: u64, mood: fn(&str) -> Mood) -> Result<Self, String> {
        let listener = TcpListener::bind(address).map_err(|error| format!("{address}: {error}"))?;
        let address = listener.local_addr().map_err(|error| error.to_string())?.to_string();
        let arrivals: Arc<Mutex<Vec<Arrival>>> = Arc::default();
        let stopped: Arc<AtomicBool> = Arc::default();
        let (log, end) = (Arc::clone(&arrivals), Arc::clone(&stopped));
        std::thread::spawn(move || {
            for (number, stream) in (0..).zip(listener.incoming()) {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (log, end) = (Arc::clone(&log), Arc::clone(&end));
                let dice = Dice::new(seed.wrapping_add(number));
                std::thread::spawn(move || drop(serve(stream, &log, &end, dice, mood)));
            }
        });
        Ok(Self { address, arrivals, stopped })
    }

    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Drop for Receiver {
    /// Nobody listens any more when this returns, and what is open is closed with the next request.
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // The listener wakes, sees that it is to end, and is gone.
        let _ = TcpStream::connect(&self.address);
        while TcpStream::connect(&self.address).is_ok() {
            std::thread::yield_now();
        }
    }
}

fn serve(
    stream: TcpStream,
    log: &Mutex<Vec<Arrival>>,
    end: &AtomicBool,
    mut dice: Dice,
    mood: fn(&str) -> Mood,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut answer = stream.try_clone()?;
    let mut read = BufReader::new(stream);
    loop {
        let (mut path, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if read.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let line = line.trim_end();
            if path.is_empty() {
                line.split(' ').nth(1).unwrap_or("/").clone_into(&mut path);
            } else if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap_or(0);
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        read.read_exact(&mut body)?;
        if end.load(Ordering::SeqCst) {
            return Ok(());
        }
        let status = match mood(&path) {
            Mood::Well => 200,
            Mood::Failing => 500,
            Mood::Silent => 0,
            // A 503 slows the whole lane for a second, so it is rare.
            Mood::Moody => match dice.below(4000) {
                0..100 => 500,
                100..200 => 0,
                200 => 503,
                _ => 200,
            },
        };
        let update: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let event = update["id"].as_str().unwrap_or_default().to_owned();
        let count = update["updatecount"].as_u64().unwrap_or(0);
        let body = String::from_utf8_lossy(&body).into_owned();
        let arrival = Arrival { path: path.clone(), event, count, body, at: now(), taken: status == 200 };
        log.lock().unwrap_or_else(PoisonError::into_inner).push(arrival);
        if status == 0 && mood(&path) == Mood::Silent {
            // The other side gives up first; then this read ends.
            let _ = read.read(&mut [0]);
            return Ok(());
        }
        if status == 0 {
            return Ok(());
        }
        write!(answer, "HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n")?;
    }
}

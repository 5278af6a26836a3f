//! What trials of the server are made of: the built server in a folder, a receiver that keeps account, a load that keeps
//! account, and plain HTTP between them. Everything is on loopback.

mod load;
mod receiver;
mod server;

pub(crate) use load::{Load, sample, update};
pub(crate) use receiver::{Arrival, Mood, Receiver};
pub(crate) use server::Server;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// How long anything on loopback may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Now. Trials measure time, so this is the one place of the runner that reads the clock.
#[expect(clippy::disallowed_methods, reason = "this is the named file that reads the clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Lets a while pass: a trial's load and kills are spread over time.
#[expect(clippy::disallowed_methods, reason = "a trial lets time pass")]
pub(crate) fn pause(length: Duration) {
    std::thread::sleep(length);
}

/// A generator of numbers that a seed repeats (xorshift, Marsaglia 2003).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end.max(1)
    }
}

/// One request over a connection of its own; its status and its body.
pub(crate) fn request(address: &str, method: &str, path: &str, body: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let broken = || std::io::Error::other("the answer broke off");
    let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or_else(broken)?;
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).ok_or_else(broken)?;
    Ok((status, body))
}

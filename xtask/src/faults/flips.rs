//! One flipped bit at a time in a store with a backlog: each acknowledged update arrives as it was, or is reported.

use std::collections::HashSet;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::End;
use crate::crash::configuration;
use crate::rig::{Dice, Mood, Receiver, Server, now, pause, request, sample, update};
use crate::run::target;

/// How many updates wait in the store.
const UPDATES: u64 = 200;

/// How long a damaged server is waited for.
const PATIENCE: Duration = Duration::from_millis(1500);

pub(super) fn flips(trials: u64) -> Result<End, String> {
    let receiver = Receiver::start("127.0.0.1:0", 1, |_| Mood::Well)?;
    let address = receiver.address.clone();
    drop(receiver);
    let mut server = Server::new("flips", &configuration(&address))?;
    server.start()?;
    let sample = sample()?;
    let mut bodies = HashSet::new();
    for number in 0..UPDATES {
        if number == UPDATES / 2 {
            // A start writes the log into the file: one half is there, the other in the log.
            server.kill();
            server.start()?;
        }
        let body = update(&sample, &format!("flip {}", number / 2), number % 2 + 1);
        match request(&server.address, "POST", "/v1/updates", &body) {
            Ok((202, _)) => drop(bodies.insert(body)),
            other => return Err(format!("the server refuses: {other:?}")),
        }
    }
    server.kill();
    let (data, whole) = (server.data(), server.folder().join("whole"));
    copy(&data, &whole)?;
    let (mut dice, mut counts) = (Dice::new(7), [0_u64; 4]);
    let mut silent = Vec::new();
    for trial in 0..trials {
        copy(&whole, &data)?;
        let place = flip(&data, &mut dice)?;
        let receiver = Receiver::start(&address, trial, |_| Mood::Well)?;
        match judge(&mut server, &receiver, &bodies)? {
            Verdict::Unhurt => counts[0] += 1,
            Verdict::Reported => counts[1] += 1,
            Verdict::Refused => counts[2] += 1,
            Verdict::Silent(why) => {
                counts[3] += 1;
                silent.push(format!("{place}: {why}"));
            }
        }
        server.kill();
    }
    let text = format!(
        "{trials} flips: {} without effect, {} reported while it ran, {} noticed at the start, {} silent {}",
        counts[0],
        counts[1],
        counts[2],
        counts[3],
        silent.join("; ")
    );
    Ok(if counts[3] == 0 { End::Held(text) } else { End::Broken(text) })
}

enum Verdict {
    Unhurt,
    Reported,
    Refused,
    Silent(String),
}

fn judge(server: &mut Server, receiver: &Receiver, bodies: &HashSet<String>) -> Result<Verdict, String> {
    if server.start().is_err() {
        return Ok(Verdict::Refused);
    }
    let end = now() + PATIENCE;
    while server.backlog() != Some(0) && now() < end {
        pause(Duration::from_millis(5));
    }
    let arrived: HashSet<String> = receiver.arrivals().into_iter().map(|arrival| arrival.body).collect();
    if let Some(wrong) = arrived.iter().find(|body| !bodies.contains(*body)) {
        return Ok(Verdict::Silent(format!("a wrong body was sent: {wrong}")));
    }
    let missing = bodies.difference(&arrived).count();
    if missing == 0 {
        return Ok(Verdict::Unhurt);
    }
    let state = server.get("/v1/status").and_then(|status| Some(status["state"].as_str()? != "ready"));
    let dead = server
        .get("/v1/deliveries?state=dead")
        .and_then(|list| Some(!list["deliveries"].as_array()?.is_empty()));
    if state != Some(false) || dead == Some(true) {
        return Ok(Verdict::Reported);
    }
    let checked = Command::new(target().join("release/fusion-webhook"))
        .args(["store", "check", "--data"])
        .arg(server.data())
        .output()
        .map_err(|error| error.to_string())?;
    if checked.status.code() == Some(0) {
        return Ok(Verdict::Silent(format!("{missing} are missing and nothing says so")));
    }
    Ok(Verdict::Reported)
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", to.display());
    let _ = std::fs::remove_dir_all(to);
    std::fs::create_dir_all(to).map_err(failed)?;
    for entry in std::fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        // The reserve is made anew, and is large.
        if entry.file_name() != "reserve" {
            std::fs::copy(entry.path(), to.join(entry.file_name())).map_err(failed)?;
        }
    }
    Ok(())
}

/// Flips one bit of the records; says where.
fn flip(data: &Path, dice: &mut Dice) -> Result<String, String> {
    let files = ["store.sqlite", "store.sqlite-wal"];
    let sizes = files.map(|file| std::fs::metadata(data.join(file)).map_or(0, |metadata| metadata.len()));
    // The log is many times as long as the file, and any flip in it is noticed alike: most flips are in the file.
    let index = usize::from(dice.below(10) == 0 && sizes[1] > 0);
    let offset = dice.below(sizes[index]);
    let path = data.join(files[index]);
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let file = std::fs::OpenOptions::new().read(true).write(true).open(&path).map_err(failed)?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).map_err(failed)?;
    byte[0] ^= 1 << dice.below(8);
    file.write_all_at(&byte, offset).map_err(failed)?;
    Ok(format!("{} at {offset}", files[index]))
}

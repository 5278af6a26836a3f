//! Faults of the disk under the built server: full, failing calls, flipped bits, power cuts. After each, what arrived is held
//! against what was acknowledged.
//!
//! What a machine does not allow is skipped with a line that says so; in CI that is a failure.

mod flips;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::crash::{Account, account, configuration};
use crate::rig::{Load, Mood, Receiver, Server, now, pause, request, sample, update};

/// How long the rest may take to arrive.
const REST: Duration = Duration::from_secs(60);

/// How a trial ended.
enum End {
    Held(String),
    Broken(String),
    Skipped(String),
}

/// Runs all trials; a sample of the systematic ones, or all of them.
pub(crate) fn faults(sample_only: bool) -> Result<(), String> {
    let every: Vec<u64> = (1..=60).chain((70..=700).step_by(30)).collect();
    let numbers = if sample_only { vec![2, 12, 40, 100, 250] } else { every };
    let (flips, cuts) = if sample_only { (200, 20) } else { (2000, 200) };
    let trials: [(&str, Trial); 6] = [
        ("a full disk", Box::new(full_disk)),
        ("failing calls", Box::new(move || failing_calls(&numbers))),
        ("slow syncs", Box::new(slow_syncs)),
        ("few descriptors", Box::new(few_descriptors)),
        ("flipped bits", Box::new(move || flips::flips(flips))),
        ("power cuts", Box::new(move || power_cuts(cuts))),
    ];
    let (mut broken, mut skipped) = (0, 0);
    for (name, trial) in trials {
        let (word, text) = match trial()? {
            End::Held(text) => ("held", text),
            End::Broken(text) => {
                broken += 1;
                ("BROKEN", text)
            }
            End::Skipped(text) => {
                skipped += 1;
                ("skipped", text)
            }
        };
        println!("{name}: {word}: {text}");
    }
    if skipped > 0 && std::env::var_os("CI").is_some() {
        return Err(format!("{skipped} trials were skipped, and in CI nothing is"));
    }
    if broken > 0 { Err(format!("{broken} trials broke a promise")) } else { Ok(()) }
}

/// Why a trial with a file system of its own is skipped.
const NO_MOUNT: &str = "no file system can be mounted here";

type Trial = Box<dyn Fn() -> Result<End, String>>;

/// Whether a command ran and was content; what it says goes nowhere.
fn works(command: &str, arguments: &[&str]) -> bool {
    let ran = Command::new(command).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    ran.is_ok_and(|status| status.success())
}

/// A file system that is unmounted when it goes: when the last that uses it is gone, since the server may still run.
struct Mount<'p>(&'p Path);

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        works("umount", &["-l", &self.0.display().to_string()]);
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// While the disk is full nothing is accepted, what waits is delivered, and it ends by itself.
fn full_disk() -> Result<End, String> {
    let receiver = Receiver::start("127.0.0.1:0", 1, |_| Mood::Well)?;
    let address = receiver.address.clone();
    drop(receiver);
    let mut server = Server::new("full", &configuration(&address))?;
    let data = server.data();
    std::fs::create_dir_all(&data).map_err(|error| error.to_string())?;
    if !works("mount", &["-t", "tmpfs", "-o", "size=64m,mode=700", "tmpfs", &text(&data)]) {
        return Ok(End::Skipped(NO_MOUNT.to_owned()));
    }
    let mount = data.clone();
    let _mount = Mount(&mount);
    server.start()?;
    let (sample, mut acknowledged) = (sample()?, Vec::new());
    let mut post = |server: &Server, number: u64| {
        let event = format!("full {number}");
        let answer = request(&server.address, "POST", "/v1/updates", &update(&sample, &event, 1));
        let status = answer.map_or(0, |(status, _)| status);
        if status == 202 {
            acknowledged.push((event, 1));
        }
        status
    };
    for number in 0..2000 {
        post(&server, number);
    }
    let filler = data.join("filler");
    // It ends when there is no room left.
    works("dd", &["if=/dev/zero", &format!("of={}", text(&filler)), "bs=64k"]);
    let mut number = 2000;
    let refused = loop {
        let status = post(&server, number);
        number += 1;
        if status == 503 || number > 60_000 {
            break status;
        }
    };
    if refused != 503 {
        return Ok(End::Broken(format!("a full disk is answered with {refused}")));
    }
    let receiver = Receiver::start(&address, 2, |_| Mood::Well)?;
    server.drained(REST)?;
    let still = post(&server, number);
    std::fs::remove_file(&filler).map_err(|error| error.to_string())?;
    let freed = now();
    while post(&server, number + 1) != 202 {
        if freed.elapsed() > REST {
            return Ok(End::Broken("it does not end when there is room again".to_owned()));
        }
        pause(Duration::from_millis(20));
    }
    let ended = freed.elapsed();
    server.drained(REST)?;
    let account = account(&acknowledged, &receiver.arrivals());
    let text = format!(
        "{} acknowledged, {} lost; 503 while full ({still} while it drained), accepting again {} ms after there was room",
        account.acknowledged,
        account.lost,
        ended.as_millis()
    );
    Ok(if account.lost == 0 && still == 503 { End::Held(text) } else { End::Broken(text) })
}

/// Calls of the system that fail, and how.
const CALLS: &[(&str, &str)] = &[
    ("fdatasync,fsync", "EIO"),
    ("pwrite64", "EIO"),
    ("pwrite64", "ENOSPC"),
    ("pwrite64", "EROFS"),
    ("ftruncate", "EIO"),
    ("accept4", "EMFILE"),
    ("socket", "EMFILE"),
    ("openat", "EMFILE"),
    ("clone3", "EAGAIN"),
    ("mmap", "ENOMEM"),
];

/// The N-th call fails, once and from then on; then a start without faults.
fn failing_calls(numbers: &[u64]) -> Result<End, String> {
    if !works("strace", &["-V"]) {
        return Ok(End::Skipped("strace is not installed".to_owned()));
    }
    let (mut sum, mut runs, mut refused) = (Account::default(), 0, 0);
    for (calls, error) in CALLS {
        for number in numbers {
            for ever in ["", "+"] {
                let inject = format!("inject={calls}:error={error}:when={number}{ever}");
                let ended = failing_call(calls, &inject, *number);
                runs += 1;
                match ended.map_err(|error| format!("{inject}: {error}"))? {
                    None => refused += 1,
                    Some(account) => {
                        sum.acknowledged += account.acknowledged;
                        sum.lost += account.lost;
                        sum.out_of_order += account.out_of_order;
                    }
                }
            }
        }
    }
    let text = format!(
        "{runs} runs, {refused} ended at their start; {} acknowledged, {} lost, {} out of order",
        sum.acknowledged, sum.lost, sum.out_of_order
    );
    Ok(if sum.lost + sum.out_of_order == 0 { End::Held(text) } else { End::Broken(text) })
}

/// One such run; `None` if the server said that it cannot start.
fn failing_call(calls: &str, inject: &str, seed: u64) -> Result<Option<Account>, String> {
    let receiver = Receiver::start("127.0.0.1:0", seed, |_| Mood::Well)?;
    let mut server = Server::new("calls", &configuration(&receiver.address))?;
    let trace = format!("trace={calls}");
    let under = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", inject];
    server.under = under.iter().map(|&word| word.to_owned()).collect();
    let started = server.start().is_ok();
    let mut acknowledged = Vec::new();
    if started {
        let load = Load::start(&server.address, 2, Duration::from_millis(2), seed)?;
        pause(Duration::from_millis(300));
        acknowledged = load.stop();
    }
    server.kill();
    server.under.clear();
    server.start()?;
    server.drained(REST)?;
    Ok(started.then(|| account(&acknowledged, &receiver.arrivals())))
}

/// A load on a server under a tool that hampers it, and a start without; what was acknowledged while it was hampered.
fn hampered(name: &str, under: &[&str], threads: u64) -> Result<Account, String> {
    let receiver = Receiver::start("127.0.0.1:0", 1, |_| Mood::Well)?;
    let mut server = Server::new(name, &configuration(&receiver.address))?;
    server.under = under.iter().map(|&word| word.to_owned()).collect();
    server.start()?;
    let load = Load::start(&server.address, threads, Duration::from_millis(2), 1)?;
    pause(Duration::from_secs(4));
    let acknowledged = load.stop();
    server.kill();
    server.under.clear();
    server.start()?;
    server.drained(REST)?;
    Ok(account(&acknowledged, &receiver.arrivals()))
}

/// Each sync takes long: what is acknowledged is there all the same, and many accepts share a sync.
fn slow_syncs() -> Result<End, String> {
    if !works("strace", &["-V"]) {
        return Ok(End::Skipped("strace is not installed".to_owned()));
    }
    let trace = ["-e", "trace=fdatasync,fsync", "-e", "inject=fdatasync,fsync:delay_exit=250000"];
    let under = [&["strace", "-D", "-f", "-qq", "-o", "/dev/null"], &trace[..]].concat();
    let account = hampered("slow", &under, 64)?;
    let Account { acknowledged, lost, .. } = account;
    let text = format!("{acknowledged} acknowledged in 4 s of syncs of 250 ms each, {lost} lost");
    // One accept a sync would make 16; sixty-four share each of them.
    Ok(if lost == 0 && acknowledged > 100 { End::Held(text) } else { End::Broken(text) })
}

/// More clients than the process may have descriptors: some wait, none is lost.
fn few_descriptors() -> Result<End, String> {
    if !works("prlimit", &["--version"]) {
        return Ok(End::Skipped("prlimit is not installed".to_owned()));
    }
    let Account { acknowledged, lost, .. } = hampered("few", &["prlimit", "--nofile=32"], 64)?;
    let text = format!("{acknowledged} acknowledged to 64 clients with 32 descriptors, {lost} lost");
    Ok(if lost == 0 && acknowledged > 0 { End::Held(text) } else { End::Broken(text) })
}

/// Shuts a file system down as a power cut does: what was not synced is gone (EXT4_IOC_SHUTDOWN, without flushing the log).
const CUT: &str = "import fcntl,os,struct,sys
fd=os.open(sys.argv[1],os.O_RDONLY)
fcntl.ioctl(fd,0x8004587D,struct.pack('I',2))";

fn power_cuts(rounds: u64) -> Result<End, String> {
    let receiver = Receiver::start("127.0.0.1:0", 1, |_| Mood::Well)?;
    let mut server = Server::new("power", &configuration(&receiver.address))?;
    let (data, image) = (server.data(), server.folder().join("image"));
    std::fs::create_dir_all(&data).map_err(|error| error.to_string())?;
    let made = std::fs::File::create(&image).and_then(|file| file.set_len(256 * 1024 * 1024));
    made.map_err(|error| error.to_string())?;
    let mount = || works("mount", &["-o", "loop", &text(&image), &text(&data)]);
    if !works("mkfs.ext4", &["-q", "-F", &text(&image)]) || !mount() {
        return Ok(End::Skipped(NO_MOUNT.to_owned()));
    }
    let place = data.clone();
    let _mount = Mount(&place);
    let mut acknowledged = Vec::new();
    for round in 1..=rounds {
        server.start()?;
        let load = Load::named(&server.address, 4, Duration::from_millis(1), round, &format!("cut {round}"))?;
        pause(Duration::from_millis(150 + 37 * (round % 7)));
        // Only what was acknowledged before the cut counts: a sync that races with it may say that it worked.
        let before = load.so_far();
        if !works("python3", &["-c", CUT, &text(&data)]) {
            return Ok(End::Skipped("python3 cannot shut the file system down".to_owned()));
        }
        server.kill();
        drop(load.stop());
        acknowledged.extend(before);
        if !works("umount", &[&text(&data)]) || !mount() {
            return Err("the file system does not come back".to_owned());
        }
    }
    server.start()?;
    server.drained(REST)?;
    let account = account(&acknowledged, &receiver.arrivals());
    let text =
        format!("{rounds} cuts, {} acknowledged before them, {} lost", account.acknowledged, account.lost);
    server.kill();
    Ok(if account.lost == 0 { End::Held(text) } else { End::Broken(text) })
}

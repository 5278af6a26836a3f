//! The built server in a folder of its own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{now, pause, request};
use crate::run::{cargo, target};

/// How long a start may take.
const TO_START: Duration = Duration::from_secs(60);

pub(crate) struct Server {
    child: Option<Child>,
    folder: PathBuf,
    /// Where it listens, once it was started.
    pub(crate) address: String,
    /// What stands before the program on the command line, such as a tracer.
    pub(crate) under: Vec<String>,
}

/// The program, as it is released.
pub(crate) fn program() -> Result<PathBuf, String> {
    cargo(&["build", "--quiet", "--release", "--package", "fusion-webhook"])?;
    Ok(target().join("release/fusion-webhook"))
}

impl Server {
    /// A server in an empty folder below the target folder, with this configuration. It is not started.
    pub(crate) fn new(name: &str, configuration: &str) -> Result<Self, String> {
        program()?;
        let folder = target().join("trials").join(format!("{name}-{}", std::process::id()));
        let made =
            std::fs::remove_dir_all(&folder).or(Ok(())).and_then(|()| std::fs::create_dir_all(&folder));
        made.and_then(|()| std::fs::write(folder.join("config.toml"), configuration))
            .map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Self { child: None, folder, address: String::new(), under: Vec::new() })
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts it, and kills it after a while, wherever it is then.
    pub(crate) fn start_and_kill(&self, after: Duration) -> Result<(), String> {
        let mut child = self.spawn()?;
        pause(after);
        let _ = child.kill();
        let _ = child.wait();
        Ok(())
    }

    fn spawn(&self) -> Result<Child, String> {
        let listen = if self.address.is_empty() { "127.0.0.1:0" } else { &self.address };
        let program = target().join("release/fusion-webhook").display().to_string();
        let mut words = self.under.clone();
        words.push(program);
        let errors = std::fs::OpenOptions::new().create(true).append(true).open(self.folder.join("log"));
        Command::new(&words[0])
            .args(&words[1..])
            .args(["serve", "--config", "config.toml", "--data", "data", "--log", "warn", "--listen", listen])
            .current_dir(&self.folder)
            .env_remove("FUSION_WEBHOOK_TOKEN")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors.map_err(|error| error.to_string())?)
            .spawn()
            .map_err(|error| format!("the server does not start: {error}"))
    }

    /// Starts it, and waits until it listens. On a restart it listens where it did before.
    pub(crate) fn start(&mut self) -> Result<(), String> {
        let mut child = self.spawn()?;
        let (tell, told) = std::sync::mpsc::channel();
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || {
                let mut line = String::new();
                let _ = BufReader::new(stdout).read_line(&mut line);
                let _ = tell.send(line);
            });
        }
        let line = told.recv_timeout(TO_START).unwrap_or_default();
        let said = line.split_whitespace().find_map(|word| word.strip_prefix("http://"));
        let Some(address) = said else {
            let _ = child.kill();
            let _ = child.wait();
            let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            return Err(format!("the server does not start: {}", log.lines().last().unwrap_or_default()));
        };
        address.trim_end_matches('/').clone_into(&mut self.address);
        self.child = Some(child);
        Ok(())
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// As the power goes: no signal handler runs.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub(crate) fn get(&self, path: &str) -> Option<serde_json::Value> {
        let (_, body) = request(&self.address, "GET", path, "").ok()?;
        serde_json::from_str(&body).ok()
    }

    /// How many deliveries wait.
    pub(crate) fn backlog(&self) -> Option<u64> {
        self.get("/v1/status")?["backlog"].as_u64()
    }

    /// Waits until nothing waits.
    pub(crate) fn drained(&self, limit: Duration) -> Result<(), String> {
        let end = now() + limit;
        while self.backlog() != Some(0) {
            if now() > end {
                return Err(format!(
                    "after {} s there is still a backlog: {:?}",
                    limit.as_secs(),
                    self.backlog()
                ));
            }
            pause(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Resident memory, in KiB.
    pub(crate) fn resident(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()?)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.split_whitespace().next()?.parse().ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

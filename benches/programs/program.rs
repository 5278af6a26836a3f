//! The built program in a folder of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::Done;

/// A folder on the disk on which the project is built; temporary folders may be in memory.
pub(crate) fn folder() -> Done<TempDir> {
    Ok(TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?)
}

/// The program at work, ended when it is dropped.
pub(crate) struct Program {
    child: Child,
    pub(crate) address: SocketAddr,
    _output: BufReader<std::process::ChildStdout>,
}

impl Program {
    /// Starts it, and waits until it says where it listens.
    fn start(words: &[&str], folder: &Path) -> Done<Self> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_fusion-webhook"))
            .args(words)
            .current_dir(folder)
            .env_remove("FUSION_WEBHOOK_TOKEN")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(folder.join("log"))?)
            .spawn()?;
        let mut output = BufReader::new(child.stdout.take().ok_or("a process has no output")?);
        let mut line = String::new();
        output.read_line(&mut line)?;
        let address = line.split_whitespace().find_map(|word| {
            word.strip_prefix("http://").or(word.strip_prefix("https://"))?.trim_end_matches('/').parse().ok()
        });
        let Some(address) = address else {
            let _ = child.kill();
            let _ = child.wait();
            let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
            return Err(format!("the program does not start: {line}{log}").into());
        };
        Ok(Self { child, address, _output: output })
    }

    /// The server with this configuration, over what is in the folder already.
    pub(crate) fn serve(folder: &Path, configuration: &str) -> Done<Self> {
        std::fs::write(folder.join("config.toml"), configuration)?;
        let words = [
            "serve",
            "--config",
            "config.toml",
            "--data",
            "data",
            "--log",
            "warn",
            "--listen",
            "127.0.0.1:0",
        ];
        Self::start(&words, folder)
    }

    /// The receiver with all checks.
    pub(crate) fn receive(folder: &Path) -> Done<Self> {
        std::fs::write(folder.join("password"), "p")?;
        let words = ["receive", "--quiet", "--listen", "127.0.0.1:0", "--username", "u"];
        let more = ["--password", "file:password", "--require-header", "X-Netography: Webhook"];
        Self::start(&[words.as_slice(), more.as_slice()].concat(), folder)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

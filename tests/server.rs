//! A server process for tests, with its folder, and how it is asked.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use tokio::task::block_in_place;

use crate::harness::LIMIT;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_fusion-webhook");

/// A server process with its folder.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) url: String,
    pub(crate) folder: TempDir,
    pub(crate) flags: Vec<String>,
    /// How a person gets to its pages, as it prints it.
    pub(crate) way_in: String,
    pub(crate) agent: ureq::Agent,
}

impl Server {
    /// Starts one whose only integration, `siem`, posts to `url`.
    pub(crate) fn start(url: &str, flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.toml"), configuration(url, "")).unwrap();
        Self::start_in(folder, flags)
    }

    /// Starts one in an empty folder, with nothing configured.
    pub(crate) fn fresh(flags: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), flags)
    }

    fn start_in(folder: TempDir, flags: &[&str]) -> Self {
        let flags: Vec<String> = flags.iter().map(|&flag| flag.to_owned()).collect();
        let (child, url, way_in) = spawn(&folder, &flags);
        let agent = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into();
        Self { child, url, folder, flags, way_in, agent }
    }

    pub(crate) fn configure(&self, text: &str) {
        std::fs::write(self.folder.path().join("config.toml"), text).unwrap();
    }

    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        block_in_place(|| read(self.agent.get(format!("{}{path}", self.url)).call()))
    }

    /// Asks with a body of JSON, or without one.
    pub(crate) fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        block_in_place(|| {
            let request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.url));
            let request = request.header("content-type", "application/json");
            let text = body.map(Value::to_string).unwrap_or_default();
            read(self.agent.run(request.body(text).unwrap()))
        })
    }

    pub(crate) fn post(&self, body: &str, headers: &[(&str, &str)]) -> (u16, Value) {
        block_in_place(|| {
            let mut request = self.agent.post(format!("{}v1/updates", self.url));
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            read(request.send(body))
        })
    }

    /// Asks again and again until the answer is as wanted.
    pub(crate) async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let answered = async {
            loop {
                let (_, value) = self.get(path);
                if wanted(&value) {
                    return value;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(LIMIT, answered).await.expect("the server comes to the wanted state in time")
    }

    pub(crate) fn signal(&self, signal: &str) {
        let done = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(done.success());
    }

    pub(crate) fn kill_and_restart(&mut self) {
        self.signal("-KILL");
        self.child.wait().unwrap();
        (self.child, self.url, self.way_in) = spawn(&self.folder, &self.flags);
    }

    /// Ends it with a signal; gives its exit code.
    pub(crate) fn end(mut self) -> Option<i32> {
        self.signal("-TERM");
        block_in_place(|| self.child.wait().unwrap().code())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What counts the lines that run writes them down at an orderly end only.
        if std::env::var_os("LLVM_PROFILE_FILE").is_some() {
            let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        } else {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// A configuration whose only integration, `siem`, gets what has the sample's severity.
pub(crate) fn configuration(url: &str, more: &str) -> String {
    format!(
        "[integrations.siem]\nurl = {url:?}\nallow = [\"127.0.0.0/8\"]\n{more}\n\
         [integrations.siem.retry]\ndelays = [\"50ms\", \"200ms\", \"1s\"]\n\n\
         [[policies]]\nseverities = [\"medium\"]\nintegrations = [\"siem\"]\n"
    )
}

fn spawn(folder: &TempDir, flags: &[String]) -> (Child, String, String) {
    let configured = folder.path().join("config.toml").exists();
    let mut child = Command::new(PROGRAM)
        .args(["serve", "--data", "data"])
        .args(if flags.iter().any(|flag| flag == "--listen") {
            &[][..]
        } else {
            &["--listen", "127.0.0.1:0"]
        })
        .args(if configured { &["--config", "config.toml"][..] } else { &[] })
        .args(flags)
        .current_dir(folder.path())
        .env_remove("FUSION_WEBHOOK_TOKEN")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (mut line, mut way_in) = (String::new(), String::new());
    let mut said = BufReader::new(child.stdout.take().unwrap());
    said.read_line(&mut line).unwrap();
    said.read_line(&mut way_in).unwrap();
    let url =
        line.split_whitespace().find(|word| word.starts_with("http")).unwrap_or_else(|| panic!("{line:?}"));
    (child, url.replace("0.0.0.0", "127.0.0.1"), way_in)
}

fn read(answered: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> (u16, Value) {
    let mut response = answered.unwrap();
    let text = response.body_mut().read_to_string().unwrap();
    (response.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

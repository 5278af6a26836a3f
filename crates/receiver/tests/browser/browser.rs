//! A browser that was started for a test: Chromium, driven over WebDriver. What it saw is left in `target/screenshots`.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// Far more than anything here takes, and an end to what hangs.
const LIMIT: Duration = Duration::from_secs(40);

/// How the browser looks at the page.
#[derive(Clone, Copy)]
pub(crate) struct Look {
    width: u32,
    dark: bool,
}

impl Look {
    pub(crate) const WIDE: Self = Self { width: 1280, dark: false };
    pub(crate) const NARROW: Self = Self { width: 400, dark: false };
    pub(crate) const DARK: Self = Self { width: 1280, dark: true };

    fn options(self) -> Value {
        let mut arguments = vec![
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            // Whatever a browser asks by itself, it reaches this machine only.
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        ];
        arguments.extend(self.dark.then_some("--blink-settings=preferredColorScheme=0"));
        json!({
            "args": arguments,
            "mobileEmulation": { "deviceMetrics": { "width": self.width, "height": 860, "pixelRatio": 1.0, "touch": false } },
        })
    }
}

/// How often a driver is started until one has a port.
const STARTS: usize = 5;

/// A driver and its port. `None` where there is none.
///
/// A driver that picks its own port looks for one that is free on IPv6 and then wants the same one on IPv4: when another
/// test has that, it exits.
async fn start_driver() -> Option<(Child, String)> {
    let mut said = String::new();
    for _ in 0..STARTS {
        let mut driver = match Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
        {
            Ok(driver) => driver,
            Err(error) => {
                assert!(std::env::var_os("CI").is_none(), "no browser in CI: chromedriver: {error}");
                eprintln!("skipped: there is no chromedriver here; install chromium and chromium-driver");
                return None;
            }
        };
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        while let Some(line) = tokio::time::timeout(LIMIT, lines.next_line()).await.unwrap().unwrap() {
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                let port = port.trim_end_matches('.').to_owned();
                return Some((driver, port));
            }
            said.push_str(&line);
            said.push('\n');
        }
    }
    panic!("none of {STARTS} drivers started; they said:\n{said}");
}

pub(crate) struct Browser {
    client: Client,
    // Dropped last: it ends the browser.
    _driver: Child,
}

impl Browser {
    /// A browser on a page. `None` where there is none.
    pub(crate) async fn open(look: Look, url: &str) -> Option<Self> {
        let (driver, port) = start_driver().await?;
        let capabilities = json!({ "goog:chromeOptions": look.options() });
        let mut builder = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
        builder.capabilities(capabilities.as_object().unwrap().clone());
        let client = builder.connect(&format!("http://127.0.0.1:{port}")).await.unwrap();
        client.goto(url).await.unwrap();
        Some(Self { client, _driver: driver })
    }

    /// What an expression is on the page.
    pub(crate) async fn value(&self, expression: &str) -> Value {
        self.client.execute(&format!("return ({expression})"), Vec::new()).await.unwrap()
    }

    pub(crate) async fn run(&self, statements: &str) {
        self.client.execute(statements, Vec::new()).await.unwrap();
    }

    /// Asks the page until an expression is true. One that fails on what is not there yet is not true yet.
    pub(crate) async fn until(&self, expression: &str) {
        let script = format!("try {{ return Boolean({expression}) }} catch {{ return false }}");
        let holds = async {
            while self.client.execute(&script, Vec::new()).await.unwrap() != json!(true) {
                tokio::task::yield_now().await;
            }
        };
        if tokio::time::timeout(LIMIT, holds).await.is_err() {
            self.screenshot("last").await;
            let page = self.value("document.body.innerText").await;
            panic!(
                "never true: {expression}\nthe page says: {}",
                page.as_str().unwrap_or_default().chars().take(3000).collect::<String>()
            );
        }
    }

    /// Types where the focus is.
    pub(crate) async fn keys(&self, keys: &str) {
        let focused = self.client.active_element().await.unwrap();
        let slash = keys.strip_prefix('/');
        if let Some(rest) = slash {
            focused.send_keys("/").await.unwrap();
            self.client.active_element().await.unwrap().send_keys(rest).await.unwrap();
        } else {
            focused.send_keys(keys).await.unwrap();
        }
    }

    /// Clicks on the first element that a CSS selector finds, when it is there.
    pub(crate) async fn click(&self, css: &str) {
        self.element(css).await.click().await.unwrap();
    }

    /// Goes where a link of this text leads, or does what a button of this text does.
    pub(crate) async fn press(&self, text: &str) {
        let path =
            format!("(//main//*[self::a or self::button or self::summary][normalize-space()='{text}'])[1]");
        let found = self.client.wait().at_most(LIMIT).for_element(Locator::XPath(&path)).await;
        found.unwrap_or_else(|error| panic!("{text}: {error}")).click().await.unwrap();
    }

    /// Types into a field in place of what is there.
    pub(crate) async fn fill(&self, css: &str, text: &str) {
        let field = self.element(css).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Says yes to what the page asks.
    pub(crate) async fn accept(&self) {
        self.client.accept_alert().await.unwrap();
    }

    pub(crate) async fn go(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    async fn element(&self, css: &str) -> fantoccini::elements::Element {
        let found = self.client.wait().at_most(LIMIT).for_element(Locator::Css(css)).await;
        found.unwrap_or_else(|error| panic!("{css}: {error}"))
    }

    pub(crate) async fn reload(&self) {
        self.client.refresh().await.unwrap();
    }

    pub(crate) async fn screenshot(&self, name: &str) {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), self.client.screenshot().await.unwrap()).unwrap();
    }

    pub(crate) async fn close(self) {
        self.client.close().await.unwrap();
    }
}

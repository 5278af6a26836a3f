//! Runs the README: every `console` block is played in its order, and what it printed is compared with the page or
//! written into it. Nothing on that page is retyped.
//!
//! In a block, a line that opens with `$ ` is a command for `sh` (a backslash at its end joins the next line to it). The rest
//! is its output. A command that serves is left running until one is started in its place or the page ends, and all that it
//! printed then stands in its own block. Ports of the page are played on free ones, also in the files that it names: the
//! page is played in a folder of its own, with copies of them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::rig::pause;
use crate::run::{cargo, root, succeed, target};

/// What opens a command that serves, what it prints once it listens, and how it is told where, if it is to be told.
const SERVERS: &[(&str, &str, &str)] = &[
    ("fusion-webhook receive", "listening on", " --listen 127.0.0.1:8080"),
    ("fusion-webhook serve", "serving on", ""),
];

/// The host of the page's addresses; ports of it are played on free ones.
const HOST: &str = "127.0.0.1:";

/// Where servers listen if their commands do not say.
const DEFAULT_PORTS: [&str; 2] = ["8080", "8090"];

/// How long a person takes to type a command, in which servers do their work.
const TYPING: Duration = Duration::from_millis(400);

/// Whether the page is compared or written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Check,
    Write,
}

pub(crate) fn readme(mode: Mode) -> Result<(), String> {
    cargo(&["build", "--release", "--package", "fusion-webhook"])?;
    let page = root().join("README.md");
    let text = std::fs::read_to_string(&page).map_err(|error| error.to_string())?;
    let mut pieces = split(&text);
    let mut player = Player::new(&text)?;
    // Those that run, by the opening of their command.
    let mut serving: BTreeMap<&str, (usize, Server)> = BTreeMap::new();
    for index in 0..pieces.len() {
        let Piece::Session { commands, .. } = &pieces[index] else { continue };
        let mut printed = String::new();
        for command in commands.clone() {
            printed.push_str(&format!("$ {command}\n"));
            match SERVERS.iter().find(|(opening, ..)| command.starts_with(opening)) {
                Some((opening, ready, listen)) => {
                    if let Some((at, server)) = serving.remove(opening) {
                        pieces[at].append(&player.localize(&server.stop()?));
                    }
                    serving.insert(opening, (index, player.serve(&command, ready, listen)?));
                }
                None => {
                    pause(TYPING);
                    printed.push_str(&player.play(&command)?);
                }
            }
        }
        pieces[index].print(printed);
    }
    for (at, server) in serving.into_values() {
        pieces[at].append(&player.localize(&server.stop()?));
    }
    match mode {
        Mode::Check => compare(&pieces),
        Mode::Write => std::fs::write(&page, join(&pieces)).map_err(|error| error.to_string()),
    }
}

/// A piece of the page.
enum Piece {
    /// Text that is left as it is.
    Text(String),
    /// A block of commands with their output, as the page has it and as it was now.
    Session { commands: Vec<String>, page: String, now: String },
}

impl Piece {
    fn commands(&self) -> &[String] {
        match self {
            Self::Text(_) => &[],
            Self::Session { commands, .. } => commands,
        }
    }

    fn print(&mut self, text: String) {
        if let Self::Session { now, .. } = self {
            *now = text;
        }
    }

    fn append(&mut self, text: &str) {
        if let Self::Session { now, .. } = self {
            now.push_str(text);
        }
    }
}

const OPENING: &str = "```console\n";
const CLOSING: &str = "```\n";

fn split(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPENING) {
        let (page, after) = after.split_once(CLOSING).unwrap_or((after, ""));
        pieces.push(Piece::Text(before.to_owned()));
        pieces.push(Piece::Session { commands: commands(page), page: page.to_owned(), now: String::new() });
        rest = after;
    }
    pieces.push(Piece::Text(rest.to_owned()));
    pieces
}

fn join(pieces: &[Piece]) -> String {
    let each = pieces.iter().map(|piece| match piece {
        Piece::Text(text) => text.clone(),
        Piece::Session { now, .. } => format!("{OPENING}{now}{CLOSING}"),
    });
    each.collect()
}

fn commands(block: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in block.lines() {
        match (goes_on, line.strip_prefix("$ "), commands.last_mut()) {
            (true, _, Some(command)) => {
                command.push('\n');
                command.push_str(line);
            }
            (_, Some(command), _) => commands.push(command.to_owned()),
            (_, None, _) => continue,
        }
        goes_on = line.ends_with('\\');
    }
    commands
}

/// Plays commands, on free ports.
struct Player {
    /// The page's addresses with those they are played on.
    addresses: BTreeMap<String, String>,
    path: String,
    folder: PathBuf,
    /// The exit code of the command before.
    exit: i32,
}

impl Player {
    fn new(text: &str) -> Result<Self, String> {
        let mut addresses = BTreeMap::new();
        // Each port stays bound until all are found, so that no two are the same.
        let mut bound = Vec::new();
        let commands: Vec<String> = split(text).iter().flat_map(Piece::commands).cloned().collect();
        let typed = commands.iter().flat_map(|command| command.split(HOST).skip(1));
        let ports: BTreeSet<String> =
            typed.map(|rest| rest.chars().take_while(char::is_ascii_digit).collect()).collect();
        for port in ports.into_iter().chain(DEFAULT_PORTS.map(str::to_owned)) {
            let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
            let free = listener.local_addr().map_err(|error| error.to_string())?;
            bound.push(listener);
            addresses.insert(format!("{HOST}{port}"), free.to_string());
        }
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{path}", target().join("release").display());
        let folder = target().join("readme");
        let player = Self { addresses, path, folder, exit: 0 };
        player.copy_files(&commands).map_err(|error| format!("{}: {error}", player.folder.display()))?;
        Ok(player)
    }

    /// Puts copies of the files that commands name into the folder, with the addresses that are played.
    fn copy_files(&self, commands: &[String]) -> std::io::Result<()> {
        std::fs::remove_dir_all(&self.folder).or_else(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })?;
        std::fs::create_dir_all(&self.folder)?;
        for word in commands.iter().flat_map(|command| command.split_whitespace()) {
            let name = word.trim_start_matches('@');
            if let Ok(text) = std::fs::read_to_string(root().join(name)) {
                let copy = self.folder.join(name);
                std::fs::create_dir_all(copy.parent().unwrap_or(&self.folder))?;
                std::fs::write(copy, self.played(&text))?;
            }
        }
        Ok(())
    }

    /// A text of the page with the addresses that are played.
    fn played(&self, text: &str) -> String {
        self.addresses.iter().fold(text.to_owned(), |text, (page, played)| text.replace(page, played))
    }

    fn shell(&self, command: &str) -> Command {
        let command = self.played(&command.replace("cargo run --release -- ", "fusion-webhook "));
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("exec 2>&1; (exit {}); {command}", self.exit)]);
        shell.current_dir(&self.folder).env("PATH", &self.path).stdin(Stdio::null());
        shell.env("FUSION_WEBHOOK_SERVER", self.played("http://127.0.0.1:8090"));
        shell
    }

    fn play(&mut self, command: &str) -> Result<String, String> {
        let output = self.shell(command).output().map_err(|error| format!("{command}: {error}"))?;
        self.exit = output.status.code().unwrap_or(-1);
        let printed = String::from_utf8_lossy(&output.stdout);
        let printed = self.localize(printed.trim_end());
        Ok(if printed.is_empty() { printed } else { printed + "\n" })
    }

    /// Starts a server, and waits until it listens.
    fn serve(&self, command: &str, ready: &str, listen: &str) -> Result<Server, String> {
        let listen = if command.contains("--listen") { "" } else { listen };
        let mut shell = self.shell(&format!("exec {command}{listen}"));
        let child = shell.stdout(Stdio::piped()).spawn().map_err(|error| error.to_string())?;
        Server { child, printed: String::new() }.until(ready)
    }

    /// Puts the page's addresses back.
    fn localize(&self, printed: &str) -> String {
        let mut printed = printed.to_owned();
        for (page, played) in &self.addresses {
            printed = printed.replace(played, page);
        }
        printed
    }
}

/// A command that serves, and what it printed while it started.
struct Server {
    child: Child,
    printed: String,
}

impl Server {
    /// Reads until the server says that it listens.
    fn until(mut self, ready: &str) -> Result<Self, String> {
        let stdout = self.child.stdout.as_mut().ok_or("the server has no output")?;
        let mut byte = [0];
        while !(self.printed.contains(ready) && self.printed.ends_with('\n')) {
            let read = stdout.read(&mut byte).map_err(|error| error.to_string())?;
            if read == 0 {
                return Err(format!("the server did not start: {:?}", self.printed));
            }
            self.printed.push(char::from(byte[0]));
        }
        Ok(self)
    }

    /// Ends it as Ctrl-C does.
    fn stop(mut self) -> Result<String, String> {
        // One that the page killed is gone already.
        let _ =
            succeed(Command::new("kill").stderr(Stdio::null()).args(["-INT", &self.child.id().to_string()]));
        let mut rest = Vec::new();
        let stdout = self.child.stdout.as_mut().ok_or("the server has no output")?;
        stdout.read_to_end(&mut rest).map_err(|error| error.to_string())?;
        self.child.wait().map_err(|error| error.to_string())?;
        Ok(self.printed + &String::from_utf8_lossy(&rest))
    }
}

fn compare(pieces: &[Piece]) -> Result<(), String> {
    let mut differing = Vec::new();
    for piece in pieces {
        let Piece::Session { page, now, .. } = piece else { continue };
        if steady(page) != steady(now) {
            differing.push(format!("the page has\n{page}and now it prints\n{now}"));
        }
    }
    println!("{} blocks played, {} differ", pieces.len() / 2, differing.len());
    if differing.is_empty() {
        return Ok(());
    }
    Err(format!("{}\nto take over what is printed now: cargo xtask readme --write", differing.join("\n")))
}

/// What stays the same from run to run: instants, durations, ids and the order of events that are under way together do
/// not, so words that hold a digit and more, numbers before a unit of time and seconds since 1970 are alike, and lines are compared whatever their order.
fn steady(block: &str) -> Vec<String> {
    let mut lines: Vec<String> = block
        .lines()
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let alike = words.iter().enumerate().map(|(at, word)| {
                let mixed = word.contains(|c: char| c.is_ascii_digit())
                    && word.contains(|c: char| !c.is_ascii_digit() && c != ',' && c != '.');
                let timed =
                    words.get(at + 1).is_some_and(|unit| matches!(unit.trim_end_matches(','), "ms" | "s"));
                let clock = word.len() >= 10 && word.chars().all(|c| c.is_ascii_digit());
                if mixed || timed || clock { "#" } else { word }
            });
            alike.collect::<Vec<_>>().join(" ")
        })
        .collect();
    lines.sort();
    lines
}

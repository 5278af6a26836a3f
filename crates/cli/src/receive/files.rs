//! The files of a run: captures written as they come and read again, certificates to trust, the ready file.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use receiver::MockReceiver;
use receiver::capture::record::{Detail, Record, Secrets};
use receiver::capture::{Capture, export};

use super::printer::Queue;
use crate::args::receive::{CaptureArguments, Export, TlsArguments};
use crate::exit::Failure;
use crate::show;

/// Captures of earlier runs.
#[derive(Default)]
pub(super) struct Earlier {
    opened: Vec<Capture>,
    replayed: Vec<Capture>,
}

pub(super) fn read(arguments: &CaptureArguments) -> Result<Earlier, Failure> {
    let is = |path: &Path, other: &Path| match (path.canonicalize(), other.canonicalize()) {
        (Ok(path), Ok(other)) => path == other,
        _ => false,
    };
    let earlier = [&arguments.open, &arguments.replay_from];
    if let Some(record) = &arguments.record
        && let Some(same) = earlier.into_iter().flatten().find(|path| is(path, record))
    {
        let same = same.display();
        let why =
            format!("error: {same}: what is read from it would be added to it again; record to another file");
        return Err(Failure::wrong_input(why));
    }
    let read = |path: &Option<PathBuf>| path.as_deref().map_or(Ok(Vec::new()), captures);
    Ok(Earlier { opened: read(&arguments.open)?, replayed: read(&arguments.replay_from)? })
}

impl Earlier {
    /// Those that were opened as they were, then those that are replayed; each once there is room to print it.
    pub(super) fn play(self, receiver: &MockReceiver, queue: &Queue) {
        for capture in self.opened {
            queue.wait_for_room(&capture);
            receiver.adopt(capture);
        }
        for capture in self.replayed {
            queue.wait_for_room(&capture);
            if let Some(request) = capture.request() {
                receiver.replay(request.clone());
            }
        }
    }
}

/// Reads a file line by line. A line that broke off, as a kill leaves it, is left out and told.
fn captures(path: &Path) -> Result<Vec<Capture>, Failure> {
    let wrong = |what: String| Failure::wrong_input(format!("error: {}: {what}", path.display()));
    let mut reader = BufReader::new(File::open(path).map_err(|error| wrong(error.to_string()))?);
    let mut captures = Vec::new();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(|error| wrong(error.to_string()))? == 0 {
            break;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let record = std::str::from_utf8(&line).map_err(|_| "it is not UTF-8".to_owned());
        let record = record.and_then(|line| {
            Record::read(line).and_then(|record| record.capture()).map_err(|error| error.to_string())
        });
        match record {
            Ok(capture) => captures.push(capture),
            Err(_) if broke_off(&line) => {
                anstream::eprintln!("{}: line {number} broke off and is left out", path.display());
            }
            Err(error) => return Err(wrong(format!("line {number} is no capture: {error}"))),
        }
    }
    Ok(captures)
}

/// Whether a line is the beginning of a JSON object without its end.
fn broke_off(line: &[u8]) -> bool {
    let text = String::from_utf8_lossy(line.trim_ascii());
    let read = serde_json::from_str::<serde_json::Value>(&text);
    text.starts_with('{') && read.is_err_and(|error| error.is_eof())
}

/// Writes captures as they come. A file that cannot be written is told once; the run goes on.
pub(super) struct Recorder {
    path: PathBuf,
    file: Mutex<Option<File>>,
}

impl Recorder {
    /// The file holds secrets, so that it can be replayed: only its owner can read it.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let file = Self::appending(path)
            .map_err(|error| Failure::wrong_input(format!("error: --record: {}: {error}", path.display())))?;
        Ok(Self { path: path.to_owned(), file: Mutex::new(Some(file)) })
    }

    fn appending(path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        if !file.metadata()?.is_file() {
            return Ok(file);
        }
        #[cfg(unix)]
        Self::close_to_others(path, &file);
        // A line that broke off when an earlier run was killed is ended, so that it spoils none of this run.
        let ends = |mut earlier: File| {
            let mut last = [b'\n'];
            let read = earlier.seek(SeekFrom::End(-1)).and_then(|_| earlier.read_exact(&mut last));
            read.is_err() || last == *b"\n"
        };
        if File::open(path).is_ok_and(|earlier| !ends(earlier)) {
            file.write_all(b"\n")?;
        }
        Ok(file)
    }

    /// A file that was there may be open to others, and may belong to somebody else.
    #[cfg(unix)]
    fn close_to_others(path: &Path, file: &File) {
        use std::os::unix::fs::PermissionsExt;
        let open = file.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0);
        if open && let Err(error) = file.set_permissions(PermissionsExt::from_mode(0o600)) {
            anstream::eprintln!("warning: {}: others may read the secrets in it: {error}", path.display());
        }
    }

    pub(super) fn write(&self, capture: &Capture) {
        let line = format!("{}\n", Record::of(capture, Secrets::Kept, Detail::Full).line());
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let written = file.as_mut().map_or(Ok(()), |file| file.write_all(line.as_bytes()));
        if let Err(error) = written {
            anstream::eprintln!("{}: {error}; nothing more is recorded", self.path.display());
            *file = None;
        }
    }
}

pub(super) fn export(receiver: &MockReceiver, listen: &str, kind: Export) -> Result<ExitCode, Failure> {
    let captures = receiver.captures();
    match kind {
        Export::Curl => {
            for command in captures.iter().filter_map(|capture| export::curl(capture, listen)) {
                show::println(&command);
            }
        }
        Export::Har => {
            let har = export::har(captures.iter().map(|capture| &**capture), listen);
            show::println(&format!("{har:#}"));
        }
        Export::Json => {
            for capture in &captures {
                show::println(&Record::of(capture, Secrets::Masked, Detail::Full).line());
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes what senders need to get along with the made certificate.
pub(super) fn write_trust(receiver: &MockReceiver, arguments: &TlsArguments) -> Result<(), Failure> {
    for (path, pem) in
        [(&arguments.tls_ca_out, receiver.ca()), (&arguments.tls_client_out, receiver.client_certificate())]
    {
        if let (Some(path), Some(pem)) = (path, pem) {
            write_whole(path, pem)?;
        }
    }
    Ok(())
}

pub(super) fn how_to_trust(receiver: &MockReceiver, arguments: &TlsArguments) -> String {
    let url = receiver.url();
    match (&arguments.tls_ca_out, arguments.tls.unwrap_or_default()) {
        (_, flaw) if flaw != receiver::server::tls::made::Flaw::None => {
            format!("its certificate is {flaw}: a sender that verifies it refuses, one that skips verification does not")
        }
        (Some(path), _) => {
            let path = path.display();
            format!("trust it: curl --cacert {path} {url}, or fusion-webhook send --ca-file {path} --url {url}")
        }
        (None, _) => {
            "its certificate was made now: trust it with --tls-ca-out FILE, or let the sender skip verification".to_owned()
        }
    }
}

/// A file that appears whole or not at all: whoever waits for it never reads a part.
pub(super) fn write_whole(path: &Path, text: &str) -> Result<(), Failure> {
    // The error would name the file that is written first.
    let failed = |error: std::io::Error| {
        Failure::wrong_input(format!("error: {}: cannot be written: {}", path.display(), error.kind()))
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

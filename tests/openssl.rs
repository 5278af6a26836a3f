//! What no TLS library of ours can be made to do: OpenSSL speaks versions that are gone, and renegotiates.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use delivery::outcome::{Outcome, Phase, TlsFault};

use crate::harness::{Certificate, outcome};
use crate::tls::trusting;

/// `openssl s_server` on a port of its own.
struct OpenSsl {
    child: Child,
    url: String,
    /// It reads its certificate from here.
    _folder: tempfile::TempDir,
}

impl OpenSsl {
    /// None where there is no OpenSSL; where tests must not be skipped, that is an error.
    fn start(certificate: &Certificate, flags: &[&str]) -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_err() {
            assert!(std::env::var_os("CI").is_none(), "there is no openssl here, and CI skips nothing");
            eprintln!("skipped: there is no openssl here");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let (chain, key) = (folder.path().join("chain"), folder.path().join("key"));
        std::fs::write(&chain, &certificate.chain).unwrap();
        std::fs::write(&key, &certificate.key).unwrap();
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-cipher", "DEFAULT@SECLEVEL=0", "-cert"])
            .arg(chain)
            .arg("-key")
            .arg(key)
            .args(flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let told = until(&mut child, "ACCEPT ", b'\n');
        let port = told.trim().rsplit(':').next().unwrap().to_owned();
        Some(Self { child, url: format!("https://127.0.0.1:{port}/"), _folder: folder })
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads what it prints until `word` stands there, and from there to `end`.
fn until(child: &mut Child, word: &str, end: u8) -> String {
    let out = child.stdout.as_mut().unwrap();
    let (mut told, mut byte) = (Vec::new(), [0]);
    let mut found = false;
    while out.read(&mut byte).unwrap() == 1 {
        told.push(byte[0]);
        found = found || told.ends_with(word.as_bytes());
        if found && byte[0] == end {
            break;
        }
    }
    assert!(found, "it ended before {word:?}: {}", String::from_utf8_lossy(&told));
    String::from_utf8_lossy(&told).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_that_are_gone_are_not_spoken() {
    let certificate = Certificate::signed(&["127.0.0.1"]);
    for version in ["-tls1", "-tls1_1"] {
        let Some(peer) = OpenSsl::start(&certificate, &[version]) else { return };
        let met = outcome(&peer.url, trusting(&certificate)).await;
        assert!(matches!(met, Outcome::Tls(TlsFault::Handshake(_))), "{version}: {met:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_negotiated_again() {
    let certificate = Certificate::signed(&["127.0.0.1"]);
    let Some(mut peer) = OpenSsl::start(&certificate, &["-tls1_2"]) else { return };
    let url = peer.url.clone();
    let asks = std::thread::spawn(move || {
        until(&mut peer.child, "POST / HTTP/1.1", b'\n');
        // Such a line has it ask for a new handshake.
        peer.child.stdin.as_mut().unwrap().write_all(b"R\n").unwrap();
        peer
    });
    let met = outcome(&url, trusting(&certificate)).await;
    // It is refused, which OpenSSL takes for the end of the connection.
    assert!(matches!(met, Outcome::Broken { phase: Phase::ResponseHead, .. }), "{met:?}");
    drop(asks.join().unwrap());
}

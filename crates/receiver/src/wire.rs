//! The bytes of a request as they came. hyper hands a service neither the case and order of the names nor the chunks, so
//! the bytes are recorded below it; here is where one message ends and the next begins (RFC 9112, section 6.3).
//!
//! hyper decides what is a request. This only follows the framing of what hyper took.

use std::fmt;

use bytes::{Bytes, BytesMut};

/// How many header lines are followed; hyper takes 100.
pub const MAX_LINES: usize = 128;

/// Messages shorter than this, in bytes, are copied off the tape, which goes on being used.
const MAX_COPIED: usize = 64 * 1024;

/// What begins an HTTP/2 connection (RFC 9113, section 3.4); its frames are not recorded.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// As much of it as no other request begins with.
const PREFACE_LINE: usize = 14;

/// The bytes of one message, or of what was meant to be one. `Debug` masks the values of secret header fields.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Raw {
    /// As they came: head, and body with its chunk framing.
    pub bytes: Bytes,
    /// Whether more came than is kept.
    pub cut: bool,
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = masked(&self.bytes);
        f.debug_struct("Raw")
            .field("bytes", &shown.escape_ascii().to_string())
            .field("cut", &self.cut)
            .finish()
    }
}

/// Where the parts of a message lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The head's length, its empty line included.
    pub head: usize,
    /// The lengths of the chunks in their order; `None` if the body is not chunked.
    pub chunks: Option<Vec<usize>>,
    /// The whole length; `None` if the message is not whole.
    pub end: Option<usize>,
}

/// Finds the parts of the message at the beginning of `bytes`; `None` if there is no whole head.
#[must_use]
pub fn layout(bytes: &[u8]) -> Option<Layout> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_LINES];
    let mut request = httparse::Request::new(&mut fields);
    let Ok(httparse::Status::Complete(head)) = request.parse(bytes) else { return None };
    let named = |name: &'static str| {
        request.headers.iter().filter(move |field| field.name.eq_ignore_ascii_case(name))
    };
    let chunked = |value: &[u8]| value.to_ascii_lowercase().trim_ascii_end().ends_with(b"chunked");
    if named("transfer-encoding").next_back().is_some_and(|field| chunked(field.value)) {
        let (chunks, end) = follow_chunks(bytes, head);
        return Some(Layout { head, chunks: Some(chunks), end });
    }
    let length = named("content-length").next();
    let length = length.and_then(|field| std::str::from_utf8(field.value).ok()?.trim().parse::<usize>().ok());
    let end = head.checked_add(length.unwrap_or(0)).filter(|end| *end <= bytes.len());
    Some(Layout { head, chunks: None, end })
}

/// Steps over chunks and the trailer section (RFC 9112, section 7.1).
fn follow_chunks(bytes: &[u8], mut at: usize) -> (Vec<usize>, Option<usize>) {
    let mut chunks = Vec::new();
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let Ok(httparse::Status::Complete((line, size))) = httparse::parse_chunk_size(rest) else {
            return (chunks, None);
        };
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        at += line;
        if size == 0 {
            return (chunks, trailer_end(bytes, at));
        }
        chunks.push(size);
        let Some(next) = at.checked_add(size).and_then(|end| end.checked_add(2)) else {
            return (chunks, None);
        };
        at = next;
    }
}

/// After the empty line that ends the trailer section.
fn trailer_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let line = bytes.get(at..)?;
        let length = line.iter().position(|&byte| byte == b'\n')? + 1;
        at += length;
        if line[..length].trim_ascii().is_empty() {
            return Some(at);
        }
    }
}

/// The header lines of a message as they came: names in their own case, in their order.
#[must_use]
pub fn lines(bytes: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_LINES];
    let mut request = httparse::Request::new(&mut fields);
    let Ok(httparse::Status::Complete(_)) = request.parse(bytes) else { return None };
    Some(request.headers.iter().map(|field| (field.name.to_owned(), field.value.to_vec())).collect())
}

/// Whether a header field's value is a secret that is not to be shown.
#[must_use]
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // The signature is no secret, and the idempotency key neither.
    if ["webhook-signature", "idempotency-key"].contains(&name.as_str()) {
        return false;
    }
    matches!(name.as_str(), "authorization" | "proxy-authorization" | "cookie")
        || ["token", "secret", "key", "password"].iter().any(|part| name.contains(part))
}

/// A secret value with asterisks for its characters. The scheme of an `Authorization` stays: it is what people look for.
#[must_use]
pub fn mask(value: &[u8]) -> Vec<u8> {
    let scheme = value.iter().position(|&byte| byte == b' ').map_or(0, |space| space + 1);
    let known = [&b"basic "[..], b"bearer "].iter().any(|known| value[..scheme].eq_ignore_ascii_case(known));
    let from = if known { scheme } else { 0 };
    [&value[..from], b"***"].concat()
}

/// A message with the values of its secret header fields masked. What has no whole head is searched line by line, whatever
/// ends a line; and a line that begins with white space goes on with the value before it (RFC 9112, section 5.2), which no
/// receiver takes, but a capture shows; so may one without a name.
#[must_use]
pub fn masked(bytes: &[u8]) -> Vec<u8> {
    let head = layout(bytes).map_or(bytes.len(), |layout| layout.head);
    let mut shown = Vec::with_capacity(bytes.len());
    let mut in_secret = false;
    for line in bytes[..head].split_inclusive(|&byte| matches!(byte, b'\r' | b'\n')) {
        let end = line.trim_ascii_end().len();
        let folded = line.first().is_some_and(|byte| matches!(byte, b' ' | b'\t'));
        let colon = line.iter().position(|&byte| byte == b':');
        // The end of the line before, or an empty line.
        if end == 0 {
            shown.extend_from_slice(line);
            continue;
        }
        in_secret = match colon {
            Some(colon) if !folded => names_a_secret(&line[..colon]),
            // Without a name of its own a line is the rest of the one before.
            _ => in_secret,
        };
        let from = match colon {
            Some(colon) if !folded => colon + 1,
            _ => 0,
        };
        if in_secret {
            shown.extend_from_slice(&line[..from]);
            shown.push(b' ');
            shown.extend_from_slice(&mask(line[from..].trim_ascii()));
            shown.extend_from_slice(&line[end..]);
        } else {
            shown.extend_from_slice(line);
        }
    }
    shown.extend_from_slice(&bytes[head..]);
    shown
}

fn names_a_secret(name: &[u8]) -> bool {
    is_secret(String::from_utf8_lossy(name).trim())
}

/// What came on a connection and was not yet given to a request. Bounded: beyond its limit it only notes that more came.
#[derive(Debug)]
pub(crate) struct Tape {
    bytes: BytesMut,
    limit: usize,
    state: State,
    total: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Recording,
    /// More came than is kept, so that the next message's beginning is not known.
    Overflowed,
    /// Frames of HTTP/2 carry several messages at once, compressed: there is nothing to show a person.
    Frames,
}

impl Tape {
    pub(crate) fn new(limit: usize) -> Self {
        Self { bytes: BytesMut::new(), limit, state: State::Recording, total: 0 }
    }

    pub(crate) fn record(&mut self, came: &[u8]) {
        self.total += came.len() as u64;
        if self.state != State::Recording {
            return;
        }
        let room = self.limit - self.bytes.len();
        self.bytes.extend_from_slice(&came[..came.len().min(room)]);
        if came.len() > room {
            self.state = State::Overflowed;
        }
        if self.total == self.bytes.len() as u64 && self.bytes.starts_with(&PREFACE[..PREFACE_LINE]) {
            self.state = State::Frames;
            self.bytes = BytesMut::new();
        }
    }

    /// Takes the message that was read to its end, or what there is of it. `None` for HTTP/2.
    pub(crate) fn take(&mut self) -> Option<Raw> {
        if self.state == State::Frames {
            return None;
        }
        let end = layout(&self.bytes).and_then(|layout| layout.end).unwrap_or(self.bytes.len());
        let message = self.bytes.split_to(end);
        let bytes = if end < MAX_COPIED { Bytes::copy_from_slice(&message) } else { message.freeze() };
        if end >= MAX_COPIED {
            // What follows gets memory of its own: a small message would keep all of the large one alive.
            self.bytes = BytesMut::from(&self.bytes[..]);
        }
        Some(Raw { bytes, cut: self.overflowed() })
    }

    /// Keeps nothing more: what comes now is thrown away.
    pub(crate) fn stop(&mut self) {
        if self.state == State::Recording {
            self.state = State::Overflowed;
        }
    }

    /// Whether the next byte begins a message.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.state == State::Recording
    }

    /// Whether the beginning of the next message is no longer known.
    pub(crate) fn overflowed(&self) -> bool {
        self.state == State::Overflowed
    }

    /// Whether nothing came yet that is not also the beginning of an HTTP/2 connection.
    pub(crate) fn is_undecided(&self) -> bool {
        match self.state {
            State::Frames => self.total < PREFACE.len() as u64,
            _ => self.total == self.bytes.len() as u64 && PREFACE.starts_with(&self.bytes),
        }
    }

    /// How many bytes came in all.
    pub(crate) const fn total(&self) -> u64 {
        self.total
    }
}

/// Laws that a fuzzer plays against this module; each panics when its law is broken.
#[doc(hidden)]
pub mod properties {
    use super::{Tape, layout, masked};

    /// Whatever comes, in whatever pieces: the tape gives all of it, and of a head that is whole no secret is shown.
    pub fn following(data: &[u8]) {
        let mut tape = Tape::new(1 << 20);
        for piece in data.chunks(7) {
            tape.record(piece);
        }
        let mut given = Vec::new();
        while let Some(raw) = tape.take().filter(|raw| !raw.bytes.is_empty()) {
            given.extend_from_slice(&raw.bytes);
        }
        let frames = data.starts_with(&super::PREFACE[..super::PREFACE_LINE]);
        assert!(frames || given == data, "the tape lost something");
        let message = [b"POST / HTTP/1.1\r\nAuthorization: Bearer s3cret-t0ken\r\n", data].concat();
        if layout(&message).is_some() {
            let shown = masked(&message);
            assert!(!shown.starts_with(&message[..46]), "a secret is shown");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_apart() {
        let fixed = "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}";
        let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n1\r\n{\r\n01;x=y\r\n}\r\n0\r\nA: b\r\n\r\n";
        let bare = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let all = [fixed, chunked, bare].concat();
        let mut tape = Tape::new(1 << 20);
        for byte in all.as_bytes() {
            tape.record(&[*byte]);
        }
        for message in [fixed, chunked, bare] {
            assert_eq!(tape.take().unwrap().bytes, message.as_bytes());
        }
        assert_eq!(tape.take().unwrap().bytes, "");
        assert_eq!(layout(chunked.as_bytes()).unwrap().chunks, Some(vec![1, 1]));
    }

    #[test]
    fn what_is_not_whole_is_given_as_it_is() {
        for (text, head) in [
            ("POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n{", true),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{", true),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b", true),
            ("POST / HTTP/1.1\r\nContent-Le", false),
            ("\u{16}\u{3}\u{1} not HTTP", false),
        ] {
            assert_eq!(layout(text.as_bytes()).map(|layout| layout.end), head.then_some(None), "{text}");
            let mut tape = Tape::new(1 << 20);
            tape.record(text.as_bytes());
            assert_eq!(tape.take().unwrap().bytes, text.as_bytes());
        }
    }

    #[test]
    fn names_keep_their_case_and_order() {
        let lines = lines(b"GET / HTTP/1.1\r\nX-B: 1\r\nx-a:2\r\nX-B: 3\r\n\r\n").unwrap();
        let shown: Vec<_> =
            lines.iter().map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value))).collect();
        assert_eq!(shown, [("X-B", "1".into()), ("x-a", "2".into()), ("X-B", "3".into())]);
    }

    #[test]
    fn a_tape_is_bounded_and_leaves_frames_out() {
        let mut tape = Tape::new(4);
        tape.record(b"abcdef");
        assert!(tape.overflowed());
        assert_eq!((tape.take().unwrap().cut, tape.total()), (true, 6));
        let mut tape = Tape::new(100);
        tape.record(b"PRI * HT");
        assert!(tape.is_undecided());
        tape.record(b"TP/2.0\r\n\r\nSM\r\n");
        assert!(tape.is_undecided());
        tape.record(b"\r\n");
        assert!(!tape.is_undecided());
        tape.record(b"frames");
        assert_eq!((tape.take(), tape.total()), (None, 30));
    }

    #[test]
    fn secrets_are_masked_however_their_lines_are_written() {
        for (came, shown) in [
            (
                "POST / HTTP/1.1\r\nAuthorization: Basic dTpw\r\nA: b\r\n\r\n",
                "POST / HTTP/1.1\r\nAuthorization: Basic ***\r\nA: b\r\n\r\n",
            ),
            ("P\r\nX-Token:a:b\r\n\r\nX-Token:body", "P\r\nX-Token: ***\r\n\r\nX-Token: ***"),
            (
                "P\r\nAuthorization: Basic\r\n dTpw\r\n\tdTpw\r\nA: b\r\n\r\n",
                "P\r\nAuthorization: ***\r\n ***\r\n ***\r\nA: b\r\n\r\n",
            ),
            (
                "P\r\nAuthorization: Basic dTpw\rc2Vj\r\nA: b\r\n\r\n",
                "P\r\nAuthorization: Basic ***\r ***\r\nA: b\r\n\r\n",
            ),
            ("P\rAuthorization: dTpw\rA: b\r\r", "P\rAuthorization: ***\rA: b\r\r"),
            ("P\nCookie: a=b", "P\nCookie: ***"),
        ] {
            assert_eq!(String::from_utf8(masked(came.as_bytes())).unwrap(), shown, "{came:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn all_is_given_and_no_secret_is_shown(data in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            properties::following(&data);
            properties::following(&[b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", &data[..]].concat());
        }
    }
}

//! Updates: 64 different starts of events in turn, each with an identity that no other has.

use bytes::Bytes;
use payload::generate::Play;
use payload::{Field, Update};

/// How many are told apart by more than their identity.
const KINDS: usize = 64;

/// What stands before the identity.
const BEFORE: &[u8] = b"\"id\":\"";

/// What stands before the name of the algorithm, by which policies choose.
const ALGORITHM: &[u8] = b"\"algorithm\":\"";

/// A body, and where its identity and its algorithm lie.
struct Kind {
    text: Vec<u8>,
    id: usize,
}

/// Where updates come from. The same as often as it is made.
pub(crate) struct Bodies {
    kinds: Vec<Kind>,
}

fn place(text: &[u8], of: &[u8]) -> Option<usize> {
    text.windows(of.len()).position(|window| window == of).map(|at| at + of.len())
}

impl Bodies {
    pub(crate) fn new() -> Self {
        let texts = Play::new(7, 200, 1_689_391_131).map(|event| event.to_json());
        let starts = texts.filter(|text| {
            let update = Update::parse(text.clone()).ok();
            update.is_some_and(|update| update.alerttype().as_deref() == Some("start"))
        });
        let kinds = starts.take(KINDS).filter_map(|text| Some(Kind { id: place(&text, BEFORE)?, text }));
        Self { kinds: kinds.collect() }
    }

    /// The one with this number.
    pub(crate) fn body(&self, number: usize) -> Bytes {
        let kind = &self.kinds[number % KINDS];
        let mut text = kind.text.clone();
        // As long as a UUID is.
        let id = format!("{number:08x}-0000-4000-8000-{number:012x}");
        text[kind.id..kind.id + id.len()].copy_from_slice(id.as_bytes());
        text.into()
    }

    pub(crate) fn several(&self, first: usize, count: usize) -> Vec<Bytes> {
        (first..first + count).map(|number| self.body(number)).collect()
    }

    /// The same with the algorithm `a0`, `a1` and so on below `algorithms`, in turn.
    pub(crate) fn routed(&self, first: usize, count: usize, algorithms: usize) -> Vec<Bytes> {
        let routed = |number: usize| {
            let body = self.body(number);
            let Some(start) = place(&body, ALGORITHM) else { return body };
            let end = start + body[start..].iter().position(|byte| *byte == b'"').unwrap_or(0);
            let name = format!("a{}", number % algorithms);
            [&body[..start], name.as_bytes(), &body[end..]].concat().into()
        };
        (first..first + count).map(routed).collect()
    }

    /// The same, each at least `length` bytes long: its summary is filled up.
    pub(crate) fn long(&self, first: usize, count: usize, length: usize) -> Vec<Bytes> {
        let filled = |body: Bytes| {
            let Some(at) = place(&body, b"\"summary\":\"") else { return body };
            let more = vec![b'x'; length.saturating_sub(body.len())];
            [&body[..at], &more, &body[at..]].concat().into()
        };
        self.several(first, count).into_iter().map(filled).collect()
    }
}

/// One a line, so many in each request.
pub(crate) fn lines(bodies: &[Bytes], in_each: usize) -> Vec<Bytes> {
    bodies.chunks(in_each).map(|chunk| chunk.join(&b'\n').into()).collect()
}

/// The identity in a body.
pub(crate) fn id(body: &[u8]) -> Option<String> {
    Update::parse(body.to_vec()).ok()?.text(Field::ID).map(|id| id.to_string())
}

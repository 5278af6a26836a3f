//! Gives an answer, or does to it what a fault says.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderValue, Response};
use http_body::{Body, Frame, SizeHint};

use super::tap::Ending;
use crate::clock::{self, Pause};
use crate::fault::{Fault, MAX_HOLD, Moment, Struck};

/// How long after its first half a broken answer ends: hyper has sent that half by then.
const FLUSH: Duration = Duration::from_millis(20);

/// How often an endless answer goes on.
const ENDLESS_STEP: Duration = Duration::from_millis(100);

/// How much of an endless answer comes at once, in bytes, and how often without a pause.
const ENDLESS_PIECE: usize = 16 * 1024;
const ENDLESS_BURST: u32 = 64;

/// Carries a fault out, and gives the answer that is left. An error ends the connection without one.
pub(super) async fn give(
    response: Response<Bytes>,
    struck: Option<Struck>,
    ending: &Ending,
) -> io::Result<Response<Answer>> {
    let Some(struck) = struck else { return Ok(response.map(Answer::whole)) };
    if !struck.delay.is_zero() {
        clock::pause(struck.delay).await;
    }
    match struck.fault {
        Fault::None | Fault::Status { .. } | Fault::Redirect { .. } => Ok(response.map(Answer::whole)),
        Fault::Reset(Moment::Before | Moment::Within | Moment::After) => {
            ending.by_reset();
            Err(io::Error::other("reset on purpose"))
        }
        Fault::Reset(Moment::Answer) => {
            ending.by_reset();
            Ok(response.map(|body| Answer::stopping(&body)))
        }
        Fault::Truncate => Ok(response.map(|body| Answer::stopping(&body))),
        Fault::Endless => Ok(response.map(|body| Answer::endless(&body))),
        Fault::Raw(bytes) => {
            ending.by_raw(bytes);
            let mut response = response.map(Answer::whole);
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            Ok(response)
        }
        Fault::Slow(step) => Ok(response.map(|body| Answer::slow(body, step))),
        Fault::Silent(hold) | Fault::AcceptOnly(hold) => {
            clock::pause(hold).await;
            Err(io::Error::other("silent on purpose"))
        }
        Fault::Refuse => Err(io::Error::other("refused on purpose")),
    }
}

/// The body of an answer: pieces with pauses between them, and an end.
pub(super) struct Answer {
    left: Bytes,
    /// How much goes at once.
    piece: usize,
    step: Duration,
    pause: Option<Pause>,
    end: End,
    /// What the answer says its length is.
    announced: Option<u64>,
}

enum End {
    /// After the last byte.
    Whole,
    /// In the middle: with an error, which ends the connection.
    Broken,
    /// Not before so many more pieces.
    Never { pieces: u32, burst: u32, piece: Bytes },
}

impl Answer {
    fn whole(body: Bytes) -> Self {
        let announced = Some(body.len() as u64);
        let piece = body.len();
        Self { left: body, piece, step: Duration::ZERO, pause: None, end: End::Whole, announced }
    }

    fn stopping(body: &Bytes) -> Self {
        let half = body.slice(..body.len() / 2);
        let announced = Some(body.len() as u64);
        Self { piece: half.len(), left: half, step: FLUSH, pause: None, end: End::Broken, announced }
    }

    fn endless(body: &Bytes) -> Self {
        let pieces = u32::try_from(MAX_HOLD.as_millis() / ENDLESS_STEP.as_millis()).unwrap_or(u32::MAX);
        let piece = Bytes::from(body.repeat(ENDLESS_PIECE / body.len().max(1) + 1));
        let end = End::Never { pieces, burst: ENDLESS_BURST, piece: piece.clone() };
        Self { piece: piece.len(), left: piece, step: ENDLESS_STEP, pause: None, end, announced: None }
    }

    fn slow(body: Bytes, step: Duration) -> Self {
        let announced = Some(body.len() as u64);
        Self { left: body, piece: 1, step, pause: None, end: End::Whole, announced }
    }

    /// The next piece, when no pause stands before it.
    fn next(&mut self) -> Option<io::Result<Frame<Bytes>>> {
        if self.left.is_empty() {
            match &mut self.end {
                End::Whole => return None,
                End::Broken => return Some(Err(io::Error::other("broken off on purpose"))),
                End::Never { pieces: 0, .. } => return None,
                End::Never { pieces, piece, .. } => {
                    *pieces -= 1;
                    self.left = piece.clone();
                }
            }
        }
        let piece = self.left.split_to(self.piece.min(self.left.len()));
        let at_once = match &mut self.end {
            End::Whole => self.left.is_empty(),
            End::Broken => false,
            End::Never { burst, .. } => {
                let left = *burst > 0;
                *burst = burst.saturating_sub(1);
                left
            }
        };
        if !self.step.is_zero() && !at_once {
            self.pause = Some(clock::pause(self.step));
        }
        Some(Ok(Frame::data(piece)))
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(pause) = &mut self.pause {
            if Pin::new(pause).poll(context).is_pending() {
                return Poll::Pending;
            }
            self.pause = None;
        }
        Poll::Ready(self.next())
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty() && matches!(self.end, End::Whole)
    }

    fn size_hint(&self) -> SizeHint {
        self.announced.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

//! How a message gets to its URL.
//!
//! A message is bytes with an identity, an order key and a sequence; what the bytes mean is nobody's business here.
//!
//! ```text
//!  Message ─append─▶ store ─claim─▶ lane ─step(now)─▶ attempt ─render─▶ body ─send─▶ Outcome
//!                      ▲                                                              │
//!                      └───────────────settle◀── Disposition ◀──judge(retry policy)──┘
//! ```

pub mod clock;
pub mod message;
pub mod outcome;
pub mod tasks;

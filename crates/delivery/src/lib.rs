//! How a message gets to its URL.
//!
//! A message is bytes with an identity and a key that it is in order with; what the bytes mean is nobody's business here.
//!
//! ```text
//!  Message ─accept─▶ lane ─step(now)─▶ attempt ─render─▶ body ─send─▶ Outcome
//!                     ▲                                                  │
//!                     └──settle◀── Disposition ◀──judge(retry policy)────┘
//! ```
//!
//! Reading order: [`message`] is what is delivered, [`target`] where to; [`http`] makes one try, which ends in an
//! [`outcome`]; [`retry`] judges that; [`breaker`], [`lane`] and [`schedule`] are the pure state machine that decides what
//! starts when; [`engine`] is the one loop around it. [`clock`] and [`tasks`] are the only doors to time and to `spawn`.

pub mod clock;
pub mod message;
pub mod outcome;
pub mod tasks;

pub mod target;

pub mod http;

pub mod breaker;
pub mod retry;

pub mod lane;
pub mod schedule;

pub mod store;

pub mod engine;

//! The webhook: what the platform's customers configure, joined with what delivers it.
//!
//! ```text
//!  settings ─check─▶ integrations, policies
//!                          │
//!  Update ─route(policies)─┴─▶ message ─▶ delivery's engine, one lane an integration
//! ```
//!
//! Reading order: [`integration`] is the form of the documentation page; [`policy`] says which updates go where;
//! [`message`] makes an update a message; [`settings`] reads all of it from a file; [`accept`] puts it to work.

pub mod integration;
pub mod policy;

pub mod message;

pub mod settings;

pub mod accept;

mod duration;

pub use accept::Sender;
pub use duration::duration;
pub use integration::{Draft, Integration};
pub use policy::Policy;
pub use settings::Settings;

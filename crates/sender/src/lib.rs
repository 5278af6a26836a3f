//! The webhook: what the platform's customers configure, joined with what delivers it.
//!
//! ```text
//!  settings ─check─▶ integrations, policies
//!                          │
//!  Update ─route(policies)─┴─▶ message ─▶ delivery's engine, one lane an integration
//! ```
//!
//! Reading order: [`integration`] is the form of the documentation page; [`policy`] says which updates go where;
//! [`message`] makes an update a message; [`preview`] shows what would be sent; [`form`] is an integration as it is filled in; [`settings`] reads all of it from a
//! file; [`seal`] keeps its secrets; [`accept`] puts it to work; [`book`] keeps what is configured
//! by API or page.

pub mod integration;
pub mod policy;

pub mod message;

pub mod preview;

pub mod form;
pub mod settings;

pub mod seal;

pub mod accept;

pub mod book;

mod duration;

pub use accept::Sender;
pub use book::Book;
pub use duration::{Time, duration};
pub use form::Form;
pub use integration::{Draft, Integration};
pub use policy::Policy;
pub use preview::Preview;
pub use settings::Settings;

//! The body of the Fusion webhook: one state update of an event as JSON, its fields, and the names they are sent under.
//!
//! ```text
//!            parse                    check
//!  bytes ───────────▶ Update ─────────────────▶ findings
//!    ▲                  │  ╲
//!    │   FieldNames     │   ╲ read_from
//!    └──────────────────┘    ▼
//!        render            Event ◀── generate
//! ```
//!
//! Reading order: [`schema`] is the table that everything follows; [`update`] reads bytes and keeps them, [`batch`] takes
//! several apart;
//! [`field_names`] renames, leaves out and adds while writing; [`mod@check`] says what is odd about an update; [`event`] and
//! [`value`] are the typed form; [`generate`] plays whole lives of events. [`error`] says why a text is no update.
//!
//! Pure: nothing here does I/O, reads a clock or waits.
//!
//! ```
//! use payload::{FieldNames, Rule, Update};
//!
//! let update = Update::parse(payload::SAMPLE)?;
//! assert_eq!(update.alerttype().as_deref(), Some("start"));
//!
//! let names = FieldNames::compile(&[Rule::rename("id", "event_id"), Rule::omit("metrics.bits")])?;
//! let body = names.render(&update)?;
//! assert_eq!(names.restore(body)?.id(), update.id());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod schema;

mod blocks;
mod words;

mod json;
mod labels;
mod lookup;
mod out;

pub mod error;
pub mod update;

pub mod batch;

pub mod field_names;

pub mod check;

pub mod event;
pub mod value;

pub mod generate;

#[doc(hidden)]
pub mod properties;
#[cfg(feature = "proptest")]
pub mod strategies;

pub use batch::{lines, split};
pub use check::{Finding, check};
pub use error::{MAX_BYTES, MAX_DEPTH, ParseError};
pub use event::Event;
pub use field_names::{FieldNames, Rule};
pub use schema::Field;
pub use update::{Reader, Update, View};

/// The body that the vendor's documentation page shows, as it stands there.
pub const SAMPLE: &str = include_str!("sample.json");

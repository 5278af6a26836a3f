//! The laws that need more than one crate, or that live in a test; all others live beside the code that they are about.

pub mod both_ends;
pub mod retry_after;
pub mod schedule;

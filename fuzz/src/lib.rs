//! The laws that need more than one crate; all others live beside the code that they are about.

pub mod both_ends;

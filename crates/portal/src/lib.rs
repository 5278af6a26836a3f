//! The server's HTTP API and pages.
//!
//! ```text
//!  POST /v1/updates ─▶ Sender::accept ─▶ store        GET /v1/deliveries, /v1/status ◀─ archive, engine
//!                                        engine ──▶ watch (metrics, log) ──▶ GET /metrics
//! ```
//!
//! Reading order: [`access`] says who may ask; [`mod@watch`] is told what the engine does, and counts it; [`portal`] is what
//! the routes work with; [`api`] is the routes of programs, [`pages`] those of people; [`server`] is the sockets.

pub mod access;

mod arrival;

mod history;

pub mod watch;

pub mod portal;

pub mod api;

pub mod pages;

pub mod server;

pub use access::Access;
pub use portal::Portal;
pub use watch::Watch;

//! End to end, over real sockets and real processes: the sender against our receiver and against wiremock.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bare;
#[path = "../crates/receiver/tests/browser/browser.rs"]
#[expect(dead_code, reason = "two programs share it, and neither uses all of it")]
mod browser;
mod certify;
mod changes;
mod corpus;
mod form;
mod harness;
mod hostile;
mod intruder;
mod openssl;
mod pages;
mod portal;
mod program;
mod receive;
mod secrets;
mod serve;
mod server;
mod tls;
mod tried;
mod vendor;
mod wire;

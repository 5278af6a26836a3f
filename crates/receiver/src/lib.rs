//! The mock receiver: takes updates in as a webhook's other end, checks every request, and says what it found.
//!
//! ```text
//!  socket ─read─▶ Request ─check─▶ Verdict ─reply─▶ socket
//!                                     ╰──record──▶ Capture
//! ```
//!
//! Reading order: [`request`] is what came; [`verdict`] is how it is judged; [`mod@check`] judges; [`reply`] answers;
//! [`capture`] remembers; [`server`] is the sockets; [`mock`] puts them together.
//!
//! It judges what our sender sends, so it shares no code with it: of `payload` it knows the schema, the checks and the
//! field names, of `delivery` nothing.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use receiver::MockReceiver;
//!
//! let receiver = MockReceiver::builder()
//!     .credentials("fusion", "s3cret")
//!     .require_header("X-Netography: Webhook")?
//!     .start()
//!     .await?;
//! // … point a sender at `receiver.url()`, then:
//! # let _ = receiver.url();
//! assert_eq!(receiver.counts().failed, 0);
//! # Ok(()) }
//! ```

pub mod wire;

pub mod request;
pub mod verdict;

pub mod check;
pub mod fault;

pub mod reply;

pub mod capture;
pub mod expect;

mod clock;
pub mod server;

pub mod inspector;

pub mod mock;
pub mod scenario;

pub use capture::{Capture, Counts};
pub use fault::Rule;
pub use mock::MockReceiver;
pub use verdict::{Subject, Verdict};

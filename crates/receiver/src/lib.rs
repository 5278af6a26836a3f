//! The mock receiver: takes updates in as a webhook's other end, checks every request, and says what it found.
//!
//! ```text
//!  socket ─read─▶ Request ─check─▶ Verdict ┐
//!                        ─plan──▶ Fault   ┴─reply─▶ socket      (Request, Verdict, Fault) ─record─▶ Capture ─show─▶ inspector
//! ```
//!
//! Reading order: [`wire`] is the bytes; [`request`] is what came; [`verdict`] is how it is judged; [`mod@check`] judges;
//! [`fault`] plans what goes wrong on purpose; [`reply`] answers; [`capture`] remembers; [`mod@expect`] says what should have
//! come; [`server`] is the sockets; [`inspector`] shows; [`mock`] puts them together, and [`scenario`] reads checks and faults
//! from a file.
//!
//! It judges what our sender sends, so it shares no code with it: of `payload` it knows the schema, the checks and the
//! field names, of `delivery` nothing.
//!
//! A test of a sender starts a receiver, lets the sender work, and says what it expects. What does not come is told with the
//! nearest misses; what a fault spoilt is not held against the sender.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use receiver::{MockReceiver, Rule};
//!
//! let receiver = MockReceiver::builder()
//!     .credentials("fusion", "s3cret")
//!     .require_header("X-Netography: Webhook")?
//!     .fault(Rule::parse("status=503,retry-after=1,first=1,per=event")?)
//!     .start()
//!     .await?;
//!
//! # let sender = async || {
//! #     use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! #     let body = r#"{"id":"1","alerttype":"start"}"#;
//! #     for _ in 0..2 {
//! #         let mut socket = tokio::net::TcpStream::connect(receiver.address()).await?;
//! #         let head = format!("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n\
//! #             Authorization: Basic ZnVzaW9uOnMzY3JldA==\r\nX-Netography: Webhook\r\nContent-Length: {}\r\n\r\n", body.len());
//! #         socket.write_all(head.as_bytes()).await?;
//! #         socket.write_all(body.as_bytes()).await?;
//! #         socket.read_to_end(&mut Vec::new()).await?;
//! #     }
//! #     Ok::<(), std::io::Error>(())
//! # };
//! sender().await?; // … your own, pointed at `receiver.url()`: it meets a 503, and tries again
//!
//! receiver.expect(1).event("1").alerttype("start").status(503).await?;
//! receiver.expect(1).event("1").verified().status(200).await?;
//! assert_eq!(receiver.counts().failed, 0);
//! # Ok(()) }
//! ```
//!
//! Without a runtime it runs on a thread of its own, and several run side by side:
//!
//! ```
//! use receiver::MockReceiver;
//! use std::time::Duration;
//!
//! let receiver = MockReceiver::builder().start_blocking()?;
//! let none = receiver.expect(1).event("1").within(Duration::from_millis(10)).blocking();
//! assert_eq!(
//!     none.unwrap_err().to_string(),
//!     "expected 1 request with event \"1\" within 0.01 s, but nothing came"
//! );
//! # Ok::<(), receiver::mock::StartError>(())
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

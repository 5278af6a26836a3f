//! The only door to `spawn`: a task that is dropped is stopped, and a task that panicked panics whoever waits for it.
//!
//! A bare `tokio::spawn` detaches, so a panic in it would vanish and the work it held would hang for ever.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::task::JoinHandle;

/// A running task. Dropping it aborts the task at its next await.
#[derive(Debug)]
pub struct Task<T>(JoinHandle<T>);

/// Runs `work` beside the caller. Panics when called outside a tokio runtime, as `tokio::spawn` does.
#[must_use = "dropping a task stops it"]
#[expect(clippy::disallowed_methods, reason = "this is the one door")]
pub fn spawn<F>(work: F) -> Task<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    Task(tokio::spawn(work))
}

/// Does `work` to its end, also if the caller stops waiting: for what must not be left half done. It must end by itself.
#[expect(clippy::disallowed_methods, reason = "this is the one door")]
pub async fn outlive<F>(work: F) -> F::Output
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    match tokio::spawn(work).await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Nothing aborts it; left is a runtime that shuts down, which polls nobody.
            Err(_) => std::future::pending().await,
        },
    }
}

impl<T> Task<T> {
    /// Whether the task has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

impl<T> Future for Task<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        Pin::new(&mut self.0).poll(cx).map(|ended| match ended {
            Ok(value) => value,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // Only `Drop` aborts, and what is dropped is not polled; left is a runtime that shuts down.
                Err(_) => panic!("the runtime stopped a task that was still waited for"),
            },
        })
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Tasks of one kind whose results come back as they end; dropping it stops them all.
#[derive(Debug)]
pub struct TaskSet<T>(tokio::task::JoinSet<T>);

impl<T: Send + 'static> Default for TaskSet<T> {
    fn default() -> Self {
        Self(tokio::task::JoinSet::new())
    }
}

impl<T: Send + 'static> TaskSet<T> {
    /// Runs `work` beside the caller.
    pub fn spawn(&mut self, work: impl Future<Output = T> + Send + 'static) {
        self.0.spawn(work);
    }

    /// The next result; waits for ever while there is no task, so that it can stand in a `select!`. Cancel safe.
    pub async fn next(&mut self) -> T {
        match self.0.join_next().await {
            None => std::future::pending().await,
            Some(Ok(value)) => value,
            Some(Err(error)) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => std::future::pending().await,
            },
        }
    }

    /// Stops them all.
    pub fn stop(&mut self) {
        self.0 = tokio::task::JoinSet::new();
    }
}

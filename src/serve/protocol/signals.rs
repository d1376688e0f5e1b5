//! What ends a running statement: the client's wish, the clock, the client's absence, the end of the server.

use crate::serve::protocol::pg_error::{self, PgError};
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

/// How far the server's life is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::serve) enum Phase {
    /// It serves.
    Serving,
    /// It takes no statements any more and lets running ones end.
    Draining,
    /// It ends running ones.
    Ending,
}

/// How often a client that has sent ahead is looked after.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// When a statement shall have ended.
#[derive(Clone, Copy, Debug)]
pub(in crate::serve) struct Deadline {
    /// The time.
    pub(in crate::serve) at: Instant,
    /// How long that was from its start.
    pub(in crate::serve) limit: Duration,
}

impl Deadline {
    /// The earlier of two limits, counted from now.
    pub(in crate::serve) fn of(server: Option<Duration>, client: Option<Duration>) -> Option<Self> {
        let limit = server.into_iter().chain(client).min()?;
        // A limit beyond the clock is none.
        Some(Self { at: Instant::now().checked_add(limit)?, limit })
    }
}

/// What a connection hears while a statement runs.
#[derive(Debug)]
pub(in crate::serve) struct Signals {
    cancels: watch::Sender<u64>,
    phase: watch::Receiver<Phase>,
    /// The connection once more, to see whether the other side is still there; nothing is read from it.
    peer: TcpStream,
}

impl Signals {
    pub(in crate::serve) fn new(phase: watch::Receiver<Phase>, peer: TcpStream) -> Self {
        Self { cancels: watch::Sender::new(0), phase, peer }
    }

    /// Cancels the statement that runs; one that comes later is not meant.
    pub(in crate::serve) fn cancel(&self) {
        self.cancels.send_modify(|count| *count += 1);
    }

    /// Listens from now on; the listener must exist before the statement begins.
    pub(in crate::serve) fn listener(&self) -> Listener<'_> {
        Listener { signals: self, cancels: self.cancels.subscribe() }
    }

    /// Waits until the server takes no statements any more.
    pub(in crate::serve) async fn draining(&self) {
        // An error means that the server is gone, which is an end as well.
        let _ = self.phase.clone().wait_for(|phase| *phase != Phase::Serving).await;
    }

    async fn ending(&self) {
        let _ = self.phase.clone().wait_for(|phase| *phase == Phase::Ending).await;
    }

    async fn gone(&self) {
        loop {
            match self.peer.ready(Interest::READABLE).await {
                Ok(ready) if !ready.is_read_closed() => sleep(LOOK_EVERY).await,
                _ => return,
            }
        }
    }
}

/// Listens for the end of one statement.
pub(in crate::serve) struct Listener<'a> {
    signals: &'a Signals,
    cancels: watch::Receiver<u64>,
}

impl Listener<'_> {
    /// Waits for a reason to end the statement.
    pub(in crate::serve) async fn ended(mut self, deadline: Option<Deadline>) -> PgError {
        let late = async {
            match deadline {
                Some(deadline) => {
                    sleep_until(deadline.at).await;
                    deadline.limit
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            cancelled = self.cancels.changed() => match cancelled {
                Ok(()) => pg_error::cancelled(),
                Err(_) => PgError::Gone,
            },
            limit = late => pg_error::timed_out(limit),
            () = self.signals.gone() => PgError::Gone,
            () = self.signals.ending() => pg_error::shutting_down(),
        }
    }
}

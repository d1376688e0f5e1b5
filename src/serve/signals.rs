//! What ends a running statement: the client's wish, the clock, the client's absence, the end of the server.

use super::refusal::{self, Refusal};
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

/// How far the server's life is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
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
pub(super) struct Deadline {
    /// The time.
    pub(super) at: Instant,
    /// How long that was from its start.
    pub(super) limit: Duration,
}

impl Deadline {
    /// The earlier of two limits, counted from now.
    pub(super) fn of(server: Option<Duration>, client: Option<Duration>) -> Option<Self> {
        let limit = server.into_iter().chain(client).min()?;
        // A limit beyond the clock is none.
        Some(Self { at: Instant::now().checked_add(limit)?, limit })
    }
}

/// What a connection hears while a statement runs.
#[derive(Debug)]
pub(super) struct Signals {
    cancels: watch::Sender<u64>,
    phase: watch::Receiver<Phase>,
    /// The connection once more, to see whether the other side is still there; nothing is read from it.
    peer: TcpStream,
}

impl Signals {
    pub(super) fn new(phase: watch::Receiver<Phase>, peer: TcpStream) -> Self {
        Self { cancels: watch::Sender::new(0), phase, peer }
    }

    /// Cancels the statement that runs; one that comes later is not meant.
    pub(super) fn cancel(&self) {
        self.cancels.send_modify(|count| *count += 1);
    }

    /// Listens from now on; the listener must exist before the statement begins.
    pub(super) fn listener(&self) -> Listener<'_> {
        Listener { signals: self, cancels: self.cancels.subscribe() }
    }

    /// Waits until the server takes no statements any more.
    pub(super) async fn draining(&self) {
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
pub(super) struct Listener<'a> {
    signals: &'a Signals,
    cancels: watch::Receiver<u64>,
}

impl Listener<'_> {
    /// Waits for a reason to end the statement.
    pub(super) async fn ended(mut self, deadline: Option<Deadline>) -> Refusal {
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
                Ok(()) => refusal::cancelled(),
                Err(_) => Refusal::Gone,
            },
            limit = late => refusal::timed_out(limit),
            () = self.signals.gone() => Refusal::Gone,
            () = self.signals.ending() => refusal::shutting_down(),
        }
    }
}

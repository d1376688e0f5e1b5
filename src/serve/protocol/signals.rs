//! What ends a running statement: a cancel request, a timeout, a lost client, or the end of the server.

use crate::serve::protocol::pg_error::{self, PgError};
use crate::serve::protocol::socket::{LAST_WORDS, UNREAD_BYTES};
use std::io;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// The state of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::serve) enum Phase {
    /// It serves clients.
    Serving,
    /// It accepts no more statements and lets running ones finish.
    Draining,
    /// It ends running statements.
    Ending,
}

/// How often to check on a client that has sent data ahead.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The deadline of a statement.
#[derive(Clone, Copy, Debug)]
pub(in crate::serve) struct Deadline {
    /// The instant.
    pub(in crate::serve) at: Instant,
    /// Its distance from the start of the statement.
    pub(in crate::serve) limit: Duration,
}

impl Deadline {
    /// Returns the earlier of two limits, counted from now.
    pub(in crate::serve) fn of(server: Option<Duration>, client: Option<Duration>) -> Option<Self> {
        let limit = server.into_iter().chain(client).min()?;
        // A limit too large for the clock is no limit.
        Some(Self { at: Instant::now().checked_add(limit)?, limit })
    }
}

/// The events that a connection listens for while a statement runs.
#[derive(Debug)]
pub(in crate::serve) struct Signals {
    cancels: watch::Sender<u64>,
    phase: watch::Receiver<Phase>,
    /// A second handle of the connection, to see whether the other side is still there; nothing is read from it.
    peer: TcpStream,
}

impl Signals {
    pub(in crate::serve) fn new(phase: watch::Receiver<Phase>, peer: TcpStream) -> Self {
        Self { cancels: watch::Sender::new(0), phase, peer }
    }

    /// Cancels the running statement; later statements are not affected.
    pub(in crate::serve) fn cancel(&self) {
        self.cancels.send_modify(|count| *count += 1);
    }

    /// Listens from now on; the listener must exist before the statement begins.
    pub(in crate::serve) fn listener(&self) -> Listener<'_> {
        Listener { signals: self, cancels: self.cancels.subscribe() }
    }

    /// Sends the last bytes to a client, and reads what it has sent: bytes that nobody has read would make the system
    /// reset the connection, and the client would lose what it has not read yet.
    pub(in crate::serve) async fn last_words(&self, bytes: &[u8]) {
        let leaving = async {
            self.peer.writable().await?;
            self.peer.try_write(bytes)?;
            let (mut unread, mut read) = ([0; 4_096], 0);
            while read < UNREAD_BYTES {
                self.peer.readable().await?;
                match self.peer.try_read(&mut unread) {
                    Ok(0) => break,
                    Ok(more) => read += more,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
            io::Result::Ok(())
        };
        let _ = timeout(LAST_WORDS, leaving).await;
    }

    /// Waits until the server accepts no more statements.
    pub(in crate::serve) async fn draining(&self) {
        // An error means that the server is gone, which also ends the wait.
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

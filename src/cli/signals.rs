//! Ctrl-C and SIGTERM; schedulers and containers end a job by the latter.

use super::exit::Exit;
use memory::Memory;
use std::io::Write;
use tokio::runtime::Runtime;

/// A signal that asks the process to stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl Signal {
    fn word(self) -> &'static str {
        match self {
            Signal::Interrupt => "interrupted",
            Signal::Terminate => "terminated",
        }
    }

    /// Returns the exit of a run that the signal ends.
    pub(super) fn exit(self) -> Exit {
        match self {
            Signal::Interrupt => Exit::Interrupted,
            Signal::Terminate => Exit::Terminated,
        }
    }
}

/// Waits for signals, which then do not end the process by themselves.
pub(super) struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    /// Starts to listen; must be called inside a runtime.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?,
        })
    }

    /// Waits for the next signal.
    ///
    /// # Errors
    /// When Ctrl-C cannot be waited for.
    pub(super) async fn next(&mut self) -> std::io::Result<Signal> {
        #[cfg(unix)]
        let terminated = self.terminate.recv();
        #[cfg(not(unix))]
        let terminated = std::future::pending::<Option<()>>();
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted.map(|()| Signal::Interrupt),
            _ = terminated => Ok(Signal::Terminate),
        }
    }
}

/// Makes either signal end the process; the data that `memory` has spilled is removed first.
pub(super) fn end_process_on_signal(runtime: &Runtime, memory: Option<Memory>) {
    runtime.spawn(async move {
        let Ok(mut signals) = Signals::listen() else { return };
        let Ok(signal) = signals.next().await else { return };
        let _ = writeln!(std::io::stderr(), "\n{}", signal.word());
        if let Some(memory) = memory {
            memory.folder().remove();
        }
        signal.exit().now();
    });
}

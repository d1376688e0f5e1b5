//! How a run ends: exit codes and the one line that explains a failure.

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// 0: done.
    Done,
    /// 1: failed.
    Failed,
    /// 2: wrong usage.
    Usage,
    /// 3: done, but some objects could not be read.
    Partial,
    /// 4: findings at or above `--fail-on`.
    Findings,
    /// 130: interrupted.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Partial => 3,
            Exit::Findings => 4,
            Exit::Interrupted => 130,
        })
    }
}

/// Why a command failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The user asked for something that makes no sense.
    Usage(String),
    /// The world did not play along.
    Failed(String),
    /// Whoever read stdout has had enough.
    BrokenPipe,
}

impl Failure {
    pub(super) fn failed(error: impl Display) -> Self {
        Failure::Failed(error.to_string())
    }

    pub(super) fn usage(error: impl Display) -> Self {
        Failure::Usage(error.to_string())
    }

    /// Takes it for none that whoever read has had enough: what is left to do is done.
    ///
    /// # Errors
    /// Any other failure.
    pub(super) fn unless_unread(self) -> Result<(), Self> {
        match self {
            Failure::BrokenPipe => Ok(()),
            other => Err(other),
        }
    }

    /// Prints the failure and tells the exit code.
    pub(super) fn report(self) -> Exit {
        let (message, exit) = match self {
            Failure::Usage(message) => (message, Exit::Usage),
            Failure::Failed(message) => (message, Exit::Failed),
            Failure::BrokenPipe => return Exit::Done,
        };
        let _ = writeln!(std::io::stderr(), "error: {message}");
        exit
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Failure::BrokenPipe,
            _ => Failure::failed(format!("writing output: {error}")),
        }
    }
}

impl From<crate::report::ReportError> for Failure {
    fn from(error: crate::report::ReportError) -> Self {
        if error.is_broken_pipe() {
            return Failure::BrokenPipe;
        }
        // Its messages leave the cause to its source.
        match std::error::Error::source(&error) {
            Some(cause) => Failure::failed(format!("{error}: {cause}")),
            None => Failure::failed(error),
        }
    }
}

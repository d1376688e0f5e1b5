//! How a run ends: the exit codes, and the line that explains a failure.

use super::stderr::tell;
use flow::error_text;
use std::error::Error;
use std::fmt::Display;
use std::process::ExitCode;

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// Done.
    Done,
    /// Failed.
    Failed,
    /// Wrong usage.
    Usage,
    /// Done, but less than it should be: objects that could not be read, logs that fell silent, files that are missing.
    Partial,
    /// Findings at or above `--fail-on`.
    Findings,
    /// Interrupted by Ctrl-C.
    Interrupted,
    /// Stopped by SIGTERM.
    Terminated,
}

impl Exit {
    /// Returns the exit code; for signals it is 128 plus the signal's number, as shells have it.
    pub const fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Partial => 3,
            Exit::Findings => 4,
            Exit::Interrupted => 130,
            Exit::Terminated => 143,
        }
    }

    /// Ends the process at once, whatever its other threads are doing.
    pub(super) fn now(self) -> ! {
        std::process::exit(self.code().into())
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

/// Why a command failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The options are wrong, or name something that cannot be used.
    Usage(String),
    /// The command could not be completed.
    Failed(String),
    /// The reader of stdout has closed it.
    BrokenPipe,
}

impl Failure {
    /// Returns a failure with the text of an error and its causes.
    pub(super) fn failed(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Failure::Failed(error_text(&*error.into()))
    }

    /// Returns a failure about a file or an option, with the text of an error and its causes.
    pub(super) fn failed_at(what: impl Display, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Failure::Failed(format!("{what}: {}", error_text(&*error.into())))
    }

    /// Returns a mistake of the user with the text of an error and its causes.
    pub(super) fn usage(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Failure::Usage(error_text(&*error.into()))
    }

    /// Returns a mistake of the user about a file or an option, with the text of an error and its causes.
    pub(super) fn usage_at(what: impl Display, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Failure::Usage(format!("{what}: {}", error_text(&*error.into())))
    }

    /// Treats a closed stdout as success: the rest of the work is still done.
    ///
    /// # Errors
    /// Any other failure.
    pub(super) fn unless_unread(self) -> Result<(), Self> {
        match self {
            Failure::BrokenPipe => Ok(()),
            other => Err(other),
        }
    }

    /// Prints the failure and returns how the run ends.
    pub(super) fn report(self) -> Exit {
        let (message, exit) = match self {
            Failure::Usage(message) => (message, Exit::Usage),
            Failure::Failed(message) => (message, Exit::Failed),
            Failure::BrokenPipe => return Exit::Done,
        };
        tell(format_args!("error: {message}"));
        exit
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Failure::BrokenPipe,
            _ => Failure::failed_at("writing output", error),
        }
    }
}

impl From<crate::report::ReportError> for Failure {
    fn from(error: crate::report::ReportError) -> Self {
        if error.is_broken_pipe() { Failure::BrokenPipe } else { Failure::failed(error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("could not read a")]
    struct Unread {
        source: std::io::Error,
    }

    #[test]
    fn a_failure_has_the_causes_of_its_error() {
        let error = || Unread { source: std::io::Error::other("the disk is full") };
        let Failure::Failed(text) = Failure::failed(error()) else { panic!("not a failure") };
        assert_eq!(text, "could not read a: the disk is full");
        let Failure::Usage(text) = Failure::usage_at("--x", error()) else { panic!("not usage") };
        assert_eq!(text, "--x: could not read a: the disk is full");
        let Failure::Usage(text) = Failure::usage("--x: no") else { panic!("not usage") };
        assert_eq!(text, "--x: no");
    }
}

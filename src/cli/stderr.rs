//! What is told on stderr.

use flow::printable::printable_lines;
use std::fmt::Display;
use std::io::Write;

/// Prints a message. Names of objects and values of logs are in it: control characters show as escapes. A stderr that
/// cannot be written is no reason to stop.
pub(super) fn tell(message: impl Display) {
    let _ = writeln!(std::io::stderr(), "{}", printable_lines(&message.to_string()));
}

//! What became of what sinks were due.

use flow::printable::printable;
use serde::Serialize;

/// What became of what one sink was due.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SinkSummary {
    /// What messages call it, without secrets.
    pub sink: String,
    /// Notices that arrived.
    pub sent: u64,
    /// Notices that wait.
    pub waiting: u64,
    /// Notices that the receiver will never take.
    pub refused: u64,
    /// Whether what waits is kept for the next run.
    pub kept: bool,
    /// Why not all arrived, in one line; left out when all did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

impl SinkSummary {
    /// Returns the text for people, such as `soc: 3 sent, 1 waits`.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{}: {} sent", printable(&self.sink), self.sent);
        if self.waiting > 0 {
            text.push_str(&format!(", {} {}", self.waiting, if self.waiting == 1 { "waits" } else { "wait" }));
        }
        if self.refused > 0 {
            text.push_str(&format!(", {} refused", self.refused));
        }
        text
    }

    /// Returns the warning about a sink that was not told all.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let trouble = self.trouble.as_ref()?;
        let rest = match (self.waiting, self.kept) {
            (0, _) => String::new(),
            (waiting, true) => format!("; the next run sends the {waiting} that wait"),
            (waiting, false) => format!("; {waiting} not sent are lost, as failures are kept with --state alone"),
        };
        Some(format!("--notify {}: {trouble}{rest}", self.sink))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_told_with_what_becomes_of_it() {
        let mut sink = SinkSummary { sink: "soc".to_owned(), sent: 3, kept: true, ..SinkSummary::default() };
        assert_eq!((sink.text().as_str(), sink.warning()), ("soc: 3 sent", None));
        (sink.waiting, sink.refused, sink.trouble) = (1, 2, Some("it answers 503".to_owned()));
        assert_eq!(sink.text(), "soc: 3 sent, 1 waits, 2 refused");
        let kept = sink.warning().unwrap();
        assert_eq!(kept, "--notify soc: it answers 503; the next run sends the 1 that wait");
        sink.kept = false;
        assert!(sink.warning().unwrap().ends_with("1 not sent are lost, as failures are kept with --state alone"));
    }
}

//! How bad a finding or an incident is.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How bad a finding or an incident is; the order is from harmless to worst.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing, nothing to do.
    #[default]
    Informational,
    /// To be checked when there is time.
    Low,
    /// To be checked this week.
    Medium,
    /// To be checked today.
    High,
    /// To be checked now.
    Critical,
}

impl Severity {
    /// All severities from harmless to worst.
    pub const ALL: [Severity; 5] =
        [Severity::Informational, Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

    /// Returns the word that findings and options use, in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Severity::Informational => "informational",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }

    /// Returns the next higher severity; `critical` stays.
    pub const fn raised(self) -> Self {
        match self {
            Severity::Informational => Severity::Low,
            Severity::Low => Severity::Medium,
            Severity::Medium => Severity::High,
            Severity::High | Severity::Critical => Severity::Critical,
        }
    }

    /// Returns the next lower severity; `informational` stays.
    pub const fn lowered(self) -> Self {
        match self {
            Severity::Informational | Severity::Low => Severity::Informational,
            Severity::Medium => Severity::Low,
            Severity::High => Severity::Medium,
            Severity::Critical => Severity::High,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Through pad, so that widths and alignments hold.
        f.pad(self.as_str())
    }
}

/// A text is not a severity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a severity; expected informational, low, medium, high or critical")]
pub struct InvalidSeverity {
    /// The text as given.
    pub text: String,
}

impl FromStr for Severity {
    type Err = InvalidSeverity;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let severity = Severity::ALL.into_iter().find(|severity| severity.as_str().eq_ignore_ascii_case(text.trim()));
        severity.ok_or_else(|| InvalidSeverity { text: text.to_owned() })
    }
}

//! What the window is compared with.

use serde::Serialize;

use super::optional_time;
use flow::time;
use flow::units::duration_text;

/// Where the baseline comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BaselineOrigin {
    /// Hours kept by earlier runs.
    History,
    /// Logs before `--from`, read in this run.
    BeforeFrom,
    /// No earlier data: the window is compared with itself.
    #[default]
    Window,
}

impl BaselineOrigin {
    /// Returns the text for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            BaselineOrigin::History => "history",
            BaselineOrigin::BeforeFrom => "before --from",
            BaselineOrigin::Window => "the window itself",
        }
    }
}

/// The time that the window is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct BaselineSpan {
    /// Where it comes from.
    pub kind: BaselineOrigin,
    /// First second of the baseline; `None` where that of the window is not known either.
    #[serde(rename = "from", serialize_with = "optional_time")]
    pub from_s: Option<i64>,
    /// First second after the baseline; `None` as above.
    #[serde(rename = "to", serialize_with = "optional_time")]
    pub to_s: Option<i64>,
}

/// Returns a span of time as text, with its length.
pub(super) fn span_text(from_s: i64, to_s: i64) -> String {
    let span_s = to_s.saturating_sub(from_s) as f64;
    format!("{} to {} ({})", time::rfc3339(from_s), time::rfc3339(to_s), duration_text(span_s))
}

//! Durations as a campaigns file writes them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use flow::time::parse_duration_s;

/// A duration of a campaigns file, in seconds: text such as `90s`, `30m`, `4h` or `2d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(pub u32);

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}s", self.0))
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let seconds = parse_duration_s(&text).map_err(serde::de::Error::custom)?;
        u32::try_from(seconds)
            .ok()
            .filter(|seconds| *seconds <= 366 * 86_400)
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is longer than a year")))
    }
}

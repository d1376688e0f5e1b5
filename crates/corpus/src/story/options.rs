//! What determines a story, and the ways in which it may differ.

use std::path::PathBuf;
use std::str::FromStr;

use serde::Serialize;

use crate::error::CorpusError;

/// A way in which a story differs from the usual one, to judge detections by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Variation {
    /// The story as it is.
    #[default]
    None,
    /// An access gateway stands before the balancer: its log and the flow logs have one client address for all.
    Gateway,
    /// Bitbucket and Jira audit at level BASE: neither logins nor reads of repositories.
    AuditAtBase,
    /// The logs begin with the day of the first step.
    NoHistory,
    /// At most three repositories a day, for two weeks more.
    Slow,
    /// Archives are taken with an access token rather than as the new user.
    TokenArchives,
    /// The intruder's addresses belong to the provider of the office.
    OfficeProvider,
    /// All logs of one day are lost.
    LostDay,
}

impl Variation {
    /// Every variation, in the order of help.
    pub const ALL: [Self; 8] = [
        Self::None,
        Self::Gateway,
        Self::AuditAtBase,
        Self::NoHistory,
        Self::Slow,
        Self::TokenArchives,
        Self::OfficeProvider,
        Self::LostDay,
    ];

    /// Returns its word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gateway => "gateway",
            Self::AuditAtBase => "audit_at_base",
            Self::NoHistory => "no_history",
            Self::Slow => "slow",
            Self::TokenArchives => "token_archives",
            Self::OfficeProvider => "office_provider",
            Self::LostDay => "lost_day",
        }
    }
}

impl FromStr for Variation {
    type Err = CorpusError;

    fn from_str(text: &str) -> Result<Self, CorpusError> {
        Self::ALL.into_iter().find(|variation| variation.name() == text).ok_or_else(|| {
            CorpusError::option("variation", text, format!("one of {}", Self::ALL.map(Self::name).join(", ")))
        })
    }
}

/// Everything that determines the content of a story; the same options give the same bytes on any number of threads.
#[derive(Clone, Debug, Serialize)]
pub struct StoryOptions {
    /// Folder to write to.
    #[serde(skip)]
    pub out: PathBuf,
    /// Seed of every random draw.
    pub seed: u64,
    /// People: 8 to 3,900. Hosts and pipelines grow with them.
    pub people: u32,
    /// Events to aim at over all logs beside the flow logs; the corpus comes within 10 %. `None` is what the people make
    /// by themselves, about 20 a person and day.
    pub events: Option<u64>,
    /// How the story differs.
    pub variation: Variation,
}

impl Default for StoryOptions {
    fn default() -> Self {
        Self { out: PathBuf::from("story"), seed: 1, people: 24, events: None, variation: Variation::None }
    }
}

impl StoryOptions {
    /// Checks every option against its legal range.
    ///
    /// # Errors
    /// [`CorpusError::InvalidOption`] names the first option that is out of range.
    pub fn validate(&self) -> Result<(), CorpusError> {
        if !(8..=3_900).contains(&self.people) {
            return Err(CorpusError::option("people", self.people, "a whole number from 8 to 3900"));
        }
        match self.events {
            Some(events) if !(1_000..=1 << 34).contains(&events) => {
                Err(CorpusError::option("events", events, "a whole number from 1000 to 17179869184"))
            }
            _ => Ok(()),
        }
    }
}

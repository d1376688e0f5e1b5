//! What the user says that objects are, such as `okta=exports/*.json`.

use access::LogKind;
use std::fmt;
use std::str::FromStr;

/// Objects by their names, and the log that they hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogRule {
    /// What they hold.
    pub kind: LogKind,
    whole: glob::Pattern,
    /// Matches what lies in any folder.
    below: glob::Pattern,
}

/// Why a text is no rule.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LogRuleError {
    /// It has no `=`.
    #[error("`{0}` is not KIND=GLOB, such as okta=exports/*.json")]
    Form(String),
    /// Its kind is not known.
    #[error("no log is called `{0}`; known are {known}", known = known_kinds().join(", "))]
    Kind(String),
    /// Its glob is malformed.
    #[error("the glob `{pattern}` is malformed at byte {at}: {problem}")]
    Glob {
        /// The glob as given.
        pattern: String,
        /// Byte offset of the fault.
        at: usize,
        /// What is wrong there.
        problem: &'static str,
    },
}

/// Returns the names of the kinds that a rule may say, sorted.
pub fn known_kinds() -> Vec<&'static str> {
    let kinds = LogKind::ALL.into_iter().filter(|kind| kind.has_acts() || kind.is_list() || *kind == LogKind::Unknown);
    let mut names: Vec<&str> = kinds.map(LogKind::name).collect();
    names.sort_unstable();
    names
}

impl fmt::Display for LogRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.kind.name(), self.whole)
    }
}

impl FromStr for LogRule {
    type Err = LogRuleError;

    /// Reads `KIND=GLOB`. The glob is matched against the whole URL or path, or against its end from any folder on; `*`
    /// matches `/`, too. The kind `unknown` leaves objects out.
    fn from_str(text: &str) -> Result<Self, LogRuleError> {
        let (name, glob) = text
            .split_once('=')
            .filter(|(_, glob)| !glob.is_empty())
            .ok_or_else(|| LogRuleError::Form(text.to_owned()))?;
        let kind = LogKind::of_name(name.trim()).filter(|kind| known_kinds().contains(&kind.name()));
        let kind = kind.ok_or_else(|| LogRuleError::Kind(name.trim().to_owned()))?;
        let pattern = |text: &str| {
            glob::Pattern::new(text).map_err(|error| LogRuleError::Glob {
                pattern: glob.to_owned(),
                at: error.pos,
                problem: error.msg,
            })
        };
        Ok(Self { kind, whole: pattern(glob)?, below: pattern(&format!("*/{glob}"))? })
    }
}

impl LogRule {
    /// Returns whether the rule is about the object of this URL or path.
    pub(super) fn fits(&self, url: &str) -> bool {
        self.whole.matches(url) || self.below.matches(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_fits_from_any_folder_on() {
        let rule: LogRule = "okta=exports/*.json".parse().unwrap();
        assert_eq!(rule.kind, LogKind::Okta);
        for (url, fits) in [
            ("exports/a.json", true),
            ("s3://b/x/exports/2023/a.json", true),
            ("s3://b/old-exports/a.json", false),
            ("exports/a.csv", false),
        ] {
            assert_eq!(rule.fits(url), fits, "{url}");
        }
    }

    #[test]
    fn mistakes_say_what_would_be_right() {
        let problem = |text: &str| text.parse::<LogRule>().unwrap_err().to_string();
        assert_eq!(problem("okta"), "`okta` is not KIND=GLOB, such as okta=exports/*.json");
        assert_eq!(
            problem("syslog=x"),
            "no log is called `syslog`; known are access-keys, alb, atlassian-audit, bitbucket-access, clb, cloudtrail, \
             credential-report, nlb-tls, ocsf, okta, okta-tokens, unknown"
        );
        assert!(problem("okta=a[").starts_with("the glob `a[` is malformed at byte "), "{}", problem("okta=a["));
        assert!("parquet=x".parse::<LogRule>().is_err());
    }
}

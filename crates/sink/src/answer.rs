//! What an answer means for the notices of a request.

use crate::client::Answer;
use crate::target::Target;
use flow::printable::printable;
use serde_json::Value;
use std::time::Duration;

/// Most characters of an answer that a message repeats.
const SHOWN: usize = 200;

/// What became of a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It arrived.
    Arrived,
    /// The receiver will never take it.
    Refused(String),
    /// It may be taken later, not before the wait.
    Later(String, Option<Duration>),
    /// The receiver takes nothing from us as things are.
    Shut(String),
}

/// Words of AWS's error codes that ask for patience.
const PATIENCE: [&str; 6] = ["Throttl", "TooManyRequests", "RequestLimit", "LimitExceeded", "Internal", "Unavailable"];
/// Words of AWS's error codes about the caller, or about a bus or topic that does not exist.
const CLOSED: [&str; 9] = [
    "AccessDenied",
    "ExpiredToken",
    "UnrecognizedClient",
    "InvalidSignature",
    "InvalidClientToken",
    "InvalidAccess",
    "NotFound",
    "AuthorizationError",
    "NotAuthorized",
];

/// Returns what became of each of `ids.len()` notices; `ids` are the ids of their findings in Security Hub.
pub(crate) fn verdicts(target: &Target, answer: &Answer, ids: &[String]) -> Vec<Verdict> {
    if !(200..300).contains(&answer.status) {
        return vec![of_status(target, answer); ids.len()];
    }
    let is_read = matches!(target, Target::SecurityHub { .. } | Target::EventBridge { .. });
    if is_read && !answer.whole {
        return vec![Verdict::Later("its answer was cut off".to_owned(), None); ids.len()];
    }
    let body: Value = match target {
        Target::SecurityHub { .. } | Target::EventBridge { .. } => {
            serde_json::from_slice(&answer.body).unwrap_or_default()
        }
        Target::Webhook { .. } | Target::Sns { .. } => return vec![Verdict::Arrived; ids.len()],
    };
    let of_error = |code: &Value, text: &Value| {
        let (code, text) = (code.as_str().unwrap_or("unknown"), text.as_str().unwrap_or_default());
        let reason = format!("{}: {}", shown(code), shown(text));
        if PATIENCE.iter().any(|word| code.contains(word)) {
            Verdict::Later(reason, None)
        } else if CLOSED.iter().any(|word| code.contains(word)) {
            Verdict::Shut(reason)
        } else {
            Verdict::Refused(reason)
        }
    };
    if matches!(target, Target::SecurityHub { .. }) {
        if body["FailedCount"].as_u64().is_none() {
            return vec![Verdict::Shut("it does not answer as Security Hub does".to_owned()); ids.len()];
        }
        let failed = body["FailedFindings"].as_array().cloned().unwrap_or_default();
        let of = |id: &String| failed.iter().find(|one| one["Id"].as_str() == Some(id));
        let verdict = |id| of(id).map_or(Verdict::Arrived, |one| of_error(&one["ErrorCode"], &one["ErrorMessage"]));
        return ids.iter().map(verdict).collect();
    }
    let entries = body["Entries"].as_array().cloned().unwrap_or_default();
    if body["FailedEntryCount"].as_u64().is_none() || entries.len() != ids.len() {
        return vec![Verdict::Shut("it does not answer as EventBridge does".to_owned()); ids.len()];
    }
    let verdict = |entry: &Value| match entry["ErrorCode"].is_string() {
        false => Verdict::Arrived,
        true => of_error(&entry["ErrorCode"], &entry["ErrorMessage"]),
    };
    entries.iter().map(verdict).collect()
}

fn of_status(target: &Target, answer: &Answer) -> Verdict {
    let status = answer.status;
    let said = String::from_utf8_lossy(&answer.body);
    let reason = match said.trim() {
        "" => format!("it answers {status}"),
        said => format!("it answers {status}: {}", shown(said)),
    };
    let after = answer.retry_after.as_deref().and_then(wait_of);
    let is_aws = !matches!(target, Target::Webhook { .. });
    match status {
        300..400 => Verdict::Shut(format!("it answers {status}, a redirect, which is not followed")),
        408 | 425 | 429 | 500.. => Verdict::Later(reason, after),
        400..500 if is_aws && PATIENCE.iter().any(|word| said.contains(word)) => Verdict::Later(reason, after),
        400..500 if is_aws && CLOSED.iter().any(|word| said.contains(word)) => Verdict::Shut(reason),
        400 | 413 | 422 => Verdict::Refused(reason),
        _ => Verdict::Shut(reason),
    }
}

/// Returns the wait of `Retry-After` in seconds; a date is left to the caller's own waits.
fn wait_of(text: &str) -> Option<Duration> {
    text.trim().parse().ok().map(Duration::from_secs)
}

fn shown(text: &str) -> String {
    crate::notice::cut_to(&printable(text.trim()), SHOWN)
}

//! Whether a finding is about what a label names.

use crate::evaluate::findings::JudgedFinding;
use crate::story::labels::StoryLabel;
use flow::Address;

/// Seconds by which the clocks of logs may differ.
const CLOCK_S: i64 = 300;

/// Returns whether a finding is about what a label names.
pub fn matches(finding: &JudgedFinding, label: &StoryLabel) -> bool {
    if !label.id.is_empty() && finding.told.event_ids.contains(&label.id) {
        return true;
    }
    is_in_time(finding, label)
        && (same_caller(finding, label) || (names_nobody(label) && shares_technique(finding, label)))
}

/// Returns whether a label's time lies in the evidence; a finding that does not tell its time is of any.
fn is_in_time(finding: &JudgedFinding, label: &StoryLabel) -> bool {
    finding.told.seen_s.is_none_or(|(first_s, last_s)| {
        // Flows go on after their label, so a window may show only a later part of them.
        let begins = label.log == "flows" || label.time_s >= first_s - CLOCK_S;
        begins && label.time_s <= last_s + CLOCK_S
    })
}

fn same_caller(finding: &JudgedFinding, label: &StoryLabel) -> bool {
    let told = &finding.told;
    let same = |found: &Option<String>, wanted: &str, form: fn(&str) -> String| {
        !wanted.is_empty() && found.as_deref().is_some_and(|found| form(found) == form(wanted))
    };
    if same(&told.principal, &label.principal, short_name) || same(&told.credential, &label.credential, last_four) {
        return true;
    }
    match (label.host, label.remote) {
        // What happens between two addresses is about both of them.
        (Some(host), Some(remote)) => {
            let pair = [finding.host, finding.remote];
            let in_evidence = |wanted: Address| pair.contains(&Some(wanted)) || finding.listed.contains(&wanted);
            (pair.contains(&Some(host)) || pair.contains(&Some(remote))) && in_evidence(host) && in_evidence(remote)
                || calls_from(finding, label)
        }
        _ => calls_from(finding, label),
    }
}

/// Returns whether a finding's caller, or the other side of its flows, is the label's source.
fn calls_from(finding: &JudgedFinding, label: &StoryLabel) -> bool {
    let Some(source) = label.source else { return false };
    let told = finding.told.source.as_deref().unwrap_or_default();
    let mut words = told.split([' ', ',', '(', ')', '/']).filter_map(|word| word.parse::<Address>().ok());
    let is_about_caller = finding.told.principal.is_some() || finding.told.source.is_some();
    words.any(|word| word == source)
        || finding.remote == Some(source)
        || (is_about_caller && finding.listed.contains(&source))
}

/// Returns a name without case, path and domain: `arn:aws:iam::1:user/A` and `a@example.com` are both `a`.
fn short_name(name: &str) -> String {
    // An access token acts as a user whose name is a path.
    if name.starts_with("access-token-user/") {
        return name.to_lowercase();
    }
    let end = name.rsplit(['/', ':']).next().unwrap_or(name);
    end.split('@').next().unwrap_or(end).to_lowercase()
}

fn last_four(credential: &str) -> String {
    let skipped = credential.chars().count().saturating_sub(4);
    credential.chars().skip(skipped).collect()
}

fn names_nobody(label: &StoryLabel) -> bool {
    label.principal.is_empty()
        && label.credential.is_empty()
        && label.source.is_none()
        && label.host.is_none()
        && label.remote.is_none()
}

/// Returns whether a technique is the same, or one is a sub-technique of the other.
fn shares_technique(finding: &JudgedFinding, label: &StoryLabel) -> bool {
    let main = |technique: &str| technique.split('.').next().unwrap_or_default().to_owned();
    label
        .techniques
        .split_whitespace()
        .any(|technique| finding.told.techniques.iter().any(|other| main(other) == main(technique)))
}

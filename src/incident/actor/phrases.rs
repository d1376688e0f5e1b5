//! What actors did, in the words of a title.

use super::ActorKey;
use crate::detect::Finding;
use crate::incident::signal::Signal;
use flow::printable::printable;
use flow::units::{count_text, counted};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// A title tells at most so many things of actors; the timeline tells all.
const MAX_PHRASES: usize = 4;

/// Returns the name of a principal in a sentence: what stands behind the last slash of an ARN, else all of it.
pub(in crate::incident) fn short_name(principal: &str) -> &str {
    match principal.rsplit_once('/') {
        Some((_, name)) if principal.starts_with("arn:") => name,
        _ => principal,
    }
}

/// Returns what actors did, in the order of time, such as `Credential …2345 of ci, unused for 155 days, was used; …`. The
/// worst of each detection stands for it. Empty without signs that open an incident.
pub(in crate::incident) fn phrases(findings: &[Finding], signs: &[(&ActorKey, &Signal)]) -> String {
    let mut groups: BTreeMap<&str, Vec<(&ActorKey, &Signal)>> = BTreeMap::new();
    for (key, sign) in signs.iter().filter(|(_, sign)| sign.opens) {
        groups.entry(findings[sign.finding].detection.as_str()).or_default().push((key, sign));
    }
    let mut phrases: Vec<(Reverse<_>, i64, String)> = groups
        .into_iter()
        .filter_map(|(detection, group)| {
            let worst = |(key, sign): &&(&ActorKey, &Signal)| (Reverse(sign.severity), sign.since_s, (*key).clone());
            let (key, sign) = group.iter().min_by_key(worst)?;
            let at_s = group.iter().map(|(_, sign)| sign.since_s).min()?;
            let actors: BTreeSet<&ActorKey> = group.iter().map(|(key, _)| *key).collect();
            let name = match actors.len() {
                1 => key.name(),
                count => format!("{} and {} more", key.name(), count_text(count as u64 - 1)),
            };
            Some((Reverse(sign.severity), at_s, words(detection, &name, &findings[sign.finding])))
        })
        .collect();
    phrases.sort();
    phrases.truncate(MAX_PHRASES);
    phrases.sort_by(|a, b| (a.1, &a.2).cmp(&(b.1, &b.2)));
    let text = phrases.into_iter().map(|(.., words)| printable(&words)).collect::<Vec<_>>().join("; ");
    // Names keep their case, and what begins with none is a word.
    match text.strip_prefix("credential ") {
        Some(rest) => format!("Credential {rest}"),
        None => text,
    }
}

fn words(detection: &str, name: &str, finding: &Finding) -> String {
    let number = |names: &[&str]| names.iter().find_map(|name| whole(finding.evidence.get(*name)?));
    let from = finding.source.as_ref().map(|source| format!(" from {source}")).unwrap_or_default();
    let at = finding.app.as_ref().map(|app| format!(" at {app}")).unwrap_or_default();
    let object = || finding.object.clone().unwrap_or_else(|| "an account".to_owned());
    let credential = match &finding.credential {
        Some(key) => format!("credential …{} of {name}", key.trim_start_matches('…')),
        None => format!("a credential of {name}"),
    };
    let unused = || number(&["gap_days"]).map(|days| format!(", unused for {},", counted(days, "day", "days")));
    match detection {
        "stale_credential" => format!("{credential}{} was used{from}", unused().unwrap_or_default()),
        "woken_principal" => format!("{name}{} came back{from}", unused().unwrap_or_default()),
        "unusual_access" => format!("{name} acted as never before{from}"),
        "credential_two_places" => format!("{credential} was used in two places"),
        "instance_credentials_outside" => format!("{name} acted outside its instance{from}"),
        "console_without_mfa" => format!("{name} logged in without a second factor{from}"),
        "guessing" if finding.principal.is_none() => format!("passwords were guessed from {name}"),
        "guessing" => format!("passwords of {name} were guessed{from}"),
        "probing" => match number(&["distinct_denied", "denied"]) {
            Some(count) => format!("{name} tried {} in vain", counted(count, "action", "actions")),
            None => format!("{name} probed what it may do"),
        },
        "okta_denied" => format!("Okta refused {name}{at}{from}"),
        "identity_weakened" => format!("{name} weakened the login of {}", object()),
        "cloud_credential_made" => format!("{name} made credentials for {}", object()),
        "trail_silenced" => format!("{name} silenced logs"),
        "account_by_service" => match number(&["accounts_made"]).filter(|count| *count > 0) {
            Some(count) => format!("{name} made {}", counted(count, "account", "accounts")),
            None => format!("{name} gave rights to others"),
        },
        "mass_download" => match number(&["new_repositories", "repositories"]) {
            Some(count) => format!("{name} downloaded {}{from}", counted(count, "repository", "repositories")),
            None => format!("{name} downloaded far more than ever{from}"),
        },
        "mass_reading" => match number(&["new_objects", "objects"]) {
            Some(count) => format!("{name} read {}", counted(count, "object", "objects")),
            None => format!("{name} read far more than ever"),
        },
        "unusual_client" => format!("{name} was an unusual client{at}"),
        "shared_source" => match number(&["identities", "principals"]) {
            Some(count) => format!("{} came{from}", counted(count, "principal", "principals")),
            None => format!("several principals came{from}"),
        },
        _ => format!("{name}: {}", finding.title),
    }
}

/// Returns the whole part of a number that is not negative.
fn whole(value: &serde_json::Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_f64().filter(|number| *number >= 0.0).map(|number| number as u64))
}

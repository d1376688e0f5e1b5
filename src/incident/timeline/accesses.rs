//! Findings about principals: which credential was used, who was refused, what was made and what was taken.

use super::{Story, Told, command, entry, first_sentence, tactic, weight_of};
use crate::detect::Finding;
use crate::incident::actor::{actor_of, source_of};
use crate::incident::model::{Party, PartyKind, TimelineKind};
use access::Identities;

/// Adds an entry for each finding about a principal or about an address that acts.
pub(super) fn accesses(story: &Story<'_>, told: &mut Vec<Told>) {
    for finding in &story.of_actors {
        let Some(actor) = party_of(story, finding) else { continue };
        let kind = kind_of(&finding.detection);
        let span_s = (finding.first_seen_s, finding.last_seen_s);
        let mut one = entry(kind, span_s, (actor, target_of(finding)), first_sentence(&finding.explanation));
        one.tactic = tactic(finding);
        one.bytes = finding.evidence.get("bytes_out").and_then(serde_json::Value::as_u64);
        one.subject = Some(finding.subject.clone());
        one.query = command::accesses_of(finding, span_s);
        told.push(Told { weight: weight_of(finding).max(2), entry: one });
    }
}

/// Returns the actor of a finding as its incident names it.
fn party_of(story: &Story<'_>, finding: &Finding) -> Option<Party> {
    let principals = &story.incident.principals;
    let identities = Identities::of(principals.iter().map(String::as_str));
    actor_of(finding, &identities).map(|key| key.party())
}

/// Returns upon what a finding's principal acted, or from where.
fn target_of(finding: &Finding) -> Option<Party> {
    let named = |kind: PartyKind, name: &Option<String>| Some(Party::Named(kind, name.clone()?));
    named(PartyKind::Object, &finding.object)
        .or_else(|| named(PartyKind::App, &finding.app))
        .or_else(|| source_of(finding).filter(|_| finding.principal.is_some()).map(Party::Address))
}

fn kind_of(detection: &str) -> TimelineKind {
    match detection {
        "guessing" | "probing" | "okta_denied" => TimelineKind::AccessDenied,
        "account_by_service" | "cloud_credential_made" | "identity_weakened" => TimelineKind::AccountMade,
        "mass_download" | "mass_reading" => TimelineKind::Download,
        "trail_silenced" => TimelineKind::LogGap,
        "stale_credential"
        | "woken_principal"
        | "unusual_access"
        | "credential_two_places"
        | "instance_credentials_outside"
        | "console_without_mfa"
        | "unusual_client"
        | "shared_source" => TimelineKind::CredentialUsed,
        _ => TimelineKind::Finding,
    }
}

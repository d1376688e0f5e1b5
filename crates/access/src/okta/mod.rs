//! Okta's System Log.

use serde_json::Value;

use crate::act::{Act, ActionClass, Credential, CredentialKind, Log, Outcome, PrincipalKind};
use crate::error::{BadRecord, Broken};
use crate::json::{Wrapping, text_at, values};
use crate::read::Counts;
use crate::time::parse_us;

const EVENTS: Wrapping = Wrapping { records: &["events"] };

/// Reads System Log events: an array, lines, EventBridge's wrapping, or objects without anything between them.
pub(crate) fn read(text: &str, counts: &mut Counts, sink: &mut dyn FnMut(&Act<'_>)) -> Result<(), Broken> {
    values(text, &EVENTS, &mut |value, record, at| match value.and_then(act) {
        Ok(act) => counts.act(act, record, sink),
        Err(expected) => counts.bad(BadRecord { at, expected }),
    })
}

/// Returns the text at a path, unless it is one of Okta's words for none.
fn known<'a>(event: &'a Value, path: &[&str]) -> &'a str {
    match text_at(event, path) {
        "unknown" | "null" | "UNKNOWN" => "",
        text => text,
    }
}

fn act(event: &Value) -> Result<Act<'_>, &'static str> {
    let time_us = parse_us(text_at(event, &["published"])).ok_or("a `published` time")?;
    let action = text_at(event, &["eventType"]);
    if action.is_empty() {
        return Err("an `eventType`");
    }
    let mut act = Act::new(Log::Okta, time_us);
    act.service = "okta".into();
    act.action = action.into();
    act.event_id = text_at(event, &["uuid"]).into();
    act.trace = known(event, &["transaction", "id"]).into();

    act.principal = text_at(event, &["actor", "alternateId"]).into();
    act.principal_id = text_at(event, &["actor", "id"]).into();
    act.principal_kind = match text_at(event, &["actor", "type"]) {
        _ if act.principal == "system@okta.com" => PrincipalKind::System,
        "User" => PrincipalKind::User,
        "SystemPrincipal" => PrincipalKind::System,
        "PublicClientApp" | "ClientApp" | "Client" => PrincipalKind::ServiceAccount,
        // ThreatInsight's actor is an address.
        "IP" | "IpAddress" | "Ip" => PrincipalKind::Anonymous,
        _ => PrincipalKind::Unknown,
    };
    let root = known(event, &["authenticationContext", "rootSessionId"]);
    let external = known(event, &["authenticationContext", "externalSessionId"]);
    let session = if root.is_empty() { external } else { root };
    let token = known(event, &["transaction", "detail", "requestApiTokenId"]);
    act.session = session.into();
    act.credential = if token.is_empty() {
        Credential::new(session.into(), CredentialKind::WebSession)
    } else {
        Credential::new(token.into(), CredentialKind::ApiToken)
    };

    act.come_from(known(event, &["client", "ipAddress"]).into());
    act.agent = text_at(event, &["client", "userAgent", "rawUserAgent"]).into();
    act.country = text_at(event, &["client", "geographicalContext", "country"]).into();
    act.network = match (text_at(event, &["securityContext", "asOrg"]), &event["securityContext"]["asNumber"]) {
        ("", Value::Number(number)) => format!("AS{number}").into(),
        (owner, _) => owner.into(),
    };

    targets(&mut act, event);
    act.action_class = class(action);
    act.outcome = match text_at(event, &["outcome", "result"]) {
        _ if action == "app.generic.unauth_app_access_attempt" => Outcome::Denied,
        "SUCCESS" | "ALLOW" => Outcome::Success,
        "FAILURE" => Outcome::Failure,
        "DENY" => Outcome::Denied,
        "CHALLENGE" => Outcome::Challenge,
        _ => Outcome::Unknown,
    };
    if act.outcome != Outcome::Success {
        act.error = text_at(event, &["outcome", "reason"]).into();
    }
    if action == "user.authentication.auth_via_mfa" && act.outcome == Outcome::Success {
        act.mfa = Some(true);
    }
    Ok(act)
}

/// Takes the application, the token made, and what else the event was about.
fn targets<'a>(act: &mut Act<'a>, event: &'a Value) {
    for target in event["target"].as_array().into_iter().flatten() {
        let kind = text_at(target, &["type"]);
        let name = ["alternateId", "displayName", "id"]
            .iter()
            .map(|key| known(target, &[key]))
            .find(|name| !name.is_empty())
            .unwrap_or_default();
        match kind {
            "AppInstance" => {
                let shown = text_at(target, &["displayName"]);
                act.app = if shown.is_empty() { name } else { shown }.into();
            }
            "Token" | "ApiToken" if act.action == "system.api_token.create" => {
                act.child_credential = Credential::new(text_at(target, &["id"]).into(), CredentialKind::ApiToken);
            }
            "AppUser" => {}
            _ if act.object.is_empty() => (act.object_kind, act.object) = (kind.into(), name.into()),
            _ => {}
        }
    }
    if act.object.is_empty() && !act.app.is_empty() {
        (act.object_kind, act.object) = ("AppInstance".into(), act.app.clone());
    }
}

fn class(action: &str) -> ActionClass {
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| action.starts_with(prefix));
    if starts(&["user.session.start", "user.authentication.", "policy.evaluate_sign_on", "app.generic.unauth"]) {
        ActionClass::Login
    } else if starts(&["system.api_token.create", "app.oauth2.client.read_client_secret", "user.mfa.factor.activate"])
        || starts(&["user.lifecycle.create", "device.enrollment.create", "user.mfa.factor.reset"])
    {
        ActionClass::CreateCredential
    } else if action.ends_with("privilege.grant")
        || starts(&["group.user_membership.add", "application.user_membership.add"])
    {
        ActionClass::Grant
    } else if starts(&["policy.", "zone.", "system.idp.", "system.log_stream.", "user.session.access_admin_app"]) {
        ActionClass::Admin
    } else if action.ends_with(".delete") || action.ends_with(".revoke") || action.ends_with(".deactivate") {
        ActionClass::Delete
    } else if action.ends_with(".create") || action.ends_with(".update") || action.ends_with(".add") {
        ActionClass::Write
    } else {
        ActionClass::Other
    }
}

#[cfg(test)]
mod tests;

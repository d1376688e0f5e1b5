//! Audit records of Jira Cloud, Confluence Cloud and Atlassian organisations.

use std::borrow::Cow;

use serde_json::Value;

use crate::act::{Act, ActionClass, Credential, CredentialKind, Log, Outcome, PrincipalKind};
use crate::json::text_at;
use crate::time::parse_us;

fn begin<'a>(service: &'static str, time_us: i64, action: &'a str) -> Result<Act<'a>, &'static str> {
    if action.is_empty() {
        return Err("a summary or an action");
    }
    let mut act = Act::new(Log::AtlassianAudit, time_us);
    act.service = service.into();
    act.action = action.into();
    act.action_class = class(action);
    // What was not done is not audited.
    act.outcome = Outcome::Success;
    Ok(act)
}

fn by<'a>(act: &mut Act<'a>, principal: &'a str, id: &'a str) {
    act.principal = if principal.is_empty() { id } else { principal }.into();
    act.principal_id = id.into();
    act.principal_kind = if act.principal.is_empty() { PrincipalKind::System } else { PrincipalKind::User };
}

pub(super) fn jira(record: &Value) -> Result<Act<'_>, &'static str> {
    let time_us = parse_us(text_at(record, &["created"])).ok_or("a `created` time")?;
    let mut act = begin("jira", time_us, text_at(record, &["summary"]))?;
    if let Value::Number(id) = &record["id"] {
        act.event_id = id.to_string().into();
    }
    act.come_from(text_at(record, &["remoteAddress"]).into());
    by(&mut act, text_at(record, &["authorKey"]), text_at(record, &["authorAccountId"]));
    act.object_kind = text_at(record, &["objectItem", "typeName"]).into();
    act.object = text_at(record, &["objectItem", "name"]).into();
    Ok(act)
}

pub(super) fn confluence(record: &Value) -> Result<Act<'_>, &'static str> {
    let time_ms = record["creationDate"].as_i64().ok_or("a `creationDate` in milliseconds")?;
    let time_us = time_ms.checked_mul(1_000).ok_or("a `creationDate` in milliseconds")?;
    let mut act = begin("confluence", time_us, text_at(record, &["summary"]))?;
    act.come_from(text_at(record, &["remoteAddress"]).into());
    let author = &record["author"];
    by(&mut act, text_at(author, &["displayName"]), text_at(author, &["accountId"]));
    act.object_kind = text_at(record, &["affectedObject", "objectType"]).into();
    act.object = name_of(text_at(record, &["affectedObject", "name"]));
    Ok(act)
}

/// Returns a group's name without the id that Confluence puts behind it.
fn name_of(name: &str) -> Cow<'_, str> {
    match name.rsplit_once(':') {
        Some((group, id)) if id.len() == 36 && id.bytes().filter(|byte| *byte == b'-').count() == 4 => group.into(),
        _ => name.into(),
    }
}

pub(super) fn organisation(record: &Value) -> Result<Act<'_>, &'static str> {
    let attributes = &record["attributes"];
    let time_us = parse_us(text_at(attributes, &["time"])).ok_or("a time in `attributes`")?;
    let mut act = begin("atlassian", time_us, text_at(attributes, &["action"]))?;
    act.event_id = text_at(record, &["id"]).into();
    act.come_from(text_at(attributes, &["location", "ip"]).into());
    act.country = text_at(attributes, &["location", "countryName"]).into();
    let actor = &attributes["actor"];
    let email = text_at(actor, &["email"]);
    let name = if email.is_empty() { text_at(actor, &["name"]) } else { email };
    by(&mut act, name, text_at(actor, &["id"]));
    let token = text_at(actor, &["auth", "tokenId"]);
    act.credential = Credential::new(token.into(), CredentialKind::ApiToken);
    if let Some(first) = attributes["context"].get(0) {
        let name = text_at(first, &["attributes", "name"]);
        act.object_kind = text_at(first, &["type"]).into();
        act.object = if name.is_empty() { text_at(first, &["id"]) } else { name }.into();
    }
    Ok(act)
}

/// Returns the action that a sentence names: the cloud logs English text and no keys.
fn class(action: &str) -> ActionClass {
    let action = action.to_ascii_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| action.contains(part));
    if has(&["user created", "user_created", "token created", "token_created", "api_key_created"]) {
        ActionClass::CreateCredential
    } else if has(&["added to group", "added_to_group", "permission granted", "permission_granted", "role_granted"]) {
        ActionClass::Grant
    } else if has(&["login", "logged in", "session"]) {
        ActionClass::Login
    } else if has(&["export", "download"]) {
        ActionClass::Download
    } else if has(&["view", "read"]) {
        ActionClass::Read
    } else if has(&["deleted", "removed", "revoked"]) {
        ActionClass::Delete
    } else {
        ActionClass::Write
    }
}

//! Audit records of Jira, Confluence and Bitbucket Data Center, from their file and from REST.

use serde_json::Value;

use crate::act::{Act, ActionClass, Credential, CredentialKind, Log, Outcome, PrincipalKind};
use crate::json::text_at;
use crate::time::{SECOND_US, parse_us};

pub(super) fn act(record: &Value) -> Result<Act<'_>, &'static str> {
    // The file says `auditType`, REST says `type`.
    let kind = if record["auditType"].is_object() { &record["auditType"] } else { &record["type"] };
    let time_us = time_us(&record["timestamp"]).ok_or("a `timestamp`")?;
    // The key stays the same; the words are translated to the server's language.
    let key = text_at(kind, &["actionI18nKey"]);
    let action = if key.is_empty() { text_at(kind, &["action"]) } else { key };
    if action.is_empty() {
        return Err("an action");
    }
    let mut act = Act::new(Log::AtlassianAudit, time_us);
    act.action = action.into();
    act.service = service(action).into();
    act.app = text_at(record, &["system"]).into();
    act.come_from(text_at(record, &["source"]).into());

    let author = &record["author"];
    act.principal = text_at(author, &["name"]).into();
    act.principal_id = text_at(author, &["id"]).into();
    act.principal_kind = match (&*act.principal_id, text_at(author, &["type"])) {
        ("-2", _) => PrincipalKind::Anonymous,
        ("-1", _) | (_, "system") => PrincipalKind::System,
        _ => PrincipalKind::User,
    };
    // Access tokens act as users of their own.
    if act.principal.starts_with("access-token-user/") {
        act.principal_kind = PrincipalKind::ServiceAccount;
        act.credential = Credential::new(act.principal.clone(), CredentialKind::ApiToken);
    }
    object(&mut act, record);
    act.action_class = class(action);
    let failed = action.contains("failed") || action.contains("failure");
    act.outcome = if failed { Outcome::Failure } else { Outcome::Success };
    Ok(act)
}

fn time_us(timestamp: &Value) -> Option<i64> {
    if let Some(text) = timestamp.as_str() {
        return parse_us(text);
    }
    let second = timestamp["epochSecond"].as_i64()?;
    let nano = timestamp["nano"].as_i64().unwrap_or_default();
    second.checked_mul(SECOND_US)?.checked_add(nano / 1_000)
}

fn service(key: &str) -> &str {
    match key.split('.').next() {
        Some(product @ ("jira" | "bitbucket" | "confluence" | "bamboo" | "crowd")) => product,
        _ => "atlassian",
    }
}

/// Takes what the act was about: a repository with its project, or the first thing named.
fn object<'a>(act: &mut Act<'a>, record: &'a Value) {
    let Some(affected) = record["affectedObjects"].as_array() else { return };
    let of = |kind: &str| affected.iter().find(|object| text_at(object, &["type"]).eq_ignore_ascii_case(kind));
    if let Some(repository) = of("REPOSITORY") {
        let name = text_at(repository, &["name"]);
        let project = of("PROJECT").map_or("", |project| text_at(project, &["name"]));
        let path = if project.is_empty() { name.to_owned() } else { format!("{project}/{name}") };
        // Bitbucket's addresses have no case, and other logs write them in lower case.
        (act.object_kind, act.object) = ("repository".into(), path.to_lowercase().into());
    } else if let Some(first) = affected.first() {
        (act.object_kind, act.object) = (text_at(first, &["type"]).into(), text_at(first, &["name"]).into());
    }
}

fn class(key: &str) -> ActionClass {
    let has = |parts: &[&str]| parts.iter().any(|part| key.contains(part));
    if has(&["audit.config.updated", "global.settings", "plugin", "app.installed"]) {
        ActionClass::Admin
    } else if has(&["user.created", "usercreated", "tokencreated", "accesskeygranted", "usercredentialupdated"]) {
        ActionClass::CreateCredential
    } else if has(&["added.to.group", "groupmembership", "permission.added", "permissiongranted"]) {
        ActionClass::Grant
    } else if has(&["archive", "download", "export"]) {
        ActionClass::Download
    } else if has(&["search"]) {
        ActionClass::List
    } else if has(&["accessed", "viewed", "view"]) {
        ActionClass::Read
    } else if has(&["login", "authentication"]) {
        ActionClass::Login
    } else if has(&["deleted", "removed", "revoked"]) {
        ActionClass::Delete
    } else {
        ActionClass::Write
    }
}

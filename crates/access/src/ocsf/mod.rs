//! CloudTrail events as OCSF, as Security Lake and AppFabric write them: 1.0.0-rc.2 and 1.1, as JSON.

use serde_json::Value;

use crate::act::{Act, ActionClass, Credential, Log, Outcome, PrincipalKind};
use crate::error::{BadRecord, Broken};
use crate::json::{Wrapping, text_at, values};
use crate::read::Counts;
use crate::time::{SECOND_US, parse_us};

const EVENTS: Wrapping = Wrapping { records: &["events", "records"] };

/// Times above this are milliseconds: as seconds they would be after the year 5000.
const MAX_SECONDS: i64 = 100_000_000_000;

/// Reads events of AWS in OCSF.
pub(crate) fn read(text: &str, counts: &mut Counts, sink: &mut dyn FnMut(&Act<'_>)) -> Result<(), Broken> {
    values(text, &EVENTS, &mut |value, record, at| match value.and_then(act) {
        Ok(act) => counts.act(act, record, sink),
        Err(expected) => counts.bad(BadRecord { at, expected }),
    })
}

fn act(event: &Value) -> Result<Act<'_>, &'static str> {
    let time_us = match &event["time"] {
        Value::String(text) => parse_us(text),
        Value::Number(number) => number.as_i64().and_then(|time| {
            if time.abs() > MAX_SECONDS { time.checked_mul(1_000) } else { time.checked_mul(SECOND_US) }
        }),
        _ => parse_us(text_at(event, &["time_dt"])),
    };
    let action = text_at(event, &["api", "operation"]);
    if action.is_empty() {
        return Err("an api.operation");
    }
    let mut act = Act::new(Log::CloudTrail, time_us.ok_or("a time")?);
    let service = text_at(event, &["api", "service", "name"]);
    let service = service.strip_suffix(".amazonaws.com").unwrap_or(service);
    let read_only = match text_at(event, &["unmapped", "readOnly"]) {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    };
    act.action_class = ActionClass::of_aws(service, action, read_only);
    (act.service, act.action) = (service.into(), action.into());
    act.event_id = text_at(event, &["metadata", "uid"]).into();
    act.region = text_at(event, &["cloud", "region"]).into();

    let user = &event["actor"]["user"];
    who(&mut act, user);
    let accounts = [
        text_at(event, &["unmapped", "recipientAccountId"]),
        text_at(event, &["cloud", "account", "uid"]),
        text_at(event, &["cloud", "account_uid"]),
        text_at(user, &["account", "uid"]),
        text_at(user, &["account_uid"]),
    ];
    act.account = accounts.into_iter().find(|account| !account.is_empty()).unwrap_or_default().into();
    let ip = text_at(event, &["src_endpoint", "ip"]);
    let domain = text_at(event, &["src_endpoint", "domain"]);
    act.come_from(if ip.is_empty() { domain } else { ip }.into());
    act.agent = text_at(event, &["http_request", "user_agent"]).into();

    act.error = text_at(event, &["api", "response", "error"]).into();
    let failed = text_at(event, &["status"]) == "Failure" || event["status_id"] == 2;
    act.outcome = match Outcome::of_aws_error(&act.error) {
        Outcome::Success if failed => Outcome::Failure,
        outcome => outcome,
    };
    act.mfa = event["mfa"].as_bool().or_else(|| event["is_mfa"].as_bool());
    let made = [
        text_at(event, &["unmapped", "responseElements.credentials.accessKeyId"]),
        text_at(event, &["api", "response", "data", "credentials", "accessKeyId"]),
    ];
    let made = made.into_iter().find(|key| !key.is_empty()).unwrap_or_default();
    act.child_credential = Credential::key(made.into());
    if let Some(resource) = event["resources"].get(0) {
        act.object_kind = text_at(resource, &["type"]).into();
        act.object = text_at(resource, &["uid"]).into();
    }
    Ok(act)
}

/// Takes the principal. `uid` and `uuid` changed their meaning between versions; the ARN is whichever looks like one.
fn who<'a>(act: &mut Act<'a>, user: &'a Value) {
    let ids = [text_at(user, &["uuid"]), text_at(user, &["uid"]), text_at(user, &["uid_alt"])];
    let arn = ids.into_iter().find(|id| id.starts_with("arn:")).unwrap_or_default();
    let id = ids.into_iter().find(|id| !id.is_empty() && !id.starts_with("arn:")).unwrap_or_default();
    let name = text_at(user, &["name"]);
    act.principal = [arn, name, id].into_iter().find(|text| !text.is_empty()).unwrap_or_default().into();
    act.principal_id = id.into();
    act.credential = Credential::key(text_at(user, &["credential_uid"]).into());
    let kind = text_at(user, &["type"]);
    if kind == "AssumedRole" {
        act.session = id.rsplit_once(':').map_or("", |(_, session)| session).into();
    }
    act.principal_kind = match kind {
        "Root" => PrincipalKind::Root,
        "IAMUser" | "SAMLUser" | "WebIdentityUser" | "FederatedUser" => PrincipalKind::User,
        "AssumedRole" if act.session.starts_with("i-") => PrincipalKind::Instance,
        "AssumedRole" => PrincipalKind::Role,
        "AWSService" => PrincipalKind::AwsService,
        _ => PrincipalKind::Unknown,
    };
}

#[cfg(test)]
mod tests;

//! From a CloudTrail record to an act: who, with what, and how it ended.

use std::borrow::Cow;

use super::record::{Identity, NAMING, Record, Text};
use crate::act::{Act, ActionClass, Credential, Log, Outcome, PrincipalKind};
use crate::time::{SECOND_US, parse_s};

/// Why a record is no act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoAct {
    /// An Insights event: a statistic that AWS made, no act of anybody.
    Insight,
    /// It lacks what an act cannot be without.
    Lacks(&'static str),
}

/// Returns the act that a record tells, and takes its texts.
pub(super) fn act_of<'a>(record: &mut Record<'a>) -> Result<Act<'a>, NoAct> {
    if record.category.as_deref() == Some("Insight") || record.event_type.as_deref() == Some("AwsCloudTrailInsight") {
        return Err(NoAct::Insight);
    }
    // A version is two numbers: 1.10 follows 1.9. Rewritten copies leave it out.
    if record.version.as_deref().is_some_and(|version| version.split('.').next() != Some("1")) {
        return Err(NoAct::Lacks("an eventVersion 1.x"));
    }
    let time_s = record.time.as_deref().and_then(parse_s).ok_or(NoAct::Lacks("an eventTime"))?;
    let action = record.name.take().filter(|name| !name.is_empty()).ok_or(NoAct::Lacks("an eventName"))?;
    let service = service_of(record.service.take().unwrap_or_default());

    let mut act = Act::new(Log::CloudTrail, time_s * SECOND_US);
    act.action_class = ActionClass::of_aws(&service, &action, record.read_only);
    act.event_id = record.event_id.take().unwrap_or_default();
    act.trace = record.shared_id.take().unwrap_or_default();
    act.region = record.region.take().unwrap_or_default();
    act.agent = record.agent.take().unwrap_or_default();
    act.endpoint = record.endpoint.take().unwrap_or_default();
    act.come_from(record.source.take().unwrap_or_default());

    let code = record.error_code.take().unwrap_or_default();
    let login = record.response.console_login.as_deref();
    let failed = login == Some("Failure") || (code.is_empty() && record.error_message.is_some());
    act.outcome = if code.is_empty() && failed { Outcome::Failure } else { Outcome::of_aws_error(&code) };
    act.error = if code.is_empty() && failed { record.error_message.take().unwrap_or_default() } else { code };

    if let Some(bucket) = record.parameters.bucket.take() {
        (act.object_kind, act.object) = match record.parameters.key.take() {
            Some(key) => ("s3_object".into(), Cow::Owned([&*bucket, "/", &*key].concat())),
            None => ("bucket".into(), bucket),
        };
    } else if let Some((place, text)) = record.parameters.named.take() {
        (act.object_kind, act.object) = (NAMING.get(place).map_or("", |(_, kind)| kind).into(), text);
    } else if let Some(arn) = record.resource.arn.take() {
        (act.object_kind, act.object) = (record.resource.kind.take().unwrap_or_default(), arn);
    }
    act.bytes_out = record.extra.bytes_out.map(|bytes| bytes as u64);
    act.bytes_in = record.extra.bytes_in.map(|bytes| bytes as u64);
    act.child_credential = Credential::key(record.response.made_key.take().unwrap_or_default());

    // A federated login always says that no second factor was used.
    let own_login = matches!(record.identity.kind.as_deref(), Some("IAMUser" | "Root"));
    act.mfa = match (record.extra.mfa_used.as_deref(), record.identity.session.mfa.as_deref()) {
        (Some("Yes"), _) | (_, Some("true")) => Some(true),
        (Some("No"), _) if own_login => Some(false),
        (_, Some("false")) => Some(false),
        _ => None,
    };
    act.account = record.recipient.take().or_else(|| record.identity.account.clone()).unwrap_or_default();
    act.action = action;
    act.service = service;
    identify(&mut act, &mut record.identity);
    Ok(act)
}

/// Returns `s3` of `s3.amazonaws.com`.
fn service_of(source: Cow<'_, str>) -> Cow<'_, str> {
    const END: &str = ".amazonaws.com";
    match source {
        Cow::Borrowed(text) => Cow::Borrowed(text.strip_suffix(END).unwrap_or(text)),
        Cow::Owned(text) => Cow::Owned(text.strip_suffix(END).unwrap_or(&text).to_owned()),
    }
}

/// Returns what stands behind the last `mark` of a text.
fn behind<'a>(text: &Text<'a>, mark: char) -> Option<Cow<'a, str>> {
    match text.as_ref()? {
        Cow::Borrowed(text) => text.rsplit_once(mark).map(|(_, end)| Cow::Borrowed(end)),
        Cow::Owned(text) => text.rsplit_once(mark).map(|(_, end)| Cow::Owned(end.to_owned())),
    }
}

fn identify<'a>(act: &mut Act<'a>, identity: &mut Identity<'a>) {
    let kind = identity.kind.as_deref().unwrap_or_default();
    if kind == "AssumedRole" || kind == "FederatedUser" {
        // The session's name is what stands behind the id or the last part of the ARN.
        act.session = behind(&identity.principal_id, ':').or_else(|| behind(&identity.arn, '/')).unwrap_or_default();
    }
    let anonymous = matches!(identity.principal_id.as_deref(), Some("ANONYMOUS_PRINCIPAL"));
    act.principal_kind = match kind {
        "Root" => PrincipalKind::Root,
        "IAMUser" => PrincipalKind::User,
        "AssumedRole" if act.session.starts_with("i-") || identity.session.role_delivery.is_some() => {
            PrincipalKind::Instance
        }
        "AssumedRole" => PrincipalKind::Role,
        "AWSService" => PrincipalKind::AwsService,
        "SAMLUser" | "WebIdentityUser" | "IdentityCenterUser" | "FederatedUser" => PrincipalKind::User,
        "AWSAccount" if anonymous => PrincipalKind::Anonymous,
        "" if identity.invoked_by.is_some() => PrincipalKind::AwsService,
        _ => PrincipalKind::Unknown,
    };
    act.credential = Credential::key(identity.key.take().unwrap_or_default());
    act.session_created_s = identity.session.created.as_deref().and_then(parse_s);
    // From the most to the least that a record tells: failed logins have no ARN, users of an identity centre only an id.
    act.principal = identity
        .arn
        .take()
        .or_else(|| identity.user.take())
        .or_else(|| identity.on_behalf_of.take())
        .or_else(|| identity.principal_id.clone())
        .or_else(|| identity.invoked_by.take())
        .or_else(|| identity.account.take())
        .unwrap_or_default();
    act.principal_id = identity.principal_id.take().unwrap_or_default();
    if act.trace.is_empty() {
        act.trace = identity.session.source_identity.take().unwrap_or_default();
    }
}

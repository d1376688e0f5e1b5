//! Tests over whole objects: made ones, damaged ones, and samples that may lie beside the project.

mod damage;
mod made;
mod samples;
mod twins;

use crate::{AccessError, Act, Inflater, LogKind, ObjectRead, ReadOptions, read_object};

/// Reads an object as whatever it is; returns what was read and each act as a text.
pub(crate) fn read(key: &str, object: &[u8]) -> Result<(ObjectRead, Vec<Act<'static>>), AccessError> {
    read_as(key, object, None)
}

pub(crate) fn read_as(
    key: &str,
    object: &[u8],
    kind: Option<LogKind>,
) -> Result<(ObjectRead, Vec<Act<'static>>), AccessError> {
    let mut acts = Vec::new();
    let options = ReadOptions { kind, ..ReadOptions::default() };
    let read = read_object(&mut Inflater::default(), key, object, &options, &mut |act| acts.push(owned(act)))?;
    assert_eq!(read.counts.acts, acts.len() as u64);
    Ok((read, acts))
}

/// Returns an act with all of its texts copied.
pub(crate) fn owned(act: &Act<'_>) -> Act<'static> {
    let text = |text: &str| -> std::borrow::Cow<'static, str> { text.to_owned().into() };
    let key = |key: &crate::Credential<'_>| crate::Credential::new(text(key.full()), key.kind());
    Act {
        log: act.log,
        time_us: act.time_us,
        event_id: text(&act.event_id),
        trace: text(&act.trace),
        principal: text(&act.principal),
        principal_id: text(&act.principal_id),
        principal_kind: act.principal_kind,
        credential: key(&act.credential),
        child_credential: key(&act.child_credential),
        session: text(&act.session),
        session_created_s: act.session_created_s,
        mfa: act.mfa,
        source: text(&act.source),
        source_address: act.source_address,
        source_port: act.source_port,
        endpoint: text(&act.endpoint),
        network: text(&act.network),
        country: text(&act.country),
        agent: text(&act.agent),
        account: text(&act.account),
        region: text(&act.region),
        service: text(&act.service),
        app: text(&act.app),
        target: text(&act.target),
        action: text(&act.action),
        action_class: act.action_class,
        object_kind: text(&act.object_kind),
        object: text(&act.object),
        outcome: act.outcome,
        error: text(&act.error),
        bytes_out: act.bytes_out,
        bytes_in: act.bytes_in,
        duration_ms: act.duration_ms,
        record: text(&act.record),
    }
}

//! The columns of the tables of logs of accesses.

use super::column::{Column, columns};
use super::row::{Cell, Row};
use access::{Log, identity};

/// A table of acts.
#[derive(Debug)]
pub(in crate::sql) struct AccessTableKind {
    /// Its name in SQL.
    pub(in crate::sql) name: &'static str,
    /// The logs whose acts it holds; empty for all.
    pub(super) logs: &'static [Log],
    /// The column of the act's time.
    pub(super) time: &'static str,
    pub(super) columns: &'static [Column],
}

/// All tables of acts.
pub(in crate::sql) const TABLES: &[AccessTableKind] = &[
    AccessTableKind { name: "accesses", logs: &[], time: "time", columns: ACCESSES },
    AccessTableKind { name: "cloudtrail", logs: &[Log::CloudTrail], time: "event_time", columns: CLOUDTRAIL },
    AccessTableKind { name: "okta", logs: &[Log::Okta], time: "published", columns: OKTA },
    AccessTableKind { name: "atlassian_audit", logs: &[Log::AtlassianAudit], time: "time", columns: ATLASSIAN },
    AccessTableKind { name: "bitbucket_access", logs: &[Log::BitbucketAccess], time: "time", columns: BITBUCKET },
    AccessTableKind {
        name: "balancer_requests",
        logs: &[Log::Alb, Log::NlbTls, Log::Clb],
        time: "time",
        columns: BALANCER,
    },
];

fn source_address<'r>(row: &'r Row<'_>) -> Cell<'r> {
    row.act.source_address.map_or(Cell::Null, |address| Cell::text(address.to_string()))
}

fn duration_s<'r>(row: &'r Row<'_>) -> Cell<'r> {
    row.act.duration_ms.map_or(Cell::Null, |duration| Cell::Number(duration as f64 / 1_000.0))
}

const ACCESSES: &[Column] = columns! {
    "time": Time = |row| Cell::Time(row.act.time_us),
    "log": Text = |row| Cell::text(row.act.log.name()),
    "event_id": Text = |row| Cell::text(&*row.act.event_id),
    "identity": Text = |row| Cell::text(identity(&row.act.principal)),
    "principal": Text = |row| Cell::text(&*row.act.principal),
    "principal_id": Text = |row| Cell::text(&*row.act.principal_id),
    "principal_kind": Text = |row| Cell::text(row.act.principal_kind.name()),
    "credential": Text = |row| Cell::text(row.act.credential.last_four()),
    "credential_kind": Text = |row| Cell::text(row.act.credential.kind().name()),
    "child_credential": Text = |row| Cell::text(row.act.child_credential.last_four()),
    "session": Text = |row| Cell::text(&*row.act.session),
    "source": Text = |row| Cell::text(&*row.act.source),
    "source_address": Text = source_address,
    "source_port": Whole = |row| Cell::count(row.act.source_port.map(u64::from)),
    "network": Text = |row| Cell::text(&*row.act.network),
    "country": Text = |row| Cell::text(&*row.act.country),
    "agent": Text = |row| Cell::text(&*row.act.agent),
    "agent_family": Text = |row| Cell::text(row.act.agent_family()),
    "account_id": Text = |row| Cell::text(&*row.act.account),
    "region": Text = |row| Cell::text(&*row.act.region),
    "service": Text = |row| Cell::text(&*row.act.service),
    "app": Text = |row| Cell::text(&*row.act.app),
    "target": Text = |row| Cell::text(&*row.act.target),
    "action": Text = |row| Cell::text(&*row.act.action),
    "action_class": Text = |row| Cell::text(row.act.action_class.name()),
    "object_kind": Text = |row| Cell::text(&*row.act.object_kind),
    "object": Text = |row| Cell::text(&*row.act.object),
    "outcome": Text = |row| Cell::text(row.act.outcome.name()),
    "error": Text = |row| Cell::text(&*row.act.error),
    "mfa": Flag = |row| Cell::flag(row.act.mfa),
    "bytes_out": Whole = |row| Cell::count(row.act.bytes_out),
    "bytes_in": Whole = |row| Cell::count(row.act.bytes_in),
    "duration_s": Number = duration_s,
    "file": Text = |row| Cell::text(row.url),
};

const CLOUDTRAIL: &[Column] = columns! {
    "event_time": Time = |row| Cell::Time(row.act.time_us),
    "event_id": Text = |row| Cell::text(&*row.act.event_id),
    "event_source": Text = |row| Cell::text(&*row.act.service),
    "event_name": Text = |row| Cell::text(&*row.act.action),
    "account_id": Text = |row| Cell::text(&*row.act.account),
    "region": Text = |row| Cell::text(&*row.act.region),
    "source": Text = |row| Cell::text(&*row.act.source),
    "source_address": Text = source_address,
    "user_agent": Text = |row| Cell::text(&*row.act.agent),
    "outcome": Text = |row| Cell::text(row.act.outcome.name()),
    "error_code": Text = |row| row.text(&["errorCode"]),
    "error_message": Text = |row| row.text(&["errorMessage"]),
    "read_only": Flag = |row| row.flag(&["readOnly"]),
    "event_type": Text = |row| row.text(&["eventType"]),
    "event_category": Text = |row| row.text(&["eventCategory"]),
    "shared_event_id": Text = |row| row.text(&["sharedEventID"]),
    "vpc_endpoint_id": Text = |row| Cell::text(&*row.act.endpoint),
    "identity_type": Text = |row| row.text(&["userIdentity", "type"]),
    "principal_id": Text = |row| Cell::text(&*row.act.principal_id),
    "arn": Text = |row| Cell::text(&*row.act.principal),
    "identity_account_id": Text = |row| row.text(&["userIdentity", "accountId"]),
    "access_key_id": Text = |row| Cell::text(row.act.credential.last_four()),
    "user_name": Text = |row| row.text(&["userIdentity", "userName"]),
    "invoked_by": Text = |row| row.text(&["userIdentity", "invokedBy"]),
    "session_issuer_arn": Text = |row| row.text(&["userIdentity", "sessionContext", "sessionIssuer", "arn"]),
    "session_name": Text = |row| Cell::text(&*row.act.session),
    "session_created": Time = |row| Cell::second(row.act.session_created_s),
    "mfa": Flag = |row| Cell::flag(row.act.mfa),
    "source_identity": Text = |row| row.text(&["userIdentity", "sessionContext", "sourceIdentity"]),
    "child_access_key_id": Text = |row| Cell::text(row.act.child_credential.last_four()),
    "object_kind": Text = |row| Cell::text(&*row.act.object_kind),
    "object": Text = |row| Cell::text(&*row.act.object),
    "bytes_out": Whole = |row| Cell::count(row.act.bytes_out),
    "request_parameters": Text = |row| row.json_text(&["requestParameters"]),
    "response_elements": Text = |row| row.json_text(&["responseElements"]),
    "additional_event_data": Text = |row| row.json_text(&["additionalEventData"]),
    "resources": Text = |row| row.json_text(&["resources"]),
    "file": Text = |row| Cell::text(row.url),
};

/// Returns what Okta's risk text, such as `{level=LOW}`, says behind a mark.
fn risk_level<'r>(row: &'r Row<'_>) -> Cell<'r> {
    let risk = row.at(&["debugContext", "debugData", "risk"]).as_str().unwrap_or_default();
    let level = risk.split_once("level=").map_or("", |(_, level)| level);
    Cell::text(level.split([',', '}', ' ']).next().unwrap_or_default())
}

/// Returns the name of the first target of a kind.
fn target_of<'r>(row: &'r Row<'_>, kind: &str, name: &str) -> Cell<'r> {
    let targets = row.at(&["target"]).as_array().map_or(&[][..], Vec::as_slice);
    let target = targets.iter().find(|target| target["type"].as_str() == Some(kind));
    Cell::text(target.and_then(|target| target[name].as_str()).unwrap_or_default())
}

const OKTA: &[Column] = columns! {
    "published": Time = |row| Cell::Time(row.act.time_us),
    "uuid": Text = |row| Cell::text(&*row.act.event_id),
    "event_type": Text = |row| Cell::text(&*row.act.action),
    "result": Text = |row| row.text(&["outcome", "result"]),
    "reason": Text = |row| row.text(&["outcome", "reason"]),
    "actor": Text = |row| Cell::text(&*row.act.principal),
    "actor_id": Text = |row| Cell::text(&*row.act.principal_id),
    "actor_type": Text = |row| row.text(&["actor", "type"]),
    "client_address": Text = source_address,
    "user_agent": Text = |row| Cell::text(&*row.act.agent),
    "device": Text = |row| row.text(&["client", "device"]),
    "country": Text = |row| Cell::text(&*row.act.country),
    "city": Text = |row| row.text(&["client", "geographicalContext", "city"]),
    "lat": Number = |row| row.number(&["client", "geographicalContext", "geolocation", "lat"]),
    "lon": Number = |row| row.number(&["client", "geographicalContext", "geolocation", "lon"]),
    "as_number": Whole = |row| Cell::count(row.at(&["securityContext", "asNumber"]).as_u64()),
    "as_org": Text = |row| row.text(&["securityContext", "asOrg"]),
    "is_proxy": Flag = |row| row.flag(&["securityContext", "isProxy"]),
    "session": Text = |row| row.text(&["authenticationContext", "externalSessionId"]),
    "root_session": Text = |row| row.text(&["authenticationContext", "rootSessionId"]),
    "dt_hash": Text = |row| row.text(&["debugContext", "debugData", "dtHash"]),
    "api_token_id": Text = |row| Cell::text(match row.act.credential.kind() {
        access::CredentialKind::ApiToken => row.act.credential.last_four(),
        _ => "",
    }),
    "threat_suspected": Flag = |row| row.flag(&["debugContext", "debugData", "threatSuspected"]),
    "risk_level": Text = risk_level,
    "new_behaviors": Text = |row| row.text(&["debugContext", "debugData", "behaviors"]),
    "app": Text = |row| target_of(row, "AppInstance", "displayName"),
    "target_user": Text = |row| target_of(row, "User", "alternateId"),
    "targets": Text = |row| row.json_text(&["target"]),
    "debug_data": Text = |row| row.json_text(&["debugContext", "debugData"]),
    "file": Text = |row| Cell::text(row.url),
};

/// Returns a field of the audit type, which REST calls `type`.
fn audit_type<'r>(row: &'r Row<'_>, name: &str) -> Cell<'r> {
    match row.at(&["auditType"]).is_object() {
        true => row.text(&["auditType", name]),
        false => row.text(&["type", name]),
    }
}

const ATLASSIAN: &[Column] = columns! {
    "time": Time = |row| Cell::Time(row.act.time_us),
    "product": Text = |row| Cell::text(&*row.act.service),
    "system": Text = |row| Cell::text(&*row.act.app),
    "action_key": Text = |row| Cell::text(&*row.act.action),
    "action": Text = |row| match audit_type(row, "action") {
        Cell::Null => row.text(&["summary"]),
        action => action,
    },
    "category": Text = |row| match audit_type(row, "category") {
        Cell::Null => row.text(&["category"]),
        category => category,
    },
    "area": Text = |row| audit_type(row, "area"),
    "level": Text = |row| audit_type(row, "level"),
    "author": Text = |row| Cell::text(&*row.act.principal),
    "author_id": Text = |row| Cell::text(&*row.act.principal_id),
    "author_type": Text = |row| Cell::text(row.act.principal_kind.name()),
    "source_address": Text = source_address,
    "method": Text = |row| row.text(&["method"]),
    "object_type": Text = |row| Cell::text(&*row.act.object_kind),
    "object": Text = |row| Cell::text(&*row.act.object),
    "objects": Text = |row| row.json_text(&["affectedObjects"]),
    "changed_values": Text = |row| row.json_text(&["changedValues"]),
    "extra": Text = |row| row.json_text(&["extraAttributes"]),
    "file": Text = |row| Cell::text(row.url),
};

/// Returns a field of Bitbucket's line, counted from its end.
fn of_line<'r>(row: &'r Row<'_>, from_end: usize) -> Cell<'r> {
    let line = row.act.record.trim_end();
    let line = line.strip_suffix(" |").unwrap_or(line);
    match line.rsplit(" | ").nth(from_end).map(str::trim) {
        Some("-") | None => Cell::Null,
        Some(field) => Cell::text(field),
    }
}

const BITBUCKET: &[Column] = columns! {
    "time": Time = |row| Cell::Time(row.act.time_us),
    "client_address": Text = source_address,
    "protocol": Text = |row| Cell::text(row.act.record.split(" | ").nth(1).unwrap_or_default().trim()),
    "user_name": Text = |row| Cell::text(&*row.act.principal),
    "project": Text = |row| Cell::text(row.act.object.split_once('/').map_or("", |(project, _)| project)),
    "repository": Text = |row| Cell::text(row.act.object.split_once('/').map_or("", |(_, repository)| repository)),
    "operation": Text = |row| Cell::text(&*row.act.action),
    "status": Text = |row| of_line(row, 5),
    "outcome": Text = |row| Cell::text(row.act.outcome.name()),
    "bytes_in": Whole = |row| Cell::count(row.act.bytes_in),
    "bytes_out": Whole = |row| Cell::count(row.act.bytes_out),
    "labels": Text = |row| of_line(row, 2),
    "duration_ms": Whole = |row| Cell::count(row.act.duration_ms),
    "session": Text = |row| Cell::text(&*row.act.session),
    "user_agent": Text = |row| Cell::text(&*row.act.agent),
    "file": Text = |row| Cell::text(row.url),
};

/// Returns a field of a balancer's line, by its place in the lines of application, network and classic balancers.
fn field<'r>(row: &'r Row<'_>, [alb, nlb, clb]: [Option<usize>; 3]) -> Cell<'r> {
    let place = match row.act.log {
        Log::Alb => alb,
        Log::NlbTls => nlb,
        _ => clb,
    };
    place.map_or(Cell::Null, |place| row.word(place))
}

fn whole(cell: Cell<'_>) -> Cell<'_> {
    match cell {
        Cell::Text(text) => text.parse().map_or(Cell::Null, Cell::Whole),
        _ => Cell::Null,
    }
}

/// Returns the protocol and the query of a request.
fn protocol_and_query<'r>(row: &'r Row<'_>) -> [&'r str; 2] {
    let place = if row.act.log == Log::Alb { 12 } else { 11 };
    let request = row.words().get(place).filter(|_| row.act.log != Log::NlbTls).map_or("", AsRef::as_ref);
    let (before, protocol) = request.rsplit_once(' ').unwrap_or_default();
    [protocol.trim_matches('-'), before.split_once('?').map_or("", |(_, query)| query)]
}

/// Returns the balancer's own address, from the name of its object.
fn node_address<'r>(row: &'r Row<'_>) -> Cell<'r> {
    let name = row.url.rsplit('/').next().unwrap_or_default();
    let part = name.rsplit('_').nth(1).unwrap_or_default();
    Cell::text(if part.parse::<std::net::IpAddr>().is_ok() { part } else { "" })
}

fn target<'r>(row: &'r Row<'_>) -> (&'r str, &'r str) {
    row.act.target.rsplit_once(':').unwrap_or((&row.act.target, ""))
}

const BALANCER: &[Column] = columns! {
    "time": Time = |row| Cell::Time(row.act.time_us),
    "kind": Text = |row| Cell::text(row.act.log.name()),
    "balancer": Text = |row| Cell::text(&*row.act.service),
    "account_id": Text = |row| Cell::text(&*row.act.account),
    "region": Text = |row| Cell::text(&*row.act.region),
    "node_address": Text = node_address,
    "client_address": Text = source_address,
    "client_port": Whole = |row| Cell::count(row.act.source_port.map(u64::from)),
    "target_address": Text = |row| Cell::text(target(row).0),
    "target_port": Whole = |row| whole(Cell::text(target(row).1)),
    "status": Whole = |row| whole(field(row, [Some(8), None, Some(7)])),
    "target_status": Whole = |row| whole(field(row, [Some(9), None, Some(8)])),
    "outcome": Text = |row| Cell::text(row.act.outcome.name()),
    "received_bytes": Whole = |row| Cell::count(row.act.bytes_in),
    "sent_bytes": Whole = |row| Cell::count(row.act.bytes_out),
    "method": Text = |row| Cell::text(&*row.act.action),
    "host": Text = |row| Cell::text(&*row.act.app),
    "path": Text = |row| Cell::text(&*row.act.object),
    "query": Text = |row| Cell::text(protocol_and_query(row)[1]),
    "protocol": Text = |row| Cell::text(protocol_and_query(row)[0]),
    "user_agent": Text = |row| Cell::text(&*row.act.agent),
    "tls_protocol": Text = |row| field(row, [Some(15), Some(15), Some(14)]),
    "cipher": Text = |row| field(row, [Some(14), Some(14), Some(13)]),
    "trace_id": Text = |row| Cell::text(&*row.act.trace),
    "conn_trace_id": Text = |row| field(row, [Some(29), None, None]),
    "actions": Text = |row| field(row, [Some(22), None, None]),
    "duration_s": Number = duration_s,
    "file": Text = |row| Cell::text(row.url),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_a_name_of_its_own() {
        for table in TABLES {
            let mut names: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
            assert!(names.contains(&table.time), "{}", table.name);
            names.sort_unstable();
            let count = names.len();
            names.dedup();
            assert_eq!(names.len(), count, "{}", table.name);
        }
    }
}

//! How values of findings and incidents are worded on the page.

use crate::detect::{Finding, Severity};
use crate::incident::model::{
    Change, ClosedReason, DeedKind, HostPart, Incident, LinkKind, NodeClass, RemotePart, Status, Tactic, TimelineKind,
};
use flow::codes::{self, Role, protocol_name};
use flow::time;

/// Returns a time to the second, such as `2024-04-19 03:12:05`.
pub(super) fn moment(second: i64) -> String {
    let text = time::rfc3339(second);
    text.strip_suffix('Z').unwrap_or(&text).replacen('T', " ", 1)
}

/// Returns a time to the minute, such as `2024-04-19 03:12`.
pub(super) fn minute(second: i64) -> String {
    moment(second).chars().take("2024-04-19 03:12".len()).collect()
}

/// Returns the time of the day, such as `03:12`.
pub(super) fn clock(second: i64) -> String {
    moment(second).get(11..16).unwrap_or_default().to_owned()
}

/// Returns the day, such as `19 Apr`.
pub(super) fn day(second: i64) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let text = moment(second);
    let number = |from: usize| text.get(from..from + 2).and_then(|digits| digits.parse::<usize>().ok());
    let month = number(5).and_then(|month| MONTHS.get(month.wrapping_sub(1)));
    month.zip(number(8)).map_or_else(String::new, |(month, day)| format!("{day} {month}"))
}

/// Returns a service, such as `tcp port 443`; several ports where none is named.
pub(super) fn service(port: Option<u16>, protocol: Option<u8>) -> String {
    let protocol = protocol.map(protocol_name);
    match (port.filter(|port| *port > 0), protocol) {
        (Some(port), Some(protocol)) => format!("{protocol} port {port}"),
        (Some(port), None) => format!("port {port}"),
        (None, Some(protocol)) if has_ports(&protocol) => format!("{protocol}, several ports"),
        (None, Some(protocol)) => protocol.into_owned(),
        (None, None) => "several ports".to_owned(),
    }
}

fn has_ports(protocol: &str) -> bool {
    [protocol_name(codes::TCP), protocol_name(codes::UDP)].iter().any(|name| name == protocol)
}

/// Returns who a finding is about: the host, else the principal.
pub(super) fn who(finding: &Finding) -> String {
    match (finding.host, &finding.principal) {
        (Some(host), _) => host.to_string(),
        (None, Some(principal)) => principal.clone(),
        (None, None) => "-".to_owned(),
    }
}

/// Returns the other side of a finding, with the direction, such as `to 203.0.113.7, tcp port 443`.
pub(super) fn other_side(finding: &Finding) -> String {
    let direction = match finding.role {
        Some(Role::Server) => "from",
        Some(Role::Client) => "to",
        None => "with",
    };
    let service = || service(finding.port, finding.protocol);
    match (finding.remote, finding.port, finding.protocol) {
        (Some(remote), None, None) => format!("{direction} {remote}"),
        (Some(remote), ..) => format!("{direction} {remote}, {}", service()),
        (None, None, None) => "-".to_owned(),
        (None, ..) => format!("{direction} several, {}", service()),
    }
}

/// Returns the class that colours a severity.
pub(super) const fn severity_class(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "badge critical",
        Severity::High => "badge high",
        Severity::Medium => "badge medium",
        Severity::Low => "badge low",
        Severity::Informational => "badge informational",
    }
}

/// Returns what a run changed in an incident.
pub(super) fn change(incident: &Incident) -> &'static str {
    match incident.change {
        Change::Opened => "new",
        Change::Escalated => "escalated",
        Change::Extended => "extended",
        Change::Unchanged => "unchanged",
        Change::Merged => "merged",
        Change::Closed => "closed",
        Change::Reopened => "reopened",
    }
}

/// Returns whether an incident goes on, and why not.
pub(super) fn status(incident: &Incident) -> String {
    let reason = match incident.closed_reason {
        Some(ClosedReason::Quiet) => ": nothing new for days",
        Some(ClosedReason::Allowed) => ": all its findings are allowed",
        Some(ClosedReason::FalsePositive) => ": judged a false positive",
        Some(ClosedReason::Benign) => ": judged wanted",
        Some(ClosedReason::Resolved) => ": dealt with",
        None => "",
    };
    match (incident.status, &incident.merged_into) {
        (Status::Open, _) => "open".to_owned(),
        (Status::Closed, _) => format!("closed{reason}"),
        (Status::Merged, Some(other)) => format!("part of {other}"),
        (Status::Merged, None) => "part of another".to_owned(),
    }
}

/// Returns the part of a host.
pub(super) const fn host_part(part: HostPart) -> &'static str {
    match part {
        HostPart::First => "first",
        HostPart::Compromised => "compromised",
        HostPart::Pivot => "pivot",
        HostPart::Target => "target",
    }
}

/// Returns the part of a remote.
pub(super) const fn remote_part(part: RemotePart) -> &'static str {
    match part {
        RemotePart::Controller => "is called regularly",
        RemotePart::Drop => "data went there",
        RemotePart::Indicator => "on a list",
        RemotePart::Source => "came in, or tried to",
    }
}

/// Returns the name of a tactic and its id.
pub(super) const fn tactic(tactic: Tactic) -> (&'static str, &'static str) {
    match tactic {
        Tactic::InitialAccess => ("Initial access", "TA0001"),
        Tactic::Discovery => ("Discovery", "TA0007"),
        Tactic::CredentialAccess => ("Credential access", "TA0006"),
        Tactic::Persistence => ("Persistence", "TA0003"),
        Tactic::LateralMovement => ("Lateral movement", "TA0008"),
        Tactic::Collection => ("Collection", "TA0009"),
        Tactic::CommandAndControl => ("Command and control", "TA0011"),
        Tactic::Exfiltration => ("Exfiltration", "TA0010"),
        Tactic::DefenseEvasion => ("Defense evasion", "TA0005"),
        Tactic::Impact => ("Impact", "TA0040"),
    }
}

/// Returns the kind of an entry of a timeline.
pub(super) const fn timeline_kind(kind: TimelineKind) -> &'static str {
    match kind {
        TimelineKind::FirstContact => "first contact",
        TimelineKind::CadenceBegins => "regular calls begin",
        TimelineKind::CadenceChanges => "regular calls change",
        TimelineKind::CadenceEnds => "regular calls end",
        TimelineKind::Sweep => "sweep",
        TimelineKind::Guessing => "guessing",
        TimelineKind::SessionAfterGuessing => "session after guessing",
        TimelineKind::InsideSession => "inside session",
        TimelineKind::InsidePull => "inside pull",
        TimelineKind::Upload => "upload",
        TimelineKind::Exposure => "exposure",
        TimelineKind::CredentialUsed => "credential used",
        TimelineKind::AccessDenied => "access denied",
        TimelineKind::AccountMade => "account made",
        TimelineKind::Download => "download",
        TimelineKind::LogGap => "log gap",
        TimelineKind::Finding => "finding",
        TimelineKind::Verdict => "verdict",
        TimelineKind::Merge => "merge",
    }
}

/// Returns the kind of a link.
pub(super) const fn link_kind(kind: LinkKind) -> &'static str {
    match kind {
        LinkKind::SameRemote => "same rare remote",
        LinkKind::Lateral => "one entered the other",
        LinkKind::Bridge => "over a third host",
        LinkKind::ScanHit => "scan that hit",
        LinkKind::SameInstance => "same instance",
        LinkKind::Created => "one made the other",
        LinkKind::Minted => "one credential made the other",
        LinkKind::FromHost => "acted from the host",
        LinkKind::SameSource => "same address",
        LinkKind::SameNetwork => "same network",
        LinkKind::Served => "passed on by a balancer",
    }
}

/// Returns how a node of the graph takes part.
pub(super) const fn node_class(class: NodeClass) -> &'static str {
    match class {
        NodeClass::Involved => "compromised",
        NodeClass::Reached => "reached",
        NodeClass::Attempted => "tried, no answer",
        NodeClass::Shared => "shared service",
        NodeClass::Upstream => "came in before",
        NodeClass::Remote => "outside",
        NodeClass::Reachable => "open to it before",
    }
}

/// Returns what a principal did.
pub(super) const fn deed_kind(kind: DeedKind) -> &'static str {
    match kind {
        DeedKind::Downloaded => "downloaded",
        DeedKind::Created => "made users, keys or rights",
        DeedKind::Changed => "changed",
        DeedKind::Read => "read",
        DeedKind::LoggedInto => "logged into",
        DeedKind::Denied => "was refused",
        DeedKind::Minted => "made a credential",
        DeedKind::ActedAs => "acted as",
        DeedKind::UsedFrom => "came from",
    }
}

/// Shortens text in its middle to a number of characters, so that both ends of an address stay.
pub(super) fn shortened(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_owned();
    }
    let tail = most.saturating_sub(1) / 2;
    let head = most.saturating_sub(1) - tail;
    text.chars().take(head).chain(['…']).chain(text.chars().skip(length - tail)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        assert_eq!(moment(1_713_496_325), "2024-04-19 03:12:05");
        assert_eq!(minute(1_713_496_325), "2024-04-19 03:12");
        assert_eq!((clock(1_713_496_325), day(1_713_496_325)), ("03:12".to_owned(), "19 Apr".to_owned()));
        // A time that no calendar has is shown as it is.
        assert_eq!((moment(i64::MAX), day(i64::MAX).len()), (i64::MAX.to_string(), 0));
    }

    #[test]
    fn port_0_is_several() {
        assert_eq!(service(Some(443), Some(6)), "tcp port 443");
        assert_eq!(service(Some(0), Some(6)), "tcp, several ports");
        assert_eq!(service(None, Some(1)), "icmp");
        assert_eq!(service(None, None), "several ports");
    }

    #[test]
    fn addresses_keep_both_ends() {
        assert_eq!(shortened("2600:1f18:1234:5600:abcd:ef01:2345:6789", 19), "2600:1f18…2345:6789");
        assert_eq!(shortened("10.0.0.1", 19), "10.0.0.1");
    }
}

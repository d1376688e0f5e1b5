//! Bitbucket's access log: fields between ` | `, two lines for each request, local time without a zone.

use std::borrow::Cow;

use chrono::{DateTime, LocalResult, TimeZone};
use chrono_tz::Tz;

use crate::act::{Act, ActionClass, Credential, CredentialKind, Log, Outcome, PrincipalKind};
use crate::error::BadRecord;
use crate::read::Counts;
use crate::time::{SECOND_US, parse_us};

/// Reads the lines that end a request; only they know the user, the status and the bytes.
pub(crate) fn read(text: &str, zone: Option<Tz>, counts: &mut Counts, sink: &mut dyn FnMut(&Act<'_>)) {
    for (index, line) in text.split('\n').enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        match act(line, zone) {
            Ok(Some(act)) => {
                counts.zone_unknown += u64::from(zone.is_none());
                counts.act(act, line, sink);
            }
            Ok(None) => counts.passed_over += 1,
            Err(expected) => counts.bad(BadRecord { at: index + 1, expected }),
        }
    }
}

fn known(field: &str) -> &str {
    if field == "-" { "" } else { field }
}

/// Returns the act of a line; `None` for one that begins a request.
fn act(line: &str, zone: Option<Tz>) -> Result<Option<Act<'_>>, &'static str> {
    let line = line.trim_end();
    let line = line.strip_suffix(" |").unwrap_or(line);
    let fields: Vec<&str> = line.split(" | ").map(str::trim).collect();
    // Old versions lack a field of SSH's lines, and an agent may hold the mark: five fields are counted from the
    // beginning, six from the end.
    if fields.len() < 12 {
        return Err("a line of 12 fields or more");
    }
    let (head, rest) = fields.split_at(5);
    let (middle, tail) = rest.split_at(rest.len() - 6);
    match head[2].as_bytes().first() {
        Some(b'o') => {}
        Some(b'i') => return Ok(None),
        _ => return Err("a request id that begins with i or o"),
    }
    let local_us = parse_us(head[4]).ok_or("a local time in the fifth field")?;
    let mut act = Act::new(Log::BitbucketAccess, utc_us(local_us, zone));
    act.service = "bitbucket".into();
    act.trace = head[2].into();
    act.come_from(head[0].split(',').next().unwrap_or_default().trim().into());
    act.principal = known(head[3]).into();
    act.principal_kind = if act.principal.is_empty() { PrincipalKind::Anonymous } else { PrincipalKind::User };
    act.session = known(tail[5]).into();
    act.bytes_in = tail[1].parse().ok();
    act.bytes_out = tail[2].parse().ok();
    act.duration_ms = tail[4].parse().ok();

    let labels = || tail[3].split(',').map(str::trim);
    if let Some(key) = labels().find(|label| label.starts_with("ssh:id:")) {
        act.credential = Credential::new(key.into(), CredentialKind::SshKey);
    }
    act.outcome = match (head[1], tail[0]) {
        ("ssh", "0") => Outcome::Success,
        ("ssh", code) if code.parse::<i64>().is_ok() => Outcome::Failure,
        (_, status) => Outcome::of_http(status.parse().ok()),
    };
    if act.outcome != Outcome::Success {
        act.error = known(tail[0]).into();
    }
    let (request, agents) = middle.split_first().ok_or("a request")?;
    act.agent = agents.last().and_then(|agent| agent.trim_matches('"').rsplit('"').next()).unwrap_or_default().into();
    let request = request.trim_matches('"');
    let (operation, class) = operation(request, labels);
    (act.action, act.action_class) = (operation.into(), class);
    if let Some(repository) = repository(request) {
        (act.object_kind, act.object) = ("repository".into(), repository);
    }
    Ok(Some(act))
}

fn operation<'a, L: Iterator<Item = &'a str>>(request: &'a str, labels: impl Fn() -> L) -> (&'static str, ActionClass) {
    let has = |label: &str| labels().any(|other| other == label);
    if has("clone") || has("shallow clone") {
        ("clone", ActionClass::Download)
    } else if has("fetch") || has("shallow fetch") {
        ("fetch", ActionClass::Download)
    } else if has("push") || request.contains("git-receive-pack") {
        ("push", ActionClass::Write)
    } else if has("refs") || request.contains("/info/refs") {
        ("refs", ActionClass::List)
    } else if request.contains("/archive") {
        ("archive", ActionClass::Download)
    } else if request.contains("git-upload-pack") {
        ("fetch", ActionClass::Download)
    } else if request.contains("/login") || request.contains("j_atl_security_check") {
        ("login", ActionClass::Login)
    } else if request.starts_with("GET ") || request.starts_with("HEAD ") {
        ("browse", ActionClass::Read)
    } else {
        ("change", ActionClass::Write)
    }
}

/// Returns `project/repository` in lower case.
fn repository(request: &str) -> Option<Cow<'_, str>> {
    let path = match request.split_once('\'') {
        Some((_, path)) => path.split('\'').next()?,
        None => request.split(' ').nth(1)?,
    };
    let path = path.split('?').next()?;
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let behind = |mark: &str| parts.iter().position(|part| *part == mark).map(|at| &parts[at + 1..]);
    let (project, name) = if let Some([project, "repos", name, ..]) = behind("projects") {
        (*project, *name)
    } else if let Some([project, name, ..]) = behind("scm") {
        (*project, *name)
    } else if let (true, [project, name]) = (request.starts_with("SSH"), &parts[..]) {
        (*project, *name)
    } else {
        return None;
    };
    let name = name.strip_suffix(".git").unwrap_or(name);
    Some(format!("{project}/{name}").to_lowercase().into())
}

/// Returns the UTC of a local time. An hour that comes twice is the first, one that does not come is as if the clocks
/// had not been put forward yet.
fn utc_us(local_us: i64, zone: Option<Tz>) -> i64 {
    let Some(zone) = zone else { return local_us };
    let offset_s = |second: i64| -> Option<i64> {
        let local = DateTime::from_timestamp(second, 0)?.naive_utc();
        let offset = |time: &DateTime<Tz>| second - time.timestamp();
        match zone.from_local_datetime(&local) {
            LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => Some(offset(&time)),
            LocalResult::None => None,
        }
    };
    let second = local_us.div_euclid(SECOND_US);
    let offset = offset_s(second).or_else(|| offset_s(second - 2 * 3_600)).unwrap_or_default();
    local_us - offset * SECOND_US
}

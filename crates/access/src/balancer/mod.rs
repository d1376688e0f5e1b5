//! Access logs of AWS's load balancers: space-separated lines with quoted fields.
//!
//! A balancer sees clients, not users: its acts have no principal and no credential. Behind a CDN or an access gateway
//! every client is the gateway.

mod line;

use std::borrow::Cow;

use self::line::{Fields, address_and_port};
use crate::act::{Act, ActionClass, Log, Outcome};
use crate::error::BadRecord;
use crate::read::Counts;
use crate::time::parse_us;

/// Reads the lines of an application load balancer; what stands behind the 25 fields that all of them have is ignored.
pub(crate) fn read_alb(text: &str, counts: &mut Counts, sink: &mut dyn FnMut(&Act<'_>)) {
    lines(text, counts, sink, |fields| {
        if fields.count() < 25 {
            return Err("an ALB line of 25 fields or more");
        }
        let mut act = begin(Log::Alb, fields, 1)?;
        parties(&mut act, fields, [2, 3, 4]);
        act.duration_ms = fields.seconds_ms([5, 6, 7]);
        let status = response(&mut act, fields, [8, 10, 11]);
        request(&mut act, fields, [12, 13]);
        act.trace = fields.text(17);
        let server_name = fields.text(18);
        if !server_name.is_empty() {
            act.app = lower(server_name);
        }
        place(&mut act, fields, [16, 19]);
        if act.outcome != Outcome::Success {
            let reason = fields.text(24);
            act.error = if reason.is_empty() { status } else { reason };
        }
        Ok(act)
    });
}

/// Reads the lines of a network load balancer with TLS listeners.
pub(crate) fn read_nlb(text: &str, counts: &mut Counts, sink: &mut dyn FnMut(&Act<'_>)) {
    lines(text, counts, sink, |fields| {
        if fields.count() < 18 {
            return Err("an NLB line of 18 fields or more");
        }
        let mut act = begin(Log::NlbTls, fields, 2)?;
        parties(&mut act, fields, [3, 5, 6]);
        act.action = "connect".into();
        act.duration_ms = fields.number(7);
        act.bytes_in = fields.number(9);
        act.bytes_out = fields.number(10);
        act.app = lower(fields.text(17));
        place(&mut act, fields, [12, 12]);
        act.error = fields.text(11);
        // Without a handshake there was no connection.
        let shaken = fields.number(8).is_some() && act.error.is_empty();
        act.outcome = if shaken { Outcome::Success } else { Outcome::Failure };
        Ok(act)
    });
}

/// Reads the lines of a classic load balancer.
pub(crate) fn read_clb(text: &str, counts: &mut Counts, sink: &mut dyn FnMut(&Act<'_>)) {
    lines(text, counts, sink, |fields| {
        if fields.count() < 12 {
            return Err("a CLB line of 12 fields or more");
        }
        let mut act = begin(Log::Clb, fields, 0)?;
        parties(&mut act, fields, [1, 2, 3]);
        act.duration_ms = fields.seconds_ms([4, 5, 6]);
        let status = response(&mut act, fields, [7, 9, 10]);
        request(&mut act, fields, [11, 12]);
        if act.outcome != Outcome::Success {
            act.error = status;
        }
        Ok(act)
    });
}

fn lines<'a>(
    text: &'a str,
    counts: &mut Counts,
    sink: &mut dyn FnMut(&Act<'_>),
    read: impl Fn(&Fields<'a>) -> Result<Act<'a>, &'static str>,
) {
    let mut begin = 0;
    let ends = memchr::memchr_iter(b'\n', text.as_bytes()).chain([text.len()]);
    for (index, end) in ends.enumerate() {
        let line = text.get(begin..end).unwrap_or_default().trim_ascii();
        begin = end + 1;
        if line.is_empty() {
            continue;
        }
        match read(&Fields::of(line)) {
            Ok(act) => counts.act(act, line, sink),
            Err(expected) => counts.bad(BadRecord { at: index + 1, expected }),
        }
    }
}

fn begin<'a>(log: Log, fields: &Fields<'a>, time: usize) -> Result<Act<'a>, &'static str> {
    let time_us = parse_us(fields.raw(time)).ok_or("a time in its place")?;
    Ok(Act::new(log, time_us))
}

fn parties<'a>(act: &mut Act<'a>, fields: &Fields<'a>, [balancer, client, target]: [usize; 3]) {
    act.service = fields.text(balancer);
    let (source, port) = address_and_port(fields.raw(client));
    act.come_from(source);
    act.source_port = port;
    act.target = fields.text(target);
}

/// Takes status and bytes; returns the status as written.
fn response<'a>(act: &mut Act<'a>, fields: &Fields<'a>, [status, received, sent]: [usize; 3]) -> Cow<'a, str> {
    act.outcome = Outcome::of_http(fields.number(status).and_then(|status| u16::try_from(status).ok()));
    act.bytes_in = fields.number(received);
    act.bytes_out = fields.number(sent);
    fields.text(status)
}

/// Takes method, host and path of `METHOD URL PROTOCOL`, and the agent. The URL may hold spaces.
fn request<'a>(act: &mut Act<'a>, fields: &Fields<'a>, [request, agent]: [usize; 2]) {
    act.agent = fields.text(agent);
    let (method, host, path) = match fields.text(request) {
        Cow::Borrowed(text) => {
            let (method, host, path) = parts(text);
            (Cow::Borrowed(method), Cow::Borrowed(host), Cow::Borrowed(path))
        }
        Cow::Owned(text) => {
            let (method, host, path) = parts(&text);
            (method.to_owned().into(), host.to_owned().into(), path.to_owned().into())
        }
    };
    act.action_class = ActionClass::of_http(&method, &path);
    act.app = lower(host);
    if !path.is_empty() {
        (act.object_kind, act.object) = ("path".into(), path);
    }
    act.action = method;
}

/// Returns method, host and path without its query.
fn parts(request: &str) -> (&str, &str, &str) {
    let (method, rest) = request.split_once(' ').unwrap_or((request, ""));
    let url = rest.rsplit_once(' ').map_or(rest, |(url, _)| url);
    let behind = url.split_once("://").map_or(url, |(_, behind)| behind);
    let (host, path) = behind.split_at(behind.find('/').unwrap_or(behind.len()));
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    (if method == "-" { "" } else { method }, host.trim_start_matches('-'), path)
}

/// Takes region and account from the first ARN there is.
fn place<'a>(act: &mut Act<'a>, fields: &Fields<'a>, arns: [usize; 2]) {
    for field in arns {
        let arn = fields.raw(field);
        let mut words = arn.split(':').skip(3);
        if let (true, Some(region), Some(account)) = (arn.starts_with("arn:"), words.next(), words.next()) {
            (act.region, act.account) = (region.into(), account.into());
            return;
        }
    }
}

/// Returns a host's name in lower case, as names of hosts have none.
fn lower(name: Cow<'_, str>) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) { name.to_ascii_lowercase().into() } else { name }
}

#[cfg(test)]
mod tests;

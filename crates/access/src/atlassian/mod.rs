//! Jira, Confluence, Bitbucket and Atlassian organisations: audit logs of servers and of the cloud, and Bitbucket's
//! access log.
//!
//! At the default level a server's audit log has neither logins nor reads; clones and bytes are in the access log only.

mod bitbucket;
mod cloud;
mod data_center;

use serde_json::Value;

pub(crate) use self::bitbucket::read as read_bitbucket_access;
use crate::act::Act;
use crate::error::{BadRecord, Broken};
use crate::json::{Wrapping, text_at, values};
use crate::read::Counts;

/// What the products' pages of records are called.
const PAGES: Wrapping = Wrapping { records: &["records", "results", "entities", "values", "data"] };

/// Reads audit records of any Atlassian product, told apart record by record.
pub(crate) fn read_audit(text: &str, counts: &mut Counts, sink: &mut dyn FnMut(&Act<'_>)) -> Result<(), Broken> {
    values(text, &PAGES, &mut |value, record, at| match value.and_then(act) {
        Ok(act) => counts.act(act, record, sink),
        Err(expected) => counts.bad(BadRecord { at, expected }),
    })
}

fn act(record: &Value) -> Result<Act<'_>, &'static str> {
    if record["auditType"].is_object() || !text_at(record, &["type", "actionI18nKey"]).is_empty() {
        data_center::act(record)
    } else if record["attributes"].is_object() {
        cloud::organisation(record)
    } else if record["creationDate"].is_number() {
        cloud::confluence(record)
    } else if record["created"].is_string() {
        cloud::jira(record)
    } else {
        Err("an audit record of Jira, Confluence, Bitbucket or an organisation")
    }
}

#[cfg(test)]
mod tests;

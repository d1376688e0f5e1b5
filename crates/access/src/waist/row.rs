//! The rows of `access_hours`.

use super::Distinct;
use crate::act::{ActionClass, Log, Outcome, PrincipalKind};
use crate::{Credential, CredentialKind};

/// How many texts a row has.
const TEXTS: usize = 13;

/// One hour of one principal's acts of one kind, and how many there were.
#[derive(Debug, Clone, PartialEq)]
pub struct AccessHour<'a> {
    /// The first second of the hour, since 1970-01-01 UTC.
    pub hour_s: i64,
    /// The log that tells it.
    pub log: Log,
    /// The AWS account.
    pub account: &'a str,
    /// The region.
    pub region: &'a str,
    /// Who.
    pub principal: &'a str,
    /// What the principal is.
    pub principal_kind: PrincipalKind,
    /// With what.
    pub credential: Credential<'a>,
    /// From where, as written.
    pub source: &'a str,
    /// Whose network that is, if the log says so.
    pub network: &'a str,
    /// The country, if the log says so.
    pub country: &'a str,
    /// The family of the client program.
    pub agent_family: &'a str,
    /// The service that was asked.
    pub service: &'a str,
    /// The application behind it.
    pub app: &'a str,
    /// A balancer's target.
    pub target: &'a str,
    /// What was done.
    pub action: &'a str,
    /// The kind of action.
    pub action_class: ActionClass,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether a login had a second factor; `None` of other acts, and where the log does not tell.
    pub mfa: Option<bool>,
    /// What an act that makes a credential, grants or administers was done to; empty of other acts, whose objects are
    /// only counted.
    pub object: &'a str,
    /// The id of one of the acts, or the trace of one of the requests; empty where the log has none.
    pub event_id: &'a str,
    /// How many, how much and when.
    pub sums: Sums,
}

/// What is summed over the acts of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sums {
    /// Acts; those that several trails told count once.
    pub events: u64,
    /// Bytes sent to the client.
    pub bytes_out: u64,
    /// Bytes received from the client.
    pub bytes_in: u64,
    /// The different objects, by the FNV-1a hash of kind and name.
    pub objects: Distinct,
    /// The second of the first act, since 1970-01-01 UTC.
    pub first_s: i64,
    /// The second of the last act.
    pub last_s: i64,
}

impl Default for Sums {
    fn default() -> Self {
        Self { events: 0, bytes_out: 0, bytes_in: 0, objects: Distinct::default(), first_s: i64::MAX, last_s: i64::MIN }
    }
}

impl Sums {
    /// Adds the acts of another row.
    pub fn merge(&mut self, other: &Self) {
        self.events += other.events;
        self.bytes_out = self.bytes_out.saturating_add(other.bytes_out);
        self.bytes_in = self.bytes_in.saturating_add(other.bytes_in);
        self.objects.merge(&other.objects);
        self.first_s = self.first_s.min(other.first_s);
        self.last_s = self.last_s.max(other.last_s);
    }
}

/// What tells one row from another, besides its texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RowHead {
    pub hour_s: i64,
    pub log: Log,
    pub principal_kind: PrincipalKind,
    pub credential_kind: CredentialKind,
    pub action_class: ActionClass,
    pub outcome: Outcome,
    pub mfa: Option<bool>,
}

/// What tells one row from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RowKey<'a> {
    pub head: RowHead,
    /// Account, region, principal, credential, source, network, country, agent family, service, app, target, action,
    /// object.
    pub texts: [&'a str; TEXTS],
}

impl<'a> RowKey<'a> {
    /// Returns the key of a row.
    pub fn of(row: &'a AccessHour<'_>) -> Self {
        Self {
            head: RowHead {
                hour_s: row.hour_s,
                log: row.log,
                principal_kind: row.principal_kind,
                credential_kind: row.credential.kind(),
                action_class: row.action_class,
                outcome: row.outcome,
                mfa: row.mfa,
            },
            texts: [
                row.account,
                row.region,
                row.principal,
                row.credential.full(),
                row.source,
                row.network,
                row.country,
                row.agent_family,
                row.service,
                row.app,
                row.target,
                row.action,
                row.object,
            ],
        }
    }

    /// Returns the row of this key.
    pub fn row(self, event_id: &'a str, sums: Sums) -> AccessHour<'a> {
        let [
            account,
            region,
            principal,
            credential,
            source,
            network,
            country,
            agent_family,
            service,
            app,
            target,
            action,
            object,
        ] = self.texts;
        AccessHour {
            hour_s: self.head.hour_s,
            log: self.head.log,
            account,
            region,
            principal,
            principal_kind: self.head.principal_kind,
            credential: Credential::new(credential.into(), self.head.credential_kind),
            source,
            network,
            country,
            agent_family,
            service,
            app,
            target,
            action,
            action_class: self.head.action_class,
            outcome: self.head.outcome,
            mfa: self.head.mfa,
            object,
            event_id,
            sums,
        }
    }
}

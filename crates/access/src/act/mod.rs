//! An act: one thing that somebody did, whatever log tells it.

mod agent;
mod class;
mod credential;

use std::borrow::Cow;

use flow::Address;

pub use agent::agent_family;
pub use class::{ActionClass, Outcome, PrincipalKind};
pub(crate) use credential::last_four;
pub use credential::{Credential, CredentialKind};

/// The log that tells an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Log {
    /// AWS CloudTrail, in whatever wrapping.
    CloudTrail,
    /// Okta's System Log.
    Okta,
    /// An audit log of Jira, Confluence, Bitbucket or an Atlassian organisation.
    AtlassianAudit,
    /// Bitbucket's access log.
    BitbucketAccess,
    /// The access log of an application load balancer.
    Alb,
    /// The TLS log of a network load balancer.
    NlbTls,
    /// The access log of a classic load balancer.
    Clb,
}

impl Log {
    /// Every log.
    pub const ALL: [Self; 7] =
        [Log::CloudTrail, Log::Okta, Log::AtlassianAudit, Log::BitbucketAccess, Log::Alb, Log::NlbTls, Log::Clb];

    /// Returns the log that [`Log::name`] names so.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|log| log.name() == name)
    }

    /// Returns the name under which tables know the log.
    pub const fn name(self) -> &'static str {
        match self {
            Log::CloudTrail => "cloudtrail",
            Log::Okta => "okta",
            Log::AtlassianAudit => "atlassian_audit",
            Log::BitbucketAccess => "bitbucket_access",
            Log::Alb => "alb",
            Log::NlbTls => "nlb",
            Log::Clb => "clb",
        }
    }
}

/// One act. Texts are empty where the log has no such value; they borrow from the object where they can.
///
/// In brackets: the field's name in OCSF, where one fits.
#[derive(Debug, Clone, PartialEq)]
pub struct Act<'a> {
    /// The log that tells it.
    pub log: Log,
    /// When, in microseconds since 1970-01-01 UTC. CloudTrail knows seconds, Okta milliseconds. \[time\]
    pub time_us: i64,
    /// The event's id, unique within log and account; empty where lines have none, which are then never duplicates.
    /// \[metadata.uid\]
    pub event_id: Cow<'a, str>,
    /// What joins the act with others: CloudTrail's `sharedEventID`, Okta's transaction, a balancer's trace.
    pub trace: Cow<'a, str>,

    /// Who: an ARN, a login or a user's name. Case as written. \[actor.user.uid\]
    pub principal: Cow<'a, str>,
    /// The id that outlives a rename: `AIDA…`, `00u…`, an author's id. \[actor.user.uid_alt\]
    pub principal_id: Cow<'a, str>,
    /// What the principal is, as far as the log tells. \[actor.user.type\]
    pub principal_kind: PrincipalKind,
    /// With what: a key, a token, a session. Shown by its last four characters. \[actor.user.credential_uid\]
    pub credential: Credential<'a>,
    /// The credential that this act made, such as the session key of an assumed role.
    pub child_credential: Credential<'a>,
    /// The session, where it has a name of its own: a role session, Okta's root session. \[actor.session.uid\]
    pub session: Cow<'a, str>,
    /// When the session began, in seconds since 1970-01-01 UTC.
    pub session_created_s: Option<i64>,
    /// Whether a second factor was used; `None` where the log does not tell or always says no. \[is_mfa\]
    pub mfa: Option<bool>,

    /// From where, as written: an address, or the name of a service. \[src_endpoint\]
    pub source: Cow<'a, str>,
    /// From where, if `source` is an address. \[src_endpoint.ip\]
    pub source_address: Option<Address>,
    /// The port of the source. \[src_endpoint.port\]
    pub source_port: Option<u16>,
    /// The VPC endpoint that the call came through. \[src_endpoint.vpc_uid\]
    pub endpoint: Cow<'a, str>,
    /// Whose network the source is in, if the log says so. \[src_endpoint.autonomous_system.name\]
    pub network: Cow<'a, str>,
    /// The country of the source, if the log says so. \[src_endpoint.location.country\]
    pub country: Cow<'a, str>,
    /// The client program as it names itself. [`agent_family`] shortens it. \[http_request.user_agent\]
    pub agent: Cow<'a, str>,

    /// The AWS account where it happened. \[cloud.account.uid\]
    pub account: Cow<'a, str>,
    /// The region where it happened; global services say us-east-1. \[cloud.region\]
    pub region: Cow<'a, str>,
    /// The service that was asked: `s3`, `okta`, `bitbucket`, a balancer's name. \[api.service.name\]
    pub service: Cow<'a, str>,
    /// The application behind the service: an Okta app, the host name of a request, the address of a Jira. \[app\]
    pub app: Cow<'a, str>,
    /// Where the request went: a balancer's target. \[dst_endpoint\]
    pub target: Cow<'a, str>,

    /// What was done, in the log's own word. \[api.operation\]
    pub action: Cow<'a, str>,
    /// The kind of action. \[activity_id\]
    pub action_class: ActionClass,
    /// What kind of thing it was done to: `bucket`, `secret`, `repository`, `path`. \[resources.type\]
    pub object_kind: Cow<'a, str>,
    /// What it was done to. \[resources.uid\]
    pub object: Cow<'a, str>,
    /// How it ended. \[status_id\]
    pub outcome: Outcome,
    /// The log's word for why it did not succeed. \[status_detail\]
    pub error: Cow<'a, str>,
    /// Bytes sent to the client. \[traffic.bytes_out\]
    pub bytes_out: Option<u64>,
    /// Bytes received from the client. \[traffic.bytes_in\]
    pub bytes_in: Option<u64>,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<u64>,
    /// The record that tells it, as written. It may hold secrets, which are not for output. \[raw_data\]
    pub record: Cow<'a, str>,
}

impl<'a> Act<'a> {
    /// Returns an act with its log and time, and nothing else.
    pub fn new(log: Log, time_us: i64) -> Self {
        let none = || Cow::Borrowed("");
        Self {
            log,
            time_us,
            event_id: none(),
            trace: none(),
            principal: none(),
            principal_id: none(),
            principal_kind: PrincipalKind::Unknown,
            credential: Credential::none(),
            child_credential: Credential::none(),
            session: none(),
            session_created_s: None,
            mfa: None,
            source: none(),
            source_address: None,
            source_port: None,
            endpoint: none(),
            network: none(),
            country: none(),
            agent: none(),
            account: none(),
            region: none(),
            service: none(),
            app: none(),
            target: none(),
            action: none(),
            action_class: ActionClass::Other,
            object_kind: none(),
            object: none(),
            outcome: Outcome::Unknown,
            error: none(),
            bytes_out: None,
            bytes_in: None,
            duration_ms: None,
            record: none(),
        }
    }

    /// Returns the second of the act, since 1970-01-01 UTC.
    pub const fn second(&self) -> i64 {
        self.time_us.div_euclid(1_000_000)
    }

    /// Returns the family of the client program; see [`agent_family`].
    pub fn agent_family(&self) -> &str {
        agent_family(&self.agent)
    }

    /// Sets the source and, if it is one, its address.
    pub(crate) fn come_from(&mut self, source: Cow<'a, str>) {
        self.source_address = Address::parse(source.as_bytes());
        self.source = source;
    }
}

//! The logs beside flow logs: who did what, with which credential, from where.
//!
//! **Question it answers**: what acts does this object hold, whichever of CloudTrail, Okta, Atlassian and the load
//! balancers wrote it? [`read_object`] answers with [`Act`]s, all of one shape. [`AccessHours`] folds them to what
//! detections read, as `pair_hours` does for flows; [`Credentials`] and [`Principals`] remember when each was used,
//! longer than logs are kept. [`Ties`] tell who is who: which key made which, who used it, and from where.
//!
//! **Cost**: CloudTrail goes through a scanner of its own that takes one pass over the text and leaves what is not asked
//! for; serde_json is its slow twin in tests. Balancers' lines are split in place. The other logs are small and go
//! through serde_json. One object is inflated at a time. The fold costs about 64 bytes for each act with an id, until it
//! is sealed, and about 250 for each row.
//!
//! **Where to begin**: [`read_object`], then `cloudtrail/mod.rs`.
//!
//! A record that cannot be read is counted and skipped, with its place. An object that cannot be read is one error with
//! place, what was got and what was expected. No bytes make this crate panic.
//!
//! | layer | files |
//! | --- | --- |
//! | basics | [`AccessError`], `time`: times as logs write them |
//! | acts | `act/`: [`Act`] and its words |
//! | texts | `inflate`: gzip, all of its members; `json/`: a cursor, and containers to records |
//! | logs | `cloudtrail/`, `ocsf/`, `okta/`, `atlassian/`, `balancer/`: records to acts; [`iam`]: lists of credentials |
//! | objects | [`recognise()`]: what an object is; [`read_object`]: an object to its acts |
//! | waist | `waist/`: acts to hours, ledgers and ties |
//!
//! ```
//! # use flowsift_access as access;
//! use access::{AccessHours, Inflater, LogKind, ReadOptions, read_object};
//!
//! let object = br#"{"Records":[{"eventVersion":"1.11","eventTime":"2023-11-22T14:00:01Z","eventName":"GetSecretValue",
//!     "eventSource":"secretsmanager.amazonaws.com","sourceIPAddress":"198.51.100.7","eventID":"e1",
//!     "recipientAccountId":"112233445566","errorCode":"AccessDenied","requestParameters":{"secretId":"prod/db"},
//!     "userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::112233445566:user/a","accessKeyId":"AKIAIOSFODNN7EXAMPLE"}}]}"#;
//! let mut hours = AccessHours::default();
//! let read = hours.object(|sink| {
//!     read_object(&mut Inflater::default(), "a.json", object, &ReadOptions::default(), sink)
//! })?;
//! assert_eq!((read.kind, read.counts.acts), (LogKind::CloudTrail, 1));
//!
//! let rows = hours.rows();
//! assert_eq!((rows[0].service, rows[0].action, rows[0].outcome.name()), ("secretsmanager", "GetSecretValue", "denied"));
//! assert_eq!(rows[0].credential.to_string(), "…MPLE");
//! # Ok::<(), access::AccessError>(())
//! ```

mod act;
mod atlassian;
mod balancer;
mod cloudtrail;
mod error;
pub mod iam;
mod inflate;
mod json;
mod ocsf;
mod okta;
mod read;
mod recognise;
#[cfg(test)]
mod tests;
mod time;
mod waist;

pub use chrono_tz::Tz;

pub use act::{Act, ActionClass, Credential, CredentialKind, Log, Outcome, PrincipalKind, agent_family};
pub use error::{AccessError, BadRecord};
pub use inflate::{Inflater, MAX_INFLATED_BYTES};
pub use read::{Counts, ObjectRead, ReadOptions, read_object};
pub use recognise::{HEAD_BYTES, LogKind, recognise};
pub use waist::{
    AccessHour, AccessHours, Credentials, Distinct, Identities, LedgerEntry, MAX_DISTINCT, MAX_TIES, PackedRow,
    Principals, QUIET_S, Sums, Tie, TieRule, Ties, Uses, identity, instance_of,
};

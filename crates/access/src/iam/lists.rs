//! IAM's list of access keys and Okta's list of API tokens.

use std::fmt;

use serde_json::Value;

use crate::act::{Credential, CredentialKind};
use crate::error::{AccessError, BadRecord};
use crate::json::{Wrapping, text_at, values};
use crate::read::readable;
use crate::time::parse_s;

use super::ReportedUser;

/// An access key of a list. Times are in seconds since 1970-01-01 UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// The key.
    pub credential: Credential<'static>,
    /// The name of its user.
    pub user: String,
    /// Whether the key works.
    pub is_active: bool,
    /// When the key was made.
    pub created_s: Option<i64>,
}

impl AccessKey {
    /// Returns when a report says that this key was last used.
    ///
    /// A report knows the user, not the key: of two keys it is the one that was made in the same second.
    pub fn last_used_s(&self, report: &[ReportedUser]) -> Option<i64> {
        let user = report.iter().find(|user| user.user == self.user)?;
        let made = user.keys.iter().filter(|key| key.created_s.is_some());
        let same = made.filter(|key| key.created_s == self.created_s);
        same.filter_map(|key| key.last_used_s).max()
    }
}

/// An API token of Okta's list. Times are in seconds since 1970-01-01 UTC.
#[derive(Clone, PartialEq, Eq)]
pub struct OktaToken {
    /// The token's id, as the System Log names it.
    pub credential: Credential<'static>,
    /// The name that somebody gave it.
    pub name: String,
    /// The id of its user.
    pub user_id: String,
    /// When it was made.
    pub created_s: Option<i64>,
    /// When it was last renewed, which happens by use.
    pub last_updated_s: Option<i64>,
    /// When it ends if nobody uses it.
    pub expires_s: Option<i64>,
    /// From where it may be used; `ANYWHERE` if that is not bounded.
    pub network: String,
}

impl fmt::Debug for OktaToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OktaToken({} of {})", self.credential, self.user_id)
    }
}

/// Reads a list of access keys (`aws iam list-access-keys`): an array, `AccessKeyMetadata`, or lines. Returns the keys
/// and the entries that are none.
///
/// # Errors
/// [`AccessError`] if the list is no JSON.
pub fn access_keys(place: &str, text: &[u8]) -> Result<(Vec<AccessKey>, Vec<BadRecord>), AccessError> {
    list(place, text, &Wrapping { records: &["AccessKeyMetadata"] }, |entry| {
        let id = text_at(entry, &["AccessKeyId"]);
        (!id.is_empty()).then(|| AccessKey {
            credential: Credential::key(id.to_owned().into()),
            user: text_at(entry, &["UserName"]).to_owned(),
            is_active: text_at(entry, &["Status"]) == "Active",
            created_s: parse_s(text_at(entry, &["CreateDate"])),
        })
    })
}

/// Reads Okta's list of API tokens (`/api/v1/api-tokens`). Returns the tokens and the entries that are none.
///
/// # Errors
/// [`AccessError`] if the list is no JSON.
pub fn okta_tokens(place: &str, text: &[u8]) -> Result<(Vec<OktaToken>, Vec<BadRecord>), AccessError> {
    list(place, text, &Wrapping { records: &[] }, |entry| {
        let id = text_at(entry, &["id"]);
        (!id.is_empty()).then(|| OktaToken {
            credential: Credential::new(id.to_owned().into(), CredentialKind::ApiToken),
            name: text_at(entry, &["name"]).to_owned(),
            user_id: text_at(entry, &["userId"]).to_owned(),
            created_s: parse_s(text_at(entry, &["created"])),
            last_updated_s: parse_s(text_at(entry, &["lastUpdated"])),
            expires_s: parse_s(text_at(entry, &["expiresAt"])),
            network: text_at(entry, &["network", "connection"]).to_owned(),
        })
    })
}

fn list<T>(
    place: &str,
    text: &[u8],
    wrapping: &Wrapping,
    read: impl Fn(&Value) -> Option<T>,
) -> Result<(Vec<T>, Vec<BadRecord>), AccessError> {
    let (mut entries, mut bad) = (Vec::new(), Vec::new());
    let text = &*readable(text);
    values(text, wrapping, &mut |value, _, at| match value.ok().and_then(&read) {
        Some(entry) => entries.push(entry),
        None => bad.push(BadRecord { at, expected: "an entry with an id" }),
    })
    .map_err(|broken| broken.of(place, text.as_bytes()))?;
    Ok((entries, bad))
}

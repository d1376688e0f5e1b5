//! Lists of credentials: what IAM and Okta say exists, and when it was last used.
//!
//! A credential report knows users and slots, and a list of keys knows their ids: they are put together once all objects
//! are read, in whatever order they came.

use super::logs::AccessLogs;
use access::iam::{AccessKey, OktaToken, ReportedUser, access_keys, credential_report, okta_tokens};
use access::{AccessError, Log, LogKind};

/// The lists of a source.
#[derive(Debug, Default)]
pub(super) struct Lists {
    users: Vec<ReportedUser>,
    keys: Vec<AccessKey>,
    tokens: Vec<OktaToken>,
}

impl Lists {
    /// Reads a list of this kind.
    ///
    /// # Errors
    /// [`AccessError`] if it is damaged.
    pub(super) fn read(&mut self, kind: LogKind, url: &str, text: &[u8]) -> Result<(), AccessError> {
        match kind {
            LogKind::CredentialReport => self.users.extend(credential_report(url, text)?),
            LogKind::AccessKeys => self.keys.extend(access_keys(url, text)?.0),
            LogKind::OktaTokens => self.tokens.extend(okta_tokens(url, text)?.0),
            _ => {}
        }
        Ok(())
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.users.extend(other.users);
        self.keys.extend(other.keys);
        self.tokens.extend(other.tokens);
    }

    /// Adds to the ledgers what the lists tell.
    pub(super) fn tell(&self, logs: &mut AccessLogs) {
        for user in &self.users {
            logs.principals.report(Log::CloudTrail, &user.arn, user.created_s, user.password_last_used_s);
            let of_keys = user.keys.iter().filter_map(|key| key.last_used_s);
            logs.principals.report(Log::CloudTrail, &user.arn, None, of_keys.max());
        }
        for key in &self.keys {
            logs.credentials.report(&key.credential, key.created_s, key.last_used_s(&self.users));
        }
        for token in &self.tokens {
            logs.credentials.report(&token.credential, token.created_s, token.last_updated_s);
        }
    }
}

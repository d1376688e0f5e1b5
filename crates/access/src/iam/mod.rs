//! Lists of credentials: what exists, and when it was last used before the logs begin.

mod lists;
mod report;

pub use lists::{AccessKey, OktaToken, access_keys, okta_tokens};
pub use report::{ReportedKey, ReportedUser, credential_report};

#[cfg(test)]
mod tests;

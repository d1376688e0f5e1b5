//! IAM's credential report.

use std::collections::HashMap;

use crate::error::{AccessError, excerpt};
use crate::time::parse_s;

/// A user of a credential report. Times are in seconds since 1970-01-01 UTC, and `None` for never or not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedUser {
    /// The user's name; the root user's is `<root_account>`.
    pub user: String,
    /// The user's ARN.
    pub arn: String,
    /// When the user was made.
    pub created_s: Option<i64>,
    /// When the user last logged in with a password.
    pub password_last_used_s: Option<i64>,
    /// Whether the user has a second factor.
    pub has_mfa: bool,
    /// The two keys that a user may have. The report does not tell their ids.
    pub keys: [ReportedKey; 2],
}

/// One of a user's two keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReportedKey {
    /// Whether the key works.
    pub is_active: bool,
    /// When the key was made.
    pub created_s: Option<i64>,
    /// When the key was last used, to within 15 minutes. A report made after an abuse shows the abuse.
    pub last_used_s: Option<i64>,
    /// The region that it was last used in; empty if not known.
    pub last_used_region: String,
    /// The service that it was last used with; empty if not known.
    pub last_used_service: String,
}

/// Reads a credential report; columns are found by name.
///
/// # Errors
/// [`AccessError`] if a column is missing or a line has more or fewer fields than the header.
pub fn credential_report(place: &str, text: &[u8]) -> Result<Vec<ReportedUser>, AccessError> {
    let mut reader = csv::ReaderBuilder::new().from_reader(text);
    let error = |at: usize, expected| AccessError { place: place.to_owned(), at, got: excerpt(text, at), expected };
    let headers = reader.byte_headers().map_err(|_| error(0, "a header of CSV"))?.clone();
    let columns: HashMap<Vec<u8>, usize> =
        headers.iter().enumerate().map(|(at, name)| (name.trim_ascii().to_vec(), at)).collect();
    if ["user", "arn", "access_key_1_last_used_date"].iter().any(|name| !columns.contains_key(name.as_bytes())) {
        return Err(error(0, "the columns user, arn and access_key_1_last_used_date"));
    }
    let mut users = Vec::new();
    let mut record = csv::ByteRecord::new();
    loop {
        let at = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => return Ok(users),
            Err(_) => return Err(error(at, "as many fields as the header has")),
        }
        let field = |name: &str| {
            let bytes = columns.get(name.as_bytes()).and_then(|at| record.get(*at)).unwrap_or_default();
            match String::from_utf8_lossy(bytes) {
                text if matches!(&*text, "N/A" | "no_information" | "not_supported") => String::new(),
                text => text.into_owned(),
            }
        };
        let key = |slot: u8| ReportedKey {
            is_active: field(&format!("access_key_{slot}_active")) == "true",
            created_s: parse_s(&field(&format!("access_key_{slot}_last_rotated"))),
            last_used_s: parse_s(&field(&format!("access_key_{slot}_last_used_date"))),
            last_used_region: field(&format!("access_key_{slot}_last_used_region")),
            last_used_service: field(&format!("access_key_{slot}_last_used_service")),
        };
        users.push(ReportedUser {
            user: field("user"),
            arn: field("arn"),
            created_s: parse_s(&field("user_creation_time")),
            password_last_used_s: parse_s(&field("password_last_used")),
            has_mfa: field("mfa_active") == "true",
            keys: [key(1), key(2)],
        });
    }
}

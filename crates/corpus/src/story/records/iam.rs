//! IAM's credential report and list of access keys, as they were when the logs began.

use std::fmt::Write as _;

use super::cloudtrail::USERS;
use crate::story::estate::{ACCOUNT, Estate, REGION};
use crate::story::moment::Second;
use crate::story::timeline::DAY_S;

/// The columns of a credential report.
const HEADER: &str = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,\
    password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,\
    access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,\
    access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,\
    cert_1_last_rotated,cert_2_active,cert_2_last_rotated";

/// Days since the key that nobody uses was used, when the intruder tries it, and of the quarterly job.
pub const STALE_DAYS: i64 = 155;
pub const QUARTER_DAYS: i64 = 92;

/// When each key of [`USERS`] was made, when it was last used before the logs, and with what.
fn keys(estate: &Estate) -> [(i64, i64, &'static str); 3] {
    let times = &estate.times;
    let begin_s = times.begin_s;
    [
        (begin_s - 61 * DAY_S, begin_s - 600, "sts"),
        (begin_s - 351 * DAY_S, times.quarterly_s - QUARTER_DAYS * DAY_S, "s3"),
        (begin_s - 993 * DAY_S, times.key_s - STALE_DAYS * DAY_S, "s3"),
    ]
}

/// Returns the text of the credential report.
pub fn credential_report(estate: &Estate) -> String {
    let mut text = HEADER.to_owned();
    let off = "false,N/A,N/A,N/A,N/A,false,N/A,false,N/A";
    let begin_s = estate.times.begin_s;
    let at = |second: i64| format!("{}+00:00", Second(second));
    let _ = write!(
        text,
        "\n<root_account>,arn:aws:iam::{ACCOUNT}:root,{},not_supported,{},not_supported,not_supported,true,\
         false,N/A,N/A,N/A,N/A,{off}\n",
        at(begin_s - 1_734 * DAY_S),
        at(begin_s - 549 * DAY_S),
    );
    for ((user, _), (made_s, used_s, service)) in USERS.iter().zip(keys(estate)) {
        let _ = writeln!(
            text,
            "{user},arn:aws:iam::{ACCOUNT}:user/{user},{},false,N/A,N/A,N/A,false,true,{},{},{REGION},{service},{off}",
            at(made_s - 30 * DAY_S),
            at(made_s),
            at(used_s),
        );
    }
    text
}

/// Returns the text of the list of access keys.
pub fn access_keys(estate: &Estate) -> String {
    let entries: Vec<String> = USERS
        .iter()
        .zip(keys(estate))
        .map(|((user, number), (made_s, ..))| {
            format!(
                "  {{\"UserName\": \"{user}\", \"AccessKeyId\": \"{}\", \"Status\": \"Active\", \"CreateDate\": \"{}+00:00\"}}",
                estate.key(*number),
                Second(made_s),
            )
        })
        .collect();
    format!("{{\"AccessKeyMetadata\": [\n{}\n]}}\n", entries.join(",\n"))
}

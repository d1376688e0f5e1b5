//! How sources are reached and listed.

use super::log_rule::LogRule;
use tokio::runtime::Handle;

/// How to reach and list sources; [`SourceOptions::default`] suits AWS.
#[derive(Clone, Debug)]
pub struct SourceOptions {
    /// The AWS profile; `None` leaves it to `AWS_PROFILE` and the default profile.
    pub profile: Option<String>,
    /// The AWS region; `None` asks the environment, the profile and then the bucket.
    pub region: Option<String>,
    /// Another S3 endpoint, `http://` or `https://`; buckets are then addressed by path.
    pub endpoint_url: Option<String>,
    /// Sends unsigned requests, for public buckets.
    pub no_sign_request: bool,
    /// Accepts the cost of requests to buckets that let the requester pay.
    pub request_payer: bool,
    /// Tries after the first, per request, against 500, 503 and broken connections.
    pub retries: u32,
    /// Listing requests at a time, at least 1.
    pub list_concurrency: usize,
    /// How long, in seconds, a file's records may begin after the time of the next file, or after the end of its folder.
    pub early_margin_s: i64,
    /// How long, in seconds, they may begin before the time of the previous file, or before the start of its folder: late
    /// delivery.
    pub late_margin_s: i64,
    /// Takes files whose names do not end in `.parquet` for Parquet, except for those with another format's ending.
    pub any_name: bool,
    /// What objects are, where neither their names nor their content tell; the first rule that fits counts.
    pub log_rules: Vec<LogRule>,
    /// The runtime that carries the HTTP of data reads; `None` uses the caller's.
    pub io_runtime: Option<Handle>,
}

impl Default for SourceOptions {
    fn default() -> Self {
        Self {
            profile: None,
            region: None,
            endpoint_url: None,
            no_sign_request: false,
            request_payer: false,
            retries: 8,
            list_concurrency: 32,
            early_margin_s: 15 * 60,
            late_margin_s: 60 * 60,
            any_name: false,
            log_rules: Vec::new(),
            io_runtime: None,
        }
    }
}

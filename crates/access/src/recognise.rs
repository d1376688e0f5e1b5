//! Which log an object is, by its content and by its key.

use std::io::Read;

use crate::act::Log;
use crate::time::parse_us;

/// Bytes of text that suffice to recognise a log.
pub const HEAD_BYTES: usize = 4_096;

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogKind {
    /// CloudTrail events, in whatever wrapping.
    CloudTrail,
    /// Hashes of CloudTrail objects; counted, not read.
    CloudTrailDigest,
    /// CloudTrail Insights: AWS's own statistics; counted, not read.
    CloudTrailInsight,
    /// Events in OCSF, as JSON.
    Ocsf,
    /// Okta's System Log.
    Okta,
    /// Okta's list of API tokens; see [`crate::iam::okta_tokens`].
    OktaTokens,
    /// An audit log of an Atlassian product or organisation.
    AtlassianAudit,
    /// Bitbucket's access log.
    BitbucketAccess,
    /// Access log of an application load balancer.
    Alb,
    /// Connection log of an application load balancer; counted, not read.
    AlbConnection,
    /// TLS log of a network load balancer.
    NlbTls,
    /// Access log of a classic load balancer.
    Clb,
    /// AWS WAF; counted, not read.
    Waf,
    /// IAM's credential report; see [`crate::iam::credential_report`].
    CredentialReport,
    /// IAM's list of access keys; see [`crate::iam::access_keys`].
    AccessKeys,
    /// Parquet, which other rooms read.
    Parquet,
    /// None of these.
    Unknown,
}

impl LogKind {
    /// Every kind.
    pub const ALL: [LogKind; 17] = [
        LogKind::CloudTrail,
        LogKind::CloudTrailDigest,
        LogKind::CloudTrailInsight,
        LogKind::Ocsf,
        LogKind::Okta,
        LogKind::OktaTokens,
        LogKind::AtlassianAudit,
        LogKind::BitbucketAccess,
        LogKind::Alb,
        LogKind::AlbConnection,
        LogKind::NlbTls,
        LogKind::Clb,
        LogKind::Waf,
        LogKind::CredentialReport,
        LogKind::AccessKeys,
        LogKind::Parquet,
        LogKind::Unknown,
    ];

    /// Returns the kind that [`LogKind::name`] names so.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Returns the word that names the kind in settings and counts.
    pub const fn name(self) -> &'static str {
        match self {
            LogKind::CloudTrail => "cloudtrail",
            LogKind::CloudTrailDigest => "cloudtrail-digest",
            LogKind::CloudTrailInsight => "cloudtrail-insight",
            LogKind::Ocsf => "ocsf",
            LogKind::Okta => "okta",
            LogKind::OktaTokens => "okta-tokens",
            LogKind::AtlassianAudit => "atlassian-audit",
            LogKind::BitbucketAccess => "bitbucket-access",
            LogKind::Alb => "alb",
            LogKind::AlbConnection => "alb-connection",
            LogKind::NlbTls => "nlb-tls",
            LogKind::Clb => "clb",
            LogKind::Waf => "waf",
            LogKind::CredentialReport => "credential-report",
            LogKind::AccessKeys => "access-keys",
            LogKind::Parquet => "parquet",
            LogKind::Unknown => "unknown",
        }
    }

    /// Returns the log whose acts such objects tell; `None` for a kind without acts.
    pub const fn log(self) -> Option<Log> {
        match self {
            LogKind::CloudTrail | LogKind::Ocsf => Some(Log::CloudTrail),
            LogKind::Okta => Some(Log::Okta),
            LogKind::AtlassianAudit => Some(Log::AtlassianAudit),
            LogKind::BitbucketAccess => Some(Log::BitbucketAccess),
            LogKind::Alb => Some(Log::Alb),
            LogKind::NlbTls => Some(Log::NlbTls),
            LogKind::Clb => Some(Log::Clb),
            _ => None,
        }
    }

    /// Returns whether [`crate::read_object`] makes acts of it.
    pub const fn has_acts(self) -> bool {
        self.log().is_some()
    }

    /// Returns whether its records have ids, by which records that several objects hold count once.
    pub const fn has_ids(self) -> bool {
        matches!(self, LogKind::CloudTrail | LogKind::Ocsf | LogKind::Okta)
    }

    /// Returns whether it is a list of credentials, which [`crate::iam`] reads.
    pub const fn is_list(self) -> bool {
        matches!(self, LogKind::CredentialReport | LogKind::AccessKeys | LogKind::OktaTokens)
    }
}

/// Returns what an object is. `first` is its beginning, inflated or not; [`HEAD_BYTES`] of text suffice.
///
/// What the content says counts; the key decides where the content does not tell, as in an empty object.
///
/// ```
/// use flowsift_access::{LogKind, recognise};
///
/// assert_eq!(recognise("any/name", b"{\"Records\":[{\"eventVersion\":\"1.08\"}]}"), LogKind::CloudTrail);
/// assert_eq!(recognise("AWSLogs/1/CloudTrail/us-east-1/2023/11/22/x.json.gz", b""), LogKind::CloudTrail);
/// ```
pub fn recognise(key: &str, first: &[u8]) -> LogKind {
    let mut inflated = Vec::new();
    let head = if first.starts_with(&[0x1f, 0x8b]) {
        // A beginning has no end: what came out before the error is the head.
        let _ = flate2::read::MultiGzDecoder::new(first).take(HEAD_BYTES as u64).read_to_end(&mut inflated);
        &inflated
    } else {
        &first[..first.len().min(HEAD_BYTES)]
    };
    match by_content(head) {
        LogKind::Unknown => by_key(key),
        kind => kind,
    }
}

fn by_key(key: &str) -> LogKind {
    let name = key.rsplit('/').next().unwrap_or(key);
    let has = |part: &str| key.contains(part);
    if has("/CloudTrail-Digest/") || name.contains("_CloudTrail-Digest_") {
        LogKind::CloudTrailDigest
    } else if has("/CloudTrail-Insight/") || name.contains("_CloudTrail-Insight_") {
        LogKind::CloudTrailInsight
    } else if has("/CloudTrail/") || name.contains("_CloudTrail_") {
        LogKind::CloudTrail
    } else if has("/elasticloadbalancing/") || name.contains("_elasticloadbalancing_") {
        if name.contains("conn_log.") {
            LogKind::AlbConnection
        } else if name.contains("_app.") {
            LogKind::Alb
        } else if name.contains("_net.") {
            LogKind::NlbTls
        } else {
            LogKind::Clb
        }
    } else if has("/WAFLogs/") {
        LogKind::Waf
    } else if name.ends_with(".audit.log") {
        LogKind::AtlassianAudit
    } else if name.starts_with("atlassian-bitbucket-access") {
        LogKind::BitbucketAccess
    } else {
        LogKind::Unknown
    }
}

fn by_content(head: &[u8]) -> LogKind {
    if head.starts_with(b"PAR1") {
        return LogKind::Parquet;
    }
    let text = String::from_utf8_lossy(head);
    let text = text.trim_start_matches(['\u{feff}', ' ', '\n', '\r', '\t']);
    if text.starts_with(['{', '[']) { json(text) } else { lines(text.lines().next().unwrap_or_default()) }
}

/// Returns which log wrote JSON, by the names of its fields. A record in a CloudWatch message has its quotes escaped, so a name is looked
/// for with the quote before it only.
fn json(text: &str) -> LogKind {
    let has = |name: &str| text.match_indices(name).any(|(at, _)| text[..at].ends_with('"'));
    if has("digestStartTime") && has("digestS3Bucket") {
        LogKind::CloudTrailDigest
    } else if has("class_uid") || has("category_uid") {
        LogKind::Ocsf
    } else if has("insightDetails") && !has("userIdentity") {
        LogKind::CloudTrailInsight
    } else if has("eventSource") && has("eventName") || has("eventVersion") || has("Records") && !has("published") {
        LogKind::CloudTrail
    } else if has("legacyEventType")
        || has("eventType") && has("published")
        || has("debugContext") && has("actor")
        || has("aws.partner/okta.com")
    {
        LogKind::Okta
    } else if has("webaclId") {
        LogKind::Waf
    } else if has("auditType")
        || has("actionI18nKey")
        || has("authorKey")
        || has("objectItem")
        || has("creationDate") && has("author")
        || has("attributes") && has("actor") && has("action")
    {
        LogKind::AtlassianAudit
    } else if has("tokenWindow") || has("clientName") && has("userId") {
        LogKind::OktaTokens
    } else if has("AccessKeyId") && has("UserName") {
        LogKind::AccessKeys
    } else {
        LogKind::Unknown
    }
}

fn lines(first: &str) -> LogKind {
    if first.starts_with("user,arn,") {
        return LogKind::CredentialReport;
    }
    if [" | https | ", " | http | ", " | ssh | "].iter().any(|protocol| first.contains(protocol)) {
        return LogKind::BitbucketAccess;
    }
    let words: Vec<&str> = first.splitn(6, ' ').collect();
    let is_time = |place: usize| words.get(place).is_some_and(|word| parse_us(word).is_some());
    match words.first() {
        Some(&("http" | "https" | "h2" | "grpcs" | "ws" | "wss")) if is_time(1) => LogKind::Alb,
        Some(&"tls") if is_time(2) => LogKind::NlbTls,
        Some(_) if is_time(0) => match words.get(2) {
            Some(client) if client.contains(':') => LogKind::Clb,
            Some(port) if port.parse::<u16>().is_ok() => LogKind::AlbConnection,
            _ => LogKind::Unknown,
        },
        _ => LogKind::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::inflate::tests::gzip;

    #[test]
    fn keys_of_aws_tell_their_logs() {
        let folder = "AWSLogs/o-abc/112233445566";
        for (key, kind) in [
            ("CloudTrail/us-east-1/2023/11/22/1_CloudTrail_us-east-1_20231122T1400Z_a.json.gz", LogKind::CloudTrail),
            ("CloudTrail-Digest/us-east-1/2023/11/22/x.json.gz", LogKind::CloudTrailDigest),
            ("CloudTrail-Insight/us-east-1/2023/11/22/x.json.gz", LogKind::CloudTrailInsight),
            ("elasticloadbalancing/r/2023/11/22/1_elasticloadbalancing_r_app.a.1_t_10.0.0.1_h.log.gz", LogKind::Alb),
            ("elasticloadbalancing/r/2023/11/22/1_elasticloadbalancing_r_net.a.1_t_h.log.gz", LogKind::NlbTls),
            ("elasticloadbalancing/r/2023/11/22/1_elasticloadbalancing_r_old-lb_t_10.0.0.1_h.log", LogKind::Clb),
            ("elasticloadbalancing/r/2023/11/22/conn_log.1_elasticloadbalancing_r_app.a", LogKind::AlbConnection),
            ("WAFLogs/r/acl/2023/11/22/00/00/x.log.gz", LogKind::Waf),
            ("vpcflowlogs/r/2023/11/22/x.log.gz", LogKind::Unknown),
        ] {
            assert_eq!(recognise(&format!("{folder}/{key}"), b""), kind, "{key}");
        }
    }

    #[test]
    fn every_kind_is_found_by_its_name() {
        for kind in LogKind::ALL {
            assert_eq!(LogKind::of_name(kind.name()), Some(kind));
        }
        assert_eq!(LogKind::of_name("syslog"), None);
    }

    #[test]
    fn content_counts_more_than_the_key() {
        let digest = br#"{"awsAccountId":"1","digestStartTime":"t","digestS3Bucket":"b","logFiles":[]}"#;
        assert_eq!(recognise("a/CloudTrail/x.json.gz", digest), LogKind::CloudTrailDigest);
        assert_eq!(recognise("a/CloudTrail/x.json.gz", &gzip(digest)), LogKind::CloudTrailDigest);
        let cut = gzip(br#"{"published":"t","eventType":"user.session.start","version":"0"}"#);
        assert_eq!(recognise("x", &cut[..cut.len() - 8]), LogKind::Okta);
        let message = br#"{"logEvents":[{"message":"{\"eventVersion\":\"1.08\"}"}]}"#;
        assert_eq!(recognise("x", message), LogKind::CloudTrail);
        assert_eq!(recognise("x", b"PAR1"), LogKind::Parquet);
        assert_eq!(recognise("x", b"hello, world"), LogKind::Unknown);
        assert_eq!(recognise("x", b"{\"hello\":1}"), LogKind::Unknown);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), key in ".{0,60}") {
            let _ = recognise(&key, &bytes);
            let _ = recognise(&key, &[b"{\"".as_slice(), &bytes].concat());
            let _ = recognise(&key, &[&[0x1f, 0x8b, 8, 0], bytes.as_slice()].concat());
        }
    }
}

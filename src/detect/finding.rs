//! A finding: what was seen, how bad it is, and the evidence, in one row.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::severity::Severity;
use flow::Address;
use flow::codes::Role;
use flow::fnv::Fnv128;

/// The version of the finding's fields that this code writes and reads.
pub const SCHEMA_VERSION: u32 = 1;

/// One finding, schema version 1: one JSON object per line, and the same columns in Parquet.
///
/// Times are seconds since 1970-01-01 UTC here and RFC 3339 text in JSON; addresses are text in JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The version of these fields: [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// 32 hex characters from [`finding_id`]; equal in every run that finds the same.
    pub id: String,
    /// The detection's name, which is its SQL file's name, such as `beacon`.
    pub detection: String,
    /// The detection's title, such as `Regular contact with one remote`.
    pub title: String,
    /// How bad it is, from score and context.
    pub severity: Severity,
    /// How strong the evidence is, 0–1.
    pub score: f64,
    /// The calibrated chance of seeing this much by accident, 0–1; `None` where the detection is not statistical.
    pub p_value: Option<f64>,
    /// The AWS account, 12 digits; `None` where the logs do not name it.
    pub account_id: Option<String>,
    /// The AWS region; `None` where the logs do not name it.
    pub region: Option<String>,
    /// The monitored side.
    #[serde(with = "address_text")]
    pub host: Address,
    /// The host's network interface.
    pub interface_id: Option<String>,
    /// The host's instance.
    pub instance_id: Option<String>,
    /// The host's VPC.
    pub vpc_id: Option<String>,
    /// The other side; `None` for findings about the host as a whole.
    #[serde(default, with = "optional_address_text")]
    pub remote: Option<Address>,
    /// The service's port; `None` where several or none.
    pub port: Option<u16>,
    /// The IANA protocol number; `None` where several.
    pub protocol: Option<u8>,
    /// Whether the host opened the connections or answered them; `None` where both.
    #[serde(default, with = "optional_role_text")]
    pub role: Option<Role>,
    /// First second of the evidence.
    #[serde(rename = "first_seen", with = "rfc3339_text")]
    pub first_seen_s: i64,
    /// Last second of the evidence.
    #[serde(rename = "last_seen", with = "rfc3339_text")]
    pub last_seen_s: i64,
    /// First second of the window examined.
    #[serde(rename = "window_start", with = "rfc3339_text")]
    pub window_start_s: i64,
    /// First second after the window examined.
    #[serde(rename = "window_end", with = "rfc3339_text")]
    pub window_end_s: i64,
    /// ATT&CK technique ids, such as `T1071.001`.
    pub techniques: Vec<String>,
    /// Named values with units in their names, in the order of the detection: the most important first.
    pub evidence: serde_json::Map<String, serde_json::Value>,
    /// One plain sentence.
    pub explanation: String,
    /// The share of the window with data of the finding's ENI, 0–1; `None` where no ENI is known.
    pub coverage: Option<f64>,
    /// The other sides that a finding about several stands for, or the hosts where all have one remote; not reported.
    #[serde(skip)]
    pub members: Vec<Address>,
}

/// Returns the stable id of a finding: 32 hex characters.
///
/// FNV-1a, 128 bits (Fowler, Noll, Vo; offset 0x6c62272e07bb014262b821756295c58d, prime 2⁸⁸ + 0x13b), over the fields
/// in the order of the arguments. Each field is hashed as its length in bytes (unsigned 32 bits, little endian) and
/// its bytes; an absent field is the length 0xffffffff alone. Texts are UTF-8, addresses their 16 bytes in network
/// order (IPv4 as v4-mapped), port 2, protocol 1 and times 8 bytes, all little endian; the role is its word. The regions
/// of an account may use the same private addresses, and a pair may call each other on one port: without region and
/// role, two findings would have one id.
#[allow(clippy::too_many_arguments, reason = "the arguments are the fields that make the id, in hashing order")]
pub fn finding_id(
    detection: &str,
    account_id: Option<&str>,
    region: Option<&str>,
    host: Address,
    remote: Option<Address>,
    port: Option<u16>,
    protocol: Option<u8>,
    role: Option<Role>,
    window_start_s: i64,
    window_end_s: i64,
) -> String {
    let mut hash = Fnv128::default();
    write_field(&mut hash, Some(detection.as_bytes()));
    write_field(&mut hash, account_id.map(str::as_bytes));
    write_field(&mut hash, region.map(str::as_bytes));
    write_field(&mut hash, Some(&host.to_bytes()));
    write_field(&mut hash, remote.map(Address::to_bytes).as_ref().map(|bytes| bytes.as_slice()));
    write_field(&mut hash, port.map(u16::to_le_bytes).as_ref().map(|bytes| bytes.as_slice()));
    write_field(&mut hash, protocol.map(u8::to_le_bytes).as_ref().map(|bytes| bytes.as_slice()));
    write_field(&mut hash, role.map(|role| role.as_str().as_bytes()));
    write_field(&mut hash, Some(&window_start_s.to_le_bytes()));
    write_field(&mut hash, Some(&window_end_s.to_le_bytes()));
    format!("{:032x}", hash.finish())
}

fn write_field(hash: &mut Fnv128, bytes: Option<&[u8]>) {
    let length = bytes.map_or(u32::MAX, |bytes| bytes.len() as u32);
    hash.write(&length.to_le_bytes());
    hash.write(bytes.unwrap_or_default());
}

/// Compares findings in the order of reports: severity from worst, score from highest, then id.
///
/// A score that is not a number comes last within its severity. A detection of the user's own may have several findings
/// about one pair, which share an id: those are ordered by their content.
pub fn compare_findings(a: &Finding, b: &Finding) -> Ordering {
    let score = |finding: &Finding| if finding.score.is_nan() { f64::NEG_INFINITY } else { finding.score };
    let said = |finding: &Finding| serde_json::to_string(finding).unwrap_or_default();
    (b.severity.cmp(&a.severity).then(score(b).total_cmp(&score(a))).then_with(|| a.id.cmp(&b.id)))
        .then_with(|| said(a).cmp(&said(b)))
}

/// Sorts findings in the order of reports; see [`compare_findings`].
pub fn sort_findings(findings: &mut [Finding]) {
    findings.sort_by(compare_findings);
}

/// Seconds as RFC 3339 text in UTC.
pub(crate) mod rfc3339_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use flow::time;

    pub(crate) fn serialize<S: Serializer>(second: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&time::rfc3339(*second))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        let text = String::deserialize(deserializer)?;
        // Relative times mean nothing in a file, so only RFC 3339 and dates are read: both begin with a year.
        match time::parse_time(&text, 0) {
            Ok(second) if text.contains('-') => Ok(second),
            _ => Err(D::Error::custom(format!("`{text}` is not a time such as 2024-04-19T06:00:00Z"))),
        }
    }
}

/// An address as text.
mod address_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use flow::Address;

    pub(super) fn serialize<S: Serializer>(address: &Address, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(address)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// An address as text, or null.
mod optional_address_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use flow::Address;

    pub(super) fn serialize<S: Serializer>(address: &Option<Address>, serializer: S) -> Result<S::Ok, S::Error> {
        match address {
            Some(address) => serializer.collect_str(address),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Address>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}

/// A role as text, or null.
mod optional_role_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use flow::codes::Role;

    pub(super) fn serialize<S: Serializer>(role: &Option<Role>, serializer: S) -> Result<S::Ok, S::Error> {
        match role {
            Some(role) => serializer.serialize_str(role.as_str()),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Role>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let invalid = |text: &str| D::Error::custom(format!("`{text}` is not a role; expected client or server"));
        text.map(|text| Role::parse(&text).ok_or_else(|| invalid(&text))).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn finding(severity: Severity, score: f64, id: &str) -> Finding {
        let evidence = json!({ "period_s": 300, "jitter_ratio": 0.04, "bytes_out": 12_345 });
        Finding {
            schema_version: SCHEMA_VERSION,
            id: id.to_owned(),
            detection: "beacon".to_owned(),
            title: "Regular contact".to_owned(),
            severity,
            score,
            p_value: Some(1e-9),
            account_id: Some("111122223333".to_owned()),
            region: None,
            host: "10.0.1.15".parse().unwrap(),
            interface_id: None,
            instance_id: None,
            vpc_id: None,
            remote: Some("2001:db8::7".parse().unwrap()),
            port: Some(443),
            protocol: Some(6),
            role: Some(Role::Client),
            first_seen_s: 1_713_484_800,
            last_seen_s: 1_713_488_400,
            window_start_s: 1_713_484_800,
            window_end_s: 1_713_571_200,
            techniques: vec!["T1071.001".to_owned()],
            evidence: evidence.as_object().unwrap().clone(),
            explanation: "Ten.".to_owned(),
            coverage: Some(1.0),
            members: Vec::new(),
        }
    }

    #[test]
    fn json_has_the_published_fields_in_order() {
        let finding = finding(Severity::High, 0.5, "ab");
        let text = serde_json::to_string(&finding).unwrap();
        assert_eq!(
            text,
            r#"{"schema_version":1,"id":"ab","detection":"beacon","title":"Regular contact","severity":"high","score":0.5,"p_value":1e-9,"account_id":"111122223333","region":null,"host":"10.0.1.15","interface_id":null,"instance_id":null,"vpc_id":null,"remote":"2001:db8::7","port":443,"protocol":6,"role":"client","first_seen":"2024-04-19T00:00:00Z","last_seen":"2024-04-19T01:00:00Z","window_start":"2024-04-19T00:00:00Z","window_end":"2024-04-20T00:00:00Z","techniques":["T1071.001"],"evidence":{"period_s":300,"jitter_ratio":0.04,"bytes_out":12345},"explanation":"Ten.","coverage":1.0}"#
        );
        assert_eq!(serde_json::from_str::<Finding>(&text).unwrap(), finding);
        assert!(serde_json::from_str::<Finding>(&text.replace("\"client\"", "\"both\"")).is_err());
        assert!(serde_json::from_str::<Finding>(&text.replace("2024-04-19T01:00:00Z", "24h")).is_err());
        let host_level = text.replace("\"remote\":\"2001:db8::7\",", "").replace("\"role\":\"client\",", "");
        assert_eq!(serde_json::from_str::<Finding>(&host_level).unwrap().remote, None);
    }

    #[test]
    fn severities_are_ordered_and_read_back() {
        assert!(Severity::ALL.is_sorted());
        for severity in Severity::ALL {
            assert_eq!(severity.to_string().parse(), Ok(severity));
            assert_eq!(serde_json::to_value(severity).unwrap(), severity.as_str());
            assert!(severity.lowered() <= severity);
        }
        assert_eq!(format!("{:<9}|", Severity::Low), "low      |");
        assert_eq!(
            "bad".parse::<Severity>().unwrap_err().to_string(),
            "`bad` is not a severity; expected informational, low, medium, high or critical"
        );
    }

    #[test]
    fn the_hash_is_fnv_1a_of_128_bits() {
        // From the authors' test vectors.
        for (text, expected) in [
            ("", 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128),
            ("a", 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964),
            ("foobar", 0x343e_1662_793c_64bf_6f0d_3597_ba44_6f18),
        ] {
            let mut hash = Fnv128::default();
            hash.write(text.as_bytes());
            assert_eq!(hash.finish(), expected, "{text}");
        }
    }

    #[test]
    fn ids_differ_in_every_field_and_stay_for_ever() {
        let (host, remote) = ("10.0.0.1".parse().unwrap(), "8.8.8.8".parse().ok());
        let (account, region, role) = (Some("1"), Some("eu-west-1"), Some(Role::Client));
        let base = finding_id("beacon", account, region, host, remote, Some(443), Some(6), role, 0, 3_600);
        let mut ids = vec![
            base.clone(),
            finding_id("beaco", Some("n1"), region, host, remote, Some(443), Some(6), role, 0, 3_600),
            finding_id("beacon", None, region, host, remote, Some(443), Some(6), role, 0, 3_600),
            finding_id("beacon", Some(""), region, host, remote, Some(443), Some(6), role, 0, 3_600),
            finding_id("beacon", account, None, host, remote, Some(443), Some(6), role, 0, 3_600),
            finding_id("beacon", account, Some("us-east-1"), host, remote, Some(443), Some(6), role, 0, 3_600),
            finding_id(
                "beacon",
                account,
                region,
                "10.0.0.2".parse().unwrap(),
                remote,
                Some(443),
                Some(6),
                role,
                0,
                3_600,
            ),
            finding_id("beacon", account, region, host, None, Some(443), Some(6), role, 0, 3_600),
            finding_id("beacon", account, region, host, remote, None, Some(6), role, 0, 3_600),
            finding_id("beacon", account, region, host, remote, Some(6), Some(6), role, 0, 3_600),
            finding_id("beacon", account, region, host, remote, Some(443), None, role, 0, 3_600),
            finding_id("beacon", account, region, host, remote, Some(443), Some(6), Some(Role::Server), 0, 3_600),
            finding_id("beacon", account, region, host, remote, Some(443), Some(6), None, 0, 3_600),
            finding_id("beacon", account, region, host, remote, Some(443), Some(6), role, 1, 3_600),
            finding_id("beacon", account, region, host, remote, Some(443), Some(6), role, 0, 3_601),
        ];
        assert!(ids.iter().all(|id| id.len() == 32));
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count);
        assert_eq!(base, "78d290131a8818dca80064c2977f0913");
    }

    #[test]
    fn findings_sort_by_severity_score_and_id() {
        let mut findings = vec![
            finding(Severity::Low, 0.99, "a"),
            finding(Severity::High, 0.5, "c"),
            finding(Severity::High, f64::NAN, "0"),
            finding(Severity::High, 0.5, "b"),
            finding(Severity::High, 0.9, "d"),
        ];
        sort_findings(&mut findings);
        let ids: Vec<&str> = findings.iter().map(|finding| finding.id.as_str()).collect();
        assert_eq!(ids, ["d", "b", "c", "0", "a"]);
    }
}

//! Requests: the notices that wait for a sink, in the form and number that it takes.

use crate::aws::{Aws, service_url, signed};
use crate::body::{event_bridge, hec, pagerduty, security_hub, slack, sns, teams};
use crate::client::Request;
use crate::notice::Notice;
use crate::secret::Secret;
use crate::target::{Body, Sink, Target};
use flow::hex;
use reqwest::Url;
use ring::hmac;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// A request that tells the first `takes` of the waiting notices.
pub(crate) struct Batch {
    /// How many it tells.
    pub(crate) takes: usize,
    /// The request.
    pub(crate) request: Request,
}

/// Why a request cannot be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BatchError {
    /// The sink will never take the first notice.
    #[error("{0}")]
    Unfit(String),
    /// The sink cannot be used as it is.
    #[error("{0}")]
    Failed(String),
}

impl From<String> for BatchError {
    fn from(text: String) -> Self {
        Self::Failed(text)
    }
}

/// Says that a sink has no form for a notice.
fn without_form() -> BatchError {
    BatchError::Unfit("it has no form for this".to_owned())
}

impl Sink {
    /// Returns where requests go.
    ///
    /// # Errors
    /// Text when the address or the region is missing or wrong.
    pub(crate) fn url(&self, aws: Option<&Aws>) -> Result<Url, String> {
        match &self.target {
            Target::Webhook { url, .. } => Url::parse(url.reveal()).map_err(|error| error.to_string()),
            Target::SecurityHub { region, endpoint, .. } => {
                let url = service_url("securityhub", &region_of(region.as_ref(), aws)?, endpoint.as_deref())?;
                url.join("findings/import").map_err(|error| error.to_string())
            }
            Target::EventBridge { region, endpoint, .. } => {
                service_url("events", &region_of(region.as_ref(), aws)?, endpoint.as_deref())
            }
            Target::Sns { region, endpoint, .. } => service_url("sns", region, endpoint.as_deref()),
        }
    }

    /// Makes the request of the first of some notices: as many as the sink takes at once, at most `most`, and no two of
    /// one incident, so that a part that fails cannot overtake.
    ///
    /// # Errors
    /// [`BatchError`] when no request can be made.
    pub(crate) fn batch(
        &self,
        notices: &[Notice],
        most: usize,
        aws: Option<&Aws>,
        now: SystemTime,
    ) -> Result<Batch, BatchError> {
        let first = notices.first().ok_or_else(|| "nothing to send".to_owned())?;
        let url = self.url(aws)?;
        let now_s = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
        let of_aws = || aws.ok_or_else(|| "credentials of AWS are needed".to_owned());
        match &self.target {
            Target::Webhook { body, secret, .. } => {
                let request = webhook(url, first, *body, secret.as_ref(), now_s)?;
                Ok(Batch { takes: 1, request })
            }
            Target::SecurityHub { account, region, .. } => {
                let aws = of_aws()?;
                let region = region_of(region.as_ref(), Some(aws))?;
                let made = |notice: &Notice| security_hub::finding(notice, account, &region);
                let limits = Limits {
                    count: most.min(security_hub::MAX_FINDINGS),
                    bytes: security_hub::MAX_BYTES,
                    each: security_hub::MAX_FINDING_BYTES,
                };
                let findings = limits.gather(notices, made)?;
                let takes = findings.len();
                let request = Request {
                    url,
                    headers: vec![header("content-type", "application/json")],
                    body: bytes_of(&json!({ "Findings": findings })),
                };
                Ok(Batch { takes, request: signed(request, aws, "securityhub", &region, now)? })
            }
            Target::EventBridge { bus, region, .. } => {
                let aws = of_aws()?;
                let region = region_of(region.as_ref(), Some(aws))?;
                let made = |notice: &Notice| Some(event_bridge::entry(notice, bus, now_s));
                let limits = Limits {
                    count: most.min(event_bridge::MAX_ENTRIES),
                    bytes: event_bridge::MAX_BYTES,
                    each: event_bridge::MAX_BYTES,
                };
                let entries = limits.gather(notices, made)?;
                let takes = entries.len();
                let request = Request {
                    url,
                    headers: vec![
                        header("content-type", "application/x-amz-json-1.1"),
                        header("x-amz-target", "AWSEvents.PutEvents"),
                    ],
                    body: bytes_of(&json!({ "Entries": entries })),
                };
                Ok(Batch { takes, request: signed(request, aws, "events", &region, now)? })
            }
            Target::Sns { arn, region, .. } => {
                let request = Request {
                    url,
                    headers: vec![header("content-type", "application/x-www-form-urlencoded")],
                    body: form(&sns::parameters(first, arn)).into_bytes(),
                };
                Ok(Batch { takes: 1, request: signed(request, of_aws()?, "sns", region, now)? })
            }
        }
    }

    /// Returns a text without the secrets of the sink.
    #[must_use]
    pub fn masked(&self, text: &str) -> String {
        let Target::Webhook { url, secret, .. } = &self.target else { return text.to_owned() };
        let parsed = Url::parse(url.reveal()).ok();
        let path = parsed.as_ref().map(|url| url.path().to_owned()).filter(|path| path.len() > 8);
        let query = parsed.as_ref().and_then(|url| url.query().map(str::to_owned)).filter(|query| query.len() > 4);
        let secrets = [Some(url.reveal()), secret.as_ref().map(Secret::reveal), path.as_deref(), query.as_deref()];
        let mut text = text.to_owned();
        for secret in secrets.into_iter().flatten() {
            text = text.replace(secret, "…");
        }
        text
    }

    /// Returns what would be sent for a notice, without secrets: for people who want to see it first.
    ///
    /// # Errors
    /// Text when no request can be made.
    pub fn preview(&self, notice: &Notice, aws: Option<&Aws>) -> Result<String, String> {
        let batch = self.batch(std::slice::from_ref(notice), 1, aws, SystemTime::now());
        let batch = batch.map_err(|error| error.to_string())?;
        let body = self.masked(&String::from_utf8_lossy(&batch.request.body));
        Ok(format!("POST {} for {}\n{body}", self.name, notice.key()))
    }
}

/// What one request may hold.
struct Limits {
    count: usize,
    bytes: usize,
    each: usize,
}

impl Limits {
    /// Makes the entries of the first notices, as far as they fit and are about different incidents; at least one.
    fn gather(&self, notices: &[Notice], made: impl Fn(&Notice) -> Option<Value>) -> Result<Vec<Value>, BatchError> {
        let (mut entries, mut incidents, mut bytes) = (Vec::new(), Vec::new(), 0);
        for notice in notices.iter().take(self.count) {
            let incident = notice.of_incident().map(|about| about.incident.id.as_str());
            if incident.is_some_and(|id| incidents.contains(&id)) {
                break;
            }
            let Some(entry) = made(notice) else { break };
            let size = entry.to_string().len() + 1;
            if size > self.each && entries.is_empty() {
                return Err(BatchError::Unfit(format!("it has {size} bytes, and {} are the most", self.each)));
            }
            if bytes + size > self.bytes || size > self.each {
                break;
            }
            bytes += size;
            incidents.extend(incident);
            entries.push(entry);
        }
        if entries.is_empty() { Err(without_form()) } else { Ok(entries) }
    }
}

fn webhook(url: Url, notice: &Notice, form: Body, secret: Option<&Secret>, now_s: i64) -> Result<Request, BatchError> {
    let body = match form {
        Body::Json => serde_json::to_value(notice).map_err(|error| error.to_string())?,
        Body::Slack => slack::body(notice),
        Body::Teams => teams::body(notice),
        Body::Hec => hec::body(notice, now_s),
        Body::PagerDuty => {
            let key = secret.ok_or_else(|| "the routing key is missing".to_owned())?;
            pagerduty::body(notice, key).ok_or_else(without_form)?
        }
    };
    let body = bytes_of(&body);
    let mut headers = vec![header("content-type", "application/json"), header("idempotency-key", &notice.key())];
    match (form, secret) {
        (Body::Hec, Some(secret)) => headers.push(header("authorization", &format!("Splunk {}", secret.reveal()))),
        (Body::PagerDuty, _) | (_, None) => {}
        (_, Some(secret)) => headers.push(header("x-flowsift-signature", &signature(secret, now_s, &body))),
    }
    Ok(Request { url, headers, body })
}

/// Signs a time and a body: `t=SECONDS,v1=HEX` with HMAC-SHA256 over `SECONDS.BODY`.
fn signature(secret: &Secret, now_s: i64, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(format!("{now_s}.").as_bytes());
    context.update(body);
    format!("t={now_s},v1={}", hex(context.sign().as_ref()))
}

fn region_of(region: Option<&String>, aws: Option<&Aws>) -> Result<String, String> {
    let of_aws = || aws.and_then(|aws| aws.region.clone());
    region.cloned().or_else(of_aws).ok_or_else(|| "no region: name it with region=".to_owned())
}

fn header(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn bytes_of(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// Returns parameters as a form sends them.
fn form(parameters: &[(String, String)]) -> String {
    let pairs: Vec<String> =
        parameters.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    pairs.join("&")
}

fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(byte.into()),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_other_programs() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac key
        let signed = signature(&Secret::new("key"), 1_700_000_000, b"{\"a\":1}");
        assert_eq!(signed, "t=1700000000,v1=a438e398bfafc57e4396bb7fc2304422f0f768e965d073ca313cb52e22e6ad03");
        assert_eq!(form(&[("a b".to_owned(), "ü&=".to_owned())]), "a%20b=%C3%BC%26%3D");
    }
}

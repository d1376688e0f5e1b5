//! A sink: where it is, what it hears of, and in which form.

use crate::body::{event_bridge, security_hub};
use crate::options::Options;
use crate::secret::{Secret, SecretError};
use flow::hex;
use flow::severity::{InvalidSeverity, Severity};
use reqwest::Url;
use ring::digest::{SHA256, digest};
use std::fmt;

/// Why a sink cannot be used. Texts name a sink without its secrets.
#[derive(Debug, thiserror::Error)]
pub enum BadSink {
    /// The text is no sink.
    #[error("`{sink}`: {problem}")]
    Text {
        /// The sink, masked.
        sink: String,
        /// What is wrong.
        problem: String,
    },
    /// A secret cannot be read.
    #[error("`{sink}`")]
    Secret {
        /// The sink, masked.
        sink: String,
        /// Why.
        source: SecretError,
    },
}

/// A place that hears of incidents.
#[derive(Debug, Clone)]
pub struct Sink {
    /// What messages call it.
    pub name: String,
    /// The name of its folder in the outbox: 16 hex characters.
    pub id: String,
    /// Where it is.
    pub target: Target,
    /// Incidents below are not told.
    pub least: Severity,
    /// Whether it gets the digest of a day.
    pub digest: bool,
    /// Whether it gets the sign of life of each run.
    pub heartbeat: bool,
}

/// Where a sink is, and its form.
#[derive(Debug, Clone)]
pub enum Target {
    /// A URL that takes POST.
    Webhook {
        /// The URL, which may hold a token.
        url: Secret,
        /// The form of what is sent.
        body: Body,
        /// What signs, or stands in for a login.
        secret: Option<Secret>,
    },
    /// AWS Security Hub.
    SecurityHub {
        /// The account that owns the findings.
        account: String,
        /// The region; `None` for that of the credentials.
        region: Option<String>,
        /// Another address than AWS's.
        endpoint: Option<String>,
    },
    /// An event bus of AWS.
    EventBridge {
        /// Its name or ARN.
        bus: String,
        /// The region; `None` for that of the credentials.
        region: Option<String>,
        /// Another address than AWS's.
        endpoint: Option<String>,
    },
    /// A topic of AWS.
    Sns {
        /// Its ARN.
        arn: String,
        /// Its region.
        region: String,
        /// Another address than AWS's.
        endpoint: Option<String>,
    },
}

/// The form of what a webhook gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// The notice as it is.
    Json,
    /// A message with blocks.
    Slack,
    /// An adaptive card.
    Teams,
    /// Events for Splunk's HTTP Event Collector.
    Hec,
    /// Events API version 2.
    PagerDuty,
}

impl Body {
    const ALL: [(&str, Self); 5] = [
        ("json", Self::Json),
        ("slack", Self::Slack),
        ("teams", Self::Teams),
        ("hec", Self::Hec),
        ("pagerduty", Self::PagerDuty),
    ];
}

/// Hosts whose URLs are secrets as a whole.
const TOKEN_HOSTS: [&str; 5] =
    ["hooks.slack.com", "webhook.office.com", "logic.azure.com", "powerplatform.com", "discord.com"];
/// Parameters that hold secrets.
const TOKEN_PARAMETERS: [&str; 7] = ["sig", "token", "access_token", "api_key", "apikey", "key", "code"];

impl Sink {
    /// Reads a sink as it stands in an argument or a configuration: `https://…`, `securityhub://ACCOUNT`,
    /// `eventbridge://BUS`, `sns:ARN`, or `env:NAME` and `file:PATH`, whose content is one of these.
    ///
    /// # Errors
    /// [`BadSink`] when the text is none of these, an option is wrong, or a secret stands in it or cannot be read.
    pub fn parse(text: &str) -> Result<Self, BadSink> {
        let (target, mut options) = Options::split(text).map_err(|problem| bad(&masked(text), problem))?;
        if !(target.starts_with("env:") || target.starts_with("file:")) {
            if let Some(what) = token_in(&target) {
                let problem =
                    format!("{what}: name it as env:NAME or file:PATH, so that no list of processes shows it");
                return Err(bad(&masked(&target), problem));
            }
            return Self::read(&target, options, masked(&target));
        }
        let unread = |source| BadSink::Secret { sink: target.clone(), source };
        let inside = Secret::named(&target).map_err(unread)?;
        let (inner, mut inner_options) = Options::split(inside.reveal()).map_err(|problem| bad(&target, problem))?;
        inner_options.overlay(std::mem::take(&mut options));
        Self::read(&inner, inner_options, target)
    }

    /// Makes a sink of a target and options; `shown` is what messages call it.
    fn read(target: &str, mut options: Options, shown: String) -> Result<Self, BadSink> {
        let bad_text = |problem: String| bad(&shown, problem);
        let least = options.take("least").map_or(Ok(Severity::Medium), |least| least.parse());
        let least = least.map_err(|error: InvalidSeverity| bad_text(error.to_string()))?;
        let name = options.take("name");
        if name.as_ref().is_some_and(|name| name.is_empty() || name.chars().any(char::is_control)) {
            return Err(bad(&shown, "option name: expected a word"));
        }
        let endpoint = options.take("endpoint");
        let region = options.take("region");
        if let Some(region) = region.as_ref().filter(|region| !is_region(region)) {
            return Err(bad(&shown, format!("option region: `{region}` is no region such as eu-west-1")));
        }
        let mut region_used = true;
        let target = match target.split_once(':') {
            Some(("securityhub", rest)) => {
                let account = rest.trim_matches('/').to_owned();
                if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(bad(&shown, "expected securityhub://ACCOUNT with the 12 digits of an account"));
                }
                Target::SecurityHub { account, region: region.clone(), endpoint: endpoint.clone() }
            }
            Some(("eventbridge", rest)) => {
                let bus = rest.trim_matches('/').to_owned();
                if bus.is_empty() || bus.len() > 256 || bus.contains(char::is_whitespace) {
                    return Err(bad(&shown, "expected eventbridge://BUS with the name of an event bus"));
                }
                Target::EventBridge { bus, region: region.clone(), endpoint: endpoint.clone() }
            }
            Some(("sns", rest)) => {
                let parts: Vec<&str> = rest.split(':').collect();
                let ["arn", _, "sns", of_arn, _, _] = parts[..] else {
                    return Err(bad(&shown, "expected sns:ARN with the ARN of a topic"));
                };
                if !is_region(of_arn) {
                    return Err(bad(&shown, "the ARN of a topic names its region"));
                }
                region_used = region.is_none();
                Target::Sns { arn: rest.to_owned(), region: of_arn.to_owned(), endpoint: endpoint.clone() }
            }
            Some((scheme, _)) if ["https", "http"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) => {
                region_used = region.is_none();
                Self::webhook(target, &mut options, &shown)?
            }
            _ => {
                let expected =
                    "expected https://…, securityhub://ACCOUNT, eventbridge://BUS, sns:ARN, env:NAME or file:PATH";
                return Err(bad(&shown, expected));
            }
        };
        if !region_used {
            return Err(bad(&shown, "option region: the target names its own place"));
        }
        if endpoint.is_some() && matches!(target, Target::Webhook { .. }) {
            return Err(bad(&shown, "option endpoint: only for services of AWS"));
        }
        let bad_text = |problem: String| bad(&shown, problem);
        let (people, machines) = target.readers();
        let digest = options.switch("digest", people).map_err(bad_text)?;
        let heartbeat = options.switch("heartbeat", machines).map_err(bad_text)?;
        if (digest || heartbeat) && !(people || machines) {
            return Err(bad(&shown, "it takes incidents only, neither digests nor heartbeats"));
        }
        if let Some(name) = options.left() {
            return Err(bad(&shown, format!("option {name}: only for https://…")));
        }
        // A name of one's own outlives a new token in the URL.
        let id = sink_id(&name.clone().unwrap_or_else(|| target.identity()));
        Ok(Self { name: name.unwrap_or(shown), id, target, least, digest, heartbeat })
    }

    fn webhook(target: &str, options: &mut Options, shown: &str) -> Result<Target, BadSink> {
        let url = Url::parse(target).map_err(|error| bad(shown, error.to_string()))?;
        if url.host_str().is_none_or(str::is_empty) {
            return Err(bad(shown, "the URL names no host"));
        }
        let form = options.take("body").unwrap_or_else(|| "json".to_owned());
        let found = Body::ALL.iter().find(|(name, _)| *name == form).map(|(_, body)| *body);
        let body = found.ok_or_else(|| {
            let known: Vec<&str> = Body::ALL.iter().map(|(name, _)| *name).collect();
            bad(shown, format!("option body: got `{form}`, expected {}", known.join(", ")))
        })?;
        let named = options.take("secret");
        let secret = named.as_deref().map(Secret::named).transpose();
        let secret = secret.map_err(|source| BadSink::Secret { sink: shown.to_owned(), source })?;
        if secret.is_none() && matches!(body, Body::Hec | Body::PagerDuty) {
            let what = if body == Body::Hec { "the token of the collector" } else { "the routing key" };
            return Err(bad(shown, format!("option secret: {what} is needed, as secret=env:NAME or secret=file:PATH")));
        }
        Ok(Target::Webhook { url: Secret::new(url.to_string()), body, secret })
    }
}

impl fmt::Display for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Target {
    /// Returns whether people read it, and whether machines that notice a missing heartbeat do.
    fn readers(&self) -> (bool, bool) {
        match self {
            Self::Webhook { body: Body::Slack | Body::Teams, .. } | Self::Sns { .. } => (true, false),
            Self::Webhook { body: Body::Json | Body::Hec, .. } | Self::EventBridge { .. } => (false, true),
            Self::Webhook { body: Body::PagerDuty, .. } | Self::SecurityHub { .. } => (false, false),
        }
    }

    /// Returns whether it keeps a record of each incident, which silent changes keep in step: those that extend an
    /// incident, and those that end it.
    pub(crate) fn keeps_records(&self) -> (bool, bool) {
        match self {
            Self::SecurityHub { .. } => (true, true),
            Self::Webhook { body: Body::PagerDuty, .. } => (false, true),
            _ => (false, false),
        }
    }

    /// Returns how many notices one request may tell at most.
    pub(crate) fn takes(&self) -> usize {
        match self {
            Self::SecurityHub { .. } => security_hub::MAX_FINDINGS,
            Self::EventBridge { .. } => event_bridge::MAX_ENTRIES,
            Self::Webhook { .. } | Self::Sns { .. } => 1,
        }
    }

    /// Returns whether it is a chat, which takes about one message a second.
    pub(crate) fn is_chat(&self) -> bool {
        matches!(self, Self::Webhook { body: Body::Slack | Body::Teams, .. })
    }

    /// Returns whether requests to it need credentials of AWS.
    #[must_use]
    pub fn is_aws(&self) -> bool {
        !matches!(self, Self::Webhook { .. })
    }

    /// Returns what makes two sinks the same.
    fn identity(&self) -> String {
        let words = match self {
            Self::Webhook { url, body, .. } => vec!["webhook".to_owned(), url.reveal().to_owned(), format!("{body:?}")],
            Self::SecurityHub { account, region, endpoint } => {
                vec!["securityhub".to_owned(), account.clone(), region.clone().unwrap_or_default(), text(endpoint)]
            }
            Self::EventBridge { bus, region, endpoint } => {
                vec!["eventbridge".to_owned(), bus.clone(), region.clone().unwrap_or_default(), text(endpoint)]
            }
            Self::Sns { arn, endpoint, .. } => vec!["sns".to_owned(), arn.clone(), text(endpoint)],
        };
        words.join("\n")
    }
}

fn text(endpoint: &Option<String>) -> String {
    endpoint.clone().unwrap_or_default()
}

/// Returns the name of a sink's folder: nobody can tell the URL from it.
fn sink_id(identity: &str) -> String {
    hex(&digest(&SHA256, identity.as_bytes()).as_ref()[..8])
}

fn bad(sink: &str, problem: impl Into<String>) -> BadSink {
    BadSink::Text { sink: sink.to_owned(), problem: problem.into() }
}

fn is_region(text: &str) -> bool {
    let plain = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    plain && text.contains('-') && text.len() <= 32
}

/// Returns what of a target is a secret, if anything is.
fn token_in(target: &str) -> Option<&'static str> {
    let url = Url::parse(target).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Some("the URL holds a login");
    }
    let host = url.host_str().unwrap_or_default();
    let of = |known: &str| host == known || host.ends_with(&format!(".{known}"));
    if TOKEN_HOSTS.iter().any(|known| of(known)) {
        return Some("the URL is a secret as a whole");
    }
    let secret = |name: &str| TOKEN_PARAMETERS.contains(&name.to_ascii_lowercase().as_str());
    url.query_pairs().any(|(name, _)| secret(&name)).then_some("the URL holds a token")
}

/// Returns a sink's text for messages: of a URL only the scheme, the host and whether there is more, and of what is no
/// sink nothing, since it may be a URL with a slip in it.
fn masked(text: &str) -> String {
    let known = ["securityhub:", "eventbridge:", "sns:", "env:", "file:"];
    if known.iter().any(|known| text.starts_with(known)) {
        return text.split(['?', '#']).next().unwrap_or_default().to_owned();
    }
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let Some((url, host)) = url.as_ref().and_then(|url| Some((url, url.host_str()?))) else { return "…".to_owned() };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let more = if url.path() == "/" && url.query().is_none() { "" } else { "/…" };
    format!("{}://{host}{port}{more}", url.scheme())
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;

//! Requests to services of AWS, signed with Signature Version 4.

use crate::client::Request;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use reqwest::Url;
use std::time::SystemTime;

/// The login that signs requests to AWS.
#[derive(Debug, Clone)]
pub struct Aws {
    /// The credentials, valid for the run.
    pub credentials: Credentials,
    /// The region of sinks that name none.
    pub region: Option<String>,
}

impl Aws {
    /// Returns an identity that signs nothing of worth, to show requests without sending them.
    #[must_use]
    pub fn unsigned(region: Option<String>) -> Self {
        let credentials = Credentials::new("shown", "shown", None, None, "flowsift");
        Self { credentials, region: region.or_else(|| Some("us-east-1".to_owned())) }
    }
}

/// Returns the address of a service, which ends with `/`.
///
/// # Errors
/// Text when `endpoint` is no URL.
pub(crate) fn service_url(service: &str, region: &str, endpoint: Option<&str>) -> Result<Url, String> {
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let text = endpoint.map_or_else(|| format!("https://{service}.{region}.{suffix}/"), str::to_owned);
    Url::parse(&text).map_err(|error| format!("endpoint: {error}"))
}

/// Returns the partition of a region, the second word of its ARNs.
pub(crate) fn partition(region: &str) -> &'static str {
    match region {
        _ if region.starts_with("cn-") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// Signs a request; its headers then hold the signature.
///
/// # Errors
/// Text when the request cannot be signed.
pub(crate) fn signed(
    mut request: Request,
    aws: &Aws,
    service: &str,
    region: &str,
    now: SystemTime,
) -> Result<Request, String> {
    let identity = aws.credentials.clone().into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(now)
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| error.to_string())?;
    let headers = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let body = SignableBody::Bytes(&request.body);
    let signable = SignableRequest::new("POST", request.url.as_str(), headers, body);
    let signable = signable.map_err(|error| flow::error_text(&error))?;
    let (instructions, _) = sign(signable, &params.into()).map_err(|error| flow::error_text(&error))?.into_parts();
    let added: Vec<(String, String)> =
        instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    request.headers.extend(added);
    Ok(request)
}

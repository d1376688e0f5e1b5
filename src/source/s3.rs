//! One bucket: the SDK's client for listing, object_store's for data, and messages for S3's errors.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Config, Region};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::RequestPayer;
use bytes::Bytes;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::SpawnedReqwestConnector;
use object_store::{BackoffConfig, ClientOptions};

use super::error::{Cause, SourceError, one_line};
use super::identity::Identity;
use super::options::SourceOptions;

/// The body of a 75 MB object must fit, on a slow link as well.
const READ_TIMEOUT: Duration = Duration::from_secs(180);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LAST_BACKOFF: Duration = Duration::from_secs(10);
/// Attempts of the very first request: a wrong endpoint should be reported within seconds.
const PROBE_ATTEMPTS: u32 = 3;

/// One opened bucket.
#[derive(Debug)]
pub(crate) struct Bucket {
    pub(crate) name: Arc<str>,
    pub(crate) client: Client,
    pub(crate) store: Arc<AmazonS3>,
    pub(super) request_payer: bool,
    region: String,
    endpoint: String,
}

/// One object of a listing.
#[derive(Debug)]
pub(crate) struct ListedObject {
    pub(crate) key: String,
    pub(crate) size: u64,
    pub(crate) version: String,
    pub(crate) modified_s: i64,
}

/// Why the SDK could not read an object; status 0 when there was no answer.
#[derive(Debug)]
pub(crate) struct GetError {
    pub(crate) status: u16,
    pub(crate) problem: String,
}

/// Everything below a prefix, or its first level when listed by folders.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) objects: Vec<ListedObject>,
    pub(crate) folders: Vec<String>,
}

/// Splits `s3://bucket/key`; `None` when the text is a path.
///
/// # Errors
/// [`SourceError::BadUrl`] for other schemes and for a missing bucket.
pub(crate) fn split_url(spec: &str) -> Result<Option<(&str, &str)>, SourceError> {
    let bad = |problem: &str| SourceError::BadUrl { spec: spec.to_owned(), problem: problem.to_owned() };
    if spec.is_empty() {
        return Err(bad("it is empty"));
    }
    let Some((scheme, rest)) = spec.split_once("://") else { return Ok(None) };
    if !matches!(scheme, "s3" | "s3a" | "s3n") {
        return Err(bad(&format!("`{scheme}://` is not supported")));
    }
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.is_empty() || bucket.contains(|letter: char| !letter.is_ascii_alphanumeric() && !".-_:".contains(letter))
    {
        return Err(bad("the bucket's name is missing or malformed"));
    }
    Ok(Some((bucket, key)))
}

impl Bucket {
    /// Creates both clients and asks the bucket for its region.
    pub(crate) async fn open(name: &str, identity: &Identity, options: &SourceOptions) -> Result<Self, SourceError> {
        if let Some(endpoint) = &options.endpoint_url
            && !(endpoint.starts_with("http://") || endpoint.starts_with("https://"))
        {
            return Err(SourceError::BadUrl {
                spec: endpoint.clone(),
                problem: "an endpoint begins with http:// or https://".to_owned(),
            });
        }
        let region = identity.region.as_ref().map_or_else(|| "us-east-1".to_owned(), ToString::to_string);
        let asked = sdk_client(identity, options, &region);
        let probe = Config::builder().retry_config(retry_config(options).with_max_attempts(PROBE_ATTEMPTS));
        let answer = asked.head_bucket().bucket(name).customize().config_override(probe).send().await;
        let endpoint = options.endpoint_url.clone().unwrap_or_else(|| format!("s3.{region}.amazonaws.com"));
        let own_region = match &answer {
            Ok(output) => output.bucket_region().map(str::to_owned),
            Err(SdkError::ServiceError(error)) if error.raw().status().as_u16() == 404 => {
                return Err(SourceError::NoSuchBucket { bucket: name.to_owned(), endpoint });
            }
            // The identity may be allowed to list without being allowed to ask for the bucket; the listing will show.
            Err(SdkError::ServiceError(error)) => error.raw().headers().get("x-amz-bucket-region").map(str::to_owned),
            Err(error) => return Err(explain(error, "ask for", &format!("s3://{name}"), name, &region, &endpoint)),
        };
        let region = match own_region {
            // The user's option wins, and other endpoints may return any region.
            Some(own) if options.region.is_none() && options.endpoint_url.is_none() => own,
            _ => region,
        };
        let client = sdk_client(identity, options, &region);
        let store = data_store(name, identity, options, &region)?;
        let endpoint = options.endpoint_url.clone().unwrap_or_else(|| format!("s3.{region}.amazonaws.com"));
        let request_payer = options.request_payer;
        Ok(Self { name: name.into(), client, store: Arc::new(store), request_payer, region, endpoint })
    }

    /// Returns the object of exactly this key, if it exists and the identity may see it.
    pub(crate) async fn head(&self, key: &str) -> Option<ListedObject> {
        let payer = self.request_payer.then_some(RequestPayer::Requester);
        let head =
            self.client.head_object().bucket(self.name.as_ref()).key(key).set_request_payer(payer).send().await.ok()?;
        let modified_s = head.last_modified().map_or(0, aws_sdk_s3::primitives::DateTime::secs);
        let size = u64::try_from(head.content_length().unwrap_or(0)).unwrap_or(0);
        let version = version_of(head.e_tag(), modified_s, size);
        Some(ListedObject { key: key.to_owned(), size, version, modified_s })
    }

    /// Lists every object below `prefix`, or with `by_folder` only its first level; follows all pages.
    pub(crate) async fn list(&self, prefix: &str, by_folder: bool) -> Result<Page, SourceError> {
        let mut page = Page::default();
        let mut token: Option<String> = None;
        loop {
            let answer = self
                .client
                .list_objects_v2()
                .bucket(self.name.as_ref())
                .prefix(prefix)
                .set_delimiter(by_folder.then(|| "/".to_owned()))
                .set_continuation_token(token)
                .set_request_payer(self.request_payer.then_some(RequestPayer::Requester))
                .send()
                .await
                .map_err(|error| self.explain(&error, "list", prefix))?;
            for object in answer.contents.unwrap_or_default() {
                let modified_s = object.last_modified().map_or(0, aws_sdk_s3::primitives::DateTime::secs);
                let size = u64::try_from(object.size().unwrap_or(0)).unwrap_or(0);
                let version = version_of(object.e_tag(), modified_s, size);
                if let Some(key) = object.key {
                    page.objects.push(ListedObject { key, size, version, modified_s });
                }
            }
            page.folders
                .extend(answer.common_prefixes.unwrap_or_default().into_iter().filter_map(|folder| folder.prefix));
            token = answer.next_continuation_token;
            if token.is_none() {
                return Ok(page);
            }
        }
    }

    /// Reads an object, or a range of it, through the SDK.
    pub(crate) async fn get(
        &self,
        key: &str,
        range: Option<Range<u64>>,
        etag: Option<String>,
    ) -> Result<Bytes, GetError> {
        let answer = self
            .client
            .get_object()
            .bucket(self.name.as_ref())
            .key(key)
            .set_range(range.map(|range| format!("bytes={}-{}", range.start, range.end - 1)))
            .set_if_match(etag)
            .set_request_payer(self.request_payer.then_some(RequestPayer::Requester))
            .send()
            .await
            .map_err(|error| GetError {
                status: error.raw_response().map_or(0, |response| response.status().as_u16()),
                problem: match (error.code(), error.message()) {
                    (Some(code), Some(message)) => format!("{code}: {message}"),
                    _ => one_line(&error),
                },
            })?;
        let body = answer.body.collect().await.map_err(|error| GetError { status: 0, problem: one_line(&error) })?;
        Ok(body.into_bytes())
    }

    /// Deletes one object with a plain DELETE (object_store would send a batch, which fewer servers and policies know).
    pub(crate) async fn delete(&self, key: &str) -> Result<(), SourceError> {
        match self.client.delete_object().bucket(self.name.as_ref()).key(key).send().await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some("NoSuchKey") => Ok(()),
            Err(error) => Err(self.explain(&error, "delete", key)),
        }
    }

    /// Returns the error that explains an error of the SDK.
    pub(super) fn explain<E>(&self, error: &SdkError<E>, action: &'static str, key: &str) -> SourceError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let url = format!("s3://{}/{key}", self.name);
        explain(error, action, &url, &self.name, &self.region, &self.endpoint)
    }
}

/// Returns the ETag or, where a server returns none, a text that changes with the content.
fn version_of(etag: Option<&str>, modified_s: i64, size: u64) -> String {
    etag.map_or_else(|| format!("{modified_s}-{size}"), str::to_owned)
}

fn retry_config(options: &SourceOptions) -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(options.retries.saturating_add(1))
        .with_initial_backoff(FIRST_BACKOFF)
        .with_max_backoff(LAST_BACKOFF)
}

fn sdk_client(identity: &Identity, options: &SourceOptions, region: &str) -> Client {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(Duration::from_secs(30))
        .build();
    let mut config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(identity.http.clone())
        .region(Region::new(region.to_owned()))
        .retry_config(retry_config(options))
        .timeout_config(timeouts);
    if let Some(endpoint) = &options.endpoint_url {
        config = config.endpoint_url(endpoint).force_path_style(true);
    }
    config = match &identity.credentials {
        Some(credentials) => {
            let provider: Arc<dyn ProvideCredentials> = credentials.clone();
            config.credentials_provider(SharedCredentialsProvider::new(provider))
        }
        None => config.allow_no_auth(),
    };
    Client::from_conf(config.build())
}

fn data_store(name: &str, identity: &Identity, options: &SourceOptions, region: &str) -> Result<AmazonS3, SourceError> {
    let client = ClientOptions::new().with_timeout(READ_TIMEOUT).with_connect_timeout(CONNECT_TIMEOUT);
    let retry = object_store::RetryConfig {
        backoff: BackoffConfig { init_backoff: FIRST_BACKOFF, max_backoff: LAST_BACKOFF, base: 2.0 },
        max_retries: usize::try_from(options.retries).unwrap_or(usize::MAX),
        retry_timeout: READ_TIMEOUT,
    };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(name)
        .with_region(region)
        .with_client_options(client)
        .with_retry(retry)
        .with_request_payer(options.request_payer);
    if let Some(endpoint) = &options.endpoint_url {
        builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
    }
    builder = match &identity.credentials {
        Some(credentials) => builder.with_credentials(credentials.clone()),
        None => builder.with_skip_signature(true),
    };
    if let Some(runtime) = &options.io_runtime {
        builder = builder.with_http_connector(SpawnedReqwestConnector::new(runtime.clone()));
    }
    builder.build().map_err(|error| SourceError::S3 {
        action: "set up reads of",
        url: format!("s3://{name}"),
        source: Cause(one_line(&error)),
    })
}

fn explain<E>(
    error: &SdkError<E>,
    action: &'static str,
    url: &str,
    bucket: &str,
    used: &str,
    endpoint: &str,
) -> SourceError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let url = url.to_owned();
    let SdkError::ServiceError(service) = error else {
        let source = Cause(one_line(error));
        return match error {
            SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) => {
                SourceError::Unreachable { endpoint: endpoint.to_owned(), source }
            }
            _ => SourceError::S3 { action, url, source },
        };
    };
    let status = service.raw().status().as_u16();
    let code = service.err().code().unwrap_or("").to_owned();
    let message = service.err().message().unwrap_or("no details given").to_owned();
    match (code.as_str(), status) {
        ("NoSuchBucket", _) => SourceError::NoSuchBucket { bucket: bucket.to_owned(), endpoint: endpoint.to_owned() },
        ("InvalidAccessKeyId" | "SignatureDoesNotMatch" | "ExpiredToken" | "InvalidToken", _) => {
            SourceError::CredentialsRefused { url, code }
        }
        ("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException", _)
        | (_, 301 | 307) => {
            let region = service.raw().headers().get("x-amz-bucket-region").unwrap_or("another one").to_owned();
            SourceError::WrongRegion { bucket: bucket.to_owned(), used: used.to_owned(), region }
        }
        ("RequestTimeTooSkewed", _) => SourceError::ClockSkew { url, problem: message },
        ("AccessDenied", _) | (_, 403) => {
            SourceError::Denied { action, url, problem: message, needs: "s3:ListBucket and s3:GetObject" }
        }
        _ => SourceError::S3 { action, url, source: Cause(format!("HTTP {status} {code}: {message}")) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_urls_and_leaves_paths_alone() {
        assert!(matches!(split_url("s3://b/AWSLogs/x"), Ok(Some(("b", "AWSLogs/x")))));
        assert!(matches!(split_url("s3://b"), Ok(Some(("b", "")))));
        assert!(matches!(split_url("data/x.parquet"), Ok(None)));
        for bad in ["", "s3://", "s3:///key", "gs://b/x", "s3://b ad/x"] {
            assert!(matches!(split_url(bad), Err(SourceError::BadUrl { .. })), "{bad}");
        }
    }
}

//! The identity of requests: AWS's own chain of credentials, shared by listing (the SDK) and data reads (object_store).

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_config::BehaviorVersion;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::imds::client::error::ImdsError;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_sdk_s3::config::{Region, SharedHttpClient};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector};
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;
use tokio::sync::Mutex;

use super::error::{Cause, SourceError, one_line};
use super::options::SourceOptions;

/// Credentials are renewed this long before they expire.
const RENEW_BEFORE: Duration = Duration::from_secs(300);
/// A failed renewal is tried again after this long, while the credentials are valid.
const RENEW_AGAIN: Duration = Duration::from_secs(20);
/// The instance metadata service answers within milliseconds where it exists; elsewhere a run should not wait for it.
const IMDS_TIMEOUT: Duration = Duration::from_secs(1);
const IMDS_ATTEMPTS: u32 = 2;

/// Everything that requests to AWS need.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// The HTTP client of the SDK.
    pub(crate) http: SharedHttpClient,
    /// The region from the option, the environment or the profile.
    pub(crate) region: Option<Region>,
    /// `None` for unsigned requests.
    pub(crate) credentials: Option<Arc<CachedCredentials>>,
}

impl Identity {
    /// Finds the identity and loads its credentials once, so that a missing login is reported at once.
    ///
    /// # Errors
    /// [`SourceError::NoCredentials`] and [`SourceError::CredentialsFailed`].
    pub(crate) async fn resolve(options: &SourceOptions) -> Result<Self, SourceError> {
        let http = http_client();
        let region = match &options.region {
            Some(region) => Some(Region::new(region.clone())),
            None => region_of_chain(options).await,
        };
        if options.no_sign_request {
            return Ok(Self { http, region, credentials: None });
        }
        let config = ProviderConfig::without_region()
            .with_behavior_version(Some(BehaviorVersion::latest()))
            .with_http_client(http.clone());
        let imds = aws_config::imds::Client::builder()
            .configure(&config)
            .connect_timeout(IMDS_TIMEOUT)
            .read_timeout(IMDS_TIMEOUT)
            .max_attempts(IMDS_ATTEMPTS)
            .build();
        // STS and SSO need a region of their own; us-east-1 works for all when none is configured.
        let own_region = region.clone().unwrap_or_else(|| Region::from_static("us-east-1"));
        let chain: Arc<dyn ProvideCredentials> = match &options.profile {
            // A profile that the user named is the only provider, as in AWS's own command line.
            Some(profile) => {
                let config = config.with_region(Some(own_region));
                Arc::new(ProfileFileCredentialsProvider::builder().configure(&config).profile_name(profile).build())
            }
            None => {
                let chain = DefaultCredentialsChain::builder().configure(config).imds_client(imds).region(own_region);
                Arc::new(chain.build().await)
            }
        };
        let credentials = Arc::new(CachedCredentials::new(chain));
        credentials.load().await.map_err(|error| refusal(&error, options.profile.as_deref()))?;
        Ok(Self { http, region, credentials: Some(credentials) })
    }
}

/// Returns the credentials and the region of requests to other services of AWS than S3.
///
/// # Errors
/// [`SourceError`] when there is no login, or requests are to go unsigned.
pub async fn login(options: &SourceOptions) -> Result<(Credentials, Option<String>), SourceError> {
    let identity = Identity::resolve(options).await?;
    let credentials = identity.credentials.ok_or(SourceError::NoCredentials)?;
    let loaded = credentials.load().await.map_err(|error| refusal(&error, options.profile.as_deref()))?;
    Ok((loaded, identity.region.map(|region| region.to_string())))
}

/// Explains why credentials could not be loaded: there are none, or they are broken.
fn refusal(error: &CredentialsError, profile: Option<&str>) -> SourceError {
    let not_loaded = matches!(error, CredentialsError::CredentialsNotLoaded(_));
    match profile {
        Some(profile) if not_loaded => SourceError::NoProfile { profile: profile.to_owned() },
        // Instance metadata comes last: when it fails, nothing before it had credentials.
        None if not_loaded || is_from_imds(error) => SourceError::NoCredentials,
        _ => SourceError::CredentialsFailed { source: Cause(one_line(error)) },
    }
}

fn is_from_imds(error: &CredentialsError) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if inner.is::<ImdsError>() {
            return true;
        }
        cause = inner.source();
    }
    matches!(error, CredentialsError::ProviderTimedOut(_))
}

/// Returns the SDK's HTTP client on rustls with ring, the TLS stack that the data reads use as well.
fn http_client() -> SharedHttpClient {
    Builder::new().build_with_connector_fn(|settings, components| {
        let mut connector = Connector::builder().proxy_config(ProxyConfig::from_env());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
        connector.tls_provider(Provider::Rustls(CryptoMode::Ring)).build()
    })
}

/// Returns the region of the environment or of the profile. Instance metadata is not asked: a bucket returns its region.
async fn region_of_chain(options: &SourceOptions) -> Option<Region> {
    let mut profile = ProfileFileRegionProvider::builder();
    if let Some(name) = &options.profile {
        profile = profile.profile_name(name);
    }
    RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new()).or_else(profile.build()).region().await
}

/// AWS's chain of credentials with a cache, which is renewed shortly before it expires.
#[derive(Debug)]
pub(crate) struct CachedCredentials {
    chain: Arc<dyn ProvideCredentials>,
    last: Mutex<Option<LastCredentials>>,
}

/// The chain's last credentials.
#[derive(Debug)]
struct LastCredentials {
    credentials: Credentials,
    /// After a failed renewal: the time of the next one.
    not_before: Option<SystemTime>,
}

impl CachedCredentials {
    fn new(chain: Arc<dyn ProvideCredentials>) -> Self {
        Self { chain, last: Mutex::default() }
    }

    /// Returns valid credentials; only one task asks the chain at a time. If they cannot be renewed, the cached ones are
    /// used until they expire.
    pub(crate) async fn load(&self) -> Result<Credentials, CredentialsError> {
        let mut last = self.last.lock().await;
        let now = SystemTime::now();
        let lasts = |credentials: &Credentials, time| credentials.expiry().is_none_or(|expiry| expiry > time);
        if let Some(LastCredentials { credentials, not_before }) = last.as_ref()
            && (lasts(credentials, now + RENEW_BEFORE)
                || (lasts(credentials, now) && not_before.is_some_and(|not_before| now < not_before)))
        {
            return Ok(credentials.clone());
        }
        let error = match self.chain.provide_credentials().await {
            Ok(credentials) => {
                *last = Some(LastCredentials { credentials: credentials.clone(), not_before: None });
                return Ok(credentials);
            }
            Err(error) => error,
        };
        // The chain may have taken its time.
        let now = SystemTime::now();
        match last.as_mut().filter(|answer| lasts(&answer.credentials, now)) {
            Some(answer) => {
                tracing::warn!("credentials could not be renewed; the old ones are still good: {}", one_line(&error));
                answer.not_before = Some(now + RENEW_AGAIN);
                Ok(answer.credentials.clone())
            }
            None => Err(error),
        }
    }
}

impl ProvideCredentials for CachedCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.load())
    }
}

#[async_trait]
impl CredentialProvider for CachedCredentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let credentials =
            self.load().await.map_err(|error| object_store::Error::Generic { store: "S3", source: Box::new(error) })?;
        Ok(Arc::new(AwsCredential {
            key_id: credentials.access_key_id().to_owned(),
            secret_key: credentials.secret_access_key().to_owned(),
            token: credentials.session_token().map(str::to_owned),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Returns credentials once, valid for so many seconds, and fails from then on.
    #[derive(Debug)]
    struct Once {
        seconds: u64,
        asked: AtomicU64,
    }

    impl ProvideCredentials for Once {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let expiry = SystemTime::now() + Duration::from_secs(self.seconds);
            future::ProvideCredentials::ready(match self.asked.fetch_add(1, Ordering::Relaxed) {
                0 => Ok(Credentials::new("key", "secret", None, Some(expiry), "test")),
                _ => Err(CredentialsError::provider_error("unreachable")),
            })
        }
    }

    #[tokio::test]
    async fn credentials_serve_to_their_end_where_they_cannot_be_renewed() {
        for (seconds, asked) in [(3_600, 1), (60, 2)] {
            let chain = Arc::new(Once { seconds, asked: AtomicU64::new(0) });
            let cached = CachedCredentials::new(chain.clone());
            for _ in 0..5 {
                assert_eq!(cached.load().await.unwrap().access_key_id(), "key");
            }
            assert_eq!(chain.asked.load(Ordering::Relaxed), asked, "a renewal that failed is not tried at once again");
        }
        let ended = CachedCredentials::new(Arc::new(Once { seconds: 0, asked: AtomicU64::new(0) }));
        ended.load().await.unwrap();
        assert!(ended.load().await.is_err());
    }
}

//! Why a source or a store cannot be used.

use flow::error_text;

/// What a client library or S3 said, in one line: their errors are long, repeat themselves and borrow their requests.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Cause(pub(super) String);

/// Why a SOURCE or a store cannot be used. Each message is one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The text is neither a path nor an `s3://` URL.
    #[error("`{spec}` is not usable: {problem}; give s3://bucket/prefix, a folder, a file or a glob")]
    BadUrl {
        /// The text as given.
        spec: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A local path does not exist.
    #[error("`{path}` does not exist; give a Parquet file, a folder, a glob or s3://bucket/prefix")]
    NoSuchPath {
        /// The path as given.
        path: String,
    },
    /// A glob is malformed.
    #[error("the glob `{pattern}` is malformed at byte {at}: {problem}; quote literal `*`, `?` and `[` as [*]")]
    BadGlob {
        /// The pattern as given.
        pattern: String,
        /// Byte offset of the fault.
        at: usize,
        /// What is wrong there.
        problem: &'static str,
    },
    /// A glob matches nothing.
    #[error("the glob `{pattern}` matches nothing; check the path, and quote it from the shell")]
    NoMatch {
        /// The pattern as given.
        pattern: String,
    },
    /// A local file or folder cannot be listed or written.
    #[error("cannot {action} `{path}`")]
    Io {
        /// What was tried: `list`, `read`, `write`, `delete`.
        action: &'static str,
        /// The path.
        path: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// There is no Parquet object.
    #[error(
        "no Parquet objects under `{spec}` ({other_objects} other objects); flow logs must be delivered in the \
         Parquet format (keys end in .parquet; --any-name takes other names)"
    )]
    NothingFound {
        /// The SOURCE as given.
        spec: String,
        /// Objects seen that are not Parquet.
        other_objects: u64,
    },
    /// A folder is a table whose live files cannot be told.
    #[error(
        "`{folder}` is {format}: {problem}; export its rows as plain Parquet and name that folder, or name the folders \
         or files of its data that are live"
    )]
    TableFormat {
        /// The table's folder.
        folder: String,
        /// What it is.
        format: &'static str,
        /// What flowsift cannot do with it.
        problem: String,
    },
    /// Nothing in AWS's chain of providers has credentials.
    #[error(
        "no AWS credentials found: run `aws sso login`, set AWS_PROFILE or pass --profile, or pass --no-sign-request \
         for a public bucket"
    )]
    NoCredentials,
    /// The profile that was named has no credentials.
    #[error("the AWS profile `{profile}` does not exist or names no credentials; check ~/.aws/config")]
    NoProfile {
        /// The profile as given.
        profile: String,
    },
    /// A provider in AWS's chain has credentials, but they cannot be loaded.
    #[error("AWS credentials could not be loaded; run `aws sso login` or check the profile")]
    CredentialsFailed {
        /// Why not.
        source: Cause,
    },
    /// The credentials are wrong or expired.
    #[error(
        "S3 refused the credentials for `{url}` ({code}): renew them (`aws sso login`) or choose another --profile"
    )]
    CredentialsRefused {
        /// What was asked for.
        url: String,
        /// S3's error code.
        code: String,
    },
    /// The bucket does not exist.
    #[error("the bucket `{bucket}` does not exist at {endpoint}; check its name")]
    NoSuchBucket {
        /// The bucket.
        bucket: String,
        /// Where it was looked for.
        endpoint: String,
    },
    /// The caller may not do this.
    #[error(
        "access denied: {action} `{url}` ({problem}); the identity needs {needs}, and a bucket whose requester pays \
         needs --request-payer"
    )]
    Denied {
        /// What was tried.
        action: &'static str,
        /// What it was tried on.
        url: String,
        /// S3's words.
        problem: String,
        /// The missing permission.
        needs: &'static str,
    },
    /// The clock of this machine is wrong.
    #[error(
        "S3 refused the time of this machine for `{url}` ({problem}); set its clock, it may be at most 15 minutes off"
    )]
    ClockSkew {
        /// What was asked for.
        url: String,
        /// S3's words.
        problem: String,
    },
    /// The bucket is in another region.
    #[error("the bucket `{bucket}` is not in region {used} but in {region}; pass --region {region}")]
    WrongRegion {
        /// The bucket.
        bucket: String,
        /// The region asked.
        used: String,
        /// The region S3 names, or `another one`.
        region: String,
    },
    /// The endpoint does not answer.
    #[error("{endpoint} does not answer; check the network, the proxy and --endpoint-url")]
    Unreachable {
        /// The endpoint.
        endpoint: String,
        /// Why not.
        source: Cause,
    },
    /// Any other answer of S3, after all retries.
    #[error("S3 could not {action} `{url}`")]
    S3 {
        /// What was tried.
        action: &'static str,
        /// What it was tried on.
        url: String,
        /// S3's answer.
        source: Cause,
    },
    /// The object to create exists already.
    #[error("`{url}` exists already; another run may be writing here")]
    Exists {
        /// The object.
        url: String,
    },
}

/// Shortens an S3 error document inside a message to its code and words.
pub(crate) fn without_xml(message: &str) -> String {
    let part = |tag: &str| {
        let (_, rest) = message.split_once(&format!("<{tag}>"))?;
        rest.split_once(&format!("</{tag}>")).map(|(text, _)| text)
    };
    match (part("Code"), part("Message")) {
        (Some(code), Some(text)) => format!("{code}: {text}"),
        (Some(code), None) => code.to_owned(),
        _ => message.to_owned(),
    }
}

/// Returns an error of a client library and its causes in one line.
pub(crate) fn one_line(error: &(dyn std::error::Error + 'static)) -> String {
    error_text(error).split_whitespace().collect::<Vec<_>>().join(" ")
}

//! Why an object cannot be read, in words that say which option helps.

use super::error::{Cause, one_line, without_xml};
use super::s3::GetError;

/// Why one object cannot be read; the run goes on without it.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Another version was written since.
    #[error("{url} was replaced after it was listed; run again to read the new version")]
    Changed {
        /// The object.
        url: String,
    },
    /// The object was deleted, or the log of its table names a file that is not there.
    #[error("{url} is gone: it was deleted after it was listed, or only the log of its table still names it")]
    Gone {
        /// The object.
        url: String,
    },
    /// The identity may not read it.
    #[error(
        "{url}: access denied ({problem}); the identity needs s3:GetObject, and kms:Decrypt where KMS encrypts; a bucket \
         whose requester pays needs --request-payer"
    )]
    Denied {
        /// The object.
        url: String,
        /// The answer.
        problem: String,
    },
    /// It is in an archive, and cannot be read before it is restored.
    #[error(
        "{url}: archived (S3 Glacier or an archive tier); restore it with `aws s3api restore-object`, or leave it out"
    )]
    Archived {
        /// The object.
        url: String,
    },
    /// The clock of this machine is wrong.
    #[error("{url}: S3 refused the time of this machine ({problem}); set its clock, it may be at most 15 minutes off")]
    ClockSkew {
        /// The object.
        url: String,
        /// The answer.
        problem: String,
    },
    /// The bucket is in another region.
    #[error("{url}: the bucket is in another region ({problem}); pass its region with --region")]
    WrongRegion {
        /// The object.
        url: String,
        /// The answer.
        problem: String,
    },
    /// Fewer bytes came than the listing promised.
    #[error("{url}: got {got} bytes, expected {expected}")]
    Truncated {
        /// The object.
        url: String,
        /// Bytes that came.
        got: u64,
        /// Bytes expected.
        expected: u64,
    },
    /// The object is of another source than the reader.
    #[error("{url} is in a bucket that was not opened")]
    Unopened {
        /// The object.
        url: String,
    },
    /// Any other failure, after all retries.
    #[error("cannot read {url}")]
    Failed {
        /// The object.
        url: String,
        /// Why not.
        source: Cause,
    },
}

/// Returns the error of a file or task that failed.
pub(super) fn failed(url: &str, error: &(dyn std::error::Error + 'static)) -> ReadError {
    ReadError::Failed { url: url.to_owned(), source: Cause(one_line(error)) }
}

/// Returns the error of an answer that the AWS SDK gave.
pub(super) fn refused(url: &str, error: GetError) -> ReadError {
    let url = url.to_owned();
    if let Some(known) = by_code(&url, &error.problem, error.status) {
        return known;
    }
    match error {
        GetError { status: 404, .. } => ReadError::Gone { url },
        GetError { status: 412, .. } => ReadError::Changed { url },
        GetError { status: 401 | 403, problem } => ReadError::Denied { url, problem },
        GetError { problem, .. } => ReadError::Failed { url, source: Cause(problem) },
    }
}

/// Returns the error of an answer that object_store gave.
pub(super) fn explain(url: &str, error: &object_store::Error) -> ReadError {
    use object_store::Error;
    let url_text = url.to_owned();
    let line = one_line(error);
    if let Some(known) = by_code(url, &line, if line.contains("status code: 301") { 301 } else { 0 }) {
        return known;
    }
    match error {
        Error::NotFound { .. } => ReadError::Gone { url: url_text },
        Error::Precondition { .. } | Error::NotModified { .. } => ReadError::Changed { url: url_text },
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
            ReadError::Denied { url: url_text, problem: without_xml(&status_of(error)) }
        }
        other => ReadError::Failed { url: url_text, source: Cause(without_xml(&one_line(other))) },
    }
}

/// Returns the error that S3's own code stands for: HTTP's status alone would mislead.
fn by_code(url: &str, answer: &str, status: u16) -> Option<ReadError> {
    let url = url.to_owned();
    let problem = || without_xml(answer);
    if answer.contains("InvalidObjectState") {
        Some(ReadError::Archived { url })
    } else if answer.contains("RequestTimeTooSkewed") {
        Some(ReadError::ClockSkew { url, problem: problem() })
    } else if status == 301 || answer.contains("PermanentRedirect") || answer.contains("AuthorizationHeaderMalformed") {
        Some(ReadError::WrongRegion { url, problem: problem() })
    } else {
        None
    }
}

/// Returns the status of an answer, such as `403 Forbidden`; the text before it only repeats URL and object.
fn status_of(error: &object_store::Error) -> String {
    let line = one_line(error);
    let status = line.rsplit("status code: ").next().unwrap_or(&line);
    status.trim_end_matches([':', ' ']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_s3_say_which_option_helps() {
        let answer = |code: &str| {
            format!(
                "Server returned non-2xx status code: 403 Forbidden: <Error><Code>{code}</Code><Message>No</Message></Error>"
            )
        };
        for (code, says) in [
            ("InvalidObjectState", "restore-object"),
            ("RequestTimeTooSkewed", "RequestTimeTooSkewed: No); set its clock"),
            ("PermanentRedirect", "--region"),
            ("AuthorizationHeaderMalformed", "--region"),
        ] {
            let text = by_code("s3://b/k", &answer(code), 403).unwrap().to_string();
            assert!(text.contains(says) && text.lines().count() == 1, "{text}");
        }
        assert!(by_code("s3://b/k", &answer("AccessDenied"), 403).is_none());
        assert!(matches!(by_code("s3://b/k", "Moved", 301), Some(ReadError::WrongRegion { .. })));
    }
}

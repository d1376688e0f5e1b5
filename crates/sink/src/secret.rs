//! Texts that must not be shown: they come from the environment or a file, and never print.

use std::fmt;
use std::path::PathBuf;

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text from being shown.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text, to be sent or signed with.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// Reads a secret from `env:NAME` or `file:PATH`; white space around it is dropped.
    ///
    /// # Errors
    /// [`SecretError`] when it is named otherwise, missing or empty.
    pub fn named(name: &str) -> Result<Self, SecretError> {
        let text = match name.split_once(':') {
            Some(("env", variable)) => {
                std::env::var(variable).map_err(|_| SecretError::NoVariable(variable.to_owned()))?
            }
            Some(("file", path)) => {
                std::fs::read_to_string(path).map_err(|source| SecretError::Unread { path: path.into(), source })?
            }
            // The text may be a secret itself, so it is not repeated.
            _ => return Err(SecretError::Bare),
        };
        match text.trim() {
            "" => Err(SecretError::Empty(name.to_owned())),
            text => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why a secret could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The variable does not exist.
    #[error("the environment has no variable `{0}`")]
    NoVariable(String),
    /// The file cannot be read.
    #[error("`{}` cannot be read", path.display())]
    Unread {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is empty.
    #[error("`{0}` is empty")]
    Empty(String),
    /// It is given itself.
    #[error("a secret is named, never given: env:NAME or file:PATH")]
    Bare,
}

//! What proves who somebody is. The whole text is needed to join logs, and must not be shown.

use std::borrow::Cow;
use std::fmt;

/// What a credential is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum CredentialKind {
    /// No credential is known.
    #[default]
    None,
    /// A key without an end, such as `AKIA…`.
    LongTermKey,
    /// A key of a session that ends, such as `ASIA…`.
    SessionKey,
    /// A login in a browser.
    WebSession,
    /// A token for programs, such as Okta's `00T…` or a personal access token.
    ApiToken,
    /// An SSH key.
    SshKey,
    /// A name and a password.
    Password,
}

impl CredentialKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        CredentialKind::None,
        CredentialKind::LongTermKey,
        CredentialKind::SessionKey,
        CredentialKind::WebSession,
        CredentialKind::ApiToken,
        CredentialKind::SshKey,
        CredentialKind::Password,
    ];

    /// Returns the kind that [`CredentialKind::name`] names so.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Returns the name under which tables know the kind; empty for [`CredentialKind::None`].
    pub const fn name(self) -> &'static str {
        match self {
            CredentialKind::None => "",
            CredentialKind::LongTermKey => "long_term_key",
            CredentialKind::SessionKey => "session_key",
            CredentialKind::WebSession => "web_session",
            CredentialKind::ApiToken => "api_token",
            CredentialKind::SshKey => "ssh_key",
            CredentialKind::Password => "password",
        }
    }

    /// Returns whether such a credential lives longer than the session it is used in.
    pub const fn lasts(self) -> bool {
        matches!(
            self,
            CredentialKind::LongTermKey | CredentialKind::ApiToken | CredentialKind::SshKey | CredentialKind::Password
        )
    }
}

/// A credential: its id in full inside, its last four characters outside.
///
/// ```
/// use flowsift_access::Credential;
///
/// let key = Credential::key("AKIAIOSFODNN7EXAMPLE".into());
/// assert_eq!(key.to_string(), "…MPLE");
/// assert!(!format!("{key:?}").contains("IOSFODNN"));
/// assert_eq!(key.full(), "AKIAIOSFODNN7EXAMPLE");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Credential<'a> {
    id: Cow<'a, str>,
    kind: CredentialKind,
}

impl<'a> Credential<'a> {
    /// Returns the credential of an act that has none.
    pub const fn none() -> Self {
        Self { id: Cow::Borrowed(""), kind: CredentialKind::None }
    }

    /// Returns a credential; [`Credential::none`] if its id is empty.
    pub fn new(id: Cow<'a, str>, kind: CredentialKind) -> Self {
        if id.is_empty() { Self::none() } else { Self { id, kind } }
    }

    /// Returns the credential of an AWS access key: `ASIA…` ends with its session, all others last.
    pub fn key(id: Cow<'a, str>) -> Self {
        let kind = if id.starts_with("ASIA") { CredentialKind::SessionKey } else { CredentialKind::LongTermKey };
        Self::new(id, kind)
    }

    /// Returns what the credential is.
    pub const fn kind(&self) -> CredentialKind {
        self.kind
    }

    /// Returns the whole id, to join by. It is not for output.
    pub fn full(&self) -> &str {
        &self.id
    }

    /// Returns whether there is no credential.
    pub fn is_none(&self) -> bool {
        self.id.is_empty()
    }

    /// Returns the last four characters; none of an id of eight or fewer, which four would give away.
    pub fn last_four(&self) -> &str {
        last_four(&self.id)
    }
}

/// Returns the last four characters of an id of more than eight, else nothing.
pub(crate) fn last_four(id: &str) -> &str {
    if id.chars().count() <= 8 {
        return "";
    }
    id.char_indices().rev().nth(3).map_or("", |(at, _)| &id[at..])
}

impl fmt::Display for Credential<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() { Ok(()) } else { write!(f, "…{}", self.last_four()) }
    }
}

impl fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({} {self})", self.kind.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_characters_are_shown_and_short_ids_not_at_all() {
        assert_eq!(last_four("ab€défgh"), "");
        assert_eq!(last_four("ab€défghi"), "fghi");
        assert_eq!(Credential::key("ASIA0000000000001234".into()).kind(), CredentialKind::SessionKey);
        assert!(Credential::key("".into()).is_none());
        assert_eq!(Credential::none().to_string(), "");
    }
}

//! Who takes part in a link, an entry or an edge: an address, or something that has a name.

use flow::Address;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// What a party with a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PartyKind {
    /// A user, role or service account, by the name that all logs know it by.
    Principal,
    /// A key, token or session, by the principal that used it and its last four characters.
    Credential,
    /// An application, or the service of a cloud.
    App,
    /// A repository, bucket, secret or the like.
    Object,
}

impl PartyKind {
    const ALL: [Self; 4] = [Self::Principal, Self::Credential, Self::App, Self::Object];

    /// Returns the word that stands before the name in text.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Principal => "principal",
            Self::Credential => "credential",
            Self::App => "app",
            Self::Object => "object",
        }
    }
}

/// An address, or something with a name. As text: the address, or `kind:name`, such as `principal:jo@example.com`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    /// A host or a remote.
    Address(Address),
    /// Anything else.
    Named(PartyKind, String),
}

impl Party {
    /// Returns the principal of a name.
    #[must_use]
    pub fn principal(name: &str) -> Self {
        Self::Named(PartyKind::Principal, name.to_owned())
    }

    /// Returns the address, if it is one.
    #[must_use]
    pub const fn address(&self) -> Option<Address> {
        match self {
            Self::Address(address) => Some(*address),
            Self::Named(..) => None,
        }
    }

    /// Returns what people call it: the address, or the name without its kind.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Address(address) => address.to_string(),
            Self::Named(_, name) => name.clone(),
        }
    }
}

impl From<Address> for Party {
    fn from(address: Address) -> Self {
        Self::Address(address)
    }
}

impl PartialEq<Address> for Party {
    fn eq(&self, other: &Address) -> bool {
        self.address() == Some(*other)
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Named(kind, name) => write!(f, "{}:{name}", kind.name()),
        }
    }
}

impl FromStr for Party {
    type Err = <Address as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // No address begins with such a word: IPv6 has hexadecimal digits before its first colon.
        let kind = |word: &str| PartyKind::ALL.into_iter().find(|kind| kind.name() == word);
        match text.split_once(':').and_then(|(word, name)| Some((kind(word)?, name))) {
            Some((kind, name)) => Ok(Self::Named(kind, name.to_owned())),
            None => text.parse().map(Self::Address),
        }
    }
}

impl Serialize for Party {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Party {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| {
            let expected = "an address, or a kind and a name such as `principal:jo`";
            serde::de::Error::invalid_value(serde::de::Unexpected::Str(&text), &expected)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parties_come_back_as_they_were() {
        let address = |text: &str| Party::Address(text.parse().unwrap());
        let parties = [
            address("10.0.0.1"),
            address("2001:db8::7"),
            Party::principal("arn:aws:iam::1:user/jo"),
            Party::Named(PartyKind::App, "https://jira.example.com".to_owned()),
        ];
        for party in parties {
            let text = serde_json::to_string(&party).unwrap();
            assert_eq!(serde_json::from_str::<Party>(&text).unwrap(), party, "{text}");
        }
        assert_eq!(Party::principal("jo").to_string(), "principal:jo");
        assert_eq!(Party::principal("jo").name(), "jo");
        let error = serde_json::from_str::<Party>("\"person:jo\"").unwrap_err();
        assert!(error.to_string().contains("expected an address, or a kind and a name"), "{error}");
    }
}

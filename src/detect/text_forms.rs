//! How values of findings and incidents are written in JSON.

/// Seconds as RFC 3339 text in UTC.
pub(crate) mod rfc3339_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use flow::time;

    pub(crate) fn serialize<S: Serializer>(second: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&time::rfc3339(*second))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        let text = String::deserialize(deserializer)?;
        // Relative times mean nothing in a file, so only RFC 3339 and dates are read: both begin with a year.
        match time::parse_time(&text, 0) {
            Ok(second) if text.contains('-') => Ok(second),
            _ => Err(D::Error::custom(format!("`{text}` is not a time such as 2024-04-19T06:00:00Z"))),
        }
    }
}

/// An address as text.
pub(crate) mod address_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use flow::Address;

    pub(crate) fn serialize<S: Serializer>(address: &Address, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(address)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// An address as text, or null.
pub(crate) mod optional_address_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use flow::Address;

    pub(crate) fn serialize<S: Serializer>(address: &Option<Address>, serializer: S) -> Result<S::Ok, S::Error> {
        match address {
            Some(address) => serializer.collect_str(address),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Address>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}

/// A role as text, or null.
pub(crate) mod optional_role_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use flow::codes::Role;

    pub(crate) fn serialize<S: Serializer>(role: &Option<Role>, serializer: S) -> Result<S::Ok, S::Error> {
        match role {
            Some(role) => serializer.serialize_str(role.as_str()),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Role>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let invalid = |text: &str| D::Error::custom(format!("`{text}` is not a role; expected client or server"));
        text.map(|text| Role::parse(&text).ok_or_else(|| invalid(&text))).transpose()
    }
}

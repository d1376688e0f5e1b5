//! What the text of a field means: placeholders of missing values, repaired account numbers, decisions.
//!
//! A field whose texts need another treatment gets a [`Meaning`]. The placeholders are in [`flow::schema`], the
//! spellings of decisions in [`super::decision`].

use super::decision::decision_of;
use flow::schema::{Field, is_missing};
use std::borrow::Cow;

/// Digits of an account number.
const ACCOUNT_DIGITS: usize = 12;

/// What the texts of a field mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Meaning {
    /// The text itself.
    #[default]
    Text,
    /// An account number. Leading zeros, which are lost where a file went through pandas, are restored. AWS writes
    /// `unknown` where it could not find the account, which is a missing value.
    Account,
    /// A decision, which becomes AWS's spelling. A text that spells no decision stays as it is.
    Decision,
}

impl Meaning {
    /// Returns what the texts of `field` mean.
    pub fn of(field: Field) -> Self {
        match field {
            Field::AccountId => Self::Account,
            Field::Action | Field::FlowDirection | Field::LogStatus => Self::Decision,
            _ => Self::Text,
        }
    }

    /// Returns the value of a text, without white space around it; `None` for placeholders of a missing value.
    pub fn value_of(self, text: &str) -> Option<Cow<'_, str>> {
        let text = text.trim();
        if is_missing(text) {
            return None;
        }
        match self {
            Self::Text => Some(Cow::Borrowed(text)),
            Self::Account => account_of(text),
            Self::Decision => Some(decision_in(text)),
        }
    }
}

/// Returns the account number that a text stands for.
fn account_of(text: &str) -> Option<Cow<'_, str>> {
    if text.eq_ignore_ascii_case("unknown") {
        None
    } else if text.len() < ACCOUNT_DIGITS && text.bytes().all(|b| b.is_ascii_digit()) {
        Some(Cow::Owned(format!("{text:0>ACCOUNT_DIGITS$}")))
    } else {
        Some(Cow::Borrowed(text))
    }
}

/// Returns AWS's spelling of the decision that a text spells; the text itself where it spells none.
fn decision_in(text: &str) -> Cow<'_, str> {
    // The commonest spellings are AWS's own and need no search.
    if matches!(text, "ACCEPT" | "REJECT" | "ingress" | "egress" | "OK") {
        return Cow::Borrowed(text);
    }
    // Owned, since a borrowed value is taken to lie in the page that the text was read from.
    decision_of(text).map_or(Cow::Borrowed(text), |decision| Cow::Owned(decision.spelling().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_follow_the_meaning_of_their_field() {
        let value = |field, text| Meaning::of(field).value_of(text).map(Cow::into_owned);
        for (field, text, expected) in [
            (Field::AccountId, "12345678901", Some("012345678901")),
            (Field::AccountId, " 123456789012 ", Some("123456789012")),
            (Field::AccountId, "Unknown", None),
            (Field::AccountId, "my-alias", Some("my-alias")),
            (Field::InstanceId, "unknown", Some("unknown")),
            (Field::InstanceId, " - ", None),
            (Field::VpcId, "12", Some("12")),
            (Field::Action, "Allowed", Some("ACCEPT")),
            (Field::Action, "perhaps", Some("perhaps")),
            (Field::LogStatus, "NODATA", Some("NODATA")),
            (Field::FlowDirection, "INBOUND", Some("ingress")),
            (Field::FlowDirection, "", None),
        ] {
            assert_eq!(value(field, text).as_deref(), expected, "{field:?} {text:?}");
        }
    }
}

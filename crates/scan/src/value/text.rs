//! What the text of a field means: placeholders of missing values, repaired accounts, decisions.

use super::decision::decision_of;
use flow::schema::{Field, is_missing};
use std::borrow::Cow;

/// Returns the value of a text; `None` for placeholders of a missing value.
///
/// Account numbers that went through pandas lost their leading zeros; they are restored. AWS writes the account `unknown`
/// where it could not find it, which is a missing value too.
pub(crate) fn value_of(text: &str, account: bool) -> Option<Cow<'_, str>> {
    let text = text.trim();
    if is_missing(text) || (account && text.eq_ignore_ascii_case("unknown")) {
        None
    } else if account && text.len() < 12 && text.bytes().all(|b| b.is_ascii_digit()) {
        Some(Cow::Owned(format!("{text:0>12}")))
    } else {
        Some(Cow::Borrowed(text))
    }
}

/// What the texts of a field mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Meaning {
    /// The text itself.
    #[default]
    Text,
    /// An account number, which may have lost its leading zeros.
    Account,
    /// A decision, returned in AWS's spelling, whatever the spelling of OCSF or the case.
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

    /// Returns the value of a text; `None` for placeholders of a missing value.
    pub fn value_of(self, text: &str) -> Option<Cow<'_, str>> {
        let value = value_of(text, self == Self::Account)?;
        if self != Self::Decision || matches!(&*value, "ACCEPT" | "REJECT" | "ingress" | "egress" | "OK") {
            return Some(value);
        }
        // Owned: this spelling is not in the page that the text was read from.
        Some(decision_of(&value).map_or(value, |decision| Cow::Owned(decision.spelling().to_owned())))
    }
}

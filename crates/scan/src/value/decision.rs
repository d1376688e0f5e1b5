//! The texts of `action`, `flow_direction` and `log_status`, in the spellings of all writers.

/// The value of a record's `action`, `flow_direction` or `log_status`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Decision {
    /// `action` ACCEPT.
    Accept = 1,
    /// `action` REJECT.
    Reject = 2,
    /// `flow_direction` ingress.
    Ingress = 3,
    /// `flow_direction` egress.
    Egress = 4,
    /// `log_status` OK.
    Ok = 5,
    /// `log_status` NODATA: no traffic in the window.
    NoData = 6,
    /// `log_status` SKIPDATA: AWS lost records of the window.
    SkipData = 7,
}

/// Compares the codes of a batch with a decision.
impl PartialEq<Decision> for u8 {
    fn eq(&self, other: &Decision) -> bool {
        *self == *other as u8
    }
}

impl Decision {
    /// Returns AWS's spelling.
    pub(crate) const fn spelling(self) -> &'static str {
        match self {
            Self::Accept => "ACCEPT",
            Self::Reject => "REJECT",
            Self::Ingress => "ingress",
            Self::Egress => "egress",
            Self::Ok => "OK",
            Self::NoData => "NODATA",
            Self::SkipData => "SKIPDATA",
        }
    }
}

/// Spellings of each decision, in any case.
const DECISIONS: &[(&str, Decision)] = &[
    ("ACCEPT", Decision::Accept),
    ("accepted", Decision::Accept),
    ("allowed", Decision::Accept),
    ("traffic", Decision::Accept),
    ("REJECT", Decision::Reject),
    ("rejected", Decision::Reject),
    ("blocked", Decision::Reject),
    ("denied", Decision::Reject),
    ("refuse", Decision::Reject),
    ("ingress", Decision::Ingress),
    ("inbound", Decision::Ingress),
    ("egress", Decision::Egress),
    ("outbound", Decision::Egress),
    ("OK", Decision::Ok),
    ("NODATA", Decision::NoData),
    ("SKIPDATA", Decision::SkipData),
];

/// Returns the code of the decision that a text spells, 0 for none.
pub(crate) fn decision_code(text: &str) -> u8 {
    decision_of(text).map_or(0, |decision| decision as u8)
}

/// Returns the decision that a text spells.
pub(crate) fn decision_of(text: &str) -> Option<Decision> {
    DECISIONS.iter().find(|(known, _)| known.eq_ignore_ascii_case(text)).map(|(_, decision)| *decision)
}

//! Keys, tokens, users and roles that are used again after a long silence.

use access::{Identities, LedgerEntry};
use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use flow::time::DAY_S;
use kernels::novelty::conformal_p;

use super::columns::Columns;
use super::days::WARM_UP_DAYS;
use super::{AccessLogs, tables::AccessWindow};

/// Silences of fewer days are not told.
const MIN_GAP_DAYS: i64 = 30;

/// A use after a silence.
#[derive(Debug, Clone, PartialEq)]
struct Waking {
    /// `credential` or `principal`.
    kind: &'static str,
    identity: String,
    credential: String,
    credential_kind: &'static str,
    /// First and last second of the spell of use.
    spell_s: (i64, i64),
    last_used_s: i64,
    /// `log`, `report` or `creation`.
    last_from: &'static str,
    created_s: Option<i64>,
    /// Its earlier silences, ascending, in seconds.
    own_gaps: Vec<f64>,
}

impl Waking {
    fn gap_days(&self) -> i64 {
        (self.spell_s.0 - self.last_used_s) / DAY_S
    }

    /// Returns the chance of so long a silence, by its own earlier ones; never below 1/(silences + 1).
    fn p_gap(&self) -> f64 {
        conformal_p((self.spell_s.0 - self.last_used_s) as f64, &self.own_gaps)
    }
}

/// Returns the first spells of use after each long silence of a ledger's entry.
fn wakings(entry: &LedgerEntry) -> impl Iterator<Item = ((i64, i64), i64, &'static str, Vec<f64>)> + '_ {
    let gaps = entry.uses.gaps_s();
    entry.uses.spells().iter().enumerate().filter_map(move |(at, spell)| {
        let last = entry.last_before(spell.0);
        let made = entry.created_s.filter(|made| *made < spell.0).map(|made| (made, "creation"));
        let (last_s, from) = last.map(|(at, told)| (at, if told { "report" } else { "log" })).or(made)?;
        let mut own: Vec<f64> = gaps[..at.saturating_sub(1).min(gaps.len())].iter().map(|gap| *gap as f64).collect();
        own.sort_by(f64::total_cmp);
        (spell.0 - last_s >= MIN_GAP_DAYS * DAY_S).then_some((*spell, last_s, from, own))
    })
}

/// Returns `wakings`: one row for each credential or principal that is used after a silence of at least 30 days.
/// `logs_begin_s` is the second of the first act.
///
/// # Errors
/// [`ArrowError`] if the columns do not fit together.
pub fn table(
    logs: &AccessLogs,
    identities: &Identities,
    window: &AccessWindow,
    logs_begin_s: i64,
) -> Result<RecordBatch, ArrowError> {
    let mut found: Vec<Waking> = Vec::new();
    for (credential, entry) in logs.credentials.iter() {
        found.extend(wakings(entry).map(|(spell_s, last_used_s, last_from, own_gaps)| Waking {
            kind: "credential",
            identity: identities.of_principal(entry.owner()).into_owned(),
            credential: credential.last_four().to_owned(),
            credential_kind: credential.kind().name(),
            spell_s,
            last_used_s,
            last_from,
            created_s: entry.created_s,
            own_gaps,
        }));
    }
    for (_, principal, entry) in logs.principals.iter() {
        found.extend(wakings(entry).map(|(spell_s, last_used_s, last_from, own_gaps)| Waking {
            kind: "principal",
            identity: identities.of_principal(principal).into_owned(),
            credential: String::new(),
            credential_kind: "",
            spell_s,
            last_used_s,
            last_from,
            created_s: entry.created_s,
            own_gaps,
        }));
    }
    // Who uses a key when the logs begin may have used it all the time since it was made.
    let is_known = |one: &Waking| one.last_from != "creation" || one.spell_s.0 >= logs_begin_s + WARM_UP_DAYS * DAY_S;
    found.retain(|one| window.holds(one.spell_s.0, one.spell_s.0) && is_known(one));
    let to_days = |seconds: i64| seconds / DAY_S;
    Columns::of(&found)
        .text("kind", |one| one.kind)
        .text("identity", |one| &one.identity)
        .text("credential", |one| &one.credential)
        .text("credential_kind", |one| one.credential_kind)
        .time("day", |one| Some(one.spell_s.0.div_euclid(DAY_S) * DAY_S))
        .time("first_seen", |one| Some(one.spell_s.0))
        .time("last_seen", |one| Some(one.spell_s.1.min(window.to_s - 1)))
        .time("last_used", |one| Some(one.last_used_s))
        .text("last_from", |one| one.last_from)
        .whole("gap_days", |one| Some(one.gap_days()))
        .whole("age_days", |one| one.created_s.map(|made| to_days(one.spell_s.0 - made)))
        .count("own_gaps", |one| one.own_gaps.len() as u64)
        .whole("longest_gap_days", |one| one.own_gaps.last().map(|gap| to_days(*gap as i64)))
        .float("p_gap", |one| Some(one.p_gap()))
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use access::{Act, Credential, Log, Outcome};
    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;

    fn logs(days: &[i64], reported: Option<i64>) -> AccessLogs {
        let mut logs = AccessLogs::default();
        let key = Credential::key("AKIAIOSFODNN7EXAMPLE".into());
        for day in days {
            let mut act = Act::new(Log::CloudTrail, day * DAY_S * 1_000_000);
            (act.principal, act.credential, act.outcome) = ("jo".into(), key.clone(), Outcome::Success);
            logs.credentials.add(&act);
        }
        logs.credentials.report(&key, Some(0), reported.map(|day| day * DAY_S));
        logs
    }

    fn rows(logs: &AccessLogs) -> Vec<(i64, String, i64)> {
        let window = AccessWindow { from_s: 390 * DAY_S, to_s: 500 * DAY_S };
        let table = table(logs, &Identities::default(), &window, 385 * DAY_S).unwrap();
        let (gaps, own) =
            (table["gap_days"].as_primitive::<Int64Type>(), table["own_gaps"].as_primitive::<Int64Type>());
        let from = table["last_from"].as_string::<i32>();
        (0..table.num_rows()).map(|at| (gaps.value(at), from.value(at).to_owned(), own.value(at))).collect()
    }

    #[test]
    fn a_silence_is_told_by_a_log_a_report_or_the_making_of_the_key() {
        assert_eq!(rows(&logs(&[400], Some(245))), [(155, "report".to_owned(), 0)]);
        assert_eq!(rows(&logs(&[400], None)), [(400, "creation".to_owned(), 0)]);
        // Used every quarter.
        assert_eq!(rows(&logs(&[130, 220, 310, 400], None)), [(90, "log".to_owned(), 2)]);
        // Within a spell, and outside of the window.
        assert_eq!(rows(&logs(&[399, 400], Some(398))), []);
        assert_eq!(rows(&logs(&[380], Some(200))), []);
        // When the logs begin.
        assert_eq!(rows(&logs(&[391], None)), []);
    }

    #[test]
    fn a_report_that_is_made_after_the_use_tells_nothing() {
        assert_eq!(rows(&logs(&[400], Some(401))), [(400, "creation".to_owned(), 0)]);
    }
}

//! The waist as record batches: `access_hours`, `credentials` and `principals`.

use access::{AccessHour, Credential, Identities, LedgerEntry, Log};
use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use flow::time::DAY_S;

use super::AccessLogs;
use super::columns::Columns;
use super::places::Places;

/// Returns `access_hours`: one row for each row of the fold, in the order of hour and log and then of all else.
///
/// `network` is the owner by a list, else the network by any log, else the /24 or /48; `identity` is who the principal
/// is in all logs; of a credential only the last four characters are told.
///
/// # Errors
/// [`ArrowError`] if the columns do not fit together, which a test rules out.
pub fn access_hours(
    rows: &[AccessHour<'_>],
    identities: &Identities,
    places: &Places,
) -> Result<RecordBatch, ArrowError> {
    Columns::of(rows)
        .time("hour", |row| Some(row.hour_s))
        .text("log", |row| row.log.name())
        .text("account_id", |row| row.account)
        .text("region", |row| row.region)
        .made_text("identity", |row| {
            (!row.principal.is_empty()).then(|| identities.of_principal(row.principal).into_owned())
        })
        .text("principal", |row| row.principal)
        .text("principal_kind", |row| row.principal_kind.name())
        .text("credential", |row| row.credential.last_four())
        .text("credential_kind", |row| row.credential.kind().name())
        .text("source", |row| row.source)
        .text("network", |row| places.network(row.source))
        .text("subnet", |row| places.subnet(row.source))
        .text("country", |row| places.country(row.source))
        .text("agent_family", |row| row.agent_family)
        .text("service", |row| row.service)
        .text("app", |row| row.app)
        .text("target", |row| row.target)
        .text("action", |row| row.action)
        .text("action_class", |row| row.action_class.name())
        .text("outcome", |row| row.outcome.name())
        .flag("mfa", |row| row.mfa)
        .text("object", |row| row.object)
        .text("event_id", |row| row.event_id)
        .count("events", |row| row.sums.events)
        .count("objects", |row| row.sums.objects.count() as u64)
        .count("bytes_out", |row| row.sums.bytes_out)
        .count("bytes_in", |row| row.sums.bytes_in)
        .time("first_seen", |row| Some(row.sums.first_s))
        .time("last_seen", |row| Some(row.sums.last_s))
        .finish()
}

/// Returns `access_hours` of logs without lists of networks: a source's network is what a log says, else its subnet.
///
/// # Errors
/// [`ArrowError`] if the columns do not fit together.
pub fn plain_access_hours(logs: &AccessLogs) -> Result<RecordBatch, ArrowError> {
    let rows = logs.hours.rows();
    let identities = Identities::of(rows.iter().map(|row| row.principal));
    let nothing = super::Surroundings { owner_of: &|_| None, is_internal: &|_| false };
    access_hours(&rows, &identities, &Places::of(&rows, &nothing))
}

/// Returns `credentials`: when each key, token and password was used.
///
/// # Errors
/// [`ArrowError`] if the columns do not fit together.
pub fn credentials(logs: &AccessLogs) -> Result<RecordBatch, ArrowError> {
    let rows: Vec<(&Credential<'static>, &LedgerEntry)> = logs.credentials.iter().collect();
    let columns = Columns::of(&rows)
        .text("credential", |row| row.0.last_four())
        .text("credential_kind", |row| row.0.kind().name())
        .text("owner", |row| row.1.owner());
    ledger_columns(columns, |row| row.1).finish()
}

/// Returns `principals`: when each user, role and service account acted.
///
/// # Errors
/// [`ArrowError`] if the columns do not fit together.
pub fn principals(logs: &AccessLogs) -> Result<RecordBatch, ArrowError> {
    let rows: Vec<(Log, &str, &LedgerEntry)> = logs.principals.iter().collect();
    let columns = Columns::of(&rows).text("log", |row| row.0.name()).text("principal", |row| row.1);
    ledger_columns(columns, |row| row.2).finish()
}

fn ledger_columns<'r, R>(columns: Columns<'r, R>, entry: impl Fn(&'r R) -> &'r LedgerEntry) -> Columns<'r, R> {
    let longest = |entry: &LedgerEntry| entry.uses.gaps_s().into_iter().max().map(|gap| gap / DAY_S);
    columns
        .time("created", |row| entry(row).created_s)
        .time("reported_used", |row| entry(row).reported_s())
        .time("first_seen", |row| entry(row).uses.first_s())
        .time("last_seen", |row| entry(row).uses.last_s())
        .time("previous_last_seen", |row| entry(row).uses.previous_s())
        .count("gaps", |row| entry(row).uses.gaps_s().len() as u64)
        .whole("longest_gap_days", |row| longest(entry(row)))
}

#[cfg(test)]
mod tests {
    use access::{Act, Credential, Log, Outcome, PrincipalKind};
    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;

    use super::*;

    fn logs(order: &[i64]) -> AccessLogs {
        let mut logs = AccessLogs::default();
        for second in order {
            let mut act = Act::new(Log::CloudTrail, second * 1_000_000);
            act.principal = "arn:aws:iam::112233445566:user/Jo".into();
            act.principal_kind = PrincipalKind::User;
            act.credential = Credential::key("AKIAIOSFODNN7EXAMPLE".into());
            act.event_id = format!("e{second}").into();
            act.source = "198.51.100.7".into();
            act.outcome = Outcome::Success;
            logs.hours.add(&act);
            logs.credentials.add(&act);
            logs.principals.add(&act);
        }
        logs
    }

    #[test]
    fn tables_do_not_depend_on_the_order_of_acts_and_show_four_characters() {
        let (one, other) = (logs(&[10, 5_000, 10_000_000]), logs(&[10_000_000, 10, 5_000]));
        let tables =
            |logs: &AccessLogs| [plain_access_hours(logs), credentials(logs), principals(logs)].map(Result::unwrap);
        assert_eq!(tables(&one), tables(&other));
        let [hours, credentials, principals] = tables(&one);
        assert_eq!(hours.num_rows(), 3);
        assert_eq!(hours["credential"].as_string::<i32>().value(0), "MPLE");
        assert_eq!(hours["network"].as_string::<i32>().value(0), "198.51.100.0/24");
        assert_eq!(credentials["longest_gap_days"].as_primitive::<Int64Type>().value(0), 115);
        assert_eq!(principals["principal"].as_string::<i32>().value(0), "arn:aws:iam::112233445566:user/jo");
        let shown = format!("{hours:?}{credentials:?}");
        assert!(!shown.contains("IOSFODNN"));
    }

    #[test]
    fn no_logs_are_tables_without_rows() {
        let none = AccessLogs::default();
        assert_eq!(plain_access_hours(&none).unwrap().num_rows(), 0);
        assert_eq!(credentials(&none).unwrap().num_rows(), 0);
    }
}

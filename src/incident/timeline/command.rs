//! Commands that show the records behind an entry, to copy into a shell.
//!
//! A timeline does not know where the logs lie, and says the same wherever they do: its commands read `"$LOGS"`, which
//! the reader sets once, or which [`with_sources`] replaces.

use crate::detect::Finding;
use flow::Address;
use flow::time::{HOUR_S, hour_of, rfc3339};

/// The source in a command.
const SOURCE: &str = "\"$LOGS\"";

/// Returns a command of a timeline with its sources named, quoted for a shell.
///
/// ```
/// # use flowsift::incident::timeline::with_sources;
/// let command = with_sources("flowsift query preview \"$LOGS\"", &["s3://logs/AWSLogs".to_owned(), "my logs".to_owned()]);
/// assert_eq!(command, "flowsift query preview s3://logs/AWSLogs 'my logs'");
/// ```
#[must_use]
pub fn with_sources(command: &str, sources: &[String]) -> String {
    let words: Vec<String> = sources.iter().map(|source| quoted(source)).collect();
    // Values are quoted with apostrophes, so only the source stands in these marks; it comes before all values.
    command.replacen(SOURCE, &words.join(" "), 1)
}

/// Returns a word as a shell reads it back: as it is where nothing in it means anything to a shell.
pub(super) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/.:_-,=@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Returns the options that bound a command to the hours of a span.
fn bounds(span_s: (i64, i64)) -> String {
    let to_s = hour_of(span_s.1.max(span_s.0)) + HOUR_S;
    format!("--from {} --to {}", rfc3339(hour_of(span_s.0)), rfc3339(to_s))
}

/// Returns a command that runs a query of the catalogue over a span.
pub(super) fn query(name: &str, span_s: (i64, i64), parameters: &[(&str, String)]) -> String {
    let mut command = format!("flowsift query {name} {SOURCE} {}", bounds(span_s));
    for (parameter, value) in parameters {
        command.push_str(" --param ");
        command.push_str(&quoted(&format!("{parameter}={value}")));
    }
    command
}

/// Returns a command that shows the records between two addresses.
pub(super) fn between(one: Address, other: Address, span_s: (i64, i64)) -> String {
    query("flows_between", span_s, &[("one", one.to_string()), ("other", other.to_string())])
}

/// Returns a command that shows what an address sent.
pub(super) fn sent_by(address: Address, span_s: (i64, i64)) -> String {
    query("traffic_from_address", span_s, &[("address", address.to_string())])
}

/// Returns a command that shows what an address received.
pub(super) fn received_by(address: Address, span_s: (i64, i64)) -> String {
    query("traffic_to_address", span_s, &[("address", address.to_string())])
}

/// Returns a command that shows a host hour by hour.
pub(super) fn hours_of(host: Address, span_s: (i64, i64)) -> String {
    query("host_day", span_s, &[("host", host.to_string())])
}

/// Returns a command that shows for which hours of a span there are records, of an interface or of all.
pub(super) fn logged_hours(interface_id: Option<&str>, span_s: (i64, i64)) -> String {
    let which = interface_id.map(|id| format!(" WHERE interface_id = '{}'", id.replace('\'', "''")));
    let sql = format!(
        "SELECT hour, sum(records) AS records, sum(nodata) AS nodata, sum(skipdata) AS skipdata FROM coverage{} \
         GROUP BY hour ORDER BY hour",
        which.unwrap_or_default()
    );
    format!("flowsift sql {SOURCE} {} -c {}", bounds(span_s), quoted(&sql))
}

/// Returns a command that shows what the principal of a finding did, or who came from its address.
pub(super) fn accesses_of(finding: &Finding, span_s: (i64, i64)) -> String {
    let text = |value: &str| format!("'{}'", value.replace('\'', "''"));
    let which = match (&finding.principal, &finding.source) {
        (Some(principal), _) => format!("principal = {}", text(principal)),
        (None, Some(source)) => format!("source = {}", text(source)),
        (None, None) => "true".to_owned(),
    };
    let sql = format!(
        "SELECT time, log, principal, credential, source, service, app, action, outcome, object FROM accesses \
         WHERE {which} ORDER BY time"
    );
    format!("flowsift sql {SOURCE} {} -c {}", bounds(span_s), quoted(&sql))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_words_back_as_they_are() {
        assert_eq!(quoted("one=10.0.0.1"), "one=10.0.0.1");
        assert_eq!(quoted("one=2001:db8::7"), "one=2001:db8::7");
        assert_eq!(quoted("it's $HOME `x`"), "'it'\\''s $HOME `x`'");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("a\nb"), "'a\nb'");
    }

    #[test]
    fn what_others_named_stays_a_text_in_sql_and_shell() {
        let command = logged_hours(Some("eni'; DROP"), (3_600, 7_199));
        assert_eq!(
            command,
            "flowsift sql \"$LOGS\" --from 1970-01-01T01:00:00Z --to 1970-01-01T02:00:00Z -c 'SELECT hour, sum(records) AS \
             records, sum(nodata) AS nodata, sum(skipdata) AS skipdata FROM coverage WHERE interface_id = \
             '\\''eni'\\'''\\''; DROP'\\'' GROUP BY hour ORDER BY hour'"
        );
    }

    #[test]
    fn a_span_is_shown_with_its_whole_hours() {
        let command = between("10.0.0.1".parse().unwrap(), "2001:db8::7".parse().unwrap(), (7_199, 7_200));
        assert_eq!(
            command,
            "flowsift query flows_between \"$LOGS\" --from 1970-01-01T01:00:00Z --to 1970-01-01T03:00:00Z \
             --param one=10.0.0.1 --param other=2001:db8::7"
        );
    }
}

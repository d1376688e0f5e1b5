//! Incidents as JSON Lines, `incidents.jsonl`: one JSON object per line, in the order given.

use super::error::ReportError;
use super::jsonl::{read_lines, write_lines};
use crate::incident::Incident;
use crate::incident::model::SCHEMA_VERSION;
use std::io::{BufRead, Write};

/// Writes incidents as JSON Lines.
///
/// Writes line by line: pass a buffered writer when there are many, and flush it.
///
/// # Errors
/// [`ReportError::Io`] when the writer fails; see [`ReportError::is_broken_pipe`].
pub fn write_incidents<W: Write>(out: W, incidents: &[Incident]) -> Result<(), ReportError> {
    write_lines(out, incidents, "incident", |incident| &incident.id)
}

/// Reads incidents from JSON Lines; blank lines are skipped, unknown fields ignored.
///
/// `name` is for messages only.
///
/// # Errors
/// [`ReportError::Line`] for the first line that is not an incident, [`ReportError::SchemaVersion`] for incidents of
/// another version, [`ReportError::Io`] when the reader fails.
pub fn read_incidents<R: BufRead>(input: R, name: &str) -> Result<Vec<Incident>, ReportError> {
    read_lines(input, name, ("an incident", SCHEMA_VERSION), |row, incident: &Incident| {
        let got = incident.schema_version;
        if got == SCHEMA_VERSION {
            return Ok(());
        }
        Err(ReportError::SchemaVersion { name: name.to_owned(), what: "incident", row, got, expected: SCHEMA_VERSION })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An incident with every kind of part.
    const LINES: &str = include_str!("../../tests/slt/incidents.jsonl");

    #[test]
    fn incidents_come_back_as_they_were() {
        let incidents = read_incidents(LINES.as_bytes(), "incidents.jsonl").unwrap();
        let mut bytes = Vec::new();
        write_incidents(&mut bytes, &incidents).unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), LINES);
    }

    #[test]
    fn damage_and_other_versions_are_named_by_line() {
        let error = read_incidents(&b"{\"id\": 1}\n"[..], "i.jsonl").unwrap_err();
        assert_eq!(
            error.to_string(),
            "i.jsonl:1: not an incident; expected a JSON object with the fields of schema version 1"
        );
        let newer = LINES.replacen("\"schema_version\":1", "\"schema_version\":9", 1);
        assert_eq!(
            read_incidents(newer.as_bytes(), "i.jsonl").unwrap_err().to_string(),
            "i.jsonl: incident 1 has schema version 9, expected 1; use the flowsift that wrote it"
        );
    }
}

//! Findings as JSON Lines: one JSON object per line, in the order given.

use std::io::{BufRead, Write};

use super::error::ReportError;
use crate::detect::finding::{Finding, SCHEMA_VERSION};
use flow::printable::EscapedJson;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Writes findings as JSON Lines.
///
/// Writes line by line: pass a buffered writer when there are many, and flush it.
///
/// # Errors
/// [`ReportError::Io`] when the writer fails; see [`ReportError::is_broken_pipe`].
pub fn write_jsonl<W: Write>(out: W, findings: &[Finding]) -> Result<(), ReportError> {
    write_lines(out, findings, "finding", |finding| &finding.id)
}

/// Reads findings from JSON Lines; blank lines are skipped, unknown fields ignored.
///
/// `name` is for messages only.
///
/// # Errors
/// [`ReportError::Line`] for the first line that is not a finding, [`ReportError::SchemaVersion`] for findings of
/// another version, [`ReportError::Io`] when the reader fails.
pub fn read_jsonl<R: BufRead>(input: R, name: &str) -> Result<Vec<Finding>, ReportError> {
    read_lines(input, name, ("a finding", SCHEMA_VERSION), |line_at, finding: &Finding| {
        check_version(name, line_at, finding.schema_version)
    })
}

/// Writes one JSON object per line; `what` is one of them, in a word.
pub(super) fn write_lines<W: Write, T: Serialize>(
    mut out: W,
    rows: &[T],
    what: &'static str,
    id: impl Fn(&T) -> &String,
) -> Result<(), ReportError> {
    let failed = |source| ReportError::Io { action: "write", what: format!("{what}s"), source };
    let mut line = Vec::with_capacity(1_024);
    for row in rows {
        line.clear();
        serde_json::to_writer(EscapedJson::new(&mut line), row).map_err(|source| ReportError::Json {
            what,
            id: id(row).clone(),
            source,
        })?;
        line.push(b'\n');
        out.write_all(&line).map_err(failed)?;
    }
    out.flush().map_err(failed)
}

/// Reads one JSON object per line, and checks each with its line; `expected` says what one is, and its version.
pub(super) fn read_lines<R: BufRead, T: DeserializeOwned>(
    mut input: R,
    name: &str,
    expected: (&'static str, u32),
    check: impl Fn(u64, &T) -> Result<(), ReportError>,
) -> Result<Vec<T>, ReportError> {
    let mut rows = Vec::new();
    let mut line = Vec::new();
    let mut line_at = 0;
    loop {
        line.clear();
        line_at += 1;
        let failed = |source| ReportError::Io { action: "read", what: name.to_owned(), source };
        if input.read_until(b'\n', &mut line).map_err(failed)? == 0 {
            return Ok(rows);
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let (what, version) = expected;
        let row: T = serde_json::from_slice(&line).map_err(|source| ReportError::Line {
            name: name.to_owned(),
            line: line_at,
            what,
            version,
            source,
        })?;
        check(line_at, &row)?;
        rows.push(row);
    }
}

pub(super) fn check_version(name: &str, row: u64, got: u32) -> Result<(), ReportError> {
    if got == SCHEMA_VERSION {
        return Ok(());
    }
    Err(ReportError::SchemaVersion { name: name.to_owned(), what: "finding", row, got, expected: SCHEMA_VERSION })
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::examples;
    use super::*;

    #[test]
    fn findings_come_back_as_they_were() {
        let findings = examples();
        let mut bytes = Vec::new();
        write_jsonl(&mut bytes, &findings).unwrap();
        assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), findings.len());
        assert_eq!(read_jsonl(&bytes[..], "findings.jsonl").unwrap(), findings);
        // Blank lines and a missing newline at the end do no harm.
        let text = format!("\n{}\r\n\n", String::from_utf8(bytes).unwrap().trim_end());
        assert_eq!(read_jsonl(text.as_bytes(), "findings.jsonl").unwrap(), findings);
    }

    #[test]
    fn damage_is_named_by_line() {
        let mut bytes = Vec::new();
        write_jsonl(&mut bytes, &examples()).unwrap();
        let cut = &bytes[..bytes.len() - 20];
        let error = read_jsonl(cut, "f.jsonl").unwrap_err();
        assert!(error.to_string().starts_with(&format!("f.jsonl:{}: not a finding", examples().len())), "{error}");

        let newer = String::from_utf8(bytes).unwrap().replacen("\"schema_version\":2", "\"schema_version\":3", 1);
        assert_eq!(
            read_jsonl(newer.as_bytes(), "f.jsonl").unwrap_err().to_string(),
            "f.jsonl: finding 1 has schema version 3, expected 2; use the flowsift that wrote it"
        );
    }

    #[test]
    fn a_reader_that_has_gone_is_told_from_a_failure() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        assert!(write_jsonl(Gone, &examples()).unwrap_err().is_broken_pipe());
    }
}

//! Findings as JSON Lines: one JSON object per line, in the order given.

use std::io::{BufRead, Write};

use super::error::ReportError;
use crate::detect::finding::{Finding, SCHEMA_VERSION};
use flow::printable::EscapedJson;

/// Writes findings as JSON Lines.
///
/// Writes line by line: pass a buffered writer when there are many, and flush it.
///
/// # Errors
/// [`ReportError::Io`] when the writer fails; see [`ReportError::is_broken_pipe`].
pub fn write_jsonl<W: Write>(mut out: W, findings: &[Finding]) -> Result<(), ReportError> {
    let mut line = Vec::with_capacity(1_024);
    for finding in findings {
        line.clear();
        serde_json::to_writer(EscapedJson::new(&mut line), finding)
            .map_err(|source| ReportError::Json { id: finding.id.clone(), source })?;
        line.push(b'\n');
        out.write_all(&line).map_err(|source| io_error("write", "findings", source))?;
    }
    out.flush().map_err(|source| io_error("write", "findings", source))
}

/// Reads findings from JSON Lines; blank lines are skipped, unknown fields ignored.
///
/// `name` is for messages only.
///
/// # Errors
/// [`ReportError::Line`] for the first line that is not a finding, [`ReportError::SchemaVersion`] for findings of
/// another version, [`ReportError::Io`] when the reader fails.
pub fn read_jsonl<R: BufRead>(mut input: R, name: &str) -> Result<Vec<Finding>, ReportError> {
    let mut findings = Vec::new();
    let mut line = Vec::new();
    let mut line_at = 0;
    loop {
        line.clear();
        line_at += 1;
        if input.read_until(b'\n', &mut line).map_err(|source| io_error("read", name, source))? == 0 {
            return Ok(findings);
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let finding: Finding = serde_json::from_slice(&line).map_err(|source| ReportError::Line {
            name: name.to_owned(),
            line: line_at,
            source,
        })?;
        check_version(name, line_at, finding.schema_version)?;
        findings.push(finding);
    }
}

fn io_error(action: &'static str, what: &str, source: std::io::Error) -> ReportError {
    ReportError::Io { action, what: what.to_owned(), source }
}

pub(super) fn check_version(name: &str, row: u64, got: u32) -> Result<(), ReportError> {
    if got == SCHEMA_VERSION {
        return Ok(());
    }
    Err(ReportError::SchemaVersion { name: name.to_owned(), row, got, expected: SCHEMA_VERSION })
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

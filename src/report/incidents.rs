//! Incidents as JSON Lines, `incidents.jsonl`: one JSON object per line, in the order given.

use super::error::ReportError;
use crate::incident::Incident;
use flow::printable::EscapedJson;
use std::io::Write;

/// Writes incidents as JSON Lines.
///
/// Writes line by line: pass a buffered writer when there are many, and flush it.
///
/// # Errors
/// [`ReportError::Io`] when the writer fails; see [`ReportError::is_broken_pipe`].
pub fn write_incidents<W: Write>(mut out: W, incidents: &[Incident]) -> Result<(), ReportError> {
    let failed = |source| ReportError::Io { action: "write", what: "incidents".to_owned(), source };
    let mut line = Vec::with_capacity(4_096);
    for incident in incidents {
        line.clear();
        serde_json::to_writer(EscapedJson::new(&mut line), incident)
            .map_err(|source| ReportError::Json { id: incident.id.clone(), source })?;
        line.push(b'\n');
        out.write_all(&line).map_err(failed)?;
    }
    out.flush().map_err(failed)
}

//! Findings and incidents in the forms of other programs: OCSF, STIX and Timesketch.

use super::show::{FindingsFormat, write_stdout};
use crate::cli::exit::Failure;
use crate::detect::Finding;
use crate::incident::Incident;
use crate::report::ocsf::IsInternal;
use crate::report::{ocsf_events, write_ocsf, write_ocsf_parquet, write_stix, write_timesketch};
use bytes::Bytes;

/// The events of OCSF as JSON Lines.
pub(super) const OCSF_FILE: &str = "findings.ocsf.jsonl";
/// The events of OCSF as Parquet.
pub(super) const OCSF_PARQUET_FILE: &str = "findings.ocsf.parquet";
/// The bundle of STIX.
pub(super) const STIX_FILE: &str = "incidents.stix.json";
/// The lines for Timesketch.
pub(super) const TIMESKETCH_FILE: &str = "timeline.jsonl";

/// A file in a form of other programs.
pub(super) struct ExchangeFile {
    pub(super) name: &'static str,
    pub(super) bytes: Bytes,
    /// Whether it goes to stdout, too.
    shown: bool,
}

impl ExchangeFile {
    fn new(name: &'static str, bytes: Vec<u8>) -> Self {
        Self { name, bytes: bytes.into(), shown: name != OCSF_PARQUET_FILE }
    }

    /// Writes the file to stdout, unless it is only for `--out`.
    pub(super) fn show(&self) -> Result<(), Failure> {
        if !self.shown {
            return Ok(());
        }
        Ok(write_stdout(&self.bytes)?)
    }
}

/// Returns the files of a format; none for formats of our own.
pub(super) fn files(
    format: FindingsFormat,
    findings: &[Finding],
    incidents: &[Incident],
    is_internal: IsInternal<'_>,
) -> Result<Vec<ExchangeFile>, Failure> {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    Ok(match format {
        FindingsFormat::Ocsf => {
            let events = ocsf_events(findings, incidents, is_internal);
            write_ocsf(&mut first, &events)?;
            write_ocsf_parquet(&mut second, &events)?;
            vec![ExchangeFile::new(OCSF_FILE, first), ExchangeFile::new(OCSF_PARQUET_FILE, second)]
        }
        FindingsFormat::Stix => {
            write_stix(&mut first, incidents)?;
            vec![ExchangeFile::new(STIX_FILE, first)]
        }
        FindingsFormat::Timesketch => {
            write_timesketch(&mut first, findings, incidents)?;
            vec![ExchangeFile::new(TIMESKETCH_FILE, first)]
        }
        FindingsFormat::Table | FindingsFormat::Jsonl | FindingsFormat::Parquet | FindingsFormat::Html => Vec::new(),
    })
}

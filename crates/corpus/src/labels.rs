//! `labels.csv`: what is known about pairs of addresses.

use std::path::Path;

use crate::error::CorpusError;
use crate::named_columns::read_rows;
use flow::Address;

/// One line of `labels.csv`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label {
    /// The side that opens the connections.
    pub src: Address,
    /// The side that answers.
    pub dst: Address,
    /// Server port; `None` when the label applies to every port.
    pub port: Option<u16>,
    /// IANA protocol number; `None` when the label applies to every protocol.
    pub protocol: Option<u8>,
    /// What it is; see [`Label::is_attack`].
    pub label: String,
    /// Details, or where the label comes from.
    pub source: String,
}

impl Label {
    /// Returns whether the label names an attack: it starts with `c2`, `beacon` or `exfil`.
    pub fn is_attack(&self) -> bool {
        ["c2", "beacon", "exfil"].iter().any(|word| self.label.starts_with(word))
    }

    /// Returns whether the label names another part of a campaign: it starts with `stage-`. A finding about it is true, but
    /// no finding has to be about it.
    pub fn is_stage(&self) -> bool {
        self.label.starts_with("stage-")
    }
}

const HEADER: [&str; 6] = ["src", "dst", "dport", "proto", "label", "source"];

/// Writes labels, in the order given.
///
/// # Errors
/// [`CorpusError::Io`] when the file cannot be written.
pub fn write_labels(path: &Path, labels: &[Label]) -> Result<(), CorpusError> {
    let failed = |error: csv::Error| CorpusError::io(path, "write")(std::io::Error::other(error));
    let mut writer = csv::Writer::from_path(path).map_err(failed)?;
    writer.write_record(HEADER).map_err(failed)?;
    for label in labels {
        let port = label.port.map_or_else(|| "-".to_owned(), |port| port.to_string());
        let protocol = label.protocol.map_or_else(|| "-".to_owned(), |protocol| protocol.to_string());
        let (src, dst) = (label.src.to_string(), label.dst.to_string());
        writer.write_record([&src, &dst, &port, &protocol, &label.label, &label.source]).map_err(failed)?;
    }
    writer.flush().map_err(CorpusError::io(path, "write"))
}

/// Reads labels; columns are found by name, `dport` and `proto` may be empty or `-`.
///
/// # Errors
/// [`CorpusError::Io`] when the file cannot be read, [`CorpusError::InvalidInput`] with the line that is wrong.
pub fn read_labels(path: &Path) -> Result<Vec<Label>, CorpusError> {
    read_rows(path, &HEADER, |row| {
        Ok(Label {
            src: row.address(0)?,
            dst: row.address(1)?,
            port: row.number(2, 65_535)?,
            protocol: row.number(3, 255)?,
            label: row.cell(4).to_owned(),
            source: row.cell(5).to_owned(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_survive_a_round_trip() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.csv");
        let label = |dst: &str, port, label: &str| Label {
            src: "10.0.0.1".parse().unwrap(),
            dst: dst.parse().unwrap(),
            port,
            protocol: Some(6),
            label: label.into(),
            source: "period 60 s, \"quoted\"".into(),
        };
        let labels = vec![label("1.2.3.4", Some(443), "c2-sliver"), label("2001:db8::1", None, "benign")];
        write_labels(&path, &labels).unwrap();
        assert_eq!(read_labels(&path).unwrap(), labels);
        assert_eq!(labels.iter().map(Label::is_attack).collect::<Vec<_>>(), [true, false]);
        let stage = label("10.0.0.2", Some(22), "stage-session");
        assert!(stage.is_stage() && !stage.is_attack());
    }

    #[test]
    fn a_wrong_cell_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.csv");
        std::fs::write(&path, "src,dst,dport,proto,label,source\n10.0.0.1,1.2.3.4,99999,6,c2,x\n").unwrap();
        let error = read_labels(&path).unwrap_err().to_string();
        assert!(error.ends_with("line 2: `dport` is `99999`; expected a number up to 65535, or nothing"), "{error}");
        std::fs::write(&path, "src,dst\n").unwrap();
        assert!(read_labels(&path).unwrap_err().to_string().contains("no column `dport`"));
    }

    #[test]
    fn reads_the_labels_of_real_captures() {
        let Ok(folders) = std::fs::read_dir("../shared/captures") else { return };
        for folder in folders.flatten() {
            let path = folder.path().join("labels.csv");
            if path.exists() {
                assert!(!read_labels(&path).unwrap().is_empty(), "{}", path.display());
            }
        }
    }
}

//! `labels.csv`: what is known about pairs of addresses.

use std::path::Path;

use crate::error::CorpusError;
use flow::{Address, error_text};

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
    let file = std::fs::File::open(path).map_err(CorpusError::io(path, "read"))?;
    let mut reader = csv::Reader::from_reader(file);
    let broken = |error: csv::Error| {
        let line = error.position().map_or(1, csv::Position::line);
        CorpusError::input(path, format_args!("line {line}"), error_text(&error))
    };
    let header = reader.headers().map_err(broken)?.clone();
    let mut indices = [0; HEADER.len()];
    for (index, name) in indices.iter_mut().zip(HEADER) {
        *index = header.iter().position(|column| column.trim() == name).ok_or_else(|| {
            let message = format!("no column `{name}`; expected {}", HEADER.join(","));
            CorpusError::input(path, "line 1", message)
        })?;
    }
    let mut labels = Vec::new();
    for record in reader.records() {
        let record = record.map_err(broken)?;
        let line = record.position().map_or(0, csv::Position::line);
        let cell = |column: usize| record.get(indices[column]).unwrap_or("").trim();
        let wrong = |column: usize, expected: &str| {
            let message = format!("`{}` is `{}`; expected {expected}", HEADER[column], cell(column));
            CorpusError::input(path, format_args!("line {line}"), message)
        };
        let address = |column: usize| cell(column).parse::<Address>().map_err(|_| wrong(column, "an address"));
        let number = |column: usize, high: u32| match cell(column) {
            "" | "-" => Ok(None),
            text => match text.parse::<u32>() {
                Ok(number) if number <= high => Ok(Some(number)),
                _ => Err(wrong(column, &format!("a number up to {high}, or nothing"))),
            },
        };
        labels.push(Label {
            src: address(0)?,
            dst: address(1)?,
            port: number(2, 65_535)?.map(|port| port as u16),
            protocol: number(3, 255)?.map(|protocol| protocol as u8),
            label: cell(4).to_owned(),
            source: cell(5).to_owned(),
        });
    }
    Ok(labels)
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

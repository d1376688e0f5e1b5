//! `labels.csv` of a story: which records tell the steps of the intrusion.

use std::path::Path;

use crate::error::CorpusError;
use crate::named_columns::{NamedRow, has_columns, read_rows};
use flow::Address;
use flow::time::{parse_time, rfc3339};

/// The stage of a label that looks like an attack and is none.
pub const BENIGN_TRAP: &str = "benign_trap";

/// One line of `labels.csv`: a record that tells a step, or all flow records between two addresses. Texts are empty where
/// they do not apply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoryLabel {
    /// The log, such as `cloudtrail`.
    pub log: String,
    /// The record's id in its log: an event's id, a balancer's trace, the request of Bitbucket, `product:ms:action` of an
    /// audit record, `host>remote:port` of flows.
    pub id: String,
    /// When it happened, or began, in seconds since 1970-01-01 UTC.
    pub time_s: i64,
    /// The stage of the story.
    pub stage: String,
    /// ATT&CK technique ids, with spaces between.
    pub techniques: String,
    /// Details.
    pub note: String,
    /// Who acted, as the log writes it.
    pub principal: String,
    /// The key or the session, by its last four characters.
    pub credential: String,
    /// Where the caller was.
    pub source: Option<Address>,
    /// The monitored host that is involved.
    pub host: Option<Address>,
    /// The other side of flows.
    pub remote: Option<Address>,
}

impl StoryLabel {
    /// Returns whether the label names a step of the intrusion, rather than a benign trap.
    pub fn is_step(&self) -> bool {
        self.stage != BENIGN_TRAP
    }
}

const HEADER: [&str; 11] =
    ["log", "id", "time", "stage", "techniques", "note", "principal", "credential", "source", "host", "remote"];

/// Writes labels, in the order given.
///
/// # Errors
/// [`CorpusError::Io`] when the file cannot be written.
pub fn write_story_labels(path: &Path, labels: &[StoryLabel]) -> Result<(), CorpusError> {
    let failed = |error: csv::Error| CorpusError::io(path, "write")(std::io::Error::other(error));
    let mut writer = csv::Writer::from_path(path).map_err(failed)?;
    writer.write_record(HEADER).map_err(failed)?;
    let address = |address: Option<Address>| address.map_or_else(String::new, |address| address.to_string());
    for label in labels {
        let (time, source) = (rfc3339(label.time_s), address(label.source));
        let (host, remote) = (address(label.host), address(label.remote));
        let StoryLabel { log, id, stage, techniques, note, principal, credential, .. } = label;
        let cells: [&str; 11] =
            [log, id, &time, stage, techniques, note, principal, credential, &source, &host, &remote];
        writer.write_record(cells).map_err(failed)?;
    }
    writer.flush().map_err(CorpusError::io(path, "write"))
}

/// The columns that every file has; those behind them tell who acted.
const FIRST_COLUMNS: usize = 6;

/// Reads labels; columns are found by name. Files without the columns `principal`, `credential`, `source`, `host` and
/// `remote` leave those values empty.
///
/// # Errors
/// [`CorpusError::Io`] when the file cannot be read, [`CorpusError::InvalidInput`] with the line that is wrong.
pub fn read_story_labels(path: &Path) -> Result<Vec<StoryLabel>, CorpusError> {
    if has_columns(path, &HEADER[FIRST_COLUMNS..])? {
        return read_rows(path, &HEADER, |row| {
            let address = |column: usize| row.given(column).map(|_| row.address(column)).transpose();
            Ok(StoryLabel {
                principal: row.cell(6).to_owned(),
                credential: row.cell(7).to_owned(),
                source: address(8)?,
                host: address(9)?,
                remote: address(10)?,
                ..first_columns(row)?
            })
        });
    }
    let header: [&'static str; FIRST_COLUMNS] = std::array::from_fn(|column| HEADER[column]);
    read_rows(path, &header, first_columns)
}

fn first_columns<const N: usize>(row: &NamedRow<'_, N>) -> Result<StoryLabel, CorpusError> {
    Ok(StoryLabel {
        log: row.cell(0).to_owned(),
        id: row.cell(1).to_owned(),
        time_s: parse_time(row.cell(2), 0).map_err(|_| row.wrong(2, "a time such as 2023-11-14T09:22:49Z"))?,
        stage: row.cell(3).to_owned(),
        techniques: row.cell(4).to_owned(),
        note: row.cell(5).to_owned(),
        ..StoryLabel::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_survive_a_round_trip() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.csv");
        let step = StoryLabel {
            log: "cloudtrail".into(),
            id: "e1".into(),
            time_s: 1_699_956_131,
            stage: "aws_stale_key".into(),
            techniques: "T1078.004 T1580".into(),
            note: "first use, in 155 days".into(),
            principal: "arn:aws:iam::112233445566:user/a".into(),
            credential: "MPLE".into(),
            source: "198.19.200.22".parse().ok(),
            ..StoryLabel::default()
        };
        let trap = StoryLabel { stage: BENIGN_TRAP.into(), time_s: 0, ..StoryLabel::default() };
        let labels = vec![step, trap];
        write_story_labels(&path, &labels).unwrap();
        assert_eq!(read_story_labels(&path).unwrap(), labels);
        let short = "log,id,time,stage,techniques,note\nokta,u1,2023-11-14T09:22:49Z,probe,T1078.004,\n";
        std::fs::write(&path, short).unwrap();
        assert_eq!(read_story_labels(&path).unwrap()[0].time_s, 1_699_953_769);
        assert_eq!(labels.iter().map(StoryLabel::is_step).collect::<Vec<_>>(), [true, false]);
    }
}

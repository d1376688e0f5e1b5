//! `campaigns.csv`: what each campaign did, stage by stage.

use std::path::Path;

use crate::error::CorpusError;
use crate::named_columns::read_rows;
use flow::Address;
use flow::time::{parse_time, rfc3339};

/// The part of the other side in a stage.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Part {
    /// An inside host that acts itself afterwards.
    Compromised,
    /// An inside host that others are only reached over.
    Pivot,
    /// An inside host that is reached, tried or emptied.
    Target,
    /// An address outside that implants call.
    Controller,
    /// An address outside that data goes to.
    Drop,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 5] = [Self::Compromised, Self::Pivot, Self::Target, Self::Controller, Self::Drop];

    /// Returns the part as `campaigns.csv` names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Compromised => "compromised",
            Self::Pivot => "pivot",
            Self::Target => "target",
            Self::Controller => "controller",
            Self::Drop => "drop",
        }
    }

    /// Returns whether the part is that of an inside host.
    pub const fn is_inside(self) -> bool {
        matches!(self, Self::Compromised | Self::Pivot | Self::Target)
    }
}

/// One line of `campaigns.csv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageTruth {
    /// Name of the campaign.
    pub campaign: String,
    /// Name of the stage.
    pub stage: String,
    /// ATT&CK tactic, such as `lateral-movement`.
    pub tactic: String,
    /// First second of the stage, since 1970 UTC.
    pub time_s: i64,
    /// The side that acts: a compromised or pivot host, or an address outside in a stage of `initial-access`.
    pub src: Address,
    /// The other side; `None` where there are many.
    pub dst: Option<Address>,
    /// Server port; `None` where there are many.
    pub port: Option<u16>,
    /// The part of `dst`; `None` without one.
    pub part: Option<Part>,
}

const HEADER: [&str; 8] = ["campaign", "stage", "tactic", "time", "src", "dst", "port", "part"];

/// Writes what campaigns did, in the order given; what is not known is `-`.
///
/// # Errors
/// [`CorpusError::Io`] when the file cannot be written.
pub fn write_campaigns(path: &Path, stages: &[StageTruth]) -> Result<(), CorpusError> {
    let failed = |error: csv::Error| CorpusError::io(path, "write")(std::io::Error::other(error));
    let mut writer = csv::Writer::from_path(path).map_err(failed)?;
    writer.write_record(HEADER).map_err(failed)?;
    for stage in stages {
        let (time, src) = (rfc3339(stage.time_s), stage.src.to_string());
        let dst = stage.dst.map_or_else(|| "-".to_owned(), |dst| dst.to_string());
        let port = stage.port.map_or_else(|| "-".to_owned(), |port| port.to_string());
        let part = stage.part.map_or("-", Part::name);
        let cells = [stage.campaign.as_str(), &stage.stage, &stage.tactic, &time, &src, &dst, &port, part];
        writer.write_record(cells).map_err(failed)?;
    }
    writer.flush().map_err(CorpusError::io(path, "write"))
}

/// Reads what campaigns did; columns are found by name, `dst`, `port` and `part` may be empty or `-`.
///
/// # Errors
/// [`CorpusError::Io`] when the file cannot be read, [`CorpusError::InvalidInput`] with the line that is wrong.
pub fn read_campaigns(path: &Path) -> Result<Vec<StageTruth>, CorpusError> {
    let part = |text: &str| Part::ALL.into_iter().find(|part| part.name() == text);
    read_rows(path, &HEADER, |row| {
        let wrong_part = || row.wrong(7, &Part::ALL.map(Part::name).join(", "));
        Ok(StageTruth {
            campaign: row.given(0).ok_or_else(|| row.wrong(0, "the name of a campaign"))?.to_owned(),
            stage: row.cell(1).to_owned(),
            tactic: row.cell(2).to_owned(),
            time_s: parse_time(row.cell(3), 0).map_err(|_| row.wrong(3, "a time such as 2024-04-19T06:00:00Z"))?,
            src: row.address(4)?,
            dst: row.given(5).map(|_| row.address(5)).transpose()?,
            port: row.number(6, 65_535)?,
            part: row.given(7).map(|text| part(text).ok_or_else(wrong_part)).transpose()?,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_survive_a_round_trip() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("campaigns.csv");
        let stage = |dst: Option<&str>, part| StageTruth {
            campaign: "classic-1".into(),
            stage: "sweep".into(),
            tactic: "discovery".into(),
            time_s: 1_705_276_800,
            src: "10.0.0.4".parse().unwrap(),
            dst: dst.map(|text| text.parse().unwrap()),
            port: dst.map(|_| 22),
            part,
        };
        let stages: Vec<StageTruth> =
            Part::ALL.into_iter().map(|part| stage(Some("10.0.0.9"), Some(part))).chain([stage(None, None)]).collect();
        write_campaigns(&path, &stages).unwrap();
        assert_eq!(read_campaigns(&path).unwrap(), stages);
    }

    #[test]
    fn a_wrong_cell_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("campaigns.csv");
        let header = HEADER.join(",");
        for (line, expected) in [
            ("a,s,t,2024-01-15T00:00:00Z,10.0.0.4,-,-,victim", "line 2: `part` is `victim`; expected compromised, "),
            ("a,s,t,noon,10.0.0.4,-,-,-", "line 2: `time` is `noon`; expected a time"),
            ("a,s,t,2024-01-15T00:00:00Z,host,-,-,-", "line 2: `src` is `host`; expected an address"),
            (",s,t,2024-01-15T00:00:00Z,10.0.0.4,-,-,-", "line 2: `campaign` is ``; expected the name"),
        ] {
            std::fs::write(&path, format!("{header}\n{line}\n")).unwrap();
            let error = read_campaigns(&path).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        std::fs::write(&path, "campaign,stage\n").unwrap();
        assert!(read_campaigns(&path).unwrap_err().to_string().contains("no column `tactic`"));
    }
}

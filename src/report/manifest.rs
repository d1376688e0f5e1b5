//! The manifest of `--out`: which files belong to one run, so that a mixed or half-written set can be told.

use super::error::ReportError;
use super::summary::optional_time;
use flow::{hex, time};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::io::Write;

/// Version of the manifest's fields.
const MANIFEST_VERSION: u32 = 1;
/// Characters of a run's id.
const RUN_ID_CHARACTERS: usize = 32;

/// What the id of a run is made of.
#[derive(Clone, Copy, Debug)]
pub struct RunFacts<'a> {
    /// First second of the window, if known.
    pub window_start_s: Option<i64>,
    /// First second after the window, if known.
    pub window_end_s: Option<i64>,
    /// The sources as given.
    pub sources: &'a [String],
    /// The findings as JSON Lines.
    pub findings: &'a [u8],
}

impl RunFacts<'_> {
    /// Returns the id of the run, 32 hexadecimal digits: the same for the same version, sources, window and findings.
    pub fn run_id(&self) -> String {
        let mut hash = Sha256::new();
        let mut add = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        add(env!("CARGO_PKG_VERSION").as_bytes());
        for at_s in [self.window_start_s, self.window_end_s] {
            add(at_s.map(time::rfc3339).unwrap_or_default().as_bytes());
        }
        self.sources.iter().for_each(|source| add(source.as_bytes()));
        add(self.findings);
        let mut id = hex(&hash.finalize());
        id.truncate(RUN_ID_CHARACTERS);
        id
    }
}

/// One file of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ManifestFile {
    /// Its name beside the manifest.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
}

impl ManifestFile {
    /// Describes a file by its bytes.
    pub fn new(name: &str, bytes: &[u8]) -> Self {
        Self { name: name.to_owned(), bytes: bytes.len() as u64, sha256: hex(&Sha256::digest(bytes)) }
    }
}

/// The manifest of one run, written after all its files. A set is whole when each file has the size and the checksum
/// that the manifest says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Manifest {
    manifest_version: u32,
    flowsift_version: String,
    run_id: String,
    #[serde(rename = "window_start", serialize_with = "optional_time")]
    window_start_s: Option<i64>,
    #[serde(rename = "window_end", serialize_with = "optional_time")]
    window_end_s: Option<i64>,
    files: Vec<ManifestFile>,
}

impl Manifest {
    /// Describes the files of a run.
    pub fn new(run_id: &str, facts: &RunFacts<'_>, files: Vec<ManifestFile>) -> Self {
        Self {
            manifest_version: MANIFEST_VERSION,
            flowsift_version: env!("CARGO_PKG_VERSION").to_owned(),
            run_id: run_id.to_owned(),
            window_start_s: facts.window_start_s,
            window_end_s: facts.window_end_s,
            files,
        }
    }

    /// Writes the manifest as indented JSON.
    ///
    /// # Errors
    /// [`ReportError::Io`] when the writer fails.
    pub fn write_json<W: Write>(&self, mut out: W) -> Result<(), ReportError> {
        let failed = |source| ReportError::Io { action: "write", what: "manifest".to_owned(), source };
        serde_json::to_writer_pretty(&mut out, self).map_err(|error| failed(error.into()))?;
        out.write_all(b"\n").and_then(|()| out.flush()).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_follows_from_what_was_asked_and_found() {
        let sources = ["a".to_owned(), "b".to_owned()];
        let facts =
            RunFacts { window_start_s: Some(0), window_end_s: Some(3_600), sources: &sources, findings: b"x\n" };
        let id = facts.run_id();
        assert_eq!((id.len(), facts.run_id()), (32, id.clone()));
        let joined = ["ab".to_owned()];
        for other in [
            RunFacts { window_start_s: Some(1), ..facts },
            RunFacts { window_end_s: None, ..facts },
            RunFacts { sources: &joined, ..facts },
            RunFacts { findings: b"", ..facts },
        ] {
            assert_ne!(other.run_id(), id, "{other:?}");
        }
    }

    #[test]
    fn files_are_told_by_size_and_checksum() {
        let file = ManifestFile::new("findings.jsonl", b"abc");
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((file.bytes, file.sha256.as_str()), (3, sha256));
        let facts = RunFacts { window_start_s: Some(0), window_end_s: Some(3_600), sources: &[], findings: b"" };
        let mut json = Vec::new();
        Manifest::new("id", &facts, vec![file]).write_json(&mut json).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!((&json["run_id"], &json["files"][0]["sha256"]), (&"id".into(), &sha256.into()));
        assert_eq!(json["window_end"], "1970-01-01T01:00:00Z");
    }
}

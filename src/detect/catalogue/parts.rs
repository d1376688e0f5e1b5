//! SQL that several detections share: a line `-- include: NAME` stands for the text of `parts/NAME.sql`.

use super::built_in;
use crate::detect::DetectError;
use std::path::{Path, PathBuf};

/// Parts may include parts, up to this depth.
const MAX_DEPTH: usize = 8;

/// The places where parts are looked up.
pub(super) struct Parts<'a> {
    built_in: &'a [(&'a str, &'a str)],
    /// The user's own, which come first.
    folder: Option<PathBuf>,
}

impl Parts<'_> {
    /// Returns the parts that come with flowsift.
    pub(super) fn built_in() -> Self {
        Self { built_in: built_in::PARTS, folder: None }
    }

    /// Returns the parts of a folder of detections, followed by those that come with flowsift.
    pub(super) fn of_folder(folder: &Path) -> Self {
        Self { built_in: built_in::PARTS, folder: Some(folder.join("parts")) }
    }

    /// Replaces each line that includes a part by the part's text.
    ///
    /// # Errors
    /// [`DetectError::Header`] when there is no such part, or parts include each other without end;
    /// [`DetectError::Read`] when a part cannot be read.
    pub(super) fn expand(&self, detection: &str, sql: &str) -> Result<String, DetectError> {
        let mut out = String::with_capacity(sql.len());
        for (index, line) in sql.split_inclusive('\n').enumerate() {
            match included(line) {
                Some(part) => self.push(detection, index + 1, part, 0, &mut out)?,
                None => out.push_str(line),
            }
        }
        Ok(out)
    }

    /// Appends a part, which `line` of the detection's file includes.
    fn push(
        &self,
        detection: &str,
        line: usize,
        part: &str,
        depth: usize,
        out: &mut String,
    ) -> Result<(), DetectError> {
        let wrong = |problem: String| DetectError::Header { name: detection.to_owned(), line, problem };
        if depth == MAX_DEPTH {
            return Err(wrong(format!("the part `{part}` includes itself, or parts are nested too deeply")));
        }
        let text = self.text(part)?.ok_or_else(|| wrong(format!("no part `{part}`; known are {}", self.names())))?;
        for inner in text.split_inclusive('\n') {
            match included(inner) {
                Some(part) => self.push(detection, line, part, depth + 1, out)?,
                None => out.push_str(inner),
            }
        }
        if !out.ends_with('\n') {
            out.push('\n');
        }
        Ok(())
    }

    fn text(&self, part: &str) -> Result<Option<String>, DetectError> {
        // It must be a name, not a path.
        if !part.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_') {
            return Ok(None);
        }
        if let Some(folder) = &self.folder {
            let path = folder.join(format!("{part}.sql"));
            match std::fs::read_to_string(&path) {
                Ok(text) => return Ok(Some(text)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(source) => return Err(DetectError::Read { path, source }),
            }
        }
        let found = self.built_in.iter().find(|(name, _)| *name == part);
        Ok(found.map(|(_, text)| (*text).to_owned()))
    }

    fn names(&self) -> String {
        let own = self.folder.iter().flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten().flatten());
        let own = own.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".sql")?.to_owned()));
        let mut names: Vec<String> = own.chain(self.built_in.iter().map(|(name, _)| (*name).to_owned())).collect();
        names.sort_unstable();
        names.dedup();
        names.join(", ")
    }
}

/// Returns the name of the part that a line includes.
fn included(line: &str) -> Option<&str> {
    let comment = line.trim().strip_prefix("--")?;
    Some(comment.trim_start().strip_prefix("include:")?.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stand_where_they_are_included() {
        let parts = Parts { built_in: &[("a", "a AS (\n  -- include: b\n)"), ("b", "SELECT 1\n")], folder: None };
        let expanded = parts.expand("mine", "-- title: x\nWITH\n-- include: a\nSELECT 2\n").unwrap();
        assert_eq!(expanded, "-- title: x\nWITH\na AS (\nSELECT 1\n)\nSELECT 2\n");
    }

    #[test]
    fn a_part_that_is_missing_or_without_end_is_refused_by_line() {
        let parts = Parts { built_in: &[("loop", "-- include: loop\n")], folder: None };
        let refused = |sql: &str| parts.expand("mine", sql).unwrap_err().to_string();
        let missing = refused("-- title: x\n-- include: ../secret\n");
        assert_eq!(missing, "detection mine, line 2: no part `../secret`; known are loop");
        assert!(refused("-- include: loop").starts_with("detection mine, line 1: the part `loop` includes itself"));
    }

    #[test]
    fn own_parts_come_first_and_built_in_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("parts")).unwrap();
        std::fs::write(folder.path().join("parts/hits.sql"), "hits AS (SELECT 1)").unwrap();
        let parts = Parts::of_folder(folder.path());
        assert_eq!(parts.expand("mine", "-- include: hits").unwrap(), "hits AS (SELECT 1)\n");
        assert!(parts.expand("mine", "-- include: recurring").unwrap().contains("recurring AS ("));
    }
}

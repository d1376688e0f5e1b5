//! The files and folders that a run writes, which listings leave out.

use std::fs;
use std::path::{Path, PathBuf};

/// A folder or prefix that a run writes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum OutputLocation {
    /// A folder, which need not exist yet.
    Local(PathBuf),
    /// A prefix of a bucket, without `/` at its ends.
    S3 { bucket: String, prefix: String },
}

/// A folder or prefix that a run writes to, and the names of what it writes there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct RunOutput {
    pub(super) location: OutputLocation,
    pub(super) names: Vec<String>,
}

/// The real paths and keys that listings leave out, with everything below them.
///
/// Only what a run writes is left out, not the folder that it writes to: that may hold logs as well.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct LeftOut {
    paths: Vec<PathBuf>,
    /// Buckets and keys.
    keys: Vec<(String, String)>,
}

impl LeftOut {
    /// Resolves the real paths of outputs.
    pub(super) fn of(outputs: &[RunOutput]) -> Self {
        let mut left_out = Self::default();
        for RunOutput { location, names } in outputs {
            match location {
                // A folder that does not exist yet holds nothing.
                OutputLocation::Local(folder) => {
                    let real = fs::canonicalize(folder).ok();
                    left_out.paths.extend(real.iter().flat_map(|real| names.iter().map(|name| real.join(name))));
                }
                OutputLocation::S3 { bucket, prefix } => left_out.keys.extend(names.iter().map(|name| {
                    let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
                    (bucket.clone(), key)
                })),
            }
        }
        left_out
    }

    /// Returns whether a real path is left out.
    pub(super) fn has_path(&self, real: &Path) -> bool {
        self.paths.iter().any(|path| real.starts_with(path))
    }

    /// Returns whether a key of a bucket, or a folder with its last `/`, is left out.
    pub(super) fn has_key(&self, bucket: &str, key: &str) -> bool {
        self.keys.iter().any(|(of_bucket, left_out)| {
            let rest = key.strip_prefix(left_out.as_str()).filter(|_| of_bucket == bucket);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        vec!["v5".to_owned(), "summary.json".to_owned()]
    }

    #[test]
    fn keys_are_left_out_whole() {
        for prefix in ["", "logs/out"] {
            let location = OutputLocation::S3 { bucket: "b".to_owned(), prefix: prefix.to_owned() };
            let left_out = LeftOut::of(&[RunOutput { location, names: names() }]);
            let folder = if prefix.is_empty() { "" } else { "logs/out/" };
            for (name, is_out) in [
                ("v5/", true),
                ("v5/a/x.parquet", true),
                ("summary.json", true),
                ("v54/x", false),
                ("AWSLogs/x", false),
            ] {
                assert_eq!(left_out.has_key("b", &format!("{folder}{name}")), is_out, "{folder}{name}");
                assert!(!left_out.has_key("other", &format!("{folder}{name}")));
            }
        }
    }

    #[test]
    fn folders_are_known_by_their_real_paths() {
        let root = tempfile::tempdir().unwrap();
        let left_out = |folder: &str| {
            LeftOut::of(&[RunOutput { location: OutputLocation::Local(root.path().join(folder)), names: names() }])
        };
        assert_eq!(left_out("out"), LeftOut::default());
        fs::create_dir(root.path().join("out")).unwrap();
        let real = fs::canonicalize(root.path()).unwrap();
        let left_out = left_out("out/../out");
        assert!(left_out.has_path(&real.join("out/v5/x")) && left_out.has_path(&real.join("out/summary.json")));
        assert!(!left_out.has_path(&real.join("out/v54")) && !left_out.has_path(&real.join("out/AWSLogs/x")));
    }
}

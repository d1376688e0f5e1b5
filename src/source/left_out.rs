//! What a run writes is not what it reads: files and folders left out of listings.

use std::fs;
use std::path::{Path, PathBuf};

/// A place that a run writes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Written {
    /// A folder, which may not be there yet.
    Local(PathBuf),
    /// A prefix of a bucket, without `/` at its ends.
    S3 { bucket: String, prefix: String },
}

/// A place that a run writes to, and the names of what it writes there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Output {
    pub(super) place: Written,
    pub(super) names: Vec<String>,
}

/// What listings leave out: everything at and below these real paths and keys.
///
/// Only what a run writes is left out, and not the folder that it writes to, which may hold logs as well.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct LeftOut {
    paths: Vec<PathBuf>,
    /// Buckets and keys.
    keys: Vec<(String, String)>,
}

impl LeftOut {
    /// Finds where outputs lie now.
    pub(super) fn of(outputs: &[Output]) -> Self {
        let mut left_out = Self::default();
        for Output { place, names } in outputs {
            match place {
                // A folder that is not there yet holds nothing.
                Written::Local(folder) => {
                    let real = fs::canonicalize(folder).ok();
                    left_out.paths.extend(real.iter().flat_map(|real| names.iter().map(|name| real.join(name))));
                }
                Written::S3 { bucket, prefix } => left_out.keys.extend(names.iter().map(|name| {
                    let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
                    (bucket.clone(), key)
                })),
            }
        }
        left_out
    }

    /// Tells whether a real path is left out.
    pub(super) fn has_path(&self, real: &Path) -> bool {
        self.paths.iter().any(|place| real.starts_with(place))
    }

    /// Tells whether a key of a bucket, or a folder with its last `/`, is left out.
    pub(super) fn has_key(&self, bucket: &str, key: &str) -> bool {
        self.keys.iter().any(|(of_bucket, place)| {
            let rest = key.strip_prefix(place.as_str()).filter(|_| of_bucket == bucket);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        vec!["v4".to_owned(), "summary.json".to_owned()]
    }

    #[test]
    fn keys_are_left_out_whole() {
        for prefix in ["", "logs/out"] {
            let place = Written::S3 { bucket: "b".to_owned(), prefix: prefix.to_owned() };
            let left_out = LeftOut::of(&[Output { place, names: names() }]);
            let folder = if prefix.is_empty() { "" } else { "logs/out/" };
            for (name, is_out) in [
                ("v4/", true),
                ("v4/a/x.parquet", true),
                ("summary.json", true),
                ("v44/x", false),
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
        let left_out =
            |folder: &str| LeftOut::of(&[Output { place: Written::Local(root.path().join(folder)), names: names() }]);
        assert_eq!(left_out("out"), LeftOut::default());
        fs::create_dir(root.path().join("out")).unwrap();
        let real = fs::canonicalize(root.path()).unwrap();
        let left_out = left_out("out/../out");
        assert!(left_out.has_path(&real.join("out/v4/x")) && left_out.has_path(&real.join("out/summary.json")));
        assert!(!left_out.has_path(&real.join("out/v44")) && !left_out.has_path(&real.join("out/AWSLogs/x")));
    }
}

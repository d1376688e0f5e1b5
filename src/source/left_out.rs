//! What a run writes is not what it reads: places left out of listings.

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

/// What the listing of one root leaves out: everything at and below these real paths or keys.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct LeftOut {
    paths: Vec<PathBuf>,
    keys: Vec<String>,
}

impl LeftOut {
    /// Leaves out local outputs below `root` whole, and of those that hold the root what is written there.
    pub(super) fn of_path(outputs: &[Output], root: &Path) -> Self {
        let real_root = fs::canonicalize(root).unwrap_or_else(|_| root.to_owned());
        let mut left_out = Self::default();
        for Output { place, names } in outputs {
            let Written::Local(folder) = place else { continue };
            // What is not there yet holds nothing.
            let Ok(folder) = fs::canonicalize(folder) else { continue };
            if real_root.starts_with(&folder) {
                left_out.paths.extend(names.iter().map(|name| folder.join(name)));
            } else {
                left_out.paths.push(folder);
            }
        }
        left_out
    }

    /// The same for outputs in a bucket; `root` is the folder that is listed.
    pub(super) fn of_prefix(outputs: &[Output], of_bucket: &str, root: &str) -> Self {
        let mut left_out = Self::default();
        for Output { place, names } in outputs {
            let Written::S3 { bucket, prefix } = place else { continue };
            if bucket != of_bucket {
                continue;
            }
            let folder = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
            if root.starts_with(&folder) {
                left_out.keys.extend(names.iter().map(|name| format!("{folder}{name}")));
            } else {
                left_out.keys.push(prefix.clone());
            }
        }
        left_out
    }

    /// Tells whether a real path is left out.
    pub(super) fn has_path(&self, real: &Path) -> bool {
        self.paths.iter().any(|place| real.starts_with(place))
    }

    /// Tells whether a key, or a folder with its last `/`, is left out.
    pub(super) fn has_key(&self, key: &str) -> bool {
        let below = |place: &String| {
            key.strip_prefix(place.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.keys.iter().any(below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(prefix: &str) -> Output {
        let place = Written::S3 { bucket: "b".to_owned(), prefix: prefix.to_owned() };
        Output { place, names: vec!["v4".to_owned(), "summary.json".to_owned()] }
    }

    #[test]
    fn outputs_below_a_root_go_whole_and_those_above_by_name() {
        let below = LeftOut::of_prefix(&[output("logs/out")], "b", "logs/");
        for (key, is_out) in
            [("logs/out/x.parquet", true), ("logs/out/", true), ("logs/out2/x.parquet", false), ("logs/x", false)]
        {
            assert_eq!(below.has_key(key), is_out, "{key}");
        }
        for (prefix, root) in [("logs", "logs/"), ("logs", "logs/a/"), ("", "")] {
            let above = LeftOut::of_prefix(&[output(prefix)], "b", root);
            let folder = if prefix.is_empty() { "" } else { "logs/" };
            assert!(above.has_key(&format!("{folder}v4/x.parquet")) && above.has_key(&format!("{folder}summary.json")));
            assert!(!above.has_key(&format!("{folder}AWSLogs/x.parquet")) && !above.has_key(&format!("{folder}v44/x")));
        }
        assert_eq!(LeftOut::of_prefix(&[output("logs/out")], "other", "logs/"), LeftOut::default());
    }

    #[test]
    fn folders_are_known_by_their_real_paths() {
        let root = tempfile::tempdir().unwrap();
        let output =
            |folder: &str| Output { place: Written::Local(root.path().join(folder)), names: vec!["v4".to_owned()] };
        assert_eq!(LeftOut::of_path(&[output("later")], root.path()), LeftOut::default());
        fs::create_dir(root.path().join("out")).unwrap();
        let real = fs::canonicalize(root.path()).unwrap();
        let left_out = LeftOut::of_path(&[output("out/../out")], root.path());
        assert!(left_out.has_path(&real.join("out/x")) && !left_out.has_path(&real.join("outer/x")));
        let own = LeftOut::of_path(&[output("")], root.path());
        assert!(own.has_path(&real.join("v4/x")) && !own.has_path(&real.join("x")));
    }
}

//! Runs the built binary, and a small corpus with planted attacks that tests share.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use corpus::{GenerateOptions, generate, parse_attacks};
use tempfile::TempDir;

/// How a run of the binary ended and what it said.
#[derive(Debug)]
pub struct Ran {
    /// Exit code.
    pub code: i32,
    /// Bytes of stdout.
    pub out: Vec<u8>,
    /// Text of stderr.
    pub err: String,
}

impl Ran {
    /// Text of stdout.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.out).unwrap()
    }

    /// Fails with all that was said unless the exit code is `code`.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        let shown: String = String::from_utf8_lossy(&self.out).chars().take(2_000).collect();
        assert_eq!(self.code, code, "stderr:\n{}\nstdout:\n{shown}", self.err);
        self
    }

    /// The findings on stdout.
    pub fn findings(&self) -> Vec<serde_json::Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// The binary, or the one that `FLOWSIFT_PROGRAM` names, such as a release build to measure; in an environment that names
/// no AWS identity and asks no metadata service.
pub fn program() -> Command {
    let other = std::env::var_os("FLOWSIFT_PROGRAM");
    let mut command = Command::new(other.as_deref().unwrap_or(OsStr::new(env!("CARGO_BIN_EXE_flowsift"))));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
        command.env_remove(name);
    }
    command
        .env_remove("FLOWSIFT_LOG")
        .env_remove("NO_COLOR")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/nonexistent/config")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials")
        .stdin(Stdio::null());
    command
}

/// Runs a prepared command to its end.
pub fn finish(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: output.stdout,
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs the binary with these arguments.
pub fn flowsift<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Ran {
    finish(program().args(args))
}

/// The attacks of the shared corpus, each in one host.
pub const ATTACKS: &str = "
[[attack]]
kind = 'sliver'
begin = 0.0
[[attack]]
kind = 'cobalt_strike'
begin = 0.0
[[attack]]
kind = 'exfil_burst'
gigabytes = 4
[[attack]]
kind = 'exfil_drip'
megabytes_per_hour = 150
";

/// A generated corpus: `AWSLogs/` and `labels.csv` in a folder of its own.
#[derive(Debug)]
pub struct Corpus {
    folder: TempDir,
}

impl Corpus {
    /// Generates a corpus by `options`, whose `out` is filled in.
    pub fn generate(options: GenerateOptions) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let options = GenerateOptions { out: folder.path().to_owned(), ..options };
        generate(&options, &|_| {}).unwrap();
        Self { folder }
    }

    /// The corpus of 60,000 rows that most tests share; it is made once and lives as long as a test holds it.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Corpus>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let made = Arc::new(Self::generate(small()));
            *shared = Arc::downgrade(&made);
            made
        })
    }

    /// The folder to name as SOURCE.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The folder to name as SOURCE, as text.
    pub fn source(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    /// What was planted.
    pub fn labels(&self) -> PathBuf {
        self.folder.path().join("labels.csv")
    }

    /// The log files, sorted.
    pub fn files(&self) -> Vec<PathBuf> {
        parquet_files(self.path())
    }
}

/// Options of the shared corpus: 40 hosts, 6 hours, 18 files.
pub fn small() -> GenerateOptions {
    GenerateOptions {
        rows: 60_000,
        hosts: 40,
        hours: 6,
        files_per_hour: 3,
        attacks: Some(parse_attacks(ATTACKS, "ATTACKS").unwrap()),
        // So that what is found is what was planted.
        benign_callers: 0.0,
        ..GenerateOptions::default()
    }
}

/// All Parquet files below a folder, sorted.
pub fn parquet_files(folder: &Path) -> Vec<PathBuf> {
    files_ending(folder, "parquet")
}

/// Returns the files of kept hours below a folder, sorted: one for each unit.
pub fn kept_files(folder: &Path) -> Vec<PathBuf> {
    files_ending(folder, "hours")
}

fn files_ending(folder: &Path, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == end) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Copies a file to a place whose folders are made on the way.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    std::fs::copy(from, to).unwrap();
}

/// A folder for what a test writes.
pub fn scratch() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

//! The file of `--trace`. A trace is an extra: a disk that is full ends the trace, not the run.

use crate::cli::exit::Failure;
use ::memory::lock;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tracing_chrome::{ChromeLayer, ChromeLayerBuilder, FlushGuard};
use tracing_subscriber::registry::Registry;

/// Why a trace is incomplete, once it is.
type Broken = Arc<Mutex<Option<std::io::Error>>>;

/// A trace that is being written; it is complete once dropped.
pub(in crate::cli) struct Trace {
    /// Taken when dropped, before it is told whether all was written.
    guard: Option<FlushGuard>,
    path: PathBuf,
    broken: Broken,
}

impl Trace {
    /// Begins a trace in `path`; `None` with a warning when the disk takes no file.
    ///
    /// # Errors
    /// [`Failure::Usage`] when the file cannot be created for another reason.
    pub(super) fn begin(path: &Path) -> Result<Option<(ChromeLayer<Registry>, Self)>, Failure> {
        let file = match File::create(path) {
            Ok(file) => file,
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::StorageFull | ErrorKind::ReadOnlyFilesystem | ErrorKind::QuotaExceeded
                ) =>
            {
                warn(path, &error);
                return Ok(None);
            }
            Err(error) => return Err(Failure::usage_at(format_args!("--trace {}", path.display()), error)),
        };
        let broken = Broken::default();
        let writer = TraceWriter { file, broken: broken.clone() };
        let (layer, guard) = ChromeLayerBuilder::new().writer(writer).include_args(true).build();
        Ok(Some((layer, Self { guard: Some(guard), path: path.to_owned(), broken })))
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        self.guard = None;
        if let Some(error) = lock(&self.broken).take() {
            warn(&self.path, &error);
        }
    }
}

fn warn(path: &Path, error: &std::io::Error) {
    let _ = writeln!(std::io::stderr(), "warning: --trace {}: {error}; the trace is incomplete", path.display());
}

/// Writes until the first error, and drops everything after it: the trace's own thread would end in a panic.
struct TraceWriter {
    file: File,
    broken: Broken,
}

impl TraceWriter {
    fn attempt(&mut self, work: impl FnOnce(&mut File) -> std::io::Result<()>) {
        let mut broken = lock(&self.broken);
        if broken.is_none() {
            *broken = work(&mut self.file).err();
        }
    }
}

impl Write for TraceWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.attempt(|file| file.write_all(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.attempt(File::flush);
        Ok(())
    }
}

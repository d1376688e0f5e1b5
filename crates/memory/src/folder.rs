//! The private folder of a run for data that does not fit into memory, and the files in it.

use crate::lock::lock;
use crate::private_folder::PrivateFolder;
use flow::units::bytes_text;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// Why data could not be spilled or read back.
#[derive(Debug, thiserror::Error)]
pub enum SpillError {
    /// The folder or a file in it cannot be created.
    #[error(
        "spill folder {}: cannot be written to; name another folder with --spill-dir, or allow more memory with --memory",
        folder.display()
    )]
    Folder {
        /// The folder as given.
        folder: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The folder has no room left.
    #[error(
        "{} could not be written after {}; make room there, name another folder with --spill-dir, or allow more memory \
         with --memory",
        place(folder, *bytes),
        bytes_text(*written)
    )]
    Write {
        /// The folder as given.
        folder: PathBuf,
        /// Bytes to be written.
        bytes: u64,
        /// Bytes that the run had written before.
        written: u64,
        /// The system's error.
        source: io::Error,
    },
    /// As much was written as is allowed.
    #[error(
        "spill folder {}: {} are in use and --spill-limit allows {}; allow more with it, or more memory with --memory",
        folder.display(),
        bytes_text(*held),
        bytes_text(*limit)
    )]
    Limit {
        /// The folder as given.
        folder: PathBuf,
        /// Bytes in use.
        held: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// Spilled data cannot be read back.
    #[error("{} of spilled data could not be read back", place(folder, *bytes))]
    Read {
        /// The folder as given.
        folder: PathBuf,
        /// Bytes to be read.
        bytes: u64,
        /// The system's error.
        source: io::Error,
    },
}

/// A private folder, created when the first byte is spilled, and removed with everything in it when dropped.
#[derive(Debug)]
pub struct SpillFolder {
    parent: PathBuf,
    private: Mutex<Private>,
    usage: Arc<SpillUsage>,
}

/// What a run has written.
#[derive(Debug)]
struct SpillUsage {
    /// Bytes written so far.
    written: AtomicU64,
    /// Bytes of the files that exist.
    held: AtomicU64,
    /// Bytes that may be held.
    limit: AtomicU64,
}

#[derive(Debug, Default)]
struct Private {
    folder: Option<PrivateFolder>,
    /// Files created so far.
    files: u64,
    /// No more files may be created.
    closed: bool,
}

impl SpillFolder {
    /// Returns a folder that creates its private folder on first use below `parent`.
    pub(crate) fn new(parent: PathBuf) -> Self {
        let usage = SpillUsage { written: AtomicU64::new(0), held: AtomicU64::new(0), limit: AtomicU64::new(u64::MAX) };
        Self { parent, private: Mutex::default(), usage: Arc::new(usage) }
    }

    /// Allows at most `bytes` in all files together; the default is no limit.
    pub fn set_limit(&self, bytes: u64) {
        self.usage.limit.store(bytes, Ordering::Relaxed);
    }

    fn private(&self) -> MutexGuard<'_, Private> {
        lock(&self.private)
    }

    fn failed(&self, source: io::Error) -> SpillError {
        SpillError::Folder { folder: self.parent.clone(), source }
    }

    /// Returns the private folder, creating it if there is none yet.
    ///
    /// # Errors
    /// [`SpillError::Folder`] when it cannot be created.
    pub fn path(&self) -> Result<PathBuf, SpillError> {
        self.path_in(&mut self.private())
    }

    fn path_in(&self, private: &mut Private) -> Result<PathBuf, SpillError> {
        if private.closed {
            return Err(self.failed(io::Error::other("the run ends")));
        }
        if let Some(folder) = &private.folder {
            return Ok(folder.path().to_owned());
        }
        let folder = PrivateFolder::create(&self.parent).map_err(|error| self.failed(error))?;
        Ok(private.folder.insert(folder).path().to_owned())
    }

    pub(crate) fn new_file(&self) -> Result<SpillFile, SpillError> {
        let mut private = self.private();
        let path = self.path_in(&mut private)?.join(format!("{}.bin", private.files));
        private.files += 1;
        let opened = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
        let file = opened.map_err(|error| self.failed(error))?;
        // An open file needs no name: if the run is killed, nothing is left behind.
        #[cfg(unix)]
        let path = match std::fs::remove_file(&path) {
            Ok(()) => None,
            Err(_) => Some(path),
        };
        #[cfg(not(unix))]
        let path = Some(path);
        let (folder, usage) = (self.parent.clone(), self.usage.clone());
        Ok(SpillFile { file: Some(file), path, end: AtomicU64::new(0), held: AtomicU64::new(0), folder, usage })
    }

    /// Returns how many bytes were written so far.
    pub(crate) fn written_bytes(&self) -> u64 {
        self.usage.written.load(Ordering::Relaxed)
    }

    /// Removes the folder at once; nothing can be spilled any more.
    pub fn remove(&self) {
        let mut private = self.private();
        private.closed = true;
        drop(private.folder.take());
    }
}

impl Drop for SpillFolder {
    fn drop(&mut self) {
        self.remove();
    }
}

/// A file of spilled bytes, written and read from many threads.
#[derive(Debug)]
pub struct SpillFile {
    /// Taken when dropped, so that the file is closed before it is removed.
    file: Option<File>,
    path: Option<PathBuf>,
    end: AtomicU64,
    /// Bytes written to it.
    held: AtomicU64,
    folder: PathBuf,
    usage: Arc<SpillUsage>,
}

impl PartialEq for SpillFile {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for SpillFile {}

impl Drop for SpillFile {
    fn drop(&mut self) {
        self.file = None;
        self.usage.held.fetch_sub(self.held.load(Ordering::Relaxed), Ordering::Relaxed);
        if let Some(path) = &self.path {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl SpillFile {
    fn file(&self) -> io::Result<&File> {
        self.file.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Reserves `bytes` at the end of the file and returns their offset.
    pub fn claim(&self, bytes: u64) -> u64 {
        self.end.fetch_add(bytes, Ordering::Relaxed)
    }

    /// Returns how many bytes were reserved or written.
    pub fn end(&self) -> u64 {
        self.end.load(Ordering::Relaxed)
    }

    /// Writes at an offset that was reserved.
    ///
    /// # Errors
    /// [`SpillError::Write`], for example when the disk is full, and [`SpillError::Limit`] when no more may be written.
    pub fn write(&self, at: u64, bytes: &[u8]) -> Result<(), SpillError> {
        let more = bytes.len() as u64;
        let limit = self.usage.limit.load(Ordering::Relaxed);
        let held = self.usage.held.fetch_add(more, Ordering::Relaxed);
        if held.saturating_add(more) > limit {
            self.usage.held.fetch_sub(more, Ordering::Relaxed);
            return Err(SpillError::Limit { folder: self.folder.clone(), held, limit });
        }
        self.held.fetch_add(more, Ordering::Relaxed);
        let failed = |source| SpillError::Write {
            folder: self.folder.clone(),
            bytes: more,
            written: self.usage.written.load(Ordering::Relaxed),
            source,
        };
        self.file().and_then(|file| write_at(file, at, bytes)).map_err(failed)?;
        self.usage.written.fetch_add(more, Ordering::Relaxed);
        Ok(())
    }

    /// Writes at the end and returns the offset.
    ///
    /// # Errors
    /// As [`SpillFile::write`].
    pub fn append(&self, bytes: &[u8]) -> Result<u64, SpillError> {
        let at = self.claim(bytes.len() as u64);
        self.write(at, bytes).map(|()| at)
    }

    /// Reads what was written at an offset.
    ///
    /// # Errors
    /// [`SpillError::Read`] when the file does not have it.
    pub fn read(&self, at: u64, bytes: &mut [u8]) -> Result<(), SpillError> {
        self.file().and_then(|file| read_at(file, at, bytes)).map_err(|source| SpillError::Read {
            folder: self.folder.clone(),
            bytes: bytes.len() as u64,
            source,
        })
    }
}

#[cfg(unix)]
fn write_at(file: &File, at: u64, bytes: &[u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(unix)]
fn read_at(file: &File, at: u64, bytes: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

#[cfg(windows)]
fn write_at(file: &File, mut at: u64, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = std::os::windows::fs::FileExt::seek_write(file, bytes, at)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        at += written as u64;
        bytes = &bytes[written..];
    }
    Ok(())
}

#[cfg(windows)]
fn read_at(file: &File, mut at: u64, mut bytes: &mut [u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let read = std::os::windows::fs::FileExt::seek_read(file, bytes, at)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        at += read as u64;
        bytes = &mut bytes[read..];
    }
    Ok(())
}

/// Reads a range of a spill file from its beginning to its end.
#[derive(Debug)]
pub struct SpillReader {
    file: Arc<SpillFile>,
    at: u64,
    end: u64,
}

impl SpillReader {
    /// Reads `length` bytes from offset `at` on.
    pub fn new(file: Arc<SpillFile>, at: u64, length: u64) -> Self {
        Self { file, at, end: at + length }
    }
}

impl Read for SpillReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(buffer.len());
        read_at(self.file.file()?, self.at, &mut buffer[..length])?;
        self.at += length as u64;
        Ok(length)
    }
}

/// Describes a folder and what could not be stored there, for messages.
fn place(folder: &Path, bytes: u64) -> String {
    format!("spill folder {}: {}", folder.display(), bytes_text(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_the_folder_goes() {
        // Other tests have folders in the system's temporary folder.
        let parent = std::env::temp_dir().join(format!("flowsift-parent-{}", std::process::id()));
        let folder = SpillFolder::new(parent.clone());
        assert!(folder.private().folder.is_none(), "nothing spilled, no folder");
        let (one, two) = (folder.new_file().unwrap(), folder.new_file().unwrap());
        let at = one.append(b"beacon").unwrap();
        assert_eq!(two.append(b"x").unwrap(), 0);
        let claimed = one.claim(4);
        assert_eq!((at, claimed), (0, 6));
        one.write(claimed, b"egrs").unwrap();
        let mut bytes = [0; 4];
        one.read(4, &mut bytes).unwrap();
        assert_eq!(&bytes, b"oneg");
        assert!(matches!(one.read(8, &mut bytes), Err(SpillError::Read { .. })));
        let mut text = String::new();
        SpillReader::new(Arc::new(one), 3, 5).read_to_string(&mut text).unwrap();
        assert_eq!(text, "coneg");
        assert_eq!(folder.written_bytes(), 11);
        let path = folder.path().unwrap();
        assert!(path.is_dir());
        drop((folder, two));
        assert!(!path.exists());
        std::fs::remove_dir(parent).unwrap();
    }

    #[test]
    fn no_more_is_held_than_allowed() {
        let parent = std::env::temp_dir().join(format!("flowsift-limit-{}", std::process::id()));
        let folder = SpillFolder::new(parent.clone());
        folder.set_limit(10);
        let (one, two) = (folder.new_file().unwrap(), folder.new_file().unwrap());
        one.append(b"12345678").unwrap();
        two.append(b"12").unwrap();
        let refused = two.append(b"3").unwrap_err();
        let told = format!(
            "spill folder {}: 10 B are in use and --spill-limit allows 10 B; allow more with it, or more memory with \
             --memory",
            parent.display()
        );
        assert_eq!(refused.to_string(), told);
        drop(one);
        two.append(b"12345678").unwrap();
        assert_eq!(folder.written_bytes(), 18);
        drop((folder, two));
        std::fs::remove_dir(parent).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let file = std::env::temp_dir().join(format!("flowsift-no-folder-{}", std::process::id()));
        std::fs::write(&file, "x").unwrap();
        let message = SpillFolder::new(file.clone()).path().unwrap_err().to_string();
        std::fs::remove_file(&file).unwrap();
        assert!(message.starts_with(&format!("spill folder {}: cannot be written to; ", file.display())), "{message}");
        assert!(message.contains("--spill-dir") && message.contains("--memory"), "{message}");
        let closed = SpillFolder::new(std::env::temp_dir());
        closed.remove();
        assert!(closed.path().is_err());
    }
}

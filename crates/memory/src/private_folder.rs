//! A folder that one process owns while it lives, and the removal of those whose process is gone.
//!
//! The owner holds a lock on a file in the folder. The system gives it up when the process ends, however it ends, so
//! the lock tells the living from the dead where process ids do not: in containers, everyone is process 1.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How the names of such folders begin.
const PREFIX: &str = "flowsift-spill-";
/// The file in the folder that is locked.
const LOCK: &str = "lock";
/// A folder without a lock that is empty and as old as this was left between two steps of its making.
const LEFT_AFTER: Duration = Duration::from_secs(3_600);

/// A folder of this process; removed with everything in it when dropped.
#[derive(Debug)]
pub(crate) struct PrivateFolder {
    path: PathBuf,
    /// Held until the folder is gone.
    _lock: File,
}

impl PrivateFolder {
    /// Creates a folder below `parent`.
    ///
    /// # Errors
    /// When it cannot be created.
    pub(crate) fn create(parent: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(parent)?;
        let mut builder = DirBuilder::new();
        // Flow records are private, so the folder is too.
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        for attempt in 0u32.. {
            let path = parent.join(format!("{PREFIX}{}-{attempt}", std::process::id()));
            match builder.create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made?,
            }
            match locked(&path) {
                Ok(Some(lock)) => return Ok(Self { path, _lock: lock }),
                // Another process took it for a folder that was left.
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    let _ = std::fs::remove_dir_all(&path);
                    return Err(error);
                }
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Returns where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            tracing::warn!("spill folder {} could not be removed: {}", self.path.display(), flow::error_text(&error));
        }
    }
}

/// Locks a new folder; `None` when another process was faster.
fn locked(folder: &Path) -> io::Result<Option<File>> {
    let path = folder.join(LOCK);
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        // A file system without locks: then nobody can take this folder for one that was left.
        Err(TryLockError::Error(error)) => tracing::debug!("{}: no lock: {error}", path.display()),
    }
    Ok(Some(file).filter(|file| is_at(file, &path)))
}

/// Returns whether a path still leads to this file.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    matches!((file.metadata().map(place), path.metadata().map(place)), (Ok(one), Ok(other)) if one == other)
}

#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}

/// Removes the folders below `parent` whose process is gone, and returns how many.
pub fn sweep(parent: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(parent) else { return 0 };
    let folders = entries.filter_map(Result::ok).filter(|entry| {
        entry.file_name().to_string_lossy().starts_with(PREFIX) && entry.file_type().is_ok_and(|kind| kind.is_dir())
    });
    folders
        .filter(|folder| is_left(&folder.path()))
        .filter(|folder| std::fs::remove_dir_all(folder.path()).is_ok())
        .count()
}

/// Returns whether the process of a folder is gone.
fn is_left(folder: &Path) -> bool {
    let path = folder.join(LOCK);
    let Ok(file) = OpenOptions::new().write(true).open(&path) else {
        // Only an empty one can be removed this way.
        let age = folder.metadata().and_then(|metadata| metadata.modified()).ok().and_then(|made| made.elapsed().ok());
        if age.is_some_and(|age| age > LEFT_AFTER) {
            let _ = std::fs::remove_dir(folder);
        }
        return false;
    };
    // The lock ends with the file, after the question; whoever makes a folder of this name checks that it is there.
    file.try_lock().is_ok() && is_at(&file, &path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_dead_left_is_swept_and_the_living_keep_theirs() {
        let parent = std::env::temp_dir().join(format!("flowsift-sweep-{}", std::process::id()));
        let living = PrivateFolder::create(&parent).unwrap();
        std::fs::write(living.path().join("0.bin"), "rows").unwrap();
        // As a process leaves it that was killed: no lock is held.
        let dead = parent.join(format!("{PREFIX}1-0"));
        std::fs::create_dir(&dead).unwrap();
        std::fs::write(dead.join(LOCK), "").unwrap();
        std::fs::write(dead.join("0.bin"), "rows").unwrap();
        // Being made, or of a version without locks.
        let unlocked = parent.join(format!("{PREFIX}1-1"));
        std::fs::create_dir(&unlocked).unwrap();
        std::fs::write(unlocked.join("0.bin"), "rows").unwrap();
        let other = parent.join("other");
        std::fs::create_dir(&other).unwrap();
        std::fs::write(other.join(LOCK), "").unwrap();
        assert_eq!((sweep(&parent), sweep(&parent)), (1, 0));
        assert!(!dead.exists() && unlocked.exists() && other.exists() && living.path().join("0.bin").exists());
        let path = living.path().to_owned();
        drop(living);
        assert!(!path.exists());
        std::fs::remove_dir_all(&parent).unwrap();
        assert_eq!(sweep(&parent), 0);
    }
}

//! Files that appear whole or not at all, whatever ends the process or the power.

use std::collections::hash_map::RandomState;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::hash::BuildHasher;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The beginning of the names of files that are being written.
const BEGINNING: &str = ".flowsift-";
/// The end of their names; listings leave them out.
pub(super) const UNFINISHED: &str = ".unfinished";
/// The end of the names of locks; listings leave them out as well.
pub(super) const LOCK: &str = ".flowsift-lock";
/// Where locks tell nothing, an unfinished file of this age has no writer any more.
const LEFT_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// Names that are tried for a new file. All are random: a second one is needed only where a sweep came between.
const ATTEMPTS: usize = 8;

/// A file that is written beside its final name, under a name that no other process has, and locked while it lives.
///
/// [`WholeFile::place`] syncs it and gives it its final name; dropped before that, it is removed. What a killed process
/// leaves behind is nobody's, as its lock is gone, and [`sweep`] removes it.
#[derive(Debug)]
pub struct WholeFile {
    file: File,
    /// Where the bytes lie until the file is whole.
    unfinished: PathBuf,
    path: PathBuf,
    placed: bool,
}

/// What to do when the name is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Placing {
    /// Fail with [`ErrorKind::AlreadyExists`].
    New,
    /// Replace the file.
    Instead,
}

impl WholeFile {
    /// Begins the file `path`; its folder must exist.
    ///
    /// # Errors
    /// The system's, when no file can be created in the folder.
    pub fn create(path: &Path) -> io::Result<Self> {
        let folder = folder_of(path);
        let mut last = io::Error::from(ErrorKind::AlreadyExists);
        for _ in 0..ATTEMPTS {
            let unfinished = folder.join(format!("{BEGINNING}{:032x}{UNFINISHED}", random()));
            let file = match OpenOptions::new().read(true).write(true).create_new(true).open(&unfinished) {
                Ok(file) => file,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    last = error;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let whole = Self { file, unfinished, path: path.to_owned(), placed: false };
            // A sweep that met the file before it was locked has taken it.
            let taken = matches!(whole.file.try_lock(), Err(TryLockError::WouldBlock)) || !whole.unfinished.exists();
            if !taken {
                return Ok(whole);
            }
        }
        Err(last)
    }

    /// Returns the file to write to.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Syncs the file, gives it its final name in place of what had it, and syncs the folder.
    ///
    /// # Errors
    /// The system's; the final name then still means what it meant before.
    pub fn place(self) -> io::Result<()> {
        self.place_as(Placing::Instead)
    }

    /// Does what [`WholeFile::place`] does, with a choice of what happens to a file that has the name.
    pub(super) fn place_as(mut self, placing: Placing) -> io::Result<()> {
        // The bytes first: a name must never outlive a power cut without them.
        self.file.sync_all()?;
        match placing {
            Placing::Instead => fs::rename(&self.unfinished, &self.path)?,
            Placing::New => {
                fs::hard_link(&self.unfinished, &self.path)?;
                fs::remove_file(&self.unfinished)?;
            }
        }
        self.placed = true;
        sync_folder(folder_of(&self.path))
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        if !self.placed {
            // What failed before is reported, not whether this fails as well.
            let _ = fs::remove_file(&self.unfinished);
        }
    }
}

/// Creates a folder and those above it, and syncs every folder that has a new one inside.
///
/// # Errors
/// The system's.
pub(super) fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let above = folder_of(folder);
    create_folder(above)?;
    match fs::create_dir(folder) {
        // Another process was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => {}
        created => created?,
    }
    sync_folder(above)
}

/// Removes unfinished files that no process is writing any more; what cannot be removed stays.
///
/// A process holds a lock on each file that it writes. On file systems without locks, a file counts as left after a day.
pub fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(if folder.as_os_str().is_empty() { Path::new(".") } else { folder }) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(BEGINNING) && name.ends_with(UNFINISHED) && is_left(&entry.path()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Returns whether an unfinished file has no writer any more.
fn is_left(path: &Path) -> bool {
    let Ok(file) = OpenOptions::new().read(true).write(true).open(path) else { return false };
    match file.try_lock() {
        Ok(()) => true,
        Err(TryLockError::WouldBlock) => false,
        Err(TryLockError::Error(_)) => {
            let modified = file.metadata().and_then(|metadata| metadata.modified());
            let age = modified.ok().and_then(|modified| SystemTime::now().duration_since(modified).ok());
            age.is_some_and(|age| age > LEFT_AFTER)
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Returns a number that no other process on any host draws: process ids and clocks repeat, in containers above all.
fn random() -> u128 {
    // Each state has keys of its own, which come from the system's randomness.
    let half = || u128::from(RandomState::new().hash_one(SystemTime::now()));
    half() << 64 | half()
}

/// Syncs the names in a folder. File systems that cannot are let be: no program can do more there.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::InvalidInput | ErrorKind::Unsupported | ErrorKind::PermissionDenied
            ) =>
        {
            Ok(())
        }
        synced => synced,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn names_are_drawn_anew_each_time() {
        let mut drawn: Vec<u128> = (0..1_000).map(|_| random()).collect();
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!(drawn.len(), 1_000);
    }

    #[test]
    fn a_file_is_whole_or_as_before() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a.csv");
        fs::write(&path, "old").unwrap();
        let begun = WholeFile::create(&path).unwrap();
        begun.file().write_all(b"ne").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        drop(begun);
        assert_eq!(names(root.path()), ["a.csv"]);
        let begun = WholeFile::create(&path).unwrap();
        begun.file().write_all(b"new").unwrap();
        begun.place().unwrap();
        assert_eq!((fs::read(&path).unwrap(), names(root.path())), (b"new".to_vec(), vec!["a.csv".to_owned()]));
        let second = WholeFile::create(&path).unwrap().place_as(Placing::New).unwrap_err();
        assert_eq!((second.kind(), names(root.path()).len()), (ErrorKind::AlreadyExists, 1));
    }

    #[test]
    fn what_the_dead_leave_is_swept_and_what_the_living_write_is_not() {
        let root = tempfile::tempdir().unwrap();
        let left = root.path().join(format!("{BEGINNING}00{UNFINISHED}"));
        fs::write(&left, "half").unwrap();
        fs::write(root.path().join(".flowsift.toml"), "kept").unwrap();
        fs::write(root.path().join(".other.unfinished"), "not ours").unwrap();
        let living = WholeFile::create(&root.path().join("b")).unwrap();
        sweep(root.path());
        assert!(!left.exists());
        assert_eq!(names(root.path()).len(), 3);
        living.place().unwrap();
        assert_eq!(names(root.path()), [".flowsift.toml", ".other.unfinished", "b"]);
    }

    #[test]
    fn folders_may_appear_from_elsewhere_meanwhile() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("a/b/c/d");
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..8).map(|_| scope.spawn(|| create_folder(&deep))).collect();
            workers.into_iter().for_each(|worker| worker.join().unwrap().unwrap());
        });
        assert!(deep.is_dir());
        fs::write(root.path().join("file"), "").unwrap();
        assert!(create_folder(&root.path().join("file/a")).is_err());
    }
}

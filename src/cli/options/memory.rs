//! How much memory a run may take: the limit of `--memory`, or a share of the machine's or the container's memory.

use crate::cli::exit::Failure;
use flow::units::bytes_text;
use std::path::Path;

/// Memory of the program before it has read anything: code, threads, plans, buffers of the decoder.
const PROGRAM_BYTES: usize = 128 << 20;

/// The smallest limit that works.
const MIN_BYTES: usize = 192 << 20;

/// Most memory for fetched objects.
const MAX_FETCH_BYTES: usize = 256 << 20;

/// The memory assumed where the system does not report it.
const ASSUMED_BYTES: usize = 4 << 30;

/// The shares of the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) struct MemoryLimits {
    pub(in crate::cli) fetch_bytes: usize,
    pub(in crate::cli) pool_bytes: usize,
}

impl MemoryLimits {
    /// Divides the limit of `--memory`, or 60 % of the available memory.
    pub(in crate::cli) fn new(asked: Option<usize>) -> Result<Self, Failure> {
        if let Some(asked) = asked.filter(|asked| *asked < MIN_BYTES) {
            let asked = bytes_text(asked as u64);
            let min = bytes_text(MIN_BYTES as u64);
            return Err(Failure::usage(format!("--memory: {asked} is too little, at least 192MiB ({min}) works")));
        }
        let total = asked.unwrap_or_else(|| (available_bytes() / 10 * 6).max(MIN_BYTES));
        // Only requested bytes are counted; the allocator takes about a quarter more.
        let rest = (total - PROGRAM_BYTES) / 5 * 4;
        let fetch_bytes = MAX_FETCH_BYTES.min(rest / 5);
        Ok(Self { fetch_bytes, pool_bytes: rest - fetch_bytes })
    }
}

/// Reads a size such as `2GB`, `512MiB` or `1.5 GiB`.
pub(in crate::cli) fn parse_size(text: &str) -> Result<usize, String> {
    let expected = || format!("`{text}`: expected a size such as 2GB or 512MiB");
    let unit_at = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let number: f64 = number.parse().map_err(|_| expected())?;
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "tb" => 1e12,
        "kib" | "k" => 1024.0,
        "mib" | "m" => 1024.0 * 1024.0,
        "gib" | "g" => 1024.0 * 1024.0 * 1024.0,
        "tib" | "t" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return Err(expected()),
    };
    let bytes = number * factor;
    if bytes < isize::MAX as f64 { Ok(bytes as usize) } else { Err(expected()) }
}

/// Returns the bytes of memory of the machine, or of the container where that has less.
fn available_bytes() -> usize {
    let read = |path: &Path| std::fs::read_to_string(path).ok();
    let machine = read(Path::new("/proc/meminfo")).as_deref().and_then(machine_bytes);
    let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let container = container_bytes(&groups, Path::new("/sys/fs/cgroup"));
    match (machine, container) {
        (Some(machine), Some(container)) => machine.min(container),
        (machine, container) => machine.or(container).unwrap_or(ASSUMED_BYTES),
    }
}

/// Returns the memory of the machine, as in /proc/meminfo.
fn machine_bytes(meminfo: &str) -> Option<usize> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse::<usize>().ok().map(|kilobytes| kilobytes * 1_024)
}

/// Returns the lowest limit of the control groups that the process is in: version 2 (`memory.max`) or version 1.
fn container_bytes(groups: &str, root: &Path) -> Option<usize> {
    let mut least: Option<usize> = None;
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        let (folder, file) = match controllers {
            "" => (root.to_owned(), "memory.max"),
            listed if listed.split(',').any(|name| name == "memory") => (root.join("memory"), "memory.limit_in_bytes"),
            _ => continue,
        };
        // Inside a container, the path may be the host's and not exist; the limit is then at the root.
        let inside = Path::new(path.trim_start_matches('/'));
        for group in inside.ancestors() {
            let limit = std::fs::read_to_string(folder.join(group).join(file)).ok();
            let limit = limit.and_then(|text| text.trim().parse::<usize>().ok());
            least = [least, limit].into_iter().flatten().min();
        }
    }
    least
}

/// Returns the bytes that a run may spill to a folder unless it is told: half of what is free there, in the folder above
/// where it does not exist yet. No limit where the system does not say.
pub(in crate::cli) fn spill_limit(folder: &Path) -> u64 {
    folder.ancestors().find_map(free_bytes).map_or(u64::MAX, |bytes| bytes / 2)
}

/// Returns the bytes that the file system of a folder has free for this user.
#[cfg(unix)]
fn free_bytes(folder: &Path) -> Option<u64> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let system = rustix::fs::statvfs(folder).ok()?;
    Some(system.f_bavail.saturating_mul(system.f_frsize))
}

#[cfg(not(unix))]
fn free_bytes(_: &Path) -> Option<u64> {
    None
}

/// Returns the peak memory of the process; `None` when the system does not report it.
pub(in crate::cli) fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("2GB", 2_000_000_000),
            ("512MiB", 512 << 20),
            ("1.5 GiB", 3 << 29),
            ("1024", 1_024),
            ("3g", 3 << 30),
            ("7kb", 7_000),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "GB", "-1GB", "2 apples", "1e9", "99999999TB", "1.2.3MB"] {
            assert_eq!(parse_size(text), Err(format!("`{text}`: expected a size such as 2GB or 512MiB")));
        }
    }

    #[test]
    fn the_limit_is_divided_and_too_little_is_refused() {
        let limits = MemoryLimits::new(Some(2_000_000_000)).unwrap();
        assert_eq!(limits.fetch_bytes, MAX_FETCH_BYTES);
        assert_eq!(limits.fetch_bytes + limits.pool_bytes, (2_000_000_000 - PROGRAM_BYTES) / 5 * 4);
        let least = MemoryLimits::new(Some(MIN_BYTES)).unwrap();
        assert!(least.fetch_bytes > 10_000_000 && least.pool_bytes > 40_000_000, "{least:?}");
        let Err(Failure::Usage(message)) = MemoryLimits::new(Some(1_000_000)) else { panic!("1 MB is enough") };
        assert_eq!(message, "--memory: 1.0 MB is too little, at least 192MiB (201 MB) works");
        assert!(MemoryLimits::new(None).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn half_of_what_is_free_may_be_spilled() {
        let folder = std::env::temp_dir();
        let (here, below) = (spill_limit(&folder), spill_limit(&folder.join("flowsift-none/of/these")));
        assert!(here > 0 && here < u64::MAX / 2 && below > 0 && below < u64::MAX / 2);
    }

    #[test]
    fn the_container_counts_when_it_has_less() {
        let root = std::env::temp_dir().join(format!("flowsift-cgroup-{}", std::process::id()));
        let group = root.join("a/b");
        std::fs::create_dir_all(&group).unwrap();
        std::fs::create_dir_all(root.join("memory/docker")).unwrap();
        std::fs::write(group.join("memory.max"), "max\n").unwrap();
        std::fs::write(root.join("a/memory.max"), "1073741824\n").unwrap();
        std::fs::write(root.join("memory/docker/memory.limit_in_bytes"), "77\n").unwrap();
        assert_eq!(container_bytes("0::/a/b\n", &root), Some(1 << 30));
        assert_eq!(container_bytes("0::/\n", &root), None);
        assert_eq!(container_bytes("5:cpu:/\n4:pids,memory:/docker\n", &root), Some(77));
        assert_eq!(container_bytes("", &root), None);
        std::fs::remove_dir_all(&root).unwrap();
        assert_eq!(machine_bytes("MemFree: 3 kB\nMemTotal:       16 kB\n"), Some(16_384));
        assert_eq!(machine_bytes("nothing"), None);
    }
}

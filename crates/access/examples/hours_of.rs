//! Reads a folder of access logs to `access_hours`, as a run does, and tells how long that took:
//! `hours_of DIR [THREADS] [inflate|acts|hours]`.
//!
//! `inflate` stops at the text, `acts` at the acts. One line of JSON comes out: events, rows, a sum to compare with, wall
//! and CPU seconds, and the peak of memory.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use flowsift_access::{AccessHours, Inflater, ReadOptions, read_object};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn files(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { files(&path, found)? } else { found.push(path) }
    }
    Ok(())
}

/// Returns the number behind a name in a file of `/proc/self`.
fn told(file: &str, name: &str) -> Option<f64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Returns the CPU seconds of the process so far; `None` where the system does not tell.
fn cpu_s() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // User and system time are the 14th and 15th word; the second is in brackets. A tick is 10 ms on Linux.
    let mut words = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let ticks = words.next()?.parse::<f64>().ok()? + words.next()?.parse::<f64>().ok()?;
    Some(ticks / 100.0)
}

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let folder = words.first().ok_or("hours_of DIR [THREADS] [inflate|acts|hours]")?;
    let threads: usize = words.get(1).map_or(Ok(2), |word| word.parse())?;
    let stage = words.get(2).map_or("hours", String::as_str);
    let mut paths = Vec::new();
    files(Path::new(folder), &mut paths)?;
    paths.sort();

    let (begin, cpu_before) = (Instant::now(), cpu_s());
    let next = AtomicUsize::new(0);
    let work = || -> Outcome<(AccessHours, u64, u64)> {
        let (mut hours, mut inflater, mut acts, mut bytes) = (AccessHours::default(), Inflater::default(), 0, 0);
        while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
            let object = std::fs::read(path)?;
            let (key, options) = (path.to_string_lossy(), ReadOptions::default());
            match stage {
                "inflate" => bytes += inflater.text(&key, &object)?.len() as u64,
                "acts" => acts += read_object(&mut inflater, &key, &object, &options, &mut |_| {})?.counts.acts,
                _ => {
                    let read = hours.object(|sink| read_object(&mut inflater, &key, &object, &options, sink))?;
                    acts += read.counts.acts;
                }
            }
        }
        Ok((hours, acts, bytes))
    };
    let (mut hours, mut acts, mut bytes) = (AccessHours::default(), 0, 0);
    std::thread::scope(|scope| -> Outcome<()> {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for (place, thread) in threads.into_iter().enumerate() {
            let (part, of_thread, text) = thread.join().map_err(|_| "a thread ended early")??;
            if place == 0 {
                hours = part
            } else {
                hours.merge(&part)
            }
            (acts, bytes) = (acts + of_thread, bytes + text);
        }
        Ok(())
    })?;
    let read_s = begin.elapsed().as_secs_f64();
    hours.seal();
    let rows = hours.rows();
    let wall_s = begin.elapsed().as_secs_f64();
    let cpu = cpu_s().zip(cpu_before).map_or(0.0, |(end, begin)| end - begin);
    let events: u64 = rows.iter().map(|row| row.sums.events).sum();
    let denied: u64 = rows.iter().filter(|row| row.outcome.name() == "denied").map(|row| row.sums.events).sum();
    println!(
        "{{\"acts\":{acts},\"events\":{events},\"denied\":{denied},\"rows\":{},\"text_bytes\":{bytes},\"wall_s\":{wall_s:.3},\"read_s\":{read_s:.3},\"cpu_s\":{cpu:.2},\"peak_mb\":{:.0}}}",
        rows.len(),
        told("/proc/self/status", "VmHWM:").unwrap_or_default() / 1024.0
    );
    Ok(())
}

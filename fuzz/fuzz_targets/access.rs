//! Feeds bytes as an object of each log of accesses: no panic, no place outside the object, and what serde_json reads of
//! CloudTrail, the scanner reads alike.
#![no_main]

use access::{AccessError, Inflater, LogKind, ObjectRead, ReadOptions, read_object};
use flowsift_fuzz::memory::Limited;
use libfuzzer_sys::fuzz_target;

#[global_allocator]
static MEMORY: Limited = Limited;

fuzz_target!(|data: &[u8]| {
    let Some((pick, object)) = data.split_first() else { return };
    // One input in three is told by its looks, as objects without a telling key are.
    let kind = LogKind::ALL.get(usize::from(*pick) % (LogKind::ALL.len() + LogKind::ALL.len() / 2)).copied();
    let read = |is_slow: bool| -> (Result<ObjectRead, AccessError>, Vec<String>) {
        let mut acts = Vec::new();
        let options = ReadOptions { kind, zone: None, is_slow };
        let read = read_object(&mut Inflater::default(), "object", object, &options, &mut |act| {
            acts.push(format!("{act:?} {:?}", act.credential.full()));
        });
        (read, acts)
    };
    let (fast, acts) = read(false);
    if let Ok(read) = &fast {
        assert!(read.counts.acts == acts.len() as u64, "{} acts counted, {} told", read.counts.acts, acts.len());
        assert!(read.counts.first_bad.len() as u64 <= read.counts.bad_records, "{:?}", read.counts);
    }
    let is_trail = fast.as_ref().map_or(kind == Some(LogKind::CloudTrail), |read| read.kind == LogKind::CloudTrail);
    if is_trail {
        let (slow, theirs) = read(true);
        if let Ok(slow) = slow {
            let fast = fast.unwrap_or_else(|error| panic!("serde_json reads it, the scanner does not: {error}"));
            assert!(fast.counts.bad_records == slow.counts.bad_records, "{:?} and {:?}", fast.counts, slow.counts);
            assert!(acts == theirs, "{acts:#?} by the scanner, {theirs:#?} by serde_json");
        }
    }
});

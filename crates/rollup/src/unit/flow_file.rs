//! Records of a unit on disk: 40 bytes each, in runs that belong to one part.

use super::packed::PackedFlow;
use memory::{Memory, SpillError, SpillFile};
use std::sync::OnceLock;

/// Bytes of a record on disk, as in memory.
const FLOW_BYTES: usize = 40;

/// Records that are written or read at a time.
pub(crate) const CHUNK: usize = 8_192;

/// Consecutive records of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlowRun {
    at: u64,
    pub(crate) records: usize,
}

impl FlowRun {
    /// Cuts the run into runs of at most [`CHUNK`] records.
    pub(crate) fn chunks(self) -> impl Iterator<Item = FlowRun> {
        (0..self.records).step_by(CHUNK).map(move |first| FlowRun {
            at: self.at + (first * FLOW_BYTES) as u64,
            records: CHUNK.min(self.records - first),
        })
    }
}

/// The spilled records of one unit. The file is created when the first records are spilled.
#[derive(Debug)]
pub(crate) struct FlowFile {
    memory: Memory,
    file: OnceLock<SpillFile>,
}

impl FlowFile {
    pub(crate) fn new(memory: Memory) -> Self {
        Self { memory, file: OnceLock::new() }
    }

    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    fn file(&self) -> Result<&SpillFile, SpillError> {
        match self.file.get() {
            Some(file) => Ok(file),
            None => {
                let made = self.memory.new_file()?;
                Ok(self.file.get_or_init(|| made))
            }
        }
    }

    /// Writes lists as one run.
    pub(crate) fn write(&self, lists: &[Vec<PackedFlow>]) -> Result<FlowRun, SpillError> {
        let records = lists.iter().map(Vec::len).sum::<usize>();
        let file = self.file()?;
        let run = FlowRun { at: file.claim((records * FLOW_BYTES) as u64), records };
        let mut bytes = Vec::with_capacity(CHUNK.min(records) * FLOW_BYTES);
        let mut at = run.at;
        for flow in lists.iter().flatten() {
            bytes.extend_from_slice(&to_bytes(flow));
            if bytes.len() == CHUNK * FLOW_BYTES {
                file.write(at, &bytes)?;
                at += bytes.len() as u64;
                bytes.clear();
            }
        }
        file.write(at, &bytes)?;
        Ok(run)
    }

    /// Reads a run, chunk by chunk.
    pub(crate) fn read(&self, run: FlowRun, mut each: impl FnMut(PackedFlow)) -> Result<(), SpillError> {
        let file = self.file()?;
        let mut bytes = vec![0; CHUNK.min(run.records) * FLOW_BYTES];
        for chunk in run.chunks() {
            let bytes = &mut bytes[..chunk.records * FLOW_BYTES];
            file.read(chunk.at, bytes)?;
            let (flows, _) = bytes.as_chunks::<FLOW_BYTES>();
            flows.iter().for_each(|flow| each(from_bytes(flow)));
        }
        Ok(())
    }
}

fn to_bytes(flow: &PackedFlow) -> [u8; FLOW_BYTES] {
    let mut bytes = [0; FLOW_BYTES];
    bytes[..8].copy_from_slice(&flow.bytes.to_le_bytes());
    let words = [flow.host, flow.remote, flow.interface, flow.start_s, flow.packets];
    for (at, word) in words.into_iter().enumerate() {
        bytes[8 + 4 * at..12 + 4 * at].copy_from_slice(&word.to_le_bytes());
    }
    let halves = [flow.host_port, flow.remote_port, flow.duration_s, flow.service];
    for (at, half) in halves.into_iter().enumerate() {
        bytes[28 + 2 * at..30 + 2 * at].copy_from_slice(&half.to_le_bytes());
    }
    bytes[36..].copy_from_slice(&[flow.protocol, flow.tcp_flags, flow.bits, flow.flags_in]);
    bytes
}

fn from_bytes(bytes: &[u8; FLOW_BYTES]) -> PackedFlow {
    let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let half = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    PackedFlow {
        bytes: u64::from(word(0)) | u64::from(word(4)) << 32,
        host: word(8),
        remote: word(12),
        interface: word(16),
        start_s: word(20),
        packets: word(24),
        host_port: half(28),
        remote_port: half(30),
        duration_s: half(32),
        service: half(34),
        protocol: bytes[36],
        tcp_flags: bytes[37],
        bits: bytes[38],
        flags_in: bytes[39],
    }
}

const _: () = assert!(size_of::<PackedFlow>() == FLOW_BYTES);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn flows() -> impl Strategy<Value = Vec<PackedFlow>> {
        let numbers = (any::<u64>(), any::<[u32; 5]>(), any::<[u16; 4]>(), any::<[u8; 4]>());
        let flow = numbers.prop_map(|(bytes, words, halves, [protocol, tcp_flags, bits, flags_in])| PackedFlow {
            flags_in,
            bytes,
            host: words[0],
            remote: words[1],
            interface: words[2],
            start_s: words[3],
            packets: words[4],
            host_port: halves[0],
            remote_port: halves[1],
            duration_s: halves[2],
            service: halves[3],
            protocol,
            tcp_flags,
            bits,
        });
        prop::collection::vec(flow, 0..50)
    }

    proptest! {
        #[test]
        fn runs_come_back_as_they_were(one in flows(), two in flows(), three in flows()) {
            let file = FlowFile::new(Memory::default());
            let first = file.write(&[one.clone(), Vec::new(), two.clone()]).unwrap();
            let second = file.write(std::slice::from_ref(&three)).unwrap();
            for (run, flows) in [(second, three), (first, [one, two].concat())] {
                let mut read = Vec::new();
                file.read(run, |flow| read.push(flow)).unwrap();
                prop_assert_eq!(read, flows);
            }
        }
    }

    #[test]
    fn long_runs_are_cut_and_lose_nothing() {
        let flow = |at: usize| PackedFlow { start_s: at as u32, ..PackedFlow::default() };
        let flows: Vec<PackedFlow> = (0..2 * CHUNK + 7).map(flow).collect();
        let file = FlowFile::new(Memory::default());
        let run = file.write(&[flows]).unwrap();
        let mut next = 0;
        for chunk in run.chunks() {
            assert!(chunk.records <= CHUNK);
            file.read(chunk, |flow| {
                assert_eq!(flow.start_s, next);
                next += 1;
            })
            .unwrap();
        }
        assert_eq!(next as usize, 2 * CHUNK + 7);
    }
}

//! One part of a `pair_hours` table, in memory or on disk.

use super::part::HourPart;
use super::row::{HourRow, PackedSegment, Vantage};
use flow::codes::Role;
use memory::{Reservation, SpillError, SpillFile};
use std::borrow::Cow;
use std::sync::Arc;

/// Bytes of a row and of a segment on disk.
const ROW_BYTES: usize = 94;

const SEGMENT_BYTES: usize = 12;

/// Rows and segments that are written or read at a time.
const CHUNK: usize = 4_096;

/// The rows of one part, wherever they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StoredPart {
    Kept(Arc<HourPart>),
    Spilled(SpilledPart),
}

impl Default for StoredPart {
    fn default() -> Self {
        StoredPart::Kept(Arc::default())
    }
}

/// Rows on disk, with the facts that are needed without reading them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SpilledPart {
    file: Arc<SpillFile>,
    at: u64,
    rows: usize,
    segments: usize,
    hours: Option<(u32, u32)>,
    /// Codes of the hosts that no forwarder had to tell, sorted.
    own_hosts: Vec<u32>,
    /// Indices of the names of the ENIs that told them, sorted.
    own_interfaces: Vec<u32>,
    /// Codes of the remotes that forwarders saw, sorted.
    forwarded_remotes: Vec<u32>,
}

/// Memory that the parts of a table hold until the table is dropped. It plays no role in comparisons of tables.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedReservation {
    _reservation: Option<Arc<Reservation>>,
}

impl PartialEq for SharedReservation {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for SharedReservation {}

impl SharedReservation {
    pub(crate) fn new(reservation: Reservation) -> Self {
        Self { _reservation: Some(Arc::new(reservation)) }
    }
}

impl StoredPart {
    /// Keeps a part in memory if `held` can grow by its size, and spills it otherwise.
    ///
    /// # Errors
    /// [`SpillError`] when the part cannot be written.
    pub(crate) fn store(part: HourPart, held: &mut Reservation) -> Result<Self, SpillError> {
        Self::store_shared(Arc::new(part), held)
    }

    /// Does what [`Self::store`] does, for a part that may be shared.
    ///
    /// # Errors
    /// Those of [`Self::store`].
    pub(crate) fn store_shared(part: Arc<HourPart>, held: &mut Reservation) -> Result<Self, SpillError> {
        if part.rows.is_empty() || held.try_grow(part.memory_bytes()) {
            return Ok(StoredPart::Kept(part));
        }
        Ok(StoredPart::Spilled(SpilledPart::write(&part, held.memory().file()?)?))
    }

    /// Returns the number of rows.
    pub(crate) fn rows(&self) -> usize {
        match self {
            StoredPart::Kept(part) => part.rows.len(),
            StoredPart::Spilled(part) => part.rows,
        }
    }

    /// Returns whether the rows are on disk.
    pub(crate) fn is_spilled(&self) -> bool {
        matches!(self, StoredPart::Spilled(_))
    }

    /// Returns the first and last hour of any row.
    pub(crate) fn hours(&self) -> Option<(u32, u32)> {
        match self {
            StoredPart::Kept(part) => part.hours(),
            StoredPart::Spilled(part) => part.hours,
        }
    }

    /// Returns the codes of the hosts that no forwarder had to tell, sorted.
    pub(crate) fn own_hosts(&self) -> Cow<'_, [u32]> {
        match self {
            StoredPart::Kept(part) => Cow::Owned(part.own_hosts()),
            StoredPart::Spilled(part) => Cow::Borrowed(&part.own_hosts),
        }
    }

    /// Returns the indices of the names of the ENIs that told these hosts, sorted.
    pub(crate) fn own_interfaces(&self) -> Cow<'_, [u32]> {
        match self {
            StoredPart::Kept(part) => Cow::Owned(part.own_interfaces()),
            StoredPart::Spilled(part) => Cow::Borrowed(&part.own_interfaces),
        }
    }

    /// Returns the codes of the remotes that forwarders saw, sorted.
    pub(crate) fn forwarded_remotes(&self) -> Cow<'_, [u32]> {
        match self {
            StoredPart::Kept(part) => Cow::Owned(part.forwarded_remotes()),
            StoredPart::Spilled(part) => Cow::Borrowed(&part.forwarded_remotes),
        }
    }

    /// Returns the rows, which are read if they are on disk.
    ///
    /// # Errors
    /// [`SpillError::Read`] when the file cannot be read.
    pub(crate) fn load(&self) -> Result<Arc<HourPart>, SpillError> {
        match self {
            StoredPart::Kept(part) => Ok(part.clone()),
            StoredPart::Spilled(part) => part.read().map(Arc::new),
        }
    }
}

impl SpilledPart {
    fn write(part: &HourPart, file: Arc<SpillFile>) -> Result<Self, SpillError> {
        let (rows, segments) = (part.rows.len(), part.segments.len());
        let at = file.claim((rows * ROW_BYTES + segments * SEGMENT_BYTES) as u64);
        let mut bytes = Vec::with_capacity(CHUNK.min(rows) * ROW_BYTES);
        let mut next = at;
        for rows in part.rows.chunks(CHUNK) {
            bytes.clear();
            rows.iter().for_each(|row| row_to_bytes(row, &mut bytes));
            file.write(next, &bytes)?;
            next += bytes.len() as u64;
        }
        for segments in part.segments.chunks(CHUNK) {
            bytes.clear();
            segments.iter().for_each(|segment| bytes.extend_from_slice(&segment.to_bytes()));
            file.write(next, &bytes)?;
            next += bytes.len() as u64;
        }
        Ok(Self {
            file,
            at,
            rows,
            segments,
            hours: part.hours(),
            own_hosts: part.own_hosts(),
            own_interfaces: part.own_interfaces(),
            forwarded_remotes: part.forwarded_remotes(),
        })
    }

    fn read(&self) -> Result<HourPart, SpillError> {
        let mut part = HourPart { rows: Vec::with_capacity(self.rows), segments: Vec::with_capacity(self.segments) };
        let mut bytes = vec![0; CHUNK.min(self.rows) * ROW_BYTES];
        let mut at = self.at;
        while part.rows.len() < self.rows {
            let bytes = &mut bytes[..CHUNK.min(self.rows - part.rows.len()) * ROW_BYTES];
            self.file.read(at, bytes)?;
            at += bytes.len() as u64;
            part.rows.extend(bytes.as_chunks::<ROW_BYTES>().0.iter().map(row_from_bytes));
        }
        let mut bytes = vec![0; CHUNK.min(self.segments) * SEGMENT_BYTES];
        while part.segments.len() < self.segments {
            let bytes = &mut bytes[..CHUNK.min(self.segments - part.segments.len()) * SEGMENT_BYTES];
            self.file.read(at, bytes)?;
            at += bytes.len() as u64;
            part.segments.extend(bytes.as_chunks::<SEGMENT_BYTES>().0.iter().map(PackedSegment::from_bytes));
        }
        Ok(part)
    }
}

fn row_to_bytes(row: &HourRow, bytes: &mut Vec<u8>) {
    for number in [row.bytes_out, row.bytes_in, row.packets_out, row.packets_in] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    let words = [
        row.host,
        row.remote,
        row.hour_s,
        row.first_s,
        row.last_s,
        row.longest_s,
        row.connections,
        row.records,
        row.rejected,
        row.segments_dropped,
        row.segments_at,
        row.interface,
        row.owner,
    ];
    words.iter().for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
    for half in [row.segments, row.service, row.port, row.window_s] {
        bytes.extend_from_slice(&half.to_le_bytes());
    }
    let bits = u8::from(row.role == Role::Server) | (row.vantage as u8) << 1;
    bytes.extend_from_slice(&[row.protocol, bits]);
}

fn row_from_bytes(bytes: &[u8; ROW_BYTES]) -> HourRow {
    let word = |at: usize| {
        let at = 32 + 4 * at;
        u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
    };
    let half = |at: usize| u16::from_le_bytes([bytes[84 + 2 * at], bytes[85 + 2 * at]]);
    let (long, _) = bytes.as_chunks::<8>();
    HourRow {
        bytes_out: u64::from_le_bytes(long[0]),
        bytes_in: u64::from_le_bytes(long[1]),
        packets_out: u64::from_le_bytes(long[2]),
        packets_in: u64::from_le_bytes(long[3]),
        host: word(0),
        remote: word(1),
        hour_s: word(2),
        first_s: word(3),
        last_s: word(4),
        longest_s: word(5),
        connections: word(6),
        records: word(7),
        rejected: word(8),
        segments_dropped: word(9),
        segments_at: word(10),
        interface: word(11),
        owner: word(12),
        segments: half(0),
        service: half(1),
        port: half(2),
        window_s: half(3),
        protocol: bytes[92],
        role: if bytes[93] & 1 == 0 { Role::Client } else { Role::Server },
        vantage: Vantage::from_code(bytes[93] >> 1),
    }
}

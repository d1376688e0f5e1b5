//! A `pair_hours` table opened for reading, its schema checked and its columns at hand.

use super::{TABLE, pair_hours_schema};
use crate::flow::Address;
use crate::flow::codes::Role;
use crate::rollup::RollupError;
use crate::rollup::segment::{Opening, Segment};
use arrow::array::{
    Array, AsArray, DictionaryArray, FixedSizeBinaryArray, Int64Array, RecordBatch, TimestampSecondArray, UInt8Array,
    UInt16Array, UInt32Array, UInt64Array,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{Int32Type, Int64Type, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type};

/// A `pair_hours` table opened for reading, with its columns at hand: a look-up by name costs more than a row's sums.
#[derive(Debug, Clone)]
pub struct PairHours {
    batch: RecordBatch,
    hour: TimestampSecondArray,
    first_seen: TimestampSecondArray,
    last_seen: TimestampSecondArray,
    account: DictionaryArray<Int32Type>,
    region: DictionaryArray<Int32Type>,
    host: FixedSizeBinaryArray,
    remote: FixedSizeBinaryArray,
    port: UInt16Array,
    protocol: UInt8Array,
    role: Vec<Role>,
    transit: Vec<bool>,
    interface: DictionaryArray<Int32Type>,
    service: DictionaryArray<Int32Type>,
    connections: UInt32Array,
    records: UInt32Array,
    rejected: UInt32Array,
    bytes_out: UInt64Array,
    bytes_in: UInt64Array,
    packets_out: UInt64Array,
    packets_in: UInt64Array,
    window: UInt32Array,
    segments_dropped: UInt32Array,
    /// Begin of each row's segments in the four columns below, and the end of the last.
    segment_offsets: OffsetBuffer<i32>,
    starts: Int64Array,
    durations: UInt32Array,
    client_ports: UInt16Array,
    openings: UInt8Array,
    size_offsets: OffsetBuffer<i32>,
    size_buckets: UInt16Array,
    size_counts: UInt32Array,
}

impl PairHours {
    /// Opens a table of the published schema.
    ///
    /// # Errors
    /// [`RollupError::Schema`] when a column is missing or has another type.
    pub fn new(batch: RecordBatch) -> Result<Self, RollupError> {
        for field in pair_hours_schema().fields() {
            let got = batch.schema_ref().field_with_name(field.name()).map(|f| f.data_type().to_string());
            let expected = field.data_type().to_string();
            if got.as_ref().ok() != Some(&expected) {
                return Err(RollupError::Schema {
                    table: TABLE,
                    column: field.name().clone(),
                    got: got.unwrap_or_else(|_| "missing".to_owned()),
                    expected,
                });
            }
        }
        let column = |name: &str| batch.column_by_name(name).cloned().unwrap_or_else(|| batch.column(0).clone());
        let words = |name: &str, word: &str| -> Vec<bool> {
            let array = column(name);
            let array = array.as_dictionary::<Int32Type>();
            let values: Vec<bool> = array.values().as_string::<i32>().iter().map(|v| v == Some(word)).collect();
            array.keys().values().iter().map(|key| values.get(*key as usize).copied().unwrap_or(false)).collect()
        };
        let role = words("role", "server").into_iter().map(|s| if s { Role::Server } else { Role::Client }).collect();
        let lists = |name: &str| column(name).as_list::<i32>().clone();
        let starts = lists("starts");
        // The four lists are read by the offsets of the first.
        for name in ["durations_s", "client_ports", "openings"] {
            if lists(name).value_offsets() != starts.value_offsets() {
                return Err(RollupError::Schema {
                    table: TABLE,
                    column: name.to_owned(),
                    got: "of other lengths".to_owned(),
                    expected: "a list as long as `starts` in each row".to_owned(),
                });
            }
        }
        let sizes = lists("sizes");
        let size_values = sizes.values().as_struct();
        let u32s = |name: &str| column(name).as_primitive::<UInt32Type>().clone();
        let u64s = |name: &str| column(name).as_primitive::<UInt64Type>().clone();
        let times = |name: &str| column(name).as_primitive::<TimestampSecondType>().clone();
        Ok(Self {
            hour: times("hour"),
            first_seen: times("first_seen"),
            last_seen: times("last_seen"),
            account: column("account_id").as_dictionary::<Int32Type>().clone(),
            region: column("region").as_dictionary::<Int32Type>().clone(),
            host: column("host").as_fixed_size_binary().clone(),
            remote: column("remote").as_fixed_size_binary().clone(),
            port: column("port").as_primitive::<UInt16Type>().clone(),
            protocol: column("protocol").as_primitive::<UInt8Type>().clone(),
            role,
            transit: words("vantage", "transit"),
            interface: column("interface_id").as_dictionary::<Int32Type>().clone(),
            service: column("aws_service").as_dictionary::<Int32Type>().clone(),
            connections: u32s("connections"),
            records: u32s("records"),
            rejected: u32s("rejected"),
            bytes_out: u64s("bytes_out"),
            bytes_in: u64s("bytes_in"),
            packets_out: u64s("packets_out"),
            packets_in: u64s("packets_in"),
            window: u32s("window_s"),
            segments_dropped: u32s("segments_dropped"),
            segment_offsets: starts.offsets().clone(),
            starts: starts.values().as_primitive::<Int64Type>().clone(),
            durations: lists("durations_s").values().as_primitive::<UInt32Type>().clone(),
            client_ports: lists("client_ports").values().as_primitive::<UInt16Type>().clone(),
            openings: lists("openings").values().as_primitive::<UInt8Type>().clone(),
            size_offsets: sizes.offsets().clone(),
            size_buckets: size_values.column(0).as_primitive::<UInt16Type>().clone(),
            size_counts: size_values.column(1).as_primitive::<UInt32Type>().clone(),
            batch,
        })
    }

    /// The table itself.
    pub fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.batch.num_rows()
    }

    /// Tells whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Port of the service.
    #[inline]
    pub fn port(&self, row: usize) -> u16 {
        self.port.value(row)
    }

    /// IANA protocol number.
    #[inline]
    pub fn protocol(&self, row: usize) -> u8 {
        self.protocol.value(row)
    }

    /// The monitored side.
    #[inline]
    pub fn host(&self, row: usize) -> Address {
        Address::from_bytes(self.host.value(row).try_into().unwrap_or_default())
    }

    /// The other side.
    #[inline]
    pub fn remote(&self, row: usize) -> Address {
        Address::from_bytes(self.remote.value(row).try_into().unwrap_or_default())
    }

    /// Connections that began in the hour.
    #[inline]
    pub fn connections(&self, row: usize) -> u64 {
        u64::from(self.connections.value(row))
    }

    /// Flow records.
    #[inline]
    pub fn records(&self, row: usize) -> u64 {
        u64::from(self.records.value(row))
    }

    /// Rejected flow records.
    #[inline]
    pub fn rejected(&self, row: usize) -> u64 {
        u64::from(self.rejected.value(row))
    }

    /// Bytes that left the host.
    #[inline]
    pub fn bytes_out(&self, row: usize) -> u64 {
        self.bytes_out.value(row)
    }

    /// Bytes that reached the host.
    #[inline]
    pub fn bytes_in(&self, row: usize) -> u64 {
        self.bytes_in.value(row)
    }

    /// Packets that left the host.
    #[inline]
    pub fn packets_out(&self, row: usize) -> u64 {
        self.packets_out.value(row)
    }

    /// Packets that reached the host.
    #[inline]
    pub fn packets_in(&self, row: usize) -> u64 {
        self.packets_in.value(row)
    }

    /// First packet's second since 1970.
    #[inline]
    pub fn first_seen_s(&self, row: usize) -> i64 {
        self.first_seen.value(row)
    }

    /// Last packet's second since 1970.
    #[inline]
    pub fn last_seen_s(&self, row: usize) -> i64 {
        self.last_seen.value(row)
    }

    /// Aggregation interval in seconds, 60 or 600.
    #[inline]
    pub fn window_s(&self, row: usize) -> u32 {
        self.window.value(row)
    }

    /// Connection segments beyond those that the row keeps.
    #[inline]
    pub fn segments_dropped(&self, row: usize) -> u64 {
        u64::from(self.segments_dropped.value(row))
    }

    /// The row's hour, in seconds since 1970.
    pub fn hour_s(&self, row: usize) -> i64 {
        self.hour.value(row)
    }

    /// The role of the row's host.
    pub fn role(&self, row: usize) -> Role {
        self.role[row]
    }

    /// Tells whether a gateway saw the row's traffic, not the host's own ENI.
    pub fn is_transit(&self, row: usize) -> bool {
        self.transit[row]
    }

    fn word(array: &DictionaryArray<Int32Type>, row: usize) -> Option<&str> {
        let key = array.key(row)?;
        Some(array.values().as_string::<i32>().value(key))
    }

    /// Account and region of a row.
    pub fn owner(&self, row: usize) -> (&str, &str) {
        self.owner_of_keys(self.owner_keys(row))
    }

    /// Account and region by their dictionary keys; `unknown` where there is no such key.
    pub fn owner_of_keys(&self, keys: (i32, i32)) -> (&str, &str) {
        (Self::text_of(&self.account, keys.0), Self::text_of(&self.region, keys.1))
    }

    fn text_of(array: &DictionaryArray<Int32Type>, key: i32) -> &str {
        let values = array.values().as_string::<i32>();
        usize::try_from(key).ok().filter(|at| *at < values.len()).map_or("unknown", |at| values.value(at))
    }

    /// Dictionary keys of account and region of a row: equal keys mean equal owners within this table.
    pub fn owner_keys(&self, row: usize) -> (i32, i32) {
        (self.account.keys().value(row), self.region.keys().value(row))
    }

    /// ENI of a row.
    pub fn interface(&self, row: usize) -> Option<&str> {
        Self::word(&self.interface, row)
    }

    /// AWS service behind a row's remote.
    pub fn service(&self, row: usize) -> Option<&str> {
        Self::word(&self.service, row)
    }

    /// Appends the connection segments of a row.
    pub fn segments(&self, row: usize, out: &mut Vec<Segment>) {
        let (begin, end) = (self.segment_offsets[row] as usize, self.segment_offsets[row + 1] as usize);
        out.extend((begin..end).map(|at| Segment {
            start_s: self.starts.value(at),
            client_port: self.client_ports.value(at),
            end_s: self.starts.value(at) + i64::from(self.durations.value(at)),
            opening: Opening::from_code(self.openings.value(at)),
        }));
    }

    /// The histogram of bytes out per segment of a row: bucket and count.
    pub fn sizes(&self, row: usize) -> impl Iterator<Item = (u16, u32)> + '_ {
        let (begin, end) = (self.size_offsets[row] as usize, self.size_offsets[row + 1] as usize);
        (begin..end).map(|at| (self.size_buckets.value(at), self.size_counts.value(at)))
    }
}

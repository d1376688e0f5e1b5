//! The `pair_hours` table: its published schema, how a unit writes it and how it is read back.

use super::RollupError;
use super::peers::{PairFold, PairRow};
use super::segment::{Opening, Segment};
use crate::flow::Address;
use crate::flow::codes::Role;
use crate::scan::NONE;
use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, FixedSizeBinaryBuilder, Int32Array, Int64Array, ListArray, RecordBatch,
    StringArray, StructArray, TimestampSecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Field, Fields, Int32Type, Int64Type, Schema, SchemaRef, TimeUnit,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use rayon::prelude::*;
use std::sync::Arc;

const TABLE: &str = "pair_hours";

fn text() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

fn seconds() -> DataType {
    DataType::Timestamp(TimeUnit::Second, Some("UTC".into()))
}

fn list(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("item", item, false)))
}

fn size_fields() -> Fields {
    vec![Field::new("bucket", DataType::UInt16, false), Field::new("count", DataType::UInt32, false)].into()
}

/// The schema of `pair_hours`: one row per hour × host × remote × protocol × port × role × account × region × vantage,
/// sorted by host, remote, protocol, port, role, account, region, vantage, hour.
///
/// `starts`, `durations_s`, `client_ports` and `openings` are parallel lists of connection segments (4,096 at most,
/// `segments_dropped` more were seen): an opening of 0 is a SYN, 1 continues an earlier connection and is no start,
/// 2 is a first sight. `sizes` is a sparse histogram of bytes out per segment with the buckets of
/// [`crate::kernels::sizes`]. `vantage` is `own` (the host's ENI) or `transit` (a gateway's). Rejected records count
/// in `records` and `rejected`, never in bytes or packets.
pub fn pair_hours_schema() -> SchemaRef {
    let column = |name: &str, kind: DataType| Field::new(name, kind, false);
    Arc::new(Schema::new(vec![
        column("hour", seconds()),
        column("account_id", text()),
        column("region", text()),
        column("host", DataType::FixedSizeBinary(16)),
        column("remote", DataType::FixedSizeBinary(16)),
        column("port", DataType::UInt16),
        column("protocol", DataType::UInt8),
        column("role", text()),
        column("vantage", text()),
        Field::new("interface_id", text(), true),
        Field::new("aws_service", text(), true),
        column("connections", DataType::UInt32),
        column("records", DataType::UInt32),
        column("rejected", DataType::UInt32),
        column("bytes_out", DataType::UInt64),
        column("bytes_in", DataType::UInt64),
        column("packets_out", DataType::UInt64),
        column("packets_in", DataType::UInt64),
        column("first_seen", seconds()),
        column("last_seen", seconds()),
        column("longest_s", DataType::UInt32),
        column("window_s", DataType::UInt32),
        column("segments_dropped", DataType::UInt32),
        column("starts", list(DataType::Int64)),
        column("durations_s", list(DataType::UInt32)),
        column("client_ports", list(DataType::UInt16)),
        column("openings", list(DataType::UInt8)),
        column("sizes", list(DataType::Struct(size_fields()))),
    ]))
}

/// Texts and addresses that packed rows name by rank or number.
pub(super) struct BatchTexts<'a> {
    pub(super) owners: &'a [(String, String)],
    pub(super) addresses: &'a [Address],
    pub(super) names: &'a [String],
    pub(super) services: &'a [&'a str],
}

/// Builds a dictionary column from numbers into `values`; numbers out of range are null.
fn dictionary<'a>(keys: impl Iterator<Item = u32>, values: impl Iterator<Item = &'a str>) -> Result<ArrayRef, RollupError> {
    let values = StringArray::from_iter_values(values);
    let keys: Int32Array = keys.map(|key| ((key as usize) < values.len()).then_some(key as i32)).collect();
    let array = DictionaryArray::<Int32Type>::try_new(keys, Arc::new(values))
        .map_err(|error| RollupError::Arrow { table: TABLE, error })?;
    Ok(Arc::new(array))
}

fn addresses(ranks: impl ExactSizeIterator<Item = u32>, sorted: &[Address]) -> Result<ArrayRef, RollupError> {
    let mut builder = FixedSizeBinaryBuilder::with_capacity(ranks.len(), 16);
    for rank in ranks {
        let address = sorted.get(rank as usize).copied().unwrap_or_default();
        builder.append_value(address.to_bytes()).map_err(|error| RollupError::Arrow { table: TABLE, error })?;
    }
    Ok(Arc::new(builder.finish()))
}

fn numbers<T: ArrowPrimitiveType>(values: impl Iterator<Item = T::Native>) -> ArrayRef {
    Arc::new(arrow::array::PrimitiveArray::<T>::from_iter_values(values))
}

/// Builds the table from folded parts, sorted by key.
pub(super) fn pair_hours_batch(folds: &[PairFold], texts: &BatchTexts<'_>) -> Result<RecordBatch, RollupError> {
    let mut rows: Vec<(&PairRow, &PairFold)> =
        folds.iter().flat_map(|fold| fold.rows.iter().map(move |row| (row, fold))).collect();
    rows.par_sort_unstable_by_key(|(row, _)| {
        (row.host, row.remote, row.protocol, row.port, row.role, row.owner, row.transit, row.hour_s)
    });
    let per_row = || rows.iter().map(|(row, _)| *row);
    let segments = || rows.iter().flat_map(|(row, fold)| &fold.segments[row.segments.0..row.segments.1]);
    let offsets = OffsetBuffer::from_lengths(per_row().map(|row| row.segments.1 - row.segments.0));
    let listed = |item: DataType, values: ArrayRef| -> ArrayRef {
        Arc::new(ListArray::new(Arc::new(Field::new("item", item, false)), offsets.clone(), values, None))
    };
    let sizes = || rows.iter().flat_map(|(row, fold)| &fold.sizes[row.sizes.0..row.sizes.1]);
    let size_values = StructArray::new(
        size_fields(),
        vec![
            numbers::<UInt16Type>(sizes().map(|(bucket, _)| *bucket)),
            numbers::<UInt32Type>(sizes().map(|(_, count)| *count)),
        ],
        None,
    );
    let size_offsets = OffsetBuffer::from_lengths(per_row().map(|row| row.sizes.1 - row.sizes.0));
    let size_field = Arc::new(Field::new("item", DataType::Struct(size_fields()), false));
    let stamp = |values: Vec<i64>| -> ArrayRef { Arc::new(TimestampSecondArray::from(values).with_timezone("UTC")) };
    let columns: Vec<ArrayRef> = vec![
        stamp(per_row().map(|row| row.hour_s).collect()),
        dictionary(per_row().map(|row| row.owner), texts.owners.iter().map(|(account, _)| account.as_str()))?,
        dictionary(per_row().map(|row| row.owner), texts.owners.iter().map(|(_, region)| region.as_str()))?,
        addresses(per_row().map(|row| row.host).collect::<Vec<_>>().into_iter(), texts.addresses)?,
        addresses(per_row().map(|row| row.remote).collect::<Vec<_>>().into_iter(), texts.addresses)?,
        numbers::<UInt16Type>(per_row().map(|row| row.port)),
        numbers::<UInt8Type>(per_row().map(|row| row.protocol)),
        dictionary(per_row().map(|row| row.role as u32), ["client", "server"].into_iter())?,
        dictionary(per_row().map(|row| u32::from(row.transit)), ["own", "transit"].into_iter())?,
        dictionary(per_row().map(|row| row.interface), texts.names.iter().map(String::as_str))?,
        dictionary(
            per_row().map(|row| if row.service == u8::MAX { NONE } else { u32::from(row.service) }),
            texts.services.iter().copied(),
        )?,
        numbers::<UInt32Type>(per_row().map(|row| row.connections)),
        numbers::<UInt32Type>(per_row().map(|row| row.records)),
        numbers::<UInt32Type>(per_row().map(|row| row.rejected)),
        numbers::<UInt64Type>(per_row().map(|row| row.bytes_out)),
        numbers::<UInt64Type>(per_row().map(|row| row.bytes_in)),
        numbers::<UInt64Type>(per_row().map(|row| row.packets_out)),
        numbers::<UInt64Type>(per_row().map(|row| row.packets_in)),
        stamp(per_row().map(|row| row.first_s).collect()),
        stamp(per_row().map(|row| row.last_s).collect()),
        numbers::<UInt32Type>(per_row().map(|row| u32::try_from(row.longest_s).unwrap_or(u32::MAX))),
        numbers::<UInt32Type>(per_row().map(|row| row.window_s)),
        numbers::<UInt32Type>(per_row().map(|row| row.segments_dropped)),
        listed(DataType::Int64, numbers::<Int64Type>(segments().map(|s| s.start_s))),
        listed(
            DataType::UInt32,
            numbers::<UInt32Type>(segments().map(|s| u32::try_from(s.end_s - s.start_s).unwrap_or(0))),
        ),
        listed(DataType::UInt16, numbers::<UInt16Type>(segments().map(|s| s.client_port))),
        listed(DataType::UInt8, numbers::<UInt8Type>(segments().map(|s| s.opening as u8))),
        Arc::new(ListArray::new(size_field, size_offsets, Arc::new(size_values), None)),
    ];
    RecordBatch::try_new(pair_hours_schema(), columns).map_err(|error| RollupError::Arrow { table: TABLE, error })
}

/// A `pair_hours` table opened for reading, with its columns at hand.
#[derive(Debug, Clone)]
pub struct PairHours {
    batch: RecordBatch,
    hour: TimestampSecondArray,
    account: DictionaryArray<Int32Type>,
    region: DictionaryArray<Int32Type>,
    role: Vec<Role>,
    transit: Vec<bool>,
    interface: DictionaryArray<Int32Type>,
    service: DictionaryArray<Int32Type>,
    starts: ListArray,
    durations: ListArray,
    ports: ListArray,
    openings: ListArray,
    sizes: ListArray,
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
        Ok(Self {
            hour: column("hour").as_primitive::<TimestampSecondType>().clone(),
            account: column("account_id").as_dictionary::<Int32Type>().clone(),
            region: column("region").as_dictionary::<Int32Type>().clone(),
            role,
            transit: words("vantage", "transit"),
            interface: column("interface_id").as_dictionary::<Int32Type>().clone(),
            service: column("aws_service").as_dictionary::<Int32Type>().clone(),
            starts: column("starts").as_list::<i32>().clone(),
            durations: column("durations_s").as_list::<i32>().clone(),
            ports: column("client_ports").as_list::<i32>().clone(),
            openings: column("openings").as_list::<i32>().clone(),
            sizes: column("sizes").as_list::<i32>().clone(),
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

    fn number<T: ArrowPrimitiveType>(&self, name: &str) -> &arrow::array::PrimitiveArray<T> {
        // The schema was checked when the table was opened.
        self.batch[name].as_primitive::<T>()
    }

    /// Values of an unsigned 64-bit column such as `bytes_out`.
    pub fn u64s(&self, name: &str) -> &UInt64Array {
        self.number::<UInt64Type>(name)
    }

    /// Values of an unsigned 32-bit column such as `connections`.
    pub fn u32s(&self, name: &str) -> &UInt32Array {
        self.number::<UInt32Type>(name)
    }

    /// Ports of the service.
    pub fn ports(&self) -> &UInt16Array {
        self.number::<UInt16Type>("port")
    }

    /// IANA protocol numbers.
    pub fn protocols(&self) -> &UInt8Array {
        self.number::<UInt8Type>("protocol")
    }

    /// Address in column `host` or `remote`.
    pub fn address(&self, name: &str, row: usize) -> Address {
        let bytes = self.batch[name].as_fixed_size_binary().value(row);
        Address::from_bytes(bytes.try_into().unwrap_or_default())
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
        (Self::word(&self.account, row).unwrap_or("unknown"), Self::word(&self.region, row).unwrap_or("unknown"))
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
        let (begin, end) = (self.starts.value_offsets()[row] as usize, self.starts.value_offsets()[row + 1] as usize);
        let starts: &Int64Array = self.starts.values().as_primitive::<Int64Type>();
        let durations: &UInt32Array = self.durations.values().as_primitive::<UInt32Type>();
        let ports: &UInt16Array = self.ports.values().as_primitive::<UInt16Type>();
        let openings: &UInt8Array = self.openings.values().as_primitive::<UInt8Type>();
        out.extend((begin..end).map(|at| Segment {
            start_s: starts.value(at),
            client_port: ports.value(at),
            end_s: starts.value(at) + i64::from(durations.value(at)),
            opening: Opening::from_code(openings.value(at)),
        }));
    }

    /// The histogram of bytes out per segment of a row: bucket and count.
    pub fn sizes(&self, row: usize) -> impl Iterator<Item = (u16, u32)> + '_ {
        let (begin, end) = (self.sizes.value_offsets()[row] as usize, self.sizes.value_offsets()[row + 1] as usize);
        let values = self.sizes.values().as_struct();
        let buckets = values.column(0).as_primitive::<UInt16Type>();
        let counts = values.column(1).as_primitive::<UInt32Type>();
        (begin..end).map(|at| (buckets.value(at), counts.value(at)))
    }
}

//! The published form of `pair_hours`: an Arrow table, written and read.

use super::hour::histogram;
use super::lookup::{LookupTables, code_in};
use super::part::HourPart;
use super::row::{HourRow, PackedSegment, Vantage};
use super::stored_part::{SharedReservation, StoredPart};
use super::table::PairHours;
use crate::error::RollupError;
use crate::segment::{Opening, Segment};
use crate::unit::packed::NO_SERVICE;
use crate::unit::parts::PARTS;
use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, FixedSizeBinaryArray, Int32Array, ListArray, RecordBatch, StringArray,
    StructArray, TimestampSecondArray,
};
use arrow::buffer::{Buffer, OffsetBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Field, Fields, Int32Type, Int64Type, Schema, SchemaRef, TimeUnit,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use flow::Address;
use flow::codes::Role;
use scan::{NONE, own_code};
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

/// Returns the schema of `pair_hours`: one row per hour × host × remote × protocol × port × role × account × region ×
/// vantage. The rows of one host are contiguous, sorted by remote, protocol, port, role, account and region, vantage,
/// hour.
///
/// `starts`, `durations_s`, `client_ports` and `openings` are parallel lists of connection segments: 4,096 at most;
/// `segments_dropped` counts the rest. An opening of 0 is a SYN, 1 continues an earlier connection and is no start, 2
/// is a first sight. `sizes` is a sparse histogram of bytes out per kept segment, with the buckets of
/// [`kernels::sizes`]. `vantage` is `own` (the host's ENI), `carried` (an ENI that
/// has the host behind it: a pod's, or an appliance's that routes) or `transit` (a forwarder's).
///
/// Rejected records count in `records` and `rejected`, never in bytes or packets. Probes from outside that were all
/// rejected are summed up in one row per hour, host and protocol, with remote `0.0.0.0`, port 0 and no segments.
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

fn failed(source: arrow::error::ArrowError) -> RollupError {
    RollupError::Arrow { table: TABLE, source }
}

/// Builds a dictionary column from indices into `values`; indices out of range are null.
fn dictionary<'a>(
    keys: impl Iterator<Item = u32>,
    values: impl Iterator<Item = &'a str>,
) -> Result<ArrayRef, RollupError> {
    let values = StringArray::from_iter_values(values);
    let keys: Int32Array = keys.map(|key| ((key as usize) < values.len()).then_some(key as i32)).collect();
    Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::new(values)).map_err(failed)?))
}

fn addresses(values: impl Iterator<Item = Address>) -> Result<ArrayRef, RollupError> {
    let bytes: Vec<u8> = values.flat_map(Address::to_bytes).collect();
    Ok(Arc::new(FixedSizeBinaryArray::try_new(16, Buffer::from_vec(bytes), None).map_err(failed)?))
}

fn numbers<T: ArrowPrimitiveType>(values: impl Iterator<Item = T::Native>) -> ArrayRef {
    Arc::new(arrow::array::PrimitiveArray::<T>::from_iter_values(values))
}

impl PairHours {
    /// Returns the table in its published form, as batches of at least `rows` rows; the last one may be shorter.
    ///
    /// # Errors
    /// [`RollupError::Arrow`] when Arrow cannot build a batch, [`RollupError::Spill`] when rows on disk cannot be read.
    pub fn to_batches(&self, rows: usize) -> impl Iterator<Item = Result<RecordBatch, RollupError>> + '_ {
        let mut next = 0;
        std::iter::from_fn(move || {
            let from = next;
            let mut count = 0;
            while next < self.parts.len() && count < rows.max(1) {
                count += self.parts[next].rows();
                next += 1;
            }
            // An empty table is one empty batch.
            (count > 0 || (from == 0 && next > 0)).then(|| self.batch_of(from..next))
        })
    }

    /// Returns the table in its published form, as one batch.
    ///
    /// # Errors
    /// Those of [`PairHours::to_batches`].
    pub fn to_batch(&self) -> Result<RecordBatch, RollupError> {
        self.batch_of(0..self.parts.len())
    }

    fn batch_of(&self, parts: std::ops::Range<usize>) -> Result<RecordBatch, RollupError> {
        let loaded = self.hours_of(parts)?;
        let rows = || loaded.iter().map(|hour| hour.row);
        let segments = || loaded.iter().flat_map(|hour| hour.segments.iter().map(PackedSegment::segment));
        let offsets = OffsetBuffer::from_lengths(rows().map(|row| usize::from(row.segments)));
        let listed = |item: DataType, values: ArrayRef| -> Result<ArrayRef, RollupError> {
            let item = Arc::new(Field::new("item", item, false));
            Ok(Arc::new(ListArray::try_new(item, offsets.clone(), values, None).map_err(failed)?))
        };
        let (mut sizes, mut lengths, mut buckets) = (Vec::new(), Vec::new(), Vec::new());
        for hour in loaded.iter() {
            buckets.clear();
            buckets.extend(hour.buckets());
            let before = sizes.len();
            sizes.extend(histogram(&mut buckets));
            lengths.push(sizes.len() - before);
        }
        let size_values: Vec<ArrayRef> = vec![
            numbers::<UInt16Type>(sizes.iter().map(|size| size.0)),
            numbers::<UInt32Type>(sizes.iter().map(|size| size.1)),
        ];
        let size_values = StructArray::try_new(size_fields(), size_values, None).map_err(failed)?;
        let size_field = Arc::new(Field::new("item", DataType::Struct(size_fields()), false));
        let sizes = ListArray::try_new(size_field, OffsetBuffer::from_lengths(lengths), Arc::new(size_values), None);
        let stamp = |pick: &dyn Fn(&HourRow) -> u32| -> ArrayRef {
            let seconds = TimestampSecondArray::from_iter_values(rows().map(|row| i64::from(pick(row))));
            Arc::new(seconds.with_timezone("UTC"))
        };
        let u32s = |pick: &dyn Fn(&HourRow) -> u32| numbers::<UInt32Type>(rows().map(pick));
        let u64s = |pick: &dyn Fn(&HourRow) -> u64| numbers::<UInt64Type>(rows().map(pick));
        let owners = &self.lookup.owners;
        let service = |row: &HourRow| if row.service == NO_SERVICE { NONE } else { u32::from(row.service) };
        let columns: Vec<ArrayRef> = vec![
            stamp(&|row| row.hour_s),
            dictionary(rows().map(|row| row.owner), owners.iter().map(|(account, _)| account.as_str()))?,
            dictionary(rows().map(|row| row.owner), owners.iter().map(|(_, region)| region.as_str()))?,
            addresses(loaded.iter().map(|hour| hour.host()))?,
            addresses(loaded.iter().map(|hour| hour.remote()))?,
            numbers::<UInt16Type>(rows().map(|row| row.port)),
            numbers::<UInt8Type>(rows().map(|row| row.protocol)),
            dictionary(rows().map(|row| row.role as u32), ["client", "server"].into_iter())?,
            dictionary(rows().map(|row| row.vantage as u32), Vantage::ALL.into_iter().map(Vantage::as_str))?,
            dictionary(rows().map(|row| row.interface), self.lookup.names.iter().map(String::as_str))?,
            dictionary(rows().map(service), self.lookup.services.iter().map(String::as_str))?,
            u32s(&|row| row.connections),
            u32s(&|row| row.records),
            u32s(&|row| row.rejected),
            u64s(&|row| row.bytes_out),
            u64s(&|row| row.bytes_in),
            u64s(&|row| row.packets_out),
            u64s(&|row| row.packets_in),
            stamp(&|row| row.first_s),
            stamp(&|row| row.last_s),
            u32s(&|row| row.longest_s),
            u32s(&|row| u32::from(row.window_s)),
            u32s(&|row| row.segments_dropped),
            listed(DataType::Int64, numbers::<Int64Type>(segments().map(|s| s.start_s)))?,
            listed(
                DataType::UInt32,
                numbers::<UInt32Type>(segments().map(|s| u32::try_from(s.end_s - s.start_s).unwrap_or(0))),
            )?,
            listed(DataType::UInt16, numbers::<UInt16Type>(segments().map(|s| s.client_port)))?,
            listed(DataType::UInt8, numbers::<UInt8Type>(segments().map(|s| s.opening as u8)))?,
            Arc::new(sizes.map_err(failed)?),
        ];
        RecordBatch::try_new(pair_hours_schema(), columns).map_err(failed)
    }

    /// Reads a table of the published schema; rows may come in any order.
    ///
    /// # Errors
    /// [`RollupError::Schema`] when a column is missing, has another type, or lists do not fit together.
    pub fn from_batch(batch: &RecordBatch) -> Result<Self, RollupError> {
        check_schema(batch)?;
        let column = |name: &str| &batch[name];
        let u32s = |name: &str| column(name).as_primitive::<UInt32Type>().clone();
        let u64s = |name: &str| column(name).as_primitive::<UInt64Type>().clone();
        let times = |name: &str| column(name).as_primitive::<TimestampSecondType>().clone();
        let lists = |name: &str| column(name).as_list::<i32>().clone();
        let (accounts, regions) = (text_column(column("account_id")), text_column(column("region")));
        let owner = |row: usize| (accounts.text(row).unwrap_or("unknown"), regions.text(row).unwrap_or("unknown"));
        let (names, services) = (text_column(column("interface_id")), text_column(column("aws_service")));
        let (roles, vantages) = (text_column(column("role")), text_column(column("vantage")));
        let (hosts, remotes) = (column("host").as_fixed_size_binary(), column("remote").as_fixed_size_binary());
        let address = |array: &FixedSizeBinaryArray, row: usize| {
            Address::from_bytes(array.value(row).try_into().unwrap_or_default())
        };
        let mut lookup = LookupTables::default();
        let rows = batch.num_rows();
        for row in 0..rows {
            let (account, region) = owner(row);
            if lookup.owners.last().is_none_or(|last| (last.0.as_str(), last.1.as_str()) != (account, region)) {
                lookup.owners.push((account.to_owned(), region.to_owned()));
            }
            let interned = [address(hosts, row), address(remotes, row)].into_iter().filter(|a| own_code(*a).is_none());
            lookup.addresses.extend(interned);
        }
        lookup.owners.sort_unstable();
        lookup.owners.dedup();
        lookup.addresses.sort_unstable();
        lookup.addresses.dedup();
        lookup.names = names.sorted();
        lookup.services = services.sorted();
        let (hour, first, last) = (times("hour"), times("first_seen"), times("last_seen"));
        let (starts, durations) = (lists("starts"), lists("durations_s"));
        let (ports, openings, sizes) = (lists("client_ports"), lists("openings"), lists("sizes"));
        let start_values = starts.values().as_primitive::<Int64Type>();
        let duration_values = durations.values().as_primitive::<UInt32Type>();
        let port_values = ports.values().as_primitive::<UInt16Type>();
        let opening_values = openings.values().as_primitive::<UInt8Type>();
        let size_values = sizes.values().as_struct();
        let (buckets, counts) =
            (size_values.column(0).as_primitive::<UInt16Type>(), size_values.column(1).as_primitive::<UInt32Type>());
        let port = column("port").as_primitive::<UInt16Type>();
        let protocol = column("protocol").as_primitive::<UInt8Type>();
        let [longest, window, dropped] = ["longest_s", "window_s", "segments_dropped"].map(u32s);
        let [connections, records, rejected] = ["connections", "records", "rejected"].map(u32s);
        let [bytes_out, bytes_in, packets_out, packets_in] =
            ["bytes_out", "bytes_in", "packets_out", "packets_in"].map(u64s);
        let second = |value: i64| u32::try_from(value).unwrap_or(0);
        let mut parts = vec![HourPart::default(); PARTS];
        for row in 0..rows {
            let code = |at: Address| code_in(at, &lookup.addresses).ok_or_else(|| unfit("host", "no such address"));
            let ((part, host), (_, remote)) = (code(address(hosts, row))?, code(address(remotes, row))?);
            let part = &mut parts[part];
            let begin = part.segments.len();
            let mut bucket = (sizes.value_offsets()[row] as usize..sizes.value_offsets()[row + 1] as usize)
                .flat_map(|at| std::iter::repeat_n(buckets.value(at), counts.value(at) as usize));
            for at in starts.value_offsets()[row] as usize..starts.value_offsets()[row + 1] as usize {
                let start_s = start_values.value(at);
                let segment = Segment {
                    start_s,
                    client_port: port_values.value(at),
                    end_s: start_s.saturating_add(i64::from(duration_values.value(at))),
                    opening: Opening::from_code(opening_values.value(at)),
                };
                // The table does not keep which size belongs to which segment, and nothing needs it.
                let bucket = bucket.next().ok_or_else(|| unfit("sizes", "fewer than there are segments"))?;
                part.segments.push(PackedSegment::new(&segment, bucket));
            }
            let segments = u16::try_from(part.segments.len() - begin).map_err(|_| unfit("starts", "too long"))?;
            let (account, region) = owner(row);
            let index = |texts: &[String], text: Option<&str>| {
                text.and_then(|text| texts.binary_search_by(|known| known.as_str().cmp(text)).ok())
            };
            part.rows.push(HourRow {
                bytes_out: bytes_out.value(row),
                bytes_in: bytes_in.value(row),
                packets_out: packets_out.value(row),
                packets_in: packets_in.value(row),
                host,
                remote,
                hour_s: second(hour.value(row)),
                first_s: second(first.value(row)),
                last_s: second(last.value(row)),
                longest_s: longest.value(row),
                connections: connections.value(row),
                records: records.value(row),
                rejected: rejected.value(row),
                segments_dropped: dropped.value(row),
                segments_at: u32::try_from(begin).map_err(|_| unfit("starts", "too long"))?,
                interface: index(&lookup.names, names.text(row)).map_or(NONE, |index| index as u32),
                owner: lookup
                    .owners
                    .binary_search_by(|known| (known.0.as_str(), known.1.as_str()).cmp(&(account, region)))
                    .unwrap_or(0) as u32,
                segments,
                service: index(&lookup.services, services.text(row))
                    .and_then(|index| u16::try_from(index).ok())
                    .unwrap_or(NO_SERVICE),
                port: port.value(row),
                window_s: u16::try_from(window.value(row)).unwrap_or(u16::MAX),
                protocol: protocol.value(row),
                role: roles.text(row).and_then(Role::parse).unwrap_or(Role::Client),
                vantage: vantages.text(row).map_or(Vantage::Own, Vantage::parse),
            });
        }
        for part in &mut parts {
            if !part.rows.is_sorted_by_key(HourRow::order) {
                part.rows.sort_unstable_by_key(HourRow::order);
            }
        }
        Ok(Self {
            parts: parts.into_iter().map(|part| StoredPart::Kept(Arc::new(part))).collect(),
            lookup: Arc::new(lookup),
            held: SharedReservation::default(),
        })
    }
}

/// A dictionary column of texts.
struct TextColumn<'a>(&'a DictionaryArray<Int32Type>);

fn text_column(column: &ArrayRef) -> TextColumn<'_> {
    TextColumn(column.as_dictionary::<Int32Type>())
}

impl TextColumn<'_> {
    fn text(&self, row: usize) -> Option<&str> {
        let key = self.0.key(row)?;
        Some(self.0.values().as_string::<i32>().value(key))
    }

    fn sorted(&self) -> Vec<String> {
        let mut texts: Vec<String> = self.0.values().as_string::<i32>().iter().flatten().map(str::to_owned).collect();
        texts.sort_unstable();
        texts.dedup();
        texts
    }
}

fn unfit(column: &str, got: &str) -> RollupError {
    RollupError::Schema {
        table: TABLE,
        column: column.to_owned(),
        got: got.to_owned(),
        expected: "a list for each row that fits the others".to_owned(),
    }
}

fn check_schema(batch: &RecordBatch) -> Result<(), RollupError> {
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
    let offsets = |name: &str| batch[name].as_list::<i32>().value_offsets().to_vec();
    // The four lists are read by the offsets of the first.
    for name in ["durations_s", "client_ports", "openings"] {
        if offsets(name) != offsets("starts") {
            return Err(unfit(name, "of other lengths"));
        }
    }
    Ok(())
}

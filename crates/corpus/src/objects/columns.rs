//! Records as the columns that AWS writes: names with `_`, INT32, INT64 and STRING, `-` for missing text.

use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use hashbrown::HashMap;

use crate::random::mix2;
use crate::traffic::records::{Record, RecordKind};
use crate::world::endpoints::{AWS_SERVICES, Endpoint, NO_ENDPOINT};
use crate::world::{Role, World};

/// Physical type of a column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum ColumnType {
    Text,
    Int32,
    Int64,
}

use ColumnType::{Int32, Int64, Text};

/// The 29 fields of versions 2 to 5, in AWS's order.
const FIELDS: [(&str, ColumnType); 29] = [
    ("version", Int32),
    ("account_id", Text),
    ("interface_id", Text),
    ("srcaddr", Text),
    ("dstaddr", Text),
    ("srcport", Int32),
    ("dstport", Int32),
    ("protocol", Int32),
    ("packets", Int64),
    ("bytes", Int64),
    ("start", Int64),
    ("end", Int64),
    ("action", Text),
    ("log_status", Text),
    ("vpc_id", Text),
    ("subnet_id", Text),
    ("instance_id", Text),
    ("tcp_flags", Int32),
    ("type", Text),
    ("pkt_srcaddr", Text),
    ("pkt_dstaddr", Text),
    ("region", Text),
    ("az_id", Text),
    ("sublocation_type", Text),
    ("sublocation_id", Text),
    ("pkt_src_aws_service", Text),
    ("pkt_dst_aws_service", Text),
    ("flow_direction", Text),
    ("traffic_path", Int32),
];

/// Returns how many of the fields a version of the record has.
pub const fn field_count(version: u8) -> usize {
    match version {
        2 => 14,
        3 => 21,
        4 => 25,
        _ => 29,
    }
}

/// Returns the schema of a version; text columns are dictionaries in memory and plain STRING in the file.
pub fn schema(version: u8) -> SchemaRef {
    let fields = FIELDS[..field_count(version)].iter().map(|(name, kind)| {
        let data_type = match kind {
            Text => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
            Int32 => DataType::Int32,
            Int64 => DataType::Int64,
        };
        Field::new(*name, data_type, true)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Texts found so far in a batch, and their dictionary keys.
struct TextDictionary<K> {
    keys: HashMap<K, i32, foldhash::fast::FixedState>,
    met: Vec<K>,
}

impl<K: Copy + Eq + std::hash::Hash> TextDictionary<K> {
    fn new() -> Self {
        Self { keys: HashMap::with_hasher(foldhash::fast::FixedState::default()), met: Vec::new() }
    }

    fn key(&mut self, value: K) -> i32 {
        *self.keys.entry(value).or_insert_with(|| {
            self.met.push(value);
            self.met.len() as i32 - 1
        })
    }

    fn texts(&self, text: impl Fn(K) -> String) -> ArrayRef {
        Arc::new(StringArray::from_iter_values(self.met.iter().map(|value| text(*value))))
    }
}

/// Returns a resource's invented identifier: a prefix and seventeen hexadecimal digits.
pub fn resource_id(prefix: &str, seed: u64, number: u64) -> String {
    format!("{prefix}0{:016x}", mix2(seed ^ prefix.len() as u64, number))
}

fn dictionary(keys: Vec<i32>, values: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(Int32Array::from(keys), Arc::clone(values))?))
}

/// Converts records of one site to the columns of `schema`.
///
/// # Errors
/// Arrow's error when columns do not fit together.
pub fn record_batch(
    world: &World,
    start_s: i64,
    version: u8,
    schema: &SchemaRef,
    records: &[Record],
) -> Result<RecordBatch, ArrowError> {
    let mut parties = TextDictionary::<Endpoint>::new();
    let mut interfaces = TextDictionary::<u32>::new();
    let mut subnets = TextDictionary::<u32>::new();
    let rows = records.len();
    let mut address_keys: [Vec<i32>; 4] = std::array::from_fn(|_| Vec::with_capacity(rows));
    let mut interface_keys = Vec::with_capacity(rows);
    for record in records {
        let src = parties.key(record.src);
        let dst = parties.key(record.dst);
        address_keys[0].push(src);
        address_keys[1].push(dst);
        address_keys[2].push(if record.pkt_src == record.src { src } else { parties.key(record.pkt_src) });
        address_keys[3].push(if record.pkt_dst == record.dst { dst } else { parties.key(record.pkt_dst) });
        interface_keys.push(interfaces.key(record.interface));
    }
    let subnet_of: Vec<i32> = interfaces.met.iter().map(|index| subnets.key(world.interface(*index).subnet)).collect();
    let service_of: Vec<i32> = parties.met.iter().map(|party| i32::from(party.aws_service(world.seed))).collect();
    let addresses = parties.texts(|party| match party {
        NO_ENDPOINT => "-".to_owned(),
        party => world.address(party).to_string(),
    });
    let fixed = |texts: &[&str]| -> ArrayRef { Arc::new(StringArray::from(texts.to_vec())) };
    let site = records.first().map(|record| world.site_of(record.interface));
    let of_site = |text: &str| dictionary(vec![0; rows], &fixed(&[text]));
    let by_interface = |table: &dyn Fn(usize) -> i32, values: &ArrayRef| {
        let table: Vec<i32> = (0..interfaces.met.len()).map(table).collect();
        dictionary(interface_keys.iter().map(|key| table[*key as usize]).collect(), values)
    };
    let by_kind =
        |key: fn(&Record) -> i32, texts: &[&str]| dictionary(records.iter().map(key).collect(), &fixed(texts));
    let service = |keys: &[i32]| {
        let keys = keys.iter().map(|key| service_of[*key as usize]).collect();
        dictionary(keys, &fixed(&AWS_SERVICES))
    };
    // Numbers of records without traffic are missing.
    let int32 = |value: fn(&Record) -> i32| -> ArrayRef {
        Arc::new(records.iter().map(|r| has_traffic(r).then(|| value(r))).collect::<Int32Array>())
    };
    let int64 = |value: fn(&Record) -> i64| -> ArrayRef {
        Arc::new(records.iter().map(|r| has_traffic(r).then(|| value(r))).collect::<Int64Array>())
    };
    let time = |value: fn(&Record) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(records.iter().map(|r| start_s + value(r))))
    };
    let seed = world.seed;
    let mut columns = Vec::with_capacity(field_count(version));
    for (name, _) in &FIELDS[..field_count(version)] {
        columns.push(match *name {
            "version" => Arc::new(Int32Array::from(vec![i32::from(version); rows])) as ArrayRef,
            "account_id" => of_site(site.map_or("-", |site| &site.account))?,
            "interface_id" => {
                let values = interfaces.texts(|index| resource_id("eni-", seed, index.into()));
                dictionary(interface_keys.clone(), &values)?
            }
            "srcaddr" => dictionary(std::mem::take(&mut address_keys[0]), &addresses)?,
            "dstaddr" => dictionary(std::mem::take(&mut address_keys[1]), &addresses)?,
            "srcport" => int32(|r| r.src_port.into()),
            "dstport" => int32(|r| r.dst_port.into()),
            "protocol" => int32(|r| r.protocol.into()),
            "packets" => int64(|r| r.packets.into()),
            "bytes" => int64(|r| r.bytes as i64),
            "start" => time(|r| r.start.into()),
            "end" => time(|r| i64::from(r.start) + i64::from(r.length_s)),
            "action" => by_kind(
                |r| if has_traffic(r) { i32::from(r.kind == RecordKind::Rejected) } else { 2 },
                &["ACCEPT", "REJECT", "-"],
            )?,
            "log_status" => by_kind(
                |r| match r.kind {
                    RecordKind::NoData => 1,
                    RecordKind::SkipData => 2,
                    _ => 0,
                },
                &["OK", "NODATA", "SKIPDATA"],
            )?,
            "vpc_id" => {
                let number = records.first().map_or(0, |record| world.interface(record.interface).site);
                of_site(&resource_id("vpc-", seed, number.into()))?
            }
            "subnet_id" => {
                let values = subnets.texts(|subnet| resource_id("subnet-", seed, subnet.into()));
                by_interface(&|n| subnet_of[n], &values)?
            }
            "instance_id" => instance_ids(world, records, &interfaces, &interface_keys)?,
            "tcp_flags" => int32(|r| r.flags.into()),
            "type" => by_kind(|r| if has_traffic(r) { i32::from(r.src.is_v6()) } else { 2 }, &["IPv4", "IPv6", "-"])?,
            "pkt_srcaddr" => dictionary(address_keys[2].clone(), &addresses)?,
            "pkt_dstaddr" => dictionary(address_keys[3].clone(), &addresses)?,
            "region" => of_site(site.map_or("-", |site| &site.region))?,
            "az_id" => {
                let prefix = site.map_or_else(String::new, |site| zone_prefix(&site.region));
                let zones = ["1", "2", "3"].map(|zone| format!("{prefix}-az{zone}"));
                let values = fixed(&zones.each_ref().map(String::as_str));
                let zone = |n: usize| {
                    let subnet = world.interface(interfaces.met[n]).subnet;
                    i32::from(world.subnets[subnet as usize].zone) - 1
                };
                by_interface(&zone, &values)?
            }
            "pkt_src_aws_service" => service(&address_keys[2])?,
            "pkt_dst_aws_service" => service(&address_keys[3])?,
            "flow_direction" => by_kind(
                |r| match r.kind {
                    RecordKind::Ingress | RecordKind::Rejected => 0,
                    RecordKind::Egress => 1,
                    _ => 2,
                },
                &["ingress", "egress", "-"],
            )?,
            "traffic_path" => {
                let paths = records.iter().map(|r| (r.kind == RecordKind::Egress).then_some(i32::from(r.path)));
                Arc::new(paths.collect::<Int32Array>())
            }
            // Sublocations, which ordinary zones do not have.
            _ => of_site("-")?,
        });
    }
    RecordBatch::try_new(Arc::clone(schema), columns)
}

fn has_traffic(record: &Record) -> bool {
    !matches!(record.kind, RecordKind::NoData | RecordKind::SkipData)
}

/// Returns the identifiers of instances; `-` for gateways, balancers, idle interfaces and records without traffic.
fn instance_ids(
    world: &World,
    records: &[Record],
    interfaces: &TextDictionary<u32>,
    interface_keys: &[i32],
) -> Result<ArrayRef, ArrowError> {
    let mut values = vec!["-".to_owned()];
    let mut keys_of = Vec::with_capacity(interfaces.met.len());
    for index in &interfaces.met {
        let role = world.interface(*index).role;
        if matches!(role, Role::Balancer | Role::Idle) || (role == Role::Nat && !world.nat_instances) {
            keys_of.push(0);
        } else {
            keys_of.push(values.len() as i32);
            values.push(resource_id("i-", world.seed, (*index).into()));
        }
    }
    let keys = records.iter().zip(interface_keys);
    let keys = keys.map(|(record, key)| if has_traffic(record) { keys_of[*key as usize] } else { 0 }).collect();
    dictionary(keys, &(Arc::new(StringArray::from(values)) as ArrayRef))
}

/// Returns a region as zone identifiers abbreviate it: `us-east-1` to `use1`, `ap-southeast-2` to `apse2`.
fn zone_prefix(region: &str) -> String {
    let mut words = region.split('-').collect::<Vec<_>>();
    let number = words.pop().unwrap_or_default();
    let head = words.first().copied().unwrap_or_default().to_owned();
    let middle = words.iter().skip(1).map(|word| match *word {
        "southeast" => "se",
        "southwest" => "sw",
        "northeast" => "ne",
        "northwest" => "nw",
        word => word.get(..1).unwrap_or(word),
    });
    head + &middle.collect::<String>() + number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_named_as_aws_does() {
        assert_eq!(zone_prefix("us-east-1"), "use1");
        assert_eq!(zone_prefix("ap-southeast-2"), "apse2");
        assert_eq!(zone_prefix("us-gov-west-1"), "usgw1");
        assert_eq!(zone_prefix("eu-central-1"), "euc1");
    }

    #[test]
    fn versions_have_their_number_of_fields() {
        let counts = [2, 3, 4, 5].map(|version| schema(version).fields().len());
        assert_eq!(counts, [14, 21, 25, 29]);
        assert_eq!(schema(5).field(28).name(), "traffic_path");
        assert_eq!(schema(3).field(20).name(), "pkt_dstaddr");
    }
}

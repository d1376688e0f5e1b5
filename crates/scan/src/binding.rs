//! Binds the columns of a file to the fields of a flow record: by name, in any order, under any known alias.

use crate::error::ScanError;
use arrow::datatypes::{DataType, Field as ArrowField, Fields};
use flow::schema::{Field, REQUIRED, field_of, packet_field_of};
use pages::object_bytes::chunk_range;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::{FieldLevels, ProjectionMask, parquet_to_arrow_field_levels, parquet_to_arrow_schema};
use parquet::basic::ConvertedType;
use parquet::errors::Result as ParquetResult;
use parquet::file::metadata::RowGroupMetaData;
use parquet::schema::types::SchemaDescriptor;
use std::ops::Range;
use std::sync::Arc;

/// The fields that the rollup reads; everything else in a file stays compressed.
pub const ROLLUP_FIELDS: &[Field] = &[
    Field::Srcaddr,
    Field::Dstaddr,
    Field::Srcport,
    Field::Dstport,
    Field::Protocol,
    Field::Packets,
    Field::Bytes,
    Field::Start,
    Field::End,
    Field::Action,
    Field::LogStatus,
    Field::AccountId,
    Field::InterfaceId,
    Field::VpcId,
    Field::SubnetId,
    Field::InstanceId,
    Field::InterfaceType,
    Field::TcpFlags,
    Field::PktSrcaddr,
    Field::PktDstaddr,
    Field::Region,
    Field::PktSrcAwsService,
    Field::PktDstAwsService,
    Field::FlowDirection,
];

/// OCSF's list of the addresses that an end of a connection has on the way, in front of its own address.
const INTERMEDIATE_ADDRESSES: &str = "intermediate_ips";

/// Which leaf columns of a file hold which fields of a flow record.
#[derive(Debug)]
pub struct Binding {
    /// Field and the leaf columns that hold it: the first that has a value counts. Sorted by field.
    pub fields: Vec<(Field, Vec<Leaf>)>,
    /// Leaf numbers to read, ascending.
    pub leaves: Vec<usize>,
    levels: FieldLevels,
    /// Arrow's types of the columns at the file's root.
    arrow_fields: Fields,
}

/// A leaf column: its number in the file and its path from the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// Number of the leaf in the file's schema.
    pub number: usize,
    /// Names from the root to the leaf, or to the list whose first value counts.
    pub path: Vec<String>,
}

impl Binding {
    /// Binds a file's schema to `wanted` fields.
    ///
    /// # Errors
    /// [`ScanError::OtherLog`] when the columns are those of another log; [`ScanError::NotFlowLogs`] when a field of
    /// version 2's default is missing, wanted or not;
    /// [`ScanError::Parquet`] when the schema itself is damaged.
    pub fn new(object: &str, schema: &SchemaDescriptor, wanted: &[Field]) -> Result<Self, ScanError> {
        let mut found: Vec<(Field, usize, Leaf)> = Vec::new();
        let mut known: Vec<Field> = Vec::new();
        let mut lists: Vec<Field> = Vec::new();
        for (number, column) in schema.columns().iter().enumerate() {
            let mut path: Vec<String> = column.path().parts().to_vec();
            // Lists and maps repeat. No field of a flow record does, except for addresses of OCSF on the way.
            if column.max_rep_level() > 0 {
                match path.iter().position(|part| part.eq_ignore_ascii_case(INTERMEDIATE_ADDRESSES)) {
                    Some(at) => path.truncate(at + 1),
                    None => continue,
                }
            }
            if let Some((field, rank)) = field_of(&path.join(".")) {
                known.push(field);
                if column.max_rep_level() > 0 {
                    lists.push(field);
                }
                if wanted.contains(&field) {
                    found.push((field, rank, Leaf { number, path }));
                }
            }
        }
        for (number, column) in schema.columns().iter().enumerate().filter(|_| !lists.is_empty()) {
            let path = column.path().parts().to_vec();
            let packet = packet_field_of(&path.join("."), |field| lists.contains(&field));
            if let Some(field) = packet.filter(|field| wanted.contains(field) && !known.contains(field)) {
                found.push((field, 0, Leaf { number, path }));
            }
        }
        found.sort_by_key(|(field, rank, leaf)| (*field, *rank, leaf.number));
        let mut fields: Vec<(Field, Vec<Leaf>)> = Vec::new();
        for (field, _, leaf) in found {
            match fields.last_mut() {
                Some((last, leaves)) if *last == field => leaves.push(leaf),
                _ => fields.push((field, vec![leaf])),
            }
        }
        let missing: Vec<&str> =
            REQUIRED.iter().filter(|field| !known.contains(field)).map(|field| field.name()).collect();
        if !missing.is_empty() {
            if let Some(log) = other_log(schema, &known) {
                return Err(ScanError::OtherLog { object: object.to_owned(), log });
            }
            return Err(ScanError::NotFlowLogs { object: object.to_owned(), missing: missing.join(", ") });
        }
        let mut leaves: Vec<usize> = fields.iter().flat_map(|(_, leaves)| leaves.iter().map(|l| l.number)).collect();
        leaves.sort_unstable();
        leaves.dedup();
        let parquet = |source| ScanError::Parquet { object: object.to_owned(), part: "schema".to_owned(), source };
        let arrow = parquet_to_arrow_schema(schema, None).map_err(parquet)?;
        let mask = ProjectionMask::leaves(schema, leaves.iter().copied());
        let hint = dictionary_hint(arrow.fields(), schema);
        let levels = parquet_to_arrow_field_levels(schema, mask, Some(&hint)).map_err(parquet)?;
        Ok(Self { fields, leaves, levels, arrow_fields: arrow.fields().clone() })
    }

    /// Returns Arrow's type of a leaf at the file's root; `None` for nested leaves and for names that occur twice.
    pub fn arrow_type_of(&self, leaf: &Leaf) -> Option<&DataType> {
        let [name] = leaf.path.as_slice() else { return None };
        let mut named = self.arrow_fields.iter().filter(|field| field.name() == name);
        let first = named.next()?;
        named.next().is_none().then_some(first.data_type())
    }

    /// Returns the decoder's view of the projected schema.
    pub(crate) fn levels(&self) -> &FieldLevels {
        &self.levels
    }

    /// Returns the reader options for footers: the embedded Arrow schema is ignored, since writers disagree with it.
    pub fn reader_options() -> ArrowReaderOptions {
        ArrowReaderOptions::new().with_skip_arrow_metadata(true)
    }
}

/// Columns that only another log has, and what that log is.
///
/// Other services deliver to the same bucket, some in the very folders of VPC flow logs and under the same names.
const OTHER_LOGS: &[(&str, &[&str])] = &[
    ("Transit Gateway flow logs", &["tgw_id", "tgw_attachment_id", "tgw_src_eni"]),
    ("Route 53 Resolver query logs", &["query_name", "query_type", "dns_query_name"]),
    ("CloudTrail events", &["eventsource", "eventname", "useridentity", "user_identity"]),
    ("load balancer access logs", &["target_group_arn", "elb_status_code", "target_status_code", "tls_listener_arn"]),
    ("WAF logs", &["webaclid", "httprequest", "http_request"]),
    ("S3 access logs", &["bucket_owner", "bucketowner"]),
    ("network firewall logs", &["firewall_name"]),
];

/// Returns which other log a file holds that lacks fields of flow records; `None` when it may be a flow log all the same.
fn other_log(schema: &SchemaDescriptor, known: &[Field]) -> Option<&'static str> {
    let named = schema.columns().iter().find_map(|column| {
        let name = column.path().parts().first()?.to_ascii_lowercase().replace('-', "_");
        OTHER_LOGS.iter().find(|(_, names)| names.contains(&name.as_str())).map(|(log, _)| *log)
    });
    // Every flow log has addresses or an ENI, so a file without any of them is no flow log that lacks some columns.
    let is_flow = known.iter().any(|field| matches!(field, Field::Srcaddr | Field::Dstaddr | Field::InterfaceId));
    named.or_else(|| (!is_flow).then_some("another kind of rows"))
}

/// Returns the byte ranges of the bound columns of some row groups, sorted by offset.
///
/// # Errors
/// When the footer claims an offset or a length below 0.
pub fn bound_ranges<'a>(
    binding: &Binding,
    groups: impl IntoIterator<Item = &'a RowGroupMetaData>,
) -> ParquetResult<Vec<Range<u64>>> {
    let chunks = |group: &'a RowGroupMetaData| binding.leaves.iter().filter_map(|leaf| group.columns().get(*leaf));
    let mut ranges = groups.into_iter().flat_map(chunks).map(chunk_range).collect::<ParquetResult<Vec<_>>>()?;
    ranges.sort_unstable_by_key(|range| range.start);
    Ok(ranges)
}

/// Requests every text column as a dictionary, so that each address is parsed once per dictionary and not per row.
fn dictionary_hint(fields: &Fields, schema: &SchemaDescriptor) -> Fields {
    // The decoder of dictionaries fails on JSON, whose bytes it does not take for text.
    let is_json = |name: &str| {
        schema.columns().iter().any(|column| {
            column.converted_type() == ConvertedType::JSON
                && column.path().parts().first().is_some_and(|root| root == name)
        })
    };
    fields
        .iter()
        .map(|field| match field.data_type() {
            // Text columns that are not marked as text are converted later.
            DataType::Utf8 if !is_json(field.name()) => Arc::new(ArrowField::new(
                field.name(),
                DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
                field.is_nullable(),
            )),
            _ => field.clone(),
        })
        .collect()
}

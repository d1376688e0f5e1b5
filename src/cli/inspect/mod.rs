//! `flowsift inspect`: what a source holds, by listings and footers alone.

mod accesses;
mod decode;

use super::exit::{Exit, Failure};
use super::options::Global;
use super::options::time::time_option;
use crate::hours::fetch::read_footer;
use crate::source::{Grain, Layout, Listing, LogRule, Object, Source, SourceOptions, TimeRange, WantedLogs};
use clap::{Args, ValueEnum};
use decode::{Decoded, decode};
use flow::error_text;
use flow::printable::{EscapedJson, printable, printable_lines};
use flow::schema::{FIELDS, REQUIRED, field_of};
use flow::time::{HOUR_S, rfc3339};
use flow::units::{bytes_text, count_text, counted};
use parquet::basic::Compression;
use parquet::file::metadata::ParquetMetaData;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

/// Show what a source holds: layouts, accounts, regions, hours, bytes, schema variants; reads no data
#[derive(Debug, Args)]
pub(super) struct InspectArgs {
    /// s3://bucket/prefix, folder, file or glob
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<String>,
    /// Only objects that may hold records from this time on
    #[arg(long, value_name = "T")]
    from: Option<String>,
    /// Only objects that may hold records before this time
    #[arg(long, value_name = "T")]
    to: Option<String>,
    /// What objects are whose names and content do not tell, such as okta=exports/*.json; may be given several times
    #[arg(long, value_name = "KIND=GLOB")]
    logs: Vec<LogRule>,
    /// Footers read for each flow log: the first, the last and some between
    #[arg(long, value_name = "N", default_value_t = 3)]
    footers: usize,
    /// Also decode every object, to count records, find objects that cannot be read, and measure the speed
    #[arg(long)]
    decode: bool,
    /// Output format
    #[arg(long, value_enum, default_value_t = InspectFormat::Table, value_name = "FORMAT")]
    format: InspectFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum InspectFormat {
    Table,
    Json,
}

/// What one account, region and layout holds.
#[derive(Debug, Default, Serialize)]
struct LocationSummary {
    layout: String,
    account_id: Option<String>,
    region: Option<String>,
    objects: u64,
    bytes: u64,
    hours: u64,
    from: Option<String>,
    to: Option<String>,
    flow_logs: BTreeSet<String>,
    #[serde(skip)]
    spans: BTreeSet<(i64, i64)>,
}

/// One schema as found in footers.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Variant {
    fields: usize,
    version: u8,
    missing: Vec<String>,
    unknown: Vec<String>,
    codec: String,
    created_by: String,
    types: BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
struct Inspection {
    objects: u64,
    bytes: u64,
    other_objects: u64,
    copies: u64,
    places: Vec<LocationSummary>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    accesses: Vec<accesses::AccessLogSummary>,
    variants: Vec<(Variant, u64)>,
    unreadable: Vec<String>,
    rows_in_footers: u64,
    footers_read: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    decoded: Option<Decoded>,
}

pub(super) fn run(global: &Global, args: &InspectArgs) -> Result<Exit, Failure> {
    let runtime = global.start_threads(None)?;
    let from_s = time_option("from", args.from.as_deref())?;
    let range = TimeRange { from_s, to_s: time_option("to", args.to.as_deref())? };
    let options = SourceOptions { log_rules: args.logs.clone(), ..global.source_options() };
    let source = runtime.block_on(Source::open(&args.sources, &options)).map_err(Failure::failed)?;
    let listing = source.list_by(&range, Grain::Object, WantedLogs::All);
    let listing = runtime.block_on(listing).map_err(Failure::failed)?;
    let mut found = runtime.block_on(inspect(args, &source, &listing));
    if args.decode {
        found.decoded = Some(decode(global, runtime.handle(), source.reader(), listing.objects)?);
    }
    let mut out = std::io::stdout().lock();
    match args.format {
        InspectFormat::Json => {
            serde_json::to_writer_pretty(EscapedJson::new(&mut out), &found).map_err(std::io::Error::from)?;
            writeln!(out)?;
        }
        InspectFormat::Table => {
            let mut table = Vec::new();
            write_table(&mut table, &found)?;
            out.write_all(printable_lines(&String::from_utf8_lossy(&table)).as_bytes())?;
        }
    }
    let unread = found.decoded.as_ref().is_some_and(|decoded| !decoded.unreadable.is_empty());
    Ok(if found.unreadable.is_empty() && !unread { Exit::Done } else { Exit::Partial })
}

/// Bytes from the end of an object that are read first: enough for nearly every footer.
const FOOTER_BYTES: u64 = 64 << 10;

async fn inspect(args: &InspectArgs, source: &Source, listing: &Listing) -> Inspection {
    let mut places: BTreeMap<(Layout, Option<String>, Option<String>), LocationSummary> = BTreeMap::new();
    let mut by_flow_log: BTreeMap<String, Vec<&Object>> = BTreeMap::new();
    for object in &listing.objects {
        let facts = &object.facts;
        let (account, region) = (facts.account_id.as_deref(), facts.region.as_deref());
        let key = (facts.layout, account.map(str::to_owned), region.map(str::to_owned));
        let place = places.entry(key).or_default();
        let hourly = facts.partition.is_some_and(|partition| partition.is_hour());
        place.layout = match facts.layout {
            Layout::Plain => format!("plain {}", if hourly { "hourly" } else { "daily" }),
            Layout::Hive => format!("hive {}", if hourly { "hourly" } else { "daily" }),
            Layout::Dated => format!("dated {}", if hourly { "hourly" } else { "daily" }),
            Layout::Bare => "bare".to_owned(),
        };
        place.account_id = account.map(str::to_owned);
        place.region = region.map(str::to_owned);
        place.objects += 1;
        place.bytes += object.size;
        if let Some(partition) = facts.partition {
            place.spans.insert((partition.from_s, partition.to_s));
        }
        let flow_log = facts.flow_log_id.as_deref().unwrap_or_else(|| object.folder());
        place.flow_logs.extend(facts.flow_log_id.as_deref().map(str::to_owned));
        by_flow_log.entry(flow_log.to_owned()).or_default().push(object);
    }
    for place in places.values_mut() {
        place.hours = place.spans.iter().map(|(from, to)| ((to - from) / HOUR_S) as u64).sum();
        place.from = place.spans.first().map(|span| rfc3339(span.0));
        place.to = place.spans.last().map(|span| rfc3339(span.1));
    }
    let mut found = Inspection {
        objects: listing.objects.len() as u64,
        bytes: listing.objects.iter().map(|object| object.size).sum(),
        other_objects: listing.other_objects,
        copies: listing.copies.len() as u64,
        places: places.into_values().collect(),
        accesses: accesses::summaries(&listing.accesses),
        variants: Vec::new(),
        unreadable: Vec::new(),
        rows_in_footers: 0,
        footers_read: 0,
        decoded: None,
    };
    let reader = source.reader();
    let mut variants: BTreeMap<Variant, u64> = BTreeMap::new();
    for objects in by_flow_log.values() {
        let count = args.footers.min(objects.len());
        let sample = (0..count).map(|index| if count == 1 { 0 } else { index * (objects.len() - 1) / (count - 1) });
        for index in sample {
            let object = objects[index];
            match read_footer(&reader, object, FOOTER_BYTES).await {
                Ok(footer) => {
                    let metadata = footer.metadata;
                    found.footers_read += 1;
                    found.rows_in_footers += u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(0);
                    *variants.entry(variant(&metadata)).or_default() += 1;
                }
                Err(error) => found.unreadable.push(error_text(&error)),
            }
        }
    }
    found.variants = variants.into_iter().collect();
    found
}

/// Returns the codec without its level, which no file holds: the parquet crate prints its own default.
fn codec_name(codec: Compression) -> String {
    let name = codec.to_string();
    name.split('(').next().unwrap_or_default().to_owned()
}

fn variant(metadata: &ParquetMetaData) -> Variant {
    let schema = metadata.file_metadata().schema_descr();
    let mut types = BTreeMap::new();
    let mut unknown = Vec::new();
    let mut version = 0;
    for column in schema.columns() {
        let path = column.path().string();
        match field_of(&path) {
            Some((field, _)) => {
                version = version.max(field.version());
                types.insert(field.name().to_owned(), column.physical_type().to_string());
            }
            None => unknown.push(path),
        }
    }
    let missing = REQUIRED.iter().filter(|field| !types.contains_key(field.name()));
    let chunk = metadata.row_groups().first().and_then(|group| group.columns().first());
    Variant {
        fields: FIELDS.iter().filter(|field| types.contains_key(field.name())).count(),
        version,
        missing: missing.map(|field| field.name().to_owned()).collect(),
        unknown,
        codec: chunk.map_or("none".to_owned(), |chunk| codec_name(chunk.compression())),
        created_by: metadata.file_metadata().created_by().unwrap_or("unknown").to_owned(),
        types,
    }
}

fn write_table(out: &mut impl Write, found: &Inspection) -> Result<(), Failure> {
    writeln!(
        out,
        "{}, {}{}{}",
        counted(found.objects, "object", "objects"),
        bytes_text(found.bytes),
        match found.other_objects {
            0 => String::new(),
            others => format!(", {} not Parquet", counted(others, "other", "others")),
        },
        match found.copies {
            0 => String::new(),
            copies => format!(", {} left out", counted(copies, "copy", "copies")),
        }
    )?;
    let dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    accesses::write_table(out, &found.accesses)?;
    if found.objects == 0 {
        return Ok(());
    }
    writeln!(
        out,
        "\n{:<13} {:<14} {:<14} {:>8} {:>9} {:>6}  {:<21} {:<21} FLOW LOGS",
        "LAYOUT", "ACCOUNT", "REGION", "OBJECTS", "BYTES", "HOURS", "FROM", "TO"
    )?;
    for place in &found.places {
        writeln!(
            out,
            "{:<13} {:<14} {:<14} {:>8} {:>9} {:>6}  {:<21} {:<21} {}",
            place.layout,
            dash(&place.account_id),
            dash(&place.region),
            count_text(place.objects),
            bytes_text(place.bytes),
            count_text(place.hours),
            dash(&place.from),
            dash(&place.to),
            place.flow_logs.len(),
        )?;
    }
    let footers = counted(found.footers_read, "footer", "footers");
    writeln!(out, "\n{footers} read, {} in them", counted(found.rows_in_footers, "row", "rows"))?;
    for (variant, count) in &found.variants {
        let numbers = ["protocol", "bytes", "start"];
        let types = numbers.iter().filter_map(|name| Some(format!("{name} {}", variant.types.get(*name)?)));
        writeln!(
            out,
            "{count:>4} × fields up to v{} ({} columns), {}, {}; by {}{}{}",
            variant.version,
            variant.fields,
            variant.codec,
            types.collect::<Vec<_>>().join(", "),
            variant.created_by,
            if variant.missing.is_empty() {
                String::new()
            } else {
                format!("; NOT FLOW LOGS, without {}", variant.missing.join(", "))
            },
            if variant.unknown.is_empty() {
                String::new()
            } else {
                format!("; {}", counted(variant.unknown.len() as u64, "other column", "other columns"))
            },
        )?;
    }
    if let Some(decoded) = &found.decoded {
        writeln!(
            out,
            "\n{} decoded in {:.1} s ({} a second), {} of accepted traffic with {} in {}",
            counted(decoded.rows, "record", "records"),
            decoded.seconds,
            count_text((decoded.rows as f64 / decoded.seconds.max(1e-9)) as u64),
            count_text(decoded.accepted),
            bytes_text(decoded.bytes),
            counted(decoded.packets, "packet", "packets"),
        )?;
    }
    let undecoded = found.decoded.iter().flat_map(|decoded| &decoded.unreadable);
    for reason in found.unreadable.iter().chain(undecoded) {
        writeln!(out, "unreadable: {}", printable(reason))?;
    }
    Ok(())
}

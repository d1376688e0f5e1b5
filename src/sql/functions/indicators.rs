//! The function that looks a contact up in the indicator feeds.

use super::FunctionDoc;
use super::addresses::{GROUP, addresses, check_address, check_number, check_text, numbers};
use super::function::{Function, on_arrays, wrong_value};
use crate::intel::{Indicators, ListCategory};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringArray, StructArray, UInt8Array, new_null_array};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;
use std::sync::Arc;

const NAME: &str = "indicator";

/// Documentation for `--functions` and the reference.
pub(super) const DOCS: &[FunctionDoc] = &[FunctionDoc {
    name: NAME,
    group: GROUP,
    call: "indicator(remote[, port, protocol, first_seen, last_seen[, listing]])",
    returns: "The best hit of the feeds of --indicators as a struct of `source`, `indicator`, `port_matched`, \
            `confidence` (0 to 100), `malware` and `listing` (the kind of feed), or NULL. The port is that of the \
            service at the remote. Times are Unix seconds or timestamps; the indicator must have been valid between \
            them. Without them any time and port counts. With a listing (`tor`, `mining` or `other`), only feeds of \
            that kind count.",
    example: "indicator('192.0.2.7') IS NULL",
    result: "true",
}];

/// Indices of the arguments.
const PORT: usize = 1;
const LISTING: usize = 5;

/// Creates the function.
pub(super) fn function(indicators: Arc<Indicators>) -> ScalarUDF {
    let typing = |types: &[DataType]| {
        check_address(NAME, "remote", &types[0])?;
        types[PORT..].iter().take(LISTING - PORT).try_for_each(|kind| check_number(NAME, "argument", kind))?;
        types.get(LISTING).map_or(Ok(()), |kind| check_text(NAME, "listing", kind))?;
        Ok(DataType::Struct(fields()))
    };
    Function::typed(NAME, &[1, 5, 6], typing, on_arrays(move |args| hits(args, &indicators)))
}

fn fields() -> Fields {
    vec![
        Field::new("source", DataType::Utf8, true),
        Field::new("indicator", DataType::Utf8, true),
        Field::new("port_matched", DataType::Boolean, true),
        Field::new("confidence", DataType::UInt8, true),
        Field::new("malware", DataType::Utf8, true),
        Field::new("listing", DataType::Utf8, true),
    ]
    .into()
}

/// Reads the listings asked for, row by row; an unknown name is an error, NULL asks for any.
fn listings(array: &ArrayRef) -> Result<Vec<Option<ListCategory>>> {
    let read = |text: Option<&str>| match text {
        None => Ok(None),
        Some(text) => ListCategory::parse(text).map(Some).ok_or_else(|| {
            wrong_value(NAME, format!("`{text}` is not a listing; expected `tor`, `mining` or `other`"))
        }),
    };
    cast(array, &DataType::Utf8)?.as_string::<i32>().iter().map(read).collect()
}

fn hits(args: &[ArrayRef], indicators: &Indicators) -> Result<ArrayRef> {
    let listings = args.get(LISTING).map(listings).transpose()?.unwrap_or_default();
    if indicators.is_empty() {
        return Ok(new_null_array(&DataType::Struct(fields()), args[0].len()));
    }
    let asked = args[PORT..].iter().take(LISTING - PORT).map(numbers).collect::<Result<Vec<_>>>()?;
    let number = |at: usize, row: usize| asked.get(at).filter(|array| array.is_valid(row)).map(|a| a.value(row));
    let hits: Vec<_> = addresses(&args[0])
        .into_iter()
        .enumerate()
        .map(|(row, remote)| {
            let port = number(0, row).and_then(|port| u16::try_from(port).ok());
            let protocol = number(1, row).and_then(|protocol| u8::try_from(protocol).ok());
            let (first_s, last_s) = (number(2, row).unwrap_or(i64::MIN), number(3, row).unwrap_or(i64::MAX));
            let listing = listings.get(row).copied().flatten();
            indicators.lookup(remote?, port, protocol, first_s, last_s, listing)
        })
        .collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(hits.iter().map(|hit| hit.as_ref().map(|hit| hit.source)).collect::<StringArray>()),
        Arc::new(hits.iter().map(|hit| hit.as_ref().map(|hit| hit.indicator.as_str())).collect::<StringArray>()),
        Arc::new(hits.iter().map(|hit| hit.as_ref().map(|hit| hit.port_matched)).collect::<BooleanArray>()),
        Arc::new(hits.iter().map(|hit| hit.as_ref().map(|hit| hit.confidence)).collect::<UInt8Array>()),
        Arc::new(hits.iter().map(|hit| hit.as_ref().and_then(|hit| hit.malware)).collect::<StringArray>()),
        Arc::new(hits.iter().map(|hit| hit.as_ref().map(|hit| hit.listing.as_str())).collect::<StringArray>()),
    ];
    let nulls = NullBuffer::from_iter(hits.iter().map(Option::is_some));
    Ok(Arc::new(StructArray::try_new(fields(), columns, Some(nulls))?))
}

//! Tables in readable form: addresses and strings as text.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StringViewBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::error::Result;
use flow::Address;
use std::sync::Arc;

fn is_address(kind: &DataType) -> bool {
    *kind == DataType::FixedSizeBinary(16)
}

/// Returns the readable schema of a stored table.
pub(in crate::sql) fn presented(schema: &Schema) -> SchemaRef {
    let shown = |field: &Arc<Field>| match field.data_type() {
        kind if is_address(kind) => field.as_ref().clone().with_data_type(DataType::Utf8View),
        DataType::Utf8 | DataType::Dictionary(_, _) => field.as_ref().clone().with_data_type(DataType::Utf8View),
        _ => field.as_ref().clone(),
    };
    Arc::new(Schema::new(schema.fields().iter().map(shown).collect::<Vec<_>>()))
}

/// Turns rows of a stored table into the types of `shown`, which [`presented`] returned.
pub(in crate::sql) fn present(rows: &RecordBatch, shown: &SchemaRef) -> Result<RecordBatch> {
    let column = |(column, field): (&ArrayRef, &Arc<Field>)| -> Result<ArrayRef> {
        Ok(match column.data_type() {
            kind if is_address(kind) => addresses(column),
            kind if kind == field.data_type() => column.clone(),
            _ => cast(column, field.data_type())?,
        })
    };
    let columns = rows.columns().iter().zip(shown.fields()).map(column).collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    Ok(RecordBatch::try_new_with_options(shown.clone(), columns, &options)?)
}

fn addresses(column: &ArrayRef) -> ArrayRef {
    let bytes = column.as_fixed_size_binary();
    let mut texts = StringViewBuilder::with_capacity(bytes.len());
    for row in 0..bytes.len() {
        let address: Option<[u8; 16]> = bytes.is_valid(row).then(|| bytes.value(row).try_into().ok()).flatten();
        texts.append_option(address.map(|address| Address::from_bytes(address).to_string()));
    }
    Arc::new(texts.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{DictionaryArray, FixedSizeBinaryArray, UInt8Array};
    use arrow::datatypes::Int32Type;

    #[test]
    fn addresses_and_words_become_text() {
        let address: Address = "10.0.0.7".parse().unwrap();
        let hosts = vec![Some(address.to_bytes()), None];
        let hosts = FixedSizeBinaryArray::try_from_sparse_iter_with_size(hosts.into_iter(), 16).unwrap();
        let words: DictionaryArray<Int32Type> = vec![Some("own"), None].into_iter().collect();
        let numbers: ArrayRef = Arc::new(UInt8Array::from(vec![6, 17]));
        let columns = [("host", Arc::new(hosts) as ArrayRef), ("vantage", Arc::new(words)), ("protocol", numbers)];
        let stored = RecordBatch::try_from_iter_with_nullable(columns.map(|(n, c)| (n, c, true))).unwrap();
        let shown = present(&stored, &presented(&stored.schema())).unwrap();
        let text = arrow::util::pretty::pretty_format_batches(&[shown]).unwrap().to_string();
        assert!(text.contains("| 10.0.0.7 | own     | 6        |"), "{text}");
    }
}

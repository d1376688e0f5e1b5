//! The columns of a result: the types they are announced as, and their rows as messages.

use super::cells::ColumnEncoder;
use super::oid::{size_of, type_of_field};
use crate::serve::protocol::pg_error::{self, PgError};
use crate::sql::head;
use arrow::array::{Array, ArrayRef, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::writer::{EncoderOptions, make_encoder};
use bytes::BytesMut;
use pgwire::api::Type;
use pgwire::api::portal::Format;
use pgwire::api::results::FieldInfo;
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::data::{DataRow, FieldDescription, RowDescription};
use std::sync::Arc;

/// How a column is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Conversion {
    /// Unchanged.
    Plain,
    /// Cast to another type that Postgres has.
    Cast,
    /// As JSON.
    Json,
}

/// The columns of a result as they are sent.
#[derive(Clone, Debug)]
pub(in crate::serve) struct Columns {
    conversions: Arc<[Conversion]>,
    schema: SchemaRef,
    fields: Arc<Vec<FieldInfo>>,
}

fn conversion_of(kind: &DataType) -> (Conversion, DataType) {
    use DataType::*;
    match kind {
        Null => (Conversion::Cast, Utf8),
        Boolean
        | Int8
        | Int16
        | Int32
        | Int64
        | UInt8
        | UInt16
        | UInt32
        | UInt64
        | Float32
        | Float64
        | Utf8
        | LargeUtf8
        | Utf8View
        | Binary
        | LargeBinary
        | BinaryView
        | FixedSizeBinary(_)
        | Timestamp(_, _)
        | Date32
        | Date64
        | Time32(_)
        | Time64(_)
        | Interval(_)
        | Duration(_)
        | Decimal128(_, _) => (Conversion::Plain, kind.clone()),
        Float16 => (Conversion::Cast, Float32),
        Dictionary(_, value) => match conversion_of(value) {
            (Conversion::Json, _) => (Conversion::Json, Utf8),
            (_, kind) => (Conversion::Cast, kind),
        },
        List(item) | LargeList(item) => match conversion_of(item.data_type()) {
            (Conversion::Plain, _) => (Conversion::Plain, kind.clone()),
            _ => (Conversion::Json, Utf8),
        },
        _ => (Conversion::Json, Utf8),
    }
}

impl Columns {
    /// Returns the columns of a plan's rows, in the formats that the client asked for.
    ///
    /// # Errors
    /// When the number of formats does not match the number of columns.
    pub(in crate::serve) fn of(schema: &Schema, format: &Format) -> Result<Self, PgError> {
        let count = schema.fields().len();
        if let Format::Individual(formats) = format
            && formats.len() != count
        {
            let details = format!("bind message has {} result formats but query has {count} columns", formats.len());
            return Err(pg_error::error("08P01", details));
        }
        let (mut conversions, mut sent, mut fields) = (Vec::new(), Vec::new(), Vec::new());
        for (place, field) in schema.fields().iter().enumerate() {
            let (mut conversion, kind) = conversion_of(field.data_type());
            let mut field = match conversion {
                Conversion::Plain => field.clone(),
                Conversion::Cast | Conversion::Json => Arc::new(Field::new(field.name(), kind, true)),
            };
            let kind = match type_of_field(&field) {
                Some(kind) if conversion != Conversion::Json => kind,
                _ => {
                    conversion = Conversion::Json;
                    field = Arc::new(Field::new(field.name(), DataType::Utf8, true));
                    Type::JSON
                }
            };
            let info =
                FieldInfo::new(head(field.name()).to_owned(), None, None, kind.clone(), format.format_for(place));
            fields.push(info.with_type_size(size_of(&kind)));
            conversions.push(conversion);
            sent.push(field);
        }
        Ok(Self { conversions: conversions.into(), schema: Arc::new(Schema::new(sent)), fields: Arc::new(fields) })
    }

    /// Returns the description of the columns sent to the client.
    pub(in crate::serve) fn description(&self) -> RowDescription {
        RowDescription::new(self.fields.iter().map(FieldDescription::from).collect())
    }

    /// Returns whether there are no columns.
    pub(in crate::serve) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Returns the rows of a batch as messages.
    ///
    /// # Errors
    /// When the batch does not have these columns.
    pub(in crate::serve) fn rows(
        &self,
        batch: &RecordBatch,
    ) -> PgWireResult<impl Iterator<Item = PgWireResult<DataRow>> + use<>> {
        let failed = |error: ArrowError| PgWireError::ApiError(Box::new(error));
        let columns = self.conversions.iter().zip(batch.columns()).zip(self.schema.fields()).map(
            |((conversion, column), field)| match conversion {
                Conversion::Plain => Ok(column.clone()),
                Conversion::Cast => arrow::compute::cast(column, field.data_type()),
                Conversion::Json => json(column),
            },
        );
        let columns = columns.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let cells =
            columns.iter().zip(self.fields.iter()).map(|(column, field)| ColumnEncoder::new(column, field.format()));
        let cells = cells.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let mut buffer = BytesMut::new();
        Ok((0..batch.num_rows()).map(move |row| {
            cells.iter().for_each(|cells| cells.write(row, &mut buffer));
            Ok(DataRow::new(buffer.split(), cells.len() as i16))
        }))
    }
}

/// Returns a column as JSON texts.
fn json(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let field = Arc::new(Field::new("value", column.data_type().clone(), true));
    let options = EncoderOptions::default().with_explicit_nulls(true);
    let mut encoder = make_encoder(&field, column.as_ref(), &options)?;
    let mut texts = StringBuilder::new();
    let mut text = Vec::new();
    for row in 0..column.len() {
        if encoder.is_null(row) {
            texts.append_null();
            continue;
        }
        text.clear();
        encoder.encode(row, &mut text);
        texts.append_value(String::from_utf8_lossy(&text));
    }
    Ok(Arc::new(texts.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float64Array, Int64Array, NullArray, StringArray, StructArray, TimestampSecondArray};

    fn shown(column: ArrayRef) -> (Type, Vec<Option<String>>) {
        let batch = RecordBatch::try_from_iter_with_nullable([("c", column, true)]).unwrap();
        let columns = Columns::of(batch.schema_ref(), &Format::UnifiedText).unwrap();
        let texts = columns.rows(&batch).unwrap().map(|row| {
            let data = row.unwrap().data;
            let length = i32::from_be_bytes(data[..4].try_into().unwrap());
            (length >= 0).then(|| String::from_utf8(data[4..].to_vec()).unwrap())
        });
        (columns.fields[0].datatype().clone(), texts.collect())
    }

    #[test]
    fn values_are_written_as_clients_read_them() {
        let text = |text: &str| Some(text.to_owned());
        let times = TimestampSecondArray::from(vec![Some(1_700_611_200), None]).with_timezone("UTC");
        let (kind, texts) = shown(Arc::new(times));
        assert_eq!(kind, Type::TIMESTAMPTZ);
        assert!(texts[0].as_deref().unwrap().starts_with("2023-11-22 00:00:00"), "{texts:?}");
        assert!(texts[0].as_deref().unwrap().ends_with("+00:00") || texts[0].as_deref().unwrap().ends_with("+00"));
        assert_eq!(texts[1], None);
        let (kind, texts) = shown(Arc::new(Float64Array::from(vec![0.1, 1e20])));
        assert_eq!((kind, texts[0].clone()), (Type::FLOAT8, text("0.1")));
        assert_eq!(shown(Arc::new(NullArray::new(1))), (Type::TEXT, vec![None]));
        let fields = [("period_s", DataType::Float64), ("who", DataType::Utf8)];
        let fields: Vec<Field> = fields.into_iter().map(|(name, kind)| Field::new(name, kind, true)).collect();
        let parts: Vec<ArrayRef> =
            vec![Arc::new(Float64Array::from(vec![Some(60.5), None])), Arc::new(StringArray::from(vec!["a\"b", "c"]))];
        let nested = StructArray::new(fields.into(), parts, None);
        let (kind, texts) = shown(Arc::new(nested));
        assert_eq!(kind, Type::JSON);
        assert_eq!(texts, [text(r#"{"period_s":60.5,"who":"a\"b"}"#), text(r#"{"period_s":null,"who":"c"}"#)]);
        let mut list = arrow::array::ListBuilder::new(arrow::array::Int64Builder::new());
        list.append_value([Some(1), None]);
        assert_eq!(shown(Arc::new(list.finish())), (Type::INT8_ARRAY, vec![text("{1,NULL}")]));
        let keys = arrow::array::Int32Array::from(vec![Some(1), None]);
        let words: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
        let dictionary = arrow::array::DictionaryArray::new(keys, words);
        assert_eq!(shown(Arc::new(dictionary)), (Type::TEXT, vec![text("b"), None]));
    }

    #[test]
    fn formats_must_fit_the_columns() {
        let columns = Int64Array::from(vec![1]);
        let batch = RecordBatch::try_from_iter([("c", Arc::new(columns) as ArrayRef)]).unwrap();
        assert!(Columns::of(batch.schema_ref(), &Format::Individual(vec![1, 1])).is_err());
        let binary = Columns::of(batch.schema_ref(), &Format::UnifiedBinary).unwrap();
        let row = binary.rows(&batch).unwrap().next().unwrap().unwrap();
        assert_eq!(row.data.as_ref(), [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1]);
    }
}

//! The columns of a result: as what they are described, and their rows as messages.

use super::cells::Cells;
use super::oid::{size_of, type_of_field};
use crate::serve::protocol::pg_error::{self, PgError};
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
enum Way {
    /// As it is.
    Plain,
    /// As another type that Postgres has.
    Cast,
    /// As JSON.
    Json,
}

/// The columns of a result as they are sent.
#[derive(Clone, Debug)]
pub(in crate::serve) struct Columns {
    ways: Arc<[Way]>,
    schema: SchemaRef,
    fields: Arc<Vec<FieldInfo>>,
}

fn way_of(kind: &DataType) -> (Way, DataType) {
    use DataType::*;
    match kind {
        Null => (Way::Cast, Utf8),
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
        | Decimal128(_, _) => (Way::Plain, kind.clone()),
        Float16 => (Way::Cast, Float32),
        Dictionary(_, value) => match way_of(value) {
            (Way::Json, _) => (Way::Json, Utf8),
            (_, kind) => (Way::Cast, kind),
        },
        List(item) | LargeList(item) => match way_of(item.data_type()) {
            (Way::Plain, _) => (Way::Plain, kind.clone()),
            _ => (Way::Json, Utf8),
        },
        _ => (Way::Json, Utf8),
    }
}

impl Columns {
    /// The columns of a plan's rows, in the formats that the client asked for.
    ///
    /// # Errors
    /// When it asked for another number of formats than there are columns.
    pub(in crate::serve) fn of(schema: &Schema, format: &Format) -> Result<Self, PgError> {
        let count = schema.fields().len();
        if let Format::Individual(formats) = format
            && formats.len() != count
        {
            let said = format!("bind message has {} result formats but query has {count} columns", formats.len());
            return Err(pg_error::error("08P01", said));
        }
        let (mut ways, mut sent, mut fields) = (Vec::new(), Vec::new(), Vec::new());
        for (place, field) in schema.fields().iter().enumerate() {
            let (mut way, kind) = way_of(field.data_type());
            let mut field = match way {
                Way::Plain => field.clone(),
                Way::Cast | Way::Json => Arc::new(Field::new(field.name(), kind, true)),
            };
            let kind = match type_of_field(&field) {
                Some(kind) if way != Way::Json => kind,
                _ => {
                    way = Way::Json;
                    field = Arc::new(Field::new(field.name(), DataType::Utf8, true));
                    Type::JSON
                }
            };
            let info = FieldInfo::new(field.name().clone(), None, None, kind.clone(), format.format_for(place));
            fields.push(info.with_type_size(size_of(&kind)));
            ways.push(way);
            sent.push(field);
        }
        Ok(Self { ways: ways.into(), schema: Arc::new(Schema::new(sent)), fields: Arc::new(fields) })
    }

    /// What the client is told of the columns.
    pub(in crate::serve) fn description(&self) -> RowDescription {
        RowDescription::new(self.fields.iter().map(FieldDescription::from).collect())
    }

    /// Whether there are none.
    pub(in crate::serve) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The rows of a batch as messages.
    ///
    /// # Errors
    /// When the batch is not of these columns.
    pub(in crate::serve) fn rows(
        &self,
        batch: &RecordBatch,
    ) -> PgWireResult<impl Iterator<Item = PgWireResult<DataRow>> + use<>> {
        let failed = |error: ArrowError| PgWireError::ApiError(Box::new(error));
        let columns =
            self.ways.iter().zip(batch.columns()).zip(self.schema.fields()).map(|((way, column), field)| match way {
                Way::Plain => Ok(column.clone()),
                Way::Cast => arrow::compute::cast(column, field.data_type()),
                Way::Json => json(column),
            });
        let columns = columns.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let cells = columns.iter().zip(self.fields.iter()).map(|(column, field)| Cells::new(column, field.format()));
        let cells = cells.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let mut buffer = BytesMut::new();
        Ok((0..batch.num_rows()).map(move |row| {
            cells.iter().for_each(|cells| cells.write(row, &mut buffer));
            Ok(DataRow::new(buffer.split(), cells.len() as i16))
        }))
    }
}

/// A column as JSON texts.
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

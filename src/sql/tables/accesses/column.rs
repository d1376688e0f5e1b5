//! Columns, and the batches that are made of them.

use super::row::{Cell, Row};
use arrow::array::{
    ArrayBuilder, ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, RecordBatch, RecordBatchOptions,
    StringViewBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::error::Result;
use std::sync::Arc;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Time,
    Whole,
    Number,
    Flag,
}

/// A column: its name, what it holds, and how it is made of an act.
#[derive(Clone, Copy)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) value: for<'r> fn(&'r Row<'_>) -> Cell<'r>,
}

impl std::fmt::Debug for Column {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Lists columns.
macro_rules! columns {
    ($($name:literal: $kind:ident = $value:expr,)*) => {
        &[$($crate::sql::tables::accesses::column::Column {
            name: $name,
            kind: $crate::sql::tables::accesses::column::Kind::$kind,
            value: $value,
        },)*]
    };
}
pub(super) use columns;

impl Kind {
    fn data_type(self) -> DataType {
        match self {
            Kind::Text => DataType::Utf8View,
            Kind::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Kind::Whole => DataType::Int64,
            Kind::Number => DataType::Float64,
            Kind::Flag => DataType::Boolean,
        }
    }
}

/// Returns the schema of some columns.
pub(super) fn schema_of<'a>(columns: impl IntoIterator<Item = &'a Column>) -> SchemaRef {
    let fields = columns.into_iter().map(|column| Field::new(column.name, column.kind.data_type(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

enum Builder {
    Text(StringViewBuilder),
    Time(TimestampMicrosecondBuilder),
    Whole(Int64Builder),
    Number(Float64Builder),
    Flag(BooleanBuilder),
}

impl Builder {
    fn new(kind: Kind) -> Self {
        match kind {
            // Most columns have few different texts.
            Kind::Text => Self::Text(StringViewBuilder::new().with_deduplicate_strings()),
            Kind::Time => Self::Time(TimestampMicrosecondBuilder::new().with_timezone("UTC")),
            Kind::Whole => Self::Whole(Int64Builder::new()),
            Kind::Number => Self::Number(Float64Builder::new()),
            Kind::Flag => Self::Flag(BooleanBuilder::new()),
        }
    }

    /// Adds a value; one of another kind is NULL.
    fn add(&mut self, cell: Cell<'_>) {
        match (self, cell) {
            (Self::Text(texts), Cell::Text(text)) => texts.append_value(text),
            (Self::Text(texts), _) => texts.append_null(),
            (Self::Time(times), Cell::Time(time)) => times.append_value(time),
            (Self::Time(times), _) => times.append_null(),
            (Self::Whole(numbers), Cell::Whole(number)) => numbers.append_value(number),
            (Self::Whole(numbers), _) => numbers.append_null(),
            (Self::Number(numbers), Cell::Number(number)) => numbers.append_value(number),
            (Self::Number(numbers), _) => numbers.append_null(),
            (Self::Flag(flags), Cell::Flag(flag)) => flags.append_value(flag),
            (Self::Flag(flags), _) => flags.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(builder) => ArrayBuilder::finish(builder),
            Self::Time(builder) => ArrayBuilder::finish(builder),
            Self::Whole(builder) => ArrayBuilder::finish(builder),
            Self::Number(builder) => ArrayBuilder::finish(builder),
            Self::Flag(builder) => ArrayBuilder::finish(builder),
        }
    }
}

/// Makes batches of rows.
pub(super) struct BatchMaker<'a> {
    columns: &'a [&'static Column],
    schema: &'a SchemaRef,
    builders: Vec<Builder>,
    rows: usize,
    batches: Vec<RecordBatch>,
}

/// Rows of a batch.
const BATCH_ROWS: usize = 8_192;

impl<'a> BatchMaker<'a> {
    pub(super) fn new(columns: &'a [&'static Column], schema: &'a SchemaRef) -> Self {
        let builders = columns.iter().map(|column| Builder::new(column.kind)).collect();
        Self { columns, schema, builders, rows: 0, batches: Vec::new() }
    }

    pub(super) fn add(&mut self, row: &Row<'_>) -> Result<()> {
        for (column, builder) in self.columns.iter().zip(&mut self.builders) {
            builder.add((column.value)(row));
        }
        self.rows += 1;
        if self.rows == BATCH_ROWS { self.cut() } else { Ok(()) }
    }

    fn cut(&mut self) -> Result<()> {
        if self.rows > 0 {
            let options = RecordBatchOptions::new().with_row_count(Some(std::mem::take(&mut self.rows)));
            let columns = self.builders.iter_mut().map(Builder::finish).collect();
            self.batches.push(RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?);
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Vec<RecordBatch>> {
        self.cut()?;
        Ok(self.batches)
    }
}

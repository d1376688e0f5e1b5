//! From an object's records to rows of `flows`: columns that the records have, and those that are made of them.

use super::columns::{Column, schema_of};
use super::prune::partition_value;
use super::sides::Sides;
use crate::flow::schema::Field;
use crate::source::Object;
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Int32Array, RecordBatch, RecordBatchOptions, StringViewArray,
};
use arrow::compute::filter_record_batch;
use arrow::compute::kernels::zip::zip;
use arrow::datatypes::SchemaRef;
use datafusion::error::Result;
use datafusion::physical_expr::PhysicalExpr;
use std::cell::OnceCell;
use std::sync::Arc;

/// Which columns of `flows` a scan makes, and which rows it keeps.
#[derive(Clone, Debug)]
pub(super) struct RowMaker {
    /// Columns that are asked for, then those that only the filter reads.
    columns: Arc<[Column]>,
    schema: SchemaRef,
    /// Number of columns that are asked for.
    asked: usize,
    output: SchemaRef,
    filter: Option<Arc<dyn PhysicalExpr>>,
}

impl RowMaker {
    /// Makes rows of `asked` columns; `filter` reads the schema of [`RowMaker::columns`], which are `asked` and `more`.
    pub(super) fn new(asked: &[Column], more: &[Column]) -> Self {
        let columns: Arc<[Column]> = asked.iter().chain(more).copied().collect();
        let schema = schema_of(&columns);
        Self { schema, output: schema_of(asked), asked: asked.len(), columns, filter: None }
    }

    /// Keeps only rows for which `filter` is true.
    pub(super) fn with_filter(self, filter: Option<Arc<dyn PhysicalExpr>>) -> Self {
        Self { filter, ..self }
    }

    /// The schema that the filter reads.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The schema of the rows.
    pub(super) fn output(&self) -> &SchemaRef {
        &self.output
    }

    /// The filter.
    pub(super) fn filter(&self) -> Option<&Arc<dyn PhysicalExpr>> {
        self.filter.as_ref()
    }

    /// The fields of the records that the columns are made of, each once, in order.
    pub(super) fn fields(&self) -> Arc<[Field]> {
        let mut fields: Vec<Field> = self.columns.iter().flat_map(|column| column.fields().to_vec()).collect();
        fields.sort_unstable();
        fields.dedup();
        fields.into()
    }

    /// Turns a batch of an object's records into rows.
    pub(super) fn rows(&self, object: &Object, records: &RecordBatch) -> Result<RecordBatch> {
        let count = records.num_rows();
        let cell = OnceCell::new();
        let sides = || cell.get_or_init(|| Sides::of(records));
        let mut columns = Vec::with_capacity(self.columns.len());
        for column in self.columns.iter() {
            columns.push(match column {
                Column::Record(field) => {
                    let values = records[field.name()].clone();
                    match field {
                        Field::AccountId => filled(values, object.facts.account_id.as_deref())?,
                        Field::Region => filled(values, object.facts.region.as_deref())?,
                        _ => values,
                    }
                }
                Column::Host => sides().address(false)?,
                Column::Remote => sides().address(true)?,
                Column::Port => sides().port(),
                Column::Role => sides().role(),
                Column::Outbound => sides().outbound(),
                Column::Account => texts(object.facts.account_id.as_deref(), count),
                Column::Object => texts(Some(&object.url), count),
                Column::Date => {
                    let day = partition_value(Column::Date, object).map(|day| day as i32);
                    Arc::new(Date32Array::from(vec![day; count]))
                }
                Column::Year | Column::Month | Column::Day | Column::Hour => {
                    let number = partition_value(*column, object).map(|number| number as i32);
                    Arc::new(Int32Array::from(vec![number; count]))
                }
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let rows = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?;
        let kept = match &self.filter {
            None => rows,
            Some(filter) => {
                let keeps = filter.evaluate(&rows)?.into_array(count)?;
                let asked = project(&rows, self.asked, &self.output)?;
                return keep(&asked, keeps.as_boolean());
            }
        };
        project(&kept, self.asked, &self.output)
    }
}

fn project(rows: &RecordBatch, asked: usize, schema: &SchemaRef) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), rows.columns()[..asked].to_vec(), &options)?)
}

fn keep(rows: &RecordBatch, keeps: &BooleanArray) -> Result<RecordBatch> {
    if keeps.null_count() == 0 && keeps.true_count() == rows.num_rows() {
        return Ok(rows.clone());
    }
    Ok(filter_record_batch(rows, keeps)?)
}

/// A column of one text.
fn texts(text: Option<&str>, count: usize) -> ArrayRef {
    Arc::new(StringViewArray::from_iter(std::iter::repeat_n(text, count)))
}

/// What the object's name says where a record says nothing.
fn filled(values: ArrayRef, of_name: Option<&str>) -> Result<ArrayRef> {
    match of_name {
        Some(_) if values.null_count() == values.len() => Ok(texts(of_name, values.len())),
        Some(text) if values.null_count() > 0 => {
            let present = arrow::compute::is_not_null(&values)?;
            let one = StringViewArray::new_scalar(text);
            Ok(zip(&present, &values, &one)?)
        }
        _ => Ok(values),
    }
}

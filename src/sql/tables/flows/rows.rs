//! Turns an object's records into rows of `flows`: columns that the records have, and columns computed from them.

use super::columns::{FlowColumn, schema_of};
use super::filter::Filter;
use super::prune::partition_value;
use super::sides::Sides;
use crate::intel::InternalNetworks;
use crate::source::Object;
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Int32Array, RecordBatch, RecordBatchOptions, StringViewArray,
    UInt32Array,
};
use arrow::compute::filter_record_batch;
use arrow::compute::kernels::zip::zip;
use arrow::datatypes::{DataType, Field as ArrowField, Schema, SchemaRef};
use datafusion::error::Result;
use flow::schema::{Field, FieldKind};
use scan::records::Records;
use scan::{NONE, TextNumbers, own_text_code};
use std::cell::OnceCell;
use std::sync::Arc;

/// Fields decoded as codes, and the dictionary that numbers their texts.
pub(super) type CodedFields = (Arc<[Field]>, Arc<dyn TextNumbers>);

/// Which columns of `flows` a scan produces, and which rows it keeps.
#[derive(Clone, Debug)]
pub(super) struct RowMaker {
    columns: Arc<[FlowColumn]>,
    output: SchemaRef,
    filter: Option<Filter>,
    /// Fields of which only the results of the filter's predicates are read.
    asked: Arc<[Field]>,
    /// Columns produced as codes, and the dictionary that numbers their texts.
    coded: Option<CodedFields>,
    /// Decides who a forwarder forwards for.
    internal: Arc<InternalNetworks>,
}

impl RowMaker {
    /// Produces rows of `columns` from records that pass `filter`.
    pub(super) fn new(columns: &[FlowColumn], filter: Option<Filter>, internal: Arc<InternalNetworks>) -> Self {
        let judged = filter.iter().flat_map(|filter| filter.columns().iter());
        let judged = judged.filter(|column| !matches!(column, FlowColumn::Record(_)));
        let made: Vec<Field> = columns.iter().chain(judged).flat_map(|column| column.fields().to_vec()).collect();
        let asked = filter.as_ref().map_or_else(Vec::new, Filter::only_asked);
        let asked: Arc<[Field]> = asked.into_iter().filter(|field| !made.contains(field)).collect();
        let filter = filter.map(|filter| filter.retyped(&asked, &DataType::Null).unwrap_or(filter));
        Self { columns: columns.into(), output: schema_of(columns), filter, asked, coded: None, internal }
    }

    /// Returns the same with codes of `UInt32` in place of the texts of some columns; `None` when one of them is not
    /// the text of a single field, or is read for another purpose as well.
    pub(super) fn with_codes(&self, places: &[usize], dictionary: Arc<dyn TextNumbers>) -> Option<Self> {
        let coded: Vec<Field> = places
            .iter()
            .map(|place| match self.columns.get(*place) {
                // Missing accounts and regions are filled in from the object's name.
                Some(FlowColumn::Record(Field::AccountId | Field::Region)) => None,
                Some(FlowColumn::Record(field)) if field.kind() == FieldKind::Text => Some(*field),
                _ => None,
            })
            .collect::<Option<_>>()?;
        let filter = match &self.filter {
            Some(filter) => Some(filter.retyped(&coded, &DataType::UInt32)?),
            None => None,
        };
        let judged = self.filter.iter().flat_map(|filter| filter.columns().iter());
        let mut others = self.columns.iter().chain(judged).filter(|column| !matches!(column, FlowColumn::Record(_)));
        if others.any(|column| column.fields().iter().any(|field| coded.contains(field))) {
            return None;
        }
        let column = |(place, column): (usize, &Arc<ArrowField>)| match places.contains(&place) {
            true => Arc::new(ArrowField::new(column.name(), DataType::UInt32, true)),
            false => column.clone(),
        };
        let output: Vec<_> = self.output.fields().iter().enumerate().map(column).collect();
        let (columns, output) = (self.columns.clone(), Arc::new(Schema::new(output)));
        let (asked, internal) = (self.asked.clone(), self.internal.clone());
        Some(Self { columns, output, filter, asked, coded: Some((coded.into(), dictionary)), internal })
    }

    /// Returns the fields of which only the results of the filter's predicates are read.
    pub(super) fn asked(&self) -> &Arc<[Field]> {
        &self.asked
    }

    /// Returns the fields decoded as codes, and the dictionary that numbers their texts.
    pub(super) fn coded(&self) -> Option<&CodedFields> {
        self.coded.as_ref()
    }

    /// Returns the schema of the rows.
    pub(super) fn output(&self) -> &SchemaRef {
        &self.output
    }

    /// Returns the filter.
    pub(super) fn filter(&self) -> Option<&Filter> {
        self.filter.as_ref()
    }

    /// Returns the fields of the records to read, each once: those of the filter, whose number is also returned, then
    /// all others.
    pub(super) fn fields(&self) -> (Arc<[Field]>, usize) {
        let sorted = |columns: &[FlowColumn]| {
            let mut fields: Vec<Field> = columns.iter().flat_map(|column| column.fields().to_vec()).collect();
            fields.sort_unstable();
            fields.dedup();
            fields
        };
        let mut fields = self.filter.as_ref().map_or_else(Vec::new, |filter| sorted(filter.columns()));
        let first = fields.len();
        for field in sorted(&self.columns) {
            if !fields[..first].contains(&field) {
                fields.push(field);
            }
        }
        (fields.into(), first)
    }

    /// Returns which of an object's records are kept; `None` for all of them.
    pub(super) fn kept(&self, object: &Object, records: &Records) -> Result<Option<BooleanArray>> {
        let Some(filter) = &self.filter else { return Ok(None) };
        let columns = made(filter.columns(), object, &records.batch, &self.internal)?;
        let passes = filter.passes(columns, records.answers.as_deref(), records.batch.num_rows())?;
        let all = passes.null_count() == 0 && passes.true_count() == passes.len();
        Ok((!all).then_some(passes))
    }

    /// Turns an object's records into rows, keeping those in `kept`; `few` of them were picked from many already.
    pub(super) fn rows(
        &self,
        object: &Object,
        records: &RecordBatch,
        kept: Option<&BooleanArray>,
        few: bool,
    ) -> Result<RecordBatch> {
        let mut columns = made(&self.columns, object, records, &self.internal)?;
        if let Some((_, dictionary)) = &self.coded {
            for (column, field) in columns.iter_mut().zip(self.output.fields()) {
                if *field.data_type() == DataType::UInt32 && *column.data_type() == DataType::Utf8View {
                    *column = codes(column.as_string_view(), dictionary.as_ref());
                }
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(records.num_rows()));
        let rows = RecordBatch::try_new_with_options(self.output.clone(), columns, &options)?;
        match kept {
            Some(kept) => {
                let rows = filter_record_batch(&rows, kept)?;
                // A few rows must not keep the texts of all alive.
                if rows.num_rows() * 4 > records.num_rows() { Ok(rows) } else { alone(&rows) }
            }
            None if few => alone(&rows),
            None => Ok(rows),
        }
    }
}

/// Copies the texts of rows out of the dictionaries that they share with other rows.
fn alone(rows: &RecordBatch) -> Result<RecordBatch> {
    let copied = |column: &ArrayRef| match column.as_string_view_opt() {
        Some(texts) if !texts.data_buffers().is_empty() => Arc::new(texts.gc()) as ArrayRef,
        _ => column.clone(),
    };
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    let columns = rows.columns().iter().map(copied).collect();
    Ok(RecordBatch::try_new_with_options(rows.schema(), columns, &options)?)
}

/// Codes of texts that the scan had to read as text.
fn codes(texts: &StringViewArray, dictionary: &dyn TextNumbers) -> ArrayRef {
    let code = |text: &str| own_text_code(text.as_bytes());
    let numbered: Vec<&str> = texts.iter().flatten().filter(|text| code(text).is_none()).collect();
    let mut numbers = dictionary.numbers(&numbered).into_iter();
    let codes = texts.iter().map(|text| match text {
        None => NONE,
        Some(text) => code(text).or_else(|| numbers.next()).unwrap_or(NONE),
    });
    Arc::new(UInt32Array::from_iter_values(codes))
}

/// Builds columns from an object's records.
fn made(
    wanted: &[FlowColumn],
    object: &Object,
    records: &RecordBatch,
    internal: &InternalNetworks,
) -> Result<Vec<ArrayRef>> {
    let count = records.num_rows();
    let cell = OnceCell::new();
    let sides = || cell.get_or_init(|| Sides::of(records, internal));
    let mut columns = Vec::with_capacity(wanted.len());
    for column in wanted {
        columns.push(match column {
            FlowColumn::Record(field) => {
                let values = records[field.name()].clone();
                match field {
                    Field::AccountId => filled(values, object.facts.account_id.as_deref())?,
                    Field::Region => filled(values, object.facts.region.as_deref())?,
                    _ => values,
                }
            }
            FlowColumn::Host => sides().address(false)?,
            FlowColumn::Remote => sides().address(true)?,
            FlowColumn::Port => sides().port(),
            FlowColumn::Role => sides().role(),
            FlowColumn::Outbound => sides().outbound(),
            FlowColumn::Vantage => sides().vantage(),
            FlowColumn::Account => texts(object.facts.account_id.as_deref(), count),
            FlowColumn::Object => texts(Some(&object.url), count),
            FlowColumn::Date => {
                let day = partition_value(FlowColumn::Date, object).map(|day| day as i32);
                Arc::new(Date32Array::from(vec![day; count]))
            }
            FlowColumn::Year | FlowColumn::Month | FlowColumn::Day | FlowColumn::Hour => {
                let number = partition_value(*column, object).map(|number| number as i32);
                Arc::new(Int32Array::from(vec![number; count]))
            }
        });
    }
    Ok(columns)
}

/// Returns a column that repeats one text.
fn texts(text: Option<&str>, count: usize) -> ArrayRef {
    Arc::new(StringViewArray::from_iter(std::iter::repeat_n(text, count)))
}

/// Returns the value from the object's name where a record has none.
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

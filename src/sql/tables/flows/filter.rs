//! The filter of a scan: the parts that can be evaluated once per entry of a dictionary, and the rest by rows.

use super::columns::{FlowColumn, schema_of};
use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field as ArrowField, Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, Column as PhysicalColumn, InListExpr, Literal};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use flow::schema::{Field, FieldKind};
use scan::{MAX_PREDICATES, TextPredicate};
use std::sync::Arc;

/// The filter of a scan.
#[derive(Clone)]
pub(super) struct Filter {
    columns: Arc<[FlowColumn]>,
    schema: SchemaRef,
    /// The filter over `columns`.
    whole: Arc<dyn PhysicalExpr>,
    /// Predicates on the text of one field each.
    tests: Arc<[(Field, TextPredicate)]>,
    /// Which of the predicates few texts pass.
    rare: Arc<[bool]>,
    /// The filter over `columns` and the predicates' results.
    combined: Arc<dyn PhysicalExpr>,
    with_answers: SchemaRef,
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Filter").field("whole", &self.whole).field("tests", &self.tests.len()).finish_non_exhaustive()
    }
}

impl Filter {
    /// Creates a filter from an expression over `columns`.
    pub(super) fn new(columns: &[FlowColumn], whole: Arc<dyn PhysicalExpr>) -> Self {
        let schema = schema_of(columns);
        let mut splitting = Splitting { columns, schema: &schema, tests: Vec::new() };
        splitting.split(&whole);
        let mut tests = std::mem::take(&mut splitting.tests);
        // Results come in the order of the fields.
        tests.sort_by_key(|(field, _)| *field);
        let combined = splitting.combine(&whole, &tests);
        let answers = (0..tests.len()).map(|place| Arc::new(ArrowField::new(answer(place), DataType::Boolean, false)));
        let with_answers = Arc::new(Schema::new(schema.fields().iter().cloned().chain(answers).collect::<Vec<_>>()));
        let rare = tests.iter().map(|(field, test)| has_many(*field) && is_rare(test)).collect();
        let tests = tests.into_iter().filter_map(|(field, test)| Some((field, question(test)?))).collect();
        Self { columns: columns.into(), schema, whole, tests, rare, combined, with_answers }
    }

    /// Returns the fields of which the filter reads only the predicates' results.
    pub(super) fn only_asked(&self) -> Vec<Field> {
        let read = collect_columns(&self.combined);
        let is_read = |place: usize| read.iter().any(|column| column.index() == place);
        let columns = self.columns.iter().enumerate().filter(|(place, _)| !is_read(*place));
        let fields = columns.filter_map(|(_, column)| match column {
            FlowColumn::Record(field) => Some(*field),
            _ => None,
        });
        fields.filter(|field| self.tests.iter().any(|(tested, _)| tested == field)).collect()
    }

    /// Returns the same filter where some fields have another type wherever their predicates' results are supplied;
    /// `None` when the filter reads more of them than these results.
    pub(super) fn retyped(&self, fields: &[Field], data_type: &DataType) -> Option<Self> {
        let is_other = |place: usize| match self.columns.get(place) {
            Some(FlowColumn::Record(field)) => fields.contains(field),
            _ => false,
        };
        if collect_columns(&self.combined).iter().any(|column| is_other(column.index())) {
            return None;
        }
        let column = |(place, column): (usize, &Arc<ArrowField>)| match is_other(place) {
            true => Arc::new(ArrowField::new(column.name(), data_type.clone(), true)),
            false => column.clone(),
        };
        let columns: Vec<_> = self.with_answers.fields().iter().enumerate().map(column).collect();
        Some(Self { with_answers: Arc::new(Schema::new(columns)), ..self.clone() })
    }

    /// Returns the indices of the predicates that few texts pass, when every record kept must pass one of them.
    pub(super) fn rare_tests(&self) -> Vec<usize> {
        let rare: Vec<usize> = (0..self.tests.len()).filter(|place| self.rare[*place]).collect();
        if self.may_pass(&|place| !rare.contains(&place)) { Vec::new() } else { rare }
    }

    /// Returns whether a record may be kept, given which predicates some text may pass.
    pub(super) fn may_pass(&self, may: &dyn Fn(usize) -> bool) -> bool {
        fn of(part: &Arc<dyn PhysicalExpr>, columns: usize, may: &dyn Fn(usize) -> bool) -> bool {
            if let Some(column) = part.downcast_ref::<PhysicalColumn>() {
                return column.index().checked_sub(columns).is_none_or(may);
            }
            match joined(part) {
                Some((left, Operator::And, right)) => of(left, columns, may) && of(right, columns, may),
                Some((left, _, right)) => of(left, columns, may) || of(right, columns, may),
                None => true,
            }
        }
        of(&self.combined, self.columns.len(), may)
    }

    /// Returns the columns that the filter reads.
    pub(super) fn columns(&self) -> &Arc<[FlowColumn]> {
        &self.columns
    }

    /// Returns the filter as it was given, and its schema.
    pub(super) fn whole(&self) -> (&Arc<dyn PhysicalExpr>, &SchemaRef) {
        (&self.whole, &self.schema)
    }

    /// Returns the predicates to evaluate on texts.
    pub(super) fn tests(&self) -> &Arc<[(Field, TextPredicate)]> {
        &self.tests
    }

    /// Returns which of `count` rows pass; `columns` are those of [`Filter::columns`].
    pub(super) fn passes(
        &self,
        mut columns: Vec<ArrayRef>,
        answers: Option<&[BooleanArray]>,
        count: usize,
    ) -> Result<BooleanArray> {
        let (filter, schema) = match answers.filter(|answers| answers.len() == self.tests.len()) {
            Some(answers) => {
                columns.extend(answers.iter().map(|answer| Arc::new(answer.clone()) as ArrayRef));
                (&self.combined, &self.with_answers)
            }
            None => (&self.whole, &self.schema),
        };
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let rows = RecordBatch::try_new_with_options(schema.clone(), columns, &options)?;
        Ok(filter.evaluate(&rows)?.into_array(count)?.as_boolean().clone())
    }
}

fn answer(place: usize) -> String {
    format!("answer {place}")
}

/// A part of a filter that reads only the text of one field.
type Test = (Field, Arc<dyn PhysicalExpr>);

struct Splitting<'a> {
    columns: &'a [FlowColumn],
    schema: &'a SchemaRef,
    tests: Vec<Test>,
}

impl Splitting<'_> {
    /// Returns the single field whose text an expression reads, if it is such an expression.
    fn field_of(&self, part: &Arc<dyn PhysicalExpr>) -> Option<Field> {
        let read = collect_columns(part);
        let [column] = read.iter().collect::<Vec<_>>()[..] else { return None };
        let Some(FlowColumn::Record(field)) = self.columns.get(column.index()).copied() else { return None };
        // Missing accounts and regions are filled in from the object's name, after the dictionary.
        let is_own = field.kind() == FieldKind::Text && !matches!(field, Field::AccountId | Field::Region);
        let is_boolean = matches!(part.data_type(self.schema), Ok(DataType::Boolean));
        (is_own && is_boolean && !part.is_volatile_node()).then_some(field)
    }

    /// Collects the largest parts that can be evaluated on texts. Below AND and OR, NULL may count as false; nowhere
    /// else, so nothing else is searched.
    fn split(&mut self, part: &Arc<dyn PhysicalExpr>) {
        if let Some(field) = self.field_of(part) {
            let asked = self.tests.iter().filter(|(of, _)| *of == field).count();
            if asked < MAX_PREDICATES && !self.tests.iter().any(|(_, known)| known.eq(part)) {
                self.tests.push((field, part.clone()));
            }
        } else if let Some((left, _, right)) = joined(part) {
            self.split(left);
            self.split(right);
        }
    }

    /// Returns the filter with the predicates replaced by their results.
    fn combine(&self, part: &Arc<dyn PhysicalExpr>, tests: &[Test]) -> Arc<dyn PhysicalExpr> {
        if let Some(place) = tests.iter().position(|(_, test)| test.eq(part)) {
            return Arc::new(PhysicalColumn::new(&answer(place), self.columns.len() + place));
        }
        match joined(part) {
            Some((left, operator, right)) => {
                Arc::new(BinaryExpr::new(self.combine(left, tests), operator, self.combine(right, tests)))
            }
            None => part.clone(),
        }
    }
}

/// Returns whether a field has many different texts.
fn has_many(field: Field) -> bool {
    !matches!(field, Field::Action | Field::LogStatus | Field::FlowDirection | Field::Type | Field::VpcId)
}

/// Returns whether a predicate names the texts that pass it, or their network.
fn is_rare(test: &Arc<dyn PhysicalExpr>) -> bool {
    if let Some(function) = test.downcast_ref::<ScalarFunctionExpr>() {
        return matches!(function.name(), "cidr_contains" | "ip_in");
    }
    if let Some(list) = test.downcast_ref::<InListExpr>() {
        return !list.negated();
    }
    let Some(both) = test.downcast_ref::<BinaryExpr>() else { return false };
    match both.op() {
        Operator::Eq => [both.left(), both.right()].iter().any(|side| side.downcast_ref::<Literal>().is_some()),
        Operator::And => is_rare(both.left()) || is_rare(both.right()),
        Operator::Or => is_rare(both.left()) && is_rare(both.right()),
        _ => false,
    }
}

type Joined<'a> = (&'a Arc<dyn PhysicalExpr>, Operator, &'a Arc<dyn PhysicalExpr>);

/// Returns the sides of an AND or OR.
fn joined(part: &Arc<dyn PhysicalExpr>) -> Option<Joined<'_>> {
    let both = part.downcast_ref::<BinaryExpr>()?;
    matches!(both.op(), Operator::And | Operator::Or).then(|| (both.left(), *both.op(), both.right()))
}

/// Turns an expression over one column into a predicate on text.
fn question(test: Arc<dyn PhysicalExpr>) -> Option<TextPredicate> {
    let alone = test.transform(|node| {
        Ok(match node.downcast_ref::<PhysicalColumn>() {
            Some(column) if column.index() > 0 => {
                Transformed::yes(Arc::new(PhysicalColumn::new(column.name(), 0)) as Arc<dyn PhysicalExpr>)
            }
            _ => Transformed::no(node),
        })
    });
    let alone = alone.ok()?.data;
    let name = collect_columns(&alone).into_iter().next()?.name().to_owned();
    let schema = Arc::new(Schema::new(vec![ArrowField::new(name, DataType::Utf8View, true)]));
    Some(Arc::new(move |texts: &ArrayRef| {
        let rows = RecordBatch::try_new(schema.clone(), vec![texts.clone()]).ok()?;
        Some(alone.evaluate(&rows).ok()?.into_array(texts.len()).ok()?.as_boolean_opt()?.clone())
    }))
}

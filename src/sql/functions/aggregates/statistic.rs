//! The common form of all aggregates: every group gathers rows and is judged at the end.
//!
//! States merge: a group's state is written as a list of 64-bit words, which any other group can merge. No statistic
//! depends on the order of rows, so results do not depend on the number of threads.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, ListArray, UInt64Array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, FieldRef, UInt64Type};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

/// What an aggregate gathers, and how it judges.
pub(super) trait Statistic: Clone + Debug + Eq + Hash + Send + Sync + 'static {
    /// The name in SQL.
    const NAME: &'static str;
    /// The state of a group.
    type Group: Clone + Default + Debug + Send + Sync;
    /// The values that a row adds.
    type Row: Copy;

    /// Returns the types that arguments are cast to.
    ///
    /// # Errors
    /// A message for the user when the function does not accept these types.
    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>>;

    /// Returns the type of the result.
    fn returns(&self) -> DataType;

    /// Reads the constant arguments of the call.
    fn with_call(&self, _call: &AccumulatorArgs<'_>) -> Result<Self> {
        Ok(self.clone())
    }

    /// Reads the values that each row adds; `None` for rows that do not count.
    fn rows(&self, arguments: &[ArrayRef]) -> Result<Vec<Option<Self::Row>>>;

    /// Adds a row to a group.
    fn add(&self, group: &mut Self::Group, row: Self::Row);

    /// Heap bytes of a group.
    fn held(&self, group: &Self::Group) -> usize;

    /// Writes a group's state as words.
    fn write(&self, group: &Self::Group, words: &mut Vec<u64>);

    /// Merges the state of another group.
    fn merge(&self, group: &mut Self::Group, words: &[u64]);

    /// Judges groups.
    fn judge(&self, groups: &[Self::Group]) -> Result<ArrayRef>;
}

/// Creates the function.
pub(super) fn aggregate<S: Statistic>(statistic: S) -> AggregateUDF {
    AggregateUDF::new_from_impl(Gathering { signature: Signature::user_defined(Volatility::Immutable), statistic })
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Gathering<S> {
    signature: Signature,
    statistic: S,
}

fn word_item() -> FieldRef {
    Arc::new(Field::new("item", DataType::UInt64, false))
}

impl<S: Statistic> AggregateUDFImpl for Gathering<S> {
    fn name(&self) -> &str {
        S::NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.statistic.coerce(types)
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.statistic.returns())
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let list = DataType::List(word_item());
        Ok(vec![Arc::new(Field::new(format_state_name(args.name, "gathered"), list, true))])
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        refuse_distinct(S::NAME, &args)?;
        let mut groups = Groups::new(self.statistic.with_call(&args)?);
        groups.grow(1);
        Ok(Box::new(OneGroup(groups)))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        !args.is_distinct
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        refuse_distinct(S::NAME, &args)?;
        Ok(Box::new(Groups::new(self.statistic.with_call(&args)?)))
    }
}

fn refuse_distinct(name: &str, args: &AccumulatorArgs<'_>) -> Result<()> {
    if args.is_distinct {
        return Err(DataFusionError::NotImplemented(format!("{name} does not take DISTINCT")));
    }
    Ok(())
}

/// The groups of one partition of a plan.
#[derive(Debug)]
struct Groups<S: Statistic> {
    statistic: S,
    groups: Vec<S::Group>,
    /// Heap bytes of the groups, kept up to date: adding them up for each batch would cost more than the batch itself.
    held: usize,
}

impl<S: Statistic> Groups<S> {
    fn new(statistic: S) -> Self {
        Self { statistic, groups: Vec::new(), held: 0 }
    }

    fn grow(&mut self, groups: usize) {
        if self.groups.len() < groups {
            self.groups.resize_with(groups, S::Group::default);
        }
    }

    fn change(&mut self, group: usize, change: impl FnOnce(&S, &mut S::Group)) {
        let group = &mut self.groups[group];
        let before = self.statistic.held(group);
        change(&self.statistic, group);
        self.held = self.held + self.statistic.held(group) - before;
    }

    fn take(&mut self, emit_to: EmitTo) -> Vec<S::Group> {
        let taken = emit_to.take_needed(&mut self.groups);
        self.held -= taken.iter().map(|group| self.statistic.held(group)).sum::<usize>();
        taken
    }

    /// Writes groups as a column of lists of words.
    fn state_of(&self, groups: &[S::Group]) -> Result<ListArray> {
        let mut words = Vec::new();
        let mut lengths = Vec::with_capacity(groups.len());
        for group in groups {
            let before = words.len();
            self.statistic.write(group, &mut words);
            lengths.push(words.len() - before);
        }
        list_of(words, lengths, None)
    }
}

fn list_of(words: Vec<u64>, lengths: Vec<usize>, nulls: Option<NullBuffer>) -> Result<ListArray> {
    if i32::try_from(words.len()).is_err() {
        let most = "one batch of groups holds more than 2^31 values: group by more columns, or look at less time";
        return Err(DataFusionError::ResourcesExhausted(most.to_owned()));
    }
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(ListArray::try_new(word_item(), offsets, Arc::new(UInt64Array::from(words)), nulls)?)
}

impl<S: Statistic> GroupsAccumulator for Groups<S> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.grow(total_num_groups);
        let rows = self.statistic.rows(values)?;
        for (at, (row, &group)) in rows.into_iter().zip(group_indices).enumerate() {
            let counts = filter.is_none_or(|filter| filter.is_valid(at) && filter.value(at));
            if let Some(row) = row.filter(|_| counts) {
                self.change(group, |statistic, group| statistic.add(group, row));
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.grow(total_num_groups);
        let states = values[0].as_list::<i32>();
        let words = states.values().as_primitive::<UInt64Type>().values();
        for (row, &group) in group_indices.iter().enumerate() {
            if states.is_valid(row) {
                let (from, to) = (states.value_offsets()[row] as usize, states.value_offsets()[row + 1] as usize);
                self.change(group, |statistic, group| statistic.merge(group, &words[from..to]));
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let groups = self.take(emit_to);
        self.statistic.judge(&groups)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups = self.take(emit_to);
        Ok(vec![Arc::new(self.state_of(&groups)?)])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = self.statistic.rows(values)?;
        let mut words = Vec::with_capacity(rows.len());
        let mut lengths = Vec::with_capacity(rows.len());
        for (at, row) in rows.into_iter().enumerate() {
            let counts = filter.is_none_or(|filter| filter.is_valid(at) && filter.value(at));
            let before = words.len();
            if let Some(row) = row.filter(|_| counts) {
                let mut group = S::Group::default();
                self.statistic.add(&mut group, row);
                self.statistic.write(&group, &mut words);
            }
            lengths.push(words.len() - before);
        }
        Ok(vec![Arc::new(list_of(words, lengths, None)?)])
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.held + self.groups.capacity() * size_of::<S::Group>()
    }
}

/// One group by itself: an aggregate without GROUP BY, or over a window.
#[derive(Debug)]
struct OneGroup<S: Statistic>(Groups<S>);

impl<S: Statistic> Accumulator for OneGroup<S> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let rows = self.0.statistic.rows(values)?;
        rows.into_iter().flatten().for_each(|row| self.0.change(0, |statistic, group| statistic.add(group, row)));
        Ok(())
    }

    /// Judges the rows gathered so far and keeps them: windows continue from here.
    fn evaluate(&mut self) -> Result<ScalarValue> {
        let judged = self.0.statistic.judge(&self.0.groups)?;
        ScalarValue::try_from_array(&judged, 0)
    }

    fn size(&self) -> usize {
        GroupsAccumulator::size(&self.0)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::List(Arc::new(self.0.state_of(&self.0.groups)?))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let groups = vec![0; states[0].len()];
        GroupsAccumulator::merge_batch(&mut self.0, states, &groups, 1)
    }
}

/// Returns the error for a call with the wrong number of arguments.
pub(super) fn wrong_count(call: &str, got: usize) -> DataFusionError {
    DataFusionError::Plan(format!("{call} was called with {got} arguments"))
}

//! Which groupings are supported here, and how their rows are laid out in words.

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_expr::expressions::Literal;
use datafusion::physical_plan::InputOrderMode;
use datafusion::physical_plan::aggregates::AggregateExec;
use std::sync::Arc;

/// How the values of a key are stored in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyKind {
    /// The code of a text, 32 bits.
    Text,
    /// A number of 32 bits.
    Half,
    /// A number of 64 bits.
    Whole,
    /// 0 or 1 in 32 bits.
    Truth,
}

/// One key of a GROUP BY.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) expr: Arc<dyn PhysicalExpr>,
    pub(super) kind: KeyKind,
    pub(super) data_type: DataType,
    /// The half word where the key begins.
    pub(super) lane: usize,
    /// The bit in the mask of missing keys that marks this key as NULL. A missing text has a code of its own.
    pub(super) null_bit: Option<u32>,
}

/// How two states are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fold {
    /// Their sum, modulo 2^64 as in DataFusion.
    Add,
    /// The smaller number.
    Min,
    /// The larger number.
    Max,
}

/// What an aggregate folds.
#[derive(Debug)]
pub(super) enum AggregateInput {
    /// 1 for each row.
    Rows,
    /// 1 for each row where the expression has a value.
    Present(Arc<dyn PhysicalExpr>),
    /// The expression's values; without any, the result is NULL.
    Values(Arc<dyn PhysicalExpr>),
}

/// One aggregate.
#[derive(Debug)]
pub(super) struct Aggregate {
    pub(super) taken: AggregateInput,
    pub(super) data_type: DataType,
}

/// A row: the half words of the keys and of the mask of missing keys, a word of flags (which aggregates have a value),
/// and a word for each aggregate.
#[derive(Debug)]
pub(super) struct RowLayout {
    pub(super) key_words: usize,
    /// The half word that holds the mask of missing keys.
    pub(super) null_lane: Option<usize>,
    pub(super) has_flags: bool,
    pub(super) folds: Vec<Fold>,
    /// All words of a row.
    pub(super) words: usize,
}

/// A GROUP BY in words.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) keys: Vec<Key>,
    pub(super) aggregates: Vec<Aggregate>,
    pub(super) layout: RowLayout,
}

/// Maximum length of the keys in words: longer rows are no longer cheap to move.
const MAX_KEY_WORDS: usize = 8;
/// Maximum number of aggregates; each has a bit in the word of flags.
const MAX_AGGREGATES: usize = 64;

impl Shape {
    /// Returns the shape of a grouping of whole rows; `None` when any part of it is not supported here.
    pub(super) fn of(partial: &AggregateExec) -> Option<Self> {
        let groups = partial.group_expr();
        let plain = groups.is_single()
            && !groups.is_empty()
            && partial.limit_options().is_none()
            && *partial.input_order_mode() == InputOrderMode::Linear
            && partial.filter_expr().iter().all(Option::is_none);
        if !plain || partial.aggr_expr().len() > MAX_AGGREGATES {
            return None;
        }
        let schema = partial.input().schema();
        let keys = groups.expr().iter().map(|(expr, _)| key(expr, &schema)).collect::<Option<Vec<_>>>()?;
        let (aggregates, folds): (Vec<_>, Vec<_>) =
            partial.aggr_expr().iter().map(fold).collect::<Option<Vec<_>>>()?.into_iter().unzip();
        Self::laid_out(keys, aggregates, folds)
    }

    /// Assigns each key its position: 64-bit keys first, so that none straddles two words.
    fn laid_out(mut keys: Vec<Key>, aggregates: Vec<Aggregate>, folds: Vec<Fold>) -> Option<Self> {
        let mut lanes = 0;
        for whole in [true, false] {
            for key in keys.iter_mut().filter(|key| (key.kind == KeyKind::Whole) == whole) {
                key.lane = lanes;
                lanes += if whole { 2 } else { 1 };
            }
        }
        let mut bits = 0;
        for key in keys.iter_mut().filter(|key| key.null_bit.is_some()) {
            key.null_bit = Some(bits);
            bits += 1;
        }
        let null_lane = (bits > 0).then_some(lanes);
        let key_words = (lanes + usize::from(bits > 0)).div_ceil(2);
        if key_words > MAX_KEY_WORDS || bits > u32::BITS {
            return None;
        }
        let has_flags = aggregates.iter().any(|aggregate| matches!(aggregate.taken, AggregateInput::Values(_)));
        let words = key_words + usize::from(has_flags) + folds.len();
        Some(Self { keys, aggregates, layout: RowLayout { key_words, null_lane, has_flags, folds, words } })
    }
}

fn key(expr: &Arc<dyn PhysicalExpr>, schema: &SchemaRef) -> Option<Key> {
    let data_type = expr.data_type(schema).ok()?;
    let kind = match &data_type {
        DataType::Utf8View | DataType::Utf8 => KeyKind::Text,
        DataType::Int32 | DataType::Date32 => KeyKind::Half,
        DataType::Int64 | DataType::Timestamp(..) => KeyKind::Whole,
        DataType::Boolean => KeyKind::Truth,
        _ => return None,
    };
    let null_bit = (kind != KeyKind::Text && expr.nullable(schema).ok()?).then_some(0);
    Some(Key { expr: expr.clone(), kind, data_type, lane: 0, null_bit })
}

fn fold(aggregate: &Arc<AggregateFunctionExpr>) -> Option<(Aggregate, Fold)> {
    if aggregate.is_distinct() || !aggregate.order_bys().is_empty() || aggregate.is_reversed() {
        return None;
    }
    let arguments = aggregate.expressions();
    let [argument] = arguments.as_slice() else { return None };
    let data_type = aggregate.field().data_type().clone();
    let is_number = matches!(data_type, DataType::Int64 | DataType::Int32 | DataType::Date32 | DataType::Timestamp(..));
    let (taken, fold) = match aggregate.fun().name() {
        "count" if data_type == DataType::Int64 => match argument.downcast_ref::<Literal>() {
            Some(literal) if !literal.value().is_null() => (AggregateInput::Rows, Fold::Add),
            _ => (AggregateInput::Present(argument.clone()), Fold::Add),
        },
        "sum" if data_type == DataType::Int64 => (AggregateInput::Values(argument.clone()), Fold::Add),
        "min" if is_number => (AggregateInput::Values(argument.clone()), Fold::Min),
        "max" if is_number => (AggregateInput::Values(argument.clone()), Fold::Max),
        _ => return None,
    };
    Some((Aggregate { taken, data_type }, fold))
}

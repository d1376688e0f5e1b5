//! Which acts a query can want, by the parts of its filter that a scan understands: a range of time, and texts that
//! columns must have.

use super::column::{Column, Kind};
use super::row::{Cell, Row};
use crate::source::{AccessObject, TimeRange};
use access::{Act, Log, LogKind};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

/// The texts that a column must have one of.
#[derive(Clone, Debug)]
struct Texts {
    column: &'static Column,
    any_of: Vec<String>,
}

/// The acts that a query can want: all others need not become rows.
#[derive(Clone, Debug)]
pub(super) struct WantedActs {
    /// The logs; empty for all.
    pub(super) logs: &'static [Log],
    pub(super) range: TimeRange,
    texts: Vec<Texts>,
}

impl WantedActs {
    pub(super) fn new(logs: &'static [Log], range: TimeRange, filters: &[Expr], columns: &'static [Column]) -> Self {
        let texts = filters.iter().filter_map(|filter| texts_of(filter, columns)).collect();
        Self { logs, range, texts }
    }

    /// Returns whether an object may hold wanted acts.
    pub(super) fn has(&self, object: &AccessObject) -> bool {
        let Some(log) = object.kind.log() else { return false };
        let facts = &object.object.facts;
        // Only CloudTrail's folders say where its acts happened.
        let of_folder = |name: &str| match name {
            "account_id" => facts.account_id.as_deref(),
            "region" => facts.region.as_deref(),
            _ => None,
        };
        let fits = |texts: &Texts| {
            let place = of_folder(texts.column.name).filter(|_| object.kind == LogKind::CloudTrail);
            place.is_none_or(|place| texts.any_of.iter().any(|text| text == place))
        };
        // What the user did not say, the content may tell otherwise; but not which log an object of AWS's layout is.
        (self.logs.is_empty() || self.logs.contains(&log)) && self.texts.iter().all(fits)
    }

    /// Returns whether an act is wanted, as far as its log and its time tell.
    pub(super) fn has_act(&self, act: &Act<'_>) -> bool {
        let second = act.second();
        (self.logs.is_empty() || self.logs.contains(&act.log))
            && self.range.from_s.is_none_or(|from_s| second >= from_s)
            && self.range.to_s.is_none_or(|to_s| second < to_s)
    }

    /// Returns whether a row is wanted, as far as its texts tell.
    pub(super) fn has_row(&self, row: &Row<'_>) -> bool {
        self.texts.iter().all(|texts| match (texts.column.value)(row) {
            Cell::Text(text) => texts.any_of.iter().any(|any| *any == text),
            _ => false,
        })
    }
}

/// Returns the texts that a filter wants of a column: `column = 'text'` or `column IN (…)`.
fn texts_of(filter: &Expr, columns: &'static [Column]) -> Option<Texts> {
    let column = |expr: &Expr| match expr {
        Expr::Column(column) => columns.iter().find(|one| one.name == column.name && one.kind == Kind::Text),
        _ => None,
    };
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
            let (column, text) = match (column(left), column(right)) {
                (Some(column), None) => (column, text_of(right)?),
                (None, Some(column)) => (column, text_of(left)?),
                _ => return None,
            };
            Some(Texts { column, any_of: vec![text] })
        }
        Expr::InList(list) if !list.negated => {
            let any_of = list.list.iter().map(text_of).collect::<Option<Vec<String>>>()?;
            Some(Texts { column: column(&list.expr)?, any_of })
        }
        _ => None,
    }
}

fn text_of(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Literal(ScalarValue::Utf8(text) | ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text), _) => {
            text.clone()
        }
        _ => None,
    }
}

/// Returns whether a scan makes use of a filter.
pub(super) fn understands(filter: &Expr, columns: &'static [Column], time: &str) -> bool {
    texts_of(filter, columns).is_some() || filter.column_refs().iter().any(|column| column.name == time)
}

#[cfg(test)]
mod tests {
    use super::super::columns::TABLES;
    use super::*;
    use datafusion::prelude::{col, lit};

    #[test]
    fn equal_texts_and_lists_are_understood() {
        let columns = TABLES[0].columns;
        let wants = |filter: Expr| {
            let wanted = WantedActs::new(&[], TimeRange::default(), &[filter], columns);
            move |service: &'static str| {
                let mut act = Act::new(Log::CloudTrail, 0);
                act.service = service.into();
                wanted.has_row(&Row::new(&act, "o"))
            }
        };
        let one = wants(col("service").eq(lit("s3")));
        assert!(one("s3") && !one("iam"));
        let list = wants(col("service").in_list(vec![lit("s3"), lit("iam")], false));
        assert!(list("iam") && !list("sts"));
        for open in [col("service").not_eq(lit("s3")), col("service").in_list(vec![lit("s3")], true)] {
            assert!(!understands(&open, columns, "time"));
            assert!(wants(open)("s3"));
        }
        assert!(understands(&col("time").gt(lit(1)), columns, "time"));
    }
}

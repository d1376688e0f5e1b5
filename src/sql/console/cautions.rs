//! What a statement says that is allowed, and hardly what its author means: a comparison that no row passes.

use datafusion::sql::parser::{DFParser, Statement};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Query, SelectItem, SetExpr, Value, ValueWithSpan, Visit, Visitor,
};
use flow::Network;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// Columns that hold one of a few words.
const WORDS: &[(&str, &[&str])] = &[
    ("action", &["ACCEPT", "REJECT"]),
    ("log_status", &["OK", "NODATA", "SKIPDATA"]),
    ("flow_direction", &["ingress", "egress"]),
    ("type", &["IPv4", "IPv6", "EFA"]),
    ("role", &["client", "server"]),
    ("vantage", &["own", "carried", "transit"]),
    ("severity", &["informational", "low", "medium", "high", "critical"]),
];

/// Columns that hold addresses.
const ADDRESSES: &[&str] = &["srcaddr", "dstaddr", "pkt_srcaddr", "pkt_dstaddr", "host", "remote"];

/// Returns what the author of a statement should know about its comparisons, each in one line and once; nothing where
/// the statement cannot be read.
pub fn cautions(sql: &str) -> Vec<String> {
    let mut found = Comparisons::default();
    for statement in DFParser::parse_sql(sql).unwrap_or_default() {
        found.read(&statement);
    }
    let Comparisons { named, mut told } = found;
    // A name that the statement itself gives may stand for anything.
    told.retain(|(column, _)| !named.contains(column));
    let mut texts: Vec<String> = Vec::new();
    for (_, text) in told {
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts
}

#[derive(Default)]
struct Comparisons {
    /// Names that the statement gives to columns.
    named: BTreeSet<String>,
    /// The columns of comparisons and what there is to say.
    told: Vec<(String, String)>,
}

impl Comparisons {
    fn read(&mut self, statement: &Statement) {
        match statement {
            Statement::Statement(statement) => drop(statement.visit(self)),
            Statement::Explain(explain) => self.read(&explain.statement),
            _ => {}
        }
    }

    fn compare(&mut self, column: &Expr, value: &Expr) {
        let (Some(column), Some(value)) = (column_of(column), text_of(value)) else { return };
        if let Some(text) = caution(&column, value) {
            self.told.push((column, text));
        }
    }

    fn names(&mut self, body: &SetExpr) {
        match body {
            SetExpr::Select(select) => {
                for item in &select.projection {
                    if let SelectItem::ExprWithAlias { alias, .. } = item {
                        self.named.insert(alias.value.to_lowercase());
                    }
                }
            }
            SetExpr::SetOperation { left, right, .. } => {
                self.names(left);
                self.names(right);
            }
            _ => {}
        }
    }
}

impl Visitor for Comparisons {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.names(&query.body);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::BinaryOp { left, op: BinaryOperator::Eq | BinaryOperator::NotEq, right } => {
                self.compare(left, right);
                self.compare(right, left);
            }
            Expr::InList { expr, list, .. } => list.iter().for_each(|value| self.compare(expr, value)),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn column_of(expr: &Expr) -> Option<String> {
    let name = match expr {
        Expr::Identifier(name) => name,
        Expr::CompoundIdentifier(parts) => parts.last()?,
        _ => return None,
    };
    Some(name.value.to_lowercase())
}

fn text_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => Some(text),
        _ => None,
    }
}

/// Returns why no row has this value in this column.
fn caution(column: &str, value: &str) -> Option<String> {
    if ADDRESSES.contains(&column) {
        let is_network = value.contains('/') && value.parse::<Network>().is_ok();
        return is_network
            .then(|| format!("'{value}' is a network and no address has it: cidr_contains('{value}', {column})"));
    }
    let (_, words) = WORDS.iter().find(|(name, _)| *name == column)?;
    if words.contains(&value) {
        return None;
    }
    match words.iter().find(|word| word.eq_ignore_ascii_case(value)) {
        Some(word) => Some(format!("`{column}` is written '{word}': no row has '{value}'")),
        None => {
            let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
            Some(format!("`{column}` is one of {}: no row has '{value}'", words.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons_that_no_row_passes_are_told() {
        for (sql, expected) in [
            ("SELECT 1 FROM flows WHERE action = 'accept'", "`action` is written 'ACCEPT': no row has 'accept'"),
            ("SELECT 1 FROM flows f WHERE 'reject' <> f.action", "`action` is written 'REJECT': no row has 'reject'"),
            ("SELECT count(*) FILTER (WHERE type IN ('IPv4', 'ipv6')) FROM flows", "`type` is written 'IPv6'"),
            ("EXPLAIN SELECT 1 FROM flows WHERE action = 'ALLOW'", "`action` is one of 'ACCEPT', 'REJECT': no row"),
            ("SELECT 1 FROM pairs WHERE host = '10.0.0.0/8'", "cidr_contains('10.0.0.0/8', host)"),
        ] {
            let found = cautions(sql);
            assert!(found.len() == 1 && found[0].contains(expected), "{sql}: {found:?}");
        }
        for sql in [
            "SELECT 1 FROM flows WHERE action = 'ACCEPT' AND srcaddr = '10.0.0.1' AND region = 'EU'",
            "SELECT * FROM (SELECT lower(action) AS action FROM flows) WHERE action = 'accept'",
            "SELECT 1 FROM flows WHERE action LIKE 'acc%'",
            "no SQL",
        ] {
            assert_eq!(cautions(sql), [""; 0], "{sql}");
        }
    }
}

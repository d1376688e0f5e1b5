//! `pg_get_keywords()`: SQL's keywords, from which clients learn what to quote.

use super::table::{CatalogRow, table};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::{TableFunctionImpl, TableProvider};
use datafusion::error::Result;
use datafusion::prelude::Expr;
use datafusion::sql::sqlparser::keywords::{ALL_KEYWORDS, ALL_KEYWORDS_INDEX, RESERVED_FOR_COLUMN_ALIAS};
use std::sync::Arc;

/// The function.
#[derive(Debug)]
pub(super) struct Keywords;

impl TableFunctionImpl for Keywords {
    fn call(&self, _: &[Expr]) -> Result<Arc<dyn TableProvider>> {
        let text = |name| Field::new(name, DataType::Utf8, true);
        let truth = Field::new("barelabel", DataType::Boolean, true);
        let schema = Schema::new(vec![text("word"), text("catcode"), truth, text("catdesc"), text("baredesc")]);
        let rows = ALL_KEYWORDS.iter().zip(ALL_KEYWORDS_INDEX).map(|(word, keyword)| {
            let reserved = RESERVED_FOR_COLUMN_ALIAS.contains(keyword);
            CatalogRow::from([
                ("word", word.to_ascii_lowercase().as_str().into()),
                ("catcode", if reserved { "R" } else { "U" }.into()),
                ("barelabel", (!reserved).into()),
                ("catdesc", if reserved { "reserved" } else { "unreserved" }.into()),
                ("baredesc", if reserved { "requires AS" } else { "can be bare label" }.into()),
            ])
        });
        Ok(table(&Arc::new(schema), &rows.collect::<Vec<_>>())?)
    }
}

//! Values and plans as text.

use crate::sql::without_marks;
use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use flow::printable::printable_lines;
use std::fmt::Write as _;

/// Returns how values are shown as text: times with their zone, NULL as nothing.
pub(super) fn text_options() -> FormatOptions<'static> {
    FormatOptions::default().with_null("").with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%SZ"))
}

/// Returns the text of EXPLAIN in readable form; `None` for other results.
pub(super) fn plan_text(batches: &[RecordBatch]) -> Option<String> {
    let schema = batches.first()?.schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    if names != ["plan_type", "plan"] {
        return None;
    }
    let mut text = String::new();
    for batch in batches {
        let options = text_options();
        let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
        let columns = columns.collect::<Result<Vec<_>, _>>().ok()?;
        for row in 0..batch.num_rows() {
            let plan = columns[1].value(row).to_string();
            let _ = writeln!(text, "{}:\n{}", columns[0].value(row), printable_lines(&without_marks(plan.trim_end())));
        }
    }
    Some(text)
}

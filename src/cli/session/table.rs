//! Results as a table for people, and as records with one value per line.
//!
//! Text of others is in them, so control characters show as escapes. A terminal also gets the types of the columns, numbers
//! at the right, NULL by its name, and no more of a cell than can be read; a file or a pipe gets every cell whole.

use super::text::text_options;
use crate::cli::exit::Failure;
use crate::sql::{head, type_name};
use arrow::array::{Array, RecordBatch};
use arrow::datatypes::Schema;
use arrow::util::display::ArrayFormatter;
use console::measure_text_width;
use flow::printable;
use flow::units::count_text;
use std::fmt::Write as _;
use std::io::IsTerminal;

/// Where a table is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// On a terminal, in colour or not.
    Terminal { color: bool },
    /// In a file or a pipe.
    File,
}

/// Characters of a cell on a terminal.
const CELL_CHARS: usize = 200;
/// Characters of a value in a record on a terminal.
const VALUE_CHARS: usize = 10_000;

const BOLD: &str = "\u{1b}[1m";
const DIM: &str = "\u{1b}[2m";
const PLAIN: &str = "\u{1b}[0m";

impl Place {
    /// Returns the place that stdout is.
    pub(super) fn of_stdout() -> Self {
        match std::io::stdout().is_terminal() {
            true => Self::Terminal { color: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) },
            false => Self::File,
        }
    }

    fn is_terminal(self) -> bool {
        self != Self::File
    }

    fn styled(self, style: &str, text: &str) -> String {
        match self {
            Self::Terminal { color: true } => format!("{style}{text}{PLAIN}"),
            _ => text.to_owned(),
        }
    }
}

/// A cell as it is shown.
struct Cell {
    text: String,
    width: usize,
    is_null: bool,
}

impl Cell {
    fn of(text: &str, most: usize, place: Place) -> Self {
        let text = printable(&cut(text, most, place));
        Self { width: measure_text_width(&text), text, is_null: false }
    }

    fn null(place: Place) -> Self {
        let text = if place.is_terminal() { "NULL" } else { "" };
        Self { text: text.to_owned(), width: text.len(), is_null: true }
    }
}

/// Returns at most `most` characters of a text, and how many there are, for a terminal; else the text.
fn cut(text: &str, most: usize, place: Place) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) if place.is_terminal() => {
            let all = text.chars().count() as u64;
            format!("{}… ({} characters)", &text[..end], count_text(all))
        }
        _ => text.to_owned(),
    }
}

/// Returns the cells of some rows, row by row.
fn cells(batches: &[RecordBatch], most: usize, place: Place) -> Result<Vec<Vec<Cell>>, Failure> {
    let options = text_options();
    let mut rows = Vec::new();
    for batch in batches {
        let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            let cells = columns.iter().zip(batch.columns()).map(|(column, values)| {
                match values.is_null(row) || values.data_type().is_null() {
                    true => Ok(Cell::null(place)),
                    false => Ok(Cell::of(&column.value(row).try_to_string()?, most, place)),
                }
            });
            rows.push(cells.collect::<Result<Vec<_>, Failure>>()?);
        }
    }
    Ok(rows)
}

/// Returns rows as a table.
///
/// # Errors
/// When a value cannot be written.
pub(super) fn table(schema: &Schema, batches: &[RecordBatch], place: Place) -> Result<String, Failure> {
    let fields = schema.fields();
    let heads: Vec<Cell> = fields.iter().map(|field| Cell::of(head(field.name()), CELL_CHARS, place)).collect();
    let types: Vec<String> = match place.is_terminal() {
        true => fields.iter().map(|field| type_name(field.data_type())).collect(),
        false => Vec::new(),
    };
    let rows = cells(batches, CELL_CHARS, place)?;
    let widths: Vec<usize> = (0..fields.len())
        .map(|column| {
            let of_type = types.get(column).map_or(0, String::len);
            let of_rows = rows.iter().map(|row| row[column].width).max().unwrap_or(0);
            heads[column].width.max(of_type).max(of_rows)
        })
        .collect();
    let at_right: Vec<bool> =
        fields.iter().map(|field| place.is_terminal() && field.data_type().is_numeric()).collect();

    let rule: String = widths.iter().map(|width| format!("+{}", "-".repeat(width + 2))).collect::<String>() + "+\n";
    let mut text = rule.clone();
    let line = |text: &mut String, cells: &mut dyn Iterator<Item = (String, usize)>| {
        for ((shown, width), (room, at_right)) in cells.zip(widths.iter().zip(&at_right)) {
            let space = " ".repeat(room - width);
            let (before, after) = if *at_right { (space.as_str(), "") } else { ("", space.as_str()) };
            let _ = write!(text, "| {before}{shown}{after} ");
        }
        text.push_str("|\n");
    };
    line(&mut text, &mut heads.iter().map(|cell| (place.styled(BOLD, &cell.text), cell.width)));
    if !types.is_empty() {
        line(&mut text, &mut types.iter().map(|name| (place.styled(DIM, name), name.len())));
    }
    text.push_str(&rule);
    for row in &rows {
        line(&mut text, &mut row.iter().map(|cell| (shown(cell, place), cell.width)));
    }
    text.push_str(&rule);
    Ok(text)
}

fn shown(cell: &Cell, place: Place) -> String {
    if cell.is_null { place.styled(DIM, &cell.text) } else { cell.text.clone() }
}

/// Returns rows as records.
///
/// # Errors
/// When a value cannot be written.
pub(super) fn records(schema: &Schema, batches: &[RecordBatch], place: Place) -> Result<String, Failure> {
    let heads: Vec<Cell> =
        schema.fields().iter().map(|field| Cell::of(head(field.name()), CELL_CHARS, place)).collect();
    let room = heads.iter().map(|head| head.width).max().unwrap_or(0);
    let mut text = String::new();
    for (at, row) in cells(batches, VALUE_CHARS, place)?.iter().enumerate() {
        let _ = writeln!(text, "{}", place.styled(DIM, &format!("-[ record {} ]-", at + 1)));
        for (head, cell) in heads.iter().zip(row) {
            let space = " ".repeat(room - head.width);
            let _ = writeln!(text, "{}{space} | {}", place.styled(BOLD, &head.text), shown(cell, place));
        }
    }
    Ok(text)
}

/// Returns a text of this module without its colours.
pub(super) fn without_color(text: &str) -> String {
    [BOLD, DIM, PLAIN].iter().fold(text.to_owned(), |text, style| text.replace(style, ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use std::sync::Arc;

    fn rows() -> RecordBatch {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a\u{1b}[2J\nb"), None, Some("日本")]));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(7), Some(1_234), None]));
        RecordBatch::try_from_iter([("text\u{1}2", texts), ("n", numbers)]).unwrap()
    }

    #[test]
    fn a_file_gets_the_table_without_more() {
        let rows = rows();
        let expected = "\
+-------------+------+
| text        | n    |
+-------------+------+
| a\\x1b[2J\\nb | 7    |
|             | 1234 |
| 日本        |      |
+-------------+------+
";
        assert_eq!(table(&rows.schema(), &[rows], Place::File).unwrap(), expected);
    }

    #[test]
    fn a_terminal_gets_types_and_numbers_at_the_right() {
        let rows = rows();
        let expected = "\
+-------------+--------+
| text        |      n |
| text        | bigint |
+-------------+--------+
| a\\x1b[2J\\nb |      7 |
| NULL        |   1234 |
| 日本        |   NULL |
+-------------+--------+
";
        let schema = rows.schema();
        let rows = [rows];
        let (plain, color) = (Place::Terminal { color: false }, Place::Terminal { color: true });
        assert_eq!(table(&schema, &rows, plain).unwrap(), expected);
        let colored = table(&schema, &rows, color).unwrap();
        assert!(colored.contains("\u{1b}[1mtext\u{1b}[0m") && !colored.contains("\u{1b}[2J"), "{colored}");
        assert_eq!(without_color(&colored), expected);
        assert!(records(&schema, &rows, plain).unwrap().contains("-[ record 2 ]-\ntext | NULL\nn    | 1234\n"));
    }

    #[test]
    fn a_long_cell_is_cut_on_a_terminal_alone() {
        let long: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(100_000)]));
        let rows = [RecordBatch::try_from_iter([("long", long)]).unwrap()];
        let schema = rows[0].schema();
        let width = |place| table(&schema, &rows, place).unwrap().lines().map(str::len).max().unwrap();
        assert!(width(Place::File) > 100_000);
        assert!(width(Place::Terminal { color: false }) < 500);
        let shown = table(&schema, &rows, Place::Terminal { color: false }).unwrap();
        assert!(shown.contains("xxx… (100,000 characters)"), "{shown}");
    }
}

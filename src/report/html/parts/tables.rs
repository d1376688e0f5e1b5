//! Tables, and figures beside the table that says the same.

use crate::report::html::markup::Markup;

/// Rows of a table beside a figure; more are counted below it.
const MAX_ROWS: usize = 500;

/// A column: its head, and the class of its cells.
pub(super) type Head = (&'static str, &'static str);

/// Writes a table in a box that scrolls where the page is narrow.
pub(super) fn table(out: &mut Markup, caption: &str, heads: &[Head], rows: &[Vec<String>]) {
    begin_table(out, caption, heads);
    for row in rows.iter().take(MAX_ROWS) {
        out.open("tr", &[]);
        for ((_, class), cell) in heads.iter().zip(row) {
            out.leaf("td", &[("class", class)], cell);
        }
        out.close("tr");
    }
    end_table(out);
    if rows.len() > MAX_ROWS {
        let more = rows.len() - MAX_ROWS;
        out.leaf("p", &[("class", "note")], &format!("{more} more rows are left out; the files of --out have all."));
    }
}

/// Begins a table: its caption and heads.
pub(super) fn begin_table(out: &mut Markup, caption: &str, heads: &[Head]) {
    out.open("div", &[("class", "scroll"), ("tabindex", "0"), ("role", "group"), ("aria-label", caption)]);
    out.open("table", &[]).leaf("caption", &[], caption).raw("<thead><tr>");
    for (head, class) in heads {
        out.leaf("th", &[("scope", "col"), ("class", class)], head);
    }
    out.raw("</tr></thead>\n<tbody>\n");
}

/// Ends a table.
pub(super) fn end_table(out: &mut Markup) {
    out.raw("</tbody></table></div>\n");
}

/// Writes a figure: its title, the drawing, what it does not show, and the table that says the same.
pub(super) fn figure(out: &mut Markup, title: &str, drawing: Markup, note: &str, heads: &[Head], rows: &[Vec<String>]) {
    out.open("figure", &[]).open("figcaption", &[]).leaf("strong", &[], title).text(note).close("figcaption").raw("\n");
    out.open("div", &[("class", "scroll"), ("tabindex", "0"), ("role", "group"), ("aria-label", title)]);
    out.append(drawing).raw("</div>\n");
    if !rows.is_empty() {
        out.raw("<details><summary>The same as a table</summary>\n");
        table(out, title, heads, rows);
        out.close("details");
    }
    out.raw("</figure>\n");
}

/// Begins a list of names and what they stand for.
pub(super) fn facts(out: &mut Markup, rows: &[(&str, String)]) {
    out.raw("<dl class=\"facts\">\n");
    for (name, value) in rows {
        out.leaf("dt", &[], name).leaf("dd", &[], value).raw("\n");
    }
    out.raw("</dl>\n");
}

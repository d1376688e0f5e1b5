//! HTML and SVG as text, written so that nothing of the data can become markup.
//!
//! Names of elements and attributes are literals of the program. Everything else goes through [`escape`], the only place
//! that decides how words of others are shown.

use flow::printable;
use serde_json::Value;

/// Returns text for the content of an element or the value of an attribute in double quotes.
///
/// Control characters and marks of the direction of writing become escapes that name them, such as `\u{202e}`;
/// `& < > " '` become entities.
pub(super) fn escape(text: &str) -> String {
    let shown = printable(text);
    if !shown.contains(['&', '<', '>', '"', '\'']) {
        return shown;
    }
    let mut escaped = String::with_capacity(shown.len() + 16);
    for letter in shown.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// An attribute: its name and its value as it is meant.
pub(super) type Attribute<'a> = (&'static str, &'a str);

/// A piece of a page.
#[derive(Debug, Default)]
pub(super) struct Markup {
    text: String,
}

impl Markup {
    /// Returns an empty piece.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Returns the piece as text.
    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// Adds markup of the program itself.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.text.push_str(markup);
        self
    }

    /// Adds text, escaped.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.text.push_str(&escape(text));
        self
    }

    /// Begins an element.
    pub(super) fn open(&mut self, tag: &'static str, attributes: &[Attribute<'_>]) -> &mut Self {
        self.text.push('<');
        self.text.push_str(tag);
        for (name, value) in attributes {
            self.text.push(' ');
            self.text.push_str(name);
            self.text.push_str("=\"");
            self.text.push_str(&escape(value));
            self.text.push('"');
        }
        self.text.push('>');
        self
    }

    /// Ends an element. Elements that hold others end with a line.
    pub(super) fn close(&mut self, tag: &'static str) -> &mut Self {
        self.text.push_str("</");
        self.text.push_str(tag);
        self.text.push('>');
        if matches!(tag, "tr" | "li" | "p" | "g" | "svg" | "table" | "details" | "section" | "article" | "h2" | "h3") {
            self.text.push('\n');
        }
        self
    }

    /// Adds an element that holds nothing but text.
    pub(super) fn leaf(&mut self, tag: &'static str, attributes: &[Attribute<'_>], text: &str) -> &mut Self {
        self.open(tag, attributes).text(text).close(tag)
    }

    /// Adds another piece.
    pub(super) fn append(&mut self, other: Markup) -> &mut Self {
        self.text.push_str(&other.text);
        self
    }

    /// Adds JSON for the script to read, one value a line: no `<`, so nothing ends the element early.
    pub(super) fn data(&mut self, id: &'static str, values: impl Iterator<Item = Value>) -> &mut Self {
        self.open("script", &[("type", "application/json"), ("id", id)]).raw("[");
        for (at, value) in values.enumerate() {
            self.raw(if at == 0 { "\n" } else { ",\n" });
            self.text.push_str(&value.to_string().replace('<', "\\u003c"));
        }
        self.raw("\n]").close("script").raw("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_escape_serves_text_and_attributes() {
        assert_eq!(escape("a<b>&\"c\"'d'"), "a&lt;b&gt;&amp;&quot;c&quot;&#39;d&#39;");
        assert_eq!(escape("x\u{202e}gpj\u{0}\n"), "x\\u{202e}gpj\\x00\\n");
        let mut out = Markup::new();
        out.leaf("p", &[("title", "\"><script>")], "</p><script>alert(1)</script>");
        assert_eq!(
            out.into_text(),
            "<p title=\"&quot;&gt;&lt;script&gt;\">&lt;/p&gt;&lt;script&gt;alert(1)&lt;/script&gt;</p>\n"
        );
    }

    #[test]
    fn data_cannot_end_its_element() {
        let mut out = Markup::new();
        out.data("d", [json!(["</script><!--", 1]), json!(null)].into_iter());
        let text = out.into_text();
        assert_eq!(
            text,
            "<script type=\"application/json\" id=\"d\">[\n[\"\\u003c/script>\\u003c!--\",1],\nnull\n]</script>\n"
        );
    }
}

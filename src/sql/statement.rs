//! A script cut into statements.

/// One statement of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The SQL, without the `;`.
    pub sql: String,
    /// Line of the script that it begins in, from 1.
    pub line: usize,
    /// Byte of the script that it begins at.
    pub at: usize,
}

/// Cuts a script into statements at each `;` that stands in no text, name or comment; empty ones are left out.
pub fn statements(script: &str) -> Vec<Statement> {
    let (mut found, mut from) = (Vec::new(), 0);
    let mut add = |sql: &str, from: usize| {
        let start = from + (sql.len() - sql.trim_start().len());
        if !without_comments(sql).trim().is_empty() {
            let line = 1 + script[..start].matches('\n').count();
            found.push(Statement { sql: sql.trim().to_owned(), line, at: start });
        }
    };
    for at in ends(script) {
        add(&script[from..at], from);
        from = at + 1;
    }
    add(&script[from..], from);
    found
}

/// Tells whether a script ends with a complete statement: after its last `;` is nothing but space and comments.
pub fn is_complete(script: &str) -> bool {
    match ends(script).last() {
        Some(last) => without_comments(&script[last + 1..]).trim().is_empty(),
        None => without_comments(script).trim().is_empty(),
    }
}

/// What a byte of a script stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Code,
    /// A text or a quoted name, and the quote that ends it.
    Quotes(u8),
    Line,
    Block(usize),
}

/// Walks a script; `each` gets the place of every byte and what it stands in.
fn walk(script: &str, mut each: impl FnMut(usize, Within)) {
    let bytes = script.as_bytes();
    let mut within = Within::Code;
    let mut at = 0;
    while at < bytes.len() {
        let two = bytes.get(at..at + 2).unwrap_or_default();
        let (next, step) = match within {
            Within::Code => match (bytes[at], two) {
                (quote @ (b'\'' | b'"' | b'`'), _) => (Within::Quotes(quote), 1),
                (_, b"--") => (Within::Line, 2),
                (_, b"/*") => (Within::Block(1), 2),
                _ => (Within::Code, 1),
            },
            // A doubled quote ends the text and begins it anew.
            Within::Quotes(quote) if bytes[at] == quote => (Within::Code, 1),
            Within::Line if bytes[at] == b'\n' => (Within::Code, 1),
            Within::Block(depth) if two == b"*/" => {
                (if depth == 1 { Within::Code } else { Within::Block(depth - 1) }, 2)
            }
            Within::Block(depth) if two == b"/*" => (Within::Block(depth + 1), 2),
            other => (other, 1),
        };
        let shown = if within == Within::Code { next } else { within };
        (at..at + step).for_each(|place| each(place, shown));
        within = next;
        at += step;
    }
}

/// Places of the `;` that end statements.
fn ends(script: &str) -> Vec<usize> {
    let mut found = Vec::new();
    walk(script, |at, within| {
        if within == Within::Code && script.as_bytes()[at] == b';' {
            found.push(at);
        }
    });
    found
}

fn without_comments(script: &str) -> String {
    let mut kept = Vec::new();
    walk(script, |at, within| {
        if !matches!(within, Within::Line | Within::Block(_)) {
            kept.push(script.as_bytes()[at]);
        }
    });
    String::from_utf8_lossy(&kept).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_where_no_text_or_comment_holds_the_mark() {
        let script = "SELECT ';' AS \"a;b\"; -- one; two\n/* ; /* ; */ ; */\n\nSELECT 'it''s;'\n; ;--\n";
        let found = statements(script);
        assert!(found.iter().all(|s| script[s.at..].starts_with(&s.sql)), "{found:?}");
        let shown: Vec<_> = found.iter().map(|s| (s.sql.as_str(), s.line)).collect();
        assert_eq!(shown.len(), 2);
        assert_eq!(shown[0], ("SELECT ';' AS \"a;b\"", 1));
        assert!(shown[1].0.ends_with("SELECT 'it''s;'"), "{shown:?}");
        assert!(statements(" -- nothing\n").is_empty());
    }

    #[test]
    fn a_script_is_complete_behind_its_last_mark() {
        for (script, complete) in [
            ("SELECT 1;", true),
            ("SELECT 1; -- done", true),
            ("SELECT 1", false),
            ("SELECT ';", false),
            ("SELECT 1; SELECT", false),
            ("/* ;", true),
            ("", true),
        ] {
            assert_eq!(is_complete(script), complete, "{script}");
        }
    }
}

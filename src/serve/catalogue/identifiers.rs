//! Names of tables and columns as Postgres writes them.

/// Splits a name such as `public."My table"` into its identifiers; `None` where it is invalid.
pub(super) fn identifiers(name: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = name.trim();
    loop {
        let mut part = String::new();
        if let Some(mut quoted) = rest.strip_prefix('"') {
            loop {
                let (before, behind) = quoted.split_once('"')?;
                part.push_str(before);
                match behind.strip_prefix('"') {
                    Some(more) => {
                        part.push('"');
                        quoted = more;
                    }
                    None => {
                        rest = behind;
                        break;
                    }
                }
            }
        } else {
            let is_part = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '$');
            let end = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
            part.push_str(&rest[..end].to_lowercase());
            rest = &rest[end..];
        }
        if part.is_empty() {
            return None;
        }
        parts.push(part);
        rest = rest.trim_start();
        match rest.strip_prefix('.') {
            Some(more) => rest = more.trim_start(),
            None => return rest.is_empty().then_some(parts),
        }
    }
}

/// Quotes a name where SQL needs it.
pub(super) fn quoted(name: &str) -> String {
    use datafusion::sql::sqlparser::keywords::{ALL_KEYWORDS, ALL_KEYWORDS_INDEX, RESERVED_FOR_COLUMN_ALIAS};
    let is_plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    let upper = name.to_ascii_uppercase();
    let keyword = ALL_KEYWORDS.binary_search(&upper.as_str()).ok().map(|index| ALL_KEYWORDS_INDEX[index]);
    let reserved = keyword.is_some_and(|keyword| RESERVED_FOR_COLUMN_ALIAS.contains(&keyword));
    if !reserved
        && name.chars().all(is_plain)
        && !name.starts_with(|letter: char| letter.is_ascii_digit())
        && !name.is_empty()
    {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_and_quoted() {
        let split = |name: &str| identifiers(name).map(|parts| parts.join("|"));
        for (name, expected) in [
            ("flows", Some("flows")),
            ("Public.Flows", Some("public|flows")),
            ("public.\"My \"\"table\"\"\"", Some("public|My \"table\"")),
            ("a b", None),
            ("a.", None),
            ("\"a", None),
        ] {
            assert_eq!(split(name).as_deref(), expected, "{name}");
        }
        for (name, expected) in
            [("flows", "flows"), ("My", "\"My\""), ("a\"b", "\"a\"\"b\""), ("1a", "\"1a\""), ("select", "\"select\"")]
        {
            assert_eq!(quoted(name), expected);
        }
    }
}

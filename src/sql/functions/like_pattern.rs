//! `like_pattern(pattern, escape)`: a pattern of LIKE whose special letters are escaped by another letter than the
//! backslash, escaped by the backslash, the only one that the engine knows. `LIKE … ESCAPE` calls it.

use super::function::{Function, on_arrays, wrong_type_got, wrong_value};
use arrow::array::{ArrayRef, AsArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;
use std::sync::Arc;

/// Creates the function.
pub(super) fn function() -> ScalarUDF {
    Function::typed(
        "like_pattern",
        &[2],
        |types| match types.iter().find(|kind| !kind.is_string() && !kind.is_null()) {
            Some(kind) => Err(wrong_type_got("LIKE", "pattern", "a text", kind)),
            None => Ok(DataType::Utf8),
        },
        on_arrays(|args| {
            let (patterns, escapes) = (cast(&args[0], &DataType::Utf8)?, cast(&args[1], &DataType::Utf8)?);
            let mut out = StringBuilder::new();
            for (pattern, escape) in patterns.as_string::<i32>().iter().zip(escapes.as_string::<i32>()) {
                match (pattern, escape) {
                    (Some(pattern), Some(escape)) => out.append_value(by_backslash(pattern, escape)?),
                    _ => out.append_null(),
                }
            }
            Ok(Arc::new(out.finish()) as ArrayRef)
        }),
    )
}

/// With an empty escape, nothing is escaped.
fn by_backslash(pattern: &str, escape: &str) -> Result<String> {
    let mut escapes = escape.chars();
    let by = escapes.next();
    if escapes.next().is_some() {
        return Err(wrong_value("LIKE", format!("ESCAPE must be one letter, got `{escape}`")));
    }
    let mut out = String::with_capacity(pattern.len());
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        let letter = if Some(letter) == by {
            let next = letters.next();
            let Some(next) = next else {
                return Err(wrong_value("LIKE", format!("the pattern `{pattern}` ends with its escape")));
            };
            if matches!(next, '%' | '_') {
                out.push('\\');
            }
            next
        } else {
            letter
        };
        if letter == '\\' {
            out.push('\\');
        }
        out.push(letter);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_become_backslashes() {
        for (pattern, escape, expected) in [
            ("pg/_%", "/", "pg\\_%"),
            ("a//b/c", "/", "a/bc"),
            ("a\\_", "/", "a\\\\_"),
            ("a\\_/%", "", "a\\\\_/%"),
            ("!\\", "!", "\\\\"),
        ] {
            assert_eq!(by_backslash(pattern, escape).unwrap(), expected, "{pattern}");
        }
        assert!(by_backslash("a/", "/").is_err() && by_backslash("a", "ab").is_err());
    }
}

//! Arrays as Postgres writes them in a text: `{a,"b c",NULL}`.

/// Splits the text of an array of one dimension into its elements, where `None` is NULL; `None` where it is not one.
pub fn array_elements(text: &str) -> Option<Vec<Option<String>>> {
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let mut found = Vec::new();
    if inner.trim().is_empty() {
        return Some(found);
    }
    let (mut element, mut quoted, mut inside) = (String::new(), false, false);
    let mut letters = inner.chars();
    loop {
        match letters.next() {
            Some('\\') => element.push(letters.next()?),
            Some('"') => {
                if !inside && element.trim().is_empty() {
                    element.clear();
                }
                (inside, quoted) = (!inside, true);
            }
            // Space around quotes is no part of the element.
            Some(letter) if quoted && !inside && letter.is_whitespace() => {}
            Some('{' | '}') if !inside => return None,
            Some(letter) if inside || letter != ',' => element.push(letter),
            end => {
                let whole = std::mem::take(&mut element);
                let plain = whole.trim();
                found.push(match quoted {
                    true => Some(whole),
                    false if plain.eq_ignore_ascii_case("null") => None,
                    false => Some(plain.to_owned()),
                });
                quoted = false;
                if end.is_none() {
                    return (!inside).then_some(found);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_split_and_unquoted() {
        let some = |text: &str| Some(text.to_owned());
        for (text, expected) in [
            ("{}", vec![]),
            ("{443, 80}", vec![some("443"), some("80")]),
            (r#"{a, "b, \"c" ,NULL,"null", d e}"#, vec![some("a"), some("b, \"c"), None, some("null"), some("d e")]),
            (r#"{""}"#, vec![some("")]),
        ] {
            assert_eq!(array_elements(text), Some(expected), "{text}");
        }
        for text in ["", "a", "{{1},{2}}", "{\"a}", "{a"] {
            assert_eq!(array_elements(text), None, "{text}");
        }
    }
}

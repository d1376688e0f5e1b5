//! Names that were probably meant.

/// Gives the name that takes fewest edits to reach from `wanted`, unless that is more than a third of its letters (and
/// at least one); of equal ones the first.
pub fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = (wanted.chars().count() / 3).max(1);
    names
        .map(|name| (edits(wanted, name), name))
        .filter(|(edits, _)| *edits <= most)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, name)| name)
}

/// The Levenshtein distance: letters to insert, drop or exchange.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (at, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (place, other) in to.iter().enumerate() {
            let exchanged = diagonal + usize::from(letter != *other);
            diagonal = row[place + 1];
            row[place + 1] = exchanged.min(row[place] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_is_found_and_nothing_else() {
        let names = ["flows", "pairs", "pair_hours", "hosts"];
        let near = |wanted| nearest(wanted, names.into_iter());
        assert_eq!(near("flow"), Some("flows"));
        assert_eq!(near("pair_hour"), Some("pair_hours"));
        assert_eq!(near("hsots"), None);
        assert_eq!(near("destinations"), None);
        assert_eq!((edits("kitten", "sitting"), edits("", "abc"), edits("same", "same")), (3, 3, 0));
    }
}

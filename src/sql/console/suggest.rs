//! Names that were probably meant.

use datafusion::common::utils::datafusion_strsim::levenshtein;

/// Names to suggest in a message.
const MAX_SUGGESTIONS: usize = 3;

/// Returns up to three names that `wanted` was probably meant to be, the nearest first; equally near ones in
/// alphabetical order.
///
/// A name is near when the edits that turn `wanted` into it number at most a third of the letters of `wanted` (at least
/// 1, at most 4), or when it contains `wanted` and `wanted` has at least three letters. Case is ignored.
pub(super) fn suggest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = wanted.to_ascii_lowercase();
    let max_edits = (wanted.chars().count() / 3).clamp(1, 4);
    let mut near: Vec<(usize, &str)> = names
        .filter_map(|name| {
            let lower = name.to_ascii_lowercase();
            let edits = levenshtein(&wanted, &lower);
            let is_near = edits <= max_edits || (wanted.len() > 2 && lower.contains(&wanted));
            is_near.then_some((edits, name))
        })
        .collect();
    near.sort_unstable();
    near.truncate(MAX_SUGGESTIONS);
    near.into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_is_found_and_nothing_else() {
        let names = ["flows", "pairs", "pair_hours", "hosts", "host_hours"];
        let near = |wanted| suggest(wanted, names.into_iter());
        assert_eq!(near("flow"), ["flows"]);
        assert_eq!(near("FLOW"), ["flows"]);
        assert_eq!(near("pair_hour"), ["pair_hours"]);
        assert_eq!(near("pair"), ["pairs", "pair_hours"]);
        assert_eq!(near("ho"), [""; 0]);
        assert_eq!(near("hsots"), [""; 0]);
        assert_eq!(near("destinations"), [""; 0]);
    }
}

//! The catalogue for readers: one line per query, one page per query, and `docs/queries.md`.

use super::query::Query;
use std::fmt::Write;

/// Writes one line per query.
pub fn table(queries: &[Query]) -> String {
    let width = queries.iter().map(|query| query.name.len()).max().unwrap_or(0);
    let mut out = String::new();
    for query in queries {
        let needs: Vec<&str> =
            query.parameters.iter().filter(|p| p.default.is_none()).map(|p| p.name.as_str()).collect();
        let needs = if needs.is_empty() { String::new() } else { format!(" (needs {})", needs.join(", ")) };
        let _ = writeln!(out, "{:width$}  {}{needs}", query.name, query.question);
    }
    out
}

/// Writes everything the header says about a query, and its SQL.
pub fn shown(query: &Query) -> String {
    let mut out = format!("{}\n\n  {}\n", query.name, query.question);
    if !query.origin.is_empty() {
        let _ = writeln!(out, "  Comes from {}.", query.origin);
    }
    let _ = writeln!(out, "  Reads {}.", query.cost);
    if !query.parameters.is_empty() {
        out.push_str("\nParameters (--param NAME=VALUE)\n");
        let width = query.parameters.iter().map(|p| p.name.len()).max().unwrap_or(0);
        for parameter in &query.parameters {
            let default = match &parameter.default {
                Some(default) => format!("default {default}"),
                None => "must be given".to_owned(),
            };
            let (name, kind) = (&parameter.name, parameter.kind.name());
            let _ = writeln!(out, "  {name:width$}  {kind}, {default}: {}", parameter.about);
        }
    }
    out.push_str("\nColumns\n");
    let width = query.columns.iter().map(|column| column.name.len()).max().unwrap_or(0);
    for column in &query.columns {
        let _ = writeln!(out, "  {:width$}  {}", column.name, column.about);
    }
    let _ = write!(out, "\nSQL\n{}", query.body());
    out
}

/// Writes the page `docs/queries.md`.
pub fn markdown(queries: &[Query]) -> String {
    let mut out = format!(
        "# The catalogue of queries\n\n`flowsift query NAME SOURCE [--param NAME=VALUE]…` runs one of these {} \
         queries; `flowsift query --list` lists them, and `flowsift query --show NAME` prints one with its SQL, a good \
         starting point for your own. Times are RFC 3339, dates, or relative (`24h`, `7d`). This page is generated from \
         the headers in [`queries/explore/`](../queries/explore).\n",
        queries.len()
    );
    let own = "Hunts of flowsift";
    let mut groups: Vec<(&str, Vec<&Query>)> = Vec::new();
    for query in queries {
        let group = query.origin.split(':').next().filter(|group| !group.is_empty()).unwrap_or(own);
        match groups.iter_mut().find(|(name, _)| *name == group) {
            Some((_, members)) => members.push(query),
            None => groups.push((group, vec![query])),
        }
    }
    groups.sort_by_key(|(name, _)| (*name != own, *name));
    for (group, members) in groups {
        let _ = write!(out, "\n## {group}\n\n| query | question | parameters |\n| --- | --- | --- |\n");
        for query in members {
            let parameters: Vec<String> = query
                .parameters
                .iter()
                .map(|parameter| match &parameter.default {
                    Some(default) => format!("`{}` = {default}", parameter.name),
                    None => format!("**`{}`**", parameter.name),
                })
                .collect();
            let named = query.origin.split_once(':').map(|(_, name)| format!(" ({})", name.trim()));
            let named = named.unwrap_or_default();
            let _ = writeln!(out, "| `{}` | {}{named} | {} |", query.name, query.question, parameters.join(", "));
        }
    }
    out.push_str("\nParameters in bold must be given.\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::catalogue::built_in;

    #[test]
    fn the_page_is_up_to_date() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/queries.md");
        let made = markdown(&built_in().unwrap());
        if std::env::var_os("UPDATE_GOLDENS").is_some() {
            std::fs::write(&path, &made).unwrap();
        }
        let page = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(page == made, "docs/queries.md is out of date; UPDATE_GOLDENS=1 cargo test updates it");
    }

    #[test]
    fn a_query_is_shown_whole() {
        for query in built_in().unwrap() {
            let shown = shown(&query);
            assert!(query.parameters.iter().all(|p| shown.contains(&p.name)) && shown.contains("SELECT"), "{shown}");
        }
    }
}

//! The walls that the compiler does not hold: who imports whom among the rooms of `src/`, and how large and how named a
//! file may be. The rooms below SQL are crates.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What each room of `src/` may import besides itself and the crates. `cli` stands above all and is not listed.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("source", &[]),
    ("intel", &[]),
    ("accesses", &["source"]),
    ("hours", &["source", "accesses"]),
    ("sql", &["intel", "source", "accesses", "hours"]),
    ("detect", &["intel", "accesses", "sql"]),
    ("incident", &["source", "intel", "detect"]),
    ("report", &["detect", "incident"]),
    ("notify", &["source", "incident"]),
    ("serve", &["sql"]),
];

/// What a crate may depend on among the workspace's own.
const MAY_DEPEND: &[(&str, &[&str])] = &[
    ("flow", &[]),
    ("kernels", &[]),
    ("memory", &["flow"]),
    ("pages", &[]),
    ("scan", &["flow", "pages"]),
    ("rollup", &["flow", "kernels", "memory", "scan"]),
    ("corpus", &["flow", "kernels"]),
    ("access", &["flow"]),
    ("sink", &["flow"]),
];

/// The one crate that talks to others by itself; it knows neither the engine nor an SDK.
const SENDS: (&str, &[&str]) = ("sink", &["aws-credential-types", "aws-sigv4", "tokio"]);

/// Crates that no room below SQL may know.
const ABOVE: &[&str] = &["datafusion", "aws-", "object_store", "tokio", "clap"];

/// Most lines of a source file, tests included.
const MAX_LINES: usize = 420;

/// Names that say nothing; what they would hold has a noun of its own.
const EMPTY_NAMES: &[&str] =
    &["util", "utils", "common", "helper", "helpers", "manager", "misc", "shared", "types", "core", "base"];

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Returns the code of a file without its comment lines and without what stands behind its first `#[cfg(test)]` module.
fn code_of(source: &str) -> String {
    let code = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Returns the first names behind every `crate::`, of groups as well.
fn rooms_named(code: &str) -> BTreeSet<String> {
    let name = |text: &str| -> String { text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    let mut rooms = BTreeSet::new();
    for (index, _) in code.match_indices("crate::") {
        let rest = &code[index + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => rooms.extend(group[..group.find('}').unwrap()].split(',').map(|part| name(part.trim()))),
            None => {
                rooms.insert(name(rest));
            }
        }
    }
    rooms
}

/// Returns every edge between rooms of `src/` outside of tests, with the files that make it.
fn edges() -> BTreeMap<(String, String), Vec<String>> {
    let root = top().join("src");
    let mut edges = BTreeMap::<_, Vec<String>>::new();
    for path in rust_files(&root) {
        let inside = path.strip_prefix(&root).unwrap();
        let is_test = inside.components().any(|part| part.as_os_str() == "tests") || inside.ends_with("tests.rs");
        let Some(room) = inside.iter().next().filter(|_| inside.iter().count() > 1 && !is_test) else { continue };
        let room = room.to_string_lossy().into_owned();
        for other in rooms_named(&code_of(&fs::read_to_string(&path).unwrap())) {
            if other != room && root.join(&other).is_dir() {
                edges.entry((room.clone(), other)).or_default().push(inside.display().to_string());
            }
        }
    }
    edges
}

#[test]
fn rooms_import_only_what_lies_before_them() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    let edges = edges();
    let wrong: Vec<String> = edges
        .iter()
        .filter(|((room, other), _)| {
            room != "cli" && !allowed.get(room.as_str()).is_some_and(|may| may.contains(&other.as_str()))
        })
        .map(|((room, other), files)| format!("{room} imports {other} in {}", files.join(", ")))
        .collect();
    assert!(wrong.is_empty(), "edges that the map of rooms does not have:\n{}", wrong.join("\n"));
    for (room, other) in [("hours", "source"), ("report", "detect"), ("serve", "sql"), ("cli", "hours")] {
        let seen = edges.contains_key(&(room.to_owned(), other.to_owned()));
        assert!(seen, "{room} imports {other}, but the reader of paths did not see it");
    }
}

#[test]
fn every_room_stands_on_the_map() {
    let folders = |parent: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(top().join(parent)).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.is_dir()).map(|path| path.file_name().unwrap().to_string_lossy().into()).collect()
    };
    let names = |map: &[(&str, &[&str])], more: &[&str]| -> BTreeSet<String> {
        map.iter().map(|(name, _)| *name).chain(more.iter().copied()).map(str::to_owned).collect()
    };
    assert_eq!(folders("src"), names(MAY_IMPORT, &["cli"]));
    assert_eq!(folders("crates"), names(MAY_DEPEND, &[]));
    // Each line of a map names only what stands above it, so neither has a ring.
    for map in [MAY_IMPORT, MAY_DEPEND] {
        for (index, (name, may)) in map.iter().enumerate() {
            let above: Vec<&str> = map[..index].iter().map(|(name, _)| *name).collect();
            assert!(may.iter().all(|other| above.contains(other)), "{name} names a room below it");
        }
    }
}

#[test]
fn crates_depend_only_on_what_lies_below_sql() {
    for (name, may) in MAY_DEPEND {
        let path = top().join("crates").join(name).join("Cargo.toml");
        let manifest: toml::Table = fs::read_to_string(&path).unwrap().parse().unwrap();
        for dependency in
            manifest.get("dependencies").and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::keys)
        {
            let own = MAY_DEPEND.iter().any(|(other, _)| other == dependency);
            assert!(!own || may.contains(&dependency.as_str()), "{name} depends on {dependency}");
            let sends = *name == SENDS.0 && SENDS.1.contains(&dependency.as_str());
            assert!(
                sends || !ABOVE.iter().any(|above| dependency.starts_with(above)),
                "{name} depends on {dependency}"
            );
        }
    }
}

#[test]
fn files_are_small_and_named_for_what_they_hold() {
    let mut wrong = Vec::new();
    let files: Vec<PathBuf> = ["src", "crates"].iter().flat_map(|folder| rust_files(&top().join(folder))).collect();
    assert!(files.len() > 250, "sources were not found: {} files", files.len());
    for path in files {
        let shown = path.strip_prefix(top()).unwrap();
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        if lines > MAX_LINES {
            wrong.push(format!("{} has {lines} lines, at most {MAX_LINES}: split it by noun", shown.display()));
        }
        for name in shown.with_extension("").iter().map(|part| part.to_string_lossy()) {
            if name.split('_').any(|word| EMPTY_NAMES.contains(&word)) {
                wrong.push(format!("{}: `{name}` says nothing; name it for what it holds", shown.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_reader_of_paths_sees_groups_and_passes_over_comments_and_tests() {
    let source = "// use crate::comment::X;\nuse crate::{alpha::A, beta};\nfn f(x: crate::gamma::G) {}\n#[cfg(test)]\nmod tests {\n    use crate::delta::D;\n}\n";
    let named: Vec<String> = rooms_named(&code_of(source)).into_iter().collect();
    assert_eq!(named, ["alpha", "beta", "gamma"]);
}

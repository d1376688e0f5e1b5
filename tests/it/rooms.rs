//! The walls between the rooms: who imports whom, and how large and how named a file may be.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What each room may import besides itself. `cli` stands above all and is not listed.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("flow", &[]),
    ("kernels", &[]),
    ("source", &["flow"]),
    ("scan", &["flow", "source"]),
    ("rollup", &["flow", "kernels", "scan"]),
    ("state", &["flow", "source", "scan", "rollup"]),
    ("intel", &["flow"]),
    ("sql", &["flow", "kernels", "intel", "source", "scan", "rollup", "state"]),
    ("detect", &["flow", "kernels", "rollup", "intel", "sql"]),
    ("report", &["flow", "detect"]),
    ("serve", &["flow", "sql"]),
    ("corpus", &["flow", "kernels"]),
];

/// Most lines of a source file, tests included.
const MOST_LINES: usize = 420;

/// Names that say nothing; what they would hold has a noun of its own.
const EMPTY_NAMES: &[&str] =
    &["util", "utils", "common", "helper", "helpers", "manager", "misc", "shared", "types", "core", "base"];

fn source_files() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root(), &mut found);
    found.sort();
    assert!(found.len() > 50, "src/ was not found: {} files", found.len());
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Path of a file's module from the crate's root: `src/detect/run.rs` is `["detect", "run"]`.
fn module_of(path: &Path) -> Vec<String> {
    let inside = path.strip_prefix(root()).unwrap().with_extension("");
    let mut parts: Vec<String> = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        parts.pop();
    }
    parts
}

/// Blanks comments, texts and letters, so that only code is left; lines stay where they are.
fn code_only(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let blank = |out: &mut Vec<u8>, byte: u8| out.push(if byte == b'\n' { b'\n' } else { b' ' });
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        if rest.starts_with(b"//") {
            while at < bytes.len() && bytes[at] != b'\n' {
                blank(&mut out, bytes[at]);
                at += 1;
            }
        } else if rest.starts_with(b"/*") {
            let mut depth = 0;
            loop {
                let step = match &bytes[at..] {
                    [b'/', b'*', ..] => {
                        depth += 1;
                        2
                    }
                    [b'*', b'/', ..] => {
                        depth -= 1;
                        2
                    }
                    _ => 1,
                };
                bytes[at..at + step].iter().for_each(|byte| blank(&mut out, *byte));
                at += step;
                if depth == 0 || at >= bytes.len() {
                    break;
                }
            }
        } else if let Some(hashes) = raw_text(rest, out.last().copied()) {
            let close = [b"\"".as_slice(), "#".repeat(hashes).as_bytes()].concat();
            let open = rest.iter().position(|byte| *byte == b'"').unwrap() + 1;
            let length = rest[open..].windows(close.len()).position(|window| window == close).unwrap();
            let end = at + open + length + close.len();
            bytes[at..end].iter().for_each(|byte| blank(&mut out, *byte));
            at = end;
        } else if rest[0] == b'"' {
            let mut end = 1;
            while end < rest.len() && rest[end] != b'"' {
                end += if rest[end] == b'\\' { 2 } else { 1 };
            }
            rest[..=end].iter().for_each(|byte| blank(&mut out, *byte));
            at += end + 1;
        } else if rest[0] == b'\'' && letter(rest).is_some() {
            let end = letter(rest).unwrap();
            rest[..end].iter().for_each(|byte| blank(&mut out, *byte));
            at += end;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(out).unwrap()
}

/// The number of `#` when a raw text begins here and not in the middle of a name.
fn raw_text(rest: &[u8], before: Option<u8>) -> Option<usize> {
    if before.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return None;
    }
    let rest = rest.strip_prefix(b"b").unwrap_or(rest).strip_prefix(b"r")?;
    let hashes = rest.iter().take_while(|byte| **byte == b'#').count();
    (rest.get(hashes) == Some(&b'"')).then_some(hashes)
}

/// The length of a letter such as `'x'` or `'\n'`; `None` for a lifetime.
fn letter(rest: &[u8]) -> Option<usize> {
    if rest.get(1) == Some(&b'\\') {
        return rest.iter().skip(3).position(|byte| *byte == b'\'').map(|end| end + 4);
    }
    let text = std::str::from_utf8(&rest[1..rest.len().min(8)]);
    let text = text.unwrap_or_else(|error| std::str::from_utf8(&rest[1..1 + error.valid_up_to()]).unwrap());
    let first = text.chars().next()?;
    (text[first.len_utf8()..].starts_with('\'')).then_some(first.len_utf8() + 2)
}

/// Cuts out every item marked `#[cfg(test)]`; also returns the names of modules in files of their own among them.
fn without_tests(code: &str) -> (String, Vec<String>) {
    let mut kept = String::new();
    let mut files = Vec::new();
    let mut rest = code;
    while let Some((before, after)) = rest.split_once("#[cfg(test)]") {
        kept.push_str(before);
        let brace = after.find('{').unwrap_or(after.len());
        let semicolon = after.find(';').unwrap_or(after.len());
        if semicolon < brace {
            let item = after[..semicolon].trim();
            if let Some(name) = item.rsplit_once("mod ").map(|(_, name)| name.trim()) {
                files.push(name.to_owned());
            }
            rest = &after[semicolon + 1..];
            continue;
        }
        let mut depth = 0;
        let end = after.char_indices().find_map(|(at, letter)| {
            depth += i32::from(letter == '{') - i32::from(letter == '}');
            (depth == 0 && letter == '}').then_some(at + 1)
        });
        rest = &after[end.unwrap_or(after.len())..];
    }
    kept.push_str(rest);
    (kept, files)
}

/// The rooms that a piece of code names, given the module it stands in: `crate::room`, or `super::` up to the root.
fn rooms_named(code: &str, module: &[String]) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let inside_name = code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_');
        if !inside_name {
            first_names(&code[at + "crate::".len()..], &mut rooms);
        }
    }
    let climb = "super::".repeat(module.len());
    if !module.is_empty() {
        for (at, _) in code.match_indices(&climb) {
            let rest = &code[at + climb.len()..];
            let inner =
                code[..at].ends_with("super::") || code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            if !inner && !rest.starts_with("super::") {
                first_names(rest, &mut rooms);
            }
        }
    }
    rooms
}

/// The first names of a path or of a group of paths.
fn first_names(rest: &str, names: &mut BTreeSet<String>) {
    let name = |text: &str| -> String { text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    let Some(group) = rest.strip_prefix('{') else {
        names.insert(name(rest));
        return;
    };
    let mut depth = 0;
    let mut begin = 0;
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => {
                names.insert(name(group[begin..at].trim_start()));
                return;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.insert(name(group[begin..at].trim_start()));
                begin = at + 1;
            }
            _ => {}
        }
    }
}

/// Every edge between rooms outside of tests, with the files that make it.
fn edges() -> BTreeMap<(String, String), Vec<String>> {
    let mut files = BTreeMap::new();
    let mut of_tests = BTreeSet::new();
    for path in source_files() {
        let module = module_of(&path);
        let (code, tests) = without_tests(&code_only(&fs::read_to_string(&path).unwrap()));
        of_tests.extend(tests.into_iter().map(|name| [module.clone(), vec![name]].concat()));
        files.insert(module, (path, code));
    }
    let rooms: BTreeSet<String> = files.keys().filter_map(|module| module.first().cloned()).collect();
    let mut edges = BTreeMap::<_, Vec<String>>::new();
    for (module, (path, code)) in &files {
        let Some(room) = module.first() else { continue };
        if of_tests.contains(module) {
            continue;
        }
        for other in rooms_named(code, module) {
            if other != *room && rooms.contains(&other) {
                let file = path.strip_prefix(root()).unwrap().display().to_string();
                edges.entry((room.clone(), other)).or_default().push(file);
            }
        }
    }
    edges
}

#[test]
fn rooms_import_only_what_lies_before_them() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    let mut wrong = Vec::new();
    for ((room, other), files) in edges() {
        let fine = room == "cli" || allowed.get(room.as_str()).is_some_and(|may| may.contains(&other.as_str()));
        if !fine {
            wrong.push(format!("{room} imports {other} in {}", files.join(", ")));
        }
    }
    assert!(wrong.is_empty(), "edges that the map of rooms does not have:\n{}", wrong.join("\n"));
}

#[test]
fn every_room_stands_on_the_map() {
    let found: BTreeSet<String> = source_files().iter().filter_map(|path| module_of(path).first().cloned()).collect();
    let known: BTreeSet<String> = MAY_IMPORT.iter().map(|(room, _)| *room).chain(["cli"]).map(str::to_owned).collect();
    assert_eq!(found, known, "a room of src/ has no line in MAY_IMPORT, or the other way round");
    // The map itself must be one way: each room stands after all that it imports.
    let mut seen = BTreeSet::new();
    let mut left: Vec<_> = MAY_IMPORT.to_vec();
    while !left.is_empty() {
        let ready: Vec<_> =
            left.iter().filter(|(_, may)| may.iter().all(|room| seen.contains(room))).map(|(room, _)| *room).collect();
        assert!(!ready.is_empty(), "a ring of imports among {left:?}");
        left.retain(|(room, _)| !ready.contains(room));
        seen.extend(ready);
    }
}

#[test]
fn the_edges_that_must_be_there_are_seen() {
    let edges = edges();
    for (room, other) in [
        ("source", "flow"),
        ("scan", "source"),
        ("rollup", "kernels"),
        ("report", "detect"),
        ("serve", "sql"),
        ("cli", "state"),
    ] {
        let seen = edges.contains_key(&(room.to_owned(), other.to_owned()));
        assert!(seen, "{room} imports {other}, but the reader of paths did not see it");
    }
}

#[test]
fn files_are_small_and_named_for_what_they_hold() {
    let mut wrong = Vec::new();
    for path in source_files() {
        let shown = path.strip_prefix(root()).unwrap().display().to_string();
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        if lines > MOST_LINES {
            wrong.push(format!("{shown} has {lines} lines, at most {MOST_LINES}: split it by noun"));
        }
        for name in module_of(&path) {
            if name.split('_').any(|word| EMPTY_NAMES.contains(&word)) {
                wrong.push(format!("{shown}: `{name}` says nothing; name it for what it holds"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_reader_of_paths_sees_what_it_should() {
    let source = r##"
        // use crate::comment::X;
        use crate::{alpha::A, beta::{B, crate_x}, gamma};
        const TEXT: &str = "crate::text"; const RAW: &str = r#"crate::raw"#; const LETTER: char = '"';
        fn f<'a>(x: &'a crate::delta::D) -> super::super::epsilon::E { my_crate::zeta(); '\'' ; super::near() }
        #[cfg(test)]
        mod tests { use crate::eta::E; fn g() { { } } }
        #[cfg(test)]
        mod cases;
        use super::super::{theta, iota::I};
        macro_rules! m { () => { $crate::kappa::k() } }
    "##;
    let (code, files) = without_tests(&code_only(source));
    let module = ["detect".to_owned(), "run".to_owned()];
    let named: Vec<String> = rooms_named(&code, &module).into_iter().collect();
    assert_eq!(named, ["alpha", "beta", "delta", "epsilon", "gamma", "iota", "kappa", "theta"]);
    assert_eq!(files, ["cases"]);
}

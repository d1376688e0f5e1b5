//! The catalogue of detections: SQL files with a header.
//!
//! A header is made of comment lines at the top:
//!
//! | line | meaning |
//! | --- | --- |
//! | `-- title: …` | a short title |
//! | `-- what: …`, `-- severity follows: …` | a few words each, for the table of detections |
//! | `-- techniques: T1071 T1573` | ATT&CK technique ids |
//! | `-- about: …` | what it finds and when it is wrong; may repeat |
//! | `-- discovery: p_value` | the run's false-discovery rate decides which rows are kept |
//! | `-- needs: indicators` (or `history`, `days`, `accesses`) | there can be no rows without them |
//! | `-- once: suspects` | runs this part of its WITH once: it has few rows and is read several times, or it mostly has none, which ends the work |
//! | `-- parameter NAME = DEFAULT: unit and effect` | one for each `$NAME` in the SQL |
//!
//! Every run also defines `$window_from_s` and `$window_to_s` (Unix time), `$has_history` (whether there is a baseline
//! before the window), `$hosts` (hosts with egress) and `$fdr` (the run's false-discovery rate, 0 to 1). With `discovery`,
//! the outermost SELECT is evaluated only for the rows that are kept, so its sentences cost nothing for the others, as long
//! as its `p_value` is a plain column.
//!
//! A line `-- include: NAME`, in the header or in the SQL, stands for the text of `parts/NAME.sql`: SQL that several
//! detections share. A folder of one's own may hold parts, too; the built-in ones can be included from anywhere.

mod built_in;
#[cfg(test)]
mod page;
mod parts;

use super::error::DetectError;
use crate::sql::Literal;
use parts::Parts;
use rollup::derive::Wanted;
use std::path::Path;

/// One detection.
#[derive(Clone, Debug, PartialEq)]
pub struct Detection {
    /// The file's name without `.sql`, which findings name.
    pub name: String,
    /// A short title for people.
    pub title: String,
    /// What it finds, in a few words.
    pub what: String,
    /// What decides how severe a finding is, in a few words.
    pub severity_follows: String,
    /// ATT&CK technique ids.
    pub techniques: Vec<String>,
    /// What it finds and when it is wrong.
    pub about: String,
    /// Its rows are candidates with a `p_value`; only those within the run's false-discovery rate become findings.
    pub discovery: bool,
    /// What a run must have for it to find anything; otherwise it is not even planned.
    pub needs: Vec<Need>,
    /// Names of the parts of its WITH that run once, before the parts that read them; they should have few rows.
    pub once: Vec<String>,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// The SQL with its header and the parts that it includes.
    pub sql: String,
}

/// Something without which a detection cannot find anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Indicators on any feed.
    Indicators,
    /// History before the window.
    History,
    /// Rows of `host_days`: baseline and window of [`rollup::derive::MIN_DAYS`] together.
    Days,
    /// Acts of the logs beside flow logs.
    Accesses,
}

/// The needs by their names in headers.
const NEEDS: [(&str, Need); 4] =
    [("indicators", Need::Indicators), ("history", Need::History), ("days", Need::Days), ("accesses", Need::Accesses)];

/// A parameter of a detection.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its name, `$name` in the SQL.
    pub name: String,
    /// Its value unless set otherwise.
    pub default: Literal,
    /// Its unit and effect.
    pub about: String,
}

/// Returns the detections that come with flowsift, sorted by name.
///
/// # Errors
/// [`DetectError::Header`], which a test rules out for the built-in ones.
pub fn built_in() -> Result<Vec<Detection>, DetectError> {
    let parts = Parts::built_in();
    built_in::DETECTIONS.iter().map(|(name, sql)| parse(name, sql, &parts)).collect()
}

/// Reads all `*.sql` files of a folder, sorted by name.
///
/// # Errors
/// [`DetectError::Read`] when it cannot be read, [`DetectError::Empty`] when it holds none, [`DetectError::Header`] when a
/// file's header is wrong.
pub fn from_folder(folder: &Path) -> Result<Vec<Detection>, DetectError> {
    let failed = |path: &Path, source| DetectError::Read { path: path.to_owned(), source };
    let parts = Parts::of_folder(folder);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| failed(folder, error))? {
        let path = entry.map_err(|error| failed(folder, error))?.path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            let sql = std::fs::read_to_string(&path).map_err(|error| failed(&path, error))?;
            found.push(parse(&name, &sql, &parts)?);
        }
    }
    if found.is_empty() {
        return Err(DetectError::Empty { folder: folder.to_owned() });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// Returns which of the tables that cost extra the detections read.
pub fn wanted(detections: &[Detection]) -> Wanted {
    let named = |table: &str| detections.iter().any(|detection| detection.names(table));
    Wanted { services: named("services"), host_days: named("host_days") }
}

impl Detection {
    /// Returns whether the SQL has a word, comments left out.
    fn names(&self, word: &str) -> bool {
        let code = self.sql.lines().map(|line| line.split("--").next().unwrap_or_default());
        code.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_')).any(|found| found == word)
    }
}

fn parse(name: &str, sql: &str, parts: &Parts<'_>) -> Result<Detection, DetectError> {
    let mut detection = Detection {
        name: name.to_owned(),
        title: String::new(),
        what: String::new(),
        severity_follows: String::new(),
        techniques: Vec::new(),
        about: String::new(),
        discovery: false,
        needs: Vec::new(),
        once: Vec::new(),
        parameters: Vec::new(),
        sql: parts.expand(name, sql)?,
    };
    for (index, line) in sql.lines().enumerate() {
        let Some(comment) = line.strip_prefix("--") else { break };
        let wrong =
            |problem: &str| DetectError::Header { name: name.to_owned(), line: index + 1, problem: problem.to_owned() };
        let comment = comment.trim();
        if let Some(parameter) = comment.strip_prefix("parameter ") {
            let expected = "expected `-- parameter NAME = DEFAULT: unit and effect`";
            let (named, about) = parameter.split_once(':').ok_or_else(|| wrong(expected))?;
            let (parameter, default) = named.split_once('=').ok_or_else(|| wrong(expected))?;
            detection.parameters.push(Parameter {
                name: parameter.trim().to_owned(),
                default: Literal::parse(default),
                about: about.trim().to_owned(),
            });
            continue;
        }
        match comment.split_once(':').map(|(key, value)| (key.trim(), value.trim())) {
            Some(("title", title)) => detection.title = title.to_owned(),
            Some(("what", what)) => detection.what = what.to_owned(),
            Some(("severity follows", what)) => detection.severity_follows = what.to_owned(),
            // The SQL has the part in its place already.
            Some(("include", _)) => {}
            Some(("techniques", ids)) => detection.techniques = ids.split_whitespace().map(str::to_owned).collect(),
            Some(("about", about)) => {
                if !detection.about.is_empty() {
                    detection.about.push(' ');
                }
                detection.about.push_str(about);
            }
            Some(("once", parts)) => detection.once = parts.split_whitespace().map(str::to_owned).collect(),
            Some(("discovery", "p_value")) => detection.discovery = true,
            Some(("needs", needs)) => {
                for word in needs.split_whitespace() {
                    let known = NEEDS.iter().find(|(known, _)| *known == word);
                    let unknown =
                        || wrong(&format!("unknown need `{word}`; known are indicators, history, days and accesses"));
                    detection.needs.push(known.ok_or_else(unknown)?.1);
                }
            }
            Some((key, _)) => {
                return Err(wrong(&format!(
                    "unknown key `{key}`; known are title, what, severity follows, techniques, about, discovery, needs, once, \
                     include and parameter"
                )));
            }
            None if comment.is_empty() => {}
            None => return Err(wrong("expected `-- key: value`")),
        }
    }
    if detection.title.is_empty() {
        let problem = "the header has no `-- title: …`".to_owned();
        return Err(DetectError::Header { name: name.to_owned(), line: 1, problem });
    }
    Ok(detection)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mine(sql: &str) -> Result<Detection, DetectError> {
        parse("mine", sql, &Parts::built_in())
    }

    #[test]
    fn built_in_detections_have_whole_headers() {
        for detection in built_in().unwrap() {
            assert!(!detection.techniques.is_empty(), "{}", detection.name);
            assert!(!detection.about.is_empty(), "{}", detection.name);
            assert!(!detection.what.is_empty() && !detection.severity_follows.is_empty(), "{}", detection.name);
            for parameter in &detection.parameters {
                assert!(detection.sql.contains(&format!("${}", parameter.name)), "{} unused", parameter.name);
            }
        }
    }

    #[test]
    fn tables_are_wanted_by_name_outside_of_comments() {
        let detection = |sql: &str| mine(&format!("-- title: services\n{sql}")).unwrap();
        assert_eq!(wanted(&[detection("SELECT 1 FROM pairs -- host_days")]), Wanted::default());
        let of_services = [detection("SELECT 1"), detection("SELECT 1 FROM\nservices;")];
        assert_eq!(wanted(&of_services), Wanted { services: true, host_days: false });
        assert_eq!(wanted(&built_in().unwrap()), Wanted::ALL);
    }

    #[test]
    fn says_where_a_header_is_wrong() {
        let error = mine("-- title: x\n-- parameter floor 3\nSELECT 1").unwrap_err().to_string();
        assert_eq!(error, "detection mine, line 2: expected `-- parameter NAME = DEFAULT: unit and effect`");
        assert!(mine("SELECT 1").is_err());
        let error = mine("-- title: x\n-- needs: history luck\nSELECT 1").unwrap_err().to_string();
        assert_eq!(
            error,
            "detection mine, line 2: unknown need `luck`; known are indicators, history, days and accesses"
        );
    }

    #[test]
    fn parts_that_run_once_are_named_in_the_header() {
        let detection = mine("-- title: x\n-- once: suspects hours\nWITH suspects AS (SELECT 1) SELECT 1").unwrap();
        assert_eq!(detection.once, ["suspects", "hours"]);
    }

    #[test]
    fn needs_are_what_the_sql_asks_for() {
        for detection in built_in().unwrap() {
            let of_acts = ["access_hours", "identity_days", "wakings", "shared_credentials", "clients"];
            let asks = [
                (Need::Indicators, detection.sql.contains(" indicator(")),
                (Need::Days, detection.names("host_days")),
                (Need::Accesses, of_acts.iter().any(|table| detection.names(table))),
            ];
            for (need, asks) in asks {
                assert_eq!(detection.needs.contains(&need), asks, "{} {need:?}", detection.name);
            }
        }
    }
}

//! The prompt of `flowsift sql`.

mod completion;

use super::exit::{Exit, Failure};
use super::session::runner::{Ended, Runner, StatementLimits, too_much};
use super::session::screen::{Screen, show};
use super::stderr::tell;
use crate::sql::{Statement, function_names, statements, type_name};
use completion::Names;
use rustyline::config::Configurer;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Instant;

/// Commands of the prompt and what they do.
const COMMANDS: &[(&str, &str)] = &[
    ("\\d [TABLE]", "list tables, or the columns of one"),
    ("\\df [NAME]", "list functions whose names hold NAME"),
    ("\\timing", "show how long statements take, or no longer"),
    ("\\x", "show each row as a record, or as a table again"),
    ("\\limit N", "show N rows of a result at most; 0 for all"),
    ("\\?", "this list"),
    ("\\q", "leave; so do quit, exit and Ctrl-D"),
];
const NAMES: &[&str] = &["\\d", "\\df", "\\timing", "\\x", "\\limit", "\\?", "\\q"];

/// Lines of history that are kept.
const HISTORY_LINES: usize = 10_000;

/// The settings of the prompt.
struct PromptSettings {
    timing: bool,
    expanded: bool,
    limit: usize,
}

/// What to do after a line.
enum AfterLine {
    Go,
    Leave,
}

type Prompt = Editor<Names, FileHistory>;

/// Reads statements until the user leaves.
pub(super) fn run(runner: &Runner<'_>, limit: usize) -> Result<Exit, Failure> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .history_ignore_space(true)
        .auto_add_history(false)
        .build();
    let mut editor: Prompt = Editor::with_config(config).map_err(Failure::failed)?;
    let context = runner.opened.workspace.context();
    editor.set_helper(Some(runner.opened.io.block_on(Names::of(context, NAMES))));
    editor.set_max_history_size(HISTORY_LINES).map_err(Failure::failed)?;
    let history = history_file();
    if let Some(path) = &history {
        // It does not exist at the first start.
        let _ = editor.load_history(path);
    }
    let mut settings = PromptSettings { timing: false, expanded: false, limit };
    tell("flowsift sql: statements end with ;  \\? helps, \\q leaves");
    loop {
        let line = match editor.readline("flows> ") {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(Failure::failed(error)),
        };
        if line.trim().is_empty() {
            continue;
        }
        let _ = editor.add_history_entry(line.trim_end());
        if let Some(path) = &history {
            // Saved after each line: a session may end at any moment.
            let _ = path.parent().map(std::fs::create_dir_all);
            let _ = editor.append_history(path);
        }
        match command(&line) {
            Some(command) => match obey(runner, &mut settings, command)? {
                AfterLine::Go => {}
                AfterLine::Leave => break,
            },
            None => {
                for statement in statements(&line) {
                    if !answer(runner, &settings, &statement, &mut editor)? {
                        break;
                    }
                }
            }
        }
    }
    Ok(Exit::Done)
}

/// Returns the command that a line is, without its backslash; `None` for SQL. Words of other prompts are understood.
fn command(line: &str) -> Option<&str> {
    let line = line.trim();
    if let Some(command) = line.strip_prefix('\\') {
        return Some(command);
    }
    let word = line.trim_end_matches(';').trim_end();
    match word.to_ascii_lowercase().as_str() {
        "quit" | "exit" | ".quit" | ".exit" | ".q" => Some("q"),
        "help" | ".help" => Some("?"),
        ".tables" => Some("d"),
        _ => None,
    }
}

/// Runs a statement and shows its result; returns `false` if it failed.
fn answer(
    runner: &Runner<'_>,
    settings: &PromptSettings,
    statement: &Statement,
    editor: &mut Prompt,
) -> Result<bool, Failure> {
    let begun = Instant::now();
    let mut screen = Screen::new(settings.limit);
    let mut ended = runner.run(statement, &mut screen);
    if let Err(Ended::TooMuch(bytes)) = ended {
        tell(too_much(bytes, &runner.limits));
        let all_the_same = editor.readline("run it all the same? [y/N] ");
        if !all_the_same.is_ok_and(|answer| answer.trim().eq_ignore_ascii_case("y")) {
            return Ok(false);
        }
        let limits = StatementLimits { max_bytes: None, ..runner.limits };
        screen = Screen::new(settings.limit);
        ended = Runner { limits, ..*runner }.run(statement, &mut screen);
    }
    match ended {
        Ok(()) => {}
        Err(Ended::Cancelled) => {
            tell("cancelled");
            return Ok(false);
        }
        Err(ended) => {
            // The prompt continues, even after a statement that panicked.
            ended.into_failure(&runner.limits).report();
            return Ok(false);
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    if let Some((text, count)) = screen.text(settings.expanded)? {
        show(&text)?;
        tell(if settings.timing { format!("{count}, {seconds:.3} s") } else { count });
    } else if settings.timing {
        tell(format!("{seconds:.3} s"));
    }
    Ok(true)
}

fn obey(runner: &Runner<'_>, settings: &mut PromptSettings, command: &str) -> Result<AfterLine, Failure> {
    let (name, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    let rest = rest.trim().trim_end_matches(';');
    match name.trim_end_matches(';') {
        "q" => return Ok(AfterLine::Leave),
        "?" => {
            let mut text = String::new();
            for (command, does) in COMMANDS {
                let _ = writeln!(text, "{command:12} {does}");
            }
            text.push_str("Statements end with ; and may go over several lines. Ctrl-C cancels one. Tab completes.\n");
            show(&text)?;
        }
        "d" if rest.is_empty() => {
            let context = runner.opened.workspace.context();
            let mut text = String::new();
            for table in crate::sql::table_names(context) {
                let _ = writeln!(text, "{table:17} {}", says(&table));
            }
            show(&text)?;
        }
        "d" => {
            let context = runner.opened.workspace.context();
            match runner.opened.io.block_on(context.table_provider(rest)) {
                Ok(table) => {
                    let mut text = String::new();
                    for field in table.schema().fields() {
                        let _ = writeln!(text, "{:28} {}", field.name(), type_name(field.data_type()));
                    }
                    show(&text)?;
                }
                Err(error) => {
                    let mistake = crate::sql::explain(context, rest, &error);
                    Failure::failed(mistake.to_string()).report();
                }
            }
        }
        "df" => {
            let names = function_names(runner.opened.workspace.context());
            let text: Vec<String> = names.into_iter().filter(|name| name.contains(rest)).collect();
            show(&format!("{}\n", text.join("\n")))?;
        }
        "timing" => {
            settings.timing = !settings.timing;
            tell(if settings.timing { "timing is on" } else { "timing is off" });
        }
        "x" => {
            settings.expanded = !settings.expanded;
            tell(if settings.expanded { "rows are shown as records" } else { "rows are shown as a table" });
        }
        "limit" => match rest.parse() {
            Ok(limit) => settings.limit = limit,
            Err(_) => tell(format!("\\limit {rest}: expected a number of rows, 0 for all")),
        },
        _ => tell(format!("no command \\{name}; \\? lists them")),
    }
    Ok(AfterLine::Go)
}

/// Returns what a table holds, in a few words.
fn says(table: &str) -> &'static str {
    match table {
        "flows" => "flow records, straight from the logs",
        "accesses" => "who did what, with which credential, from where: all logs beside flow logs",
        "access_hours" => "hour x principal x credential x source x action of all of them",
        "credentials" => "keys, tokens and passwords: made, first, last and longest unused",
        "principals" => "users, roles and service accounts: first, last and longest unused",
        "cloudtrail" => "AWS API calls and console logins, straight from CloudTrail's objects",
        "okta" => "events of Okta's System Log",
        "atlassian_audit" => "audit records of Jira, Confluence, Bitbucket and organisations",
        "bitbucket_access" => "requests to Bitbucket: clones, fetches, archives, pushes",
        "balancer_requests" => "requests to AWS's load balancers",
        "pair_hours" => "hour x host x remote x port x protocol x role",
        "pairs" => "host x remote x port x protocol x role over the window",
        "hosts" => "hosts in the window, with their baseline",
        "host_hours" => "host x hour of bytes to and from outside",
        "destinations" => "remotes: hosts, bytes, first seen",
        "services" => "ports that hosts serve to the outside",
        "host_days" => "host x day of bytes to rare remotes, from 8 days on",
        "coverage" => "log or interface x hour: events, records, NODATA and SKIPDATA",
        "indicators" => "entries of the --indicators feeds",
        "networks" => "networks and owners of the --networks files",
        "findings" => "findings of the run in --findings",
        "incidents" => "incidents of the run in --incidents",
        "incident_timeline" => "what happened in each, in the order of time",
        "incident_nodes" => "hosts and remotes of each, by rank",
        "incident_edges" => "who opened connections to whom in each",
        _ => "",
    }
}

/// Returns the file of the prompt's history: `$XDG_STATE_HOME/flowsift/history`, or below `~/.local/state`.
fn history_file() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")))?;
    Some(state.join("flowsift/history"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_other_prompts_are_understood() {
        for (line, expected) in [
            ("quit", Some("q")),
            (" EXIT ; ", Some("q")),
            (".quit", Some("q")),
            ("help", Some("?")),
            ("\\d flows", Some("d flows")),
            ("SELECT quit;", None),
            ("quit FROM t", None),
        ] {
            assert_eq!(command(line), expected, "{line}");
        }
    }
}

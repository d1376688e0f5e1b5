//! `--config FILE`: a TOML file whose tables `[global]` and `[detect]`, `[generate]`, … hold options by their long
//! names. They are inserted before the user's own options, which therefore win.

use crate::cli::exit::Failure;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::ffi::OsString;
use std::path::PathBuf;

/// Inserts the options of the config file, if one is named, right after the command's name.
pub(in crate::cli) fn with_config(args: Vec<OsString>, mut definition: Command) -> Result<Vec<OsString>, Failure> {
    let Some(path) = config_path(&args) else { return Ok(args) };
    let name = path.to_string_lossy().into_owned();
    let text =
        std::fs::read_to_string(&path).map_err(|error| Failure::usage_at(format_args!("--config {name}"), error))?;
    let table: toml::Table =
        text.parse().map_err(|error| Failure::usage(format!("--config {name}: {}", error_line(&error))))?;
    definition.build();
    let commands: Vec<String> = definition.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    for key in table.keys() {
        if key != "global" && key != SINK && !commands.contains(key) {
            let known = commands.join(", ");
            return Err(Failure::usage(format!(
                "--config {name}: unknown table [{key}]; known are global, [[sink]], {known}"
            )));
        }
    }
    let at = args.iter().skip(1).position(|arg| arg.to_str().is_some_and(|arg| commands.iter().any(|c| c == arg)));
    let Some(at) = at.map(|at| at + 1) else { return Ok(args) };
    let command = args[at].to_string_lossy().into_owned();
    let own = Own::of(&definition, &command, &args);
    let mut with = args[..=at].to_vec();
    for section in ["global", &command] {
        let Some(options) = table.get(section) else { continue };
        let options = options
            .as_table()
            .ok_or_else(|| Failure::usage(format!("--config {name}: [{section}] must be a table of options")))?;
        for (option, value) in options {
            let argument = own.argument(option);
            if argument.is_some_and(|argument| own.rules_out(argument)) {
                continue;
            }
            push(&mut with, option, value, argument)
                .map_err(|problem| Failure::usage_at(format_args!("--config {name}: [{section}] {option}"), problem))?;
        }
    }
    if let Some(sinks) = table.get(SINK).filter(|_| own.takes_sinks()) {
        for text in
            sink_texts(sinks).map_err(|problem| Failure::usage(format!("--config {name}: [[sink]] {problem}")))?
        {
            with.push(format!("--notify={text}").into());
        }
    }
    with.extend_from_slice(&args[at + 1..]);
    Ok(with)
}

/// The tables of sinks.
const SINK: &str = "sink";

/// Returns each table `[[sink]]` as `--notify` takes it: its `url`, and its other entries as options behind `#`.
fn sink_texts(sinks: &toml::Value) -> Result<Vec<String>, String> {
    let sinks = sinks.as_array().ok_or("must be a list of tables")?;
    let text = |sink: &toml::Value| {
        let sink = sink.as_table().ok_or("must be a table")?;
        let url = sink.get("url").and_then(toml::Value::as_str).ok_or("needs the text `url`")?;
        let mut text = url.to_owned();
        for (name, value) in sink.iter().filter(|(name, _)| *name != "url") {
            let value = match value {
                toml::Value::String(text) => text.replace('%', "%25").replace('&', "%26"),
                toml::Value::Boolean(on) => if *on { "on" } else { "off" }.to_owned(),
                other => return Err(format!("{name}: got {}, expected text, true or false", other.type_str())),
            };
            text.push(if text.contains('#') { '&' } else { '#' });
            text.push_str(&format!("{name}={value}"));
        }
        Ok(text)
    };
    sinks.iter().map(text).collect()
}

/// The options of the command line itself.
struct Own<'a> {
    command: Option<&'a Command>,
    matches: Option<ArgMatches>,
}

impl<'a> Own<'a> {
    fn of(definition: &'a Command, command: &str, args: &[OsString]) -> Self {
        // Mistakes in them are reported later, when all options are parsed.
        let matches = definition.clone().ignore_errors(true).try_get_matches_from(args).ok();
        let matches = matches.and_then(|matches| matches.subcommand().map(|(_, matches)| matches.clone()));
        Self { command: definition.find_subcommand(command), matches }
    }

    /// Returns the argument that an option of the file stands for.
    fn argument(&self, option: &str) -> Option<&'a Arg> {
        let long = option.replace('_', "-");
        self.command?.get_arguments().find(|argument| argument.get_long() == Some(long.as_str()))
    }

    /// Returns whether the command tells sinks.
    fn takes_sinks(&self) -> bool {
        self.argument("notify").is_some()
    }

    /// Returns whether the command line has an option that conflicts with one of the file, which is then ignored.
    fn rules_out(&self, argument: &Arg) -> bool {
        let (Some(command), Some(matches)) = (self.command, &self.matches) else { return false };
        let against =
            |a: &Arg, b: &Arg| command.get_arg_conflicts_with(a).iter().any(|other| other.get_id() == b.get_id());
        let given = |other: &&Arg| matches.value_source(other.get_id().as_str()) == Some(ValueSource::CommandLine);
        command.get_arguments().filter(given).any(|other| against(other, argument) || against(argument, other))
    }
}

/// Returns a failure that names the config file, where the command line alone has no mistake.
pub(in crate::cli) fn blame(own: Vec<OsString>, definition: Command, error: &clap::Error) -> Option<Failure> {
    let name = config_path(&own)?.to_string_lossy().into_owned();
    definition.try_get_matches_from(own).ok()?;
    let text = error.to_string();
    let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let problem: Vec<&str> = lines.filter(|line| !line.is_empty() && !line.starts_with("For more")).collect();
    let problem = problem.join("; ");
    Some(Failure::usage(format!("--config {name}: {}", problem.strip_prefix("error: ").unwrap_or(&problem))))
}

fn config_path(args: &[OsString]) -> Option<PathBuf> {
    let mut args = args.iter().skip(1);
    while let Some(arg) = args.next() {
        if arg == "--config" {
            return args.next().map(Into::into);
        }
        if let Some(path) = arg.to_str().and_then(|arg| arg.strip_prefix("--config=")) {
            return Some(path.into());
        }
    }
    None
}

fn push(args: &mut Vec<OsString>, option: &str, value: &toml::Value, argument: Option<&Arg>) -> Result<(), String> {
    let flag = || format!("--{}", option.replace('_', "-"));
    match value {
        toml::Value::Boolean(true) => args.push(flag().into()),
        toml::Value::Boolean(false) => {}
        toml::Value::String(text) => args.push(format!("{}={text}", flag()).into()),
        // Such an option is repeated at the command line.
        toml::Value::Integer(times) if argument.is_some_and(|it| matches!(it.get_action(), ArgAction::Count)) => {
            let times = u8::try_from(*times).map_err(|_| format!("got {times}, expected 0 to {}", u8::MAX))?;
            args.extend((0..times).map(|_| OsString::from(flag())));
        }
        toml::Value::Integer(number) => args.push(format!("{}={number}", flag()).into()),
        toml::Value::Float(number) => args.push(format!("{}={number}", flag()).into()),
        toml::Value::Array(values) => values.iter().try_for_each(|value| push(args, option, value, argument))?,
        other => return Err(format!("got {}, expected text, a number, true or a list", other.type_str())),
    }
    Ok(())
}

fn error_line(error: &toml::de::Error) -> String {
    error.to_string().lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::definition;

    #[test]
    fn options_of_the_file_come_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flowsift.toml");
        std::fs::write(&path, "[global]\nthreads = 2\n[detect]\nallow = ['a', 'b']\nfdr = 0.05\n").unwrap();
        let args = ["flowsift", "detect", "logs", "--config", path.to_str().unwrap(), "--fdr", "0.1"];
        let with = with_config(args.iter().map(OsString::from).collect(), definition()).unwrap();
        let with: Vec<&str> = with.iter().map(|arg| arg.to_str().unwrap()).collect();
        assert_eq!(with[..6], ["flowsift", "detect", "--threads=2", "--allow=a", "--allow=b", "--fdr=0.05"]);
        assert_eq!(with[6..], args[2..]);
        std::fs::write(&path, "[global]\nverbose = 2\n[sql]\ncommand = 'SELECT 1'\n").unwrap();
        let given = |args: &[&str]| -> Vec<String> {
            let args = args.iter().chain(&["--config", path.to_str().unwrap()]).map(OsString::from).collect();
            let with = with_config(args, definition()).unwrap();
            with[2..].iter().map(|arg| arg.to_str().unwrap().to_owned()).collect()
        };
        assert_eq!(given(&["flowsift", "sql", "logs"])[..3], ["--verbose", "--verbose", "--command=SELECT 1"]);
        assert_eq!(given(&["flowsift", "sql", "logs", "-f", "x.sql"])[..3], ["--verbose", "--verbose", "logs"]);
        let sinks =
            "[[sink]]\nurl = 'file:/run/hook'\nbody = 'slack'\ndigest = false\n[[sink]]\nurl = 'eventbridge://bus'\n";
        std::fs::write(&path, sinks).unwrap();
        let detect = given(&["flowsift", "detect", "logs"]);
        assert_eq!(detect[..2], ["--notify=file:/run/hook#body=slack&digest=off", "--notify=eventbridge://bus"]);
        assert_eq!(given(&["flowsift", "sql", "logs"])[0], "logs");
        std::fs::write(&path, "[detekt]\n").unwrap();
        assert!(with_config(args.iter().map(OsString::from).collect(), definition()).is_err());
    }
}

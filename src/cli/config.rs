//! `--config FILE`: a TOML file whose tables `[global]` and `[detect]`, `[generate]`, … hold options by their long
//! names. They are read as if they stood before the user's own options, which therefore win.

use super::exit::Failure;
use clap::CommandFactory;
use std::ffi::OsString;

/// Puts the options of the config file, if one is named, behind the command's name.
pub(super) fn with_config(args: Vec<OsString>) -> Result<Vec<OsString>, Failure> {
    let Some(path) = config_path(&args) else { return Ok(args) };
    let name = path.to_string_lossy().into_owned();
    let text = std::fs::read_to_string(&path).map_err(|error| Failure::usage(format!("--config {name}: {error}")))?;
    let table: toml::Table =
        text.parse().map_err(|error| Failure::usage(format!("--config {name}: {}", error_line(&error))))?;
    let commands: Vec<String> =
        super::Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
    for key in table.keys() {
        if key != "global" && !commands.contains(key) {
            let known = commands.join(", ");
            return Err(Failure::usage(format!("--config {name}: unknown table [{key}]; known are global, {known}")));
        }
    }
    let at = args.iter().skip(1).position(|arg| arg.to_str().is_some_and(|arg| commands.iter().any(|c| c == arg)));
    let Some(at) = at.map(|at| at + 1) else { return Ok(args) };
    let command = args[at].to_string_lossy().into_owned();
    let mut with = args[..=at].to_vec();
    for section in ["global", &command] {
        let Some(options) = table.get(section) else { continue };
        let options = options
            .as_table()
            .ok_or_else(|| Failure::usage(format!("--config {name}: [{section}] must be a table of options")))?;
        for (option, value) in options {
            push(&mut with, option, value)
                .map_err(|problem| Failure::usage(format!("--config {name}: [{section}] {option}: {problem}")))?;
        }
    }
    with.extend_from_slice(&args[at + 1..]);
    Ok(with)
}

fn config_path(args: &[OsString]) -> Option<std::path::PathBuf> {
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

fn push(args: &mut Vec<OsString>, option: &str, value: &toml::Value) -> Result<(), String> {
    let flag = || format!("--{}", option.replace('_', "-"));
    match value {
        toml::Value::Boolean(true) => args.push(flag().into()),
        toml::Value::Boolean(false) => {}
        toml::Value::String(text) => args.push(format!("{}={text}", flag()).into()),
        toml::Value::Integer(number) => args.push(format!("{}={number}", flag()).into()),
        toml::Value::Float(number) => args.push(format!("{}={number}", flag()).into()),
        toml::Value::Array(values) => values.iter().try_for_each(|value| push(args, option, value))?,
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

    #[test]
    fn options_of_the_file_come_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flowsift.toml");
        std::fs::write(&path, "[global]\nthreads = 2\n[detect]\nallow = ['a', 'b']\nfdr = 0.05\n").unwrap();
        let args = ["flowsift", "detect", "logs", "--config", path.to_str().unwrap(), "--fdr", "0.1"];
        let with = with_config(args.iter().map(OsString::from).collect()).unwrap();
        let with: Vec<&str> = with.iter().map(|arg| arg.to_str().unwrap()).collect();
        assert_eq!(with[..6], ["flowsift", "detect", "--threads=2", "--allow=a", "--allow=b", "--fdr=0.05"]);
        assert_eq!(with[6..], args[2..]);
        std::fs::write(&path, "[detekt]\n").unwrap();
        assert!(with_config(args.iter().map(OsString::from).collect()).is_err());
    }
}

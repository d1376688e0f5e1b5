//! `docs/tutorial.md` says what really happens: every command in it is run, and what it prints is compared.
//!
//! `UPDATE_GOLDENS=1 cargo test --test it tutorial` writes what is found into the page.

use std::path::Path;

use crate::program::{finish, program};

/// The commands of a block: lines that begin with `$ `, going on while a line ends in `\` or a quote is open.
fn commands(block: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in block.lines() {
        match line.strip_prefix("$ ") {
            Some(command) if !goes_on => found.push(command.to_owned()),
            _ if goes_on => {
                if let Some(command) = found.last_mut() {
                    command.push('\n');
                    command.push_str(line);
                }
            }
            _ => {}
        }
        let command = found.last().map_or("", String::as_str);
        let is_open = command.matches('\'').count() % 2 == 1 || command.matches('"').count() % 2 == 1;
        goes_on = is_open || (command.ends_with('\\') && line.ends_with('\\'));
    }
    found
}

/// Runs a command of the page and gives what it prints.
fn printed(command: &str) -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_flowsift"));
    let path = format!("{}:{}", binary.parent().unwrap().display(), std::env::var("PATH").unwrap());
    // The environment is that of every run of the binary; the program is the shell's.
    let mut shell = std::process::Command::new("sh");
    for (name, value) in program().get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let shell = shell.arg("-c").arg(command).env("PATH", path).current_dir(env!("CARGO_MANIFEST_DIR"));
    let ran = finish(shell.stdin(std::process::Stdio::null())).expect(0);
    ran.text().to_owned()
}

#[test]
fn the_page_shows_what_its_commands_print() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tutorial.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let mut made = String::new();
    let mut count = 0;
    let mut rest = page.as_str();
    while let Some((before, after)) = rest.split_once("```console\n") {
        let (block, after) = after.split_once("```").unwrap();
        made.push_str(before);
        made.push_str("```console\n");
        for command in commands(block) {
            count += 1;
            made.push_str(&format!("$ {command}\n{}", printed(&command)));
        }
        made.push_str("```");
        rest = after;
    }
    made.push_str(rest);
    assert!(count >= 10, "{count} commands");
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        std::fs::write(&path, &made).unwrap();
    } else {
        assert!(page == made, "docs/tutorial.md is not what happens; UPDATE_GOLDENS=1 cargo test --test it tutorial");
    }
}

//! Shell completions and man pages, generated from the definition of the command line.

use super::exit::{Exit, Failure};
use clap::Args;
use clap_complete::Shell;
use std::path::PathBuf;

/// Print completions for a shell
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Print the man page, or write one page per command to a folder
#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Folder to write all pages to, instead of the main one to stdout
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn completions(args: &CompletionsArgs, mut definition: clap::Command) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut definition, "flowsift", &mut script);
    std::io::Write::write_all(&mut std::io::stdout(), &script)?;
    Ok(Exit::Done)
}

pub(super) fn man(args: &ManArgs, definition: clap::Command) -> Result<Exit, Failure> {
    match &args.out {
        Some(folder) => {
            let failed = |error: std::io::Error| Failure::failed_at(folder.display(), error);
            std::fs::create_dir_all(folder).map_err(failed)?;
            clap_mangen::generate_to(definition, folder).map_err(failed)?;
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(definition).render(&mut page)?;
            std::io::Write::write_all(&mut std::io::stdout(), &page)?;
        }
    }
    Ok(Exit::Done)
}

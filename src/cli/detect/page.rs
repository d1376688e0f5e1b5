//! The page of a run: `--format html`.

use super::show::PageFile;
use super::summary::FinishedRun;
use crate::cli::exit::Failure;
use crate::detect::Finding;
use crate::incident::Incident;
use crate::report::{Page, html};
use std::ffi::OsString;

/// Makes the page of a run whose times are not known yet: a page does not depend on them.
pub(super) fn page(run: &FinishedRun<'_>, findings: &[Finding], incidents: &[Incident]) -> Result<PageFile, Failure> {
    let figures = html::gather(run.derived, &run.hours.window, incidents, findings).map_err(Failure::failed)?;
    let allowed = run.outcome.findings.iter().filter(|finding| finding.evidence.contains_key("allowed_by")).count();
    let command = command_text(&run.global.typed);
    PageFile::new(&Page {
        summary: &run.summary(),
        incidents,
        findings,
        figures: &figures,
        allowed: allowed as u64,
        command: Some(&command),
    })
}

/// Returns a command line as a shell would take it; the program by its name alone.
fn command_text(typed: &[OsString]) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=,@%+".contains(letter);
    let words = typed.iter().skip(1).map(|word| {
        let word = word.to_string_lossy();
        match !word.is_empty() && word.chars().all(plain) {
            true => word.into_owned(),
            false => format!("'{}'", word.replace('\'', "'\\''")),
        }
    });
    std::iter::once("flowsift".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_can_be_pasted() {
        let typed = ["/usr/bin/flowsift", "detect", "a b", "s3://logs/x", "it's", ""].map(OsString::from);
        assert_eq!(command_text(&typed), "flowsift detect 'a b' s3://logs/x 'it'\\''s' ''");
    }
}

//! The files of `--out`: findings, incidents, the page if asked for, the summary and, last, the manifest that makes them
//! one set.

use super::exchange::ExchangeFile;
use super::show::{FindingsFile, INCIDENTS_FILE, JSONL_FILE, PAGE_FILE, PageFile, findings_files};
use super::summary::WindowSpan;
use crate::cli::exit::Failure;
use crate::detect::Finding;
use crate::incident::Incident;
use crate::report::{Manifest, ManifestFile, RunFacts, Summary, write_incidents};
use crate::source::{PutMode, SourceError, Store};
use bytes::Bytes;
use flow::error_text;
use tokio::runtime::Runtime;

/// The name of the summary.
pub(super) const SUMMARY_FILE: &str = "summary.json";
/// The name of the manifest.
pub(super) const MANIFEST_FILE: &str = "manifest.json";

/// The store that `--out` names, and what of the run is there.
pub(super) struct Output<'a> {
    store: Store,
    runtime: &'a Runtime,
    /// The files that were written.
    written: Vec<ManifestFile>,
    /// The names of those that could not be.
    missing: Vec<&'static str>,
    first_error: Option<SourceError>,
}

impl<'a> Output<'a> {
    pub(super) fn new(store: Store, runtime: &'a Runtime) -> Self {
        Self { store, runtime, written: Vec::new(), missing: Vec::new(), first_error: None }
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    fn put(&mut self, name: &'static str, bytes: Bytes) {
        let file = ManifestFile::new(name, &bytes);
        match self.runtime.block_on(self.store.put(name, bytes, PutMode::Overwrite)) {
            Ok(()) => self.written.push(file),
            Err(error) => {
                self.missing.push(name);
                self.first_error.get_or_insert(error);
            }
        }
    }

    /// Writes the files of findings and incidents, and returns those of findings with the id of the run. Files that cannot
    /// be written are told by [`Output::warning`].
    pub(super) fn put_findings(
        &mut self,
        findings: &[Finding],
        incidents: &[Incident],
        sources: &[String],
        window: WindowSpan,
    ) -> Result<OutputRun, Failure> {
        self.runtime.block_on(self.store.sweep(""));
        let of_run = |jsonl: &[u8]| facts(sources, window, jsonl).run_id();
        let (files, run_id) = findings_files(findings, of_run)?;
        files.iter().for_each(|file| self.put(file.name, file.bytes.clone()));
        let mut jsonl = Vec::new();
        write_incidents(&mut jsonl, incidents)?;
        self.put(INCIDENTS_FILE, jsonl.into());
        Ok(OutputRun { files: files.to_vec(), run_id })
    }

    /// Writes a file in a form of other programs.
    pub(super) fn put_file(&mut self, file: &ExchangeFile) {
        self.put(file.name, file.bytes.clone());
    }

    /// Writes the page.
    pub(super) fn put_page(&mut self, page: &PageFile) {
        self.put(PAGE_FILE, page.bytes().clone());
    }

    /// Writes the summary and, if nothing is missing by then, the manifest.
    pub(super) fn put_summary(
        &mut self,
        summary: &Summary,
        run: &OutputRun,
        sources: &[String],
        window: WindowSpan,
    ) -> Result<(), Failure> {
        let mut json = Vec::new();
        summary.write_json(&mut json)?;
        self.put(SUMMARY_FILE, json.into());
        if !self.missing.is_empty() {
            self.missing.push(MANIFEST_FILE);
            return Ok(());
        }
        let jsonl = run.files.iter().find(|file| file.name == JSONL_FILE).map_or(&[][..], |file| &file.bytes);
        let manifest = Manifest::new(&run.run_id, &facts(sources, window, jsonl), self.written.clone());
        let mut json = Vec::new();
        manifest.write_json(&mut json)?;
        self.put(MANIFEST_FILE, json.into());
        Ok(())
    }

    /// Returns which files are missing and why; `None` when all were written.
    pub(super) fn warning(&self) -> Option<String> {
        let error = self.first_error.as_ref()?;
        let missing = self.missing.join(", ");
        let place = self.store.url();
        Some(format!("--out {place}: {missing} could not be written: {}; stdout has the findings", error_text(error)))
    }
}

/// The findings of a run as files.
pub(super) struct OutputRun {
    pub(super) files: Vec<FindingsFile>,
    pub(super) run_id: String,
}

fn facts<'a>(sources: &'a [String], window: WindowSpan, findings: &'a [u8]) -> RunFacts<'a> {
    RunFacts { window_start_s: window.from_s, window_end_s: window.to_s, sources, findings }
}

//! The files that the engine's operators spill to: those of the run, within its limit.
//!
//! Written against DataFusion 55.2.

use bytes::Bytes;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::spill_file::{SpillFile, SpillWriter, TempFileFactory};
use futures::Stream;
use memory::{Memory, SpillError};
use std::io;
use std::pin::Pin;
use std::sync::Arc;

/// Bytes read at a time.
const READ_BYTES: u64 = 256 << 10;

/// Creates the files in the folder of a run.
#[derive(Debug)]
pub(in crate::sql) struct PlanSpill(pub(in crate::sql) Memory);

#[derive(Debug)]
struct PlanSpillFile(Arc<memory::SpillFile>);

fn failed(error: SpillError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

impl TempFileFactory for PlanSpill {
    fn create_temp_file(&self, _description: &str) -> Result<Arc<dyn SpillFile>> {
        let file = self.0.new_file().map_err(failed)?;
        Ok(Arc::new(PlanSpillFile(Arc::new(file))))
    }
}

impl SpillFile for PlanSpillFile {
    fn size(&self) -> Option<u64> {
        Some(self.0.end())
    }

    fn read_stream(&self) -> Result<Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>> {
        let (file, end) = (self.0.clone(), self.0.end());
        let parts = (0..end).step_by(READ_BYTES as usize).map(move |at| {
            // A statement's threads are its own, so nobody else waits for the disk.
            let mut bytes = vec![0; READ_BYTES.min(end - at) as usize];
            file.read(at, &mut bytes).map_err(failed)?;
            Ok(Bytes::from(bytes))
        });
        Ok(Box::pin(futures::stream::iter(parts)))
    }

    fn open_writer(&self) -> Result<Box<dyn SpillWriter>> {
        Ok(Box::new(PlanSpillWriter(self.0.clone())))
    }
}

struct PlanSpillWriter(Arc<memory::SpillFile>);

impl io::Write for PlanSpillWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.append(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SpillWriter for PlanSpillWriter {
    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Returns the error of a spill file that an error of the engine wraps.
pub(in crate::sql) fn spill_error(error: &DataFusionError) -> Option<&SpillError> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<SpillError>() {
            return Some(found);
        }
        // An I/O error names the cause of what it wraps, not what it wraps.
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}

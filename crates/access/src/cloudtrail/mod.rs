//! AWS CloudTrail.

mod act;
mod record;
mod scan;
mod twin;

use self::record::Record;
use crate::act::Act;
use crate::error::{BadRecord, Broken};
use crate::json::{Cursor, Wrapping, stream, values};
use crate::read::Counts;

const RECORDS: Wrapping = Wrapping { records: &["Records"] };

/// Reads a text of CloudTrail records in one pass.
pub(crate) fn read(text: &str, counts: &mut Counts, sink: &mut dyn FnMut(&Act<'_>)) -> Result<(), Broken> {
    stream(text, &RECORDS, &mut |cursor: &mut Cursor<'_>| {
        cursor.peek();
        let begin = cursor.at();
        let mut record = Record::default();
        let read = match scan::record(cursor, &mut record) {
            Ok(is_object) => is_object.then_some(&mut record).ok_or("a JSON object"),
            Err(broken) => {
                // Its bounds may still be found; if not, all that follows is lost, too.
                cursor.return_to(begin);
                cursor.skip()?;
                Err(broken.expected)
            }
        };
        tell(read, cursor.slice(begin, cursor.at()), begin, counts, sink);
        Ok(())
    })
}

/// Reads the same as [`read`] through serde_json: slower by several times, and simple.
pub(crate) fn read_slowly(text: &str, counts: &mut Counts, sink: &mut dyn FnMut(&Act<'_>)) -> Result<(), Broken> {
    values(text, &RECORDS, &mut |value, written, begin| {
        let mut read = value.and_then(|value| twin::record(value).ok_or("a JSON object"));
        tell(read.as_mut().map_err(|expected| *expected), written, begin, counts, sink);
    })
}

fn tell<'a>(
    read: Result<&mut Record<'a>, &'static str>,
    written: &'a str,
    at: usize,
    counts: &mut Counts,
    sink: &mut dyn FnMut(&Act<'_>),
) {
    match read.map_err(act::NoAct::Lacks).and_then(act::act_of) {
        Ok(act) => counts.act(act, written, sink),
        Err(act::NoAct::Insight) => counts.insights += 1,
        Err(act::NoAct::Lacks(expected)) => counts.bad(BadRecord { at, expected }),
    }
}

//! Records as Arrow columns read the same both ways, and as they were written.

use super::files::{Layout, batch, cells, layouts, write};
use crate::flow::schema::{FIELDS, Field};
use crate::scan::object::{Way, footer};
use crate::scan::records::RecordFile;
use crate::scan::{Binding, ObjectBytes, RecordCursors, ScanError};
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use proptest::prelude::*;
use std::sync::Arc;

/// All row groups of a file, one after the other, with the same cursors.
fn read(
    bytes: &[u8],
    fields: &[Field],
    way: Way,
    cursors: &mut RecordCursors,
) -> Result<Option<RecordBatch>, ScanError> {
    let bytes = Arc::new(ObjectBytes::Whole(bytes.to_vec().into()));
    let metadata = footer("x", &bytes)?;
    let binding = Arc::new(Binding::new("x", metadata.file_metadata().schema_descr(), fields)?);
    let groups = metadata.num_row_groups();
    let file = RecordFile::open("x", bytes, metadata, binding, fields.into())?.by(way);
    let mut batches = Vec::new();
    for group in 0..groups {
        let mut group = file.row_group(group, cursors)?;
        while let Some(batch) = file.next(&mut group, cursors)? {
            batches.push(batch);
        }
    }
    let Some(first) = batches.first() else { return Ok(None) };
    Ok(Some(concat_batches(&first.schema(), &batches).unwrap()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn both_ways_give_the_same_columns(cells in cells(900), layout in layouts()) {
        let file = write(&batch(&cells), layout);
        let mut cursors = RecordCursors::default();
        let direct = read(&file, FIELDS, Way::Direct, &mut cursors).unwrap().unwrap();
        let arrow = read(&file, FIELDS, Way::Arrow, &mut RecordCursors::default()).unwrap().unwrap();
        prop_assert_eq!(direct.num_rows(), cells.len());
        prop_assert_eq!(&direct, &arrow);
        // Fewer columns, by cursors that were used before, are the same columns.
        let few = [Field::Dstaddr, Field::Bytes, Field::Start, Field::NextHopAzId];
        let few_read = read(&file, &few, Way::Direct, &mut cursors).unwrap().unwrap();
        for field in few {
            prop_assert_eq!(&few_read[field.name()], &direct[field.name()]);
        }
        let none = read(&file, &[], Way::Direct, &mut cursors).unwrap().unwrap();
        prop_assert_eq!((none.num_rows(), none.num_columns()), (cells.len(), 0));
    }

    #[test]
    fn damage_is_an_error_or_seen_by_both_ways(
        cells in cells(300),
        layout in layouts(),
        at in any::<prop::sample::Index>(),
        bits in 1u8..,
    ) {
        let mut file = write(&batch(&cells), Layout { group_rows: 100, ..layout });
        let at = at.index(file.len());
        file[at] ^= bits;
        let direct = read(&file, FIELDS, Way::Direct, &mut RecordCursors::default());
        let arrow = read(&file, FIELDS, Way::Arrow, &mut RecordCursors::default());
        if let (Ok(direct), Ok(arrow)) = (direct, arrow) {
            prop_assert_eq!(direct, arrow);
        }
    }
}

//! Codes, predicates' results and dictionaries agree with the texts.

use super::files::{batch, cells, layouts, write};
use crate::DecodePath;
use crate::object::footer;
use crate::records::{RecordFile, Records, Selection};
use crate::{
    Binding, FIRST_INTERNED, Meaning, NONE, ObjectBytes, RecordCursors, TextNumbers, TextPredicate,
    dictionary_page_range, dictionary_passes, own_text_code,
};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::{DataType, UInt32Type};
use flow::schema::Field;
use parquet::file::reader::ChunkReader;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Numbers texts in the order of arrival.
#[derive(Debug, Default)]
struct ArrivalNumbers(Mutex<BTreeMap<String, u32>>);

impl TextNumbers for ArrivalNumbers {
    fn numbers(&self, texts: &[&str]) -> Vec<u32> {
        let mut book = self.0.lock().unwrap();
        let mut number = |text: &&str| {
            assert_eq!(own_text_code(text.as_bytes()), None, "{text} needs no number");
            let next = FIRST_INTERNED + book.len() as u32;
            *book.entry((*text).to_owned()).or_insert(next)
        };
        texts.iter().map(&mut number).collect()
    }
}

impl ArrivalNumbers {
    fn text(&self, code: u32) -> Option<String> {
        match code {
            NONE => None,
            FIRST_INTERNED.. => {
                let book = self.0.lock().unwrap();
                Some(book.iter().find(|(_, number)| **number == code).unwrap().0.clone())
            }
            bits => Some(std::net::Ipv4Addr::from_bits(bits).to_string()),
        }
    }
}

const FIELDS: [Field; 5] = [Field::Srcaddr, Field::Dstaddr, Field::Action, Field::InstanceId, Field::Bytes];

fn tests() -> [TextPredicate; 2] {
    let ends = |texts: &ArrayRef| {
        let of = |text: Option<&str>| Some(text.is_some_and(|text| text.ends_with(['7', 'T'])));
        Some(texts.as_string_view().iter().map(of).collect::<BooleanArray>())
    };
    let absent = |texts: &ArrayRef| arrow::compute::is_null(texts).ok();
    [Arc::new(ends), Arc::new(absent)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn codes_and_answers_are_those_of_the_texts(cells in cells(900), layout in layouts()) {
        let bytes = Arc::new(ObjectBytes::Whole(write(&batch(&cells), layout).into()));
        let metadata = footer("x", &bytes).unwrap();
        let binding = Arc::new(Binding::new("x", metadata.file_metadata().schema_descr(), &FIELDS).unwrap());
        let open = || {
            let asked = tests().into_iter().flat_map(|test| {
                [Field::Srcaddr, Field::Action, Field::InstanceId].map(|field| (field, test.clone()))
            });
            let mut asked: Vec<_> = asked.collect();
            asked.sort_by_key(|(field, _)| *field);
            RecordFile::open("x", bytes.clone(), metadata.clone(), binding.clone(), FIELDS.into()).unwrap().with_filter(4, asked.into())
        };
        let book = Arc::new(ArrivalNumbers::default());
        let plain = open().with_path(DecodePath::Native);
        let coded = open()
            .with_codes(Arc::new([Field::Srcaddr, Field::Dstaddr]), book.clone())
            .with_answers_only(Arc::new([Field::Action, Field::InstanceId]));
        let (mut theirs, mut ours) = (RecordCursors::default(), RecordCursors::default());
        for group in 0..metadata.num_row_groups() {
            let mut groups = (plain.row_group(group, &mut theirs).unwrap(), coded.row_group(group, &mut ours).unwrap());
            loop {
                let (mut answers, mut coded_answers) = (None, None);
                let texts = plain.next(&mut groups.0, &mut theirs, &mut |records: &Records| { answers = records.answers.clone(); Selection::All }).unwrap();
                let codes = coded.next(&mut groups.1, &mut ours, &mut |records: &Records| { coded_answers = records.answers.clone(); Selection::All }).unwrap();
                prop_assert_eq!(&answers, &coded_answers);
                let (Some(texts), Some(codes)) = (texts, codes) else { break };
                prop_assert_eq!(&texts["bytes"], &codes["bytes"]);
                // Columns read through Arrow hold texts.
                if answers.is_none() {
                    prop_assert_eq!(texts, codes);
                    continue;
                }
                prop_assert_eq!(codes["action"].data_type(), &DataType::Null);
                for field in ["srcaddr", "dstaddr"] {
                    let (texts, codes) = (texts[field].as_string_view(), codes[field].as_primitive::<UInt32Type>());
                    for (text, code) in texts.iter().zip(codes.values()) {
                        prop_assert_eq!(text.map(str::to_owned), book.text(*code));
                    }
                }
            }
        }
    }

    #[test]
    fn a_dictionary_has_no_text_that_no_row_has(cells in cells(300), layout in layouts()) {
        let bytes = ObjectBytes::Whole(write(&batch(&cells), layout).into());
        let metadata = footer("x", &bytes).unwrap();
        let bytes = Arc::new(bytes);
        let fields = [Field::Srcaddr, Field::InstanceId];
        let binding = Arc::new(Binding::new("x", metadata.file_metadata().schema_descr(), &fields).unwrap());
        let file = RecordFile::open("x", bytes.clone(), metadata.clone(), binding.clone(), fields.into()).unwrap().with_path(DecodePath::Arrow);
        for index in 0..metadata.num_row_groups() {
            let mut cursors = RecordCursors::default();
            let mut group = file.row_group(index, &mut cursors).unwrap();
            let mut passed = [[false; 2]; 2];
            while let Some(batch) = file.next(&mut group, &mut cursors, &mut |_| Selection::All).unwrap() {
                for (passed, column) in passed.iter_mut().zip(batch.columns()) {
                    for (passed, test) in passed.iter_mut().zip(tests()) {
                        *passed |= test(column).unwrap().true_count() > 0;
                    }
                }
            }
            for ((_, leaves), passed) in binding.fields.iter().zip(passed) {
                let chunk = metadata.row_group(index).column(leaves[0].number);
                let Some(range) = dictionary_page_range(chunk) else { continue };
                let page = bytes.get_bytes(range.start, (range.end - range.start) as usize).unwrap();
                let passes = dictionary_passes(chunk, page.clone(), &tests(), Meaning::Text).unwrap();
                // A dictionary has no text that no row has, but cannot show whether a text is missing.
                prop_assert!(passes[0] == passed[0] && passes[1] >= passed[1], "{:?} {:?}", passes, passed);
                prop_assert_eq!(dictionary_passes(chunk, page.slice(..page.len() / 2), &tests(), Meaning::Text), None);
            }
        }
    }
}

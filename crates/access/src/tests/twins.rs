//! The scanner against its slow twin.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::made::any_record;
use super::owned;
use crate::error::Broken;
use crate::read::Counts;
use crate::{Act, cloudtrail};

type Read = fn(&str, &mut Counts, &mut dyn FnMut(&Act<'_>)) -> Result<(), Broken>;

pub(super) fn through(read: Read, text: &str) -> Result<(Counts, Vec<Act<'static>>), Broken> {
    let (mut counts, mut acts) = (Counts::default(), Vec::new());
    read(text, &mut counts, &mut |act| acts.push(owned(act)))?;
    Ok((counts, acts))
}

/// Checks that both read the same of a text: the same acts, the same records skipped, the same places.
pub(super) fn same(text: &str) -> usize {
    let (mut fast, mut slow) =
        (through(cloudtrail::read, text).unwrap(), through(cloudtrail::read_slowly, text).unwrap());
    // The scanner says what it expected where a value broke off, the twin only that it did.
    for counts in [&mut fast.0, &mut slow.0] {
        counts.first_bad.iter_mut().for_each(|bad| bad.expected = "");
    }
    assert_eq!(fast, slow);
    fast.1.len()
}

fn containers(records: &[Value]) -> Vec<String> {
    let lines: Vec<String> = records.iter().map(Value::to_string).collect();
    let wrapped = |record: &Value| json!({"detail-type": "AWS API Call via CloudTrail", "detail": record}).to_string();
    let message = |record: &Value| json!({"id": "1", "message": record.to_string()});
    vec![
        json!({"Records": records}).to_string(),
        serde_json::to_string_pretty(&json!({"Records": records})).unwrap(),
        Value::from(records.to_vec()).to_string(),
        lines.join("\n"),
        lines.concat(),
        records.iter().map(wrapped).collect(),
        json!({"logGroup": "g", "logEvents": records.iter().map(message).collect::<Vec<_>>()}).to_string(),
    ]
}

proptest! {
    #[test]
    fn every_container_holds_the_same_for_both(records in prop::collection::vec(any_record(), 0..6)) {
        let mut counts = Vec::new();
        for text in containers(&records) {
            counts.push(same(&text));
        }
        prop_assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
    }

    /// Where serde_json reads a text whole, the scanner reads the same, whatever was changed in it.
    #[test]
    fn both_read_the_same_of_changed_texts(
        records in prop::collection::vec(any_record(), 1..4),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0u8..128), 1..4),
    ) {
        let mut text = json!({"Records": records}).to_string().into_bytes();
        for (at, byte) in changes {
            let at = at.index(text.len());
            text[at] = byte;
        }
        let text = crate::read::readable(&text);
        let fast = through(cloudtrail::read, &text);
        if serde_json::from_str::<Value>(&text).is_ok() {
            prop_assert!(fast.is_ok());
            same(&text);
        }
    }
}

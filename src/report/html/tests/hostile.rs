//! Hostile words in every field that holds words.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What an attacker would write into a tag, a key or a feed.
pub(super) const WORDS: &str = "</script></style></title><script>window.PWNED=1</script>\
    <img src=x onerror=window.PWNED=1><svg onload=window.PWNED=1>\"'`><a href=javascript:window.PWNED=1>\
    <!--\u{202e}\u{0}\u{1b}[2J\u{2028}\u{9b}&lt;&#x3c;${window.PWNED=1}";

/// Returns a value with hostile words in each of its texts, keys of maps included. Texts that must be addresses, times
/// or words of the program stay: those that cannot be read back otherwise.
pub(super) fn hostile<T: Serialize + DeserializeOwned>(value: &T) -> T {
    let mut json = serde_json::to_value(value).unwrap();
    let mut pointers = Vec::new();
    texts(&json, "", &mut pointers);
    let replaced = pointers.iter().filter(|pointer| {
        let Some(place) = json.pointer_mut(pointer) else { return false };
        let kept = std::mem::replace(place, Value::String(format!("{pointer} {WORDS}")));
        let fits = serde_json::from_value::<T>(json.clone()).is_ok();
        if !fits && let Some(place) = json.pointer_mut(pointer) {
            *place = kept;
        }
        fits
    });
    assert!(replaced.count() > 0, "no text was found");
    for map in ["/evidence", "/graph/left_out"] {
        if let Some(Value::Object(map)) = json.pointer_mut(map) {
            map.insert(WORDS.to_owned(), 1.into());
        }
    }
    serde_json::from_value(json).unwrap()
}

/// Finds the texts in a value, by their pointers.
fn texts(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::String(_) => found.push(at.to_owned()),
        Value::Array(items) => items.iter().enumerate().for_each(|(n, item)| texts(item, &format!("{at}/{n}"), found)),
        Value::Object(map) => map.iter().for_each(|(name, item)| texts(item, &format!("{at}/{name}"), found)),
        _ => {}
    }
}

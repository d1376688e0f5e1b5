//! The options of a sink: pairs behind `?` of its URL, or behind `#` where the receiver has parameters of its own.

use std::collections::BTreeMap;

/// The options of a sink by name, each given once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Options(BTreeMap<String, String>);

/// The names that are options; other pairs of a query belong to the receiver.
pub(crate) const NAMES: [&str; 8] = ["body", "digest", "endpoint", "heartbeat", "least", "name", "region", "secret"];

impl Options {
    /// Splits the options from a sink's text: returns the text without them. A fragment holds options only, and then the
    /// query is the receiver's as it stands.
    ///
    /// # Errors
    /// Text that names an option which is given twice, or is unknown where only options may stand.
    pub(crate) fn split(text: &str) -> Result<(String, Self), String> {
        let mut options = Self::default();
        if let Some((target, fragment)) = text.split_once('#') {
            for (name, value) in pairs(fragment) {
                options.put(&name, value)?;
            }
            return Ok((target.to_owned(), options));
        }
        let Some((target, query)) = text.split_once('?') else { return Ok((text.to_owned(), options)) };
        let mut others = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = decoded(pair);
            match NAMES.contains(&name.as_str()) {
                true => options.put(&name, value)?,
                false => others.push(pair),
            }
        }
        let target = match others.is_empty() {
            true => target.to_owned(),
            false => format!("{target}?{}", others.join("&")),
        };
        Ok((target, options))
    }

    /// Puts an option.
    ///
    /// # Errors
    /// Text when it is unknown or given twice.
    pub(crate) fn put(&mut self, name: &str, value: String) -> Result<(), String> {
        if !NAMES.contains(&name) {
            return Err(format!("unknown option `{name}`; known are {}", NAMES.join(", ")));
        }
        match self.0.insert(name.to_owned(), value) {
            None => Ok(()),
            Some(_) => Err(format!("option `{name}` is given twice")),
        }
    }

    /// Takes what `other` has in place of its own.
    pub(crate) fn overlay(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Removes an option and returns its value.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    /// Returns the name of an option that is left.
    pub(crate) fn left(&self) -> Option<&str> {
        self.0.keys().next().map(String::as_str)
    }

    /// Removes an option that is on or off.
    ///
    /// # Errors
    /// Text when it is neither.
    pub(crate) fn switch(&mut self, name: &str, default: bool) -> Result<bool, String> {
        match self.take(name).as_deref() {
            None => Ok(default),
            Some("on") => Ok(true),
            Some("off") => Ok(false),
            Some(other) => Err(format!("option {name}: got `{other}`, expected on or off")),
        }
    }
}

fn pairs(text: &str) -> impl Iterator<Item = (String, String)> {
    text.split('&').filter(|pair| !pair.is_empty()).map(decoded)
}

fn decoded(pair: &str) -> (String, String) {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    (percent_decoded(name), percent_decoded(value))
}

/// Returns a text with `%2F` and the like resolved; what is no such code stays.
fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = (bytes[at] == b'%').then(|| bytes.get(at + 1..at + 3)).flatten();
        let code = code.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match code {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_split_from_the_parameters_of_the_receiver() {
        let (target, mut options) = Options::split("https://h/p?least=high&sig=a%2Fb&secret=file%3A/x").unwrap();
        assert_eq!(target, "https://h/p?sig=a%2Fb");
        assert_eq!(options.take("secret").as_deref(), Some("file:/x"));
        assert_eq!(options.take("least").as_deref(), Some("high"));
        assert_eq!(options.left(), None);
        let (target, mut options) = Options::split("https://h/p?body=theirs#body=slack").unwrap();
        assert_eq!((target.as_str(), options.take("body").as_deref()), ("https://h/p?body=theirs", Some("slack")));
        assert!(Options::split("https://h/p#bdy=slack").unwrap_err().contains("unknown option `bdy`"));
        assert!(Options::split("https://h/p?least=low&least=high").unwrap_err().contains("twice"));
    }
}

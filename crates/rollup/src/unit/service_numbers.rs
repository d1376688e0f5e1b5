//! Numbers for the AWS services of a unit.

use super::packed::NO_SERVICE;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// AWS services by their number in the interner, numbered from 0 in order of arrival.
#[derive(Debug, Default)]
pub(crate) struct ServiceNumbers {
    numbers: HashMap<u32, u16, FixedState>,
    texts: Vec<u32>,
    /// There were more services than a record can number. Then all are left out, since which ones fit would depend on
    /// the order of arrival.
    overflown: bool,
}

impl ServiceNumbers {
    /// Returns the number of a service, which is added when it is new; [`NO_SERVICE`] when there are too many.
    pub(crate) fn number(&mut self, text: u32) -> u16 {
        if let Some(number) = self.numbers.get(&text) {
            return *number;
        }
        let Some(number) = u16::try_from(self.texts.len()).ok().filter(|number| *number != NO_SERVICE) else {
            self.overflown = true;
            return NO_SERVICE;
        };
        self.numbers.insert(text, number);
        self.texts.push(text);
        number
    }

    /// Returns the rank of each service in the order of names, and the names by rank; nothing when there were too many.
    pub(crate) fn ranked<'a>(&self, texts: &'a [String]) -> (Vec<u16>, Vec<&'a str>) {
        if self.overflown {
            return (Vec::new(), Vec::new());
        }
        let text = |number: &u32| texts.get(*number as usize).map_or("", String::as_str);
        let mut sorted: Vec<&str> = self.texts.iter().map(text).collect();
        sorted.sort_unstable();
        let rank = |number: &u32| sorted.binary_search(&text(number)).map_or(NO_SERVICE, |rank| rank as u16);
        (self.texts.iter().map(rank).collect(), sorted)
    }
}

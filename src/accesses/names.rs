//! Texts by number, so that sets of them are sets of numbers.

use std::collections::HashMap;

/// Texts, each once, numbered in the order in which they came.
#[derive(Debug, Clone, Default)]
pub struct Names {
    numbers: HashMap<String, u32>,
    texts: Vec<String>,
}

impl Names {
    /// Returns the number of a text.
    pub fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.texts.len() as u32;
        self.numbers.insert(text.to_owned(), number);
        self.texts.push(text.to_owned());
        number
    }

    /// Returns the text of a number that this gave out.
    pub fn text(&self, number: u32) -> &str {
        self.texts.get(number as usize).map_or("", String::as_str)
    }

    /// Returns the texts of numbers, sorted, at most `most` of them.
    pub fn sorted(&self, numbers: impl Iterator<Item = u32>, most: usize) -> Vec<&str> {
        let mut texts: Vec<&str> = numbers.map(|number| self.text(number)).collect();
        texts.sort_unstable();
        texts.truncate(most);
        texts
    }
}

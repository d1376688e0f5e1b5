//! The documentation of one function, kept next to its code.

/// The documentation of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionDoc {
    /// Its name.
    pub name: &'static str,
    /// Its group, such as `addresses`.
    pub group: &'static str,
    /// The call syntax; arguments in brackets may be left out.
    pub call: &'static str,
    /// What it returns, with units and ranges.
    pub returns: &'static str,
    /// A worked example: an expression, or a whole query for an aggregate.
    pub example: &'static str,
    /// The result of the example, as text; empty for NULL.
    pub result: &'static str,
}

impl FunctionDoc {
    /// Returns the example as a query.
    pub fn query(&self) -> String {
        if self.example.starts_with("SELECT") { self.example.to_owned() } else { format!("SELECT {}", self.example) }
    }
}

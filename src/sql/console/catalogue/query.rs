//! One query of the catalogue.

use super::error::CatalogueError;
use super::parameter::QueryParameter;
use crate::sql::{Literal, bind};
use std::collections::BTreeMap;

/// A question with its SQL.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The file's name without `.sql`.
    pub name: String,
    /// What it asks.
    pub question: String,
    /// Where the question comes from; empty for flowsift's own.
    pub origin: String,
    /// What the query reads.
    pub cost: String,
    /// Its parameters.
    pub parameters: Vec<QueryParameter>,
    /// Its columns and their contents.
    pub columns: Vec<QueryColumn>,
    /// The SQL, header included.
    pub sql: String,
}

/// A column of a query's result.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryColumn {
    /// Its name.
    pub name: String,
    /// What the column holds.
    pub about: String,
}

impl Query {
    /// Binds values, given as text, to the parameters and returns the SQL. Relative times count back from `now_s`.
    ///
    /// Values become literals of the parameter's type and can never be read as SQL.
    ///
    /// # Errors
    /// [`CatalogueError`] when a name is unknown, a value is missing or not of the parameter's type.
    pub fn bind(&self, given: &[(String, String)], now_s: i64) -> Result<String, CatalogueError> {
        let name = || self.name.clone();
        if let Some((unknown, _)) = given.iter().find(|(name, _)| !self.parameters.iter().any(|p| p.name == *name)) {
            let known: Vec<&str> = self.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
            let known = match known.is_empty() {
                true => "it has none".to_owned(),
                false => format!("it has {}", known.join(", ")),
            };
            return Err(CatalogueError::Parameter { name: name(), parameter: unknown.clone(), known });
        }
        let mut values: BTreeMap<String, Literal> = BTreeMap::new();
        for parameter in &self.parameters {
            // The last value given counts, as with options.
            let text = given.iter().rev().find(|(name, _)| *name == parameter.name).map(|(_, value)| value);
            let text = text.or(parameter.default.as_ref()).ok_or_else(|| CatalogueError::Missing {
                name: name(),
                parameter: parameter.name.clone(),
                about: parameter.about.clone(),
            })?;
            let literal = parameter.kind.read(text, now_s).map_err(|expected| CatalogueError::Value {
                name: name(),
                parameter: parameter.name.clone(),
                got: text.clone(),
                expected,
            })?;
            values.insert(parameter.name.clone(), literal);
        }
        Ok(bind(&self.name, &self.sql, &values)?)
    }

    /// Returns the SQL without its header.
    pub fn body(&self) -> &str {
        body(&self.sql)
    }
}

/// Removes the header from the SQL of a query.
pub fn body(sql: &str) -> &str {
    let mut rest = sql;
    while let Some((line, after)) = rest.split_once('\n')
        && line.starts_with("--")
    {
        rest = after;
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::super::header;

    #[test]
    fn values_are_checked_and_never_read_as_sql() {
        let query = header::parse(
            "q",
            "-- question: what?\n-- cost: none\n-- parameter who address: whom\n-- parameter n integer = 5: rows\n\
             -- parameter from time = 1970-01-01: first\n-- column x: it\nSELECT $who, $n, $from",
        )
        .unwrap();
        let given = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let sql = query.bind(&given(&[("who", "10.0.0.1"), ("from", "1h")]), 7200).unwrap();
        assert!(sql.ends_with("SELECT '10.0.0.1', (5), arrow_cast(3600, 'Timestamp(Second, Some(\"UTC\"))')"), "{sql}");
        for (pairs, message) in [
            (given(&[]), "query q needs --param who=…: whom"),
            (given(&[("who", "x'; DROP")]), "query q, --param who: `x'; DROP` is not an address such as 10.0.0.1"),
            (given(&[("whom", "1")]), "query q has no parameter `whom`; it has who, n, from"),
            (given(&[("who", "::1"), ("n", "1.5")]), "query q, --param n: `1.5` is not a whole number"),
        ] {
            assert_eq!(query.bind(&pairs, 0).unwrap_err().to_string(), message);
        }
    }
}

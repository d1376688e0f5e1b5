//! Parameters of the catalogue's queries and the types of their values.

use crate::sql::Literal;
use flow::time::{parse_duration_s, parse_time};
use flow::{Address, Network};

/// A parameter of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryParameter {
    /// Its name, `$name` in the SQL.
    pub name: String,
    /// The type of its value.
    pub kind: ParameterType,
    /// The default, as text; without one, a value must be given.
    pub default: Option<String>,
    /// Its unit and effect.
    pub about: String,
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterType {
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A text.
    Text,
    /// An IPv4 or IPv6 address; bound as text in its shortest form.
    Address,
    /// Addresses and networks separated by commas; bound as text.
    Networks,
    /// RFC 3339, a date, or relative as `24h`; bound as a timestamp of seconds in UTC.
    Time,
    /// `45s`, `30m`, `24h` or `7d`; bound as seconds.
    Duration,
}

impl ParameterType {
    /// The names of all types, as headers write them.
    pub const NAMES: [&str; 8] = ["integer", "number", "boolean", "text", "address", "networks", "time", "duration"];

    const ALL: [ParameterType; 8] = [
        ParameterType::Integer,
        ParameterType::Number,
        ParameterType::Boolean,
        ParameterType::Text,
        ParameterType::Address,
        ParameterType::Networks,
        ParameterType::Time,
        ParameterType::Duration,
    ];

    /// Reads the name of a type.
    pub fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().position(|known| *known == name).map(|at| Self::ALL[at])
    }

    /// Returns the name of the type.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().position(|kind| *kind == self).map_or("", |at| Self::NAMES[at])
    }

    /// Reads a value; relative times count back from `now_s`.
    ///
    /// # Errors
    /// What was expected, worded to follow "is not".
    pub fn read(self, text: &str, now_s: i64) -> Result<Literal, String> {
        let text = text.trim();
        match self {
            ParameterType::Integer => text.parse().map(Literal::Integer).map_err(|_| "a whole number".to_owned()),
            ParameterType::Number => {
                let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
                number.map(Literal::Float).ok_or_else(|| "a number".to_owned())
            }
            ParameterType::Boolean => text.parse().map(Literal::Boolean).map_err(|_| "true or false".to_owned()),
            ParameterType::Text => Ok(Literal::Text(text.to_owned())),
            ParameterType::Address => {
                let address = text.parse::<Address>().map_err(|_| "an address such as 10.0.0.1".to_owned())?;
                Ok(Literal::Text(address.to_string()))
            }
            ParameterType::Networks => {
                let words = text.split([',', ' ']).filter(|word| !word.is_empty());
                let networks = words.map(str::parse::<Network>).collect::<Result<Vec<Network>, _>>();
                let networks =
                    networks.map_err(|_| "a list of networks such as 10.0.0.0/8,192.168.0.0/16".to_owned())?;
                let texts: Vec<String> = networks.iter().map(Network::to_string).collect();
                Ok(Literal::Text(texts.join(",")))
            }
            ParameterType::Time => {
                parse_time(text, now_s).map(Literal::Time).map_err(|error| format!("a {}", error.expected))
            }
            ParameterType::Duration => {
                parse_duration_s(text).map(Literal::Integer).map_err(|error| format!("a {}", error.expected))
            }
        }
    }
}

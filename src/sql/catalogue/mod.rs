//! The catalogue of questions: `queries/explore/*.sql`, each with a header that says what it asks and what it takes.

mod header;
mod page;
mod parameter;

pub use page::{markdown, shown, table};
pub use parameter::{Kind, Parameter};

use super::literal::{Literal, bind};
use super::near::nearest;
use std::collections::BTreeMap;

/// A question with its SQL.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The file's name without `.sql`.
    pub name: String,
    /// What it asks.
    pub question: String,
    /// Where it comes from; empty for flowsift's own.
    pub origin: String,
    /// What it reads.
    pub cost: String,
    /// What it takes.
    pub parameters: Vec<Parameter>,
    /// Its columns and what they hold.
    pub columns: Vec<(String, String)>,
    /// The SQL, header included.
    pub sql: String,
}

/// Says why a query of the catalogue cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// A file has a wrong header.
    #[error("query {name}, line {line}: {problem}")]
    Header {
        /// Name of the query.
        name: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong and what was expected.
        problem: String,
    },
    /// There is no query of that name.
    #[error("no query `{name}`{}; `flowsift query --list` names all", hint(.near))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What is called nearly so.
        near: Option<String>,
    },
    /// A parameter is not one of the query's.
    #[error("query {name} has no parameter `{parameter}`; {known}")]
    Parameter {
        /// Name of the query.
        name: String,
        /// What was given.
        parameter: String,
        /// What it has.
        known: String,
    },
    /// A parameter without default has no value.
    #[error("query {name} needs --param {parameter}=…: {about}")]
    Missing {
        /// Name of the query.
        name: String,
        /// The parameter.
        parameter: String,
        /// Its meaning.
        about: String,
    },
    /// A value is not of the parameter's type.
    #[error("query {name}, --param {parameter}: `{got}` is not {expected}")]
    Value {
        /// Name of the query.
        name: String,
        /// The parameter.
        parameter: String,
        /// What was given.
        got: String,
        /// What was expected.
        expected: String,
    },
    /// The SQL names what the header does not.
    #[error(transparent)]
    Sql(#[from] super::SqlError),
}

fn hint(near: &Option<String>) -> String {
    near.as_ref().map(|near| format!(", did you mean `{near}`?")).unwrap_or_default()
}

macro_rules! queries {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../../queries/explore/", $name, ".sql")))),*]
    };
}

const BUILT_IN: &[(&str, &str)] = queries! {
    "accepted_traffic"
    "active_at"
    "admin_port_traffic"
    "all_but_internal"
    "beacon_candidates"
    "before_and_after"
    "clock_keepers"
    "coverage_gaps"
    "cross_az_cost"
    "cross_az_traffic"
    "daily_transfer_report"
    "daily_trend"
    "database_traffic"
    "exposed_services"
    "external_ingress"
    "first_contacts"
    "flows_between"
    "high_packet_traffic"
    "host_day"
    "host_profile"
    "hourly_outliers"
    "https_bytes_by_instance"
    "inbound_ports"
    "indicator_contacts"
    "internal_only"
    "ip_pairs_by_records"
    "ipv4_traffic"
    "ipv6_traffic"
    "large_data_transfer"
    "long_sessions"
    "nat_bytes_by_subnet"
    "nat_cost"
    "next_hop_paths"
    "odd_ports"
    "off_hours_traffic"
    "pair_summary_by_bytes"
    "peers_two_hops"
    "port_scans"
    "port_sweeps"
    "preview"
    "private_to_public"
    "quads_by_bytes"
    "rare_networks"
    "rdp_traffic"
    "regular_intervals"
    "rejected_egress"
    "rejected_tcp_traffic"
    "rejected_traffic"
    "shared_remotes"
    "size_profile"
    "skipdata_windows"
    "sources_first_last_seen"
    "ssh_rdp_traffic"
    "ssh_traffic"
    "syn_beacons"
    "top_bytes_in_subnet"
    "top_packets"
    "top_talkers"
    "top_talkers_packet_level"
    "top_talking_instances"
    "top_talking_subnets"
    "top_tcp_traffic"
    "total_bytes_transferred"
    "total_bytes_transferred_packet_level"
    "traffic_by_tag"
    "traffic_from_address"
    "traffic_matrix"
    "traffic_to_address"
    "transfer_ratio"
    "udp_sources"
    "unapproved_dns"
    "unauthorised_attempts"
    "unusual_protocols"
    "upload_hours"
    "who_talked_to"
};

/// All queries, sorted by name.
///
/// # Errors
/// [`CatalogueError::Header`]; a test keeps the built-in ones free of it.
pub fn built_in() -> Result<Vec<Query>, CatalogueError> {
    BUILT_IN.iter().map(|(name, sql)| header::parse(name, sql)).collect()
}

/// Finds a query by its name; `-` and `_` are the same.
///
/// # Errors
/// [`CatalogueError::Unknown`] with a name that is near, [`CatalogueError::Header`].
pub fn find(name: &str) -> Result<Query, CatalogueError> {
    let wanted = name.to_ascii_lowercase().replace('-', "_");
    match BUILT_IN.iter().find(|(known, _)| *known == wanted) {
        Some((known, sql)) => header::parse(known, sql),
        None => {
            let near = nearest(&wanted, BUILT_IN.iter().map(|(name, _)| *name)).map(str::to_owned);
            Err(CatalogueError::Unknown { name: name.to_owned(), near })
        }
    }
}

impl Query {
    /// Binds values, given as texts, to the parameters, and gives the SQL. `now_s` is what relative times count from.
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
            // The last one given counts, as with options.
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

    /// The SQL without its header.
    pub fn body(&self) -> &str {
        body(&self.sql)
    }
}

/// Cuts the header off the SQL of a query.
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
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_file_is_in_the_catalogue_and_has_a_whole_header() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("queries/explore");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        files.sort();
        let queries = built_in().unwrap();
        assert_eq!(queries.iter().map(|query| query.name.clone()).collect::<Vec<_>>(), files);
        for query in &queries {
            assert!(query.question.ends_with('?') && !query.cost.is_empty(), "{}", query.name);
            assert!(!query.columns.is_empty(), "{} names no columns", query.name);
            let body = query.body();
            for parameter in &query.parameters {
                assert!(body.contains(&format!("${}", parameter.name)), "{}: {} unused", query.name, parameter.name);
                assert!(parameter.about.len() > 3, "{}: {}", query.name, parameter.name);
                if let Some(default) = &parameter.default {
                    parameter.kind.read(default, 0).unwrap_or_else(|e| panic!("{}: {default} is not {e}", query.name));
                }
            }
            assert!(body.contains("ORDER BY") || query.columns.len() < 4, "{}: rows in no order", query.name);
        }
        assert!(queries.iter().map(|query| &query.question).collect::<BTreeSet<_>>().len() == queries.len());
    }

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

    #[test]
    fn near_names_are_suggested() {
        let said = find("top_talker").unwrap_err().to_string();
        assert_eq!(said, "no query `top_talker`, did you mean `top_talkers`?; `flowsift query --list` names all");
        assert_eq!(find("top-talkers").unwrap().name, "top_talkers");
        assert!(find("xyzzyxyzzyxyzzy").unwrap_err().to_string().starts_with("no query `xyzzyxyzzyxyzzy`; "));
    }
}

//! Where a source is: its network, its subnet and its country.

use std::collections::BTreeMap;

use access::AccessHour;
use flow::Address;

/// What is known of addresses before any log is read.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The owner of an address, if a list names one.
    pub owner_of: &'a dyn Fn(Address) -> Option<&'a str>,
    /// Whether an address is one of the user's own.
    pub is_internal: &'a dyn Fn(Address) -> bool,
}

impl std::fmt::Debug for Surroundings<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Surroundings")
    }
}

/// Where a source is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The owner by a list; else the network by any log that names it; else the subnet.
    pub network: String,
    /// The /24 or /48; of what is no address, the source itself.
    pub subnet: String,
    /// The country, if a log names it.
    pub country: String,
    /// The address, if it is one.
    pub address: Option<Address>,
    /// Whether that is one of the user's own.
    pub is_internal: bool,
}

/// All sources of the logs with their places.
#[derive(Debug, Clone, Default)]
pub struct Places {
    by_source: BTreeMap<String, Place>,
}

/// What logs say of a subnet: the network and the country, if all that say one say the same.
#[derive(Debug, Clone, Default)]
struct Said<'a> {
    network: Option<Option<&'a str>>,
    country: Option<Option<&'a str>>,
}

fn say<'a>(said: &mut Option<Option<&'a str>>, text: &'a str) {
    if !text.is_empty() {
        *said = match *said {
            None => Some(Some(text)),
            Some(before) => Some(before.filter(|before| *before == text)),
        };
    }
}

impl Places {
    /// Returns the places of all sources of rows. What one log says of a subnet holds in all logs.
    pub fn of(rows: &[AccessHour<'_>], surroundings: &Surroundings<'_>) -> Self {
        let mut of_subnet: BTreeMap<String, Said<'_>> = BTreeMap::new();
        let mut sources: BTreeMap<&str, (Option<Address>, String)> = BTreeMap::new();
        for row in rows {
            let (_, subnet) = sources.entry(row.source).or_insert_with(|| {
                let address = Address::parse(row.source.as_bytes());
                (address, address.map_or_else(|| row.source.to_owned(), subnet_of))
            });
            if !row.network.is_empty() || !row.country.is_empty() {
                let said = of_subnet.entry(subnet.clone()).or_default();
                say(&mut said.network, row.network);
                say(&mut said.country, row.country);
            }
        }
        let place = |(source, (address, subnet)): (&str, (Option<Address>, String))| {
            let said = of_subnet.get(&subnet);
            let is_internal = address.is_some_and(|address| (surroundings.is_internal)(address));
            let owner = address.filter(|_| !is_internal).and_then(|address| (surroundings.owner_of)(address));
            let network = owner.or_else(|| said.and_then(|said| said.network.flatten()));
            let place = Place {
                network: network.map_or_else(|| subnet.clone(), str::to_owned),
                country: said.and_then(|said| said.country.flatten()).unwrap_or_default().to_owned(),
                subnet,
                address,
                is_internal,
            };
            (source.to_owned(), place)
        };
        Self { by_source: sources.into_iter().map(place).collect() }
    }

    /// Returns where a source of the rows is.
    pub fn place(&self, source: &str) -> Place {
        self.by_source.get(source).cloned().unwrap_or_default()
    }

    /// Returns the network of a source of the rows.
    pub fn network(&self, source: &str) -> &str {
        self.by_source.get(source).map_or("", |place| &place.network)
    }

    /// Returns the subnet of a source of the rows.
    pub fn subnet(&self, source: &str) -> &str {
        self.by_source.get(source).map_or("", |place| &place.subnet)
    }

    /// Returns the country of a source of the rows.
    pub fn country(&self, source: &str) -> &str {
        self.by_source.get(source).map_or("", |place| &place.country)
    }
}

/// Returns the /24 of an IPv4 address and the /48 of another.
fn subnet_of(address: Address) -> String {
    let (bits, length) = match address.is_v4() {
        true => (address.bits() & !0xff, 24),
        false => (address.bits() >> 80 << 80, 48),
    };
    format!("{}/{length}", Address::from_bits(bits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use access::{AccessHours, Act, Log};

    #[test]
    fn what_one_log_says_of_a_network_holds_in_all() {
        let mut hours = AccessHours::default();
        let mut add = |log, source: &'static str, network: &'static str| {
            let mut act = Act::new(log, 0);
            (act.source, act.network, act.principal) = (source.into(), network.into(), "p".into());
            hours.add(&act);
        };
        add(Log::Okta, "198.51.100.7", "AS64500");
        add(Log::CloudTrail, "198.51.100.9", "");
        add(Log::Okta, "203.0.113.1", "AS1");
        add(Log::Okta, "203.0.113.2", "AS2");
        add(Log::CloudTrail, "203.0.113.3", "");
        add(Log::CloudTrail, "192.0.2.1", "");
        add(Log::CloudTrail, "2001:db8:1:2::3", "");
        add(Log::CloudTrail, "ssm.amazonaws.com", "");
        let owner_of = |address: Address| (address.to_string() == "192.0.2.1").then_some("Example");
        let is_internal = |_| false;
        let places = Places::of(&hours.rows(), &Surroundings { owner_of: &owner_of, is_internal: &is_internal });
        assert_eq!(places.network("198.51.100.9"), "AS64500");
        assert_eq!(places.network("203.0.113.3"), "203.0.113.0/24");
        assert_eq!((places.network("192.0.2.1"), places.subnet("192.0.2.1")), ("Example", "192.0.2.0/24"));
        assert_eq!(places.network("2001:db8:1:2::3"), "2001:db8:1::/48");
        assert_eq!(places.network("ssm.amazonaws.com"), "ssm.amazonaws.com");
    }
}

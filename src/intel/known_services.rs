//! Public resolvers and time servers that anyone may ask, by address and port.

use super::ranges::RangeMap;
use flow::codes::{TCP, UDP};
use flow::{Address, Network};
use std::sync::LazyLock;

/// The list that comes with the program; its head says where the rows are from.
const LIST: &str = include_str!("known_services.csv");

static SERVICES: LazyLock<RangeMap<(Service, &str)>> = LazyLock::new(|| {
    let rows = LIST.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut fields = line.splitn(3, ',');
        let network: Network = fields.next()?.parse().ok()?;
        let service = match fields.next()? {
            "dns" => Service::Names,
            _ => Service::Time,
        };
        Some((network, (service, fields.next()?)))
    });
    RangeMap::build(rows)
});

/// What a listed address serves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Service {
    /// Names: DNS, or DNS over TLS.
    Names,
    /// The time.
    Time,
}

/// Returns the operator of the public resolver or time server that `port` and `protocol` of `remote` are, such as
/// `Quad9`; `None` for any other address, and for other ports of a listed one.
pub fn known_service(remote: Address, port: u16, protocol: u8) -> Option<&'static str> {
    let asked = match (port, protocol) {
        (53, TCP | UDP) | (853, TCP) => Service::Names,
        (123, UDP) => Service::Time,
        _ => return None,
    };
    SERVICES.matches(remote).flat_map(|(_, rows)| rows).find(|(service, _)| *service == asked).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_list_is_read() {
        let rows = LIST.lines().filter(|line| !line.starts_with('#')).count();
        let kinds = |word: &str| LIST.lines().filter(|line| line.split(',').nth(1) == Some(word)).count();
        assert_eq!(SERVICES.iter().count(), rows, "a row is damaged or given twice");
        assert_eq!(kinds("dns") + kinds("ntp"), rows);
    }

    #[test]
    fn an_address_is_known_on_the_port_that_it_serves() {
        let known = |address: &str, port, protocol| known_service(address.parse().unwrap(), port, protocol);
        assert_eq!(known("9.9.9.9", 53, UDP), Some("Quad9"));
        assert_eq!(known("9.9.9.9", 853, TCP), Some("Quad9"));
        assert_eq!(known("2001:4860:4860::8888", 53, TCP), Some("Google Public DNS"));
        assert_eq!(known("17.253.14.251", 123, UDP), Some("Apple"));
        for (address, port, protocol) in [("9.9.9.9", 443, TCP), ("9.9.9.9", 123, UDP), ("192.0.2.1", 53, UDP)] {
            assert_eq!(known(address, port, protocol), None, "{address} {port}");
        }
    }
}

//! Names the ENI of findings that name none, by their host: it tells coverage, instance and VPC.

use super::finding::Finding;
use arrow::array::{Array, AsArray, RecordBatch};
use flow::Address;
use std::collections::HashMap;

/// Account, region and ENI of a host.
type Place<'a> = (&'a str, &'a str, &'a str);

/// Fills in the ENI of findings without one from `hosts`, where account and region, as far as they are given, leave no
/// doubt.
pub(super) fn name_interfaces(findings: &mut [Finding], hosts: &RecordBatch) {
    if findings.iter().all(|finding| finding.interface_id.is_some()) {
        return;
    }
    let places = places(hosts);
    for finding in findings.iter_mut().filter(|finding| finding.interface_id.is_none()) {
        let agrees = |given: &Option<String>, known: &str| given.as_deref().is_none_or(|given| given == known);
        let of_host = places.get(&finding.host).into_iter().flatten();
        let mut of_host =
            of_host.filter(|place| agrees(&finding.account_id, place.0) && agrees(&finding.region, place.1));
        if let (Some(place), None) = (of_host.next(), of_host.next()) {
            finding.interface_id = Some(place.2.to_owned());
        }
    }
}

fn places(hosts: &RecordBatch) -> HashMap<Address, Vec<Place<'_>>> {
    let text = |name: &str| hosts.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
    let addresses = hosts.column_by_name("host").and_then(|column| column.as_fixed_size_binary_opt());
    let mut places: HashMap<Address, Vec<Place<'_>>> = HashMap::new();
    let (Some(accounts), Some(regions), Some(interfaces), Some(addresses)) =
        (text("account_id"), text("region"), text("interface_id"), addresses)
    else {
        return places;
    };
    for row in (0..hosts.num_rows()).filter(|row| interfaces.is_valid(*row)) {
        if let Ok(bytes) = addresses.value(row).try_into() {
            let place = (accounts.value(row), regions.value(row), interfaces.value(row));
            places.entry(Address::from_bytes(bytes)).or_default().push(place);
        }
    }
    places
}

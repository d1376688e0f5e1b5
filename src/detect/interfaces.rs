//! Fills in the ENI of findings that name none, by their host: coverage, instance and VPC follow from it.

use super::finding::Finding;
use arrow::array::{Array, AsArray, RecordBatch};
use flow::Address;
use std::collections::HashMap;

/// An ENI that has the address of a host.
struct HostInterface<'a> {
    account_id: &'a str,
    region: &'a str,
    interface_id: &'a str,
}

/// Fills in the ENI of findings without one from `hosts`, where the account and the region of the finding, if any, leave
/// exactly one.
pub(super) fn name_interfaces(findings: &mut [Finding], hosts: &RecordBatch) {
    if findings.iter().all(|finding| finding.interface_id.is_some()) {
        return;
    }
    let interfaces = interfaces(hosts);
    for finding in findings.iter_mut().filter(|finding| finding.interface_id.is_none()) {
        let agrees = |given: &Option<String>, known: &str| given.as_deref().is_none_or(|given| given == known);
        let of_host = finding.host.and_then(|host| interfaces.get(&host)).into_iter().flatten();
        let mut of_host = of_host.filter(|interface| {
            agrees(&finding.account_id, interface.account_id) && agrees(&finding.region, interface.region)
        });
        if let (Some(interface), None) = (of_host.next(), of_host.next()) {
            finding.interface_id = Some(interface.interface_id.to_owned());
        }
    }
}

fn interfaces(hosts: &RecordBatch) -> HashMap<Address, Vec<HostInterface<'_>>> {
    let text = |name: &str| hosts.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
    let addresses = hosts.column_by_name("host").and_then(|column| column.as_fixed_size_binary_opt());
    let mut by_host: HashMap<Address, Vec<HostInterface<'_>>> = HashMap::new();
    let (Some(accounts), Some(regions), Some(interfaces), Some(addresses)) =
        (text("account_id"), text("region"), text("interface_id"), addresses)
    else {
        return by_host;
    };
    for row in (0..hosts.num_rows()).filter(|row| interfaces.is_valid(*row)) {
        if let Ok(bytes) = addresses.value(row).try_into() {
            let interface = HostInterface {
                account_id: accounts.value(row),
                region: regions.value(row),
                interface_id: interfaces.value(row),
            };
            by_host.entry(Address::from_bytes(bytes)).or_default().push(interface);
        }
    }
    by_host
}

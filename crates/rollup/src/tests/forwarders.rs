//! ENIs that forward for others, told by what they log: the host is the inside host, and each exchange counts once.

use super::laws::{ALL, derived_with};
use super::record::{Record, Shape, V2, V3, V5, parquet, some, unit};
use crate::coverage::forwarders;
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{UInt16Type, UInt64Type};
use flow::Address;
use memory::Memory;
use proptest::prelude::*;

/// One exchange: inside host, remote, the forwarder's inner and outer address.
#[derive(Clone, Copy)]
pub struct Ends {
    pub host: (&'static str, i64),
    pub remote: (&'static str, i64),
    pub inner: &'static str,
    pub outer: &'static str,
}

pub const V4: Ends =
    Ends { host: ("10.0.1.7", 40_000), remote: ("198.51.100.77", 443), inner: "10.0.0.220", outer: "10.0.0.220" };
/// One VPC, the appliance with an address on either side.
const V6: Ends = Ends {
    host: ("2600:1f18:9:2::7", 40_000),
    remote: ("2a00:1450::77", 443),
    inner: "2600:1f18:9::220",
    outer: "2600:1f18:9:1::221",
};

/// Request and reply of 800 and 3,000 bytes.
fn both(request: Record, reply: Record) -> [Record; 2] {
    [Record { bytes: 800, ..request.flags(3) }, Record { bytes: 3_000, ..reply.flags(19) }]
}

/// What the inside host's own ENI logs.
pub fn own(at: Ends, second: i64) -> Vec<Record> {
    let out = Record::new("eni-host", at.host, at.remote, second);
    both(out, Record::new("eni-host", at.remote, at.host, second).ingress()).to_vec()
}

/// The legs on the inside, as the forwarder's ENI logs them.
pub fn inner(eni: &str, at: Ends, second: i64) -> Vec<Record> {
    let ports = (at.host.1, at.remote.1);
    let out = Record::new(eni, at.host, (at.inner, ports.1), second).ingress().packet(at.host.0, at.remote.0);
    let back = Record::new(eni, (at.inner, ports.1), at.host, second).packet(at.remote.0, at.host.0);
    both(out, back).to_vec()
}

/// The legs on the outside, with the forwarder's own address.
pub fn outer(eni: &str, at: Ends, second: i64) -> Vec<Record> {
    let own = (at.outer, 2_000 + at.host.1 % 1_000);
    both(Record::new(eni, own, at.remote, second), Record::new(eni, at.remote, own, second).ingress()).to_vec()
}

/// The legs on the outside of an appliance that keeps the host's address.
fn routed(eni: &str, at: Ends, second: i64) -> Vec<Record> {
    let addressed = (at.outer, at.host.1);
    let out = Record::new(eni, addressed, at.remote, second).packet(at.host.0, at.remote.0);
    let back = Record::new(eni, at.remote, addressed, second).ingress().packet(at.remote.0, at.host.0);
    both(out, back).to_vec()
}

pub fn change(records: Vec<Record>, change: impl Fn(Record) -> Record) -> Vec<Record> {
    records.into_iter().map(change).collect()
}

/// Host, remote, port, role, whether external, bytes out and in, connections.
pub type Pair = (String, String, u16, String, bool, u64, u64, u64);

pub fn pairs(units: &[Vec<Record>], shape: Shape) -> Vec<Pair> {
    let tables: Vec<_> = units.iter().map(|records| unit(&[parquet(records, shape)])).collect();
    let coverage: Vec<_> = tables.iter().map(|tables| tables.coverage.clone()).collect();
    let hours: Vec<_> = tables.into_iter().map(|tables| tables.pair_hours).collect();
    rows_of(&derived_with(&hours, &forwarders(&coverage), &ALL, &Memory::default()).pairs)
}

/// Rows of `pairs`, sorted.
pub fn rows_of(pairs: &RecordBatch) -> Vec<Pair> {
    let number = |name: &str, row| pairs[name].as_primitive::<UInt64Type>().value(row);
    let address = |name: &str, row| {
        let bytes: [u8; 16] = pairs[name].as_fixed_size_binary().value(row).try_into().unwrap();
        Address::from_bytes(bytes).to_string()
    };
    let pair = |row| {
        (
            address("host", row),
            address("remote", row),
            pairs["port"].as_primitive::<UInt16Type>().value(row),
            pairs["role"].as_string_view().value(row).to_owned(),
            pairs["external"].as_boolean().value(row),
            number("bytes_out", row),
            number("bytes_in", row),
            number("connections", row),
        )
    };
    let mut all: Vec<Pair> = (0..pairs.num_rows()).map(pair).collect();
    all.sort();
    all
}

pub fn expected(at: Ends, exchanges: u64) -> Vec<Pair> {
    let role = "client".to_owned();
    let (out, back) = (800 * exchanges, 3_000 * exchanges);
    vec![(at.host.0.to_owned(), at.remote.0.to_owned(), 443, role, true, out, back, exchanges)]
}

/// V5 without `instance_id`, as a custom format may be.
pub const NO_INSTANCE: Shape = Shape { instance: false, ..V5 };
/// V5 without `interface_id`, which has the same effect as a `-` there.
const NO_NAMES: Shape = Shape { interface: false, ..V5 };

pub fn nat(at: Ends, second: i64) -> Vec<Record> {
    [inner("eni-nat", at, second), outer("eni-nat", at, second)].concat()
}

/// An appliance of two ENIs, inside and outside, that translates addresses.
pub fn translating_appliance(at: Ends, second: i64) -> Vec<Record> {
    [inner("eni-in", at, second), outer("eni-out", at, second)].concat()
}

/// An appliance of two ENIs that only routes.
fn routing_appliance(at: Ends, second: i64) -> Vec<Record> {
    [inner("eni-in", at, second), routed("eni-out", at, second)].concat()
}

/// A regional NAT gateway, whose records name no ENI and no instance.
fn regional(at: Ends, second: i64) -> Vec<Record> {
    change(nat(at, second), |record| Record { interface: None, ..record.managed() })
}

#[test]
fn the_inside_host_is_the_host_whatever_forwards() {
    type Forwarder = fn(Ends, i64) -> Vec<Record>;
    let gateway: Forwarder = |at, second| change(nat(at, second), Record::managed);
    let cases: [(&str, Forwarder, Ends, &[Shape]); 7] = [
        ("NAT instance", nat, V4, &[V5, V3, NO_INSTANCE]),
        ("NAT gateway", gateway, V4, &[V5, V3, NO_INSTANCE]),
        ("regional NAT gateway", regional, V4, &[V5, NO_INSTANCE]),
        ("translating appliance", translating_appliance, V4, &[V5]),
        ("translating appliance", translating_appliance, V6, &[V5]),
        ("routing appliance", routing_appliance, V4, &[V5, V3, NO_INSTANCE]),
        ("routing appliance", routing_appliance, V6, &[V5, NO_INSTANCE]),
    ];
    for (what, forwarder, at, shapes) in cases {
        for shape in shapes {
            let case = format!("{what}, {}, {shape:?}", at.host.0);
            let beyond = forwarder(at, 0);
            assert_eq!(pairs(std::slice::from_ref(&beyond), *shape), expected(at, 1), "{case}, alone");
            let together = [own(at, 0), beyond.clone()].concat();
            assert_eq!(pairs(&[together], *shape), expected(at, 1), "{case}, with the host's ENI");
            assert_eq!(pairs(&[beyond, own(at, 0)], *shape), expected(at, 1), "{case}, in units of their own");
        }
    }
}

#[test]
fn several_forwarders_on_the_way_count_once() {
    // Through a transit gateway to a NAT gateway of another VPC, each with ENIs of its own.
    let egress = Ends { inner: "10.200.0.10", outer: "10.200.1.10", ..V4 };
    let home = inner("eni-tgw-a", Ends { inner: "10.0.9.9", ..V4 }, 0);
    let far = routed("eni-tgw-b", Ends { outer: "10.200.0.5", ..V4 }, 0);
    let gateway = [inner("eni-nat", egress, 0), outer("eni-nat", egress, 0)].concat();
    let legs = [home, far, gateway].map(|records| change(records, Record::managed));
    assert_eq!(pairs(&[legs.concat()], V5), expected(V4, 1), "in one unit");
    let accounts: Vec<Vec<Record>> = (legs.iter().cloned().zip(["111111111111", "222222222222", "333333333333"]))
        .map(|(records, account)| change(records, |record| Record { account: some(account), ..record }))
        .collect();
    assert_eq!(pairs(&accounts, V5), expected(V4, 1), "in units of other accounts");
}

#[test]
fn each_direction_counts_in_the_account_that_forwards_it() {
    let of_account = |account: &str, direction: &str| -> Vec<Record> {
        let legs = inner("eni-nat", V4, 0).into_iter().filter(|record| record.direction.as_deref() == Some(direction));
        legs.map(|record| Record { account: some(account), ..record }).collect()
    };
    let ways = [of_account("111111111111", "ingress"), of_account("222222222222", "egress")];
    let told = pairs(&ways, V5);
    assert_eq!(told.iter().map(|pair| (pair.5, pair.6)).collect::<Vec<_>>(), [(0, 3_000), (800, 0)]);
}

#[test]
fn records_without_any_name_tell_the_forwarder_by_its_address() {
    let neighbour = Ends { host: ("10.0.2.9", 41_000), ..V4 };
    let direct = change(own(neighbour, 0), |record| Record { interface: some("eni-direct"), ..record });
    let mut both = expected(V4, 1);
    both.extend(expected(neighbour, 1));
    assert_eq!(pairs(&[[own(V4, 0), nat(V4, 0), direct].concat()], NO_NAMES), both);
}

#[test]
fn a_balancer_that_keeps_the_client_is_not_the_server() {
    let (client, target, balancer) = (("203.0.113.50", 50_000), ("10.0.3.4", 443), "10.0.0.30");
    let leg = |eni: &str, record: Record| Record { interface: some(eni), ..record };
    let outer = [
        leg("eni-nlb", Record::new("", client, (balancer, 443), 0).ingress().flags(3)),
        leg("eni-nlb", Record::new("", (balancer, 443), client, 0).flags(19)),
    ];
    let inner = [
        leg("eni-nlb", Record::new("", (balancer, 50_000), target, 0).packet(client.0, target.0).flags(3)),
        leg("eni-nlb", Record::new("", target, (balancer, 50_000), 0).packet(target.0, client.0).ingress().flags(19)),
    ];
    let own = [
        leg("eni-target", Record::new("", client, target, 0).ingress().flags(3)),
        leg("eni-target", Record::new("", target, client, 0).flags(19)),
    ];
    let expected =
        [(target.0.to_owned(), client.0.to_owned(), 443, "server".to_owned(), true, 1_000, 1_000, 1)].to_vec();
    for shape in [V5, NO_INSTANCE] {
        let balanced = change([outer.clone(), inner.clone()].concat(), Record::managed);
        assert_eq!(pairs(std::slice::from_ref(&balanced), shape), expected, "{shape:?}");
        assert_eq!(pairs(&[balanced, own.to_vec()], shape), expected, "{shape:?}");
    }
}

#[test]
fn a_log_of_far_ends_alone_tells_the_forwarder_by_its_two_sides() {
    // As OCSF without intermediate addresses: the packets' own addresses stand for the ENI's.
    let shape = Shape { packet: false, ..V5 };
    let far = |record: Record| Record { src: record.pkt_src.clone(), dst: record.pkt_dst.clone(), ..record };
    for forwarder in [nat(V4, 0), change(nat(V4, 0), Record::managed), regional(V4, 0)] {
        let seen = change(forwarder, far);
        let inside: Vec<Pair> = pairs(&[seen], shape).into_iter().filter(|pair| pair.0 != V4.outer).collect();
        assert_eq!(inside, expected(V4, 1));
    }
    // A public address that is the ENI's only one is a host, although no list names it.
    let public = Ends { host: ("203.0.113.9", 40_000), remote: ("10.0.4.4", 443), ..V4 };
    let told = pairs(&[own(public, 0)], shape);
    assert_eq!((told[0].0.as_str(), told[0].1.as_str(), told.len()), ("203.0.113.9", "10.0.4.4", 1));
}

#[test]
fn what_shares_the_enis_subnet_is_no_traffic_of_others() {
    // A pod, and a secondary address in a public network that no list names.
    for (address, node) in [("10.0.1.77", "10.0.1.5"), ("203.0.113.77", "203.0.113.5")] {
        for remote in [("10.0.9.9", 443), ("198.51.100.77", 443)] {
            let out = Record::new("eni-node", (node, 40_000), remote, 0).packet(address, remote.0);
            let back = Record::new("eni-node", remote, (node, 40_000), 0).ingress().packet(remote.0, address);
            let told = pairs(&[both(out, back).to_vec()], V5);
            assert_eq!((told[0].0.as_str(), told[0].1.as_str(), told.len()), (address, remote.0, 1));
        }
    }
}

#[test]
fn a_group_of_receivers_is_not_beyond_them() {
    let sent =
        Record::new("eni-host", ("10.0.9.9", 5_000), ("10.0.1.5", 5_000), 0).ingress().packet("10.0.9.9", "239.1.1.1");
    let tables = unit(&[parquet(&[sent], V5)]);
    assert!(forwarders(&[tables.coverage]).is_empty());
}

#[test]
fn version_2_through_nat_names_the_forwarder_only() {
    let told = pairs(&[nat(V4, 0)], V2);
    assert!(told.iter().all(|pair| pair.0 == V4.inner), "{told:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn however_units_are_cut_each_exchange_counts_once(
        places in prop::collection::vec((0i64..7_200, 0usize..3, 0usize..3, any::<bool>()), 1..30),
        by_appliance in any::<bool>(),
    ) {
        // The legs of one exchange may lie in units of their own.
        let mut units: Vec<Vec<Record>> = vec![Vec::new(); 3];
        let owned = places.iter().any(|place| place.3);
        for (port, (second, first, last, _)) in (40_001..).zip(&places) {
            let at = Ends { host: (V4.host.0, port), ..V4 };
            let outside = if by_appliance { "eni-out" } else { "eni-nat" };
            units[*first].extend(inner("eni-nat", at, *second));
            units[*last].extend(outer(outside, at, *second));
            if owned {
                units[*last].extend(own(at, *second));
            }
        }
        let units: Vec<Vec<Record>> = units.into_iter().filter(|unit| !unit.is_empty()).collect();
        prop_assert_eq!(pairs(&units, V5), expected(V4, places.len() as u64));
    }
}

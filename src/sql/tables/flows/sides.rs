//! Host, remote, port and role of a record, as far as they follow from the record alone.
//!
//! The rules are the rollup's ([`flow::direction`]). Where they need the other records of a unit, the value stays NULL:
//! the host of a record without a flow direction, the port of a connection whose ends look alike.

use crate::intel::InternalNetworks;
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int32Array, RecordBatch, StringViewArray, StringViewBuilder,
};
use arrow::compute::interleave;
use arrow::datatypes::{DataType, Int32Type};
use arrow::error::ArrowError;
use flow::Address;
use flow::codes::{Role, TCP};
use flow::direction::{Side, opener};
use rollup::Vantage;
use std::sync::Arc;

/// The sides of a batch's records.
pub(super) struct Sides<'a> {
    batch: &'a RecordBatch,
    outbound: BooleanArray,
    /// Parallel to `outbound`.
    vantages: Vec<Vantage>,
}

/// Returns whether an ENI with the address `own` forwards packets whose address on its side is `packet`: that is neither
/// internal nor an address that the ENI can have. Pods and secondary addresses lie in the ENI's subnet, which spans at
/// most 16 bits of IPv4 and a part of 56 bits of IPv6.
fn is_forwarded(own: Address, packet: Address, internal: &InternalNetworks) -> bool {
    let beyond = if own.is_v4() { 16 } else { u128::BITS - 56 };
    let may_carry = own.is_v4() == packet.is_v4() && own.bits() >> beyond == packet.bits() >> beyond;
    !may_carry && !internal.contains(packet) && !packet.is_local_scope()
}

/// Texts up to this length lie within their view.
const MAX_INLINE_BYTES: u32 = 12;

/// Returns for each row whether both texts are there and differ. A view holds up to twelve bytes whole, and of longer
/// texts the length and the first bytes, so most addresses need no look at their bytes.
fn differing(a: &StringViewArray, b: &StringViewArray) -> Vec<bool> {
    let views = a.views().iter().zip(b.views().iter()).enumerate();
    let both = |row| a.is_valid(row) && b.is_valid(row);
    let differ = |(row, (view_a, view_b)): (usize, (&u128, &u128))| {
        let is_inline = *view_a as u32 <= MAX_INLINE_BYTES;
        if is_inline || *view_a as u64 != *view_b as u64 {
            view_a != view_b
        } else {
            both(row) && a.value(row) != b.value(row)
        }
    };
    let mut rows: Vec<bool> = views.map(differ).collect();
    if a.null_count() > 0 || b.null_count() > 0 {
        rows.iter_mut().enumerate().for_each(|(row, differs)| *differs &= both(row));
    }
    rows
}

/// Ports below this one belong to well-known services.
const WELL_KNOWN: i32 = 1_024;
/// Ports from this one on are handed out to clients.
const EPHEMERAL: i32 = 32_768;

impl<'a> Sides<'a> {
    /// Judges a batch that has the fields of [`super::columns::FlowColumn::Outbound`].
    pub(super) fn of(batch: &'a RecordBatch, internal: &InternalNetworks) -> Self {
        let direction = text(batch, "flow_direction");
        let pkt = [("srcaddr", "pkt_srcaddr"), ("dstaddr", "pkt_dstaddr")]
            .map(|(own, pkt)| Some(differing(text(batch, own)?, text(batch, pkt)?)));
        let translated = |side: usize, row: usize| pkt[side].as_ref().is_some_and(|rows| rows[row]);
        let outbound = (0..batch.num_rows()).map(|row| {
            let word = direction.filter(|words| words.is_valid(row)).map(|words| words.value(row));
            match word {
                Some(word) if word.eq_ignore_ascii_case("egress") || word.eq_ignore_ascii_case("outbound") => {
                    Some(true)
                }
                Some(word) if word.eq_ignore_ascii_case("ingress") || word.eq_ignore_ascii_case("inbound") => {
                    Some(false)
                }
                // An ENI translates only its own side: a pod's or a secondary address behind the primary one.
                _ => match (translated(0, row), translated(1, row)) {
                    (true, false) => Some(true),
                    (false, true) => Some(false),
                    _ => None,
                },
            }
        });
        let columns = ["srcaddr", "dstaddr", "pkt_srcaddr", "pkt_dstaddr"].map(|name| text(batch, name));
        let address = |at: usize, row: usize| {
            let column = columns[at].filter(|column| column.is_valid(row))?;
            Address::parse(column.value(row).as_bytes())
        };
        let packets: Vec<&StringViewArray> = columns[2..].iter().flatten().copied().collect();
        // Most files have packet-level addresses in every record with traffic.
        let some_lack_packets = packets.iter().all(|column| column.null_count() > 0);
        let no_packet = |row: usize| some_lack_packets && packets.iter().all(|column| column.is_null(row));
        let mut vantages = Vec::with_capacity(batch.num_rows());
        // What an ENI forwards for is on its other side, so the packets go the other way.
        let from_host = outbound.enumerate().map(|(row, outbound)| {
            vantages.push(Vantage::Own);
            let outbound = outbound?;
            let (own, other) = if outbound { (0, 1) } else { (1, 0) };
            let carried = translated(own, row);
            let forwarded = if carried {
                address(own, row).zip(address(own + 2, row)).is_some_and(|(own, pkt)| is_forwarded(own, pkt, internal))
            } else {
                // Without packet-level addresses, only the ends themselves tell.
                let is_internal = |at| address(at, row).is_some_and(|address| internal.contains(address));
                no_packet(row) && !is_internal(own) && is_internal(other)
            };
            vantages[row] = match (forwarded, carried) {
                (true, _) => Vantage::Transit,
                (false, true) => Vantage::Carried,
                (false, false) => Vantage::Own,
            };
            Some(outbound != forwarded)
        });
        let outbound = from_host.collect();
        Self { batch, outbound, vantages }
    }

    /// Returns whether the host sent the packets.
    pub(super) fn outbound(&self) -> ArrayRef {
        Arc::new(self.outbound.clone())
    }

    /// Returns how the ENI came to see the host; NULL where there is none.
    pub(super) fn vantage(&self) -> ArrayRef {
        let mut words = StringViewBuilder::with_capacity(self.vantages.len());
        for (row, vantage) in self.vantages.iter().enumerate() {
            words.append_option(self.outbound.is_valid(row).then_some(vantage.as_str()));
        }
        Arc::new(words.finish())
    }

    /// Returns the host's address, or with `remote` the other side's: the packet's own address where the file has it.
    pub(super) fn address(&self, remote: bool) -> Result<ArrayRef, ArrowError> {
        let names = ["srcaddr", "dstaddr", "pkt_srcaddr", "pkt_dstaddr"];
        let columns = names.map(|name| text(self.batch, name));
        let empty: ArrayRef = Arc::new(StringViewArray::from(vec![None::<&str>]));
        let all: Vec<&dyn Array> =
            columns.iter().map(|column| column.map_or(&*empty as &dyn Array, |column| column)).collect();
        let place = |row: usize| {
            if self.outbound.is_null(row) {
                return None;
            }
            let side = usize::from(self.outbound.value(row) == remote);
            // The packet's address is the far one behind translations.
            [side + 2, side].into_iter().find(|at| columns[*at].is_some_and(|column| column.is_valid(row)))
        };
        let absent = (all.len(), 0);
        let places: Vec<(usize, usize)> =
            (0..self.batch.num_rows()).map(|row| place(row).map_or(absent, |at| (at, row))).collect();
        let mut all = all;
        all.push(&*empty);
        interleave(&all, &places)
    }

    /// Returns the service port and whether it is the destination's, where one record decides it: by TCP flags,
    /// otherwise by the ranges that ports are handed out from.
    fn service(&self) -> impl Iterator<Item = Option<(i32, Side)>> + '_ {
        let number = |name| self.batch.column_by_name(name).map(|column| column.as_primitive::<Int32Type>());
        let columns = ["srcport", "dstport", "tcp_flags", "protocol"].map(number);
        let value = move |at: usize, row: usize| columns[at].filter(|c| c.is_valid(row)).map(|c| c.value(row));
        (0..self.batch.num_rows()).map(move |row| {
            let (src, dst) = (value(0, row)?, value(1, row)?);
            let flags = value(2, row).filter(|_| value(3, row) == Some(i32::from(TCP)));
            let opened = flags.and_then(|flags| u8::try_from(flags).ok()).and_then(opener);
            let service = match opened {
                Some(Side::Source) => Side::Destination,
                Some(Side::Destination) => Side::Source,
                None if (src < WELL_KNOWN) != (dst < WELL_KNOWN) => lower(src, dst),
                None if (src < EPHEMERAL) != (dst < EPHEMERAL) => lower(src, dst),
                // Equal ports (NTP, IKE, ICMP) are the service port, whichever side began.
                None if src == dst => return Some((src, Side::Destination)),
                None => return None,
            };
            Some((if service == Side::Source { src } else { dst }, service))
        })
    }

    /// Returns the service port.
    pub(super) fn port(&self) -> ArrayRef {
        Arc::new(self.service().map(|service| service.map(|(port, _)| port)).collect::<Int32Array>())
    }

    /// Returns the host's role: client where the service port is the remote's.
    pub(super) fn role(&self) -> ArrayRef {
        let equal = self.equal_ports();
        let mut roles = StringViewBuilder::with_capacity(self.batch.num_rows());
        for (row, service) in self.service().enumerate() {
            let role = service.filter(|_| self.outbound.is_valid(row)).map(|(_, side)| {
                let remote_serves = (side == Side::Destination) == self.outbound.value(row);
                if remote_serves || equal(row) { Role::Client } else { Role::Server }
            });
            roles.append_option(role.map(Role::as_str));
        }
        Arc::new(roles.finish())
    }

    /// Returns whether both ports of a row are the same and no flag shows which side began: the host is then the
    /// client.
    fn equal_ports(&self) -> impl Fn(usize) -> bool + '_ {
        let number = |name| self.batch.column_by_name(name).map(|column| column.as_primitive::<Int32Type>());
        let columns = ["srcport", "dstport", "tcp_flags"].map(number);
        move |row| {
            let value = |at: usize| columns[at].filter(|c| c.is_valid(row)).map(|c| c.value(row));
            let flagged = value(2).and_then(|flags| u8::try_from(flags).ok()).and_then(opener).is_some();
            value(0) == value(1) && !flagged
        }
    }
}

fn lower(src: i32, dst: i32) -> Side {
    if src < dst { Side::Source } else { Side::Destination }
}

fn text<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a StringViewArray> {
    batch.column_by_name(name).filter(|column| *column.data_type() == DataType::Utf8View)?.as_string_view_opt()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Record = (&'static str, &'static str, Option<&'static str>, Option<&'static str>, i32, i32, Option<i32>);

    /// Host, remote, port and role of one record, as text.
    fn judged((src, dst, pkt_src, direction, srcport, dstport, flags): Record) -> String {
        let text = |text: Option<&str>| Arc::new(StringViewArray::from(vec![text])) as ArrayRef;
        let number = |number: Option<i32>| Arc::new(Int32Array::from(vec![number])) as ArrayRef;
        let batch = RecordBatch::try_from_iter_with_nullable([
            ("srcaddr", text(Some(src)), true),
            ("dstaddr", text(Some(dst)), true),
            ("pkt_srcaddr", text(pkt_src), true),
            ("pkt_dstaddr", text(pkt_src.map(|_| dst)), true),
            ("flow_direction", text(direction), true),
            ("srcport", number(Some(srcport)), true),
            ("dstport", number(Some(dstport)), true),
            ("tcp_flags", number(flags), true),
            ("protocol", number(Some(6)), true),
        ])
        .unwrap();
        let sides = Sides::of(&batch, &InternalNetworks::default());
        let columns = [sides.address(false).unwrap(), sides.address(true).unwrap(), sides.port(), sides.role()];
        let shown = columns.map(|column| arrow::util::display::array_value_to_string(&column, 0).unwrap());
        shown.join(" ")
    }

    #[test]
    fn texts_differ_by_length_beginning_or_end() {
        let texts = ["", "10.0.0.1", "10.0.0.10", "10.0.123.234", "10.10.123.234", "10.10.123.235", "203.113.123.234"];
        for a in texts {
            for b in texts {
                let [left, right] =
                    [a, b].map(|text| StringViewArray::from_iter_values(["a longer text before", text]));
                assert_eq!(differing(&left, &right), [false, a != b], "{a} {b}");
            }
        }
        let [left, right] =
            [[None, Some("a"), Some("b")], [Some("b"), None, Some("c")]].map(StringViewArray::from_iter);
        assert_eq!(differing(&left, &right), [false, false, true]);
    }

    #[test]
    fn a_record_alone_tells_what_it_can() {
        let (a, b) = ("10.0.0.1", "203.0.113.9");
        for (record, expected) in [
            // TCP flags show which side opened, whatever the ports.
            ((a, b, None, Some("egress"), 50_000, 443, Some(2)), "10.0.0.1 203.0.113.9 443 client"),
            ((a, b, None, Some("egress"), 50_000, 443, Some(18)), "10.0.0.1 203.0.113.9 50000 server"),
            ((b, a, None, Some("ingress"), 443, 50_000, Some(18)), "10.0.0.1 203.0.113.9 443 client"),
            // Without flags the port ranges decide.
            ((b, a, None, Some("INGRESS"), 50_000, 22, Some(0)), "10.0.0.1 203.0.113.9 22 server"),
            ((a, b, None, Some("egress"), 40_000, 8_443, None), "10.0.0.1 203.0.113.9 8443 client"),
            ((a, b, None, Some("egress"), 123, 123, None), "10.0.0.1 203.0.113.9 123 client"),
            ((a, b, None, Some("egress"), 40_000, 50_000, None), "10.0.0.1 203.0.113.9  "),
            // The packet's own address is the host's; a translated side is the interface's own.
            ((a, b, Some("10.0.0.7"), Some("egress"), 50_000, 443, Some(2)), "10.0.0.7 203.0.113.9 443 client"),
            ((a, b, Some("10.0.0.7"), None, 50_000, 443, Some(2)), "10.0.0.7 203.0.113.9 443 client"),
            // Without a direction, only the whole unit determines the host.
            ((a, b, Some(a), None, 50_000, 443, Some(2)), "  443 "),
            ((a, b, None, Some("-"), 50_000, 443, None), "  443 "),
        ] {
            assert_eq!(judged(record), expected, "{record:?}");
        }
    }
}

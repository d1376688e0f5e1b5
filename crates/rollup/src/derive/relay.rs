//! Hosts that seem to forward for others in a log that does not name whom.

use super::records::PairRecord;
use flow::codes::Role;

/// Largest difference between what comes in on one side and leaves on the other, as a divisor: 2 %. Windows are cut by
/// themselves on either side.
const MAX_DIFFERENCE: u128 = 50;

/// What a host exchanged on one side.
#[derive(Clone, Copy, Debug, Default)]
struct RelayedSide {
    connections: u64,
    /// Bytes towards the remotes outside, and back.
    bytes: [u64; 2],
    /// The same, each byte times the port of its service.
    by_port: [u128; 2],
}

impl RelayedSide {
    fn add(&mut self, pair: &PairRecord, bytes: [u64; 2]) {
        self.connections += pair.connections;
        for (at, bytes) in bytes.into_iter().enumerate() {
            self.bytes[at] = self.bytes[at].saturating_add(bytes);
            self.by_port[at] += u128::from(bytes) * u128::from(pair.key.port);
        }
    }

    fn totals(&self) -> [u128; 5] {
        let [out, back] = self.bytes.map(u128::from);
        [self.connections.into(), out, back, self.by_port[0], self.by_port[1]]
    }
}

/// What a host took from internal clients, and what it sent to external servers.
///
/// Without packet-level addresses a NAT's log shows its clients calling the NAT itself, on the ports of the servers
/// beyond it, and the NAT calling these servers. Both sides have the same volume on the same ports.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Relay {
    inside: RelayedSide,
    outside: RelayedSide,
}

impl Relay {
    /// Adds a pair of the host, if it lies in the window.
    pub(super) fn add(&mut self, pair: &PairRecord) {
        match (pair.key.role, pair.external) {
            (Role::Server, false) => self.inside.add(pair, [pair.bytes_in, pair.bytes_out]),
            (Role::Client, true) => self.outside.add(pair, [pair.bytes_out, pair.bytes_in]),
            _ => {}
        }
    }

    /// Returns whether all that came in on one side left on the other, in both directions and on the same ports.
    pub(super) fn forwards(&self) -> bool {
        let alike = |(a, b): (u128, u128)| a > 0 && b > 0 && a.abs_diff(b) * MAX_DIFFERENCE <= a.max(b);
        self.inside.totals().into_iter().zip(self.outside.totals()).all(alike)
    }
}

//! How many records of a unit there were of each kind.

/// Numbers of records of a unit, by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitCounts {
    /// Records read, of any kind.
    pub rows: u64,
    /// Windows without traffic.
    pub nodata: u64,
    /// Windows that AWS lost records of.
    pub skipdata: u64,
    /// Records rejected by a security group or network ACL.
    pub rejected: u64,
    /// Records without a plausible address, protocol, byte count or time.
    pub unusable: u64,
    /// Records outside the time range.
    pub outside: u64,
    /// Records of gateways and load balancers that only repeat traffic.
    pub transit: u64,
    /// Rejected records of remotes that did no more than probe, summed up by host and hour.
    pub rejected_probes: u64,
    /// Records of files without packet-level addresses, in which a forwarder cannot be told.
    pub without_packet_addresses: u64,
    /// Records whose packets another flow log over the same ENI has, too: they count once.
    pub doubled: u64,
}

impl UnitCounts {
    /// Adds the counts of another unit.
    pub fn add(&mut self, other: &UnitCounts) {
        self.rows += other.rows;
        self.nodata += other.nodata;
        self.skipdata += other.skipdata;
        self.rejected += other.rejected;
        self.unusable += other.unusable;
        self.outside += other.outside;
        self.transit += other.transit;
        self.rejected_probes += other.rejected_probes;
        self.without_packet_addresses += other.without_packet_addresses;
        self.doubled += other.doubled;
    }
}

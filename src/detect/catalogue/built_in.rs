//! The SQL files that come with flowsift.

/// The detections that come with flowsift, by name.
pub(super) const DETECTIONS: &[(&str, &str)] = &[
    ("beacon", include_str!("../../../queries/detections/beacon.sql")),
    ("brute_force", include_str!("../../../queries/detections/brute_force.sql")),
    ("bulk_egress", include_str!("../../../queries/detections/bulk_egress.sql")),
    ("equal_requests", include_str!("../../../queries/detections/equal_requests.sql")),
    ("exposed_service", include_str!("../../../queries/detections/exposed_service.sql")),
    ("external_dns", include_str!("../../../queries/detections/external_dns.sql")),
    ("indicator_contact", include_str!("../../../queries/detections/indicator_contact.sql")),
    ("log_gap", include_str!("../../../queries/detections/log_gap.sql")),
    ("long_connection", include_str!("../../../queries/detections/long_connection.sql")),
    ("mining_contact", include_str!("../../../queries/detections/mining_contact.sql")),
    ("outbound_flood", include_str!("../../../queries/detections/outbound_flood.sql")),
    ("pair_surge", include_str!("../../../queries/detections/pair_surge.sql")),
    ("peer_egress", include_str!("../../../queries/detections/peer_egress.sql")),
    ("pooled_beacon", include_str!("../../../queries/detections/pooled_beacon.sql")),
    ("port_scan", include_str!("../../../queries/detections/port_scan.sql")),
    ("port_sweep", include_str!("../../../queries/detections/port_sweep.sql")),
    ("rare_egress", include_str!("../../../queries/detections/rare_egress.sql")),
    ("rejected_egress", include_str!("../../../queries/detections/rejected_egress.sql")),
    ("rotating_beacon", include_str!("../../../queries/detections/rotating_beacon.sql")),
    ("slow_drip", include_str!("../../../queries/detections/slow_drip.sql")),
    ("spam", include_str!("../../../queries/detections/spam.sql")),
    ("strobe", include_str!("../../../queries/detections/strobe.sql")),
    ("tor_contact", include_str!("../../../queries/detections/tor_contact.sql")),
    ("unanswered_calls", include_str!("../../../queries/detections/unanswered_calls.sql")),
    ("unusual_remote_port", include_str!("../../../queries/detections/unusual_remote_port.sql")),
    ("upload_asymmetry", include_str!("../../../queries/detections/upload_asymmetry.sql")),
];

/// The parts that come with flowsift, by name.
pub(super) const PARTS: &[(&str, &str)] = &[
    ("clocks", include_str!("../../../queries/detections/parts/clocks.sql")),
    ("hits", include_str!("../../../queries/detections/parts/hits.sql")),
    ("listed_contact", include_str!("../../../queries/detections/parts/listed_contact.sql")),
    ("never_answered", include_str!("../../../queries/detections/parts/never_answered.sql")),
    ("recurring", include_str!("../../../queries/detections/parts/recurring.sql")),
    ("second_kind", include_str!("../../../queries/detections/parts/second_kind.sql")),
    ("settled", include_str!("../../../queries/detections/parts/settled.sql")),
    ("sweeps", include_str!("../../../queries/detections/parts/sweeps.sql")),
    ("takers", include_str!("../../../queries/detections/parts/takers.sql")),
    ("train_sums", include_str!("../../../queries/detections/parts/train_sums.sql")),
    ("unheard", include_str!("../../../queries/detections/parts/unheard.sql")),
];

//! The queries that are built in: all files of `queries/explore`.

use super::error::CatalogueError;
use super::header;
use super::query::Query;
use crate::sql::console::suggest::suggest;

macro_rules! queries {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../../../queries/explore/", $name, ".sql")))),*]
    };
}

const BUILT_IN: &[(&str, &str)] = queries! {
    "accepted_traffic"
    "access_log_days"
    "active_at"
    "address_users"
    "admin_grants"
    "admin_port_traffic"
    "all_but_internal"
    "balancer_client"
    "beacon_candidates"
    "before_and_after"
    "blast_radius"
    "clock_keepers"
    "console_without_mfa"
    "coverage_gaps"
    "cross_az_cost"
    "cross_az_traffic"
    "daily_transfer_report"
    "daily_trend"
    "database_traffic"
    "denied_calls"
    "exposed_services"
    "external_ingress"
    "first_accesses"
    "first_contacts"
    "flows_between"
    "high_packet_traffic"
    "host_day"
    "host_profile"
    "hourly_outliers"
    "https_bytes_by_instance"
    "inbound_ports"
    "incident"
    "indicator_contacts"
    "instance_sessions_outside"
    "internal_only"
    "ip_pairs_by_records"
    "ipv4_traffic"
    "ipv6_traffic"
    "key_acts"
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
    "repositories_by_user"
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
    "unused_keys"
    "unusual_protocols"
    "upload_hours"
    "who_else"
    "who_talked_to"
};

/// Returns all queries, sorted by name.
///
/// # Errors
/// [`CatalogueError::Header`]; a test keeps the built-in ones free of it.
pub fn built_in() -> Result<Vec<Query>, CatalogueError> {
    BUILT_IN.iter().map(|(name, sql)| header::parse(name, sql)).collect()
}

/// Finds a query by its name; `-` and `_` are the same.
///
/// # Errors
/// [`CatalogueError::Unknown`] with a similar name, if there is one, or [`CatalogueError::Header`].
pub fn find(name: &str) -> Result<Query, CatalogueError> {
    let wanted = name.to_ascii_lowercase().replace('-', "_");
    match BUILT_IN.iter().find(|(known, _)| *known == wanted) {
        Some((known, sql)) => header::parse(known, sql),
        None => {
            let near = suggest(&wanted, BUILT_IN.iter().map(|(name, _)| *name)).first().map(|name| (*name).to_owned());
            Err(CatalogueError::Unknown { name: name.to_owned(), near })
        }
    }
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
    fn near_names_are_suggested() {
        let said = find("top_talker").unwrap_err().to_string();
        assert_eq!(said, "no query `top_talker`, did you mean `top_talkers`?; `flowsift query --list` lists all");
        assert_eq!(find("top-talkers").unwrap().name, "top_talkers");
        assert!(find("xyzzyxyzzyxyzzy").unwrap_err().to_string().starts_with("no query `xyzzyxyzzyxyzzy`; "));
    }
}

//! When two incidents are one: they share a host with signs of its own, a principal, or the subject of a finding.

use crate::incident::model::{HostPart, Incident, IncidentHost};
use flow::Address;
use std::collections::BTreeSet;

/// What other incidents may share with one.
#[derive(Debug, Default)]
pub(super) struct Marks {
    subjects: BTreeSet<String>,
    principals: BTreeSet<String>,
    hosts: Vec<HostMark>,
}

/// A host with signs of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
struct HostMark {
    account_id: Option<String>,
    region: Option<String>,
    vpc_id: Option<String>,
    instance_id: Option<String>,
    address: Address,
}

impl Marks {
    /// Returns the marks of an incident.
    pub(super) fn of(incident: &Incident) -> Self {
        let mut marks = Self::default();
        marks.add(incident);
        marks
    }

    /// Adds those of an incident that became part of it.
    pub(super) fn add(&mut self, incident: &Incident) {
        self.subjects.extend(incident.subjects.iter().cloned());
        self.principals.extend(incident.principals.iter().cloned());
        for host in incident.hosts.iter().filter(|host| has_signs(host)).map(HostMark::of) {
            if !self.hosts.contains(&host) {
                self.hosts.push(host);
            }
        }
    }

    /// Returns whether the two share a host with signs of its own, a principal or a subject. Hosts of two accounts are never one.
    pub(super) fn meet(&self, other: &Self) -> bool {
        !self.subjects.is_disjoint(&other.subjects)
            || !self.principals.is_disjoint(&other.principals)
            || self.hosts.iter().any(|host| other.hosts.iter().any(|known| host.is_same(known)))
    }

    /// Returns whether all subjects, principals and hosts of `other` are known here.
    pub(super) fn know(&self, other: &Self) -> bool {
        other.subjects.is_subset(&self.subjects)
            && other.principals.is_subset(&self.principals)
            && other.hosts.iter().all(|host| self.hosts.iter().any(|known| host.is_same(known)))
    }
}

impl HostMark {
    fn of(host: &IncidentHost) -> Self {
        Self {
            account_id: host.account_id.clone(),
            region: host.region.clone(),
            vpc_id: host.vpc_id.clone(),
            instance_id: host.instance_id.clone(),
            address: host.host,
        }
    }

    /// Returns whether both are one host: one instance, or one address that no other instance and no other VPC has.
    fn is_same(&self, other: &Self) -> bool {
        if (&self.account_id, &self.region) != (&other.account_id, &other.region) {
            return false;
        }
        match (&self.instance_id, &other.instance_id) {
            (Some(instance), Some(of_other)) => instance == of_other,
            _ => self.address == other.address && agree(&self.vpc_id, &other.vpc_id),
        }
    }
}

/// Returns whether a host shows signs of its own: those on the way and those that were reached may be anyone's.
pub(super) fn has_signs(host: &IncidentHost) -> bool {
    matches!(host.part, HostPart::First | HostPart::Compromised)
}

fn agree(a: &Option<String>, b: &Option<String>) -> bool {
    a.is_none() || b.is_none() || a == b
}

#[cfg(test)]
mod tests {
    use super::super::examples::{host, incident};
    use super::*;

    #[test]
    fn incidents_meet_by_subjects_and_by_hosts_with_signs() {
        let meet = |a: &Incident, b: &Incident| Marks::of(a).meet(&Marks::of(b));
        let one = incident("1", &["10.0.0.1", "10.0.0.2"], &["s1"]);
        assert!(meet(&one, &incident("2", &["10.0.0.2"], &["s2"])));
        assert!(meet(&one, &incident("2", &["10.0.0.3"], &["s1"])));
        assert!(!meet(&one, &incident("2", &["10.0.0.3"], &["s2"])));
        // A host that was only reached belongs to nobody yet.
        let mut reached = incident("2", &["10.0.0.2"], &["s2"]);
        reached.hosts[0].part = HostPart::Target;
        assert!(!meet(&one, &reached));
    }

    #[test]
    fn hosts_of_other_accounts_and_other_instances_are_others() {
        let same = |change: &dyn Fn(&mut IncidentHost)| {
            let mut other = host("10.0.0.1");
            change(&mut other);
            HostMark::of(&host("10.0.0.1")).is_same(&HostMark::of(&other))
        };
        assert!(same(&|_| ()));
        assert!(!same(&|host| host.account_id = Some("2".to_owned())));
        assert!(!same(&|host| host.region = Some("us-east-1".to_owned())));
        let of = |instance: &str, address: &str| {
            let mut host = host(address);
            host.instance_id = Some(instance.to_owned());
            HostMark::of(&host)
        };
        // An address that moved to another instance is another host, and an instance with another address is the same.
        assert!(!of("i-1", "10.0.0.1").is_same(&of("i-2", "10.0.0.1")));
        assert!(of("i-1", "10.0.0.1").is_same(&of("i-1", "10.0.0.7")));
        assert!(of("i-1", "10.0.0.1").is_same(&HostMark::of(&host("10.0.0.1"))));
    }

    #[test]
    fn what_is_new_is_not_known() {
        let known = Marks::of(&incident("1", &["10.0.0.1"], &["s1", "s2"]));
        assert!(known.know(&Marks::of(&incident("2", &["10.0.0.1"], &["s2"]))));
        assert!(!known.know(&Marks::of(&incident("2", &["10.0.0.1"], &["s3"]))));
        assert!(!known.know(&Marks::of(&incident("2", &["10.0.0.2"], &["s2"]))));
    }
}

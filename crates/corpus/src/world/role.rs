//! The kinds of machines, and how frequent they are.

/// The kind of machine that an interface belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Role {
    /// Web server with a public address.
    Web,
    /// Application server.
    App,
    /// Database.
    Database,
    /// Worker that runs jobs.
    Worker,
    /// Bastion that people log in to.
    Bastion,
    /// Build machine.
    Build,
    /// NAT gateway.
    Nat,
    /// Load balancer.
    Balancer,
    /// Collector of metrics, shared by the site.
    Collector,
    /// Backup server, shared by the site.
    Backup,
    /// Interface without traffic.
    Idle,
    /// Directory server, shared by the site.
    Directory,
    /// Jump host that people enter others over.
    Jump,
    /// Deployment host that installs software on others.
    Deployment,
    /// Monitoring server that polls hosts.
    Monitoring,
    /// Vulnerability scanner.
    Scanner,
}

/// Roles of hosts, in the order of [`Role`], with the share of hosts in each.
pub const HOST_ROLES: [(Role, f64); 6] = [
    (Role::Web, 0.18),
    (Role::App, 0.32),
    (Role::Database, 0.10),
    (Role::Worker, 0.28),
    (Role::Bastion, 0.02),
    (Role::Build, 0.10),
];

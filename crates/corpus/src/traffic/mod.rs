//! The traffic of the monitored world: connections, cut into flow records by every interface on their path.
//!
//! [`background`] draws everyday traffic, [`periodic_services`] the periodic benign services, [`callers`] the hosts that
//! call a remote of their own, [`hubs`] what hubs have to do with hosts; all make [`connection`]s, which write
//! [`records`].

pub mod records;

pub mod connection;
pub mod hubs;

pub mod background;

pub mod callers;
pub mod periodic_services;

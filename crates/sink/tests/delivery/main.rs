//! Delivery from the outbox to receivers on loopback.

#![allow(clippy::unwrap_used, clippy::panic)]

mod aws;
mod faults;
mod receiver;
mod webhook;

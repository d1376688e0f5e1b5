//! Sends incidents to where people work, at least once and in order.
//!
//! A run hands over what it knows ([`RunView`]); [`Outbox`] compares that with what each sink was told, keeps what is due
//! in a [`Storage`], and delivers it. A body is made from a [`Notice`] alone, so what waits in the outbox needs no run.
//!
//! Texts of incidents are data of strangers: each body escapes them as its receiver needs it.

mod address;
mod answer;
mod aws;
mod body;
mod client;
mod deliver;
mod digest;
mod due;
mod memory;
mod notice;
mod options;
mod outbox;
mod secret;
mod send;
mod storage;
mod target;

pub use address::{Reach, Refused};
pub use aws::Aws;
pub use client::{Client, ClientOptions, SendError};
pub use deliver::{Delivery, Pace};
pub use digest::{Digest, DigestLine, Heartbeat};
pub use due::{Told, ToldIncident};
pub use memory::MemoryStorage;
pub use notice::{Change, Host, IncidentNotice, IncidentView, Moment, Notice, Remote, RunView, StoryLine};
pub use outbox::{Added, Outbox, OutboxError, Pending, left_waiting, replayed};
pub use secret::{Secret, SecretError};
pub use storage::{Storage, StorageError, Versioned};
pub use target::{BadSink, Body, Sink, Target};

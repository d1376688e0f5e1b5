//! Tells sinks about incidents: what is told is made of a run here, kept in the state and sent.
//!
//! The crate `sink` knows how; this room knows what an incident is, where state is kept and which login signs requests to AWS.

mod kept;
mod sinks;
mod view;

pub use kept::KeptOutbox;
pub use sinks::{OUTBOX_FOLDER, SinkOutcome, Sinks};
pub use view::incident_view;

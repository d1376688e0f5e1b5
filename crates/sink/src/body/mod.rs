//! The forms of a notice. Each escapes texts as its receiver needs it, and keeps within its limits.

pub(crate) mod event_bridge;
pub(crate) mod hec;
pub(crate) mod pagerduty;
pub(crate) mod plain;
pub(crate) mod security_hub;
pub(crate) mod slack;
pub(crate) mod sns;
pub(crate) mod teams;

#[cfg(test)]
pub(crate) mod examples;
#[cfg(test)]
mod tests;

//! What happens, as each log writes it.

pub mod atlassian;
pub mod balancer;
pub mod bitbucket;
pub mod cloudtrail;
pub mod iam;
pub mod okta;

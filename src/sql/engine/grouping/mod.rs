//! GROUP BY over many groups: rows of fixed width, spread over parts by the hash of their keys.
//!
//! DataFusion groups each partition by itself, deals the groups out again by their hash and groups them once more, and
//! carries every address as text on the way. Here a row is packed into a few words (an IPv4 address into 4 bytes, any
//! other text into its place in a book), sums are taken in place, and each group is kept once: threads collect rows for
//! each of 256 parts and fold them into that part's table when there are enough. Texts are written again only for the
//! columns that leave. Whatever has other types, and whatever needs more memory than there is, goes DataFusion's way.
//!
//! Written against DataFusion 55.2; `the_rule_comes_before_the_one_that_deals_rows_out` fails when the rule that it is
//! placed by is renamed, `groups_are_what_the_engine_says` when an aggregate has another shape or result.

mod emit;
mod exec;
mod pack;
mod rule;
mod run;
mod shape;
mod table;
#[cfg(test)]
mod tests;
mod texts;

pub use exec::GroupsExec;
pub(in crate::sql) use rule::with_grouping;

//! GROUP BY over many groups: rows of fixed width, spread over parts by the hash of their keys.
//!
//! DataFusion groups each partition by itself, repartitions the groups by their hash and groups them once more, and
//! carries every address as text throughout. Here a row is packed into a few words (an IPv4 address into 4 bytes, any
//! other text into its index in a dictionary), sums are accumulated in place, and each group is kept once: threads
//! buffer rows for each of 256 parts and fold them into that part's table when there are enough. Texts are written
//! again only for the output columns. Any other type, and any grouping that needs more memory than there is, is left to
//! DataFusion.
//!
//! Written against DataFusion 55.2; `the_rule_comes_before_the_one_that_deals_rows_out` fails when the rule that it is
//! placed before is renamed, `groups_are_what_the_engine_says` when an aggregate has another shape or result.

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

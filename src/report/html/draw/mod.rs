//! The figures as SVG: no layout algorithm, no script, the same bytes for the same data.
//!
//! Each function returns the `<svg>` alone; [`crate::report::html::parts`] puts it beside a table that says the same.

pub(super) mod blast;
pub(super) mod gaps;
pub(super) mod lanes;
pub(super) mod raster;
pub(super) mod uploads;

//! The parts of the page, from top to bottom.

pub(super) mod evidence;
pub(super) mod header;
pub(super) mod incident;
pub(super) mod left_out;
pub(super) mod plots;

pub(super) mod findings;

mod commands;
mod reach;
mod story;
mod tables;

use super::Page;
use super::figures::Figures;
use super::markup::Markup;
use super::membership::Membership;

/// What the parts of a page are made from.
pub(super) struct Sheet<'a> {
    pub(super) page: &'a Page<'a>,
    pub(super) figures: &'a Figures,
    pub(super) membership: Membership<'a>,
}

/// Begins a section with a heading that names it.
fn begin_section(out: &mut Markup, id: &str, title: &str) {
    let heading = format!("{id}-title");
    out.open("section", &[("id", id), ("aria-labelledby", &heading)]);
    out.leaf("h2", &[("id", &heading)], title);
}

//! What the figures of a page show, besides the incidents: the connection starts of calls that keep time, and the
//! uploads of hosts hour by hour.
//!
//! Only what is drawn is read: the pairs of incidents' findings, then those of the worst others.

mod band;
mod gather;
mod wanted;

pub use gather::gather;

use flow::Address;

/// What figures show; see [`gather()`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// Calls that keep time, in the order of their findings: incidents' first.
    pub beats: Vec<BeatFigure>,
    /// Hosts that sent much, in the same order.
    pub uploads: Vec<UploadFigure>,
    /// Findings with a cadence that are not drawn, because there are too many.
    pub beats_left_out: u64,
    /// Hosts with uploads that are not drawn, because there are too many.
    pub uploads_left_out: u64,
}

/// The connection starts of one finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BeatFigure {
    /// The finding's subject.
    pub subject: String,
    /// What is drawn, such as `10.0.57.128 to 103.6.160.233, tcp port 443`.
    pub title: String,
    /// Starts in the window, ascending, at most [`MAX_STARTS`].
    pub starts_s: Vec<i64>,
    /// Later starts that are left out.
    pub left_out: u64,
}

/// The uploads of one host, hour by hour over the window.
#[derive(Debug, Clone, PartialEq)]
pub struct UploadFigure {
    /// The AWS account; empty where the logs do not name it.
    pub account_id: String,
    /// The AWS region; empty where the logs do not name it.
    pub region: String,
    /// The host.
    pub host: Address,
    /// What the band is made of.
    pub habit: Habit,
    /// The hours of the window, at most [`MAX_HOURS`], the last ones; all of them, also those without traffic.
    pub hours: Vec<UploadHour>,
    /// Earlier hours of the window that are left out.
    pub left_out: u64,
}

/// What the usual uploads of an hour are taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Habit {
    /// Too little history of the host: nothing tells what is usual. How many days there are.
    Unknown {
        /// Whole days of history.
        days: u32,
    },
    /// The same hour of earlier days.
    HourOfDay {
        /// Whole days of history.
        days: u32,
    },
    /// The same hour of the same day of earlier weeks.
    HourOfWeek {
        /// Whole weeks of history.
        weeks: u32,
    },
}

impl Habit {
    /// Returns whether there is a band.
    #[must_use]
    pub fn is_known(self) -> bool {
        !matches!(self, Habit::Unknown { .. })
    }
}

/// One hour of uploads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UploadHour {
    /// First second of the hour.
    pub hour_s: i64,
    /// Bytes to outside remotes.
    pub bytes_out: u64,
    /// The remote that most of them went to; `None` without traffic.
    pub top_remote: Option<Address>,
    /// What is usual at this hour; `None` without enough history.
    pub band: Option<Band>,
}

impl UploadHour {
    /// Returns whether more was sent than is usual.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.band.is_some_and(|band| self.bytes_out > band.high_bytes)
    }
}

/// The middle 90 % of the bytes that a host sent at one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Band {
    /// The 5 % quantile.
    pub low_bytes: u64,
    /// The 95 % quantile.
    pub high_bytes: u64,
}

/// Findings whose starts are drawn.
pub const MAX_BEATS: usize = 24;
/// Hosts whose uploads are drawn.
pub const MAX_UPLOADS: usize = 24;
/// Starts of one figure.
pub const MAX_STARTS: usize = 20_000;
/// Hours of one figure: a week.
pub const MAX_HOURS: usize = 168;

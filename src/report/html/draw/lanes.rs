//! Lanes: one row for each host in the order of compromise, time from left to right, a bar for each entry of the
//! timeline, an arrow where one host entered another.

use crate::incident::model::{Incident, LinkKind, Party, Tactic, TimelineEntry, TimelineKind};
use crate::report::html::markup::Markup;
use crate::report::html::scale::{TimeAxis, WIDTH};
use crate::report::html::shapes::px;
use crate::report::html::words;
use flow::units::counted;

/// Hosts drawn; the table has all.
const MAX_LANES: usize = 20;
/// Rows of one kind of bars in a lane: what overlaps more is drawn over another.
const MAX_ROWS: usize = 3;
/// Where the axis begins, right of the names.
const LEFT: f64 = 262.0;
/// Where it ends.
const RIGHT: f64 = WIDTH - 22.0;
/// The height of a row of bars.
const ROW: f64 = 14.0;
/// Characters of a host's name.
const NAME: usize = 20;

/// What bars of one row say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Track {
    Scans,
    Sessions,
    Calls,
    Pulls,
    Uploads,
    Others,
}

impl Track {
    const ALL: [Track; 6] = [Track::Scans, Track::Sessions, Track::Calls, Track::Pulls, Track::Uploads, Track::Others];

    fn of(entry: &TimelineEntry) -> Self {
        match entry.kind {
            TimelineKind::FirstContact
            | TimelineKind::CadenceBegins
            | TimelineKind::CadenceChanges
            | TimelineKind::CadenceEnds => Track::Calls,
            TimelineKind::Sweep | TimelineKind::Guessing | TimelineKind::AccessDenied => Track::Scans,
            TimelineKind::SessionAfterGuessing | TimelineKind::InsideSession | TimelineKind::CredentialUsed => {
                Track::Sessions
            }
            TimelineKind::InsidePull | TimelineKind::Download => Track::Pulls,
            TimelineKind::Upload => Track::Uploads,
            TimelineKind::Exposure
            | TimelineKind::AccountMade
            | TimelineKind::LogGap
            | TimelineKind::Verdict
            | TimelineKind::Merge => Track::Others,
            TimelineKind::Finding => match entry.tactic {
                Some(Tactic::CommandAndControl) => Track::Calls,
                Some(Tactic::Discovery | Tactic::CredentialAccess) => Track::Scans,
                Some(Tactic::LateralMovement) => Track::Sessions,
                Some(Tactic::Collection) => Track::Pulls,
                Some(Tactic::Exfiltration) => Track::Uploads,
                _ => Track::Others,
            },
        }
    }

    fn name(self) -> &'static str {
        match self {
            Track::Scans => "scans",
            Track::Sessions => "sessions",
            Track::Calls => "calls",
            Track::Pulls => "pulls",
            Track::Uploads => "uploads",
            Track::Others => "other",
        }
    }

    fn class(self) -> &'static str {
        match self {
            Track::Scans => "fill-scans",
            Track::Sessions => "fill-sessions",
            Track::Calls => "fill-calls",
            Track::Pulls => "fill-pulls",
            Track::Uploads => "fill-uploads",
            Track::Others => "fill-others",
        }
    }
}

/// A bar, and the row of its track that has room for it.
struct Bar<'a> {
    track: Track,
    row: usize,
    from_s: i64,
    to_s: i64,
    entry: &'a TimelineEntry,
}

/// One host's row.
struct Lane<'a> {
    name: String,
    about: String,
    bars: Vec<Bar<'a>>,
    /// The rows of each track that the lane has.
    rows: Vec<(Track, usize)>,
    top: f64,
}

impl Lane<'_> {
    fn height(&self) -> f64 {
        let rows: usize = self.rows.iter().map(|(_, rows)| rows).sum();
        (rows as f64 * ROW + 14.0).max(46.0)
    }

    fn row_y(&self, track: Track, row: usize) -> f64 {
        let before: usize = self.rows.iter().take_while(|(of, _)| *of < track).map(|(_, rows)| rows).sum();
        self.top + 8.0 + (before + row) as f64 * ROW
    }
}

/// Returns the lanes of an incident; `None` where neither its timeline nor a link has anything to draw.
pub(in crate::report::html) fn lanes(incident: &Incident, marker: &str) -> Option<Markup> {
    let (from_s, to_s) = span(incident)?;
    let margin_s = (to_s - from_s) / 60;
    let axis = TimeAxis::new(from_s - margin_s, to_s + margin_s, LEFT, RIGHT);
    let mut lanes = gather(incident);
    let mut bottom = 10.0;
    for lane in &mut lanes {
        lane.top = bottom;
        bottom += lane.height();
    }
    let hosts = counted(incident.hosts.len().min(MAX_LANES) as u64, "host", "hosts");
    let title =
        format!("What {hosts} did over time, one row each in the order of compromise; the timeline says the same");
    let mut out = Markup::new();
    out.begin_figure(WIDTH, bottom + 40.0, &title).arrow_head(marker, "fill-sessions");
    axis.draw(&mut out, 10.0, bottom);
    for lane in &lanes {
        draw_lane(&mut out, lane, &axis);
    }
    draw_entries(&mut out, incident, &lanes, &axis, marker);
    out.close("svg");
    Some(out)
}

fn span(incident: &Incident) -> Option<(i64, i64)> {
    let times = incident.timeline.iter().flat_map(|entry| [entry.time_s, entry.end_s]);
    let all = times.chain(incident.hosts.iter().map(|host| host.since_s)).chain(incident.links.iter().map(|l| l.at_s));
    let all = all.chain((!incident.timeline.is_empty()).then_some(incident.last_seen_s));
    let (first, last) = all.fold((i64::MAX, i64::MIN), |(first, last), at| (first.min(at), last.max(at)));
    let empty = incident.timeline.is_empty() && incident.links.is_empty();
    (!empty && first <= last).then_some((first, last))
}

fn gather(incident: &Incident) -> Vec<Lane<'_>> {
    let shown = &incident.hosts[..incident.hosts.len().min(MAX_LANES)];
    let lane = |name: String, about: String| Lane { name, about, bars: Vec::new(), rows: Vec::new(), top: 0.0 };
    let mut lanes: Vec<Lane<'_>> = (shown.iter())
        .map(|host| {
            let since = format!("{} {}", words::day(host.since_s), words::clock(host.since_s));
            let about = format!("{}, {since}", words::host_part(host.part));
            lane(words::shortened(&host.host.to_string(), NAME), about)
        })
        .collect();
    lanes.push(lane("others".to_owned(), "outside, or not drawn".to_owned()));
    let others = lanes.len() - 1;
    for entry in &incident.timeline {
        let of = |party: &Party| shown.iter().position(|host| *party == host.host);
        let at = of(&entry.actor).or_else(|| entry.target.as_ref().and_then(of)).unwrap_or(others);
        let (track, to_s) = (Track::of(entry), end_of(entry, incident));
        lanes[at].bars.push(Bar { track, row: 0, from_s: entry.time_s, to_s, entry });
    }
    if lanes[others].bars.is_empty() {
        lanes.pop();
    }
    lanes.iter_mut().for_each(pack);
    lanes
}

/// Returns the end of an entry. Calls that begin go on until the entry that ends them, else to the end of the incident.
fn end_of(entry: &TimelineEntry, incident: &Incident) -> i64 {
    if entry.kind != TimelineKind::CadenceBegins || entry.end_s > entry.time_s {
        return entry.end_s.max(entry.time_s);
    }
    let ends = incident.timeline.iter().find(|other| {
        other.kind == TimelineKind::CadenceEnds
            && (&other.actor, &other.target, other.port) == (&entry.actor, &entry.target, entry.port)
            && other.time_s >= entry.time_s
    });
    ends.map_or(incident.last_seen_s, |end| end.time_s).max(entry.time_s)
}

/// Gives each bar the first row of its track that is free at its time.
fn pack(lane: &mut Lane<'_>) {
    for track in Track::ALL {
        let mut ends_s: Vec<i64> = Vec::new();
        for bar in lane.bars.iter_mut().filter(|bar| bar.track == track) {
            let free = ends_s.iter().position(|end_s| *end_s < bar.from_s);
            bar.row = free.unwrap_or_else(|| ends_s.len().min(MAX_ROWS - 1));
            match ends_s.get_mut(bar.row) {
                Some(end_s) => *end_s = bar.to_s.max(*end_s),
                None => ends_s.push(bar.to_s),
            }
        }
        if !ends_s.is_empty() {
            lane.rows.push((track, ends_s.len()));
        }
    }
}

fn draw_lane(out: &mut Markup, lane: &Lane<'_>, axis: &TimeAxis) {
    let bottom = lane.top + lane.height();
    out.line("grid", (0.0, bottom), (RIGHT, bottom));
    out.label("name", (0.0, lane.top + 19.0), &lane.name).label("tick", (0.0, lane.top + 35.0), &lane.about);
    for (track, _) in &lane.rows {
        out.label("tick end", (LEFT - 8.0, lane.row_y(*track, 0) + 9.0), track.name());
    }
    for bar in &lane.bars {
        let (from, to) = (axis.x(bar.from_s), axis.x(bar.to_s));
        let place = (from, lane.row_y(bar.track, bar.row), (to - from).max(4.0), ROW - 4.0);
        out.area(bar.track.class(), place, 2.0, &format!("{} {}", words::moment(bar.entry.time_s), bar.entry.text));
    }
    out.raw("\n");
}

/// Draws an arrow for each session between two lanes, and for each link that no session shows.
fn draw_entries(out: &mut Markup, incident: &Incident, lanes: &[Lane<'_>], axis: &TimeAxis, marker: &str) {
    let lane_of = |party: &Party| {
        let at = incident.hosts.iter().position(|host| *party == host.host)?;
        lanes.get(at).filter(|_| at < MAX_LANES)
    };
    let sessions = incident.timeline.iter().filter(|entry| Track::of(entry) == Track::Sessions);
    let mut arrows: Vec<(&Party, &Party, i64, &str)> = sessions
        .filter_map(|entry| Some((&entry.actor, entry.target.as_ref()?, entry.time_s, entry.text.as_str())))
        .collect();
    let entering = |kind| matches!(kind, LinkKind::Lateral | LinkKind::Bridge | LinkKind::ScanHit);
    for link in incident.links.iter().filter(|link| entering(link.kind)) {
        if !arrows.iter().any(|(from, to, ..)| (*from, *to) == (&link.from, &link.to)) {
            arrows.push((&link.from, &link.to, link.at_s, &link.explanation));
        }
    }
    for (from, to, at_s, text) in arrows {
        let Some((from, to)) = lane_of(from).zip(lane_of(to)).filter(|_| from != to) else { continue };
        let x = px(axis.x(at_s));
        let down = to.top > from.top;
        let from_y = if from.rows.iter().any(|(track, _)| *track == Track::Sessions) {
            from.row_y(Track::Sessions, 0) + if down { ROW - 4.0 } else { 0.0 }
        } else {
            from.top + if down { from.height() } else { 0.0 }
        };
        let to_y = if down { to.top + 6.0 } else { to.top + to.height() - 4.0 };
        out.arrow("entry", &format!("M{x} {}V{}", px(from_y), px(to_y)), marker, text);
    }
    out.raw("\n");
}

//! The plots of findings: when calls were made, how far apart they are, and uploads against the host's own habit.

use super::tables::figure;
use super::{Sheet, begin_section};
use crate::detect::Finding;
use crate::incident::Incident;
use crate::report::html::draw::gaps::Gaps;
use crate::report::html::draw::raster::Raster;
use crate::report::html::draw::uploads::uploads;
use crate::report::html::figures::{BeatFigure, Habit, UploadFigure};
use crate::report::html::markup::Markup;
use crate::report::html::words;
use flow::units::{bytes_text, count_text, counted, duration_text};
use std::collections::HashSet;

/// Writes the plots of an incident.
pub(super) fn plots_of(out: &mut Markup, sheet: &Sheet<'_>, incident: &Incident, findings: &[&Finding]) {
    let subjects: HashSet<&str> = findings.iter().map(|finding| finding.subject.as_str()).collect();
    let beats: Vec<&BeatFigure> =
        sheet.figures.beats.iter().filter(|figure| subjects.contains(figure.subject.as_str())).collect();
    let uploads: Vec<&UploadFigure> = sheet.figures.uploads.iter().filter(|figure| is_of(figure, incident)).collect();
    if !beats.is_empty() {
        out.leaf("h3", &[], "Regular calls");
        beats.into_iter().for_each(|figure| beat(out, figure));
    }
    if !uploads.is_empty() {
        out.leaf("h3", &[], "Uploads by hour");
        uploads.into_iter().for_each(|figure| upload(out, figure));
    }
}

fn is_of(figure: &UploadFigure, incident: &Incident) -> bool {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    incident.hosts.iter().any(|host| {
        (host.host, text(&host.account_id), text(&host.region))
            == (figure.host, figure.account_id.clone(), figure.region.clone())
    })
}

/// Writes the plots of findings that belong to no incident, and what is not drawn.
pub(in crate::report::html) fn other_plots(out: &mut Markup, sheet: &Sheet<'_>) {
    begin_section(out, "plots", "Plots of other findings");
    let subjects: HashSet<&str> = (sheet.page.findings.iter())
        .filter(|finding| sheet.membership.incident(finding).is_some())
        .map(|finding| finding.subject.as_str())
        .collect();
    let beats: Vec<&BeatFigure> =
        sheet.figures.beats.iter().filter(|figure| !subjects.contains(figure.subject.as_str())).collect();
    let alone = |figure: &&UploadFigure| !sheet.page.incidents.iter().any(|incident| is_of(figure, incident));
    let uploads: Vec<&UploadFigure> = sheet.figures.uploads.iter().filter(alone).collect();
    if beats.is_empty() && uploads.is_empty() {
        out.leaf("p", &[], "No other finding has a cadence or an upload to draw.");
    }
    if !beats.is_empty() {
        out.leaf("h3", &[], "Regular calls of other findings");
        beats.into_iter().for_each(|figure| beat(out, figure));
    }
    if !uploads.is_empty() {
        out.leaf("h3", &[], "Uploads of other hosts by hour");
        uploads.into_iter().for_each(|figure| upload(out, figure));
    }
    out.close("section");
}

/// Writes when calls were made, and how far apart.
fn beat(out: &mut Markup, figure_of: &BeatFigure) {
    let Some(raster) = Raster::of(&figure_of.starts_s) else { return };
    let mut note = format!(" {}.", counted(figure_of.starts_s.len() as u64, "connection start", "connection starts"));
    if figure_of.left_out > 0 {
        note.push_str(&format!(" {} later ones are left out.", count_text(figure_of.left_out)));
    }
    note.push_str(&raster.note());
    let rows: Vec<Vec<String>> = (raster.hours.iter())
        .map(|(hour, starts)| {
            let gaps = Gaps::of(starts).map_or_else(|| "-".to_owned(), |gaps| duration_text(gaps.median_s as f64));
            vec![words::minute(*hour), count_text(starts.len() as u64), gaps]
        })
        .collect();
    let heads = [("Hour", "time"), ("Starts", "number"), ("Median time between them", "number")];
    figure(out, &format!("When {}", figure_of.title), raster.draw(), &note, &heads, &rows);
    let Some(gaps) = Gaps::of(&figure_of.starts_s) else { return };
    let note = format!(
        " Bars of {}; the log's clock has a grid of {}.{}",
        duration_text(gaps.bin_s as f64),
        duration_text(gaps.grid_s as f64),
        gaps.note()
    );
    let rows: Vec<Vec<String>> = (gaps.bins.iter().enumerate().filter(|(_, count)| **count > 0))
        .map(|(bin, count)| vec![gaps.bin_text(bin), count_text(*count)])
        .collect();
    let heads = [("Time between starts", "number"), ("How often", "number")];
    figure(out, &format!("Time between starts, {}", figure_of.title), gaps.draw(), &note, &heads, &rows);
}

/// Writes the uploads of a host.
fn upload(out: &mut Markup, figure_of: &UploadFigure) {
    let Some(drawing) = uploads(figure_of) else { return };
    let band = match figure_of.habit {
        Habit::Unknown { days: 0 } => " No band: there is no history of this host to tell what is usual.".to_owned(),
        Habit::Unknown { days } => {
            format!(
                " No band: {} of this host's history are too few to tell what is usual.",
                counted(u64::from(days), "day", "days")
            )
        }
        Habit::HourOfDay { days } => {
            format!(
                " Band: 5 % to 95 % of what it sent at the same hour on {} before.",
                counted(u64::from(days), "day", "days")
            )
        }
        Habit::HourOfWeek { weeks } => format!(
            " Band: 5 % to 95 % of what it sent at the same hour of the week in {} before.",
            counted(u64::from(weeks), "week", "weeks")
        ),
    };
    let left_out = match figure_of.left_out {
        0 => String::new(),
        hours => format!(" {} earlier hours of the window are not drawn.", count_text(hours)),
    };
    let rows: Vec<Vec<String>> = (figure_of.hours.iter().filter(|hour| hour.bytes_out > 0))
        .map(|hour| {
            let usual = hour.band.map_or_else(
                || "unknown".to_owned(),
                |band| format!("{} to {}", bytes_text(band.low_bytes), bytes_text(band.high_bytes)),
            );
            vec![
                words::minute(hour.hour_s),
                bytes_text(hour.bytes_out),
                usual,
                if hour.is_over() { "above" } else { "" }.to_owned(),
                hour.top_remote.map_or_else(String::new, |remote| remote.to_string()),
            ]
        })
        .collect();
    let heads =
        [("Hour", "time"), ("Sent out", "number"), ("Usual", "number"), ("Against it", ""), ("Most of it to", "mono")];
    let title = format!("What {} sent out by hour", figure_of.host);
    figure(out, &title, drawing, &format!("{band}{left_out}"), &heads, &rows);
}

//! A message for Slack, and whatever takes its webhooks.
//!
//! Data stand in `plain_text` alone, which neither formats nor mentions; the fallback of notifications is escaped and
//! not parsed.

use super::plain::{Message, joined};
use crate::notice::{Notice, cut_to};
use serde_json::{Value, json};

/// Most characters of a header.
const MAX_HEADER: usize = 150;
/// Most characters of one section, escapes included; Slack takes 3,000.
const MAX_SECTION: usize = 2_900;
/// Most characters of a field; Slack takes 2,000.
const MAX_FIELD: usize = 600;
/// Most fields of a section.
const MAX_FIELDS: usize = 10;

pub(crate) fn body(notice: &Notice) -> Value {
    let message = Message::of(notice);
    let mut blocks = vec![json!({ "type": "header", "text": plain(&message.heading, MAX_HEADER) })];
    let fields: Vec<Value> =
        message.facts.iter().map(|(name, value)| plain(&format!("{name}\n{value}"), MAX_FIELD)).collect();
    for some in fields.chunks(MAX_FIELDS) {
        blocks.push(json!({ "type": "section", "fields": some }));
    }
    if !message.lines.is_empty() {
        blocks.push(json!({ "type": "section", "text": plain(&joined(&message.lines, MAX_SECTION), MAX_SECTION) }));
    }
    json!({
        "text": escaped(&message.heading, MAX_SECTION),
        "mrkdwn": false,
        "parse": "none",
        "link_names": false,
        "unfurl_links": false,
        "unfurl_media": false,
        "blocks": blocks,
    })
}

fn plain(text: &str, most: usize) -> Value {
    json!({ "type": "plain_text", "text": escaped(text, most), "emoji": false })
}

/// Escapes what Slack reads as control characters; the result has at most `most` characters.
fn escaped(text: &str, most: usize) -> String {
    let mut short = cut_to(text, most);
    loop {
        let escaped = short.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let over = escaped.chars().count().saturating_sub(most);
        if over == 0 {
            return escaped;
        }
        // At most four of five characters of what is over come from escapes.
        let keep = short.chars().count().saturating_sub(over.div_ceil(5).max(1));
        short = cut_to(&short, keep);
    }
}

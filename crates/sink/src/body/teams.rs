//! An adaptive card for Microsoft Teams, as its workflows take it.
//!
//! A `TextBlock` and a `FactSet` read Markdown; a `TextRun` does not, so data stand in those alone.

use super::plain::Message;
use crate::notice::{Notice, cut_to_bytes};
use serde_json::{Value, json};

/// Most bytes of one run of text; with the limits of a message a card stays under 28 KB.
const MAX_RUN_BYTES: usize = 400;
/// Most facts and lines.
const MAX_RUNS: usize = 24;

pub(crate) fn body(notice: &Notice) -> Value {
    let message = Message::of(notice);
    let mut card = vec![json!({
        "type": "RichTextBlock",
        "inlines": [{ "type": "TextRun", "text": cut_to_bytes(&message.heading, MAX_RUN_BYTES), "weight": "Bolder", "size": "Medium" }],
    })];
    for (name, value) in message.facts.iter().take(MAX_RUNS) {
        card.push(json!({
            "type": "RichTextBlock",
            "inlines": [
                { "type": "TextRun", "text": format!("{name}: "), "weight": "Bolder" },
                { "type": "TextRun", "text": cut_to_bytes(value, MAX_RUN_BYTES) },
            ],
        }));
    }
    for line in message.lines.iter().take(MAX_RUNS) {
        card.push(json!({
            "type": "RichTextBlock",
            "inlines": [{ "type": "TextRun", "text": cut_to_bytes(line, MAX_RUN_BYTES), "isSubtle": true }],
        }));
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": card,
            },
        }],
    })
}

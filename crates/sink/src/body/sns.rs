//! A message for an SNS topic: text for mail, JSON for programs.

use super::plain::{Message, ascii_line};
use crate::notice::Notice;
use serde_json::json;

/// Most characters of a subject.
const MAX_SUBJECT: usize = 100;

/// Returns the parameters of `Publish`.
pub(crate) fn parameters(notice: &Notice, arn: &str) -> Vec<(String, String)> {
    let message = Message::of(notice);
    let program = serde_json::to_string(notice).unwrap_or_default();
    let texts = json!({ "default": program, "email": message.text(), "sms": ascii_line(&message.heading, 140) });
    let mut parameters = vec![
        ("Action".to_owned(), "Publish".to_owned()),
        ("Version".to_owned(), "2010-03-31".to_owned()),
        ("TopicArn".to_owned(), arn.to_owned()),
        ("Subject".to_owned(), ascii_line(&message.heading, MAX_SUBJECT)),
        ("MessageStructure".to_owned(), "json".to_owned()),
        ("Message".to_owned(), texts.to_string()),
    ];
    let mut attributes = vec![("idempotency_key", notice.key())];
    match notice {
        Notice::Incident(notice) => {
            attributes.push(("kind", "incident".to_owned()));
            attributes.push(("change", notice.change.name().to_owned()));
            attributes.push(("severity", notice.incident.severity.as_str().to_owned()));
        }
        Notice::Digest(_) => attributes.push(("kind", "digest".to_owned())),
        Notice::Heartbeat(_) => attributes.push(("kind", "heartbeat".to_owned())),
    }
    for (index, (name, value)) in attributes.into_iter().enumerate() {
        let entry = format!("MessageAttributes.entry.{}", index + 1);
        parameters.push((format!("{entry}.Name"), name.to_owned()));
        parameters.push((format!("{entry}.Value.DataType"), "String".to_owned()));
        parameters.push((format!("{entry}.Value.StringValue"), value));
    }
    if arn.ends_with(".fifo") {
        parameters.push(("MessageGroupId".to_owned(), "flowsift".to_owned()));
        parameters.push(("MessageDeduplicationId".to_owned(), notice.key()));
    }
    parameters
}

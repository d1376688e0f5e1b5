//! Limits and escapes of every form.

use super::examples::{HOSTILE, hostile, incident, notice};
use super::{event_bridge, hec, pagerduty, security_hub, slack, sns, teams};
use crate::notice::{Change, Notice, RunView};
use crate::secret::Secret;
use flow::Severity;
use serde_json::Value;

fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| texts(value, found)),
        Value::Object(fields) => fields.values().for_each(|value| texts(value, found)),
        _ => {}
    }
}

fn all() -> Vec<Notice> {
    let run = RunView {
        window_from_s: Some(1_713_484_800),
        window_to_s: Some(1_713_571_200),
        sources: vec![HOSTILE.to_owned()],
        incidents: vec![hostile(), incident('a', Severity::High)],
        ..RunView::default()
    };
    vec![
        notice(Change::Opened, hostile()),
        notice(Change::Closed, incident('a', Severity::High)),
        Notice::Digest(run.digest("2024-04-19", Severity::Low, 0)),
        Notice::Heartbeat(run.heartbeat()),
    ]
}

#[test]
fn slack_shows_data_as_plain_text_within_its_limits() {
    for notice in all() {
        let body = slack::body(&notice);
        let blocks = body["blocks"].as_array().unwrap();
        assert!(blocks.len() <= 50);
        assert!(body.to_string().chars().count() < 13_000, "{}", body.to_string().len());
        for block in blocks {
            let texts = block["fields"].as_array().cloned().unwrap_or_else(|| vec![block["text"].clone()]);
            assert!(texts.len() <= 10);
            for text in texts {
                assert_eq!((&text["type"], &text["emoji"]), (&"plain_text".into(), &false.into()));
                let most = if block["type"] == "header" { 150 } else { 3_000 };
                let text = text["text"].as_str().unwrap();
                assert!(!text.is_empty() && text.chars().count() <= most, "{text}");
            }
        }
        let mut found = Vec::new();
        texts(&body, &mut found);
        for text in found {
            assert!(!text.contains(['<', '>', '\u{202e}', '\u{1b}']), "{text}");
            assert!(!text.replace("&lt;", "").replace("&gt;", "").replace("&amp;", "").contains('&'), "{text}");
        }
        assert_eq!(
            (&body["parse"], &body["link_names"], &body["mrkdwn"]),
            (&"none".into(), &false.into(), &false.into())
        );
    }
}

#[test]
fn cards_for_teams_have_no_markdown_and_no_mention() {
    for notice in all() {
        let card = teams::body(&notice);
        assert!(card.to_string().len() < 28_000, "{}", card.to_string().len());
        let content = &card["attachments"][0]["content"];
        assert!(content["msteams"].is_null());
        for block in content["body"].as_array().unwrap() {
            assert_eq!(block["type"], "RichTextBlock");
            assert!(block["inlines"].as_array().unwrap().iter().all(|run| run["type"] == "TextRun"));
        }
    }
}

#[test]
fn pagerduty_triggers_and_resolves_by_the_id_of_the_incident() {
    let key = Secret::new("key");
    let trigger = pagerduty::body(&notice(Change::Opened, hostile()), &key).unwrap();
    assert_eq!((&trigger["event_action"], &trigger["payload"]["severity"]), (&"trigger".into(), &"critical".into()));
    assert!(trigger["payload"]["summary"].as_str().unwrap().chars().count() <= 1_024);
    assert!(trigger.to_string().len() < 512_000);
    let resolve = pagerduty::body(&notice(Change::Closed, hostile()), &key).unwrap();
    assert_eq!((&resolve["event_action"], &resolve["dedup_key"]), (&"resolve".into(), &trigger["dedup_key"]));
    assert!(pagerduty::body(&all()[3], &key).is_none());
}

#[test]
fn events_for_splunk_carry_time_and_host() {
    let event = hec::body(&notice(Change::Opened, incident('a', Severity::High)), 7);
    assert_eq!((event["time"].as_i64(), &event["host"]), (Some(1_713_571_200), &"10.0.57.128".into()));
    assert_eq!(event["sourcetype"], "flowsift:incident");
    assert_eq!(event["event"]["incident"]["severity"], "high");
}

#[test]
fn findings_for_security_hub_have_the_required_fields_within_their_limits() {
    let required = [
        "SchemaVersion",
        "Id",
        "ProductArn",
        "GeneratorId",
        "AwsAccountId",
        "CreatedAt",
        "UpdatedAt",
        "Title",
        "Description",
        "Resources",
        "FindingProviderFields",
    ];
    for (change, one) in [(Change::Opened, hostile()), (Change::Closed, incident('a', Severity::Low))] {
        let finding = security_hub::finding(&notice(change, one), "999988887777", "eu-west-1").unwrap();
        assert!(required.iter().all(|name| !finding[*name].is_null()), "{finding:#}");
        assert!(finding.to_string().len() <= security_hub::MAX_FINDING_BYTES);
        let length = |name: &str| finding[name].as_str().unwrap().chars().count();
        assert!(length("Title") <= 256 && length("Description") <= 1_024 && length("Id") <= 512);
        assert!(finding["Resources"].as_array().unwrap().len() <= 32);
        assert!(finding["ThreatIntelIndicators"].as_array().unwrap().len() <= 5);
        assert!(finding["ProductFields"].as_object().unwrap().len() <= 50);
        // The account of the sink owns the finding; the host keeps its own.
        assert_eq!(finding["AwsAccountId"], "999988887777");
        assert_eq!(finding["Resources"][0]["Id"], "arn:aws:ec2:eu-west-1:111122223333:instance/i-0abc");
        assert!(finding["Severity"].is_null(), "only through FindingProviderFields");
        let state = if change == Change::Closed { "ARCHIVED" } else { "ACTIVE" };
        assert_eq!(finding["RecordState"], state);
    }
    assert!(security_hub::finding(&all()[2], "999988887777", "eu-west-1").is_none());
}

#[test]
fn entries_and_messages_of_aws_keep_their_limits() {
    for notice in all() {
        let entry = event_bridge::entry(&notice, "bus", 7);
        assert!(entry.to_string().len() * event_bridge::MAX_ENTRIES < 3_000_000);
        assert!(entry["Detail"].as_str().unwrap().len() < 250_000, "{}", entry["Detail"].as_str().unwrap().len());
        assert!(entry["DetailType"].as_str().unwrap().len() <= 128);
        let detail: Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
        assert_eq!(detail["idempotency_key"], notice.key());
        let parameters = sns::parameters(&notice, "arn:aws:sns:eu-west-1:1:x.fifo");
        let of = |name: &str| &parameters.iter().find(|(one, _)| one == name).unwrap().1;
        assert!(of("Subject").is_ascii() && of("Subject").len() <= 100);
        assert!(of("Message").len() < 256 * 1024, "{}", of("Message").len());
        assert_eq!(of("MessageDeduplicationId"), &notice.key());
        let message: Value = serde_json::from_str(of("Message")).unwrap();
        assert_eq!(serde_json::from_str::<Notice>(message["default"].as_str().unwrap()).unwrap(), notice);
    }
}

#[test]
fn notices_are_the_same_after_they_waited() {
    for notice in all() {
        let kept = serde_json::to_vec(&notice).unwrap();
        let back: Notice = serde_json::from_slice(&kept).unwrap();
        assert_eq!((back.key(), &back), (notice.key(), &notice));
    }
    let notices = all();
    assert_eq!(notices[0].of_incident().unwrap().incident.left_out.get("story"), Some(&180));
}

/// Letters of four bytes, and letters that JSON within JSON escapes.
#[test]
fn limits_hold_in_bytes() {
    for letter in ["😀", "\"", "\\", "語"] {
        let mut one = hostile();
        let long = letter.repeat(2_000);
        one.title = long.clone();
        one.principals.fill(long.clone());
        one.links.fill(long.clone());
        one.story.iter_mut().for_each(|line| line.text = long.clone());
        one.remotes.iter_mut().for_each(|remote| remote.owner = Some(long.clone()));
        let notice = notice(Change::Opened, one);
        let parameters = sns::parameters(&notice, "arn:aws:sns:eu-west-1:1:x");
        let message = &parameters.iter().find(|(name, _)| name == "Message").unwrap().1;
        assert!(message.len() < 256 * 1024, "{letter}: {}", message.len());
        let card = teams::body(&notice).to_string();
        assert!(card.len() < 28_000, "{letter}: {}", card.len());
    }
}

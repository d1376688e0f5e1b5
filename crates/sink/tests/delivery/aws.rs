//! Services of AWS that answer as they do at their limits, which simulators accept: too many or too large entries, parts
//! that fail with status 200, throttling, and identities that are refused.

use crate::receiver::{Came, Receiver, Reply, incident, pace, run};
use flow::Severity;
use flowsift_sink::{Aws, ClientOptions, Host, IncidentView, MemoryStorage, Outbox, Pace, Reach, Sink, StoryLine};
use serde_json::{Value, json};
use std::time::Duration;

const LOOPBACK: ClientOptions =
    ClientOptions { reach: Reach { private: false, loopback: true }, timeout: Duration::from_secs(9) };

fn aws() -> Aws {
    Aws::unsigned(Some("eu-west-1".to_owned()))
}

fn body(came: &Came) -> Value {
    serde_json::from_str(&came.body).unwrap()
}

/// Security Hub: refuses a whole request beyond its limits, and takes each finding otherwise.
fn hub(came: &Came) -> String {
    let request = body(came);
    let findings = request["Findings"].as_array().unwrap();
    let fits = findings.len() <= 100 && findings.iter().all(|one| one.to_string().len() <= 240_000);
    assert!(fits && came.body.len() < 10_000_000, "{} findings", findings.len());
    json!({ "FailedCount": 0, "SuccessCount": findings.len(), "FailedFindings": [] }).to_string()
}

/// An event bus that takes every entry.
fn bus(came: &Came) -> String {
    let request = body(came);
    let entries = request["Entries"].as_array().unwrap();
    assert!(entries.len() <= 10 && came.body.len() < 1 << 20, "{} entries", entries.len());
    let taken: Vec<Value> = entries.iter().map(|_| json!({ "EventId": "e" })).collect();
    json!({ "FailedEntryCount": 0, "Entries": taken }).to_string()
}

fn many(count: u32) -> Vec<IncidentView> {
    let one = |number: u32| {
        let mut one = incident('a', 1, Severity::High);
        one.id = format!("{number:032x}");
        // As large as incidents get.
        one.hosts =
            (0..300).map(|at| Host { host: format!("10.0.{}.{}", at / 256, at % 256), ..Host::default() }).collect();
        one.story = vec![StoryLine { text: "ü".repeat(2_000), ..StoryLine::default() }; 300];
        one.links = vec!["ü".repeat(2_000); 300];
        one
    };
    (0..count).map(one).collect()
}

#[tokio::test]
async fn a_flood_of_large_incidents_keeps_the_limits_of_each_service() {
    for (url, answer, count, most) in [
        ("securityhub://111122223333?endpoint=http://127.0.0.1:", hub as fn(&Came) -> String, 102, 100),
        ("eventbridge://bus?heartbeat=off&endpoint=http://127.0.0.1:", bus, 25, 10),
    ] {
        let receiver = Receiver::with(vec![], Reply::Answer(answer)).await;
        let sink = Sink::parse(&format!("{url}{}", receiver.port)).unwrap();
        let storage = MemoryStorage::default();
        let outbox = Outbox::new(&storage, &sink);
        outbox.add(&run(&many(count))).await.unwrap();
        let patient = Pace { budget: Duration::from_secs(60), ..pace() };
        let delivery = outbox.deliver(Some(&aws()), LOOPBACK, patient).await;
        assert_eq!((delivery.sent, delivery.waiting, delivery.trouble), (u64::from(count), 0, None), "{url}");
        let requests = receiver.requests();
        assert!(requests.len() >= (count as usize).div_ceil(most), "{}", requests.len());
        let signed = "AWS4-HMAC-SHA256 Credential=shown/";
        assert!(requests.iter().all(|one| one.header("authorization").starts_with(signed)), "{url}");
    }
}

#[tokio::test]
async fn parts_that_fail_with_status_200_wait_or_are_put_aside() {
    let answer = |came: &Came| {
        let id = |at: usize| body(came)["Findings"][at]["Id"].clone();
        json!({ "FailedCount": 2, "SuccessCount": 1, "FailedFindings": [
            { "Id": id(0), "ErrorCode": "InternalException", "ErrorMessage": "later" },
            { "Id": id(1), "ErrorCode": "InvalidInput", "ErrorMessage": "never" },
        ] })
        .to_string()
    };
    // What became of each is in the body, so one that is cut off tells nothing.
    let receiver = Receiver::with(vec![Reply::CutBody, Reply::Answer(answer)], Reply::Answer(hub)).await;
    let url = format!("securityhub://111122223333?endpoint=http://127.0.0.1:{}/", receiver.port);
    let sink = Sink::parse(&url).unwrap();
    let storage = MemoryStorage::default();
    let outbox = Outbox::new(&storage, &sink);
    let three = ['a', 'b', 'c'].map(|id| incident(id, 1, Severity::High));
    outbox.add(&run(&three)).await.unwrap();
    let delivery = outbox.deliver(Some(&aws()), LOOPBACK, pace()).await;
    assert_eq!((delivery.sent, delivery.refused, delivery.waiting), (2, 1, 0), "{delivery:?}");
    assert!(delivery.trouble.unwrap().contains("InvalidInput: never"));
    let sent: Vec<usize> =
        receiver.requests().iter().map(|one| body(one)["Findings"].as_array().unwrap().len()).collect();
    assert_eq!(sent, [3, 3, 1]);
}

#[tokio::test]
async fn entries_of_one_incident_never_overtake_each_other() {
    let first_fails = |came: &Came| {
        let request = body(came);
        let entries = request["Entries"].as_array().unwrap();
        let answer = |at: usize| match at {
            0 => json!({ "ErrorCode": "ThrottlingException", "ErrorMessage": "slow down" }),
            _ => json!({ "EventId": "e" }),
        };
        let answers: Vec<Value> = (0..entries.len()).map(answer).collect();
        json!({ "FailedEntryCount": 1, "Entries": answers }).to_string()
    };
    let receiver = Receiver::with(vec![Reply::Answer(first_fails)], Reply::Answer(bus)).await;
    let url = format!("eventbridge://bus?heartbeat=off&endpoint=http://127.0.0.1:{}/", receiver.port);
    let sink = Sink::parse(&url).unwrap();
    let storage = MemoryStorage::default();
    let outbox = Outbox::new(&storage, &sink);
    outbox.add(&run(&[incident('a', 1, Severity::High), incident('b', 1, Severity::High)])).await.unwrap();
    let mut worse = incident('a', 2, Severity::Critical);
    worse.change = "escalated".to_owned();
    outbox.add(&run(&[worse])).await.unwrap();
    let delivery = outbox.deliver(Some(&aws()), LOOPBACK, pace()).await;
    assert_eq!((delivery.sent, delivery.trouble), (3, None));
    let mut of_a = Vec::new();
    for came in receiver.requests() {
        for entry in body(&came)["Entries"].as_array().unwrap() {
            let detail: Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
            if detail["incident"]["id"].as_str().unwrap().starts_with('a') {
                of_a.push(entry["DetailType"].as_str().unwrap().to_owned());
            }
        }
    }
    assert_eq!(of_a, ["Incident Opened", "Incident Opened", "Incident Escalated"]);
}

#[tokio::test]
async fn rights_that_are_missing_per_entry_put_nothing_aside() {
    let denied = |came: &Came| {
        let count = body(came)["Entries"].as_array().unwrap().len();
        let entry = json!({ "ErrorCode": "AccessDeniedException", "ErrorMessage": "no" });
        json!({ "FailedEntryCount": count, "Entries": vec![entry; count] }).to_string()
    };
    let receiver = Receiver::with(vec![Reply::Answer(denied)], Reply::Answer(bus)).await;
    let url = format!("eventbridge://bus?heartbeat=off&endpoint=http://127.0.0.1:{}/", receiver.port);
    let sink = Sink::parse(&url).unwrap();
    let storage = MemoryStorage::default();
    let outbox = Outbox::new(&storage, &sink);
    outbox.add(&run(&['a', 'b'].map(|id| incident(id, 1, Severity::High)))).await.unwrap();
    let delivery = outbox.deliver(Some(&aws()), LOOPBACK, pace()).await;
    assert_eq!((delivery.sent, delivery.refused, delivery.waiting), (0, 0, 2), "{delivery:?}");
    assert_eq!(outbox.deliver(Some(&aws()), LOOPBACK, pace()).await.sent, 2);
}

#[tokio::test]
async fn identities_that_are_refused_keep_everything_and_throttling_is_waited_for() {
    let receiver = Receiver::with(vec![Reply::Status(403), Reply::Status(429)], Reply::Answer(hub)).await;
    let url = format!("securityhub://111122223333?endpoint=http://127.0.0.1:{}/", receiver.port);
    let sink = Sink::parse(&url).unwrap();
    let storage = MemoryStorage::default();
    let outbox = Outbox::new(&storage, &sink);
    outbox.begin(&[]).await.unwrap();
    outbox.add(&run(&[incident('a', 1, Severity::High)])).await.unwrap();
    let refused = outbox.deliver(Some(&aws()), LOOPBACK, pace()).await;
    assert_eq!((refused.sent, refused.refused, refused.waiting), (0, 0, 1));
    assert_eq!(outbox.deliver(Some(&aws()), LOOPBACK, pace()).await.sent, 1);
    // What extends and closes an incident keeps its finding in step, silently for everybody else.
    let mut closed = incident('a', 2, Severity::High);
    closed.status = "closed".to_owned();
    outbox.add(&run(&[closed])).await.unwrap();
    assert_eq!(outbox.deliver(Some(&aws()), LOOPBACK, pace()).await.sent, 1);
    let last = body(receiver.requests().last().unwrap());
    assert_eq!(last["Findings"][0]["RecordState"], "ARCHIVED");
    assert!(last["Findings"][0]["Id"].as_str().unwrap().starts_with("flowsift/incident/aaaa"));
}

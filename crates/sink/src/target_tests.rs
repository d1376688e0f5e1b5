use super::*;
use std::fs;

fn parsed(text: &str) -> Sink {
    Sink::parse(text).unwrap()
}

fn error(text: &str) -> String {
    flow::error_text(&Sink::parse(text).unwrap_err())
}

#[test]
fn every_kind_of_sink_is_read() {
    let hub = parsed("securityhub://111122223333?region=eu-west-1&least=low");
    assert!(matches!(&hub.target, Target::SecurityHub { account, region: Some(region), .. }
        if account == "111122223333" && region == "eu-west-1"));
    assert_eq!((hub.least, hub.digest, hub.heartbeat), (Severity::Low, false, false));
    let bus = parsed("eventbridge://Security-Bus");
    assert!(matches!(&bus.target, Target::EventBridge { bus, region: None, .. } if bus == "Security-Bus"));
    assert_eq!((bus.least, bus.digest, bus.heartbeat), (Severity::Medium, false, true));
    let topic = parsed("sns:arn:aws:sns:eu-west-1:111122223333:alarms?digest=off");
    assert!(matches!(&topic.target, Target::Sns { region, .. } if region == "eu-west-1"));
    assert_eq!((topic.digest, topic.heartbeat), (false, false));
    let web = parsed("https://example.com/in?body=teams");
    assert!(matches!(web.target, Target::Webhook { body: Body::Teams, .. }));
    assert_eq!(web.name, "https://example.com/…");
    assert_eq!(parsed("https://example.com/in?body=teams&name=soc").name, "soc");
    assert_eq!(parsed("https:/example.com:8443/token").name, "https://example.com:8443/…");
}

#[test]
fn mistakes_are_named_and_secrets_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("url");
    fs::write(&path, "https://hooks.slack.com/services/T0/B0/very-secret?body=slack\n").unwrap();
    let file = format!("file:{}", path.display());
    let slack = parsed(&format!("{file}?least=high"));
    assert!(matches!(slack.target, Target::Webhook { body: Body::Slack, .. }));
    assert_eq!((slack.least, slack.name.as_str()), (Severity::High, file.as_str()));
    assert!(!format!("{slack:?}").contains("very-secret"), "{slack:?}");
    let said = slack.masked("POST https://hooks.slack.com/services/T0/B0/very-secret failed");
    assert!(!said.contains("very-secret"), "{said}");
    // In an argument, every process of the machine could read it.
    for bare in [
        "https://hooks.slack.com/services/T0/B0/very-secret",
        "https://jo:very-secret@example.com/x",
        "https://example.com/x?sig=very-secret",
        "https://prod-1.westeurope.logic.azure.com:443/workflows/very-secret?api-version=1",
        "https://example.com/x?secret=very-secret",
    ] {
        let said = error(bare);
        assert!(said.contains("env:NAME or file:PATH"), "{said}");
        assert!(!said.contains("very-secret"), "{said}");
    }
    for (text, problem) in [
        ("ftp://x", "expected https://"),
        ("very-secret", "expected https://"),
        ("HTTPS://hooks.slack.com/services/T/B/very-secret", "env:NAME or file:PATH"),
        ("https:/hooks.slack.com/services/T/B/very-secret", "env:NAME or file:PATH"),
        ("htps://hooks.slack.com/services/T/B/very-secret", "expected https://"),
        ("https://", "empty host"),
        ("https://x/y?least=grave", "not a severity"),
        ("https://x/y?body=xml", "expected json, slack"),
        ("https://x/y?body=hec", "token of the collector"),
        ("https://x/y?region=eu-west-1", "names its own place"),
        ("https://x/y?digest=yes", "expected on or off"),
        ("securityhub://1111", "12 digits"),
        ("securityhub://111122223333?heartbeat=on", "incidents only"),
        ("eventbridge://", "name of an event bus"),
        ("sns:arn:aws:sqs:eu-west-1:1:q", "ARN of a topic"),
        ("env:FLOWSIFT_NO_SUCH_VARIABLE", "no variable"),
    ] {
        let said = error(text);
        assert!(said.contains(problem), "{text}: {said}");
        assert!(!said.contains("very-secret"), "{said}");
    }
}

#[test]
fn a_name_outlives_a_new_token_and_folders_tell_no_url() {
    let one = parsed("https://example.com/one?name=soc");
    assert_eq!(one.id, parsed("https://example.com/two?name=soc").id);
    assert_ne!(parsed("https://example.com/one").id, parsed("https://example.com/two").id);
    assert_eq!(one.id.len(), 16);
}

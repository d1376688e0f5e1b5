//! An incident whose texts try everything.

use crate::notice::{Change, Host, IncidentView, Moment, Notice, Remote, StoryLine};
use flow::Severity;

/// Text of a stranger: markup, mentions, Markdown, controls and marks of direction.
pub(crate) const HOSTILE: &str =
    "<!channel> @channel <at>all</at> *bold* [x](http://evil) & <http://evil|y>\u{202e}\u{1b}[31m\"";

/// Returns an incident of one host.
pub(crate) fn incident(id: char, severity: Severity) -> IncidentView {
    IncidentView {
        id: id.to_string().repeat(32),
        revision: 1,
        status: "open".to_owned(),
        change: "opened".to_owned(),
        title: "10.0.57.128 calls 103.6.160.233, 5.3 GB left".to_owned(),
        severity,
        score: 9.25,
        hosts: vec![Host {
            host: "10.0.57.128".to_owned(),
            account_id: Some("111122223333".to_owned()),
            region: Some("eu-west-1".to_owned()),
            instance_id: Some("i-0abc".to_owned()),
            part: "first".to_owned(),
            ..Host::default()
        }],
        remotes: vec![Remote {
            address: "103.6.160.233".to_owned(),
            port: Some(443),
            part: "controller".to_owned(),
            owner: Some("Example Net".to_owned()),
        }],
        first_seen: Moment(1_713_484_800),
        last_seen: Moment(1_713_571_000),
        opened_at: Moment(1_713_571_200),
        updated_at: Moment(1_713_571_200),
        tactics: vec!["command-and-control".to_owned(), "exfiltration".to_owned()],
        techniques: vec!["T1071.001".to_owned()],
        findings: 3,
        story: vec![StoryLine { time: Moment(1_713_484_800), text: "calls begin, every 300 s".to_owned() }],
        ..IncidentView::default()
    }
}

/// Returns an incident with hostile and very many texts.
pub(crate) fn hostile() -> IncidentView {
    let mut one = incident('b', Severity::Critical);
    let long = HOSTILE.repeat(100);
    one.title = format!("{HOSTILE}{long}");
    one.principals = vec![long.clone(); 200];
    one.links = vec![long.clone(); 200];
    one.story = vec![StoryLine { time: Moment(0), text: long.clone() }; 200];
    one.remotes = vec![Remote { owner: Some(long), ..one.remotes[0].clone() }; 200];
    one.hosts = vec![one.hosts[0].clone(); 200];
    one
}

/// Returns the notice of an incident.
pub(crate) fn notice(change: Change, incident: IncidentView) -> Notice {
    Notice::incident(change, incident)
}

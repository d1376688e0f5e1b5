use chrono_tz::Tz;

use crate::tests::read;
use crate::{ActionClass, CredentialKind, Inflater, LogKind, Outcome, PrincipalKind, ReadOptions, read_object};

#[test]
fn an_audit_file_is_matched_by_its_keys() {
    let text = r#"{"affectedObjects":[{"id":"J1","name":"b","type":"USER"}],"auditType":{"action":"Benutzer angelegt","actionI18nKey":"jira.auditing.user.created"},"author":{"id":"J2","name":"svc","type":"user"},"source":"198.51.100.7","system":"https://jira.example.com","timestamp":{"epochSecond":1700145397,"nano":514000000},"version":"1.0"}
{"affectedObjects":[{"name":"CORE","type":"PROJECT"},{"name":"Core-1","type":"REPOSITORY"}],"auditType":{"action":"x","actionI18nKey":"bitbucket.service.repository.audit.action.repositoryaccessed"},"author":{"id":"3","name":"access-token-user/2/1","type":"NORMAL"},"timestamp":{"epochSecond":1700145398,"nano":0}}
{"affectedObjects":[],"auditType":{"action":"x","actionI18nKey":"atlassian.audit.event.action.audit.config.updated"},"author":{"id":"-1","name":"System","type":"system"},"timestamp":{"epochSecond":1700145399,"nano":0}}"#;
    let (read, acts) = read("x", text.as_bytes()).unwrap();
    assert_eq!((read.kind, read.counts.bad_records), (LogKind::AtlassianAudit, 0));
    assert_eq!((&*acts[0].action, acts[0].action_class), ("jira.auditing.user.created", ActionClass::CreateCredential));
    assert_eq!((&*acts[0].service, acts[0].time_us), ("jira", 1_700_145_397_514_000));
    assert_eq!((&*acts[1].object_kind, &*acts[1].object), ("repository", "core/core-1"));
    assert_eq!((acts[1].credential.kind(), acts[1].action_class), (CredentialKind::ApiToken, ActionClass::Read));
    assert_eq!((acts[2].principal_kind, acts[2].action_class), (PrincipalKind::System, ActionClass::Admin));
}

#[test]
fn rest_and_the_cloud_say_the_same_in_their_own_words() {
    let text = r#"{"entities":[{"timestamp":"2023-11-22T15:02:41.087Z","author":{"name":"b","id":"877"},"type":{"actionI18nKey":"bitbucket.service.repository.audit.action.repositoryaccessed"},"affectedObjects":[],"source":"10.0.0.1"}]}
{"records":[{"id":1,"summary":"User added to group","remoteAddress":"198.51.100.7","authorKey":"ug:1","authorAccountId":"5ff","created":"2023-11-16T14:36:37.602+0000","objectItem":{"name":"site-admins","typeName":"GROUP"}}]}
{"results":[{"author":{"displayName":"A","accountId":"df8"},"remoteAddress":"198.51.100.7","creationDate":1700145397962,"summary":"User added to group","affectedObject":{"name":"users:4375f4c3-bfdf-4f36-a62e-141ccf1588a3","objectType":"Group"}}]}
{"data":[{"id":"e1","attributes":{"time":"2023-11-16T14:36:37.120Z","action":"user_added_to_group","actor":{"id":"5ff","name":"svc","email":"svc@example.com","auth":{"authType":"token","tokenId":"token-0001"}},"context":[{"id":"g-1","type":"groups","attributes":{"name":"site-admins"}}],"location":{"ip":"198.51.100.7","countryName":"Netherlands"}}}]}"#;
    let (read, acts) = read("x.audit.log", text.as_bytes()).unwrap();
    assert_eq!((read.kind, read.counts.bad_records, acts.len()), (LogKind::AtlassianAudit, 0, 4));
    for act in &acts[1..] {
        assert_eq!((act.action_class, &*act.source), (ActionClass::Grant, "198.51.100.7"));
        assert_eq!(act.second() / 100, 17_001_453);
    }
    assert_eq!(acts[0].second(), 1_700_665_361);
    assert_eq!(acts[2].object, "users");
    assert_eq!((acts[3].credential.full(), &*acts[3].principal), ("token-0001", "svc@example.com"));
}

const BITBUCKET: &str = "\
10.0.0.9,10.0.1.1 | https | i*1Y8NA7Ox902x406x0 | - | 2023-11-22 15:02:41,515 | \"GET /scm/core/core-017.git/info/refs?service=git-upload-pack HTTP/1.1\" | \"\" \"git/2.42.0\" | - | - | - | - | - | 1hpn738 | \n\
10.0.0.9,10.0.1.1 | https | o*1Y8NA7Ox902x406x0 | b | 2023-11-22 15:02:41,623 | \"GET /scm/core/core-017.git/info/refs?service=git-upload-pack HTTP/1.1\" | \"\" \"git/2.42.0\" | 200 | 0 | 19831 | refs, protocol:2 | 107 | 1hpn738 | \n\
10.0.0.9 | ssh | o*N65BDNx120x326907x0 | svc | 2023-07-19 02:00:25,802 | SSH - git-upload-pack '/CORE/core-017.git' | \"SSH-2.0-OpenSSH_9.2\" | 0 | 101 | 4398112 | cache:miss, clone, ssh:id:2754 | 69 | y3r3kf | \n\
10.0.0.9 | https | o*N65BDNx120x326908x0 | svc | 2023-11-19 02:00:25,802 | \"GET /rest/api/latest/projects/CORE/repos/core-017/archive?format=zip HTTP/1.1\" | \"\" \"a | b\" | 403 | 0 | - | - | 69 |  | \n";

#[test]
fn an_access_log_is_read_where_a_request_ends_in_its_own_time_zone() {
    let zone: Tz = "Europe/Berlin".parse().unwrap();
    let mut acts = Vec::new();
    let options = ReadOptions { zone: Some(zone), ..ReadOptions::default() };
    let read = read_object(&mut Inflater::default(), "x", BITBUCKET.as_bytes(), &options, &mut |act| {
        acts.push(crate::tests::owned(act));
    });
    let read = read.unwrap();
    assert_eq!((read.kind, read.counts.passed_over, read.counts.bad_records), (LogKind::BitbucketAccess, 1, 0));
    assert_eq!(read.counts.zone_unknown, 0);
    let [refs, clone, archive] = &acts[..] else { panic!("{} acts", acts.len()) };
    assert_eq!(refs.time_us, 1_700_661_761_623_000);
    assert_eq!((&*refs.source, &*refs.principal, &*refs.action), ("10.0.0.9", "b", "refs"));
    // Summer: two hours.
    assert_eq!(clone.second(), 1_689_724_825);
    assert_eq!((&*clone.object, &*clone.action, clone.bytes_out), ("core/core-017", "clone", Some(4_398_112)));
    assert_eq!((clone.credential.full(), clone.agent_family()), ("ssh:id:2754", "OpenSSH"));
    assert_eq!((&*archive.action, archive.outcome, &*archive.error), ("archive", Outcome::Denied, "403"));
    assert_eq!((&*archive.object, archive.bytes_out, &*archive.session), ("core/core-017", None, ""));
}

#[test]
fn without_a_zone_local_time_is_taken_as_utc_and_counted() {
    let (read, acts) = read("x", BITBUCKET.as_bytes()).unwrap();
    assert_eq!((read.counts.zone_unknown, acts[0].second()), (3, 1_700_665_361));
}

#[test]
fn clocks_that_change_give_a_time_for_every_line() {
    let zone: Tz = "Europe/Berlin".parse().unwrap();
    let at = |time: &str| {
        let line = BITBUCKET.lines().nth(1).unwrap().replace("2023-11-22 15:02:41,623", time);
        let (mut seconds, options) = (Vec::new(), ReadOptions { zone: Some(zone), ..ReadOptions::default() });
        let sink = &mut |act: &crate::Act<'_>| seconds.push(act.second());
        read_object(&mut Inflater::default(), "x", line.as_bytes(), &options, sink).unwrap();
        flow::time::rfc3339(seconds[0])
    };
    assert_eq!(at("2023-03-26 01:59:59,000"), "2023-03-26T00:59:59Z");
    assert_eq!(at("2023-03-26 02:30:00,000"), "2023-03-26T01:30:00Z");
    assert_eq!(at("2023-10-29 02:30:00,000"), "2023-10-29T00:30:00Z");
}

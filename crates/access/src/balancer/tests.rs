use crate::tests::read;
use crate::{ActionClass, LogKind, Outcome};

const ARN: &str = "arn:aws:elasticloadbalancing:eu-central-1:112233445566:targetgroup/jira/1";

fn alb(client: &str, status: &str, request: &str, agent: &str, more: &str) -> String {
    format!(
        "https 2023-11-22T14:18:22.186641Z app/web/50dc {client} 10.0.0.1:8080 0.001 0.148 0.000 {status} 200 734 48211 \
         \"{request}\" \"{agent}\" TLS_AES_128_GCM_SHA256 TLSv1.3 {ARN} \"Root=1-655e\" \"Jira.example.com\" \"-\" 1 \
         2023-11-22T14:18:22.037000Z \"forward\" \"-\" \"-\" \"10.0.0.1:8080\" \"200\" \"-\" \"-\"{more}\n"
    )
}

#[test]
fn a_request_has_a_client_a_path_and_bytes() {
    let post = "POST https://jira.example.com:443/rest/x y?q=1 HTTP/2.0";
    let text = alb("2001:db8::17:51823", "200", post, r#"a \"b\" \\c"#, " TID_1 \"-\" \"-\" \"-\" 10.0.1.10 later")
        + &alb("198.51.100.7:41542", "403", "GET https://jira.example.com:443/login HTTP/1.1", "curl/8.4.0", "")
        + &alb("198.51.100.7:41543", "460", "- http://jira.example.com:80- -", "-", "");
    let (read, acts) = read("x", text.as_bytes()).unwrap();
    assert_eq!((read.kind, read.counts.bad_records), (LogKind::Alb, 0));
    let [post, get, malformed] = &acts[..] else { panic!("{} acts", acts.len()) };
    assert_eq!((&*post.source, post.source_port), ("2001:db8::17", Some(51_823)));
    assert_eq!((&*post.action, &*post.object, &*post.app), ("POST", "/rest/x y", "jira.example.com"));
    assert_eq!((&*post.agent, post.action_class), (r#"a "b" \c"#, ActionClass::Write));
    assert_eq!((post.bytes_in, post.bytes_out, post.duration_ms), (Some(734), Some(48_211), Some(149)));
    assert_eq!((&*post.account, &*post.region, &*post.trace), ("112233445566", "eu-central-1", "Root=1-655e"));
    assert_eq!((get.outcome, &*get.error), (Outcome::Denied, "403"));
    assert_eq!((&*malformed.action, &*malformed.object, &*malformed.agent), ("", "", ""));
}

#[test]
fn lines_that_are_none_are_counted_with_their_number() {
    let text = alb("1.2.3.4:5", "200", "GET / HTTP/1.1", "-", "") + "\n  \nhttps 2023-11-22T14:18:22Z cut";
    let (read, acts) = read("x", text.as_bytes()).unwrap();
    assert_eq!((acts.len(), read.counts.bad_records, read.counts.first_bad[0].at), (1, 1, 4));
}

#[test]
fn network_and_classic_balancers_are_read() {
    let nlb = "tls 2.0 2023-11-22T14:59:40 net/ssh/c6e7 g3d4 198.51.100.7:2817 10.0.0.3:7999 5000 2 98 246000 - - - \
               ECDHE-RSA-AES128-GCM-SHA256 tlsv12 - bitbucket.example.com h2 h2 \"h2\",\"http/1.1\" 2023-11-22T14:59:30\n";
    let (read_nlb, acts) = read("x", nlb.as_bytes()).unwrap();
    assert_eq!((read_nlb.kind, acts[0].bytes_out, acts[0].duration_ms), (LogKind::NlbTls, Some(246_000), Some(5_000)));
    assert_eq!((&*acts[0].app, acts[0].outcome), ("bitbucket.example.com", Outcome::Success));

    let clb = "2023-11-22T14:18:22.945958Z old-lb 198.51.100.7:52817 10.0.0.1:8080 0.000073 0.001048 0.000057 200 200 0 29 \
               \"GET http://jira.example.com:80/ HTTP/1.1\" \"curl/8.4.0\" - -\n";
    let (read_clb, acts) = read("x", clb.as_bytes()).unwrap();
    assert_eq!((read_clb.kind, &*acts[0].service, &*acts[0].app), (LogKind::Clb, "old-lb", "jira.example.com"));
    assert_eq!((acts[0].bytes_out, &*acts[0].object), (Some(29), "/"));
}

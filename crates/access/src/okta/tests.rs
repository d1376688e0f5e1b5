use serde_json::json;

use crate::tests::read;
use crate::{ActionClass, CredentialKind, LogKind, Outcome, PrincipalKind};

fn login() -> serde_json::Value {
    json!({
        "uuid": "u1", "published": "2023-11-14T09:22:49.120Z", "eventType": "user.session.start", "version": "0",
        "actor": {"id": "00uA", "type": "User", "alternateId": "a@example.com", "displayName": "a"},
        "client": {"userAgent": {"rawUserAgent": "python-requests/2.31.0"}, "zone": "null", "ipAddress": "198.51.100.7",
            "geographicalContext": {"city": null, "country": "Netherlands"}},
        "outcome": {"result": "FAILURE", "reason": "INVALID_CREDENTIALS"}, "target": null,
        "authenticationContext": {"externalSessionId": "unknown", "rootSessionId": null},
        "securityContext": {"asNumber": 64500, "asOrg": null, "isProxy": true},
        "transaction": {"type": "WEB", "id": "t1", "detail": {}},
    })
}

#[test]
fn an_event_says_who_from_which_network_and_how_it_ended() {
    let (read, acts) = read("x", login().to_string().as_bytes()).unwrap();
    assert_eq!(read.kind, LogKind::Okta);
    let act = &acts[0];
    assert_eq!(act.time_us, 1_699_953_769_120_000);
    assert_eq!((&*act.principal, act.principal_kind), ("a@example.com", PrincipalKind::User));
    assert_eq!((&*act.network, &*act.country), ("AS64500", "Netherlands"));
    assert_eq!((act.outcome, &*act.error), (Outcome::Failure, "INVALID_CREDENTIALS"));
    // The session is unknown: that is no session's name.
    assert!(act.credential.is_none() && act.session.is_empty());
    assert_eq!((act.action_class, act.agent_family()), (ActionClass::Login, "python-requests"));
}

#[test]
fn tokens_sessions_and_applications_are_told_apart() {
    let mut sso = login();
    sso["eventType"] = "user.authentication.sso".into();
    sso["outcome"] = json!({"result": "SUCCESS"});
    sso["authenticationContext"] = json!({"externalSessionId": "102-external", "rootSessionId": "102-root"});
    sso["target"] = json!([{"id": "0oa1", "type": "AppInstance", "alternateId": "AWS", "displayName": "AWS SSO"},
        {"type": "AppUser", "alternateId": "a@example.com"}]);
    let mut token = login();
    token["eventType"] = "system.api_token.create".into();
    token["outcome"]["result"] = "SUCCESS".into();
    token["transaction"]["detail"] = json!({"requestApiTokenId": "00T-parent-token"});
    token["target"] = json!([{"id": "00T-child-token", "type": "Token", "displayName": "sync"}]);
    let mut refused = login();
    refused["eventType"] = "app.generic.unauth_app_access_attempt".into();

    let (_, acts) = read("x", json!([sso, token, refused, {"uuid": "no time"}]).to_string().as_bytes()).unwrap();
    assert_eq!((&*acts[0].app, &*acts[0].object), ("AWS SSO", "AWS SSO"));
    assert_eq!((acts[0].credential.full(), acts[0].credential.kind()), ("102-root", CredentialKind::WebSession));
    assert_eq!((acts[1].credential.full(), acts[1].credential.kind()), ("00T-parent-token", CredentialKind::ApiToken));
    assert_eq!((acts[1].child_credential.full(), &*acts[1].object), ("00T-child-token", ""));
    assert_eq!(acts[2].outcome, Outcome::Denied);
    assert_eq!(acts.len(), 3);
}

//! Events of Okta's System Log: one JSON object each.

use std::fmt::{self, Write};

use crate::random::mix2;
use crate::story::acts::{OktaAct, OktaApp, OktaEvent, User};
use crate::story::estate::{DOMAIN, Estate, dotted};
use crate::story::ids::{Alphanumeric, Hex, Uuid};
use crate::story::moment::Second;
use crate::story::networks::network_of;

/// Returns the `uuid` of an event.
pub const fn event_id(event: &OktaEvent) -> Uuid {
    Uuid(event.draw)
}

/// Returns the login of a user.
pub fn login(estate: &Estate, user: User) -> String {
    format!("{}@{DOMAIN}", estate.name(user))
}

/// Returns the number that a user's id follows from.
fn user_number(estate: &Estate, user: User) -> u64 {
    let number = match user {
        User::Person(number) => u64::from(number),
        User::Service(service) => 1 << 20 | service as u64,
        User::Admin => 1 << 21,
        User::Security => 1 << 22,
        User::Intruder | User::Token | User::System => 1 << 23,
    };
    mix2(estate.seed ^ 0x3030, number)
}

/// Appends an event.
pub fn write(out: &mut String, estate: &Estate, event: &OktaEvent) -> fmt::Result {
    let (kind, message) = event.act.texts();
    let (result, reason) = outcome(event);
    let severity = if event.succeeded { "INFO" } else { "WARN" };
    out.push_str("{\"actor\":");
    user(out, estate, event.actor)?;
    client(out, event)?;
    out.push_str(
        ",\"device\":null,\"authenticationContext\":{\"authenticationProvider\":null,\"credentialProvider\":null,\
         \"credentialType\":null,\"issuer\":null,\"interface\":null,\"authenticationStep\":0,",
    );
    if event.session == 0 {
        out.push_str("\"rootSessionId\":\"unknown\",\"externalSessionId\":\"unknown\"}");
    } else {
        let session = Alphanumeric::<21>(event.session);
        write!(out, "\"rootSessionId\":\"102{session}\",\"externalSessionId\":\"102{session}\"}}")?;
    }
    write!(
        out,
        ",\"displayMessage\":\"{message}\",\"eventType\":\"{kind}\",\
         \"outcome\":{{\"result\":\"{result}\",\"reason\":{reason}}},\"published\":\"{}.{:03}Z\",\"securityContext\":",
        Second(event.time_ms.div_euclid(1_000)),
        event.time_ms.rem_euclid(1_000),
    )?;
    security(out, event)?;
    write!(out, ",\"severity\":\"{severity}\",\"debugContext\":{{\"debugData\":")?;
    debug_data(out, event)?;
    write!(
        out,
        "}},\"legacyEventType\":{},\"transaction\":{{\"type\":\"{}\",\"id\":\"{}\",\"detail\":{{}}}},\
         \"uuid\":\"{}\",\"version\":\"0\",\"request\":{{\"ipChain\":[",
        legacy(event),
        if event.actor == User::System { "JOB" } else { "WEB" },
        Hex::<32>(mix2(event.draw, 2)),
        event_id(event),
    )?;
    if event.actor != User::System {
        write!(out, "{{\"ip\":\"{}\",\"geographicalContext\":", dotted(event.source))?;
        place(out, event)?;
        out.push_str(",\"version\":\"V4\",\"source\":null}");
    }
    out.push_str("]},\"target\":");
    target(out, estate, event)?;
    out.push('}');
    Ok(())
}

/// Appends the client; the application itself has none.
fn client(out: &mut String, event: &OktaEvent) -> fmt::Result {
    if event.actor == User::System {
        return out.write_str(
            ",\"client\":{\"userAgent\":null,\"zone\":null,\"device\":null,\"id\":null,\"ipAddress\":null,\
             \"geographicalContext\":null}",
        );
    }
    let (raw, os, browser) = event.agent.texts();
    let device = if browser == "UNKNOWN" { "Unknown" } else { "Computer" };
    write!(
        out,
        ",\"client\":{{\"userAgent\":{{\"rawUserAgent\":\"{raw}\",\"os\":\"{os}\",\"browser\":\"{browser}\"}},\
         \"zone\":\"null\",\"device\":\"{device}\",\"id\":null,\"ipAddress\":\"{}\",\"geographicalContext\":",
        dotted(event.source)
    )?;
    place(out, event)?;
    out.push('}');
    Ok(())
}

fn security(out: &mut String, event: &OktaEvent) -> fmt::Result {
    if event.actor == User::System {
        return out.write_str("{\"asNumber\":null,\"asOrg\":null,\"isp\":null,\"domain\":null,\"isProxy\":null}");
    }
    let network = network_of(event.source);
    let owner = network.owner.to_lowercase();
    write!(
        out,
        "{{\"asNumber\":{},\"asOrg\":\"{owner}\",\"isp\":\"{owner}\",\"domain\":\".\",\"isProxy\":{}}}",
        network.asn, event.is_proxy,
    )
}

fn user(out: &mut String, estate: &Estate, user: User) -> fmt::Result {
    if user == User::System {
        return out.write_str(
            "{\"id\":\"00uSystemPrincipal000\",\"type\":\"SystemPrincipal\",\"alternateId\":\"system@okta.com\",\
             \"displayName\":\"Okta System\",\"detailEntry\":null}",
        );
    }
    write!(
        out,
        "{{\"id\":\"00u{}\",\"type\":\"User\",\"alternateId\":\"{}\",\"displayName\":\"{}\",\"detailEntry\":null}}",
        Alphanumeric::<17>(user_number(estate, user)),
        login(estate, user),
        estate.name(user),
    )
}

fn place(out: &mut String, event: &OktaEvent) -> fmt::Result {
    let network = network_of(event.source);
    write!(
        out,
        "{{\"city\":\"{}\",\"state\":\"{}\",\"country\":\"{}\",\"postalCode\":\"{}\",\
         \"geolocation\":{{\"lat\":{:.2},\"lon\":{:.2}}}}}",
        network.city, network.state, network.country, network.postal_code, network.lat, network.lon
    )
}

fn outcome(event: &OktaEvent) -> (&'static str, &'static str) {
    match (event.act, event.succeeded) {
        (OktaAct::SignOnPolicy, true) => ("ALLOW", "\"Sign-on policy evaluation resulted in ALLOW\""),
        (OktaAct::SignOnPolicy, false) => ("DENY", "\"Sign-on policy evaluation resulted in DENY\""),
        (OktaAct::UnauthorizedApp, _) => ("FAILURE", "\"User attempted unauthorized access to app\""),
        (_, true) => ("SUCCESS", "null"),
        (_, false) => ("FAILURE", "\"INVALID_CREDENTIALS\""),
    }
}

fn legacy(event: &OktaEvent) -> &'static str {
    match (event.act, event.succeeded) {
        (OktaAct::SessionStart, true) => "\"core.user_auth.login_success\"",
        (OktaAct::SessionStart, false) => "\"core.user_auth.login_failed\"",
        (OktaAct::SessionEnd, _) => "\"core.user_auth.logout_success\"",
        (OktaAct::SecondFactor, _) => "\"core.user.factor.attempt_success\"",
        (OktaAct::SingleSignOn, _) => "\"app.auth.sso\"",
        (OktaAct::UserCreated, _) => "\"core.user.config.user_creation.success\"",
        (OktaAct::FactorActivated, _) => "\"core.user.factor.activate\"",
        (OktaAct::ImportStarted, _) => "\"app.user_management.import.start\"",
        (OktaAct::ImportCompleted, _) => "\"app.user_management.import.complete\"",
        (OktaAct::SignOnPolicy | OktaAct::UnauthorizedApp, _) => "null",
    }
}

fn debug_data(out: &mut String, event: &OktaEvent) -> fmt::Result {
    if event.actor == User::System {
        return out.write_str("{}");
    }
    let path = match event.act {
        OktaAct::SingleSignOn | OktaAct::UnauthorizedApp => "/app/sso/saml",
        OktaAct::SessionEnd => "/login/signout",
        OktaAct::UserCreated => "/api/v1/users",
        OktaAct::FactorActivated => "/api/v1/users/me/factors",
        _ => "/idp/idx/identify",
    };
    write!(
        out,
        "{{\"requestId\":\"{}\",\"dtHash\":\"{}\",\"requestUri\":\"{path}\",\"url\":\"{path}?\",\"threatSuspected\":\"{}\"",
        Hex::<32>(mix2(event.draw, 2)),
        Hex::<64>(mix2(event.device, 1)),
        event.is_proxy,
    )?;
    if event.act == OktaAct::SecondFactor {
        out.push_str(",\"factor\":\"OKTA_VERIFY_PUSH\"");
    }
    if event.act == OktaAct::SignOnPolicy {
        let (level, risk) = if event.is_proxy { ("POSITIVE", "HIGH") } else { ("NEGATIVE", "LOW") };
        write!(
            out,
            ",\"behaviors\":\"{{New Geo-Location={level}, New Device={level}, New IP={level}, New State={level}, \
             New Country={level}, Velocity=NEGATIVE, New City={level}}}\",\"risk\":\"{{level={risk}}}\""
        )?;
    }
    out.push('}');
    Ok(())
}

fn target(out: &mut String, estate: &Estate, event: &OktaEvent) -> fmt::Result {
    match event.act {
        OktaAct::SignOnPolicy => {
            let id = Alphanumeric::<17>(mix2(estate.seed, 0x00b0));
            write!(
                out,
                "[{{\"id\":\"00p{id}\",\"type\":\"PolicyEntity\",\"alternateId\":\"unknown\",\
                 \"displayName\":\"Default Policy\",\"detailEntry\":{{\"policyType\":\"OktaSignOn\"}}}},\
                 {{\"id\":\"0pr{id}\",\"type\":\"PolicyRule\",\"alternateId\":\"00p{id}\",\
                 \"displayName\":\"Default Rule\",\"detailEntry\":null}}]"
            )
        }
        OktaAct::SingleSignOn | OktaAct::UnauthorizedApp | OktaAct::ImportStarted | OktaAct::ImportCompleted => {
            let (label, kind) = event.app.texts();
            let id = Alphanumeric::<17>(mix2(estate.seed ^ 0x6170, event.app as u64));
            write!(
                out,
                "[{{\"id\":\"0oa{id}\",\"type\":\"AppInstance\",\"alternateId\":\"{label}\",\"displayName\":\"{label}\",\
                 \"detailEntry\":{{\"signOnModeType\":\"{}\",\"appName\":\"{kind}\"}}}}",
                if event.app == OktaApp::Dashboard { "OPENID_CONNECT" } else { "SAML_2_0" },
            )?;
            if event.act == OktaAct::SingleSignOn {
                let id = Alphanumeric::<17>(mix2(user_number(estate, event.actor), event.app as u64));
                write!(
                    out,
                    ",{{\"id\":\"0ua{id}\",\"type\":\"AppUser\",\"alternateId\":\"{}\",\"displayName\":\"{}\",\
                     \"detailEntry\":null}}",
                    login(estate, event.actor),
                    estate.name(event.actor),
                )?;
            }
            out.push(']');
            Ok(())
        }
        OktaAct::UserCreated | OktaAct::FactorActivated => {
            out.push('[');
            user(out, estate, event.target.unwrap_or(event.actor))?;
            out.push(']');
            Ok(())
        }
        _ => out.write_str("null"),
    }
}

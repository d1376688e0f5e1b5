//! Lines of the application load balancer's access log, with the 33 fields of late 2023 and after.

use std::fmt::{self, Write};

use crate::random::mix2;
use crate::story::acts::{SEARCHES, WebPath, WebRequest};
use crate::story::estate::{ACCOUNT, DOMAIN, Estate, REGION, dotted, repository};
use crate::story::ids::{Hex, Uuid};
use crate::story::moment::Second;

/// Name and id of the balancer.
pub const BALANCER: &str = "app/atlassian/50dc6c495c0c9188";

/// The trace id of a request, which is what stands for it in `labels.csv`.
pub struct Trace<'a>(pub &'a WebRequest);

impl fmt::Display for Trace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Root=1-{:08x}-{}", self.0.time_us.div_euclid(1_000_000), Hex::<24>(self.0.draw))
    }
}

/// Appends the path of a request.
fn path(out: &mut String, of: WebPath, product: &str) -> fmt::Result {
    match of {
        WebPath::Item(number) if product == "jira" => write!(out, "/browse/OPS-{}", number % 9_000 + 1),
        WebPath::Item(number) => write!(out, "/pages/viewpage.action?pageId={}", 1_000_000 + number % 9_000_000),
        WebPath::Search(number) => {
            let words = SEARCHES[usize::from(number) % SEARCHES.len()].replace(' ', "%20");
            write!(out, "/rest/api/search?cql=siteSearch~%22{words}%22")
        }
        WebPath::Dashboard => out.write_str("/secure/Dashboard.jspa"),
        WebPath::Asset(number) => write!(out, "/s/{:06x}/_/download/batch/{}.js", number % 0xff_ffff, number % 40),
        WebPath::Login => out.write_str("/login.jsp"),
        WebPath::Api(number) => {
            write!(out, "/rest/api/2/search?jql=updated%3E-15m&startAt={}&maxResults=50", number % 20 * 50)
        }
        WebPath::Git(number) => {
            let (project, name) = repository(number);
            write!(out, "/scm/{}/{name}.git/git-upload-pack", project.to_ascii_lowercase())
        }
        WebPath::ScriptConsole => out.write_str("/plugins/servlet/scriptrunner/admin/console"),
        WebPath::ScriptRun => out.write_str("/rest/scriptrunner/latest/user/exec/"),
    }
}

/// Appends a request's line.
pub fn write(out: &mut String, estate: &Estate, request: &WebRequest) -> fmt::Result {
    let product = request.product.name();
    // A request that a rule refuses reaches no server.
    let is_forwarded = request.status != 403;
    let wait_us = 8_000 + mix2(request.draw, 2) as i64 % 90_000 + i64::from(request.sent / 200);
    let wait_us = wait_us.abs();
    let second = Second(request.time_us.div_euclid(1_000_000));
    write!(
        out,
        "https {second}.{:06}Z {BALANCER} {}:{} ",
        request.time_us.rem_euclid(1_000_000),
        dotted(request.client),
        request.client_port,
    )?;
    let server = estate.server(request.product);
    let port = request.product.port();
    if is_forwarded {
        let wait_s = wait_us as f64 / 1e6;
        write!(out, "{}:{port} 0.001 {wait_s:.3} 0.000 {1} {1}", dotted(server.private), request.status)?;
    } else {
        write!(out, "- -1 -1 -1 {} -", request.status)?;
    }
    let received = 180 + mix2(request.draw, 3) % 900;
    let method = if request.is_post { "POST" } else { "GET" };
    write!(out, " {received} {} \"{method} https://{product}.{DOMAIN}:443", request.sent)?;
    path(out, request.path, product)?;
    write!(out, " HTTP/2.0\" \"{}\" TLS_AES_128_GCM_SHA256 TLSv1.3 ", request.agent.texts().0)?;
    if is_forwarded {
        let group = Hex::<16>(mix2(estate.seed, request.product as u64));
        write!(out, "arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/{product}/{group} ")?;
    } else {
        out.push_str("- ");
    }
    let began_us = request.time_us - wait_us - 1_000;
    write!(
        out,
        "\"{}\" \"{product}.{DOMAIN}\" \"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/{}\" {} {}.{:06}Z ",
        Trace(request),
        Uuid(estate.seed),
        u8::from(is_forwarded),
        Second(began_us.div_euclid(1_000_000)),
        began_us.rem_euclid(1_000_000),
    )?;
    // A connection's id is that of its client and its port.
    let connection = mix2(u64::from(request.client) << 16 | u64::from(request.client_port), estate.seed);
    if is_forwarded {
        let target = dotted(server.private);
        write!(out, "\"waf,forward\" \"-\" \"-\" \"{target}:{port}\" \"{}\" ", request.status)?;
    } else {
        out.push_str("\"waf\" \"-\" \"-\" \"-\" \"-\" ");
    }
    write!(out, "\"-\" \"-\" TID_{} \"-\" \"-\" \"-\"", Hex::<32>(connection))
}

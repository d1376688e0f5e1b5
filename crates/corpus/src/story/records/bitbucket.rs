//! Lines of Bitbucket's access log: two for each request, when it comes in and when it goes out.

use std::fmt::{self, Write};

use crate::random::mix2;
use crate::story::acts::{GitAct, GitRequest};
use crate::story::estate::{Estate, dotted, repository};
use crate::story::ids::Base32;
use crate::story::moment::Second;

/// The request's id without the mark of its direction.
struct RequestId<'a>(&'a GitRequest);

impl fmt::Display for RequestId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GitRequest { time_ms, draw, .. } = self.0;
        let minute = time_ms.div_euclid(60_000).rem_euclid(1_440);
        write!(f, "*{}x{minute}x{}x{}", Base32::<7>(*draw), mix2(*draw, 2) % 99_000 + 1_000, mix2(*draw, 3) % 4)
    }
}

/// Returns the id of the line that ends a request.
pub fn event_id(request: &GitRequest) -> String {
    format!("o{}", RequestId(request))
}

/// Appends both lines of a request, with a line break between them.
pub fn write(out: &mut String, estate: &Estate, request: &GitRequest) -> fmt::Result {
    let duration_ms = 30 + mix2(request.draw, 4) as i64 % 60 + (request.bytes_out / 40_000) as i64;
    line(out, estate, request, 'i', request.time_ms - duration_ms.abs())?;
    out.push_str(" | - | - | - | - | - | ");
    writeln!(out, "{} | ", session(request))?;
    line(out, estate, request, 'o', request.time_ms)?;
    let labels = match request.act {
        GitAct::Fetch => "cache:hit, fetch, protocol:2",
        GitAct::Clone => "cache:miss, clone, protocol:2",
        GitAct::ShallowClone => "cache:hit, protocol:2, shallow clone",
        GitAct::Archive => "-",
    };
    let status = if request.is_ssh { "0" } else { "200" };
    let received = if request.act == GitAct::Archive { 0 } else { 120 + mix2(request.draw, 5) % 800 };
    write!(out, " | {status} | {received} | {} | {labels}", request.bytes_out)?;
    if request.is_ssh {
        write!(out, ", ssh:id:{}", 2_700 + mix2(estate.seed, estate.name(request.user).len() as u64) % 90)?;
    }
    write!(out, " | {} | {} | ", duration_ms.abs(), session(request))
}

fn session(request: &GitRequest) -> Base32<7> {
    Base32(mix2(request.draw, 6))
}

fn line(out: &mut String, estate: &Estate, request: &GitRequest, direction: char, time_ms: i64) -> fmt::Result {
    write!(out, "{}", dotted(request.source))?;
    if let Some(node) = request.node {
        write!(out, ",{}", dotted(estate.nodes[usize::from(node)].private))?;
    }
    // What comes past the balancer is not encrypted by it.
    let protocol = match (request.is_ssh, request.node) {
        (true, _) => "ssh",
        (false, Some(_)) => "https",
        (false, None) => "http",
    };
    let user = if direction == 'i' && !request.is_ssh { "-" } else { estate.name(request.user) };
    write!(
        out,
        " | {protocol} | {direction}{} | {user} | {:#},{:03} | ",
        RequestId(request),
        Second(time_ms.div_euclid(1_000)),
        time_ms.rem_euclid(1_000),
    )?;
    let (project, name) = repository(request.repository);
    let agent = request.agent.texts().0;
    match (request.act, request.is_ssh) {
        (GitAct::Archive, _) => write!(
            out,
            "\"GET /rest/api/latest/projects/{project}/repos/{name}/archive?format=zip HTTP/1.1\" | \"\" \"{agent}\""
        ),
        (_, true) => {
            write!(out, "SSH - git-upload-pack '/{}/{name}.git' | \"{agent}\"", project.to_ascii_lowercase())
        }
        (_, false) => write!(
            out,
            "\"POST /scm/{}/{name}.git/git-upload-pack HTTP/1.1\" | \"\" \"{agent}\"",
            project.to_ascii_lowercase()
        ),
    }
}

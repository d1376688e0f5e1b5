//! Families of client programs: what stays the same when a version changes.

/// Marks of browsers, the more telling first: all of them say `Mozilla` and most say `Safari`.
const BROWSERS: &[(&str, &str)] = &[
    ("HeadlessChrome", "headless-chrome"),
    ("Edg/", "edge"),
    ("OPR/", "opera"),
    ("Firefox/", "firefox"),
    ("Chrome/", "chrome"),
    ("Safari/", "safari"),
    ("MSIE", "internet-explorer"),
    ("Trident/", "internet-explorer"),
];

/// Returns the family of a client program: its own name without version, `chrome` for a browser, `""` for none.
///
/// ```
/// use flowsift_access::agent_family;
///
/// assert_eq!(agent_family("aws-cli/2.13.0 Python/3.11 exec-env/CloudShell"), "aws-cli");
/// assert_eq!(agent_family("[Boto3/1.26.8 Python/3.9]"), "Boto3");
/// assert_eq!(agent_family("Mozilla/5.0 (Windows NT 10.0) Gecko/20100101 Firefox/119.0"), "firefox");
/// assert_eq!(agent_family("s3.amazonaws.com"), "s3.amazonaws.com");
/// assert_eq!(agent_family("SSH-2.0-OpenSSH_9.2"), "OpenSSH");
/// ```
pub fn agent_family(agent: &str) -> &str {
    let agent = agent.trim_start_matches(['[', ' ', '"']);
    if agent.is_empty() || agent == "-" {
        return "";
    }
    if agent.starts_with("Mozilla/") {
        return BROWSERS.iter().find(|(mark, _)| agent.contains(mark)).map_or("browser", |(_, name)| name);
    }
    if let Some(program) = agent.strip_prefix("SSH-2.0-") {
        return until(program, &['_', '-', ' ']);
    }
    // Terraform and other tools put themselves before the SDK, and the SDK before the language.
    until(agent, &['/', ' ', ',', ']', ';', '('])
}

fn until<'a>(text: &'a str, ends: &[char]) -> &'a str {
    let end = text.find(ends).unwrap_or(text.len());
    if end == 0 { text } else { &text[..end] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_do_not_make_families() {
        for (agent, family) in [
            ("", ""),
            ("-", ""),
            ("git/2.42.0", "git"),
            ("python-requests/2.31.0", "python-requests"),
            ("APN/1.0 HashiCorp/1.0 Terraform/1.5.0", "APN"),
            ("Mozilla/5.0 (X11) AppleWebKit/537.36 Chrome/119.0 Safari/537.36 Edg/119.0", "edge"),
            ("Mozilla/5.0", "browser"),
            ("Hello, world", "Hello"),
            ("/odd", "/odd"),
            ("AWS Internal", "AWS"),
        ] {
            assert_eq!(agent_family(agent), family, "{agent}");
        }
    }
}

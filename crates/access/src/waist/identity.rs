//! Who a principal is, whichever log names it.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// Returns the name by which all logs know a principal, in lower case: the name that a federated login brought, the session
/// of an instance as it is, and of any other session its role, as programs make up a new name for each.
///
/// ```
/// use flowsift_access::identity;
///
/// let role = |rest| format!("arn:aws:sts::112233445566:assumed-role/{rest}");
/// assert_eq!(identity(&role("AWSReservedSSO_Admin_1a2b/Jo.Doe@example.com")), "jo.doe@example.com");
/// assert_eq!(identity(&role("Deploy/botocore-session-17")), role("deploy"));
/// assert_eq!(identity(&role("web/i-0abc1234def567890")), role("web/i-0abc1234def567890"));
/// assert_eq!(identity("Jo.Doe@Example.com"), "jo.doe@example.com");
/// assert_eq!(identity("arn:aws:iam::112233445566:user/ci/Deploy"), "arn:aws:iam::112233445566:user/ci/deploy");
/// ```
pub fn identity(principal: &str) -> Cow<'_, str> {
    let name = match principal.rsplit_once('/') {
        Some((_, name)) if principal.starts_with("arn:") && name.contains('@') => name,
        Some((role, session)) if role.contains(":assumed-role/") => {
            if role.contains("/AWSReservedSSO_") {
                session
            } else if instance_of(principal).is_some() {
                principal
            } else {
                role
            }
        }
        _ => principal,
    };
    if name.chars().any(char::is_uppercase) { name.to_lowercase().into() } else { name.into() }
}

/// Returns the instance whose role a principal is: the session of such a role has the instance's id as its name.
///
/// ```
/// let role = "arn:aws:sts::112233445566:assumed-role/web/i-0abc1234def567890";
/// assert_eq!(flowsift_access::instance_of(role), Some("i-0abc1234def567890"));
/// assert_eq!(flowsift_access::instance_of("i-am-a-user"), None);
/// ```
pub fn instance_of(principal: &str) -> Option<&str> {
    let (role, session) = principal.rsplit_once('/')?;
    let is_id = session
        .strip_prefix("i-")
        .is_some_and(|id| matches!(id.len(), 8 | 17) && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    (is_id && role.contains(":assumed-role/")).then_some(session)
}

/// Joins user names with mails: `jo.doe`, who wrote a ticket, with `jo.doe@example.com`, who logged in.
///
/// A name that begins the mails of several is joined with none of them.
///
/// ```
/// use flowsift_access::Identities;
///
/// let known = Identities::of(["jo@example.com", "al@example.com", "al@example.org"].into_iter());
/// assert_eq!(known.of_principal("Jo"), "jo@example.com");
/// assert_eq!(known.of_principal("al"), "al");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identities {
    /// What stands before the `@`, with the only mail that begins so; `None` if several do.
    mails: BTreeMap<String, Option<String>>,
}

impl Identities {
    /// Returns the identities of principals, which come in any order and any number of times.
    pub fn of<'a>(principals: impl Iterator<Item = &'a str>) -> Self {
        let mut mails: BTreeMap<String, Option<String>> = BTreeMap::new();
        for principal in principals {
            let mail = identity(principal);
            let Some((local, _)) = mail.split_once('@').filter(|(local, _)| !local.is_empty()) else { continue };
            let known = mails.entry(local.to_owned()).or_insert_with(|| Some(mail.clone().into_owned()));
            if known.as_deref().is_some_and(|known| known != mail) {
                *known = None;
            }
        }
        Self { mails }
    }

    /// Returns who a principal is; see [`identity`].
    pub fn of_principal<'a>(&'a self, principal: &'a str) -> Cow<'a, str> {
        let name = identity(principal);
        match self.mails.get(&*name) {
            Some(Some(mail)) => mail.as_str().into(),
            _ => name,
        }
    }
}

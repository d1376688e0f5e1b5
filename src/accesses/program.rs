//! Who a principal is, whichever log names it.

use std::borrow::Cow;

use access::{CredentialKind, Identities, PrincipalKind, instance_of};

/// Words of a name that programs have and people do not.
const PROGRAM_WORDS: &[&str] = &[
    "svc",
    "service",
    "bot",
    "ci",
    "cd",
    "robot",
    "automation",
    "backup",
    "integration",
    "api",
    "sync",
    "deploy",
    "jenkins",
    "terraform",
    "bamboo",
    "system",
    "job",
    "cron",
    "runner",
    "agent",
    "scanner",
    "monitor",
];

/// Returns who a principal is, in lower case: see [`Identities`]. The sessions of a role belong to the role, since
/// programs make up a name for each; those of an instance and those that are named by a person do not.
pub fn identity_of<'a>(known: &'a Identities, principal: &'a str) -> Cow<'a, str> {
    known.of_principal(match principal.rsplit_once('/') {
        Some((role, session)) if role.contains(":assumed-role/") => match session {
            _ if role.contains("/AWSReservedSSO_") => session,
            _ if session.contains('@') || instance_of(principal).is_some() => principal,
            _ => role,
        },
        _ => principal,
    })
}

/// Returns whether acts are rather a program's than a person's: by kind, by a key without an end, or by the name.
pub fn is_program(kind: PrincipalKind, credential: CredentialKind, identity: &str) -> bool {
    match kind {
        PrincipalKind::ServiceAccount | PrincipalKind::Instance | PrincipalKind::AwsService => true,
        PrincipalKind::Role => !identity.contains('@'),
        _ => {
            let name = identity.rsplit_once('/').map_or(identity, |(_, name)| name);
            let name = name.split_once('@').map_or(name, |(local, _)| local);
            credential == CredentialKind::LongTermKey
                || name.split(|c: char| !c.is_alphanumeric()).any(|word| PROGRAM_WORDS.contains(&word))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_has_one_identity_in_all_logs() {
        let sso = "arn:aws:sts::112233445566:assumed-role/AWSReservedSSO_ReadOnly_01/Jo.Doe@example.com";
        let known = Identities::of(["jo.doe@example.com", "al@example.com", "al@example.org"].into_iter());
        assert_eq!(identity_of(&known, sso), "jo.doe@example.com");
        assert_eq!(identity_of(&known, "JO.DOE"), "jo.doe@example.com");
        assert_eq!(identity_of(&known, "al"), "al");
        let role = "arn:aws:sts::112233445566:assumed-role/Deploy/botocore-session-17";
        assert_eq!(identity_of(&known, role), "arn:aws:sts::112233445566:assumed-role/deploy");
        let instance = "arn:aws:sts::112233445566:assumed-role/web/i-0abc1234def567890";
        assert_eq!(identity_of(&known, instance), instance);
    }

    #[test]
    fn programs_are_told_by_kind_key_and_name() {
        let user = |credential, name| is_program(PrincipalKind::User, credential, name);
        assert!(user(CredentialKind::None, "svc-smartsheet@example.com"));
        assert!(user(CredentialKind::LongTermKey, "arn:aws:iam::112233445566:user/jo"));
        assert!(user(CredentialKind::None, "arn:aws:iam::112233445566:user/ci-deploy"));
        assert!(!user(CredentialKind::WebSession, "cindy.botha@service.example.com"));
        assert!(is_program(PrincipalKind::Instance, CredentialKind::SessionKey, "x/i-0"));
    }
}

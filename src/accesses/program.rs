//! Whether a principal is a program or a person.

use access::{CredentialKind, PrincipalKind};

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
    fn programs_are_told_by_kind_key_and_name() {
        let user = |credential, name| is_program(PrincipalKind::User, credential, name);
        assert!(user(CredentialKind::None, "svc-smartsheet@example.com"));
        assert!(user(CredentialKind::LongTermKey, "arn:aws:iam::112233445566:user/jo"));
        assert!(user(CredentialKind::None, "arn:aws:iam::112233445566:user/ci-deploy"));
        assert!(!user(CredentialKind::WebSession, "cindy.botha@service.example.com"));
        assert!(is_program(PrincipalKind::Instance, CredentialKind::SessionKey, "x/i-0"));
    }
}

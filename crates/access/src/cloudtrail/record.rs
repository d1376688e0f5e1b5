//! What is asked of a CloudTrail record. The scanner and its slow twin both fill it.

use std::borrow::Cow;

/// A text; `None` when it is absent, null or no text.
pub(crate) type Text<'a> = Option<Cow<'a, str>>;

/// The fields of a record that an act is made of.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Record<'a> {
    pub time: Text<'a>,
    pub service: Text<'a>,
    pub name: Text<'a>,
    pub region: Text<'a>,
    pub source: Text<'a>,
    pub agent: Text<'a>,
    pub error_code: Text<'a>,
    pub error_message: Text<'a>,
    pub event_id: Text<'a>,
    pub event_type: Text<'a>,
    pub category: Text<'a>,
    pub version: Text<'a>,
    pub recipient: Text<'a>,
    pub shared_id: Text<'a>,
    pub endpoint: Text<'a>,
    pub read_only: Option<bool>,
    pub identity: Identity<'a>,
    pub parameters: Parameters<'a>,
    pub response: Response<'a>,
    pub extra: Extra<'a>,
    pub resource: Resource<'a>,
}

/// `userIdentity`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Identity<'a> {
    pub kind: Text<'a>,
    pub principal_id: Text<'a>,
    pub arn: Text<'a>,
    pub account: Text<'a>,
    pub key: Text<'a>,
    pub user: Text<'a>,
    pub invoked_by: Text<'a>,
    pub on_behalf_of: Text<'a>,
    pub session: Session<'a>,
}

/// `userIdentity.sessionContext`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Session<'a> {
    pub created: Text<'a>,
    pub mfa: Text<'a>,
    pub source_identity: Text<'a>,
    pub role_delivery: Text<'a>,
}

/// `responseElements`: the login's result and the key that the call made.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Response<'a> {
    pub console_login: Text<'a>,
    pub made_key: Text<'a>,
}

/// `additionalEventData`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Extra<'a> {
    pub mfa_used: Text<'a>,
    pub bytes_out: Option<f64>,
    pub bytes_in: Option<f64>,
}

/// The first of `resources`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Resource<'a> {
    pub arn: Text<'a>,
    pub kind: Text<'a>,
}

macro_rules! naming {
    ($($name:literal is $kind:literal,)*) => {
        /// The parameters that name what a call is about: the key, and what kind of thing it names. The first that is
        /// there counts.
        pub(crate) const NAMING: &[(&str, &str)] = &[$(($name, $kind),)*];

        /// Returns the place of a key in [`NAMING`].
        pub(crate) fn naming(key: &[u8]) -> Option<usize> {
            // Most keys name nothing; a match on texts looks at their length first.
            let name = match key {
                $(key if key == $name.as_bytes() => $name,)*
                _ => return None,
            };
            NAMING.iter().position(|(other, _)| *other == name)
        }
    };
}

naming! {
    "secretId" is "secret",
    "functionName" is "function",
    "accessKeyId" is "access_key",
    "userName" is "user",
    "roleArn" is "role",
    "roleName" is "role",
    "groupName" is "group",
    "policyArn" is "policy",
    "instanceId" is "instance",
    "instanceIdentifier" is "instance",
    "dBSnapshotIdentifier" is "snapshot",
    "snapshotId" is "snapshot",
    "groupId" is "security_group",
    "keyId" is "key",
    "documentName" is "document",
    "tableName" is "table",
    "repositoryName" is "repository",
    "stackName" is "stack",
    "trailName" is "trail",
    "name" is "name",
}

/// `requestParameters`: what the call is about.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Parameters<'a> {
    pub bucket: Text<'a>,
    pub key: Text<'a>,
    /// The place in [`NAMING`], and the text.
    pub named: Option<(usize, Cow<'a, str>)>,
}

impl<'a> Parameters<'a> {
    /// Takes the text of a naming parameter, unless one before it in [`NAMING`] was taken.
    pub fn name(&mut self, place: usize, text: Text<'a>) {
        let earlier = self.named.as_ref().is_some_and(|(taken, _)| *taken < place);
        match text {
            Some(text) if !earlier => self.named = Some((place, text)),
            _ => {}
        }
    }
}

//! The few words that every log's own words are translated to.

macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $word:ident = $text:literal,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$doc])* $word,)*
        }

        impl $name {
            /// Returns the name under which tables know it.
            pub const fn name(self) -> &'static str {
                match self {
                    $($name::$word => $text,)*
                }
            }

            /// Returns what a name stands for; `None` of any other text.
            pub fn of_name(name: &str) -> Option<Self> {
                match name {
                    $($text => Some($name::$word),)*
                    _ => None,
                }
            }
        }
    };
}

words! {
    /// How an act ended.
    Outcome {
        /// It was done.
        Success = "success",
        /// It was tried and went wrong: a bad request, a wrong password, an error of the service.
        Failure = "failure",
        /// It was refused: the principal may not do this.
        Denied = "denied",
        /// More proof was asked for.
        Challenge = "challenge",
        /// The log does not tell.
        Unknown = "unknown",
    }
}

words! {
    /// What a principal is.
    PrincipalKind {
        /// A person.
        Human = "human",
        /// A user for programs. Most logs cannot tell it from a person.
        ServiceAccount = "service_account",
        /// A role that several may assume.
        Role = "role",
        /// The role of one instance: the session's name is an instance's id.
        Instance = "instance",
        /// A service of AWS on its own behalf.
        AwsService = "aws_service",
        /// The owner of an account.
        Root = "root",
        /// Nobody in particular.
        Anonymous = "anonymous",
        /// A user: the log does not tell a person from a program.
        User = "user",
        /// The application itself.
        System = "system",
        /// The log does not tell.
        Unknown = "unknown",
    }
}

words! {
    /// The kind of an action.
    ActionClass {
        /// Somebody proves who they are.
        Login = "login",
        /// One thing is read.
        Read = "read",
        /// Things are listed or described.
        List = "list",
        /// Something is made or changed.
        Write = "write",
        /// Somebody is given more rights.
        Grant = "grant",
        /// A key, token, session or user is made.
        CreateCredential = "create_credential",
        /// Data leave in bulk: an object, a clone, an archive.
        Download = "download",
        /// Something is removed or stopped.
        Delete = "delete",
        /// How the service itself works is changed, its logs among it.
        Admin = "admin",
        /// None of these.
        Other = "other",
    }
}

/// Paths below which applications are administered: what is sent there changes how they work, or runs as code.
const ADMIN_PATHS: &[&str] =
    &["/plugins/servlet/", "/rest/scriptrunner/", "/rest/plugins/", "/setup/", "/secure/admin/"];

impl ActionClass {
    /// Returns whether acts of this class are few and matter one by one, so that hours keep what each was done to.
    pub const fn is_rare(self) -> bool {
        matches!(self, Self::CreateCredential | Self::Grant | Self::Admin)
    }

    /// Returns the class of an AWS API call by its service (`s3`), its name and whether AWS calls it read-only.
    pub fn of_aws(service: &str, action: &str, read_only: Option<bool>) -> Self {
        let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| action.starts_with(prefix));
        match (service, action) {
            ("signin", "ConsoleLogin" | "SwitchRole") | ("sso", "Authenticate" | "Federate") => return Self::Login,
            ("s3", "GetObject") => return Self::Download,
            ("sts", _) if starts(&["AssumeRole", "GetSessionToken", "GetFederationToken"]) => {
                return Self::CreateCredential;
            }
            ("iam", "CreateAccessKey" | "CreateLoginProfile" | "UpdateLoginProfile" | "CreateUser") => {
                return Self::CreateCredential;
            }
            (
                "iam",
                "AddUserToGroup" | "UpdateAssumeRolePolicy" | "CreatePolicyVersion" | "SetDefaultPolicyVersion",
            ) => return Self::Grant,
            ("iam", _) if starts(&["Attach", "PutUserPolicy", "PutRolePolicy", "PutGroupPolicy"]) => {
                return Self::Grant;
            }
            ("cloudtrail" | "guardduty" | "config" | "organizations", _) if read_only == Some(false) => {
                return Self::Admin;
            }
            (_, "DeleteFlowLogs") => return Self::Admin,
            _ => {}
        }
        if starts(&["List", "Describe", "Search", "Query", "Scan"]) {
            Self::List
        } else if starts(&["Get", "BatchGet", "Head", "Lookup", "Decrypt", "View", "Read", "Select"]) {
            Self::Read
        } else if starts(&["Delete", "Remove", "Terminate", "Stop", "Disable", "Detach", "Deregister"]) {
            Self::Delete
        } else if read_only == Some(true) {
            Self::Read
        } else if read_only == Some(false) {
            Self::Write
        } else {
            Self::Other
        }
    }

    /// Returns the class of a request by its method and path.
    pub fn of_http(method: &str, path: &str) -> Self {
        let is_download = path.ends_with("/git-upload-pack")
            || path.ends_with("/archive")
            || path.contains("/plugins/servlet/archive/")
            || path.contains("/download/");
        match method {
            "GET" | "HEAD" | "POST" if is_download => Self::Download,
            "POST" | "PUT" | "PATCH" | "DELETE" if ADMIN_PATHS.iter().any(|admin| path.contains(admin)) => Self::Admin,
            "GET" | "HEAD" | "OPTIONS" => Self::Read,
            "POST" | "PUT" | "PATCH" => Self::Write,
            "DELETE" => Self::Delete,
            _ => Self::Other,
        }
    }
}

impl Outcome {
    /// Returns the outcome of a response's HTTP status.
    pub const fn of_http(status: Option<u16>) -> Self {
        match status {
            Some(401 | 403 | 407) => Self::Denied,
            Some(100..=399) => Self::Success,
            Some(400..) => Self::Failure,
            _ => Self::Unknown,
        }
    }

    /// Returns the outcome of an AWS call by its error code; empty is success. AWS spells denied in many ways.
    pub fn of_aws_error(code: &str) -> Self {
        let denied = ["AccessDenied", "Unauthorized", "Forbidden", "NotAuthorized", "AuthFailure", "SignatureDoesNot"];
        if code.is_empty() {
            Self::Success
        } else if denied.iter().any(|word| code.contains(word)) {
            Self::Denied
        } else {
            Self::Failure
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_denied_is_denied() {
        for code in ["AccessDenied", "AccessDeniedException", "Client.UnauthorizedOperation", "UnauthorizedOperation"] {
            assert_eq!(Outcome::of_aws_error(code), Outcome::Denied, "{code}");
        }
        assert_eq!(Outcome::of_aws_error("NoSuchBucket"), Outcome::Failure);
        assert_eq!(Outcome::of_http(Some(403)), Outcome::Denied);
        assert_eq!(Outcome::of_http(None), Outcome::Unknown);
    }

    #[test]
    fn classes_tell_making_keys_from_reading() {
        let class = |service, action| ActionClass::of_aws(service, action, None);
        assert_eq!(class("sts", "AssumeRoleWithSAML"), ActionClass::CreateCredential);
        assert_eq!(class("sts", "GetCallerIdentity"), ActionClass::Read);
        assert_eq!(class("iam", "AttachUserPolicy"), ActionClass::Grant);
        assert_eq!(class("s3", "GetObject"), ActionClass::Download);
        assert_eq!(ActionClass::of_aws("cloudtrail", "StopLogging", Some(false)), ActionClass::Admin);
        assert_eq!(ActionClass::of_http("POST", "/scm/core/core-1.git/git-upload-pack"), ActionClass::Download);
        let console = "/plugins/servlet/scriptrunner/admin/console";
        assert_eq!(ActionClass::of_http("POST", console), ActionClass::Admin);
        assert_eq!(ActionClass::of_http("GET", console), ActionClass::Read);
        assert_eq!(ActionClass::of_http("POST", "/plugins/servlet/archive/projects/A/repos/b"), ActionClass::Download);
    }
}

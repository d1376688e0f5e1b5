//! What happens on a day, before it becomes text: small values that are drawn in any order and sorted by time.

mod agent;

use rayon::slice::ParallelSliceMut;

pub use self::agent::Agent;
use crate::traffic::connection::Connection;

/// An account for programs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Service {
    /// Reads Jira for a supplier; nobody used it for two months.
    Smartsheet,
    /// Known to Okta alone.
    Moveworks,
    /// Known to Okta alone.
    Workday,
    /// Builds.
    Bamboo,
    /// Clones every repository on Sundays.
    Backup,
}

impl Service {
    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Smartsheet => "svc-smartsheet",
            Self::Moveworks => "svc-moveworks",
            Self::Workday => "svc-workday",
            Self::Bamboo => "svc-bamboo",
            Self::Backup => "svc-backup",
        }
    }
}

/// Somebody who acts in Okta, Jira, Confluence or Bitbucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum User {
    /// A person, by number.
    Person(u32),
    /// A program.
    Service(Service),
    /// Who makes the accounts of newcomers.
    Admin,
    /// Who switches accounts off.
    Security,
    /// The user that the intruder makes.
    Intruder,
    /// An access token of that user.
    Token,
    /// The application itself.
    System,
}

/// A session of AWS: its number, and when it began (seconds since 1970 UTC).
#[derive(Clone, Copy, Debug)]
pub struct Session {
    pub number: u64,
    pub since_s: i64,
}

/// Who calls AWS.
#[derive(Clone, Copy, Debug)]
pub enum Caller {
    /// The pipelines' key.
    Pipeline,
    /// The role that pipelines take on.
    Deployer(Session),
    /// The key of the quarterly report.
    Report,
    /// The key that nobody used for months.
    StaleKey,
    /// A person, by number, over single sign-on.
    Person(u32, Session),
    /// An instance, by its interface.
    Instance(u32, Session),
}

macro_rules! calls {
    ($($name:ident = $service:literal, $action:literal, $read_only:literal;)*) => {
        /// A call of AWS.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub enum Call { $(#[doc = $action] $name,)* }

        impl Call {
            /// Returns its service, its name, and whether it only reads.
            pub const fn form(self) -> (&'static str, &'static str, bool) {
                match self { $(Self::$name => ($service, $action, $read_only),)* }
            }
        }
    };
}

calls! {
    GetCallerIdentity = "sts", "GetCallerIdentity", true;
    AssumeRole = "sts", "AssumeRole", true;
    ConsoleLogin = "signin", "ConsoleLogin", false;
    ListBuckets = "s3", "ListBuckets", true;
    ListObjects = "s3", "ListObjects", true;
    GetBucketPolicy = "s3", "GetBucketPolicy", true;
    GetObject = "s3", "GetObject", true;
    PutObject = "s3", "PutObject", false;
    DescribeInstances = "ec2", "DescribeInstances", true;
    DescribeRegions = "ec2", "DescribeRegions", true;
    DescribeSecurityGroups = "ec2", "DescribeSecurityGroups", true;
    DescribeVpcs = "ec2", "DescribeVpcs", true;
    DescribeLoadBalancers = "elasticloadbalancing", "DescribeLoadBalancers", true;
    DescribeAutoScalingGroups = "autoscaling", "DescribeAutoScalingGroups", true;
    GetMetricData = "monitoring", "GetMetricData", true;
    DescribeLogGroups = "logs", "DescribeLogGroups", true;
    ListRoles = "iam", "ListRoles", true;
    ListUsers = "iam", "ListUsers", true;
    GetAccountAuthorizationDetails = "iam", "GetAccountAuthorizationDetails", true;
    ListAttachedUserPolicies = "iam", "ListAttachedUserPolicies", true;
    ListSecrets = "secretsmanager", "ListSecrets", true;
    GetSecretValue = "secretsmanager", "GetSecretValue", true;
    DescribeParameters = "ssm", "DescribeParameters", true;
    UpdateInstanceInformation = "ssm", "UpdateInstanceInformation", false;
    ListFunctions = "lambda", "ListFunctions20150331", true;
    DescribeDbInstances = "rds", "DescribeDBInstances", true;
    ListKeys = "kms", "ListKeys", true;
    DescribeTrails = "cloudtrail", "DescribeTrails", true;
    ListAccounts = "organizations", "ListAccounts", true;
    ListHostedZones = "route53", "ListHostedZones", true;
    DescribeStacks = "cloudformation", "DescribeStacks", true;
    UpdateStack = "cloudformation", "UpdateStack", false;
}

/// An event of CloudTrail.
#[derive(Clone, Copy, Debug)]
pub struct CloudCall {
    /// Seconds since 1970 UTC.
    pub time_s: i64,
    pub caller: Caller,
    pub call: Call,
    pub source: u32,
    pub agent: Agent,
    pub is_denied: bool,
    /// What its ids and parameters follow from.
    pub draw: u64,
}

macro_rules! okta_acts {
    ($($name:ident = $kind:literal, $message:literal;)*) => {
        /// What Okta logs.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub enum OktaAct { $(#[doc = $message] $name,)* }

        impl OktaAct {
            /// Returns its `eventType` and its message.
            pub const fn texts(self) -> (&'static str, &'static str) {
                match self { $(Self::$name => ($kind, $message),)* }
            }
        }
    };
}

okta_acts! {
    SessionStart = "user.session.start", "User login to Okta";
    SessionEnd = "user.session.end", "User logout from Okta";
    SignOnPolicy = "policy.evaluate_sign_on", "Evaluation of sign-on policy";
    SecondFactor = "user.authentication.auth_via_mfa", "Authentication of user via MFA";
    SingleSignOn = "user.authentication.sso", "User single sign on to app";
    UnauthorizedApp = "app.generic.unauth_app_access_attempt", "User attempted unauthorized access to app";
    UserCreated = "user.lifecycle.create", "Create Okta user";
    FactorActivated = "user.mfa.factor.activate", "Activate factor for user";
    ImportStarted = "system.import.start", "Start application import";
    ImportCompleted = "system.import.complete", "Complete application import";
}

/// An application behind Okta.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum OktaApp {
    Jira,
    Confluence,
    Bitbucket,
    Slack,
    Workday,
    Aws,
    Dashboard,
}

impl OktaApp {
    /// Returns its label, and the name of its kind in Okta's catalogue.
    pub const fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::Jira => ("Jira", "jira_onprem"),
            Self::Confluence => ("Confluence", "confluence_onprem"),
            Self::Bitbucket => ("Bitbucket", "bitbucket_onprem"),
            Self::Slack => ("Slack", "slack"),
            Self::Workday => ("Workday", "workday"),
            Self::Aws => ("AWS IAM Identity Center", "amazon_aws_sso"),
            Self::Dashboard => ("Okta Dashboard", "okta_enduser"),
        }
    }
}

/// An event of Okta's System Log.
#[derive(Clone, Copy, Debug)]
pub struct OktaEvent {
    /// Milliseconds since 1970 UTC.
    pub time_ms: i64,
    pub actor: User,
    pub act: OktaAct,
    /// What it is about, for acts that are about an application or another user.
    pub app: OktaApp,
    pub target: Option<User>,
    pub source: u32,
    pub agent: Agent,
    pub succeeded: bool,
    /// The session; 0 for none.
    pub session: u64,
    /// The number of the laptop.
    pub device: u64,
    pub is_proxy: bool,
    pub draw: u64,
}

/// A self-hosted product.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Product {
    Jira,
    Confluence,
    Bitbucket,
}

impl Product {
    /// Every product, in the order of their folders.
    pub const ALL: [Self; 3] = [Self::Jira, Self::Confluence, Self::Bitbucket];

    /// Returns its name, as in its host name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jira => "jira",
            Self::Confluence => "confluence",
            Self::Bitbucket => "bitbucket",
        }
    }

    /// Returns the port that it listens on behind the balancer.
    pub const fn port(self) -> u16 {
        match self {
            Self::Jira => 8_080,
            Self::Confluence => 8_090,
            Self::Bitbucket => 7_990,
        }
    }
}

/// What a product audits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AuditAct {
    /// Somebody logged in.
    LoggedIn,
    /// A user was made.
    UserCreated(User),
    /// A user came into a group, by the group's number.
    AddedToGroup(User, u8),
    /// A user was switched off.
    Deactivated(User),
    /// A repository was read, by its number.
    RepositoryAccessed(u16),
    /// An access token was made for a repository.
    TokenCreated(u16),
}

/// Groups, by their number in [`AuditAct::AddedToGroup`].
pub const GROUPS: [&str; 4] = ["jira-software-users", "confluence-users", "bitbucket-users", "jira-administrators"];

/// A record of an audit log.
#[derive(Clone, Copy, Debug)]
pub struct AuditRecord {
    /// Microseconds since 1970 UTC.
    pub time_us: i64,
    pub product: Product,
    pub author: User,
    pub source: u32,
    pub act: AuditAct,
}

/// What git did, or somebody in a browser's stead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum GitAct {
    Fetch,
    Clone,
    ShallowClone,
    Archive,
}

/// A request in Bitbucket's access log.
#[derive(Clone, Copy, Debug)]
pub struct GitRequest {
    /// Milliseconds since 1970 UTC.
    pub time_ms: i64,
    pub user: User,
    pub source: u32,
    /// The balancer's node that it came through, if any.
    pub node: Option<u8>,
    pub is_ssh: bool,
    pub agent: Agent,
    pub act: GitAct,
    pub repository: u16,
    pub bytes_out: u64,
    pub draw: u64,
}

/// The path of a request to a product.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WebPath {
    /// A ticket or a page, by number.
    Item(u32),
    /// A search for one of [`SEARCHES`].
    Search(u8),
    /// The first page.
    Dashboard,
    /// A part of a page: a script, a style, a picture.
    Asset(u32),
    /// The form to log in.
    Login,
    /// The interface for programs.
    Api(u32),
    /// A clone or fetch of a repository.
    Git(u16),
    /// The console of an add-on that runs scripts, and its interface.
    ScriptConsole,
    ScriptRun,
}

/// What the intruder searches for.
pub const SEARCHES: [&str; 6] = ["remote access", "secret", "client-secret", "openconnect", "tunnel", "token"];

/// A request in the balancer's access log.
#[derive(Clone, Copy, Debug)]
pub struct WebRequest {
    /// When the response was sent, in microseconds since 1970 UTC.
    pub time_us: i64,
    pub node: u8,
    pub client: u32,
    pub client_port: u16,
    pub product: Product,
    pub path: WebPath,
    pub is_post: bool,
    pub status: u16,
    pub agent: Agent,
    pub sent: u32,
    pub draw: u64,
}

/// Everything that happens in some time, by log.
#[derive(Debug, Default)]
pub struct Acts {
    pub calls: Vec<CloudCall>,
    pub okta: Vec<OktaEvent>,
    pub audits: Vec<AuditRecord>,
    pub gits: Vec<GitRequest>,
    pub requests: Vec<WebRequest>,
    pub connections: Vec<Connection>,
}

impl Acts {
    /// Adds what happened elsewhere.
    pub fn append(&mut self, mut other: Self) {
        self.calls.append(&mut other.calls);
        self.okta.append(&mut other.okta);
        self.audits.append(&mut other.audits);
        self.gits.append(&mut other.gits);
        self.requests.append(&mut other.requests);
        self.connections.append(&mut other.connections);
    }

    /// Sorts each log by time; what happened at once stays in the order in which it was added.
    pub fn sort(&mut self) {
        self.calls.par_sort_by_key(|call| call.time_s);
        self.okta.par_sort_by_key(|event| event.time_ms);
        self.audits.par_sort_by_key(|record| (record.product, record.time_us));
        self.gits.par_sort_by_key(|request| request.time_ms);
        self.requests.par_sort_by_key(|request| (request.node, request.time_us));
        self.connections.par_sort_by_key(|connection| connection.begin);
    }

    /// Returns the number of events of all logs beside the flow logs.
    pub fn events(&self) -> u64 {
        (self.calls.len() + self.okta.len() + self.audits.len() + self.gits.len() + self.requests.len()) as u64
    }
}

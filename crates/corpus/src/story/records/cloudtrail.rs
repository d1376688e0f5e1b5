//! CloudTrail records: one JSON object each.

use std::fmt::{self, Write};

use crate::random::mix2;
use crate::story::acts::{Call, Caller, CloudCall, Session};
use crate::story::estate::{ACCOUNT, AccessKeyId, DOMAIN, Estate, REGION, dotted};
use crate::story::ids::{Alphanumeric, Base32, Hex, Uuid};
use crate::story::moment::Second;

/// IAM users, and the number of each one's key.
pub const USERS: [(&str, u64); 3] = [("ci-deploy", 1), ("quarterly-report", 2), ("apps-marketplace", 3)];

/// The role that pipelines take on, and that of the instances.
const DEPLOY_ROLE: &str = "deploy";
const INSTANCE_ROLE: &str = "atlassian-instance";

/// Returns the `eventID` of a call.
pub const fn event_id(call: &CloudCall) -> Uuid {
    Uuid(call.draw)
}

/// Returns the user of a long-term key's caller, by its place in [`USERS`].
const fn user_of(caller: Caller) -> Option<usize> {
    match caller {
        Caller::Pipeline => Some(0),
        Caller::Report => Some(1),
        Caller::StaleKey => Some(2),
        _ => None,
    }
}

/// Returns the ARN of a caller.
pub fn arn(estate: &Estate, caller: Caller) -> String {
    match caller {
        Caller::Deployer(session) => {
            format!("arn:aws:sts::{ACCOUNT}:assumed-role/{DEPLOY_ROLE}/pipeline-{}", session.number % 100_000)
        }
        Caller::Person(number, _) => {
            let person = &estate.people[number as usize];
            let set = permission_set(person.is_operator);
            let role = Hex::<16>(mix2(estate.seed, set.len() as u64));
            format!("arn:aws:sts::{ACCOUNT}:assumed-role/AWSReservedSSO_{set}_{role}/{}@{DOMAIN}", person.name)
        }
        Caller::Instance(interface, _) => {
            format!("arn:aws:sts::{ACCOUNT}:assumed-role/{INSTANCE_ROLE}/{}", estate.instance_id(interface))
        }
        _ => format!("arn:aws:iam::{ACCOUNT}:user/{}", USERS[user_of(caller).unwrap_or_default()].0),
    }
}

const fn permission_set(is_operator: bool) -> &'static str {
    if is_operator { "PowerUserAccess" } else { "ReadOnlyAccess" }
}

/// Appends a call's record.
pub fn write(out: &mut String, estate: &Estate, call: &CloudCall) -> fmt::Result {
    let (service, action, read_only) = call.call.form();
    let is_login = call.call == Call::ConsoleLogin;
    let is_data = matches!(call.call, Call::GetObject | Call::PutObject | Call::ListObjects);
    write!(out, "{{\"eventVersion\":\"1.09\",\"userIdentity\":")?;
    identity(out, estate, call.caller)?;
    write!(
        out,
        ",\"eventTime\":\"{}Z\",\"eventSource\":\"{service}.amazonaws.com\",\"eventName\":\"{action}\",\
         \"awsRegion\":\"{REGION}\",\"sourceIPAddress\":\"{}\",\"userAgent\":\"{}\"",
        Second(call.time_s),
        dotted(call.source),
        call.agent.texts().0,
    )?;
    if call.is_denied {
        let code = if call.call == Call::ListAccounts { "AccessDeniedException" } else { "AccessDenied" };
        write!(
            out,
            ",\"errorCode\":\"{code}\",\"errorMessage\":\"User: {} is not authorized to perform: {service}:{action} \
             because no identity-based policy allows the {service}:{action} action\"",
            arn(estate, call.caller),
        )?;
    }
    out.push_str(",\"requestParameters\":");
    parameters(out, estate, call)?;
    out.push_str(",\"responseElements\":");
    response(out, estate, call)?;
    extra(out, call, is_data)?;
    let digits = mix2(call.draw, 3);
    write!(out, ",\"requestID\":\"{}\",\"eventID\":\"{}\",\"readOnly\":{read_only}", Uuid(digits), event_id(call))?;
    if is_data {
        let bucket = bucket(call.draw);
        write!(
            out,
            ",\"resources\":[{{\"type\":\"AWS::S3::Object\",\"ARNPrefix\":\"arn:aws:s3:::{bucket}/\"}},\
             {{\"accountId\":\"{ACCOUNT}\",\"type\":\"AWS::S3::Bucket\",\"ARN\":\"arn:aws:s3:::{bucket}\"}}]"
        )?;
    }
    let kind = if is_login { "AwsConsoleSignIn" } else { "AwsApiCall" };
    let category = if is_data { "Data" } else { "Management" };
    let host = if service == "s3" { "s3" } else { service };
    write!(
        out,
        ",\"eventType\":\"{kind}\",\"managementEvent\":{},\"recipientAccountId\":\"{ACCOUNT}\",\
         \"eventCategory\":\"{category}\",\"tlsDetails\":{{\"tlsVersion\":\"TLSv1.3\",\
         \"cipherSuite\":\"TLS_AES_128_GCM_SHA256\",\"clientProvidedHostHeader\":\"{host}.{REGION}.amazonaws.com\"}}",
        !is_data,
    )?;
    if matches!(call.caller, Caller::Person(..)) && !is_login {
        out.push_str(",\"sessionCredentialFromConsole\":\"true\"");
    }
    out.push('}');
    Ok(())
}

fn identity(out: &mut String, estate: &Estate, caller: Caller) -> fmt::Result {
    let arn = arn(estate, caller);
    if let Some(user) = user_of(caller) {
        let (name, key) = USERS[user];
        return write!(
            out,
            "{{\"type\":\"IAMUser\",\"principalId\":\"AIDA{}\",\"arn\":\"{arn}\",\"accountId\":\"{ACCOUNT}\",\
             \"accessKeyId\":\"{}\",\"userName\":\"{name}\"}}",
            Base32::<17>(mix2(estate.seed ^ 0x6169, key)),
            estate.key(key),
        );
    }
    let (session, name, delivery) = match caller {
        Caller::Deployer(session) => (session, DEPLOY_ROLE.to_owned(), ""),
        Caller::Instance(_, session) => (session, INSTANCE_ROLE.to_owned(), ",\"ec2RoleDelivery\":\"2.0\""),
        Caller::Person(_, session) => {
            let role = arn.split('/').nth(1).unwrap_or_default();
            (session, role.to_owned(), "")
        }
        _ => (Session { number: 0, since_s: 0 }, String::new(), ""),
    };
    let path = if name.starts_with("AWSReserved") { "aws-reserved/sso.amazonaws.com/" } else { "" };
    let id = Base32::<17>(mix2(estate.seed ^ 0x726f, name.bytes().map(u64::from).sum()));
    let session_name = arn.rsplit('/').next().unwrap_or_default();
    write!(
        out,
        "{{\"type\":\"AssumedRole\",\"principalId\":\"AROA{id}:{session_name}\",\"arn\":\"{arn}\",\
         \"accountId\":\"{ACCOUNT}\",\"accessKeyId\":\"{}\",\"sessionContext\":{{\"sessionIssuer\":{{\"type\":\"Role\",\
         \"principalId\":\"AROA{id}\",\"arn\":\"arn:aws:iam::{ACCOUNT}:role/{path}{name}\",\
         \"accountId\":\"{ACCOUNT}\",\"userName\":\"{name}\"}},\"webIdFederationData\":{{}},\
         \"attributes\":{{\"creationDate\":\"{}Z\",\"mfaAuthenticated\":\"false\"}}{delivery}}}}}",
        AccessKeyId::of_session(session.number),
        Second(session.since_s),
    )
}

/// Returns the bucket that a call is about.
fn bucket(draw: u64) -> &'static str {
    ["example-artifacts", "example-reports", "example-backups"][(mix2(draw, 5) % 3) as usize]
}

fn parameters(out: &mut String, estate: &Estate, call: &CloudCall) -> fmt::Result {
    let number = mix2(call.draw, 4);
    match call.call {
        Call::ListBuckets => out.write_str("{\"Host\":\"s3.amazonaws.com\"}"),
        Call::ListObjects => write!(
            out,
            "{{\"list-type\":\"2\",\"bucketName\":\"{}\",\"Host\":\"s3.{REGION}.amazonaws.com\",\"encoding-type\":\"url\"}}",
            bucket(call.draw)
        ),
        Call::GetBucketPolicy => {
            write!(
                out,
                "{{\"bucketName\":\"{}\",\"Host\":\"s3.{REGION}.amazonaws.com\",\"policy\":\"\"}}",
                bucket(call.draw)
            )
        }
        Call::GetObject | Call::PutObject => write!(
            out,
            "{{\"bucketName\":\"{}\",\"Host\":\"s3.{REGION}.amazonaws.com\",\"key\":\"builds/{:05}/app.tar.gz\"}}",
            bucket(call.draw),
            number % 100_000
        ),
        Call::DescribeInstances => out.write_str("{\"maxResults\":1000,\"instancesSet\":{},\"filterSet\":{}}"),
        Call::DescribeRegions => out.write_str("{\"regionSet\":{}}"),
        Call::DescribeSecurityGroups => {
            out.write_str("{\"maxResults\":1000,\"securityGroupSet\":{},\"securityGroupIdSet\":{},\"filterSet\":{}}")
        }
        Call::DescribeVpcs => out.write_str("{\"vpcSet\":{},\"filterSet\":{}}"),
        Call::DescribeLoadBalancers => out.write_str("{\"pageSize\":400}"),
        Call::DescribeAutoScalingGroups => out.write_str("{\"maxRecords\":100}"),
        Call::DescribeLogGroups => out.write_str("{\"limit\":50}"),
        Call::ListAttachedUserPolicies => write!(out, "{{\"userName\":\"{}\"}}", USERS[2].0),
        Call::GetSecretValue => write!(out, "{{\"secretId\":\"prod/app-{:02}\"}}", number % 12),
        Call::UpdateInstanceInformation => {
            let Caller::Instance(interface, _) = call.caller else { return out.write_str("null") };
            write!(
                out,
                "{{\"instanceId\":\"{}\",\"agentStatus\":\"Active\",\"agentVersion\":\"3.2.1705.0\",\
                 \"agentName\":\"amazon-ssm-agent\",\"platformType\":\"Linux\",\"platformName\":\"Amazon Linux\",\
                 \"platformVersion\":\"2\",\"iPAddress\":\"{}\",\"computerName\":\"ip-{:08x}.ec2.internal\"}}",
                estate.instance_id(interface),
                dotted(estate.world.interface(interface).v4),
                estate.world.interface(interface).v4,
            )
        }
        Call::AssumeRole => write!(
            out,
            "{{\"roleArn\":\"arn:aws:iam::{ACCOUNT}:role/{DEPLOY_ROLE}\",\"roleSessionName\":\"pipeline-{}\",\
             \"durationSeconds\":3600}}",
            call.draw % 100_000
        ),
        Call::DescribeStacks => write!(out, "{{\"stackName\":\"app-{:02}\"}}", number % 12),
        Call::UpdateStack => write!(
            out,
            "{{\"stackName\":\"app-{:02}\",\"usePreviousTemplate\":true,\"capabilities\":[\"CAPABILITY_IAM\"]}}",
            number % 12
        ),
        _ => out.write_str("null"),
    }
}

fn response(out: &mut String, estate: &Estate, call: &CloudCall) -> fmt::Result {
    match call.call {
        Call::ConsoleLogin => out.write_str("{\"ConsoleLogin\":\"Success\"}"),
        // The session's number is that of the call that made it.
        Call::AssumeRole => write!(
            out,
            "{{\"credentials\":{{\"accessKeyId\":\"{}\",\"sessionToken\":\"{}\",\"expiration\":\"{}Z\"}},\
             \"assumedRoleUser\":{{\"assumedRoleId\":\"AROA{}:pipeline-{}\",\"arn\":\"{}\"}}}}",
            AccessKeyId::of_session(call.draw),
            Alphanumeric::<64>(mix2(call.draw, 9)),
            Second(call.time_s + 3_600),
            Base32::<17>(mix2(estate.seed ^ 0x726f, DEPLOY_ROLE.bytes().map(u64::from).sum())),
            call.draw % 100_000,
            arn(estate, Caller::Deployer(Session { number: call.draw, since_s: call.time_s })),
        ),
        Call::UpdateStack => write!(
            out,
            "{{\"stackId\":\"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/app-{:02}/{}\"}}",
            mix2(call.draw, 4) % 12,
            Uuid(mix2(estate.seed, mix2(call.draw, 4) % 12))
        ),
        _ => out.write_str("null"),
    }
}

fn extra(out: &mut String, call: &CloudCall, is_data: bool) -> fmt::Result {
    match call.call {
        Call::ConsoleLogin => out.write_str(
            ",\"additionalEventData\":{\"LoginTo\":\"https://console.aws.amazon.com/console/home\",\
             \"MobileVersion\":\"No\",\"MFAUsed\":\"No\"}",
        ),
        Call::ListBuckets | Call::GetBucketPolicy | Call::GetObject | Call::PutObject | Call::ListObjects => {
            let size = (mix2(call.draw, 6) % 4_000_000) as f64;
            let (received, sent) = match call.call {
                Call::PutObject => (size, 0.0),
                _ if is_data => (0.0, size),
                _ => (0.0, size % 4_000.0),
            };
            write!(
                out,
                ",\"additionalEventData\":{{\"SignatureVersion\":\"SigV4\",\"CipherSuite\":\"TLS_AES_128_GCM_SHA256\",\
                 \"bytesTransferredIn\":{received:.1},\"AuthenticationMethod\":\"AuthHeader\",\"x-amz-id-2\":\"{}\",\
                 \"bytesTransferredOut\":{sent:.1}}}",
                Alphanumeric::<32>(mix2(call.draw, 7)),
            )
        }
        _ => Ok(()),
    }
}

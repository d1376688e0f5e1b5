//! Makes gzip objects of CloudTrail or of a load balancer, to measure with: `make_objects cloudtrail|alb DIR EVENTS`.
//!
//! 2,000 principals, the busy ones far busier than most, each with a few habits, from one or two addresses. A million
//! events is a day of 400 objects. The records have the fields, the lengths and the frequencies of real ones, and all of
//! their values are invented. The same options make the same bytes.

#![allow(clippy::print_stdout)]

mod calls;

use calls::{CALLS, Call};
use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const EVENTS_OF_OBJECT: usize = 2_500;
const OBJECTS_OF_DAY: usize = 400;
const PRINCIPALS: u64 = 2_000;
const ACCOUNT: &str = "112233445566";

/// Numbers by xorshift.
struct Numbers(u64);

impl Numbers {
    fn of(seed: u64) -> Self {
        let mut numbers = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        (0..4).for_each(|_| _ = numbers.next());
        numbers
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 8
    }

    fn below(&mut self, most: u64) -> u64 {
        self.next() % most
    }

    /// Returns a number below `most`; each doubling is about as likely as the one before.
    fn skewed(&mut self, most: u64) -> u64 {
        let share = self.below(1 << 30) as f64 / (1u64 << 30) as f64;
        (((most + 1) as f64).powf(share) as u64 - 1).min(most - 1)
    }
}

const AGENTS: &[&str] = &[
    "aws-sdk-go-v2/1.21.0 os/linux lang/go#1.21.3 md/GOOS#linux md/GOARCH#amd64",
    "Boto3/1.28.60 md/Botocore#1.31.60 ua/2.0 os/linux#5.10 md/arch#x86_64 lang/python#3.11.4 md/pyimpl#CPython cfg/retry-mode#legacy Botocore/1.31.60",
    "APN/1.0 HashiCorp/1.0 Terraform/1.5.0 (+https://www.terraform.io) terraform-provider-aws/5.17.0 (+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.21.0 os/linux lang/go#1.20.7 md/GOOS#linux md/GOARCH#amd64",
    "aws-cli/2.13.0 Python/3.11.4 Linux/6.1 exe/x86_64.amzn.2 prompt/off command/ec2.describe-instances",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Safari/537.36",
];

/// Appends a text with its numbers.
fn fill(text: &mut String, form: &str, numbers: &mut Numbers) -> std::fmt::Result {
    let mut rest = form;
    while let Some(at) = rest.find('@') {
        text.push_str(&rest[..at]);
        match rest.as_bytes().get(at + 1) {
            Some(b'N') => write!(text, "{}", numbers.skewed(400))?,
            _ => write!(text, "{:014x}", numbers.next())?,
        }
        rest = &rest[at + 2..];
    }
    text.push_str(rest);
    Ok(())
}

fn uuid(text: &mut String, numbers: &mut Numbers) -> std::fmt::Result {
    let (a, b) = (numbers.next(), numbers.next());
    let parts = (a & 0xffff_ffff, a >> 32 & 0xffff, a >> 44 & 0xfff, b & 0xffff, b >> 8 & 0xffff_ffff_ffff);
    write!(text, "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}", parts.0, parts.1, parts.2, parts.3, parts.4)
}

fn record(text: &mut String, hour: usize, day: usize, numbers: &mut Numbers) -> std::fmt::Result {
    let who = numbers.skewed(PRINCIPALS);
    let mut own = Numbers::of(who + 1);
    let id = own.next() % 1_000_000_000;
    let agent = AGENTS[own.below(AGENTS.len() as u64) as usize];
    let (address, other) = (own.next(), own.next());
    let habits: [u64; 8] = std::array::from_fn(|_| own.skewed(CALLS.len() as u64));
    let call = &CALLS[habits[numbers.skewed(8) as usize] as usize];
    let from = if numbers.below(50) == 0 { other } else { address };
    let date = format!("2023-11-{:02}", day % 30 + 1);
    text.push_str(r#"{"eventVersion":"1.09","userIdentity":"#);
    if who.is_multiple_of(5) {
        write!(
            text,
            r#"{{"type":"IAMUser","principalId":"AIDAEXAMPLE{id:010}","arn":"arn:aws:iam::{ACCOUNT}:user/svc-{who:04}","accountId":"{ACCOUNT}","accessKeyId":"AKIAEXAMPLE{id:09}","userName":"svc-{who:04}"}}"#
        )?;
    } else {
        let session = match who % 3 {
            0 => format!("i-0{:016x}", own.next() & 0xffff_ffff_ffff),
            1 => format!("person-{who:04}@example.com"),
            _ => format!("session-{who:04}"),
        };
        write!(
            text,
            r#"{{"type":"AssumedRole","principalId":"AROAEXAMPLE{id:010}:{session}","arn":"arn:aws:sts::{ACCOUNT}:assumed-role/role-{who:04}/{session}","accountId":"{ACCOUNT}","accessKeyId":"ASIAEXAMPLE{id:09}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"AROAEXAMPLE{id:010}","arn":"arn:aws:iam::{ACCOUNT}:role/role-{who:04}","accountId":"{ACCOUNT}","userName":"role-{who:04}"}},"webIdFederationData":{{}},"attributes":{{"creationDate":"{date}T{hour:02}:00:00Z","mfaAuthenticated":"false"}}}}}}"#
        )?;
    }
    let Call(service, action, reads, parameters, response, resources, adds) = call;
    let (minute, second) = (numbers.below(60), numbers.below(60));
    let [b, c, d] = [from >> 8 & 255, from >> 16 & 255, from >> 24 & 255];
    let first = if who.is_multiple_of(4) { "198" } else { "10" };
    write!(
        text,
        r#","eventTime":"{date}T{hour:02}:{minute:02}:{second:02}Z","eventSource":"{service}.amazonaws.com","eventName":"{action}","awsRegion":"eu-central-1","sourceIPAddress":"{first}.{b}.{c}.{d}","userAgent":"{agent}","#
    )?;
    let is_refused = numbers.below(10) == 0;
    if is_refused {
        write!(
            text,
            r#""errorCode":"AccessDenied","errorMessage":"User: svc-{who:04} is not authorized to perform: {service}:{action} because no identity-based policy allows the action","#
        )?;
    }
    text.push_str(r#""requestParameters":"#);
    fill(text, parameters, numbers)?;
    text.push_str(r#","responseElements":"#);
    fill(text, if is_refused { "null" } else { response }, numbers)?;
    if !adds.is_empty() {
        text.push_str(r#","additionalEventData":"#);
        fill(text, adds, numbers)?;
    }
    text.push_str(r#","requestID":""#);
    uuid(text, numbers)?;
    text.push_str(r#"","eventID":""#);
    uuid(text, numbers)?;
    write!(text, r#"","readOnly":{reads},"#)?;
    if !resources.is_empty() {
        text.push_str(r#""resources":"#);
        fill(text, resources, numbers)?;
        text.push(',');
    }
    write!(text, r#""eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"{ACCOUNT}","#)?;
    if numbers.below(20) == 0 {
        text.push_str(r#""vpcEndpointId":"vpce-0a1b2c3d4e5f60718","#);
    }
    text.push_str(r#""eventCategory":"Management""#);
    if who % 5 != 4 {
        write!(
            text,
            r#","tlsDetails":{{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"{service}.eu-central-1.amazonaws.com"}}"#
        )?;
    }
    text.push('}');
    Ok(())
}

const PATHS: &[&str] = &[
    "/browse/OPS-@N",
    "/rest/api/2/issue/@N?expand=changelog",
    "/s/@H/_/download/batch/x.js",
    "/scm/core/repo-@N.git/info/refs?service=git-upload-pack",
    "/projects/CORE/repos/repo-@N/browse",
    "/rest/api/content/@N/child/page?limit=25",
];

const BROWSERS: &[&str] = &[
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Safari/537.36",
    "git/2.42.0",
    "curl/8.4.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Safari/605.1.15",
    "python-requests/2.31.0",
    r#"JIRA-Mobile/1.0 \"beta\" build"#,
];

fn line(text: &mut String, hour: usize, day: usize, numbers: &mut Numbers) -> std::fmt::Result {
    let who = numbers.skewed(PRINCIPALS);
    let mut own = Numbers::of(who + 1);
    let agent = BROWSERS[own.below(BROWSERS.len() as u64) as usize];
    let (b, c) = (own.below(113), own.below(256));
    let time = format!(
        "2023-11-{:02}T{hour:02}:{:02}:{:02}.{:06}Z",
        day % 30 + 1,
        numbers.below(60),
        numbers.below(60),
        numbers.below(1_000_000)
    );
    let trace = format!("{:014x}{:014x}", numbers.next(), numbers.next());
    let (port, node, host) = (numbers.below(64_000) + 1_024, numbers.below(2), numbers.below(3) + 4);
    let (ms, received, sent) = (numbers.below(999), numbers.below(1_900) + 100, numbers.below(200_000) + 200);
    let status = if numbers.below(12) == 0 { 403 } else { 200 };
    write!(
        text,
        r#"https {time} app/atlassian/50dc6c495c0c9188 203.0.{b}.{c}:{port} 10.0.{node}.{host}:8080 0.000 0.{ms:03} 0.000 {status} {status} {received} {sent} "GET https://jira.example.com:443"#
    )?;
    fill(text, PATHS[numbers.below(PATHS.len() as u64) as usize], numbers)?;
    writeln!(
        text,
        r#" HTTP/2.0" "{agent}" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:elasticloadbalancing:us-east-1:{ACCOUNT}:targetgroup/jira/73e2d6bc24d8a067 "Root=1-{}-{trace}" "jira.example.com" "arn:aws:acm:us-east-1:{ACCOUNT}:certificate/12345678-1234-1234-1234-123456789012" {} {time} "forward" "-" "-" "10.0.1.5:8080" "{status}" "-" "-" TID_{trace} "-" "-" "-""#,
        &trace[..8],
        numbers.below(9)
    )
}

/// Writes one object, and returns its bytes before and after compression.
fn write_object(folder: &Path, is_balancer: bool, number: usize, events: usize) -> Outcome<(usize, usize)> {
    let (day, of_day) = (number / OBJECTS_OF_DAY, number % OBJECTS_OF_DAY);
    let hour = of_day * 24 / OBJECTS_OF_DAY;
    let mut numbers = Numbers::of(number as u64 + 77_777);
    let mut text = String::new();
    if is_balancer {
        (0..events).try_for_each(|_| line(&mut text, hour, day, &mut numbers))?;
    } else {
        text.push_str(r#"{"Records":["#);
        for event in 0..events {
            if event > 0 {
                text.push(',');
            }
            record(&mut text, hour, day, &mut numbers)?;
        }
        text.push_str("]}");
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(text.as_bytes())?;
    let object = encoder.finish()?;
    let (log, region, name) = if is_balancer {
        ("elasticloadbalancing", "us-east-1", "app.atlassian.50dc6c495c0c9188_")
    } else {
        ("CloudTrail", "eu-central-1", "")
    };
    let minute = of_day % 12 * 5;
    let end = if is_balancer { ".log.gz" } else { ".json.gz" };
    let folder = folder.join(format!("AWSLogs/{ACCOUNT}/{log}/{region}/2023/11/{:02}", day % 30 + 1));
    std::fs::create_dir_all(&folder)?;
    let name =
        format!("{ACCOUNT}_{log}_{region}_{name}202311{:02}T{hour:02}{minute:02}Z_{number:016}{end}", day % 30 + 1);
    std::fs::write(folder.join(name), &object)?;
    Ok((text.len(), object.len()))
}

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [log, folder, events] = words.as_slice() else { return Err("make_objects cloudtrail|alb DIR EVENTS".into()) };
    let (is_balancer, events): (bool, usize) = (log == "alb", events.parse()?);
    let objects = events.div_ceil(EVENTS_OF_OBJECT);
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || -> Outcome<(usize, usize)> {
        let mut bytes = (0, 0);
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= objects {
                return Ok(bytes);
            }
            let of_object = EVENTS_OF_OBJECT.min(events - number * EVENTS_OF_OBJECT);
            let (text, object) = write_object(Path::new(folder), is_balancer, number, of_object)?;
            bytes = (bytes.0 + text, bytes.1 + object);
        }
    };
    let bytes = std::thread::scope(|scope| -> Outcome<(usize, usize)> {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut all = (0, 0);
        for thread in threads {
            let (text, object) = thread.join().map_err(|_| "a thread ended early")??;
            all = (all.0 + text, all.1 + object);
        }
        Ok(all)
    })?;
    println!(
        "{events} events in {objects} objects: {} B of text and {} B of gzip an event",
        bytes.0 / events.max(1),
        bytes.1 / events.max(1)
    );
    Ok(())
}

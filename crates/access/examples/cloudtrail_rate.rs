//! Measures how fast CloudTrail objects become `access_hours`: the scanner, and serde_json as its slow twin.
//!
//! `cargo run --release -p flowsift-access --example cloudtrail_rate [OBJECTS] [EVENTS]` makes that many gzip objects of
//! so many events in memory (20 of 5,000 by default) and reads them on one thread, in three rounds. Rates are of CPU time. The word `scanner` leaves the twin out, for a profile.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Instant;

use flowsift_access::{AccessError, AccessHours, Inflater, LogKind, ReadOptions, read_object};

/// A small generator of numbers: the same objects in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Returns a number below `most`; small ones are more frequent, as busy principals are.
    fn skewed(&mut self, most: u64) -> u64 {
        let below = self.next() % most + 1;
        self.next() % below
    }
}

const CALLS: &[(&str, &str, &str)] = &[
    (
        "s3",
        "GetObject",
        r#"{"bucketName":"data-lake-prod","Host":"data-lake-prod.s3.eu-central-1.amazonaws.com","key":"year=2023/month=11/part-00000.parquet"}"#,
    ),
    (
        "sts",
        "AssumeRole",
        r#"{"roleArn":"arn:aws:iam::112233445566:role/app","roleSessionName":"session","durationSeconds":3600}"#,
    ),
    ("ec2", "DescribeInstances", r#"{"instancesSet":{"items":[{"instanceId":"i-0a1b2c3d4e5f60718"}]},"filterSet":{}}"#),
    (
        "kms",
        "Decrypt",
        r#"{"encryptionContext":{"aws:ebs:id":"vol-0123456789abcdef0"},"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}"#,
    ),
    (
        "ssm",
        "UpdateInstanceInformation",
        r#"{"instanceId":"i-0a1b2c3d4e5f60718","agentVersion":"3.2.1705.0","agentStatus":"Active","platformType":"Linux"}"#,
    ),
    (
        "logs",
        "CreateLogStream",
        r#"{"logGroupName":"/aws/lambda/ingest","logStreamName":"2023/11/22/[$LATEST]0123456789abcdef"}"#,
    ),
    ("secretsmanager", "GetSecretValue", r#"{"secretId":"prod/db"}"#),
    ("iam", "ListRoles", "null"),
];

fn record(numbers: &mut Numbers, text: &mut String) -> std::fmt::Result {
    let who = numbers.skewed(2_000);
    let (service, action, parameters) = CALLS[numbers.skewed(CALLS.len() as u64) as usize];
    let (minute, second) = (numbers.next() % 60, numbers.next() % 60);
    let address = format!("198.51.{}.{}", who % 100, who % 250);
    let id = (numbers.next(), numbers.next());
    let error = if numbers.next().is_multiple_of(12) {
        r#""errorCode":"AccessDenied","errorMessage":"not authorized to perform","#
    } else {
        ""
    };
    write!(
        text,
        r#"{{"eventVersion":"1.09","userIdentity":{{"type":"AssumedRole","principalId":"AROAEXAMPLE{who:06}:session-{who}","arn":"arn:aws:sts::112233445566:assumed-role/role-{who:04}/session-{who}","accountId":"112233445566","accessKeyId":"ASIAEXAMPLE{who:09}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"AROAEXAMPLE{who:06}","arn":"arn:aws:iam::112233445566:role/role-{who:04}","accountId":"112233445566","userName":"role-{who:04}"}},"webIdFederationData":{{}},"attributes":{{"creationDate":"2023-11-22T13:00:00Z","mfaAuthenticated":"false"}}}}}},"eventTime":"2023-11-22T14:{minute:02}:{second:02}Z","eventSource":"{service}.amazonaws.com","eventName":"{action}","awsRegion":"eu-central-1","sourceIPAddress":"{address}","userAgent":"aws-sdk-go-v2/1.21.0 os/linux lang/go#1.21.3 md/GOOS#linux md/GOARCH#amd64 api/{service}#1.38.5",{error}"requestParameters":{parameters},"responseElements":null,"additionalEventData":{{"SignatureVersion":"SigV4","CipherSuite":"ECDHE-RSA-AES128-GCM-SHA256","bytesTransferredIn":0,"bytesTransferredOut":{}.0}},"requestID":"{:016x}","eventID":"{:016x}{:016x}","readOnly":true,"resources":[{{"accountId":"112233445566","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::data-lake-prod"}}],"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"112233445566","eventCategory":"Management","tlsDetails":{{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"{service}.eu-central-1.amazonaws.com"}}}}"#,
        numbers.next() % 100_000,
        numbers.next(),
        id.0,
        id.1,
    )
}

fn object(numbers: &mut Numbers, events: usize) -> Result<(Vec<u8>, usize), Box<dyn Error>> {
    let mut text = String::from(r#"{"Records":["#);
    for event in 0..events {
        if event > 0 {
            text.push(',');
        }
        record(numbers, &mut text)?;
    }
    text.push_str("]}");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes())?;
    Ok((encoder.finish()?, text.len()))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut numbers = std::env::args().skip(1).filter_map(|number| number.parse::<usize>().ok());
    let is_alone = std::env::args().any(|word| word == "scanner");
    let (objects, events) = (numbers.next().unwrap_or(20), numbers.next().unwrap_or(5_000));
    let mut numbers = Numbers(7);
    let made = (0..objects).map(|_| object(&mut numbers, events)).collect::<Result<Vec<_>, _>>()?;
    let (gzip, raw) = made.iter().fold((0, 0), |(gzip, raw), (object, text)| (gzip + object.len(), raw + text));
    let total = (objects * events) as f64;
    println!(
        "{objects} objects of {events} events: {:.0} B raw, {:.0} B gzip an event",
        raw as f64 / total,
        gzip as f64 / total
    );

    let mut inflater = Inflater::default();
    for _ in 0..3 {
        let mut inflated = Ok(());
        let inflate =
            timed(|| inflated = made.iter().try_for_each(|(object, _)| inflater.text("o", object).map(|_| ())));
        inflated?;
        let mut seconds = [0.0; 4];
        for (place, (is_slow, folds)) in
            [(false, false), (false, true), (true, false), (true, true)].into_iter().enumerate()
        {
            if is_slow && is_alone {
                continue;
            }
            let options = ReadOptions { kind: Some(LogKind::CloudTrail), is_slow, ..ReadOptions::default() };
            let mut hours = AccessHours::default();
            let mut read_all = || -> Result<u64, AccessError> {
                made.iter().try_fold(0, |acts, (object, _)| {
                    let read = if folds {
                        hours.object(|sink| read_object(&mut inflater, "o", object, &options, sink))
                    } else {
                        read_object(&mut inflater, "o", object, &options, &mut |_| {})
                    };
                    Ok(acts + read?.counts.acts)
                })
            };
            let mut acts = Ok(0);
            seconds[place] = timed(|| acts = read_all());
            let acts = acts?;
            if acts as f64 != total {
                return Err(format!("{acts} acts were read, expected {total}").into());
            }
        }
        let rate = |place: usize| total / seconds[place] / 1_000.0;
        print!(
            "a CPU second: inflate {:.0} k | scanner: acts {:.0} k, hours {:.0} k",
            total / inflate / 1_000.0,
            rate(0),
            rate(1)
        );
        if !is_alone {
            let ratios = (seconds[2] / seconds[0], seconds[3] / seconds[1]);
            print!(" | serde_json: acts {:.0} k, hours {:.0} k", rate(2), rate(3));
            print!(" | ratio of acts {:.2}, of hours {:.2}", ratios.0, ratios.1);
        }
        println!();
    }
    Ok(())
}

/// Returns the CPU seconds of this thread, so that other work on the machine does not count; the clock's, where the
/// system does not tell.
fn timed(work: impl FnOnce()) -> f64 {
    let cpu_s = || {
        let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        Some(told.split(' ').next()?.parse::<f64>().ok()? / 1e9)
    };
    let (begin, clock) = (cpu_s(), Instant::now());
    work();
    match (begin, cpu_s()) {
        (Some(begin), Some(end)) => end - begin,
        _ => clock.elapsed().as_secs_f64(),
    }
}

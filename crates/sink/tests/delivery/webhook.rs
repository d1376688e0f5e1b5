//! Delivery to receivers that behave as real ones do: they fail, stall, redirect, ask for patience and hang up.

use crate::receiver::{Receiver, Reply, incident, pace, run, webhook};
use flow::Severity;
use flowsift_sink::{ClientOptions, MemoryStorage, Outbox, Pace, Reach, Sink};
use std::time::{Duration, Instant};

const LOOPBACK: ClientOptions =
    ClientOptions { reach: Reach { private: false, loopback: true }, timeout: Duration::from_millis(400) };

#[tokio::test]
async fn a_notice_arrives_once_with_its_signature_and_its_key() {
    let receiver = Receiver::start(vec![]).await;
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "key").unwrap();
    let sink = webhook(&receiver, &format!("&secret=file:{}", secret.path().display()));
    let storage = MemoryStorage::default();
    let outbox = Outbox::new(&storage, &sink);
    outbox.begin(&[]).await.unwrap();
    let now = run(&[incident('a', 1, Severity::High), incident('b', 1, Severity::Low)]);
    assert_eq!(outbox.add(&now).await.unwrap().notices, 1);
    // A run again has nothing new to say.
    assert_eq!(outbox.add(&now).await.unwrap().notices, 0);
    let delivery = outbox.deliver(None, LOOPBACK, pace()).await;
    assert_eq!((delivery.sent, delivery.waiting, delivery.trouble), (1, 0, None));
    let [request] = &receiver.requests()[..] else { panic!("not one request") };
    assert_eq!(request.header("idempotency-key"), format!("{}-1", "a".repeat(32)));
    let signature = request.header("x-flowsift-signature");
    let (time, hash) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"key");
    let hash: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&hash[2 * at..2 * at + 2], 16).unwrap()).collect();
    ring::hmac::verify(&key, format!("{time}.{}", request.body).as_bytes(), &hash).unwrap();
    assert_eq!(outbox.deliver(None, LOOPBACK, pace()).await.sent, 0);
}

#[tokio::test]
async fn what_fails_is_tried_again_and_then_waits_in_order() {
    for failing in [Reply::Status(500), Reply::Status(503), Reply::Cut, Reply::Status(408)] {
        let receiver = Receiver::start(vec![failing, failing]).await;
        let sink = webhook(&receiver, "");
        let storage = MemoryStorage::default();
        let outbox = Outbox::new(&storage, &sink);
        let now = run(&[incident('a', 1, Severity::Critical), incident('b', 1, Severity::High)]);
        outbox.add(&now).await.unwrap();
        let two = Pace { tries: 2, ..pace() };
        let failed = outbox.deliver(None, LOOPBACK, two).await;
        assert_eq!((failed.sent, failed.waiting), (0, 2), "{failing:?}: {failed:?}");
        assert!(failed.trouble.unwrap().contains("tried 2 times"));
        let arrived = outbox.deliver(None, LOOPBACK, two).await;
        assert_eq!((arrived.sent, arrived.waiting, arrived.trouble), (2, 0, None), "{failing:?}");
        let keys: Vec<char> =
            receiver.requests().iter().map(|one| one.header("idempotency-key").chars().next().unwrap()).collect();
        assert_eq!(keys, ['a', 'a', 'a', 'b'], "{failing:?}");
    }
}

#[tokio::test]
async fn a_status_counts_even_if_the_rest_of_the_answer_is_cut_off() {
    let receiver = Receiver::start(vec![Reply::CutBody]).await;
    let sink = webhook(&receiver, "");
    let storage = MemoryStorage::default();
    let outbox = Outbox::new(&storage, &sink);
    outbox.add(&run(&[incident('a', 1, Severity::High)])).await.unwrap();
    let delivery = outbox.deliver(None, LOOPBACK, pace()).await;
    assert_eq!((delivery.sent, delivery.trouble, receiver.requests().len()), (1, None, 1));
}

#[tokio::test]
async fn a_receiver_that_stalls_does_not_hold_the_run() {
    let receiver = Receiver::start(vec![Reply::Stall; 9]).await;
    let sink = webhook(&receiver, "");
    let storage = MemoryStorage::default();
    let outbox = Outbox::new(&storage, &sink);
    outbox.add(&run(&[incident('a', 1, Severity::High)])).await.unwrap();
    let begun = Instant::now();
    let delivery = outbox.deliver(None, LOOPBACK, Pace { tries: 2, ..pace() }).await;
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!((delivery.sent, delivery.waiting), (0, 1));
    assert!(delivery.trouble.as_ref().unwrap().contains("no answer within 0.4 s"), "{delivery:?}");
}

#[tokio::test]
async fn retry_after_is_honoured_up_to_the_budget() {
    let receiver = Receiver::start(vec![Reply::RetryAfter(1), Reply::RetryAfter(3_600)]).await;
    let sink = webhook(&receiver, "");
    let storage = MemoryStorage::default();
    let outbox = Outbox::new(&storage, &sink);
    outbox.add(&run(&[incident('a', 1, Severity::High)])).await.unwrap();
    let begun = Instant::now();
    let delivery = outbox.deliver(None, LOOPBACK, pace()).await;
    let took = begun.elapsed();
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(3), "{took:?}");
    let trouble = delivery.trouble.unwrap();
    assert!(trouble.contains("429") && trouble.contains("asks to wait 3600 s"), "{trouble}");
    assert_eq!(outbox.deliver(None, LOOPBACK, pace()).await.sent, 1);
}

#[tokio::test]
async fn no_wait_is_too_long_to_count() {
    let receiver = Receiver::start(vec![Reply::RetryAfter(u64::MAX)]).await;
    let sink = webhook(&receiver, "");
    let storage = MemoryStorage::default();
    let outbox = Outbox::new(&storage, &sink);
    outbox.add(&run(&[incident('a', 1, Severity::High)])).await.unwrap();
    let delivery = outbox.deliver(None, LOOPBACK, pace()).await;
    assert_eq!((delivery.sent, delivery.waiting), (0, 1));
    assert!(delivery.trouble.unwrap().contains("asks to wait"));
}

#[tokio::test]
async fn a_notice_without_a_form_does_not_hold_up_the_others() {
    let receiver = Receiver::start(vec![]).await;
    let storage = MemoryStorage::default();
    // A name that was a chat's becomes that of a pager, which knows no digests.
    let chat = webhook(&receiver, "&name=soc&digest=on");
    let outbox = Outbox::new(&storage, &chat);
    outbox.begin(&[]).await.unwrap();
    for day in 0..2 {
        let mut now = run(&[]);
        now.window_to_s = now.window_to_s.map(|to_s| to_s + day * 86_400);
        outbox.add(&now).await.unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, "routing-key").unwrap();
    let url = format!("http://127.0.0.1:{}/in?body=pagerduty&name=soc&secret=file:{}", receiver.port, key.display());
    let pager = Sink::parse(&url).unwrap();
    let outbox = Outbox::new(&storage, &pager);
    outbox.add(&run(&[incident('a', 1, Severity::High)])).await.unwrap();
    let delivery = outbox.deliver(None, LOOPBACK, pace()).await;
    assert_eq!((delivery.sent, delivery.waiting, delivery.refused), (1, 0, 1), "{delivery:?}");
    assert!(delivery.trouble.unwrap().contains("it has no form for this"));
}

#[tokio::test]
async fn what_is_beneath_the_least_severity_is_no_news() {
    let receiver = Receiver::start(vec![]).await;
    let storage = MemoryStorage::default();
    let noisy = webhook(&receiver, "&name=soc&least=low");
    Outbox::new(&storage, &noisy).add(&run(&[incident('a', 1, Severity::Low)])).await.unwrap();
    let strict = webhook(&receiver, "&name=soc&least=critical");
    let outbox = Outbox::new(&storage, &strict);
    assert_eq!(outbox.add(&run(&[incident('a', 2, Severity::Medium)])).await.unwrap().notices, 0);
    assert_eq!(outbox.add(&run(&[incident('a', 3, Severity::Critical)])).await.unwrap().notices, 1);
}

#[tokio::test]
async fn redirects_are_not_followed_and_refusals_do_not_block() {
    let receiver = Receiver::start(vec![Reply::Redirect, Reply::Status(401), Reply::Status(400)]).await;
    let sink = webhook(&receiver, "");
    let storage = MemoryStorage::default();
    let outbox = Outbox::new(&storage, &sink);
    outbox.add(&run(&[incident('a', 1, Severity::Critical), incident('b', 1, Severity::High)])).await.unwrap();
    let redirected = outbox.deliver(None, LOOPBACK, pace()).await;
    assert!(redirected.trouble.unwrap().contains("redirect, which is not followed"));
    let shut = outbox.deliver(None, LOOPBACK, pace()).await;
    assert_eq!((shut.sent, shut.waiting), (0, 2));
    // What is refused is put aside and told; the others arrive.
    let refused = outbox.deliver(None, LOOPBACK, pace()).await;
    assert_eq!((refused.sent, refused.waiting, refused.refused), (1, 0, 1));
    assert!(refused.trouble.unwrap().contains("answers 400"));
    assert_eq!(outbox.refused().await.unwrap(), 1);
    assert_eq!(receiver.requests().len(), 4, "each was asked once");
}

#[tokio::test]
async fn only_allowed_places_are_reached() {
    let receiver = Receiver::start(vec![]).await;
    let send = async |text: String, reach: Reach| {
        let sink = Sink::parse(&format!("{text}?heartbeat=off")).unwrap();
        let storage = MemoryStorage::default();
        let outbox = Outbox::new(&storage, &sink);
        outbox.add(&run(&[incident('a', 1, Severity::High)])).await.unwrap();
        let delivery = outbox.deliver(None, ClientOptions { reach, ..LOOPBACK }, pace()).await;
        assert_eq!((delivery.sent, delivery.waiting), (0, 1), "{text}");
        delivery.trouble.unwrap()
    };
    let (none, all) = (Reach::default(), Reach { private: true, loopback: true });
    let port = receiver.port;
    assert!(send(format!("http://127.0.0.1:{port}/x"), none).await.contains("only https"));
    for here in ["127.0.0.1", "localhost", "[::1]", "0x7f.1", "[::ffff:127.0.0.1]", "2130706433"] {
        let said = send(format!("https://{here}:{port}/x"), none).await;
        assert!(said.contains("is this machine"), "{here}: {said}");
    }
    for metadata in ["169.254.169.254", "[fd00:ec2::254]", "[::ffff:a9fe:a9fe]", "0xa9fea9fe"] {
        let said = send(format!("https://{metadata}/latest"), all).await;
        assert!(said.contains("metadata service"), "{metadata}: {said}");
    }
    // A name whose addresses were checked is reached at those.
    let sink = Sink::parse(&format!("http://localhost:{port}/x?heartbeat=off")).unwrap();
    let storage = MemoryStorage::default();
    let outbox = Outbox::new(&storage, &sink);
    outbox.add(&run(&[incident('a', 1, Severity::High)])).await.unwrap();
    assert_eq!(outbox.deliver(None, LOOPBACK, pace()).await.sent, 1);
    assert!(send("https://10.0.0.1/x".to_owned(), none).await.contains("is private"));
    assert!(send("http://10.0.0.1/x".to_owned(), all).await.contains("only https"));
    assert_eq!(receiver.requests().len(), 1);
}

#[tokio::test]
async fn a_run_killed_between_sending_and_noting_sends_again_under_the_same_key() {
    let receiver = Receiver::start(vec![]).await;
    let sink = webhook(&receiver, "");
    let storage = MemoryStorage::default();
    let outbox = Outbox::new(&storage, &sink);
    outbox.add(&run(&[incident('a', 1, Severity::High)])).await.unwrap();
    let (waiting, _) = outbox.waiting().await.unwrap();
    assert_eq!(outbox.deliver(None, LOOPBACK, pace()).await.sent, 1);
    // As if the process had died before it removed the notice.
    assert_eq!(flowsift_sink::left_waiting(&storage, &[]).await.unwrap(), 0);
    let bytes = serde_json::to_vec(&waiting[0].notice).unwrap();
    flowsift_sink::Storage::put(&storage, &waiting[0].name, bytes).await.unwrap();
    assert_eq!(flowsift_sink::left_waiting(&storage, &[]).await.unwrap(), 1);
    assert_eq!(flowsift_sink::left_waiting(&storage, std::slice::from_ref(&sink)).await.unwrap(), 0);
    assert_eq!(outbox.deliver(None, LOOPBACK, pace()).await.sent, 1);
    let keys: Vec<String> = receiver.requests().iter().map(|one| one.header("idempotency-key").to_owned()).collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
}

#[tokio::test]
async fn only_news_are_told_and_a_killed_run_leaves_its_news_to_the_next() {
    let receiver = Receiver::start(vec![]).await;
    let sink = webhook(&receiver, "&heartbeat=off");
    let storage = MemoryStorage::default();
    let outbox = Outbox::new(&storage, &sink);
    // What earlier runs know is not told to a new sink.
    outbox.begin(&[incident('a', 1, Severity::High)]).await.unwrap();
    // The next run opened `b` and was killed before it added anything; the one after sees no change in it.
    outbox.begin(&[incident('a', 1, Severity::High), incident('b', 1, Severity::High)]).await.unwrap();
    let mut quiet = incident('b', 1, Severity::High);
    quiet.change = "unchanged".to_owned();
    let added = outbox.add(&run(&[incident('a', 1, Severity::High), quiet.clone()])).await.unwrap();
    assert_eq!(added.notices, 1);
    let mut worse = incident('a', 2, Severity::Critical);
    worse.change = "escalated".to_owned();
    let mut wider = incident('b', 2, Severity::High);
    wider.change = "extended".to_owned();
    assert_eq!(outbox.add(&run(&[worse.clone(), wider])).await.unwrap().notices, 1);
    let mut closed = incident('b', 3, Severity::High);
    closed.status = "closed".to_owned();
    assert_eq!(outbox.add(&run(&[worse.clone(), closed])).await.unwrap().notices, 0);
    assert_eq!(outbox.add(&run(&[worse, incident('b', 4, Severity::High)])).await.unwrap().notices, 1);
    let (waiting, _) = outbox.waiting().await.unwrap();
    let told: Vec<(char, &str)> = waiting
        .iter()
        .map(|one| one.notice.of_incident().unwrap())
        .map(|about| (about.incident.id.chars().next().unwrap(), about.change.name()))
        .collect();
    assert_eq!(told, [('b', "opened"), ('a', "escalated"), ('b', "reopened")]);
}

#[tokio::test]
async fn a_digest_comes_once_a_day_and_of_signs_of_life_only_the_last_waits() {
    let receiver = Receiver::start(vec![]).await;
    let sink = webhook(&receiver, "&digest=on&heartbeat=on");
    let storage = MemoryStorage::default();
    let outbox = Outbox::new(&storage, &sink);
    outbox.begin(&[]).await.unwrap();
    let hour = |hour: i64| {
        let mut run = run(&[]);
        run.window_to_s = Some(1_713_571_200 + hour * 3_600);
        run
    };
    for at in [1, 2, 24, 25, 26, 3] {
        outbox.add(&hour(at)).await.unwrap();
    }
    let keys: Vec<String> = outbox.waiting().await.unwrap().0.iter().map(|one| one.notice.key()).collect();
    let [digest, sign] = &keys[..] else { panic!("{keys:?}") };
    assert_eq!(digest, "digest-2024-04-21");
    assert!(sign.starts_with("run-1713582000-"), "{sign}");
}

#[tokio::test]
async fn a_window_that_is_repeated_after_a_kill_keeps_its_sign_of_life() {
    let receiver = Receiver::start(vec![]).await;
    let sink = webhook(&receiver, "&heartbeat=on");
    let storage = MemoryStorage::default();
    let outbox = Outbox::new(&storage, &sink);
    outbox.begin(&[]).await.unwrap();
    outbox.add(&run(&[])).await.unwrap();
    let name = outbox.waiting().await.unwrap().0.remove(0).name;
    // As if the process had died before it counted what it kept.
    let told = name.split("waiting").next().unwrap().to_owned() + "told.json";
    flowsift_sink::Storage::delete(&storage, &told).await.unwrap();
    outbox.begin(&[]).await.unwrap();
    outbox.add(&run(&[])).await.unwrap();
    assert_eq!(outbox.waiting().await.unwrap().0.len(), 1);
}

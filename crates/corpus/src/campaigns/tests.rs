use std::collections::BTreeMap;

use super::*;
use crate::campaigns::forms::CampaignForm;
use crate::campaigns::spec::parse_campaigns;
use crate::campaigns::truth::Part;
use crate::world::endpoints::Endpoint;

fn options(hosts: u32, hours: u32, campaigns: Vec<CampaignSpec>) -> GenerateOptions {
    GenerateOptions { hosts, hours, campaigns, ..Default::default() }
}

fn every_form(copies: u32) -> Vec<CampaignSpec> {
    CampaignForm::ALL.map(|form| CampaignSpec::of_form(form, copies)).to_vec()
}

fn placed(options: &GenerateOptions) -> (World, Vec<Campaign>) {
    let world = World::new(options);
    let campaigns = place(&world, options, &HashSet::new()).unwrap();
    (world, campaigns)
}

fn connections(world: &World, campaign: &Campaign, hours: u32) -> Vec<Connection> {
    let mut all = Vec::new();
    campaign.clone().advance(world, hours * 3_600, &mut all);
    all
}

#[test]
fn every_form_does_what_its_truth_says_within_the_corpus() {
    let options = options(1_000, 240, every_form(2));
    let (world, campaigns) = placed(&options);
    assert_eq!(campaigns.len(), 16);
    for campaign in &campaigns {
        let all = connections(&world, campaign, 240);
        let last_s = 240 * 3_600;
        assert!(all.iter().all(|c| c.begin >= 0 && c.begin < last_s), "{}", campaign.truth[0].campaign);
        for stage in &campaign.truth {
            let at_s = (stage.time_s - options.start_s) as i32;
            let is_it = |c: &&Connection| {
                let between = world.address(c.client) == stage.src
                    && stage.dst.is_none_or(|dst| world.address(c.server) == dst)
                    && stage.port.is_none_or(|port| c.server_port == port);
                between && (at_s..at_s + 200).contains(&c.begin)
            };
            assert!(all.iter().any(|c| is_it(&c)), "{stage:?}");
        }
        // Beacons and uploads are attacks, and everything that happens has a label.
        assert!(campaign.labels.iter().any(crate::Label::is_attack));
        assert!(campaign.labels.iter().all(|label| label.is_attack() || label.is_stage()));
        let rows = campaign.rows(&world, 60, 240 * 3_600);
        assert!(rows > all.len() as f64 * 1.9, "{rows} {}", all.len());
    }
    let parts = |form: &str| {
        let of = campaigns.iter().filter(|campaign| campaign.truth[0].campaign == format!("{form}-1"));
        let mut parts = BTreeMap::<Part, usize>::new();
        of.flat_map(|campaign| &campaign.truth).filter_map(|stage| stage.part).for_each(|part| {
            *parts.entry(part).or_default() += 1;
        });
        parts.into_iter().collect::<Vec<_>>()
    };
    use Part::{Compromised, Controller, Drop, Pivot, Target};
    assert_eq!(parts("classic"), [(Compromised, 1), (Target, 1), (Controller, 2), (Drop, 1)]);
    assert_eq!(parts("pivot"), [(Compromised, 1), (Pivot, 1), (Controller, 1), (Drop, 1)]);
    assert_eq!(parts("shared_controller"), [(Controller, 3)]);
    assert_eq!(parts("habitual"), [(Target, 1), (Controller, 2)]);
    assert_eq!(parts("guessing"), [(Compromised, 2), (Controller, 2)]);
}

#[test]
fn no_host_is_in_two_campaigns_but_the_jump_host() {
    let (world, campaigns) = placed(&options(1_000, 240, every_form(4)));
    let mut seen = BTreeMap::new();
    for campaign in &campaigns {
        let name = &campaign.truth[0].campaign;
        for stage in &campaign.truth {
            let hosts = [Some(stage.src), stage.dst.filter(|_| stage.part.is_some_and(Part::is_inside))];
            for host in hosts.into_iter().flatten() {
                let jump = world.address(Endpoint::interface(world.hub(0, crate::world::hubs::Hub::Jump).unwrap()));
                let first = seen.entry(host).or_insert_with(|| name.clone());
                assert!(first == name || host == jump, "{host} is in {first} and {name}");
            }
        }
    }
}

#[test]
fn the_order_in_the_file_and_the_steps_in_time_change_nothing() {
    let given = every_form(1);
    let reversed: Vec<CampaignSpec> = given.iter().cloned().rev().collect();
    let (world, one) = placed(&options(600, 240, given));
    let (_, other) = placed(&options(600, 240, reversed));
    for (campaign, same) in one.iter().zip(&other) {
        assert_eq!(campaign.truth, same.truth);
        let (mut whole, mut stepped) = (connections(&world, same, 240), Vec::new());
        let mut hourly = campaign.clone();
        (1..=240).for_each(|hour| hourly.advance(&world, hour * 3_600, &mut stepped));
        for all in [&mut whole, &mut stepped] {
            all.sort_by_key(|c| (c.begin, c.client, c.server, c.client_port, c.noise));
        }
        assert_eq!(format!("{whole:?}"), format!("{stepped:?}"));
    }
}

#[test]
fn stages_of_ones_own_are_planned_as_written() {
    let text = "[[campaign]]\nname = 'own'\nbegin = '10h'\nspread = 0\nmachines = { gate = 'web', cdn = 'service' }\n\
        [[campaign.stage]]\nkind = 'exposure'\nfrom = 'intruder'\nto = 'gate'\n\
        [[campaign.stage]]\nkind = 'beacon'\nfrom = 'gate'\nto = 'cdn'\nafter = '1h'\nperiod = '5m'\njitter = 0\nlength = '2h'\n\
        [[campaign.stage]]\nkind = 'sweep'\nfrom = 'gate'\nto = 'shop'\nafter = '30m'\nport = 8080\ncount = 10\n\
        [[campaign.stage]]\nkind = 'session'\nname = 'entry'\nfrom = 'gate'\nhops = ['middle']\nto = 'shop'\nafter = '10m'\n\
        [[campaign.stage]]\nkind = 'scan'\nfrom = 'shop'\nto = 'store'\nafter = '20m'\ncount = 50\n";
    let campaigns = parse_campaigns(text, "c.toml").unwrap();
    let options = options(300, 24, campaigns);
    let (world, placed) = placed(&options);
    let hour = |stage: &StageTruth| (stage.time_s - options.start_s) as f64 / 3_600.0;
    let told: Vec<(String, Option<Part>)> = placed[0].truth.iter().map(|s| (s.stage.clone(), s.part)).collect();
    let expected = [
        ("exposure", Some(Part::Compromised)),
        ("beacon", Some(Part::Controller)),
        ("sweep", Some(Part::Compromised)),
        ("entry", Some(Part::Pivot)),
        ("entry", Some(Part::Compromised)),
        ("scan", Some(Part::Target)),
    ];
    assert_eq!(told, expected.map(|(name, part)| (name.to_owned(), part)));
    assert_eq!(placed[0].truth.iter().map(hour).take(3).collect::<Vec<_>>(), [10.0, 11.0, 11.5]);
    assert_eq!(placed[0].truth[0].tactic, "initial-access");
    let all = connections(&world, &placed[0], 24);
    let calls = all.iter().filter(|c| c.server_port == 443 && c.begin >= 39_600).count();
    assert_eq!(calls, 24);
    let swept: Vec<bool> =
        all.iter().filter(|c| c.server_port == 8080).map(|c| c.rejected > 0 || c.bytes_in == 0).collect();
    assert_eq!((swept.len(), swept.iter().filter(|refused| !**refused).count()), (10, 1));
}

#[test]
fn what_does_not_fit_is_told() {
    let wrong = |text: &str, hosts, hours| {
        let options = options(hosts, hours, parse_campaigns(text, "c.toml").unwrap());
        place(&World::new(&options), &options, &HashSet::new()).unwrap_err().to_string()
    };
    let error = wrong("[[campaign]]\nform = 'slow'\n", 300, 48);
    assert!(error.contains("campaign `slow`: stage `") && error.ends_with("which has 48"), "{error}");
    let error = wrong("[[campaign]]\nform = 'worm'\nhosts = 100\n", 60, 48);
    assert!(error.contains("no such host is left for the role `host"), "{error}");
    let both = "[[campaign]]\nname = 'x'\n[[campaign.stage]]\nkind = 'beacon'\nfrom = 'a'\nto = 'b'\n\
        [[campaign.stage]]\nkind = 'pull'\nfrom = 'a'\nto = 'b'\n";
    let error = wrong(both, 60, 24);
    assert!(error.contains("the role `b` lies outside in one stage and inside in `pull`"), "{error}");
    let error = wrong("[[campaign]]\nform = 'burst'\nmachines = { last = 'web' }\n", 60, 24);
    assert!(error.contains("`machines` names the role `last`, which no stage has"), "{error}");
}

#[test]
fn the_files_of_datasets_can_be_planted() {
    for (text, hosts, hours) in [
        (include_str!("../../../../datasets/demo-campaign.toml"), 60, 24),
        (include_str!("../../../../datasets/adversarial-campaigns.toml"), 1_000, 72),
    ] {
        let (_, campaigns) = placed(&options(hosts, hours, parse_campaigns(text, "file").unwrap()));
        assert!(campaigns.iter().all(|campaign| !campaign.truth.is_empty()));
    }
}

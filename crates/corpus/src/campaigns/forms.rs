//! Built-in campaigns: how intruders go about it, as lists of stages.

use serde::{Deserialize, Serialize};

use crate::campaigns::duration::Duration;
use crate::campaigns::spec::{Machine, StageKind, StageSpec};

/// A built-in list of stages.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CampaignForm {
    /// A beacon, a sweep, SSH to a second host with a beacon of its own, a dumped database, an upload.
    Classic,
    /// Several hosts call one controller and do not meet.
    SharedController,
    /// A beacon, a session over the jump host to a third host, and an upload from there.
    Pivot,
    /// A single upload.
    Burst,
    /// A beacon, guessed passwords, a session and a second beacon.
    Guessing,
    /// A host dumps a database that it always uses, and uploads over its controller.
    Habitual,
    /// The stages of the classic, each two days after the one before.
    Slow,
    /// Each host sweeps and enters two others.
    Worm,
}

impl CampaignForm {
    /// Every form.
    pub const ALL: [Self; 8] = [
        Self::Classic,
        Self::SharedController,
        Self::Pivot,
        Self::Burst,
        Self::Guessing,
        Self::Habitual,
        Self::Slow,
        Self::Worm,
    ];

    /// Returns the name of the form in a campaigns file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::SharedController => "shared_controller",
            Self::Pivot => "pivot",
            Self::Burst => "burst",
            Self::Guessing => "guessing",
            Self::Habitual => "habitual",
            Self::Slow => "slow",
            Self::Worm => "worm",
        }
    }

    /// Returns whether the number of hosts may be chosen.
    pub const fn has_hosts(self) -> bool {
        matches!(self, Self::SharedController | Self::Worm)
    }
}

const MINUTE_S: u32 = 60;
const HOUR_S: u32 = 3_600;
const GIGABYTE: u64 = 1_000_000_000;

fn stage(kind: StageKind, from: &str, to: &str, after_s: u32) -> StageSpec {
    StageSpec { after: (after_s > 0).then_some(Duration(after_s)), ..StageSpec::new(kind, from, to) }
}

/// Returns the machines of a form's roles where they are not any, and its stages; `hosts` as in
/// [`CampaignForm::has_hosts`].
pub fn stages(form: CampaignForm, hosts: Option<u32>) -> (Vec<(String, Machine)>, Vec<StageSpec>) {
    use StageKind::{Beacon, Guessing, Habit, Pull, Session, Upload};
    let mut machines = Vec::new();
    let stages = match form {
        CampaignForm::Classic => classic(HOUR_S),
        CampaignForm::Slow => classic(48 * HOUR_S),
        CampaignForm::SharedController => (0..hosts.unwrap_or(3))
            .map(|n| StageSpec {
                period: Some(Duration(5 * MINUTE_S)),
                ..stage(Beacon, &format!("host{n}"), "controller", if n == 0 { 0 } else { 100 * MINUTE_S })
            })
            .collect(),
        CampaignForm::Pivot => {
            machines.push(("jump".to_owned(), Machine::Jump));
            let habit = StageSpec { period: Some(Duration(5 * HOUR_S)), ..stage(Habit, "first", "jump", 0) };
            let over = StageSpec {
                hops: vec!["jump".to_owned()],
                bytes_out: Some(60_000),
                bytes_in: Some(90_000),
                ..stage(Session, "first", "last", 2 * HOUR_S)
            };
            let upload = StageSpec { bytes_out: Some(3 * GIGABYTE), ..stage(Upload, "last", "drop", HOUR_S) };
            vec![habit, stage(Beacon, "first", "controller", 0), over, upload]
        }
        CampaignForm::Burst => {
            vec![StageSpec { bytes_out: Some(4 * GIGABYTE), ..stage(Upload, "first", "drop", 6 * HOUR_S) }]
        }
        CampaignForm::Guessing => vec![
            StageSpec { period: Some(Duration(10)), ..stage(Beacon, "first", "controller", 0) },
            stage(Guessing, "first", "second", 2 * HOUR_S),
            stage(Session, "first", "second", 30 * MINUTE_S),
            stage(Beacon, "second", "second_controller", 30 * MINUTE_S),
        ],
        CampaignForm::Habitual => {
            let habit = StageSpec {
                port: Some(5432),
                period: Some(Duration(20 * MINUTE_S)),
                length: Some(Duration(20)),
                bytes_out: Some(20_000),
                bytes_in: Some(400_000),
                ..stage(Habit, "first", "database", 0)
            };
            let upload = StageSpec {
                length: Some(Duration(40 * MINUTE_S)),
                bytes_out: Some(2 * GIGABYTE),
                ..stage(Upload, "first", "controller", HOUR_S)
            };
            let pull = StageSpec { bytes_in: Some(6 * GIGABYTE), ..stage(Pull, "first", "database", 5 * HOUR_S) };
            vec![habit, stage(Beacon, "first", "controller", 0), pull, upload]
        }
        CampaignForm::Worm => worm(hosts.unwrap_or(12)),
    };
    (machines, stages)
}

/// The classic, with this time between most of its stages.
fn classic(step_s: u32) -> Vec<StageSpec> {
    use StageKind::{Beacon, Pull, Session, Sweep, Upload};
    vec![
        stage(Beacon, "first", "controller", 0),
        stage(Sweep, "first", "", 3 * HOUR_S.min(step_s)),
        stage(Session, "first", "second", step_s),
        stage(Beacon, "second", "second_controller", 30 * MINUTE_S),
        stage(Pull, "second", "database", step_s + step_s / 2),
        stage(Upload, "second", "drop", step_s),
    ]
}

/// Host `n` enters hosts `2 n + 1` and `2 n + 2`, and sweeps before.
fn worm(hosts: u32) -> Vec<StageSpec> {
    use StageKind::{Beacon, Session, Sweep};
    let role = |n: u32| format!("host{n}");
    let mut stages = vec![stage(Beacon, &role(0), "controller", 0)];
    for n in 0..hosts {
        let entered: Vec<u32> = [2 * n + 1, 2 * n + 2].into_iter().filter(|child| *child < hosts).collect();
        let Some(first) = entered.first() else { break };
        // All of it takes about ten hours, however many hosts there are.
        let every_s = (20 * HOUR_S / hosts).clamp(30, 30 * MINUTE_S);
        stages.push(StageSpec { port: Some(445), count: Some(80), ..stage(Sweep, &role(n), &role(*first), every_s) });
        stages.extend(entered.iter().map(|child| StageSpec {
            port: Some(445),
            length: Some(Duration(40)),
            bytes_out: Some(900_000),
            bytes_in: Some(40_000),
            ..stage(Session, &role(n), &role(*child), 15)
        }));
    }
    stages
}

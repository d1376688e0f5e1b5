//! From the stages of a campaign to its connections, its truth and its labels.

use crate::campaigns::Campaign;
use crate::campaigns::cast::{Cast, Side};
use crate::campaigns::spec::{CampaignSpec, StageKind, StageSpec};
use crate::campaigns::traffic::{Beat, StageTraffic, open};
use crate::campaigns::truth::{Part, StageTruth};
use crate::labels::Label;
use crate::options::GenerateOptions;
use crate::random::{Purpose, Stream, mix2};
use crate::traffic::connection::{Connection, Ending};
use crate::world::World;
use flow::codes::TCP;

/// Seconds that a campaign goes on after the beginning of its last stage, where its beginning is not given.
const LAST_STAGE_S: i64 = 2 * 3_600;

/// What a stage does where its table does not say.
struct Habits {
    port: u16,
    period_s: u32,
    length_s: u32,
    count: u32,
    bytes_out: u64,
    bytes_in: u64,
}

fn habits(kind: StageKind) -> Habits {
    let of = |port, period_s, length_s, count, bytes_out, bytes_in| Habits {
        port,
        period_s,
        length_s,
        count,
        bytes_out,
        bytes_in,
    };
    match kind {
        StageKind::Beacon => of(443, 60, 0, 1, 600, 400),
        StageKind::Sweep => of(22, 2, 0, 60, 0, 0),
        StageKind::Scan => of(0, 1, 0, 200, 0, 0),
        StageKind::Guessing => of(22, 3, 2, 400, 3_000, 3_500),
        StageKind::Session => of(22, 3_600, 1_500, 1, 400_000, 900_000),
        StageKind::Pull => of(5432, 3_600, 1_200, 1, 3_000_000, 5_000_000_000),
        StageKind::Upload => of(443, 3_600, 900, 1, 5_000_000_000, 2_000_000),
        StageKind::Exposure => of(22, 3_600, 1_800, 1, 200_000, 800_000),
        StageKind::Habit => of(22, 18_000, 300, 1, 20_000, 60_000),
    }
}

/// A campaign that is being planned.
pub struct Plan<'a> {
    world: &'a World,
    spec: &'a CampaignSpec,
    name: &'a str,
    cast: &'a Cast,
    /// Hosts that sweeps try.
    bystanders: &'a [u32],
    start_s: i64,
    span_s: i64,
    draw: Stream,
    made: Campaign,
}

impl<'a> Plan<'a> {
    /// Begins the plan of one copy of a campaign.
    pub fn new(
        world: &'a World,
        options: &GenerateOptions,
        spec: &'a CampaignSpec,
        copy: u32,
        name: &'a str,
        cast: &'a Cast,
        bystanders: &'a [u32],
    ) -> Self {
        let key = spec.name.bytes().fold(0, |key, byte| mix2(key, byte.into()));
        Self {
            world,
            spec,
            name,
            cast,
            bystanders,
            start_s: options.start_s,
            span_s: options.span_s().into(),
            draw: Stream::new(world.seed, Purpose::Campaign, key, copy.into()),
            made: Campaign { site: cast.site, truth: Vec::new(), labels: Vec::new(), stages: Vec::new() },
        }
    }

    /// Plans all stages.
    ///
    /// # Errors
    /// A sentence when a stage begins after the end of the corpus.
    pub fn campaign(mut self) -> Result<Campaign, String> {
        let spec = self.spec;
        let mut at_s = self.begin_s();
        for stage in &spec.stage {
            // Each stage draws from a stream of its own, so that a change in one leaves the others as they are.
            let bits = self.draw.bits();
            let spread = self.spread();
            let mut draw = Stream::new(bits, Purpose::Campaign, 0, 0);
            if stage.kind == StageKind::Habit {
                self.habit(stage, &mut draw)?;
                continue;
            }
            at_s += stage.after.map_or(0, |after| (f64::from(after.0) * spread) as i64);
            if at_s >= self.span_s {
                let (at_h, span_h) = (at_s as f64 / 3_600.0, self.span_s / 3_600);
                return Err(format!(
                    "stage `{}` begins {at_h:.1} hours after the beginning of the corpus, which has {span_h}",
                    stage.title()
                ));
            }
            self.plan(stage, at_s as i32, &mut draw)?;
        }
        self.made.truth.sort_by_key(|stage| stage.time_s);
        self.made.labels.sort();
        self.made.labels.dedup();
        Ok(self.made)
    }

    fn spread(&mut self) -> f64 {
        1.0 + self.spec.spread * (2.0 * self.draw.share() - 1.0)
    }

    /// Returns the second in which the first stage may begin: as given, or in the last day where all stages fit into it,
    /// and else so late that they just do.
    fn begin_s(&mut self) -> i64 {
        let share = self.draw.share();
        if let Some(begin) = self.spec.begin {
            return i64::from(begin.0) + (self.spec.spread * 3_600.0 * share) as i64;
        }
        let stages = self.spec.stage.iter().filter(|stage| stage.kind != StageKind::Habit);
        let needed_s: f64 = stages.filter_map(|stage| stage.after).map(|after| f64::from(after.0)).sum();
        let needed_s = (needed_s * (1.0 + self.spec.spread)) as i64 + LAST_STAGE_S;
        let earliest_s = (self.span_s - needed_s.max(86_400)).max(0);
        let room_s = (self.span_s - needed_s - earliest_s).clamp(0, 3_600);
        earliest_s + (room_s as f64 * share) as i64
    }

    /// Returns the second of the `n`-th connection of a stage; `None` after the end of the corpus.
    fn second(&self, at_s: i32, n: usize, period_s: u32) -> Option<i32> {
        let second = i64::from(at_s) + n as i64 * i64::from(period_s);
        i32::try_from(second).ok().filter(|second| i64::from(*second) < self.span_s)
    }

    fn side(&self, role: &str) -> Result<Side, String> {
        self.cast.side(role).ok_or_else(|| format!("nobody plays the role `{role}`"))
    }

    fn to(&self, stage: &StageSpec) -> Result<Side, String> {
        self.side(stage.to.as_deref().unwrap_or_default())
    }

    fn plan(&mut self, stage: &StageSpec, at_s: i32, draw: &mut Stream) -> Result<(), String> {
        match stage.kind {
            StageKind::Beacon => self.beacon(stage, at_s, draw),
            StageKind::Sweep => self.sweep(stage, at_s, draw),
            StageKind::Scan => self.scan(stage, at_s, draw),
            StageKind::Session => self.sessions_over_hops(stage, at_s, draw),
            _ => {
                let (from, to) = (self.side(&stage.from)?, self.to(stage)?);
                self.sessions(stage, from, to, stage.to.as_deref().unwrap_or_default(), at_s, draw);
                Ok(())
            }
        }
    }

    fn beacon(&mut self, stage: &StageSpec, at_s: i32, draw: &mut Stream) -> Result<(), String> {
        let (usual, from, to) = (habits(stage.kind), self.side(&stage.from)?, self.to(stage)?);
        let begin_ms = i64::from(at_s) * 1_000;
        let port = stage.port.unwrap_or(usual.port);
        let period_ms = f64::from(stage.period.map_or(usual.period_s, |period| period.0)) * 1_000.0;
        self.made.stages.push(StageTraffic {
            beat: Some(Beat {
                from,
                to,
                port,
                next_ms: begin_ms,
                until_ms: stage.length.map_or(i64::MAX, |length| begin_ms + i64::from(length.0) * 1_000),
                period_ms,
                jitter_ms: period_ms * stage.jitter.unwrap_or(0.5),
                bytes_out: stage.bytes_out.unwrap_or(usual.bytes_out),
                bytes_in: stage.bytes_in.unwrap_or(usual.bytes_in),
                draw: draw.clone(),
            }),
            ..StageTraffic::default()
        });
        self.tell(stage, at_s, from, Some((to, Some(Part::Controller))), Some(port));
        self.label(stage, from, to, port);
        Ok(())
    }

    fn sweep(&mut self, stage: &StageSpec, at_s: i32, draw: &mut Stream) -> Result<(), String> {
        let (usual, from) = (habits(stage.kind), self.side(&stage.from)?);
        let port = stage.port.unwrap_or(usual.port);
        let count = stage.count.unwrap_or(usual.count) as usize;
        let hit = stage.to.as_deref().map(|role| self.side(role)).transpose()?;
        let mut targets = self.bystanders.to_vec();
        for n in 0..count.min(targets.len()) {
            let pick = n + draw.below((targets.len() - n) as u64) as usize;
            targets.swap(n, pick);
        }
        targets.truncate(count - usize::from(hit.is_some() && count > 0));
        let mut tried: Vec<Side> = targets.into_iter().map(Side::Inside).collect();
        if let Some(hit) = hit {
            tried.insert(draw.below(tried.len() as u64 + 1) as usize, hit);
        }
        let period_s = stage.period.map_or(usual.period_s, |period| period.0);
        let mut planned = Vec::with_capacity(tried.len());
        for (n, target) in tried.into_iter().enumerate() {
            let Some(begin) = self.second(at_s, n, period_s) else { break };
            let mut probe = open(self.world, from, target, port, begin, draw.bits());
            if Some(target) == hit {
                (probe.bytes_out, probe.bytes_in) = (200 + draw.below(100), 300 + draw.below(100));
                probe.end += 1;
            } else {
                refuse(&mut probe, draw);
            }
            planned.push(probe);
            self.label(stage, from, target, port);
        }
        self.made.stages.push(StageTraffic::of(planned));
        let to = hit.map(|hit| (hit, self.part_of(stage.to.as_deref().unwrap_or_default())));
        self.tell(stage, at_s, from, to, Some(port));
        Ok(())
    }

    fn scan(&mut self, stage: &StageSpec, at_s: i32, draw: &mut Stream) -> Result<(), String> {
        let (usual, from, to) = (habits(stage.kind), self.side(&stage.from)?, self.to(stage)?);
        let count = stage.count.unwrap_or(usual.count).min(60_000);
        let period_s = stage.period.map_or(usual.period_s, |period| period.0);
        let first = stage.port.map_or_else(|| draw.between(1, 4_000), u64::from);
        let mut planned = Vec::new();
        for (n, begin) in (0..count as usize).map_while(|n| Some((n, self.second(at_s, n, period_s)?))) {
            let port = 1 + ((first + n as u64 - 1) % 65_535) as u16;
            let mut probe = open(self.world, from, to, port, begin, draw.bits());
            refuse(&mut probe, draw);
            planned.push(probe);
        }
        self.made.stages.push(StageTraffic::of(planned));
        let part = self.part_of(stage.to.as_deref().unwrap_or_default());
        self.tell(stage, at_s, from, Some((to, part)), None);
        self.label(stage, from, to, 0);
        Ok(())
    }

    fn sessions_over_hops(&mut self, stage: &StageSpec, at_s: i32, draw: &mut Stream) -> Result<(), String> {
        let chain: Vec<&str> = [stage.from.as_str()]
            .into_iter()
            .chain(stage.hops.iter().map(String::as_str))
            .chain(stage.to.as_deref())
            .collect();
        let mut at_s = at_s;
        for pair in chain.windows(2) {
            let (from, to) = (self.side(pair[0])?, self.side(pair[1])?);
            self.sessions(stage, from, to, pair[1], at_s, draw);
            at_s = (at_s + draw.between(300, 900) as i32).min(self.span_s as i32 - 1);
        }
        Ok(())
    }

    /// Plans `count` connections of `length`, one every `period`.
    fn sessions(&mut self, stage: &StageSpec, from: Side, to: Side, role: &str, at_s: i32, draw: &mut Stream) {
        let usual = habits(stage.kind);
        let port = stage.port.unwrap_or(usual.port);
        let period_s = stage.period.map_or(usual.period_s, |period| period.0);
        let length_s = f64::from(stage.length.map_or(usual.length_s, |length| length.0));
        let last_s = self.span_s as i32 - 1;
        let mut planned = Vec::new();
        for begin in (0..stage.count.unwrap_or(usual.count) as usize).map_while(|n| self.second(at_s, n, period_s)) {
            let mut session = open(self.world, from, to, port, begin, draw.bits());
            // The corpus must contain all of it.
            session.end = begin.saturating_add((length_s * draw.uniform(0.8, 1.2)) as i32).min(last_s);
            session.bytes_out = varied(stage.bytes_out.unwrap_or(usual.bytes_out), draw);
            session.bytes_in = varied(stage.bytes_in.unwrap_or(usual.bytes_in), draw);
            planned.push(session);
        }
        self.made.stages.push(StageTraffic::of(planned));
        let part = match to {
            Side::Outside(_) if self.is_controller(role) => Some(Part::Controller),
            Side::Outside(_) => Some(Part::Drop),
            Side::Inside(_) => self.part_of(role),
        };
        self.tell(stage, at_s, from, Some((to, part)), Some(port));
        self.label(stage, from, to, port);
    }

    /// Plans ordinary sessions over the whole corpus.
    fn habit(&mut self, stage: &StageSpec, draw: &mut Stream) -> Result<(), String> {
        let (usual, from, to) = (habits(stage.kind), self.side(&stage.from)?, self.to(stage)?);
        let period_s = stage.period.map_or(usual.period_s, |period| period.0);
        let length_s = i64::from(stage.length.map_or(usual.length_s, |length| length.0));
        let port = stage.port.unwrap_or(usual.port);
        let planned = (0..draw.dithered(self.span_s as f64 / f64::from(period_s))).map(|_| {
            let begin = draw.below((self.span_s - length_s).max(1) as u64) as i32;
            let mut session = open(self.world, from, to, port, begin, draw.bits());
            session.end = begin.saturating_add((length_s as f64 * draw.uniform(0.5, 1.5)) as i32);
            session.bytes_out = varied(stage.bytes_out.unwrap_or(usual.bytes_out), draw);
            session.bytes_in = varied(stage.bytes_in.unwrap_or(usual.bytes_in), draw);
            session
        });
        self.made.stages.push(StageTraffic::of(planned.collect()));
        Ok(())
    }

    fn is_controller(&self, role: &str) -> bool {
        self.spec.stage.iter().any(|s| s.kind == StageKind::Beacon && s.to.as_deref() == Some(role))
    }

    /// Returns the part of an inside role: who never acts is a target, who only opens sessions on the way of others a
    /// pivot.
    fn part_of(&self, role: &str) -> Option<Part> {
        let acts = |stage: &&StageSpec| stage.from == role && stage.kind != StageKind::Habit;
        let is_hop = self.spec.stage.iter().any(|stage| stage.hops.iter().any(|hop| hop == role));
        let mut acts = self.spec.stage.iter().filter(acts).peekable();
        Some(match (acts.peek().is_some(), is_hop) {
            (false, false) => Part::Target,
            (false, true) => Part::Pivot,
            (true, _) if acts.all(|stage| stage.kind == StageKind::Session) => Part::Pivot,
            (true, _) => Part::Compromised,
        })
    }

    fn tell(&mut self, stage: &StageSpec, at_s: i32, from: Side, to: Option<(Side, Option<Part>)>, port: Option<u16>) {
        let tactic = match (stage.kind, from) {
            (StageKind::Session, Side::Outside(_)) => StageKind::Exposure.tactic(),
            (kind, _) => kind.tactic(),
        };
        self.made.truth.push(StageTruth {
            campaign: self.name.to_owned(),
            stage: stage.title().to_owned(),
            tactic: tactic.to_owned(),
            time_s: self.start_s + i64::from(at_s),
            src: self.world.address(from.endpoint()),
            dst: to.map(|(side, _)| self.world.address(side.endpoint())),
            port,
            part: to.and_then(|(_, part)| part),
        });
    }

    /// Labels a pair: implants and uploads as attacks, all else as part of one; port 0 stands for every port.
    fn label(&mut self, stage: &StageSpec, from: Side, to: Side, port: u16) {
        let label = match stage.kind {
            StageKind::Beacon => "c2-campaign".to_owned(),
            StageKind::Upload => "exfil-campaign".to_owned(),
            kind => format!("stage-{}", kind.name()),
        };
        self.made.labels.push(Label {
            src: self.world.address(from.endpoint()),
            dst: self.world.address(to.endpoint()),
            port: Some(port).filter(|port| *port > 0),
            protocol: Some(TCP),
            label,
            source: format!("{} {}", self.name, stage.title()),
        });
    }
}

/// A probe that nobody answers: most are refused by the security group, the others dropped by the host.
fn refuse(probe: &mut Connection, draw: &mut Stream) {
    if draw.chance(0.7) {
        probe.rejected = 1;
    } else {
        probe.ending = Ending::Unanswered;
    }
}

fn varied(bytes: u64, draw: &mut Stream) -> u64 {
    (bytes as f64 * draw.uniform(0.93, 1.07)) as u64
}

//! Attacks that can be planted: their kinds, their options and the defaults of the real tools.

pub mod planted;

use serde::{Deserialize, Serialize};

use crate::error::CorpusError;

/// A kind of attack; implants are named after the tool whose default sleep they copy.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttackKind {
    /// Sliver beacon: sleep 60 s plus U[0, 30) s; a new TCP connection each check-in.
    Sliver,
    /// Sliver over HTTP: the same sleep; two to four connections within seconds each check-in.
    SliverHttp,
    /// Cobalt Strike: 60 s; jitter reduces the sleep by up to its percentage, 0 by default.
    CobaltStrike,
    /// Mythic (Poseidon): 10 s, up to 23 whole percent more or less, in whole seconds.
    Mythic,
    /// Havoc demon: 2 s, up to 15 % more or less.
    Havoc,
    /// Meterpreter over HTTPS: idle polls every 10 s without jitter.
    Meterpreter,
    /// Empire: 5 s without jitter.
    Empire,
    /// Merlin: 30 s plus U[0, 3) s.
    Merlin,
    /// A beacon of the user's own period and symmetric jitter.
    Custom,
    /// All bytes in minutes to one rare address.
    ExfilBurst,
    /// The same volume over many rare addresses.
    ExfilSplit,
    /// Small amounts every hour to one rare address, for the whole span.
    ExfilDrip,
}

impl AttackKind {
    /// Every kind, in the order in which a default corpus plants them; `Custom` and `SliverHttp` only on request.
    pub const ALL: [Self; 12] = [
        Self::Sliver,
        Self::CobaltStrike,
        Self::Mythic,
        Self::Havoc,
        Self::Meterpreter,
        Self::Empire,
        Self::Merlin,
        Self::ExfilBurst,
        Self::ExfilSplit,
        Self::ExfilDrip,
        Self::SliverHttp,
        Self::Custom,
    ];

    /// Returns the label of the kind in `labels.csv`: `c2-…`, `beacon-custom` or `exfil-…`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Sliver => "c2-sliver",
            Self::SliverHttp => "c2-sliver-http",
            Self::CobaltStrike => "c2-cobalt-strike",
            Self::Mythic => "c2-mythic",
            Self::Havoc => "c2-havoc",
            Self::Meterpreter => "c2-meterpreter",
            Self::Empire => "c2-empire",
            Self::Merlin => "c2-merlin",
            Self::Custom => "beacon-custom",
            Self::ExfilBurst => "exfil-burst",
            Self::ExfilSplit => "exfil-split",
            Self::ExfilDrip => "exfil-drip",
        }
    }

    /// Returns whether the kind exfiltrates data rather than calls home.
    pub const fn is_exfiltration(self) -> bool {
        matches!(self, Self::ExfilBurst | Self::ExfilSplit | Self::ExfilDrip)
    }

    /// Returns the name of the kind in an attacks file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sliver => "sliver",
            Self::SliverHttp => "sliver_http",
            Self::CobaltStrike => "cobalt_strike",
            Self::Mythic => "mythic",
            Self::Havoc => "havoc",
            Self::Meterpreter => "meterpreter",
            Self::Empire => "empire",
            Self::Merlin => "merlin",
            Self::Custom => "custom",
            Self::ExfilBurst => "exfil_burst",
            Self::ExfilSplit => "exfil_split",
            Self::ExfilDrip => "exfil_drip",
        }
    }
}

/// One `[[attack]]` of an attacks file; every option but the kind may be left out.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct AttackSpec {
    /// Kind of the attack.
    pub kind: AttackKind,
    /// Hosts to plant it in; default 1.
    #[serde(default = "one")]
    pub hosts: u32,
    /// Sleep between check-ins in seconds, above 0; default as the tool has it (`custom`: 300).
    #[serde(default)]
    pub period_s: Option<f64>,
    /// Jitter: seconds added at most for `sliver`, `sliver_http` and `merlin`; percent (0–99) for all others.
    #[serde(default)]
    pub jitter: Option<f64>,
    /// Share of check-ins that do not happen, 0 to 0.95; default 0.
    #[serde(default)]
    pub drop: f64,
    /// Share of check-ins that bring a task with more bytes, 0 to 1; default 0.01.
    #[serde(default = "one_in_a_hundred")]
    pub task_share: f64,
    /// Payload bytes of a plain check-in towards the server; default about 300 to 1,200, drawn once per host.
    #[serde(default)]
    pub size_bytes: Option<u64>,
    /// Server port; default drawn from 443, 80, 8443 and a few others.
    #[serde(default)]
    pub port: Option<u16>,
    /// Start as a share of the corpus's span, 0 to below 1; default drawn: implants 0–0.2, exfiltration 0.2–0.9.
    #[serde(default)]
    pub begin: Option<f64>,
    /// Gigabytes (10⁹) taken out by `exfil_burst` and `exfil_split`; default drawn from 2–20.
    #[serde(default)]
    pub gigabytes: Option<f64>,
    /// Duration of the exfiltration in hours; default drawn: burst 4–20, split 30–120.
    #[serde(default)]
    pub minutes: Option<f64>,
    /// Connections of `exfil_burst`; default drawn from 1–4.
    #[serde(default)]
    pub connections: Option<u32>,
    /// Addresses of `exfil_split`; default 40.
    #[serde(default)]
    pub destinations: Option<u32>,
    /// Megabytes (10⁶) an hour taken out by `exfil_drip`; default drawn from 20–60 each hour.
    #[serde(default)]
    pub megabytes_per_hour: Option<f64>,
}

fn one() -> u32 {
    1
}

fn one_in_a_hundred() -> f64 {
    0.01
}

impl AttackSpec {
    /// Returns an attack of a kind with the tool's defaults in `hosts` hosts.
    pub fn new(kind: AttackKind, hosts: u32) -> Self {
        Self {
            kind,
            hosts,
            period_s: None,
            jitter: None,
            drop: 0.0,
            task_share: one_in_a_hundred(),
            size_bytes: None,
            port: None,
            begin: None,
            gigabytes: None,
            minutes: None,
            connections: None,
            destinations: None,
            megabytes_per_hour: None,
        }
    }

    /// Returns sleep in seconds and jitter in the kind's own unit, with the tool's defaults filled in.
    pub fn timing(&self) -> (f64, f64) {
        let (period_s, jitter) = match self.kind {
            AttackKind::Sliver | AttackKind::SliverHttp => (60.0, 30.0),
            AttackKind::CobaltStrike => (60.0, 0.0),
            AttackKind::Mythic => (10.0, 23.0),
            AttackKind::Havoc => (2.0, 15.0),
            AttackKind::Meterpreter => (10.0, 0.0),
            AttackKind::Empire => (5.0, 0.0),
            AttackKind::Merlin => (30.0, 3.0),
            _ => (300.0, 0.0),
        };
        (self.period_s.unwrap_or(period_s), self.jitter.unwrap_or(jitter))
    }

    /// Checks every option against its legal range.
    ///
    /// # Errors
    /// [`CorpusError::InvalidOption`] names the option.
    pub fn validate(&self) -> Result<(), CorpusError> {
        let check = |option, got: Option<f64>, low: f64, high: f64| match got {
            Some(got) if !(low..=high).contains(&got) => {
                let expected = format!("{low} to {high} for an attack of kind {}", self.kind.name());
                Err(CorpusError::option(option, got, expected))
            }
            _ => Ok(()),
        };
        let additive = matches!(self.kind, AttackKind::Sliver | AttackKind::SliverHttp | AttackKind::Merlin);
        check("period_s", self.period_s, 0.1, 2_678_400.0)?;
        check("jitter", self.jitter, 0.0, if additive { 2_678_400.0 } else { 99.0 })?;
        check("drop", Some(self.drop), 0.0, 0.95)?;
        check("task_share", Some(self.task_share), 0.0, 1.0)?;
        check("begin", self.begin, 0.0, 0.999)?;
        check("gigabytes", self.gigabytes, 0.001, 10_000.0)?;
        check("minutes", self.minutes, 0.1, 100_000.0)?;
        check("megabytes_per_hour", self.megabytes_per_hour, 0.001, 100_000.0)?;
        check("size_bytes", self.size_bytes.map(|bytes| bytes as f64), 1.0, 1e9)?;
        check("connections", self.connections.map(f64::from), 1.0, 1_000.0)?;
        check("destinations", self.destinations.map(f64::from), 1.0, 10_000.0)?;
        check("port", self.port.map(f64::from), 1.0, 65_535.0)?;
        check("hosts", Some(f64::from(self.hosts)), 0.0, 1_000_000.0)
    }
}

/// Returns what a corpus without an attacks file plants: every tool and every exfiltration in `hosts` hosts each.
pub fn default_attacks(hosts: u32) -> Vec<AttackSpec> {
    if hosts == 0 {
        return Vec::new();
    }
    AttackKind::ALL[..10].iter().map(|kind| AttackSpec::new(*kind, hosts)).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AttacksFile {
    #[serde(default)]
    attack: Vec<AttackSpec>,
}

/// Parses attacks from TOML, a list of `[[attack]]` tables; `name` names the file in errors.
///
/// # Errors
/// [`CorpusError::InvalidAttacks`] with position and reason, or [`CorpusError::InvalidOption`].
pub fn parse_attacks(text: &str, name: &str) -> Result<Vec<AttackSpec>, CorpusError> {
    let file: AttacksFile = toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        let place = line.map_or_else(String::new, |line| format!("line {line}: "));
        CorpusError::InvalidAttacks {
            path: name.to_owned(),
            message: format!("{place}{}", error.message()),
            kinds: AttackKind::ALL.map(AttackKind::name).join(", "),
        }
    })?;
    file.attack.iter().try_for_each(AttackSpec::validate)?;
    Ok(file.attack)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_attacks_and_fills_in_defaults() {
        let text = "[[attack]]\nkind = \"sliver\"\nhosts = 3\n\n[[attack]]\nkind = \"cobalt_strike\"\njitter = 50\n";
        let attacks = parse_attacks(text, "a.toml").unwrap();
        assert_eq!(attacks[0].timing(), (60.0, 30.0));
        assert_eq!(attacks[1].timing(), (60.0, 50.0));
        assert_eq!((attacks[0].hosts, attacks[1].hosts), (3, 1));
    }

    #[test]
    fn names_the_place_of_a_mistake() {
        let error = parse_attacks("[[attack]]\nkind = \"sliver\"\nperoid_s = 3\n", "a.toml").unwrap_err().to_string();
        assert!(error.starts_with("a.toml: line 3: unknown field `peroid_s`"), "{error}");
        let error = parse_attacks("[[attack]]\nkind = \"havoc\"\njitter = 120\n", "a.toml").unwrap_err().to_string();
        assert!(error.contains("option `jitter` is 120; expected 0 to 99"), "{error}");
    }

    #[test]
    fn every_label_is_an_attack() {
        for kind in AttackKind::ALL {
            let label = kind.label();
            assert!(label.starts_with("c2") || label.starts_with("beacon") || label.starts_with("exfil"));
            assert_eq!(label.starts_with("exfil"), kind.is_exfiltration());
        }
    }
}

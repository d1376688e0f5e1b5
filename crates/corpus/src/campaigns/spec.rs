//! Campaigns as a file names them: `[[campaign]]` tables of TOML, their defaults and their legal ranges.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::campaigns::duration::Duration;
use crate::campaigns::forms::{self, CampaignForm};
use crate::error::CorpusError;

/// What a stage of a campaign does; `from` opens the connections unless it says otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageKind {
    /// Calls of a controller outside, one every `period`, until the corpus ends or `length` is over.
    Beacon,
    /// Tries of one port on `count` inside hosts, one every `period`. With `to`, that host is among them and answers.
    Sweep,
    /// Tries of `count` ports of the inside host `to`, one every `period`.
    Scan,
    /// `count` short sessions with the host `to`, one every `period`.
    Guessing,
    /// `count` sessions of `length` with the inside host `to`, over `hops` where some are named.
    Session,
    /// Sessions in which the inside host `to` sends far more than it gets.
    Pull,
    /// Connections to an address outside that get far more than they send.
    Upload,
    /// Sessions that the address outside `from` opens with the inside host `to`.
    Exposure,
    /// Ordinary sessions at random times for the whole corpus, one every `period` on average. No stage of the attack:
    /// it makes a path habitual.
    Habit,
}

impl StageKind {
    /// Every kind, in the order of a campaign.
    pub const ALL: [Self; 9] = [
        Self::Exposure,
        Self::Beacon,
        Self::Sweep,
        Self::Scan,
        Self::Guessing,
        Self::Session,
        Self::Pull,
        Self::Upload,
        Self::Habit,
    ];

    /// Returns the name of the kind in a campaigns file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Beacon => "beacon",
            Self::Sweep => "sweep",
            Self::Scan => "scan",
            Self::Guessing => "guessing",
            Self::Session => "session",
            Self::Pull => "pull",
            Self::Upload => "upload",
            Self::Exposure => "exposure",
            Self::Habit => "habit",
        }
    }

    /// Returns the ATT&CK tactic of the kind; that of a session or of guessing is another when it comes from outside.
    pub const fn tactic(self) -> &'static str {
        match self {
            Self::Beacon => "command-and-control",
            Self::Sweep | Self::Scan => "discovery",
            Self::Guessing => "credential-access",
            Self::Session => "lateral-movement",
            Self::Pull => "collection",
            Self::Upload => "exfiltration",
            Self::Exposure => "initial-access",
            Self::Habit => "",
        }
    }
}

/// The machine that takes a role of a campaign.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Machine {
    /// A web server with a public address.
    Web,
    /// An application server.
    App,
    /// A database.
    Database,
    /// A worker that runs jobs.
    Worker,
    /// A bastion.
    Bastion,
    /// A build machine.
    Build,
    /// The jump host of the site; a bastion where the corpus has no hubs.
    Jump,
    /// An address outside that only the campaign uses.
    Own,
    /// An address outside that many hosts call.
    Service,
}

/// One `[[campaign.stage]]`; every key but the kind and `from` may be left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageSpec {
    /// What it does.
    pub kind: StageKind,
    /// Its name in `campaigns.csv`; default the kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The role that acts.
    pub from: String,
    /// The role of the other side; only a sweep has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Inside hosts that a session goes over: each is entered minutes after the one before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hops: Vec<String>,
    /// Time since the beginning of the stage before it, of the first since the campaign's; default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Duration>,
    /// Server port, 1 to 65,535.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Time between connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Duration>,
    /// Share of `period` by which a beacon's sleep is longer at most, 0 to 10; default 0.5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter: Option<f64>,
    /// How long a session or upload takes, or for how long a beacon calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<Duration>,
    /// Connections, hosts of a sweep or ports of a scan: 1 to 100,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Payload bytes of a connection from `from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_out: Option<u64>,
    /// Payload bytes of a connection to `from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_in: Option<u64>,
}

impl StageSpec {
    /// Returns a stage with the defaults of its kind.
    pub fn new(kind: StageKind, from: &str, to: &str) -> Self {
        Self {
            kind,
            name: None,
            from: from.to_owned(),
            to: (!to.is_empty()).then(|| to.to_owned()),
            hops: Vec::new(),
            after: None,
            port: None,
            period: None,
            jitter: None,
            length: None,
            count: None,
            bytes_out: None,
            bytes_in: None,
        }
    }

    /// Returns the name of the stage in `campaigns.csv`.
    pub fn title(&self) -> &str {
        self.name.as_deref().unwrap_or(self.kind.name())
    }
}

/// One `[[campaign]]`: a built-in form, or stages of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CampaignSpec {
    /// Its name in `campaigns.csv`; default the form. Copies get a number behind it.
    #[serde(default)]
    pub name: String,
    /// A built-in list of stages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<CampaignForm>,
    /// How many of it, each on hosts of its own: 1 to 1,000; default 1.
    #[serde(default = "one")]
    pub copies: u32,
    /// When it begins, since the beginning of the corpus; default within an hour after all of it just fits into the
    /// last day, or into the whole corpus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begin: Option<Duration>,
    /// Share by which the times between its stages vary, 0 to 0.9; default 0.2.
    #[serde(default = "fifth")]
    pub spread: f64,
    /// Hosts of the forms `shared_controller` (default 3) and `worm` (default 12): 2 to 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosts: Option<u32>,
    /// The machine of each role; default any but a database, for the source of a pull a database.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub machines: BTreeMap<String, Machine>,
    /// Its stages, in the order of their beginning.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stage: Vec<StageSpec>,
}

fn one() -> u32 {
    1
}

fn fifth() -> f64 {
    0.2
}

impl CampaignSpec {
    /// Returns a campaign of a built-in form with its defaults.
    pub fn of_form(form: CampaignForm, copies: u32) -> Self {
        Self {
            name: form.name().to_owned(),
            form: Some(form),
            copies,
            begin: None,
            spread: fifth(),
            hosts: None,
            machines: BTreeMap::new(),
            stage: Vec::new(),
        }
    }

    /// Fills in the name, and checks that all of it fits together.
    ///
    /// # Errors
    /// A sentence that names the key.
    fn checked(mut self) -> Result<Self, String> {
        if let (true, Some(form)) = (self.name.is_empty(), self.form) {
            form.name().clone_into(&mut self.name);
        }
        let name = &self.name;
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')) {
            return Err(format!("`name` is `{name}`; expected letters, digits, `_` and `-`"));
        }
        self.check().map_err(|message| format!("campaign `{name}`: {message}"))?;
        for stage in &self.stage {
            check_stage(stage).map_err(|message| format!("campaign `{name}`, stage `{}`: {message}", stage.title()))?;
        }
        Ok(self)
    }

    /// Returns the campaign with the stages and machines of its form, if it has one.
    pub(super) fn with_stages(mut self) -> Self {
        if let Some(form) = self.form {
            let (machines, stages) = forms::stages(form, self.hosts);
            self.stage = stages;
            for (role, machine) in machines {
                self.machines.entry(role).or_insert(machine);
            }
        }
        self
    }

    fn check(&self) -> Result<(), String> {
        match (self.form, self.stage.is_empty()) {
            (Some(_), false) => return Err("has `form` and `stage`; expected one of them".to_owned()),
            (None, true) => {
                let forms = CampaignForm::ALL.map(CampaignForm::name).join(", ");
                return Err(format!("has no stage; expected `form` = {forms}, or [[campaign.stage]] tables"));
            }
            _ => {}
        }
        between("copies", self.copies.into(), 1.0, 1_000.0)?;
        between("spread", self.spread, 0.0, 0.9)?;
        if let Some(hosts) = self.hosts {
            if !self.form.is_some_and(CampaignForm::has_hosts) {
                return Err("has `hosts`, which only the forms `shared_controller` and `worm` know".to_owned());
            }
            between("hosts", hosts.into(), 2.0, 1_000.0)?;
        }
        Ok(())
    }
}

fn between(key: &str, got: f64, low: f64, high: f64) -> Result<(), String> {
    if (low..=high).contains(&got) { Ok(()) } else { Err(format!("`{key}` is {got}; expected {low} to {high}")) }
}

fn check_stage(stage: &StageSpec) -> Result<(), String> {
    if stage.to.is_none() && stage.kind != StageKind::Sweep {
        return Err("has no `to`; only a sweep may go without".to_owned());
    }
    if !stage.hops.is_empty() && stage.kind != StageKind::Session {
        return Err("has `hops`, which only a session knows".to_owned());
    }
    if stage.jitter.is_some() && stage.kind != StageKind::Beacon {
        return Err("has `jitter`, which only a beacon knows".to_owned());
    }
    between("jitter", stage.jitter.unwrap_or(0.0), 0.0, 10.0)?;
    between("count", stage.count.unwrap_or(1).into(), 1.0, 100_000.0)?;
    between("port", stage.port.unwrap_or(1).into(), 1.0, 65_535.0)?;
    between("bytes_out", stage.bytes_out.unwrap_or(0) as f64, 0.0, 1e13)?;
    between("bytes_in", stage.bytes_in.unwrap_or(0) as f64, 0.0, 1e13)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CampaignsFile {
    #[serde(default)]
    campaign: Vec<CampaignSpec>,
}

/// Parses campaigns from TOML, a list of `[[campaign]]` tables; `name` names the file in errors. They are returned
/// by name, so that their order in the file does not matter.
///
/// # Errors
/// [`CorpusError::InvalidCampaigns`] with position, key and reason.
pub fn parse_campaigns(text: &str, name: &str) -> Result<Vec<CampaignSpec>, CorpusError> {
    let wrong = |message: String| CorpusError::InvalidCampaigns { path: name.to_owned(), message };
    let file: CampaignsFile = toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        let place = line.map_or_else(String::new, |line| format!("line {line}: "));
        wrong(format!("{place}{}", error.message()))
    })?;
    checked(file.campaign).map_err(wrong)
}

/// Fills in names, checks everything, and orders by name.
///
/// # Errors
/// A sentence that names the campaign and the key.
pub fn checked(campaigns: Vec<CampaignSpec>) -> Result<Vec<CampaignSpec>, String> {
    let mut campaigns = campaigns.into_iter().map(CampaignSpec::checked).collect::<Result<Vec<_>, _>>()?;
    campaigns.sort_by(|a, b| a.name.cmp(&b.name));
    match campaigns.windows(2).find(|two| two[0].name == two[1].name) {
        Some(two) => Err(format!("two campaigns have the name `{}`; expected a `name` for each", two[0].name)),
        None => Ok(campaigns),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        parse_campaigns(text, "c.toml").unwrap_err().to_string()
    }

    #[test]
    fn forms_and_stages_are_read_and_their_order_does_not_matter() {
        let text = "[[campaign]]\nform = 'worm'\nhosts = 5\n\n[[campaign]]\nname = 'a'\nbegin = '30h'\n\
            [[campaign.stage]]\nkind = 'beacon'\nfrom = 'x'\nto = 'c2'\nperiod = '90s'\n\
            [[campaign.stage]]\nkind = 'sweep'\nfrom = 'x'\nafter = '2h'\nport = 445\ncount = 30\n";
        let campaigns = parse_campaigns(text, "c.toml").unwrap();
        let names: Vec<&str> = campaigns.iter().map(|campaign| campaign.name.as_str()).collect();
        assert_eq!(names, ["a", "worm"]);
        assert_eq!(campaigns[0].stage[1].after, Some(Duration(7_200)));
        // Two hosts of five enter others: a beacon, two sweeps, four entries.
        assert!(campaigns[1].stage.is_empty());
        assert_eq!(campaigns[1].clone().with_stages().stage.len(), 1 + 2 + 4);
        let (first, second) = text.split_once("\n\n").unwrap();
        assert_eq!(parse_campaigns(&format!("{second}\n{first}\n"), "c.toml").unwrap(), campaigns);
    }

    #[test]
    fn mistakes_are_named_with_file_and_key() {
        for (text, expected) in [
            ("[[campaign]]\nform = 'classic'\ncopy = 2\n", "c.toml: line 3: unknown field `copy`"),
            ("[[campaign]]\nform = 'clasic'\n", "c.toml: line 2: unknown variant `clasic`"),
            ("[[campaign]]\nname = 'x'\n", "c.toml: campaign `x`: has no stage; expected `form` = classic, "),
            ("[[campaign]]\nname = 'x y'\n", "c.toml: `name` is `x y`; expected letters"),
            ("[[campaign]]\nform = 'classic'\nhosts = 3\n", "campaign `classic`: has `hosts`, which only the forms"),
            ("[[campaign]]\nform = 'classic'\nbegin = 'soon'\n", "line 3: "),
            ("[[campaign]]\nform = 'burst'\n[[campaign]]\nform = 'burst'\n", "two campaigns have the name `burst`"),
            (
                "[[campaign]]\nname = 'x'\n[[campaign.stage]]\nkind = 'pull'\nfrom = 'a'\n",
                "campaign `x`, stage `pull`: has no `to`",
            ),
            (
                "[[campaign]]\nname = 'x'\n[[campaign.stage]]\nkind = 'beacon'\nfrom = 'a'\nto = 'b'\nhop = 2\n",
                "c.toml: line 7: unknown field `hop`",
            ),
        ] {
            let error = error(text);
            assert!(error.contains(expected), "{error}");
        }
    }
}

//! How much somebody reads, and how much of it is new to them.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use access::{AccessHour, ActionClass, Log, Outcome};
use kernels::habit::{CountHabit, count_tail};

/// What may be read in bulk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Collection {
    /// Repositories.
    Repositories,
    /// Pages and tickets.
    Documents,
    /// Objects of S3.
    StoredObjects,
    /// Secrets and parameters.
    Secrets,
}

impl Collection {
    /// Returns the name under which tables know it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Repositories => "repositories",
            Self::Documents => "documents",
            Self::StoredObjects => "stored_objects",
            Self::Secrets => "secrets",
        }
    }

    /// Returns what a row reads of; `None` if it reads nothing that is counted. Of secrets, what is denied counts as well:
    /// asking for many is telling enough.
    pub fn of(row: &AccessHour<'_>) -> Option<Self> {
        let of = match row.service {
            _ if !matches!(row.action_class, ActionClass::Read | ActionClass::Download) => None,
            "bitbucket" => Some(Self::Repositories),
            "jira" | "confluence" if row.log == Log::AtlassianAudit => Some(Self::Documents),
            "s3" if row.action_class == ActionClass::Download => Some(Self::StoredObjects),
            "secretsmanager" if row.action.contains("SecretValue") => Some(Self::Secrets),
            "ssm" if row.action.starts_with("GetParameter") => Some(Self::Secrets),
            "ec2" if row.action == "GetPasswordData" => Some(Self::Secrets),
            _ => None,
        };
        of.filter(|of| row.outcome == Outcome::Success || *of == Self::Secrets && row.outcome == Outcome::Denied)
    }
}

/// What was read on one day.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// Hashes of the different things.
    pub objects: BTreeSet<u64>,
    /// Events.
    pub events: u64,
    /// Of them, downloads.
    pub downloads: u64,
    /// Bytes that left.
    pub bytes_out: u64,
}

impl Reading {
    /// Adds a row.
    pub fn add(&mut self, row: &AccessHour<'_>) {
        self.objects.extend(row.sums.objects.hashes());
        self.events += row.sums.events;
        if row.action_class == ActionClass::Download {
            self.downloads += row.sums.events;
        }
        self.bytes_out += row.sums.bytes_out;
    }
}

/// A day's reading of one collection, against the identity's own earlier days and its peers'.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgedReading {
    /// What was read.
    pub collection: Collection,
    /// Different things.
    pub objects: u64,
    /// Of them, those that the identity never read before.
    pub new_objects: u64,
    /// The most new ones on an earlier day.
    pub most_new: u64,
    /// Earlier days with reading.
    pub days: u64,
    /// Events, downloads and bytes of the day.
    pub counts: [u64; 3],
    /// The chance of so many new ones, from own earlier days and the peers' (see [`kernels::habit`]).
    pub p_new: f64,
    /// The most bytes of an earlier day.
    pub most_bytes: u64,
}

impl JudgedReading {
    /// At least so many new things may be a mass.
    pub const MASS_OBJECTS: u64 = 10;

    /// Returns whether it must not become a habit: many new things, far more than on any earlier day.
    pub fn is_mass(&self) -> bool {
        self.new_objects >= Self::MASS_OBJECTS && self.new_objects > 3 * self.most_new && self.p_new < 1e-3
    }
}

/// What an identity read of a collection so far.
#[derive(Debug, Clone, Default)]
pub struct ReadBefore {
    known: HashSet<u64>,
    days: u64,
    new_sum: u64,
    most_new: u64,
    most_bytes: u64,
}

/// What peers read of collections so far: new things and days, of people and of programs.
#[derive(Debug, Clone, Default)]
pub struct PeersRead {
    sums: BTreeMap<(bool, Collection), (u64, u64)>,
}

/// How many days the peers weigh.
const PEER_DAYS: f64 = 3.0;

impl PeersRead {
    fn mean(&self, is_program: bool, collection: Collection) -> f64 {
        let (new, days) = self.sums.get(&(is_program, collection)).copied().unwrap_or_default();
        (new as f64 + 0.5) / (days as f64 + 1.0)
    }
}

/// Judges a day's reading.
pub fn judge(
    collection: Collection,
    reading: &Reading,
    before: Option<&ReadBefore>,
    peers: &PeersRead,
    is_program: bool,
) -> JudgedReading {
    let none = ReadBefore::default();
    let before = before.unwrap_or(&none);
    let new_objects = reading.objects.iter().filter(|object| !before.known.contains(*object)).count() as u64;
    let habit = CountHabit {
        sum: before.new_sum,
        days: before.days,
        peer_mean: peers.mean(is_program, collection),
        peer_days: PEER_DAYS,
    };
    JudgedReading {
        collection,
        objects: reading.objects.len() as u64,
        new_objects,
        most_new: before.most_new,
        days: before.days,
        counts: [reading.events, reading.downloads, reading.bytes_out],
        p_new: count_tail(new_objects, 1, &habit),
        most_bytes: before.most_bytes,
    }
}

/// Makes a day's reading a habit.
pub fn learn(
    reading: &Reading,
    judged: &JudgedReading,
    before: &mut ReadBefore,
    peers: &mut PeersRead,
    is_program: bool,
) {
    // The first day of an identity shows what it knows already, not what it finds.
    if before.days > 0 {
        let sums = peers.sums.entry((is_program, judged.collection)).or_default();
        *sums = (sums.0 + judged.new_objects, sums.1 + 1);
        before.new_sum += judged.new_objects;
        before.most_new = before.most_new.max(judged.new_objects);
    } else {
        before.most_new = judged.new_objects;
        before.new_sum = judged.new_objects;
    }
    before.days += 1;
    before.known.extend(reading.objects.iter().copied());
    before.most_bytes = before.most_bytes.max(reading.bytes_out);
}

//! The ledgers of credentials and principals between runs: without an end, as what was used long ago is what counts.
//!
//! What a ledger knows only grows, and two ledgers merge to the same one in any order. So a run writes all that it knows to
//! a file of a name that tells its content, and then removes those that it had read, since the new one holds them. Of two
//! runs at once, both files stay, and the next run merges them. No lock is needed, and nothing counts twice.

use crate::source::{PutMode, SourceError, Store};
use access::{Credential, CredentialKind, Credentials, LedgerEntry, Log, Principals, Uses};
use flow::fnv::Fnv128;
use serde::{Deserialize, Serialize};

/// The folder of all versions.
pub(super) const FOLDER: &str = "ledgers";
/// The folder of this version.
const VERSION_FOLDER: &str = "ledgers/v1";
/// The first words of a file; the checksum of all that follows the line comes after them.
const MARK: &str = "flowsift ledgers 1 ";
/// How often files are listed anew when another run removed one meanwhile.
const LISTINGS: u32 = 4;

/// Ledgers, and the files that they were read from.
#[derive(Debug, Default)]
pub(super) struct KeptLedgers {
    pub(super) credentials: Credentials,
    pub(super) principals: Principals,
    files: Vec<String>,
    /// URLs of files that storage has damaged.
    pub(super) damaged: Vec<String>,
}

/// A line of a file: what is known of one credential (`kind` is its kind) or principal (`kind` is its log).
#[derive(Serialize, Deserialize)]
struct Line {
    of: Of,
    kind: String,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created_s: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first: Option<(i64, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    uses: Vec<(i64, i64)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reported: Vec<(i64, i64)>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Of {
    Credential,
    Principal,
}

/// Loads the ledgers of earlier runs.
///
/// # Errors
/// [`SourceError`] when the store cannot be read.
pub(super) async fn load(store: &Store) -> Result<KeptLedgers, SourceError> {
    store.sweep(VERSION_FOLDER).await;
    let mut listing = 1;
    loop {
        let (mut kept, mut is_complete) = (KeptLedgers::default(), true);
        for file in store.list(VERSION_FOLDER).await? {
            match store.get(&file.name).await? {
                Some(bytes) if kept.add(&bytes).is_some() => kept.files.push(file.name),
                Some(_) => kept.damaged.push(store.url_of(&file.name)),
                // A run at the same time removed it, and wrote one that holds it.
                None => is_complete = false,
            }
        }
        if is_complete || listing == LISTINGS {
            return Ok(kept);
        }
        listing += 1;
    }
}

/// Keeps ledgers, which hold those that were loaded.
///
/// # Errors
/// [`SourceError`] when the file cannot be written, or an older one not removed.
pub(super) async fn save(
    store: &Store,
    loaded: &KeptLedgers,
    credentials: &Credentials,
    principals: &Principals,
) -> Result<(), SourceError> {
    let lines = lines(credentials, principals);
    let mut hash = Fnv128::default();
    hash.write(lines.as_bytes());
    let name = format!("{VERSION_FOLDER}/{:032x}.jsonl", hash.finish());
    if !loaded.files.contains(&name) {
        let file = format!("{MARK}{:08x}\n{lines}", sum_of(lines.as_bytes()));
        store.put(&name, file.into(), PutMode::Overwrite).await?;
    }
    for file in loaded.files.iter().filter(|file| **file != name) {
        store.delete(file).await?;
    }
    Ok(())
}

fn sum_of(body: &[u8]) -> u32 {
    let mut sum = libdeflater::Crc::new();
    sum.update(body);
    sum.sum()
}

fn lines(credentials: &Credentials, principals: &Principals) -> String {
    let line = |of, kind: &str, name: &str, entry: &LedgerEntry| {
        let line = Line {
            of,
            kind: kind.to_owned(),
            name: name.to_owned(),
            created_s: entry.created_s,
            first: entry.first.clone(),
            uses: entry.uses.spells().to_vec(),
            reported: entry.reported.spells().to_vec(),
        };
        // A line of texts and numbers always has a form in JSON.
        serde_json::to_string(&line).map_or_else(|_| String::new(), |text| text + "\n")
    };
    let of_credentials =
        credentials.iter().map(|(one, entry)| line(Of::Credential, one.kind().name(), one.full(), entry));
    let of_principals = principals.iter().map(|(log, name, entry)| line(Of::Principal, log.name(), name, entry));
    of_credentials.chain(of_principals).collect()
}

impl KeptLedgers {
    /// Adds what a file holds; `None`, and nothing is added, if it is damaged.
    fn add(&mut self, file: &[u8]) -> Option<()> {
        let rest = file.strip_prefix(MARK.as_bytes())?;
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let (sum, body) = (str::from_utf8(&rest[..end]).ok()?, &rest[end + 1..]);
        if sum != format!("{:08x}", sum_of(body)) {
            return None;
        }
        let lines: Result<Vec<Line>, _> = serde_json::Deserializer::from_slice(body).into_iter().collect();
        let uses = |spells: &[(i64, i64)]| {
            let mut uses = Uses::default();
            spells.iter().for_each(|spell| uses.add_spell(*spell));
            uses
        };
        let (mut credentials, mut principals) = (Credentials::default(), Principals::default());
        for line in lines.ok()? {
            let (uses, reported) = (uses(&line.uses), uses(&line.reported));
            let entry = LedgerEntry { uses, reported, created_s: line.created_s, first: line.first };
            match line.of {
                Of::Credential => {
                    let kind = CredentialKind::of_name(&line.kind)?;
                    credentials.add_entry(&Credential::new(line.name.into(), kind), &entry);
                }
                Of::Principal => principals.add_entry(Log::of_name(&line.kind)?, &line.name, &entry),
            }
        }
        self.credentials.merge(&credentials);
        self.principals.merge(&principals);
        Some(())
    }
}

//! What access logs tell of actors: their credentials, their addresses, and who else came from these.

use super::{Accesses, ActorKey, Actors};
use access::{AccessHour, Identities, Tie, TieRule, Ties};
use flow::Address;
use flow::time::HOUR_S;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Credentials are followed over so many others that each made the next.
const MAX_CHAIN: usize = 5;

/// First and last second.
pub(in crate::incident) type Span = (i64, i64);

/// The addresses that a provider gives out together: /24 of IPv4, /48 of IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Network(u128);

impl Network {
    pub(super) fn of(address: Address) -> Self {
        let low = if address.is_v4() { 8 } else { 80 };
        Self(address.bits() & (u128::MAX << low))
    }

    /// Returns the network as text.
    pub(super) fn text(self) -> String {
        let first = Address::from_bits(self.0);
        if first.is_v4() { format!("{first}/24") } else { format!("{first}/48") }
    }
}

/// A principal that made or changed another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Made {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) span_s: Span,
    /// Whether it made the other, or only changed it.
    pub(super) is_new: bool,
    pub(super) log: &'static str,
}

/// A credential of one that made a credential of another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Chained {
    pub(super) from: String,
    pub(super) to: String,
    /// The last four characters of the credential that was made.
    pub(super) key: String,
    /// When it was used first.
    pub(super) at_s: i64,
}

/// What access logs tell of actors, by the names of [`Identities`].
#[derive(Debug, Default)]
pub(in crate::incident) struct Told {
    pub(in crate::incident) identities: Identities,
    /// Who came from each address of an actor, and from the other addresses of its network.
    pub(super) users: BTreeMap<Address, BTreeMap<String, Span>>,
    /// Whom balancers passed on, by address, and to which addresses.
    pub(super) served: BTreeMap<Address, BTreeMap<Address, Span>>,
    /// The instance of each role session of an instance.
    pub(super) instances: BTreeMap<String, String>,
    /// Which actor made or changed which other.
    pub(super) made: BTreeSet<Made>,
    /// Whose credentials made whose.
    pub(super) chains: BTreeSet<Chained>,
}

impl Told {
    /// Reads what `accesses` tell of actors, and adds to each actor the addresses that it came from for the first time
    /// while its findings go on. Without logs nothing is told but what findings say.
    pub(in crate::incident) fn read(
        actors: &mut Actors,
        identities: Identities,
        accesses: Option<Accesses<'_>>,
    ) -> Self {
        let mut told = Self { identities, ..Self::default() };
        let Some(accesses) = accesses.filter(|_| !actors.is_empty()) else { return told };
        let rows = accesses.hours.rows();
        let mut ties = Ties::default();
        let mut is_actor: HashMap<&str, bool> = HashMap::new();
        let acts = |principal: &str, told: &Self| {
            !principal.is_empty() && {
                let name = told.identities.of_principal(principal).into_owned();
                actors.contains_key(&ActorKey::Identity(name))
            }
        };
        let mut others: Vec<&AccessHour<'_>> = Vec::new();
        for row in &rows {
            if *is_actor.entry(row.principal).or_insert_with(|| acts(row.principal, &told)) {
                ties.add_hour(row);
            } else {
                others.push(row);
            }
        }
        let of_actors = ties.iter();
        told.add_new_sources(actors, &of_actors);
        let keys = told.chains_of(&of_actors, accesses.ties);
        let sources: BTreeSet<Address> = actors.values().flat_map(|actor| actor.sources.keys().copied()).collect();
        let networks: BTreeSet<Network> = sources.iter().map(|source| Network::of(*source)).collect();
        // Texts repeat from row to row.
        let mut is_near: HashMap<&str, bool> = HashMap::new();
        let near = |source: &str| {
            Address::parse(source.as_bytes()).is_some_and(|source| networks.contains(&Network::of(source)))
        };
        let mut of_others = Ties::default();
        for row in others {
            let is_near = *is_near.entry(row.source).or_insert_with(|| near(row.source));
            if is_near || keys.contains_key(row.credential.full()) {
                of_others.add_hour(row);
            }
        }
        of_others.merge(&ties);
        told.take(actors, &of_others.iter(), accesses.ties, &keys);
        told
    }

    /// Returns who an identity of a tie is.
    fn name(&self, identity: &str) -> String {
        self.identities.of_principal(identity).into_owned()
    }

    /// An address is an actor's where its findings name none, but it came from there then for the first time.
    fn add_new_sources(&self, actors: &mut Actors, ties: &[Tie<'_>]) {
        for tie in ties.iter().filter(|tie| tie.rule == TieRule::UsedFrom) {
            let Some(actor) = actors.get_mut(&ActorKey::Identity(self.name(tie.from()))) else { continue };
            let Ok(source) = tie.to().parse() else { continue };
            let while_told = |signal: &super::Signal| {
                signal.opens && tie.first_s >= signal.since_s - HOUR_S && tie.first_s <= signal.last_s
            };
            if actor.signals.iter().any(while_told) {
                actor.came_from(source, (tie.first_s, tie.last_s));
            }
        }
    }

    /// Returns the credentials that those of actors made, over [`MAX_CHAIN`] others at most, each with the actor whose
    /// credential came first.
    fn chains_of<'a>(&self, used: &[Tie<'a>], made: &'a Ties) -> BTreeMap<&'a str, String> {
        let of_actors = used.iter().filter(|tie| tie.rule == TieRule::UsedBy);
        let own: BTreeMap<&str, String> = of_actors.map(|tie| (tie.from(), self.name(tie.to()))).collect();
        let made: Vec<Tie<'_>> = made.iter().into_iter().filter(|tie| tie.rule == TieRule::Minted).collect();
        let mut keys: BTreeMap<&str, String> = BTreeMap::new();
        for _ in 0..MAX_CHAIN {
            let next: Vec<(&str, String)> = made
                .iter()
                .filter(|tie| !keys.contains_key(tie.to()))
                .filter_map(|tie| Some((tie.to(), keys.get(tie.from()).or_else(|| own.get(tie.from()))?.clone())))
                .collect();
            if next.is_empty() {
                break;
            }
            keys.extend(next);
        }
        keys
    }

    fn take(&mut self, actors: &Actors, uses: &[Tie<'_>], made: &Ties, keys: &BTreeMap<&str, String>) {
        for tie in uses {
            let span = (tie.first_s, tie.last_s);
            match tie.rule {
                TieRule::UsedFrom => {
                    let Ok(source) = tie.to().parse() else { continue };
                    let name = self.name(tie.from());
                    widen(self.users.entry(source).or_default().entry(name), span);
                }
                TieRule::Served => {
                    let (Ok(client), Ok(target)) = (tie.from().parse(), tie.to().parse()) else { continue };
                    widen(self.served.entry(client).or_default().entry(target), span);
                }
                TieRule::RanOn => {
                    self.instances.insert(self.name(tie.from()), tie.to().to_owned());
                }
                TieRule::UsedBy => {
                    let (Some(owner), user) = (keys.get(tie.from()), self.name(tie.to())) else { continue };
                    if *owner != user && actors.contains_key(&ActorKey::Identity(user.clone())) {
                        let key = tie.shown().0;
                        self.chains.insert(Chained { from: owner.clone(), to: user, key, at_s: tie.first_s });
                    }
                }
                _ => {}
            }
        }
        for tie in made.iter() {
            let is_new = tie.rule == TieRule::Created;
            if is_new || tie.rule == TieRule::Changed {
                let (from, to) = (self.name(tie.from()), self.name(tie.to()));
                self.made.insert(Made { from, to, span_s: (tie.first_s, tie.last_s), is_new, log: tie.log.name() });
            }
        }
    }
}

fn widen<K: Ord>(entry: std::collections::btree_map::Entry<'_, K, Span>, span: Span) {
    let known = entry.or_insert(span);
    *known = (known.0.min(span.0), known.1.max(span.1));
}

//! Who plays which role of a campaign: hosts inside, addresses outside.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::campaigns::spec::{CampaignSpec, Machine, StageKind};
use crate::random::{Purpose, Stream, mix2};
use crate::world::endpoints::{Endpoint, ExternalClass};
use crate::world::hubs::Hub;
use crate::world::{Role, World};

/// Numbers of outside addresses below this belong to planted attacks.
const FIRST_REMOTE: u32 = 1 << 20;

/// The hosts and addresses of one campaign, by role.
#[derive(Clone, Debug)]
pub struct Cast {
    /// Index in [`World::sites`].
    pub site: usize,
    inside: BTreeMap<String, u32>,
    outside: BTreeMap<String, Endpoint>,
}

/// One side of a stage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// A host, by its interface.
    Inside(u32),
    /// An address outside.
    Outside(Endpoint),
}

impl Side {
    /// Returns the endpoint of the side.
    pub const fn endpoint(self) -> Endpoint {
        match self {
            Self::Inside(host) => Endpoint::interface(host),
            Self::Outside(remote) => remote,
        }
    }
}

impl Cast {
    /// Returns who plays a role.
    pub fn side(&self, role: &str) -> Option<Side> {
        let outside = self.outside.get(role).copied().map(Side::Outside);
        outside.or_else(|| self.inside.get(role).copied().map(Side::Inside))
    }
}

/// Assigns roles to hosts without one.
#[derive(Debug)]
pub struct Casting<'w> {
    world: &'w World,
    /// Hosts without a role by site, in an order drawn once.
    free: Vec<Vec<u32>>,
    next_remote: u32,
}

impl<'w> Casting<'w> {
    /// Begins with all hosts but the attacked ones.
    pub fn new(world: &'w World, attacked: &HashSet<u32>) -> Self {
        let free = world.sites.iter().enumerate().map(|(number, site)| {
            let mut draw = Stream::new(world.seed, Purpose::Campaign, u64::MAX, number as u64);
            let mut hosts: Vec<u32> = (site.hosts.0..site.hosts.1).filter(|host| !attacked.contains(host)).collect();
            for last in (1..hosts.len()).rev() {
                hosts.swap(last, draw.below(last as u64 + 1) as usize);
            }
            hosts
        });
        Self { world, free: free.collect(), next_remote: FIRST_REMOTE }
    }

    /// Returns the hosts that are still without a role, by site, in the order of their numbers.
    pub fn bystanders(mut self) -> Vec<Vec<u32>> {
        self.free.iter_mut().for_each(|hosts| hosts.sort_unstable());
        self.free
    }

    /// Gives the roles of a campaign hosts of a site, and addresses outside.
    ///
    /// # Errors
    /// A sentence when a role is on both sides, or when there are not enough hosts.
    pub fn cast(&mut self, spec: &CampaignSpec, site: usize) -> Result<Cast, String> {
        let outside = outside_roles(spec)?;
        let inside = inside_roles(spec, &outside);
        if let Some(role) =
            spec.machines.keys().find(|role| !inside.contains(role.as_str()) && !outside.contains(role.as_str()))
        {
            return Err(format!("`machines` names the role `{role}`, which no stage has"));
        }
        let mut cast = Cast { site, inside: BTreeMap::new(), outside: BTreeMap::new() };
        for role in outside {
            let remote = self
                .remote(spec.machines.get(role).copied().unwrap_or(Machine::Own))
                .ok_or_else(|| format!("the role `{role}` lies outside; expected `own` or `service` as its machine"))?;
            cast.outside.insert(role.to_owned(), remote);
        }
        for role in inside {
            let host = self.host(spec, role, site)?;
            cast.inside.insert(role.to_owned(), host);
        }
        Ok(cast)
    }

    fn remote(&mut self, machine: Machine) -> Option<Endpoint> {
        self.next_remote += 1;
        match machine {
            Machine::Own => Some(Endpoint::external(ExternalClass::Attack, self.next_remote, false)),
            // Popular, but not one of the few that belong to a known owner.
            Machine::Service => {
                let ranks = 40..400;
                let skip = mix2(self.world.seed, self.next_remote.into()) % 100;
                let services = ranks.map(|rank| (self.world.service(rank), self.world.service_port(rank)));
                let mut https = services.filter(|(service, port)| !service.is_v6() && port.0 == 443);
                https.nth(skip as usize).map(|(service, _)| service)
            }
            _ => None,
        }
    }

    fn host(&mut self, spec: &CampaignSpec, role: &str, site: usize) -> Result<u32, String> {
        let machine = spec.machines.get(role).copied();
        if machine == Some(Machine::Jump)
            && let Some(jump) = self.world.hub(self.world.sites[site].hosts.0, Hub::Jump)
        {
            return Ok(jump);
        }
        let is_entered = spec.stage.iter().any(|s| s.kind == StageKind::Exposure && s.to.as_deref() == Some(role));
        let is_pulled = spec.stage.iter().any(|s| s.kind == StageKind::Pull && s.to.as_deref() == Some(role));
        let world = self.world;
        let fits = |host: u32| {
            let interface = world.interface(host);
            match machine {
                Some(machine) => Some(interface.role) == role_of(machine),
                // Who has no public address cannot be entered from outside.
                None if is_entered => interface.nat.is_none() && interface.role != Role::Database,
                None => (interface.role == Role::Database) == is_pulled,
            }
        };
        let free = &mut self.free[site];
        let found = free.iter().position(|host| fits(*host));
        // A small site runs out of databases.
        let found = found.or_else(|| (machine.is_none() && !is_entered && !free.is_empty()).then_some(0));
        let found = found.ok_or_else(|| {
            let kind = machine.map_or_else(|| "such".to_owned(), |machine| format!("{machine:?}").to_lowercase());
            format!("no {kind} host is left for the role `{role}`; use more hosts, or fewer campaigns")
        })?;
        Ok(free.remove(found))
    }
}

const fn role_of(machine: Machine) -> Option<Role> {
    match machine {
        Machine::Web => Some(Role::Web),
        Machine::App => Some(Role::App),
        Machine::Database => Some(Role::Database),
        Machine::Worker => Some(Role::Worker),
        Machine::Bastion | Machine::Jump => Some(Role::Bastion),
        Machine::Build => Some(Role::Build),
        Machine::Own | Machine::Service => None,
    }
}

/// Returns the roles outside: whom implants call, where data goes to, and who comes in.
fn outside_roles(spec: &CampaignSpec) -> Result<BTreeSet<&str>, String> {
    use StageKind::{Beacon, Exposure, Guessing, Session, Upload};
    let mut outside = BTreeSet::new();
    for stage in &spec.stage {
        match stage.kind {
            Beacon | Upload => outside.extend(stage.to.as_deref()),
            Exposure => outside.extend([stage.from.as_str()]),
            _ => {}
        }
    }
    for stage in &spec.stage {
        let from = Some(stage.from.as_str()).filter(|_| !matches!(stage.kind, Exposure | Session | Guessing));
        let to = stage.to.as_deref().filter(|_| !matches!(stage.kind, Beacon | Upload));
        let mut inside = from.into_iter().chain(to).chain(stage.hops.iter().map(String::as_str));
        if let Some(role) = inside.find(|role| outside.contains(role)) {
            return Err(format!("the role `{role}` lies outside in one stage and inside in `{}`", stage.title()));
        }
    }
    Ok(outside)
}

fn inside_roles<'s>(spec: &'s CampaignSpec, outside: &BTreeSet<&str>) -> BTreeSet<&'s str> {
    let named = spec.stage.iter().flat_map(|stage| {
        let hops = stage.hops.iter().map(String::as_str);
        [Some(stage.from.as_str()), stage.to.as_deref()].into_iter().flatten().chain(hops)
    });
    named.filter(|role| !outside.contains(role)).collect()
}

//! Hubs: machines that many hosts of a site use, or that visit many hosts.

use serde::Serialize;

use crate::error::CorpusError;
use crate::options::GenerateOptions;
use crate::random::{mix2, share_of};
use crate::world::{Interface, Role, Subnet, World, address_in};

/// The share of a site's hosts (0 to 1) that has to do with each hub; a hub with share 0 does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct HubShares {
    /// Hosts that log on at a directory server and resolve names there: ports 53, 88 and 389.
    pub directory: f64,
    /// Hosts whose people enter others over a jump host at working hours: port 22.
    pub jump: f64,
    /// Hosts that a deployment host visits in waves at working hours: port 22, or 5985.
    pub deployment: f64,
    /// Hosts that a monitoring server polls: port 9100.
    pub monitoring: f64,
    /// Hosts that a vulnerability scanner tries every night: ports 22, 443, 445 and 3389.
    pub scanner: f64,
}

impl Default for HubShares {
    fn default() -> Self {
        Self { directory: 0.9, jump: 0.08, deployment: 0.6, monitoring: 1.0, scanner: 1.0 }
    }
}

impl HubShares {
    /// No hub at all.
    pub const NONE: Self = Self { directory: 0.0, jump: 0.0, deployment: 0.0, monitoring: 0.0, scanner: 0.0 };

    const NAMES: [&str; 5] = ["directory", "jump", "deployment", "monitoring", "scanner"];

    /// Returns whether there is no hub.
    pub fn is_none(&self) -> bool {
        self.values().iter().all(|share| *share <= 0.0)
    }

    /// Returns the shares in the order of `Hub`.
    pub const fn values(&self) -> [f64; 5] {
        [self.directory, self.jump, self.deployment, self.monitoring, self.scanner]
    }

    /// Parses `on`, `off`, or shares such as `jump=0.2,scanner=0`; what is not named keeps its default.
    ///
    /// # Errors
    /// [`CorpusError::InvalidOption`] with the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, CorpusError> {
        let mut shares = Self::default();
        match text.trim() {
            "on" => return Ok(shares),
            "off" => return Ok(Self::NONE),
            _ => {}
        }
        for part in text.split(',') {
            let wrong = || {
                let names = Self::NAMES.join(", ");
                CorpusError::option("hubs", part, format!("on, off, or NAME=SHARE with one of {names}"))
            };
            let (name, share) = part.split_once('=').ok_or_else(wrong)?;
            let share: f64 = share.trim().parse().map_err(|_| wrong())?;
            let place = match name.trim() {
                "directory" => &mut shares.directory,
                "jump" => &mut shares.jump,
                "deployment" => &mut shares.deployment,
                "monitoring" => &mut shares.monitoring,
                "scanner" => &mut shares.scanner,
                _ => return Err(wrong()),
            };
            *place = share;
        }
        shares.validate()?;
        Ok(shares)
    }

    /// Checks that every share lies between 0 and 1.
    ///
    /// # Errors
    /// [`CorpusError::InvalidOption`] names the first that does not.
    pub fn validate(&self) -> Result<(), CorpusError> {
        match self.values().iter().zip(Self::NAMES).find(|(share, _)| !(0.0..=1.0).contains(*share)) {
            Some((share, name)) => {
                Err(CorpusError::option("hubs", format_args!("{name}={share}"), "a share from 0 to 1"))
            }
            None => Ok(()),
        }
    }
}

/// A kind of hub.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Hub {
    /// Serves names, log-ons and groups.
    Directory,
    /// People enter other hosts over it.
    Jump,
    /// Installs software.
    Deployment,
    /// Polls.
    Monitoring,
    /// Looks for holes every night.
    Scanner,
}

impl Hub {
    /// Every hub, in the order of their interfaces.
    pub const ALL: [Self; 5] = [Self::Directory, Self::Jump, Self::Deployment, Self::Monitoring, Self::Scanner];

    /// Returns the role of its interface.
    pub const fn role(self) -> Role {
        match self {
            Self::Directory => Role::Directory,
            Self::Jump => Role::Jump,
            Self::Deployment => Role::Deployment,
            Self::Monitoring => Role::Monitoring,
            Self::Scanner => Role::Scanner,
        }
    }
}

impl World {
    /// Adds the hubs of a site that has them, in a subnet of their own.
    pub(super) fn add_hubs(&mut self, number: u16, options: &GenerateOptions, next_block: &mut u32) {
        self.subnets.push(Subnet { zone: 1 });
        let subnet = self.subnets.len() as u32 - 1;
        *next_block += 1;
        for (n, hub) in Hub::ALL.into_iter().enumerate() {
            if self.hubs.values()[n] <= 0.0 {
                continue;
            }
            let index = self.interfaces.len() as u32;
            self.sites[usize::from(number)].hubs[n] = Some(index);
            let phase = mix2(self.seed ^ 0x77, u64::from(index)) % u64::from(options.window_s);
            self.interfaces.push(Interface {
                role: hub.role(),
                site: number,
                subnet,
                v4: address_in(*next_block - 1, n as u32),
                phase_s: phase as u16,
                nat: None,
                weight: 0.0,
            });
        }
    }

    /// Returns the interface of a hub in the site of a host, if the corpus has it.
    pub fn hub(&self, host: u32, hub: Hub) -> Option<u32> {
        self.site_of(host).hubs[hub as usize]
    }

    /// Returns the interface of a hub for a host that has to do with it.
    pub fn hub_of(&self, host: u32, hub: Hub) -> Option<u32> {
        let draw = mix2(self.seed ^ 0x4b, u64::from(host) << 3 | hub as u64);
        self.hub(host, hub).filter(|_| share_of(draw) < self.hubs.values()[hub as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_and_mistakes_named() {
        assert_eq!(HubShares::parse("on").unwrap(), HubShares::default());
        assert!(HubShares::parse("off").unwrap().is_none());
        let some = HubShares::parse("jump=0.2, scanner=0").unwrap();
        assert_eq!(some, HubShares { jump: 0.2, scanner: 0.0, ..HubShares::default() });
        for (text, expected) in [
            ("maybe", "option `hubs` is maybe; expected on, off, or NAME=SHARE with one of directory, "),
            ("proxy=0.1", "option `hubs` is proxy=0.1; expected on"),
            ("jump=2", "option `hubs` is jump=2; expected a share from 0 to 1"),
        ] {
            let error = HubShares::parse(text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn hubs_exist_from_two_hundred_hosts_and_change_no_other_interface() {
        let world = |hosts, hubs| World::new(&GenerateOptions { hosts, hubs, ..Default::default() });
        assert!(world(199, None).sites[0].hubs.iter().all(Option::is_none));
        let (with, without) = (world(200, None), world(200, Some(HubShares::NONE)));
        assert_eq!(with.interfaces.len(), without.interfaces.len() + 5);
        let shown = |world: &World, n: usize| format!("{:?}", world.interfaces[n]);
        assert!((0..without.interfaces.len()).all(|n| shown(&with, n) == shown(&without, n)));
        for hub in Hub::ALL {
            assert_eq!(with.interface(with.hub(7, hub).unwrap()).role, hub.role());
        }
        let users = (0..200).filter(|host| with.hub_of(*host, Hub::Directory).is_some()).count();
        assert!((160..=195).contains(&users), "{users}");
    }
}

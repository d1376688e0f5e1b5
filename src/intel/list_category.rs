//! The category of a list, by the name of its feed and by what its entries say: Tor, mining, or other.

/// What the address of an indicator is listed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListCategory {
    /// A relay, exit or bridge of the Tor network.
    Tor,
    /// A pool or server of cryptocurrency mining.
    Mining,
    /// Anything else: controllers, scanners, spammers, hijacked networks.
    Other,
}

impl ListCategory {
    /// Returns the word that SQL uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tor => "tor",
            Self::Mining => "mining",
            Self::Other => "other",
        }
    }

    /// Reads the word that SQL uses.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Tor, Self::Mining, Self::Other].into_iter().find(|category| category.as_str() == word)
    }

    /// Returns the category by the feed's name, such as `tor-exit-nodes.txt`, and by the malware that the feed names for
    /// the entry, such as `CoinMiner`. The entry takes precedence.
    pub fn of(source: &str, malware: Option<&str>) -> Self {
        let own = malware.map_or(Self::Other, Self::of_text);
        if own == Self::Other { Self::of_text(source) } else { own }
    }

    fn of_text(text: &str) -> Self {
        let text = text.to_ascii_lowercase();
        let words = || text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        // `torpig` and `torrent` have nothing to do with Tor.
        let tor = |word: &str| {
            word.strip_prefix("tor").is_some_and(|rest| {
                ["", "exit", "exits", "node", "nodes", "relay", "relays", "bulkexitlist", "list", "project", "client"]
                    .contains(&rest)
            })
        };
        let mining = |word: &str| {
            ["mining", "miner", "miners", "stratum", "xmrig", "monero"].contains(&word)
                || word
                    .strip_prefix("coin")
                    .or(word.strip_prefix("crypto"))
                    .is_some_and(|rest| ["mining", "miner", "miners", "jacking", "jacker"].contains(&rest))
        };
        if words().any(tor) {
            Self::Tor
        } else if words().any(mining) {
            Self::Mining
        } else {
            Self::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_give_the_category_of_a_list() {
        for (source, malware, expected) in [
            ("tor-exit-nodes.txt", None, ListCategory::Tor),
            ("torbulkexitlist", None, ListCategory::Tor),
            ("dan.me.uk_TOR.csv", None, ListCategory::Tor),
            ("mining_pools.netset", None, ListCategory::Mining),
            ("own.csv", Some("CoinMiner"), ListCategory::Mining),
            ("own.csv", Some("XMRig pool"), ListCategory::Mining),
            ("mining.csv", Some("Tor relay"), ListCategory::Tor),
            ("feodo.csv", Some("Torpig"), ListCategory::Other),
            ("torrents.txt", None, ListCategory::Other),
            ("determining.txt", Some("Emotet"), ListCategory::Other),
        ] {
            assert_eq!(ListCategory::of(source, malware), expected, "{source} {malware:?}");
        }
    }
}

//! What a list is about, by its name and its words: anonymity networks, mining, or anything bad.

/// What an indicator says of its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Listing {
    /// A relay, exit or bridge of the Tor network.
    Tor,
    /// A pool or server of cryptocurrency mining.
    Mining,
    /// All else: controllers, scanners, spammers, hijacked networks.
    Other,
}

impl Listing {
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
        [Self::Tor, Self::Mining, Self::Other].into_iter().find(|listing| listing.as_str() == word)
    }

    /// Tells the listing from the feed's name, such as `tor-exit-nodes.txt`, and from what the feed says of the entry,
    /// such as `CoinMiner`. The entry's own word goes first.
    pub fn of(source: &str, malware: Option<&str>) -> Self {
        let own = malware.map_or(Self::Other, Self::of_text);
        if own == Self::Other { Self::of_text(source) } else { own }
    }

    fn of_text(text: &str) -> Self {
        let text = text.to_ascii_lowercase();
        let words = || text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        // `torpig` and `torrent` are other things.
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
    fn names_tell_what_a_list_is_about() {
        for (source, malware, expected) in [
            ("tor-exit-nodes.txt", None, Listing::Tor),
            ("torbulkexitlist", None, Listing::Tor),
            ("dan.me.uk_TOR.csv", None, Listing::Tor),
            ("mining_pools.netset", None, Listing::Mining),
            ("own.csv", Some("CoinMiner"), Listing::Mining),
            ("own.csv", Some("XMRig pool"), Listing::Mining),
            ("mining.csv", Some("Tor relay"), Listing::Tor),
            ("feodo.csv", Some("Torpig"), Listing::Other),
            ("torrents.txt", None, Listing::Other),
            ("determining.txt", Some("Emotet"), Listing::Other),
        ] {
            assert_eq!(Listing::of(source, malware), expected, "{source} {malware:?}");
        }
    }
}

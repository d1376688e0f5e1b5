//! What a finding is about, without its window, and the hashes that name it.

use flow::Address;
use flow::codes::Role;
use flow::fnv::Fnv128;

/// What a finding is about: the fields that are the same tomorrow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Subject<'a> {
    /// The detection's name.
    pub detection: &'a str,
    /// The AWS account.
    pub account_id: Option<&'a str>,
    /// The AWS region.
    pub region: Option<&'a str>,
    /// The monitored side.
    pub host: Option<Address>,
    /// The other side.
    pub remote: Option<Address>,
    /// The service's port.
    pub port: Option<u16>,
    /// The IANA protocol number.
    pub protocol: Option<u8>,
    /// The host's role.
    pub role: Option<Role>,
    /// The user, role or service account.
    pub principal: Option<&'a str>,
    /// The key, token or session.
    pub credential: Option<&'a str>,
    /// The kind of what was touched.
    pub object_kind: Option<&'a str>,
}

impl Subject<'_> {
    /// Returns the subject's stable hash: 32 hex characters.
    ///
    /// FNV-1a, 128 bits (Fowler, Noll, Vo; offset 0x6c62272e07bb014262b821756295c58d, prime 2⁸⁸ + 0x13b), over the
    /// fields in their order. Each field is hashed as its length in bytes (unsigned 32 bits, little endian) and its
    /// bytes; an absent field is the length 0xffffffff alone. Texts are UTF-8, addresses their 16 bytes in network
    /// order (IPv4 as v4-mapped), port 2 bytes and protocol 1, little endian; the role is its word. The regions of an
    /// account may use the same private addresses, and a pair may call each other on one port: without region and role,
    /// two findings would have one subject.
    #[must_use]
    pub fn hash(&self) -> String {
        format!("{:032x}", self.hashed().finish())
    }

    /// Returns the id of a finding about the subject in a window: the hash of [`Subject::hash`] goes on with the window's
    /// first second and the first second after it, 8 bytes each, little endian. 32 hex characters.
    #[must_use]
    pub fn id(&self, window_start_s: i64, window_end_s: i64) -> String {
        let mut hash = self.hashed();
        write_field(&mut hash, Some(&window_start_s.to_le_bytes()));
        write_field(&mut hash, Some(&window_end_s.to_le_bytes()));
        format!("{:032x}", hash.finish())
    }

    fn hashed(&self) -> Fnv128 {
        let mut hash = Fnv128::default();
        let address = |address: Option<Address>| address.map(Address::to_bytes);
        write_field(&mut hash, Some(self.detection.as_bytes()));
        write_field(&mut hash, self.account_id.map(str::as_bytes));
        write_field(&mut hash, self.region.map(str::as_bytes));
        write_field(&mut hash, address(self.host).as_ref().map(|bytes| bytes.as_slice()));
        write_field(&mut hash, address(self.remote).as_ref().map(|bytes| bytes.as_slice()));
        write_field(&mut hash, self.port.map(u16::to_le_bytes).as_ref().map(|bytes| bytes.as_slice()));
        write_field(&mut hash, self.protocol.map(u8::to_le_bytes).as_ref().map(|bytes| bytes.as_slice()));
        write_field(&mut hash, self.role.map(|role| role.as_str().as_bytes()));
        write_field(&mut hash, self.principal.map(str::as_bytes));
        write_field(&mut hash, self.credential.map(str::as_bytes));
        write_field(&mut hash, self.object_kind.map(str::as_bytes));
        hash
    }
}

fn write_field(hash: &mut Fnv128, bytes: Option<&[u8]>) {
    let length = bytes.map_or(u32::MAX, |bytes| bytes.len() as u32);
    hash.write(&length.to_le_bytes());
    hash.write(bytes.unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a_of_128_bits() {
        // From the authors' test vectors.
        for (text, expected) in [
            ("", 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128),
            ("a", 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964),
            ("foobar", 0x343e_1662_793c_64bf_6f0d_3597_ba44_6f18),
        ] {
            let mut hash = Fnv128::default();
            hash.write(text.as_bytes());
            assert_eq!(hash.finish(), expected, "{text}");
        }
    }

    #[test]
    fn subjects_differ_in_every_field_and_stay_for_ever() {
        let base = Subject {
            detection: "beacon",
            account_id: Some("1"),
            region: Some("eu-west-1"),
            host: "10.0.0.1".parse().ok(),
            remote: "8.8.8.8".parse().ok(),
            port: Some(443),
            protocol: Some(6),
            role: Some(Role::Client),
            ..Subject::default()
        };
        let subjects = [
            base,
            Subject { detection: "beaco", account_id: Some("n1"), ..base },
            Subject { account_id: None, ..base },
            Subject { account_id: Some(""), ..base },
            Subject { region: None, ..base },
            Subject { region: Some("us-east-1"), ..base },
            Subject { host: "10.0.0.2".parse().ok(), ..base },
            Subject { host: None, ..base },
            Subject { remote: None, ..base },
            Subject { port: None, ..base },
            Subject { port: Some(6), ..base },
            Subject { protocol: None, ..base },
            Subject { role: Some(Role::Server), ..base },
            Subject { role: None, ..base },
            Subject { principal: Some("svc-jira"), ..base },
            Subject { credential: Some("svc-jira"), ..base },
            Subject { object_kind: Some("svc-jira"), ..base },
        ];
        let mut hashes: Vec<String> = subjects.iter().map(Subject::hash).collect();
        hashes.extend([base.id(0, 3_600), base.id(1, 3_600), base.id(0, 3_601)]);
        assert!(hashes.iter().all(|hash| hash.len() == 32));
        assert_eq!(hashes[0], "51f9c20850c31a4b95c7c47fb690d4e1");
        let count = hashes.len();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), count);
    }
}

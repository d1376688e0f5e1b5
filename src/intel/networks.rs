//! Owners of addresses: AWS's ip-ranges.json, CSV of networks, CSV of ranges with AS numbers.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;

use super::error::{IntelError, Warning, WarningKind, WarningTally, read_text};
use super::ranges::{AddressBlock, RangeMap};
use super::row::split_row;
use flow::{Address, Network};

/// The owner's name for all of ip-ranges.json.
pub const AWS_OWNER: &str = "Amazon Web Services";

const EXPECTED_CSV: &str =
    "`cidr,owner[,service][,region]` or `start,end,asn,\"organisation\"`, such as `203.0.113.0/24,Example,cdn,eu`";
const EXPECTED_JSON: &str = "AWS's ip-ranges.json with `prefixes` and `ipv6_prefixes`";

/// The owner of an address and the service there, as far as the lists state them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetworkOwner<'a> {
    /// The owner's name, such as `Amazon Web Services`.
    pub owner: &'a str,
    /// The service by its owner's name for it, such as `S3`.
    pub service: Option<&'a str>,
    /// The region by its owner's name for it, such as `eu-central-1`.
    pub region: Option<&'a str>,
    /// The number of the autonomous system.
    pub asn: Option<u32>,
}

/// The networks of a run by owner, service and region, looked up by address in O(log n).
///
/// Takes about 150 bytes a network; each text is held once.
#[derive(Debug, Default)]
pub struct Networks {
    map: RangeMap<NetworkRow>,
    texts: Vec<String>,
    warnings: Vec<Warning>,
}

/// One network, its texts as indices.
#[derive(Debug, Clone, Copy)]
struct NetworkRow {
    owner: u32,
    service: Option<u32>,
    region: Option<u32>,
    asn: Option<u32>,
    /// Orders rows of one block: 0 for a particular service, 1 for EC2, 2 for all of Amazon.
    generality: u8,
    is_aws: bool,
}

impl Networks {
    /// Reads network files: ip-ranges.json or CSV, by their content.
    ///
    /// Rows that cannot be read are left out and counted in [`Networks::warnings`].
    ///
    /// # Errors
    /// [`IntelError::Read`] when a file cannot be read, [`IntelError::NothingReadable`] when it has rows and none of
    /// them can be read.
    pub fn load<P: AsRef<Path>>(paths: &[P]) -> Result<Self, IntelError> {
        let mut loader = Loader::default();
        for path in paths {
            loader.add(path.as_ref(), &read_text(path.as_ref())?)?;
        }
        Ok(loader.finish())
    }

    /// Reads lists from their texts; the path is for messages only.
    ///
    /// # Errors
    /// [`IntelError::NothingReadable`] when a text has rows and none of them can be read.
    pub fn from_texts<'a>(lists: impl IntoIterator<Item = (&'a Path, &'a str)>) -> Result<Self, IntelError> {
        let mut loader = Loader::default();
        for (path, text) in lists {
            loader.add(path, text)?;
        }
        Ok(loader.finish())
    }

    /// Returns the warnings about rows that were left out: one for each file and reason.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Returns the number of blocks known.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Returns whether no network is known.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Returns the owner of the most specific network that holds `address`.
    ///
    /// In ip-ranges.json, every block of a service is also part of `AMAZON` and mostly of `EC2`: a particular service
    /// wins over both, even with a wider block. The AS number is that of the most specific row that has one; an AS row of
    /// Amazon gets its service and region from AWS's list.
    pub fn lookup(&self, address: Address) -> Option<NetworkOwner<'_>> {
        let mut narrowest: Option<&NetworkRow> = None;
        let mut aws: Option<&NetworkRow> = None;
        let mut asn = None;
        for row in self.map.matches(address).flat_map(|(_, rows)| rows) {
            narrowest = narrowest.or(Some(row));
            asn = asn.or(row.asn);
            if row.is_aws && aws.is_none_or(|best| row.generality < best.generality) {
                aws = Some(row);
            }
        }
        let narrowest = narrowest?;
        let is_amazon = narrowest.is_aws
            || (narrowest.service.is_none() && self.text(narrowest.owner).to_ascii_lowercase().contains("amazon"));
        let row = aws.filter(|_| is_amazon).unwrap_or(narrowest);
        Some(NetworkOwner {
            owner: self.text(row.owner),
            service: row.service.map(|text| self.text(text)),
            region: row.region.map(|text| self.text(text)),
            asn,
        })
    }

    /// Returns all networks and their owners, by first address.
    pub fn entries(&self) -> impl Iterator<Item = (AddressBlock, NetworkOwner<'_>)> {
        self.map.iter().map(|(block, row)| {
            let text = |index: u32| self.text(index);
            let (service, region) = (row.service.map(text), row.region.map(text));
            (block, NetworkOwner { owner: self.text(row.owner), service, region, asn: row.asn })
        })
    }

    fn text(&self, index: u32) -> &str {
        self.texts.get(index as usize).map_or("", String::as_str)
    }
}

/// One entry of ip-ranges.json.
#[derive(Debug, Deserialize)]
struct AwsPrefix {
    #[serde(alias = "ipv6_prefix")]
    ip_prefix: String,
    region: String,
    service: String,
}

/// The parts of ip-ranges.json that are needed.
#[derive(Debug, Deserialize)]
struct AwsRanges {
    prefixes: Vec<AwsPrefix>,
    #[serde(default)]
    ipv6_prefixes: Vec<AwsPrefix>,
}

/// Lists being read.
#[derive(Default)]
struct Loader {
    rows: Vec<(AddressBlock, NetworkRow)>,
    texts: Vec<String>,
    text_index: HashMap<String, u32>,
    warnings: Vec<Warning>,
}

impl Loader {
    fn add(&mut self, path: &Path, text: &str) -> Result<(), IntelError> {
        let mut tally = WarningTally::new(path);
        let (tried, expected) = if text.trim_start().starts_with('{') {
            (self.read_aws(text, &mut tally), EXPECTED_JSON)
        } else {
            (self.read_csv(text, &mut tally), EXPECTED_CSV)
        };
        self.warnings.extend(tally.finish(tried, expected)?);
        Ok(())
    }

    fn finish(mut self) -> Networks {
        // Stable: rows of one block and generality keep the order of the files.
        self.rows.sort_by_key(|(_, row)| row.generality);
        Networks { map: RangeMap::build(self.rows), texts: self.texts, warnings: self.warnings }
    }

    fn intern(&mut self, text: &str) -> u32 {
        if let Some(index) = self.text_index.get(text) {
            return *index;
        }
        let index = self.texts.len() as u32;
        self.texts.push(text.to_owned());
        self.text_index.insert(text.to_owned(), index);
        index
    }

    fn read_aws(&mut self, text: &str, tally: &mut WarningTally) -> u64 {
        let ranges: AwsRanges = match serde_json::from_str(text) {
            Ok(ranges) => ranges,
            Err(error) => {
                let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
                tally.add(WarningKind::Unreadable, error.line() as u64, line, EXPECTED_JSON);
                return 1;
            }
        };
        let owner = self.intern(AWS_OWNER);
        let mut tried = 0;
        for prefix in ranges.prefixes.iter().chain(&ranges.ipv6_prefixes) {
            tried += 1;
            let Ok(network) = prefix.ip_prefix.parse::<Network>() else {
                tally.add(WarningKind::Unreadable, tried, &prefix.ip_prefix, EXPECTED_JSON);
                continue;
            };
            let generality = match prefix.service.as_str() {
                "AMAZON" => 2,
                "EC2" => 1,
                _ => 0,
            };
            let (service, region) = (Some(self.intern(&prefix.service)), Some(self.intern(&prefix.region)));
            self.rows
                .push((network.into(), NetworkRow { owner, service, region, asn: None, generality, is_aws: true }));
        }
        tried
    }

    fn read_csv(&mut self, text: &str, tally: &mut WarningTally) -> u64 {
        let mut tried = 0;
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.trim_start().starts_with('#') {
                continue;
            }
            let row = split_row(line);
            // A first row without any address is the header.
            let first = row.as_ref().and_then(|row| row.first()).map(Cow::as_ref);
            if tried == 0 && matches!(first, Some("cidr" | "network" | "prefix" | "start")) {
                continue;
            }
            tried += 1;
            if row.and_then(|row| self.add_row(&row)).is_none() {
                tally.add(WarningKind::Unreadable, index as u64 + 1, line, EXPECTED_CSV);
            }
        }
        tried
    }

    /// Adds one CSV row; `None` when it is neither of the two forms.
    fn add_row(&mut self, row: &[Cow<'_, str>]) -> Option<()> {
        let first = row.first()?;
        let second = row.get(1).filter(|text| !text.is_empty())?;
        let field = |index: usize| row.get(index).map(Cow::as_ref).filter(|text| !text.is_empty());
        if let Some(last) = Address::parse(second.as_bytes()) {
            let asn: u32 = field(2)?.trim_start_matches("AS").parse().ok()?;
            let owner = field(3).map_or_else(|| format!("AS{asn}"), str::to_owned);
            let first = first.parse::<Address>().ok()?;
            if first > last || first.is_v4() != last.is_v4() {
                return None;
            }
            let row = NetworkRow {
                owner: self.intern(&owner),
                service: None,
                region: None,
                asn: Some(asn),
                generality: 0,
                is_aws: false,
            };
            self.rows.extend(AddressBlock::cover(first, last).into_iter().map(|block| (block, row)));
        } else {
            let network: Network = first.parse().ok()?;
            let owner = self.intern(second);
            let (service, region) = (field(2).map(|text| self.intern(text)), field(3).map(|text| self.intern(text)));
            self.rows
                .push((network.into(), NetworkRow { owner, service, region, asn: None, generality: 0, is_aws: false }));
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AWS: &str = r#"{"syncToken":"1","createDate":"2024-04-19-00-00-00","prefixes":[
        {"ip_prefix":"52.95.0.0/16","region":"GLOBAL","service":"AMAZON","network_border_group":"GLOBAL"},
        {"ip_prefix":"52.95.128.0/20","region":"eu-central-1","service":"AMAZON","network_border_group":"x"},
        {"ip_prefix":"52.95.128.0/20","region":"eu-central-1","service":"EC2","network_border_group":"x"},
        {"ip_prefix":"52.95.128.0/20","region":"eu-central-1","service":"S3","network_border_group":"x"},
        {"ip_prefix":"52.95.130.0/24","region":"eu-central-1","service":"AMAZON","network_border_group":"x"}],
        "ipv6_prefixes":[{"ipv6_prefix":"2600:1f00::/24","region":"us-east-1","service":"EC2"}]}"#;

    fn networks(lists: &[(&str, &str)]) -> Networks {
        Networks::from_texts(lists.iter().map(|(path, text)| (Path::new(*path), *text))).unwrap()
    }

    fn owner(networks: &Networks, address: &str) -> String {
        networks.lookup(address.parse().unwrap()).map_or("-".to_owned(), |found| {
            let asn = found.asn.map_or("-".to_owned(), |asn| asn.to_string());
            format!("{}/{}/{}/{asn}", found.owner, found.service.unwrap_or("-"), found.region.unwrap_or("-"))
        })
    }

    #[test]
    fn a_service_of_its_own_beats_amazon_even_from_a_wider_block() {
        let known = networks(&[("ip-ranges.json", AWS)]);
        assert_eq!(owner(&known, "52.95.128.7"), "Amazon Web Services/S3/eu-central-1/-");
        assert_eq!(owner(&known, "52.95.130.7"), "Amazon Web Services/S3/eu-central-1/-");
        assert_eq!(owner(&known, "52.95.0.7"), "Amazon Web Services/AMAZON/GLOBAL/-");
        assert_eq!(owner(&known, "2600:1f00::1"), "Amazon Web Services/EC2/us-east-1/-");
        assert_eq!(owner(&known, "8.8.8.8"), "-");
    }

    #[test]
    fn as_rows_join_the_list_of_aws_but_never_lend_its_services_to_others() {
        let asn = "52.95.128.0,52.95.129.255,16509,\"Amazon.com, Inc.\"\n\
                   52.95.130.0,52.95.130.255,64500,\"Example, Ltd\"\n2001:db8::,2001:db8::ff,64501,\"Six\"\n";
        let known = networks(&[("asn.csv", asn), ("ip-ranges.json", AWS)]);
        assert_eq!(owner(&known, "52.95.129.7"), "Amazon Web Services/S3/eu-central-1/16509");
        assert_eq!(owner(&known, "52.95.130.7"), "Example, Ltd/-/-/64500");
        assert_eq!(owner(&known, "2001:db8::80"), "Six/-/-/64501");
    }

    #[test]
    fn reads_networks_with_and_without_a_header() {
        let rows = "203.0.113.0/24,Example,cdn,eu\n203.0.113.64/26,Part\n2001:db8::/32,Example\n";
        for text in [rows.to_owned(), format!("cidr,owner,service,region\n{rows}")] {
            let known = networks(&[("own.csv", &text)]);
            assert_eq!(owner(&known, "203.0.113.1"), "Example/cdn/eu/-");
            assert_eq!(owner(&known, "203.0.113.65"), "Part/-/-/-");
            assert_eq!(owner(&known, "2001:db8::1"), "Example/-/-/-");
            assert!(known.warnings().is_empty());
        }
    }

    #[test]
    fn ranges_that_are_no_blocks_end_where_they_say() {
        let known = networks(&[("asn.csv", "192.0.2.3,192.0.2.10,64500,Odd\n")]);
        let inside = (0..=255).filter(|low| owner(&known, &format!("192.0.2.{low}")) != "-");
        assert_eq!(inside.collect::<Vec<u16>>(), (3..=10).collect::<Vec<u16>>());
    }

    #[test]
    fn damaged_rows_are_counted_and_a_wrong_file_is_refused() {
        let known =
            networks(&[("own.csv", "203.0.113.0/24,Example\n10.0.0.9,10.0.0.1,1,x\n\"bad\n203.0.113.0/99,y\n")]);
        assert_eq!(
            known.warnings()[0].to_string(),
            "own.csv:2: ignored `10.0.0.9,10.0.0.1,1,x`: it could not be read (as are 2 more in this file); expected \
             `cidr,owner[,service][,region]` or `start,end,asn,\"organisation\"`, such as `203.0.113.0/24,Example,cdn,eu`"
        );
        let error = Networks::from_texts([(Path::new("x.json"), "{\"values\":[]}")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "x.json: none of 1 entries could be read; line 1: got `{\"values\":[]}`, expected AWS's ip-ranges.json \
             with `prefixes` and `ipv6_prefixes`"
        );
    }
}

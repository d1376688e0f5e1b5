//! The people of the story's company, and how each of them works.

use super::acts::Agent;
use super::estate::REPOSITORIES;
use super::networks;
use super::timeline::{DAY_S, weekday};
use crate::random::{Purpose, Stream, mix2};

const FIRST_NAMES: [&str; 40] = [
    "ada", "amir", "ana", "ben", "bea", "carl", "chen", "dana", "dev", "elif", "emma", "finn", "gita", "hana", "hugo",
    "ines", "ivan", "jana", "joel", "kai", "lara", "leo", "lena", "mara", "milo", "nina", "noor", "omar", "otto",
    "petra", "quinn", "rosa", "sami", "tara", "tom", "uma", "vera", "wes", "yara", "zoe",
];

const LAST_NAMES: [&str; 50] = [
    "abel", "adler", "bauer", "bell", "berg", "blum", "cole", "costa", "cruz", "dale", "diaz", "duarte", "eng", "fay",
    "flores", "frost", "gray", "haas", "hale", "horn", "ito", "jain", "jung", "kaya", "kim", "klein", "kumar", "lang",
    "lima", "lund", "mbeki", "mehta", "moss", "nagy", "novak", "okoro", "ortiz", "park", "petrov", "reis", "roth",
    "sato", "silva", "stein", "tanaka", "vogel", "weber", "wolf", "young", "zhou",
];

/// One in as many is somebody who begins in the weeks of the logs.
const NEWCOMER_EVERY: u32 = 8;

/// A person, and what stays the same from day to day.
#[derive(Debug)]
pub struct Person {
    /// Number among the people.
    pub number: u32,
    /// Name in Jira and Bitbucket; the mail address is this at the company's domain.
    pub name: String,
    /// Where the person works when not in the office.
    pub home: u32,
    /// Whether the person mostly works in the office.
    pub is_office_worker: bool,
    /// The browser, before and after a new laptop came on a day.
    agents: [Agent; 2],
    new_laptop_s: i64,
    /// Whether the person writes code, and whether the person works in AWS.
    pub is_developer: bool,
    pub is_operator: bool,
    /// The usual repositories, by number.
    pub repositories: Vec<u16>,
    /// Hour of the day (UTC) at which work begins.
    pub start_hour: i64,
    /// First second of the first day of work.
    pub joined_s: i64,
}

impl Person {
    /// Returns the browser and the number of the laptop on a day.
    pub fn laptop(&self, day_s: i64) -> (Agent, u64) {
        let is_new = day_s >= self.new_laptop_s;
        (self.agents[usize::from(is_new)], mix2(u64::from(self.number) << 1 | u64::from(is_new), 0x6c61))
    }
}

/// Returns the people of a company between two times (seconds since 1970 UTC); some join on Wednesdays in between.
pub fn people_of(seed: u64, count: u32, begin_s: i64, end_s: i64) -> Vec<Person> {
    let days: Vec<i64> = (begin_s..end_s).step_by(DAY_S as usize).collect();
    let wednesdays: Vec<i64> = days.iter().copied().filter(|day| weekday(*day) == 2).collect();
    (0..count)
        .map(|number| {
            let mut draw = Stream::new(seed, Purpose::StoryPerson, number.into(), 0);
            let browsers =
                [Agent::ChromeMac, Agent::ChromeWindows, Agent::EdgeWindows, Agent::SafariMac, Agent::FirefoxLinux];
            let agent = browsers[draw.below(5) as usize];
            // Who gets a new laptop may get another kind of it; about one in ten do within a month.
            let new_agent = if draw.chance(0.5) { agent } else { browsers[draw.below(5) as usize] };
            let new_laptop_s = if draw.chance(0.1) { days[draw.below(days.len() as u64) as usize] } else { i64::MAX };
            let first = FIRST_NAMES[(mix2(seed ^ 1, number.into()) % 40) as usize];
            // Every fifty people have different last names, so that no two share both within 2,000.
            let last = LAST_NAMES[((u64::from(number) + mix2(seed, u64::from(number / 50))) % 50) as usize];
            let count = draw.between(3, 8);
            let repositories = (0..count).map(|_| draw.below(REPOSITORIES.into()) as u16).collect();
            let is_newcomer = number % NEWCOMER_EVERY == NEWCOMER_EVERY - 1 && !wednesdays.is_empty();
            let joined = wednesdays.get((number / NEWCOMER_EVERY) as usize % wednesdays.len().max(1)).copied();
            Person {
                number,
                name: format!("{first}.{last}{}", if number < 50 { String::new() } else { (number / 50).to_string() }),
                home: networks::home(seed, number),
                is_office_worker: !number.is_multiple_of(3),
                agents: [agent, new_agent],
                new_laptop_s,
                is_developer: number.is_multiple_of(2),
                is_operator: number.is_multiple_of(5),
                repositories,
                start_hour: [7, 8, 9, 13, 15][draw.below(5) as usize],
                joined_s: if is_newcomer { joined.unwrap_or(i64::MIN) } else { i64::MIN },
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::timeline::november;

    #[test]
    fn people_have_names_of_their_own_and_some_are_new() {
        let people = people_of(3, 2_000, november(1, 0, 0, 0), november(25, 0, 0, 0));
        let names: std::collections::HashSet<&str> = people.iter().map(|person| person.name.as_str()).collect();
        assert_eq!(names.len(), 2_000);
        let new = people.iter().filter(|person| person.joined_s > i64::MIN).count();
        assert_eq!(new, 250);
        assert!(people.iter().filter(|person| person.new_laptop_s < i64::MAX).count() > 100);
    }
}

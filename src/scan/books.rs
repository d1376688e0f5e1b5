//! Books that give every distinct address and text of a unit a small number.
//!
//! A dictionary page names each address once; it is parsed and entered here once per dictionary, and the rows then
//! carry 4-byte numbers. Numbers depend on the order of arrival, so results are never ordered by them.

use crate::flow::Address;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The number that stands for "no value".
pub const NONE: u32 = u32::MAX;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves a book whole: entries are only ever added.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Addresses of one unit, numbered from 0 in order of arrival.
#[derive(Debug, Default)]
pub struct AddressBook(Mutex<Addresses>);

#[derive(Debug, Default)]
struct Addresses {
    numbers: HashMap<Address, u32, FixedState>,
    entries: Vec<Address>,
}

impl AddressBook {
    /// Returns the number of each address, entering the new ones; `None` becomes [`NONE`].
    pub fn enter_all(&self, addresses: impl Iterator<Item = Option<Address>>) -> Vec<u32> {
        let mut book = lock(&self.0);
        let Addresses { numbers, entries } = &mut *book;
        addresses
            .map(|address| match address {
                None => NONE,
                Some(address) => *numbers.entry(address).or_insert_with(|| {
                    entries.push(address);
                    (entries.len() - 1) as u32
                }),
            })
            .collect()
    }

    /// Returns all addresses by number.
    pub fn entries(&self) -> Vec<Address> {
        lock(&self.0).entries.clone()
    }
}

/// Texts of one unit (interfaces, accounts, services), numbered from 0 in order of arrival.
#[derive(Debug, Default)]
pub struct TextBook(Mutex<Texts>);

#[derive(Debug, Default)]
struct Texts {
    numbers: HashMap<String, u32, FixedState>,
    entries: Vec<String>,
}

impl TextBook {
    /// Returns the number of each text, entering the new ones; `None` becomes [`NONE`].
    pub fn enter_all<'a>(&self, texts: impl Iterator<Item = Option<&'a str>>) -> Vec<u32> {
        let mut book = lock(&self.0);
        let Texts { numbers, entries } = &mut *book;
        texts
            .map(|text| match text {
                None => NONE,
                Some(text) => match numbers.get(text) {
                    Some(number) => *number,
                    None => {
                        let number = entries.len() as u32;
                        entries.push(text.to_owned());
                        numbers.insert(text.to_owned(), number);
                        number
                    }
                },
            })
            .collect()
    }

    /// Returns all texts by number.
    pub fn entries(&self) -> Vec<String> {
        lock(&self.0).entries.clone()
    }

    /// Lends all texts by number, without a copy; no text can be entered meanwhile.
    pub fn read<T>(&self, with: impl FnOnce(&[String]) -> T) -> T {
        with(&lock(&self.0).entries)
    }
}

/// The books of one unit, shared by all threads that read its objects.
#[derive(Debug, Default)]
pub struct Books {
    /// Addresses of hosts and remotes.
    pub addresses: AddressBook,
    /// Every other text: interface, instance, VPC, subnet, account, region and service names.
    pub texts: TextBook,
}

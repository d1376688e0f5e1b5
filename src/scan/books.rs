//! Books that give every distinct address and text of a unit a number of 4 bytes.
//!
//! A dictionary page names each address once; it is parsed once per dictionary, and the rows then carry its code. An
//! IPv4 address is its own code and needs no book. Numbers of the books depend on the order of arrival, so results are
//! never ordered by them.

use crate::flow::Address;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

/// The number that stands for "no value".
pub const NONE: u32 = u32::MAX;

// A panic elsewhere leaves a book whole: entries are only ever added.
fn lock<T>(book: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    book.write().unwrap_or_else(PoisonError::into_inner)
}

/// Most of what is looked up was entered before, so threads mostly read at once.
fn look<T>(book: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    book.read().unwrap_or_else(PoisonError::into_inner)
}

/// Codes from here on are places in the address book; those below are IPv4 addresses. Real traffic has no IPv4 address
/// in 240.0.0.0/4, and those there are (broadcast) take a place in the book.
pub const FIRST_BOOKED: u32 = 0xf000_0000;

/// Addresses of one unit that are not their own code: IPv6, and IPv4 from 240.0.0.0 on.
#[derive(Debug, Default)]
pub struct AddressBook(RwLock<Addresses>);

#[derive(Debug, Default)]
struct Addresses {
    codes: HashMap<Address, u32, FixedState>,
    entries: Vec<Address>,
}

/// Returns the code of an address that needs no book.
#[inline]
pub fn own_code(address: Address) -> Option<u32> {
    address.v4_bits().filter(|bits| *bits < FIRST_BOOKED)
}

/// Returns the address of a code; `entries` are those of the book that gave it. Codes of no address give `::`.
#[inline]
pub fn address_of(code: u32, entries: &[Address]) -> Address {
    match code.checked_sub(FIRST_BOOKED) {
        None => Address::from_v4_bits(code),
        Some(place) => entries.get(place as usize).copied().unwrap_or_default(),
    }
}

impl Addresses {
    fn enter(&mut self, address: Address) -> u32 {
        let Addresses { codes, entries } = self;
        *codes.entry(address).or_insert_with(|| {
            entries.push(address);
            // A book of 2^28 addresses takes more memory than there is; the last code would be NONE.
            FIRST_BOOKED.saturating_add(entries.len() as u32 - 1).min(NONE - 1)
        })
    }
}

impl AddressBook {
    /// Returns the code of each address, entering those that need it; `None` becomes [`NONE`].
    pub fn enter_all(&self, addresses: impl Iterator<Item = Option<Address>>) -> Vec<u32> {
        let mut codes = Vec::with_capacity(addresses.size_hint().0.min(1 << 20));
        let mut new = Vec::new();
        {
            let book = look(&self.0);
            for (place, address) in addresses.enumerate() {
                let code = address.map_or(Some(NONE), |a| own_code(a).or_else(|| book.codes.get(&a).copied()));
                if let (None, Some(address)) = (code, address) {
                    new.push((place, address));
                }
                codes.push(code.unwrap_or(NONE));
            }
        }
        if !new.is_empty() {
            let mut book = lock(&self.0);
            for (place, address) in new {
                codes[place] = book.enter(address);
            }
        }
        codes
    }

    /// Returns the code of an address that is not its own code, entering it when it is new.
    pub fn enter(&self, address: Address) -> u32 {
        let known = look(&self.0).codes.get(&address).copied();
        known.unwrap_or_else(|| lock(&self.0).enter(address))
    }

    /// Returns the entered addresses by place.
    pub fn entries(&self) -> Vec<Address> {
        look(&self.0).entries.clone()
    }
}

/// Texts of one unit (interfaces, accounts, services), numbered from 0 in order of arrival.
#[derive(Debug, Default)]
pub struct TextBook(Arc<RwLock<Texts>>);

#[derive(Debug, Default)]
struct Texts {
    numbers: HashMap<String, u32, FixedState>,
    entries: Vec<String>,
}

impl Texts {
    fn enter(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.entries.len() as u32;
        self.entries.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }
}

impl TextBook {
    /// Returns the number of each text, entering the new ones; `None` becomes [`NONE`].
    pub fn enter_all<'a>(&self, texts: impl Iterator<Item = Option<&'a str>>) -> Vec<u32> {
        let mut numbers = Vec::with_capacity(texts.size_hint().0.min(1 << 20));
        let mut new = Vec::new();
        {
            let book = look(&self.0);
            for text in texts {
                match text.map(|text| (text, book.numbers.get(text))) {
                    None => numbers.push(NONE),
                    Some((_, Some(number))) => numbers.push(*number),
                    Some((text, None)) => {
                        new.push((numbers.len(), text));
                        numbers.push(NONE);
                    }
                }
            }
        }
        if !new.is_empty() {
            let mut book = lock(&self.0);
            for (place, text) in new {
                numbers[place] = book.enter(text);
            }
        }
        numbers
    }

    /// Returns the number of a text, entering it when it is new.
    pub(super) fn enter(&self, text: &str) -> u32 {
        let known = look(&self.0).numbers.get(text).copied();
        known.unwrap_or_else(|| lock(&self.0).enter(text))
    }

    /// Returns the same book once more.
    pub(super) fn handle(&self) -> Self {
        Self(self.0.clone())
    }

    /// Returns what tells this book from every other.
    pub(super) fn mark(&self) -> BookMark {
        BookMark(Arc::downgrade(&self.0))
    }

    /// Returns all texts by number.
    pub fn entries(&self) -> Vec<String> {
        look(&self.0).entries.clone()
    }

    /// Lends all texts by number, without a copy; no text can be entered meanwhile.
    pub fn read<T>(&self, with: impl FnOnce(&[String]) -> T) -> T {
        with(&look(&self.0).entries)
    }
}

/// Tells a text book from every other, also from later ones, and keeps none of its texts.
#[derive(Default)]
pub(super) struct BookMark(Weak<RwLock<Texts>>);

impl BookMark {
    /// Tells whether it was taken of this book.
    pub(super) fn is_of(&self, book: &TextBook) -> bool {
        std::ptr::eq(self.0.as_ptr(), Arc::as_ptr(&book.0))
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

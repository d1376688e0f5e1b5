//! Interners: every distinct address and text of a unit gets a number of 4 bytes.
//!
//! A dictionary page names each address once; it is parsed once per dictionary, and the rows then carry its code. An
//! IPv4 address is its own code and is not interned. The numbers depend on the order of arrival, so results are never
//! ordered by them.

use flow::Address;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

/// Sentinel: the code of "no value".
pub const NONE: u32 = u32::MAX;

// A panic elsewhere leaves a table consistent: entries are only ever added.
fn write<T>(table: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    table.write().unwrap_or_else(PoisonError::into_inner)
}

/// Most lookups find an entry, so threads mostly read at the same time.
fn read<T>(table: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    table.read().unwrap_or_else(PoisonError::into_inner)
}

/// Codes from here on are indices of the address interner; those below are IPv4 addresses. Real traffic has no IPv4
/// address in 240.0.0.0/4, and the few there are (broadcast) are interned.
pub const FIRST_INTERNED: u32 = 0xf000_0000;

/// Addresses of one unit that are not their own code: IPv6, and IPv4 from 240.0.0.0 on.
#[derive(Debug, Default)]
pub struct AddressInterner(RwLock<AddressTable>);

#[derive(Debug, Default)]
struct AddressTable {
    codes: HashMap<Address, u32, FixedState>,
    entries: Vec<Address>,
}

/// Returns the code of an address that is its own code.
#[inline]
pub fn own_code(address: Address) -> Option<u32> {
    address.v4_bits().filter(|bits| *bits < FIRST_INTERNED)
}

/// Returns the address of a code; `entries` are those of the interner that issued it. Returns `::` for an unknown code.
#[inline]
pub fn address_of(code: u32, entries: &[Address]) -> Address {
    match code.checked_sub(FIRST_INTERNED) {
        None => Address::from_v4_bits(code),
        Some(index) => entries.get(index as usize).copied().unwrap_or_default(),
    }
}

impl AddressTable {
    fn intern(&mut self, address: Address) -> u32 {
        let AddressTable { codes, entries } = self;
        *codes.entry(address).or_insert_with(|| {
            entries.push(address);
            // A table of 2^28 addresses takes more memory than there is; the last code would be NONE.
            FIRST_INTERNED.saturating_add(entries.len() as u32 - 1).min(NONE - 1)
        })
    }
}

impl AddressInterner {
    /// Returns the code of each address, interning those that need it; `None` becomes [`NONE`].
    pub fn intern_all(&self, addresses: impl Iterator<Item = Option<Address>>) -> Vec<u32> {
        let mut codes = Vec::with_capacity(addresses.size_hint().0.min(1 << 20));
        let mut new = Vec::new();
        {
            let table = read(&self.0);
            for (index, address) in addresses.enumerate() {
                let code = address.map_or(Some(NONE), |a| own_code(a).or_else(|| table.codes.get(&a).copied()));
                if let (None, Some(address)) = (code, address) {
                    new.push((index, address));
                }
                codes.push(code.unwrap_or(NONE));
            }
        }
        if !new.is_empty() {
            let mut table = write(&self.0);
            for (index, address) in new {
                codes[index] = table.intern(address);
            }
        }
        codes
    }

    /// Returns the code of an address that is not its own code, interning it if it is new.
    pub fn intern(&self, address: Address) -> u32 {
        let known = read(&self.0).codes.get(&address).copied();
        known.unwrap_or_else(|| write(&self.0).intern(address))
    }

    /// Returns the interned addresses by index.
    pub fn entries(&self) -> Vec<Address> {
        read(&self.0).entries.clone()
    }
}

/// Texts of one unit (interfaces, accounts, services), numbered from 0 in order of arrival.
#[derive(Debug, Default)]
pub struct TextInterner(Arc<RwLock<TextTable>>);

#[derive(Debug, Default)]
struct TextTable {
    numbers: HashMap<String, u32, FixedState>,
    entries: Vec<String>,
}

impl TextTable {
    fn intern(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.entries.len() as u32;
        self.entries.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }
}

impl TextInterner {
    /// Returns the number of each text, interning the new ones; `None` becomes [`NONE`].
    pub fn intern_all<'a>(&self, texts: impl Iterator<Item = Option<&'a str>>) -> Vec<u32> {
        let mut numbers = Vec::with_capacity(texts.size_hint().0.min(1 << 20));
        let mut new = Vec::new();
        {
            let table = read(&self.0);
            for text in texts {
                match text.map(|text| (text, table.numbers.get(text))) {
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
            let mut table = write(&self.0);
            for (index, text) in new {
                numbers[index] = table.intern(text);
            }
        }
        numbers
    }

    /// Returns the number of a text, interning it if it is new.
    pub(crate) fn intern(&self, text: &str) -> u32 {
        let known = read(&self.0).numbers.get(text).copied();
        known.unwrap_or_else(|| write(&self.0).intern(text))
    }

    /// Returns another handle to the same interner.
    pub(crate) fn handle(&self) -> Self {
        Self(self.0.clone())
    }

    /// Returns a mark that identifies this interner.
    pub(crate) fn mark(&self) -> InternerMark {
        InternerMark(Arc::downgrade(&self.0))
    }

    /// Returns all texts by number.
    pub fn entries(&self) -> Vec<String> {
        read(&self.0).entries.clone()
    }

    /// Lends all texts by number, without a copy; no text can be interned meanwhile.
    pub fn read<T>(&self, with: impl FnOnce(&[String]) -> T) -> T {
        with(&read(&self.0).entries)
    }
}

/// Identifies a text interner among all others, later ones included, and keeps none of its texts.
#[derive(Default)]
pub(crate) struct InternerMark(Weak<RwLock<TextTable>>);

impl InternerMark {
    /// Returns whether this is the mark of `interner`.
    pub(crate) fn is_of(&self, interner: &TextInterner) -> bool {
        std::ptr::eq(self.0.as_ptr(), Arc::as_ptr(&interner.0))
    }
}

/// The interners of one unit, shared by all threads that read its objects.
#[derive(Debug, Default)]
pub struct Interners {
    /// Addresses of hosts and remotes.
    pub addresses: AddressInterner,
    /// Every other text: interface, instance, VPC, subnet, account, region and service names.
    pub texts: TextInterner,
}

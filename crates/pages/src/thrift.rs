//! Just enough of thrift's compact protocol to inspect footers and page headers before any memory is reserved for them.

/// The unread bytes of a value in thrift's compact protocol.
pub struct Walk<'a> {
    rest: &'a [u8],
}

/// Kinds of fields.
pub const TRUE: u8 = 1;
pub const FALSE: u8 = 2;
pub const I32: u8 = 5;
pub const LIST: u8 = 9;
pub const SET: u8 = 10;
pub const STRUCT: u8 = 12;
/// Maximum nesting of structures.
const MAX_DEPTH: usize = 32;

/// How much of a field a callback read.
#[derive(PartialEq, Eq)]
pub enum FieldRead {
    /// All of it.
    Consumed,
    /// Nothing: the walk skips it.
    Skip,
    /// The callback is done with the structure: the walk ends.
    Stop,
}

impl<'a> Walk<'a> {
    pub fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    /// Returns the bytes not walked yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Passes the fields of a structure to `look`, by number and kind, one after another. Returns `None` when the bytes
    /// are not a structure, or `look` returns `None`.
    pub fn fields(&mut self, mut look: impl FnMut(&mut Self, i16, u8) -> Option<FieldRead>) -> Option<()> {
        let mut field = 0i64;
        loop {
            let header = self.byte()?;
            let kind = header & 0x0f;
            if kind == 0 {
                return Some(());
            }
            field = match header >> 4 {
                0 => zigzag(self.varint()?),
                delta => field.wrapping_add(i64::from(delta)),
            };
            // Decoders read field numbers in 16 bits.
            match look(self, field as i16, kind)? {
                FieldRead::Consumed => {}
                FieldRead::Skip => self.skip(kind, 0)?,
                FieldRead::Stop => return Some(()),
            }
        }
    }

    /// Reads a signed number.
    pub fn i32(&mut self) -> Option<i32> {
        i32::try_from(zigzag(self.varint()?)).ok()
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// Reads the number and kind of a list's elements.
    pub fn list(&mut self) -> Option<(u64, u8)> {
        let header = self.byte()?;
        let count = if header >> 4 == 15 { self.varint()? } else { u64::from(header >> 4) };
        Some((count, header & 0x0f))
    }

    fn take(&mut self, length: u64) -> Option<()> {
        self.rest = self.rest.get(usize::try_from(length).ok()?..)?;
        Some(())
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        match kind {
            // The value of a boolean field is part of its kind.
            1 | 2 => {}
            3 => self.take(1)?,
            4..=6 => drop(self.varint()?),
            7 => self.take(8)?,
            8 => {
                let length = self.varint()?;
                self.take(length)?;
            }
            9 | 10 => {
                let (count, kind) = self.list()?;
                for _ in 0..count {
                    // Booleans in lists take one byte each.
                    if matches!(kind, 1 | 2) { self.take(1)? } else { self.skip(kind, depth + 1)? }
                }
            }
            11 => {
                let count = self.varint()?;
                let kinds = if count > 0 { self.byte()? } else { 0 };
                for _ in 0..count {
                    for kind in [kinds >> 4, kinds & 0x0f] {
                        if matches!(kind, 1 | 2) { self.take(1)? } else { self.skip(kind, depth + 1)? }
                    }
                }
            }
            12 => loop {
                let header = self.byte()?;
                if header & 0x0f == 0 {
                    break;
                }
                if header >> 4 == 0 {
                    self.varint()?;
                }
                self.skip(header & 0x0f, depth + 1)?;
            },
            _ => return None,
        }
        Some(())
    }
}

fn zigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

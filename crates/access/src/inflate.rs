//! gzip objects to text, all of their members.

use std::io::Read;

use flate2::bufread::GzDecoder;

use crate::error::{AccessError, excerpt};

/// Most bytes that an object may inflate to: 1 GiB. The largest real ones have 100 MB.
pub const MAX_INFLATED_BYTES: usize = 1 << 30;

/// What every member begins with: gzip's mark and the one method there is.
const MEMBER: &[u8] = &[0x1f, 0x8b, 8];

/// Inflates objects, one after the other, into one buffer.
pub struct Inflater {
    decompressor: libdeflater::Decompressor,
    text: Vec<u8>,
}

impl Default for Inflater {
    fn default() -> Self {
        Self { decompressor: libdeflater::Decompressor::new(), text: Vec::new() }
    }
}

impl Inflater {
    /// Returns the text of an object: the object itself, unless it is gzip.
    ///
    /// Some services write several members into one object. The fast path stops after the first, so it is taken only
    /// if nothing that could begin a second is in sight.
    ///
    /// # Errors
    /// [`AccessError`] if the object is damaged, cut off, or inflates to more than [`MAX_INFLATED_BYTES`].
    pub fn text<'a>(&'a mut self, place: &str, object: &'a [u8]) -> Result<&'a [u8], AccessError> {
        if !object.starts_with(&MEMBER[..2]) {
            return Ok(object);
        }
        let second = object.get(1..).and_then(|rest| memchr::memmem::find(rest, MEMBER));
        if second.is_none() && self.one_member(object) {
            return Ok(&self.text);
        }
        self.all_members(place, object)?;
        Ok(&self.text)
    }

    /// Inflates an object of one member; returns whether that went well.
    fn one_member(&mut self, object: &[u8]) -> bool {
        let Some(Ok(size)) = object.last_chunk::<4>().map(|size| usize::try_from(u32::from_le_bytes(*size))) else {
            return false;
        };
        // Deflate makes at most 1,032 bytes of one: a larger size is none, or that of a damaged object.
        if size > MAX_INFLATED_BYTES || size / 1_032 > object.len() {
            return false;
        }
        self.text.resize(size, 0);
        match self.decompressor.gzip_decompress(object, &mut self.text) {
            Ok(got) => {
                self.text.truncate(got);
                got == size
            }
            Err(_) => false,
        }
    }

    fn all_members(&mut self, place: &str, object: &[u8]) -> Result<(), AccessError> {
        self.text.clear();
        let mut rest = object;
        let error = |rest: &[u8], expected| {
            let at = object.len() - rest.len();
            AccessError { place: place.to_owned(), at, got: excerpt(object, at), expected }
        };
        while rest.starts_with(&MEMBER[..2]) {
            let mut decoder = GzDecoder::new(rest);
            let room = (MAX_INFLATED_BYTES - self.text.len()) as u64;
            let read = (&mut decoder).take(room + 1).read_to_end(&mut self.text);
            if self.text.len() > MAX_INFLATED_BYTES {
                return Err(error(rest, "at most 1 GiB of text in an object"));
            }
            if read.is_err() {
                return Err(error(rest, "a whole gzip member"));
            }
            rest = decoder.into_inner();
        }
        // Tapes and some uploaders pad with zeros.
        if rest.iter().any(|byte| *byte != 0) {
            return Err(error(rest, "another gzip member, or the end"));
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    pub(crate) fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn the_fast_library_alone_would_lose_the_second_member() {
        let two = [gzip(b"first\n"), gzip(b"other\n")].concat();
        // The two are of equal length: the last member's size does not tell.
        let mut alone = vec![0; 6];
        assert_eq!(libdeflater::Decompressor::new().gzip_decompress(&two, &mut alone).unwrap(), 6);
        assert_eq!(alone, b"first\n");

        let mut inflater = Inflater::default();
        assert_eq!(inflater.text("o", &two).unwrap(), b"first\nother\n");
        let same = [gzip(b"same\n"), gzip(b"same\n"), gzip(b"")].concat();
        assert_eq!(inflater.text("o", &same).unwrap(), b"same\nsame\n");
        let padded = [gzip(b"same\n"), vec![0; 512]].concat();
        assert_eq!(inflater.text("o", &padded).unwrap(), b"same\n");
    }

    #[test]
    fn damage_is_an_error_with_its_place() {
        let whole = gzip(&b"some text, ".repeat(50));
        let mut inflater = Inflater::default();
        for end in 2..whole.len() {
            let error = inflater.text("a/b.gz", &whole[..end]).unwrap_err();
            assert!(error.to_string().starts_with("a/b.gz, byte "), "{error}");
        }
        let garbage = [whole, b"garbage".to_vec()].concat();
        let error = inflater.text("b.gz", &garbage).unwrap_err();
        assert_eq!(error.expected, "another gzip member, or the end");
        assert_eq!(error.got, "`garbage`");
    }

    proptest! {
        #[test]
        fn all_members_come_out(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..5)) {
            let object: Vec<u8> = parts.iter().flat_map(|part| gzip(part)).collect();
            let mut inflater = Inflater::default();
            prop_assert_eq!(inflater.text("o", &object).unwrap(), parts.concat());
        }

        #[test]
        fn no_bytes_make_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), gz in any::<bool>()) {
            if gz {
                bytes.splice(0..0, [0x1f, 0x8b, 8, 0]);
            }
            let _ = Inflater::default().text("o", &bytes);
        }
    }
}

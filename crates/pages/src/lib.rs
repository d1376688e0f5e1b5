//! Reads the pages of Parquet column chunks, with bounds on what a file may claim.
//!
//! **Question it answers**: what values do these bytes of a column chunk hold? It knows headers, codecs, encodings and
//! byte ranges; it does not know what a column means.
//!
//! **Cost**: decompression is the largest part of a scan. gzip goes through libdeflate, and bit-packed runs are
//! unpacked by width, one function each.
//!
//! **Where to begin**: [`stream`] walks the pages of a chunk; [`decompress`] and [`rle`] are its inner loops.
//!
//! | module | layer |
//! | --- | --- |
//! | [`guard`] | turns a decoder's panic on damaged bytes into an error |
//! | `thrift` | walks compact thrift without allocating |
//! | [`object_bytes`] | an object's bytes, whole or in ranges |
//! | [`footer_check`] | refuses a footer that claims too many row groups, before the parquet crate parses it |
//! | `header` | page headers |
//! | [`decompress`] | page bodies |
//! | `bit_unpack`, [`rle`] | RLE and bit-packed runs to numbers |
//! | [`row_group`] | one row group as the parquet crate's page source, with limits |
//! | [`stream`] | the data pages of a chunk, in order |

pub mod guard;

mod thrift;

pub mod object_bytes;

pub mod footer_check;
mod header;

pub mod decompress;

mod bit_unpack;
pub mod rle;

pub mod row_group;

pub mod stream;

pub use object_bytes::ObjectBytes;

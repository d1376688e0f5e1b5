//! Pages that two columns share.

use bytes::Bytes;
use pages::stream::RawPage;
use parquet::basic::Encoding;

/// A page that another column may have too, byte for byte.
pub(super) struct SharedPage {
    pub(super) bytes: Bytes,
    pub(super) encoding: Encoding,
    pub(super) values: usize,
    pub(super) first_row: usize,
}

impl SharedPage {
    /// Returns whether `page`, at the row `first_row`, may be the same page; its bytes still have to be compared.
    pub(super) fn resembles(&self, page: &RawPage, first_row: usize) -> bool {
        self.first_row == first_row && self.values == page.values && self.encoding == page.encoding
    }
}

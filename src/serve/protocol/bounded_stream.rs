//! A client's bytes, with a bound on the length of its messages: the codec waits for a whole message, however long its
//! header says that it is.

use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use flow::units::bytes_text;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Longest message of a client that has not logged in.
const STRANGERS_BYTES: usize = 16 << 10;
/// Longest message of one that has: a statement, or the values of its parameters.
const CLIENTS_BYTES: usize = 64 << 20;
/// The share of the memory that one message may take: one in so many.
const SHARE: usize = 8;
/// Messages up to this length are not counted.
const FREE_BYTES: usize = 64 << 10;
/// The codes of the messages before the startup message: TLS and GSS encryption.
const NEGOTIATIONS: [u32; 2] = [80_877_103, 80_877_104];

/// Why a message is not read.
#[derive(Debug, thiserror::Error)]
pub(in crate::serve) enum MessageError {
    #[error("a message of {}: at most {} are read", bytes_text(*length as u64), bytes_text(*most as u64))]
    TooLong {
        /// As its header says.
        length: usize,
        /// What is allowed.
        most: usize,
    },
    #[error("not enough memory for a message of {}", bytes_text(*length as u64))]
    NoMemory {
        /// As its header says.
        length: usize,
    },
}

/// Reads and writes what it wraps, and follows the messages read.
#[derive(Debug)]
pub(in crate::serve) struct BoundedStream<T> {
    inner: T,
    /// The message being read: type, length, and for the first ones a code.
    header: Vec<u8>,
    /// Bytes of its body to come.
    left: usize,
    /// Messages have a type, after the startup message.
    typed: bool,
    most: usize,
    pool: Option<Arc<dyn MemoryPool>>,
    taken: Option<MemoryReservation>,
}

impl<T> BoundedStream<T> {
    /// Follows the messages of a stream whose first bytes were already read.
    ///
    /// # Errors
    /// When these are too long a message.
    pub(in crate::serve) fn new(inner: T, read: &[u8]) -> io::Result<Self> {
        let header = Vec::with_capacity(8);
        let mut stream = Self { inner, header, left: 0, typed: false, most: STRANGERS_BYTES, pool: None, taken: None };
        stream.follow(read)?;
        Ok(stream)
    }

    /// Allows longer messages, counted in this memory, to a client that has logged in.
    pub(in crate::serve) fn trust(&mut self, pool: &Arc<dyn MemoryPool>) {
        use datafusion::execution::memory_pool::MemoryLimit;
        self.most = match pool.memory_limit() {
            MemoryLimit::Finite(bytes) => (bytes / SHARE).clamp(STRANGERS_BYTES, CLIENTS_BYTES),
            _ => CLIENTS_BYTES,
        };
        self.pool = Some(pool.clone());
    }

    /// Follows some bytes read.
    fn follow(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.left > 0 {
                let body = self.left.min(bytes.len());
                (self.left, bytes) = (self.left - body, &bytes[body..]);
                continue;
            }
            self.header.push(bytes[0]);
            bytes = &bytes[1..];
            let number = |at: usize| self.header.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
            let (at, whole) = if self.typed { (1, 5) } else { (0, 8) };
            let Some(length) = number(at).filter(|_| self.header.len() == whole) else { continue };
            let negotiates = !self.typed && number(4).is_some_and(|code| NEGOTIATIONS.contains(&code));
            self.typed |= !negotiates;
            self.header.clear();
            self.begin(length as usize)?;
            // The length counts itself, and the code if there is one.
            self.left = (length as usize).saturating_sub(whole - at);
        }
        Ok(())
    }

    fn begin(&mut self, length: usize) -> io::Result<()> {
        self.taken = None;
        if length > self.most {
            return Err(io::Error::other(MessageError::TooLong { length, most: self.most }));
        }
        if let Some(pool) = self.pool.as_ref().filter(|_| length > FREE_BYTES) {
            let taken = MemoryConsumer::new("a message").register(pool);
            taken.try_grow(length).map_err(|_| io::Error::other(MessageError::NoMemory { length }))?;
            self.taken = Some(taken);
        }
        Ok(())
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for BoundedStream<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        std::task::ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        Poll::Ready(self.follow(buffer.filled().get(before..).unwrap_or_default()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for BoundedStream<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use tokio::io::AsyncReadExt;

    fn message(kind: u8, body: usize) -> Vec<u8> {
        let mut bytes = vec![kind];
        bytes.extend((body as u32 + 4).to_be_bytes());
        bytes.resize(bytes.len() + body, b'x');
        bytes
    }

    fn startup() -> Vec<u8> {
        let mut bytes = 20u32.to_be_bytes().to_vec();
        bytes.extend(196_608u32.to_be_bytes());
        bytes.resize(20, 0);
        bytes
    }

    #[tokio::test]
    async fn messages_are_followed_however_they_are_cut() {
        let negotiation: Vec<u8> = [8u32, NEGOTIATIONS[1]].iter().flat_map(|number| number.to_be_bytes()).collect();
        let long = message(b'Q', STRANGERS_BYTES);
        for first in [0, 3, 8, 12] {
            let bytes = [negotiation.clone(), startup(), message(b'p', 100), message(b'p', 0)].concat();
            let mut stream = BoundedStream::new(&bytes[first..], &bytes[..first]).unwrap();
            let mut read = [0; 7];
            while stream.read(&mut read).await.unwrap() > 0 {}
            assert!(stream.follow(&long[..4]).is_ok());
            let refused = stream.follow(&long[4..5]).unwrap_err().to_string();
            assert_eq!(refused, "a message of 16.4 KB: at most 16.4 KB are read");
        }
    }

    #[test]
    fn long_messages_of_clients_are_counted_until_the_next() {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(8 << 20));
        let mut stream = BoundedStream::new((), &startup()).unwrap();
        stream.trust(&pool);
        stream.follow(&message(b'Q', 900_000)).unwrap();
        assert_eq!(pool.reserved(), 900_004);
        stream.follow(&message(b'Q', 10)).unwrap();
        assert_eq!(pool.reserved(), 0);
        assert!(stream.follow(&message(b'Q', 1 << 20)).is_err(), "an eighth");
        let other = MemoryConsumer::new("other").register(&pool);
        other.grow(8 << 20);
        let mut stream = BoundedStream::new((), &startup()).unwrap();
        stream.trust(&pool);
        let refused = stream.follow(&message(b'Q', 900_000)).unwrap_err().to_string();
        assert_eq!(refused, "not enough memory for a message of 900 KB");
    }
}

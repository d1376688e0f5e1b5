//! The messages of one connection.

use crate::serve::protocol::bounded_stream::BoundedStream;
use crate::serve::protocol::pg_error::{self, PgError};
use futures::{FutureExt, SinkExt, StreamExt};
use pgwire::error::ErrorInfo;
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};
use pgwire::tokio::server::{MaybeTls, PgWireMessageServerCodec, negotiate_tls};
use std::io;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::codec::{Framed, FramedParts};

/// A client's messages, encrypted or not.
pub(in crate::serve) type Socket = Framed<BoundedStream<MaybeTls>, PgWireMessageServerCodec<()>>;

/// Time that a client has to read the last message.
pub(in crate::serve) const LAST_WORDS: Duration = Duration::from_secs(1);
/// Bytes that a client may have sent and that nobody will read.
pub(in crate::serve) const UNREAD_BYTES: usize = 256 << 10;

/// Agrees with a client on encryption; `None` when it left.
///
/// # Errors
/// When the connection is lost, or the client speaks another protocol.
pub(in crate::serve) async fn open(
    stream: TcpStream,
    acceptor: Option<pgwire::tokio::TlsAcceptor>,
) -> io::Result<Option<Socket>> {
    let Some(socket) = negotiate_tls::<()>(stream, acceptor).await? else { return Ok(None) };
    let old = socket.into_parts();
    let mut parts = FramedParts::new(BoundedStream::new(old.io, &old.read_buf)?, old.codec);
    (parts.read_buf, parts.write_buf) = (old.read_buf, old.write_buf);
    Ok(Some(Framed::from_parts(parts)))
}

/// Returns the next message of a client; `None` when it left.
///
/// # Errors
/// When it is not a message, or the connection is lost.
pub(in crate::serve) async fn next_message(socket: &mut Socket) -> Option<Result<PgWireFrontendMessage, PgError>> {
    // `pgwire` panics where a message is shorter than its fields.
    match AssertUnwindSafe(socket.next()).catch_unwind().await {
        Ok(message) => message.map(|message| message.map_err(PgError::from)),
        Err(_) => Some(Err(pg_error::fatal("08P01", "invalid message"))),
    }
}

/// Sends an error; a fatal one is the last message.
pub(in crate::serve) async fn say(socket: &mut Socket, details: ErrorInfo) -> Result<(), PgError> {
    let fatal = details.is_fatal();
    socket.feed(PgWireBackendMessage::ErrorResponse(details.into())).await?;
    if fatal {
        socket.flush().await?;
        return Err(PgError::Gone);
    }
    Ok(())
}

/// Closes a connection so that the last message arrives: bytes that nobody has read would make the system reset the
/// connection, and the client would lose what it has not read yet.
pub(in crate::serve) async fn part(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    let leaving = async {
        stream.shutdown().await?;
        let (mut unread, mut bytes) = ([0; 4_096], 0);
        while bytes < UNREAD_BYTES {
            match stream.read(&mut unread).await? {
                0 => break,
                more => bytes += more,
            }
        }
        io::Result::Ok(())
    };
    let _ = timeout(LAST_WORDS, leaving).await;
}

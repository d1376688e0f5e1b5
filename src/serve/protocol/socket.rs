//! The messages of one connection.

use crate::serve::protocol::pg_error::PgError;
use futures::SinkExt;
use pgwire::error::ErrorInfo;
use pgwire::messages::PgWireBackendMessage;
use pgwire::tokio::server::{MaybeTls, PgWireMessageServerCodec};
use tokio_util::codec::Framed;

/// A client's messages, encrypted or not.
pub(in crate::serve) type Socket = Framed<MaybeTls, PgWireMessageServerCodec<()>>;

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

//! Handing a request to the kernel, and knowing when that was.

use super::ledger::Ticket;
use super::net::Stream;
use crate::history::Class;
use tokio::io::AsyncWriteExt;

/// Writes the whole request.
///
/// # Errors
/// The class of what stood in the way. There may be an answer all the same: a server may answer and close before it has
/// read everything.
pub async fn send(stream: &mut Stream, request: &[u8], ticket: &Ticket) -> Result<(), Class> {
    ticket.sent_now();
    let mut written = 0;
    while written < request.len() {
        match stream.write(&request[written..]).await {
            Ok(0) => return Err(Class::EndOfStream),
            Ok(n) => written += n,
            Err(e) => {
                // Not one byte reached the kernel. (What TLS has buffered cannot be told.)
                if written == 0 && matches!(stream, Stream::Plain(_)) {
                    ticket.not_sent();
                }
                return Err(Class::of_io(e.kind()));
            }
        }
    }
    if let Stream::Tls(tls) = stream {
        tls.flush().await.map_err(|e| Class::of_io(e.kind()))?;
    }
    Ok(())
}

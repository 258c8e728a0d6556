//! Drives one session over one stream: reads, asks the receiver, writes; keeps the time limits.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use crate::reply;
use crate::session::{Session, Step};
use crate::{Limits, Receiver};

/// Read in one go, bytes.
const READ_BYTES: usize = 64 * 1024;
/// How long a closed connection is still read, so that the client sees the last answer and not a reset.
const LINGER_MAX: Duration = Duration::from_secs(1);

/// The shutdown signal: `Some` from then on, with the moment at which mails in transfer are cut off.
pub(crate) type Stop = watch::Receiver<Option<Instant>>;

enum Input {
    Bytes(usize),
    Idle,
    Stopped,
}

/// Holds the dialogue until one side ends it, and says how many mails the receiver took.
///
/// # Errors
/// The stream broke. What was delivered until then stays delivered, a mail that was coming in is dropped.
pub(crate) async fn converse<S, R>(
    mut stream: S,
    peer: SocketAddr,
    receiver: &R,
    limits: Limits,
    mut stop: Stop,
) -> io::Result<usize>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    R: Receiver,
{
    let mut session = Session::new(peer, limits);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        flush(&mut stream, &mut session, limits.idle_max).await?;
        let mut input =
            match wait(&mut stream, &mut buffer, session.receives_data(), limits.idle_max, &mut stop).await? {
                Input::Bytes(0) => return Ok(session.mails()),
                Input::Bytes(count) => &buffer[..count],
                Input::Idle => {
                    session.close(&reply::IDLE);
                    &[]
                }
                Input::Stopped => {
                    session.close(&reply::SHUTTING_DOWN);
                    &[]
                }
            };
        loop {
            match session.advance(&mut input) {
                Step::NeedInput => break,
                Step::CheckRecipient(recipient) => {
                    let verdict = receiver.accepts(&recipient).await;
                    session.recipient_checked(recipient, verdict);
                }
                Step::Deliver(envelope, mail) => session.delivered(receiver.deliver(envelope, mail).await),
                Step::Close => {
                    flush(&mut stream, &mut session, limits.idle_max).await?;
                    linger(&mut stream, &mut buffer).await;
                    return Ok(session.mails());
                }
            }
        }
    }
}

async fn flush<S>(stream: &mut S, session: &mut Session, idle_max: Duration) -> io::Result<()>
where
    S: AsyncWrite + Unpin,
{
    let output = session.take_output();
    if output.is_empty() {
        return Ok(());
    }
    timeout(idle_max, stream.write_all(&output)).await.map_err(|_| io::ErrorKind::TimedOut)?
}

async fn wait<S>(
    stream: &mut S,
    buffer: &mut [u8],
    receives_data: bool,
    idle_max: Duration,
    stop: &mut Stop,
) -> io::Result<Input>
where
    S: AsyncRead + Unpin,
{
    let stopped = async {
        // An error means that the server is gone, which is a stop too.
        let cut_off = stop.wait_for(Option::is_some).await.ok().and_then(|moment| *moment);
        if let Some(moment) = cut_off.filter(|_| receives_data) {
            sleep_until(moment).await;
        }
    };
    // The stop comes first: a client that never falls silent must not hold up the shutdown.
    tokio::select! {
        biased;
        () = stopped => Ok(Input::Stopped),
        read = timeout(idle_max, stream.read(buffer)) => match read {
            Ok(count) => Ok(Input::Bytes(count?)),
            Err(_) => Ok(Input::Idle),
        },
    }
}

/// Closes our side and waits a little for the other: closing with unread bytes would reset the connection, and the
/// client could lose the last answer.
async fn linger<S>(stream: &mut S, buffer: &mut [u8])
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let drained = async {
        if stream.shutdown().await.is_ok() {
            while stream.read(buffer).await.is_ok_and(|count| count > 0) {}
        }
    };
    // Whether the client closed in time or not, the connection ends here.
    let _ = timeout(LINGER_MAX, drained).await;
}

#[cfg(test)]
mod tests;

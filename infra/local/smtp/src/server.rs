//! Accepts connections, keeps their number below the limit and ends them in order.

use std::future::Future;
use std::io::Write;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::connection::converse;
use crate::{Limits, Receiver, reply};

/// Pause after a failed accept. It fails when the process has no more file handles, and would fail again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves SMTP on the listener until `shutdown` is ready.
///
/// Then no connection is accepted any more, a session that waits for a command gets 421, a mail that is being
/// delivered is finished and answered, one that is still coming in has [`Limits::shutdown_grace_max`] left. Returns
/// when every session is done. Dropping the future instead cuts all sessions at once.
pub async fn serve<R: Receiver>(
    listener: TcpListener,
    receiver: Arc<R>,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) {
    let mut shutdown = pin!(shutdown);
    let mut sessions = JoinSet::new();
    let (stop, stopped) = watch::channel(None);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(_) = sessions.join_next(), if !sessions.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, peer)) = accepted else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        if sessions.len() >= limits.connections_max {
            turn_away(stream);
            continue;
        }
        // Without it a small answer could wait for the acknowledgement of the one before. A failure costs speed only.
        let _ = stream.set_nodelay(true);
        let (receiver, stopped) = (Arc::clone(&receiver), stopped.clone());
        sessions.spawn(async move {
            match converse(stream, peer, receiver.as_ref(), limits, stopped).await {
                Ok(mails) => tracing::debug!(smtp.mails = mails, "smtp session ended"),
                Err(error) => tracing::debug!(error.kind = ?error.kind(), "smtp session broke"),
            }
        });
    }
    drop(listener);
    stop.send_replace(Some(Instant::now() + limits.shutdown_grace_max));
    tracing::debug!(smtp.sessions = sessions.len(), "smtp server stops");
    while sessions.join_next().await.is_some() {}
}

/// Says 421 and closes. The send buffer of a new connection is empty, so the write doesn't block; and no task is
/// spent on a client that is one too many.
fn turn_away(stream: TcpStream) {
    let mut line = Vec::new();
    reply::TOO_MANY_CONNECTIONS.write_to(&mut line);
    // The client may be gone already, which is fine here.
    let _ = stream.into_std().and_then(|mut stream| stream.write_all(&line));
    tracing::debug!("smtp connection turned away");
}

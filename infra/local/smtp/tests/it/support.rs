//! A server with a receiver in memory, a plain line client, and a server that follows a script.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use throughline_smtp::{Envelope, Limits, Receiver, Refusal, serve};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

/// Takes mail for `support…@` and `postmaster`. A mail with the line `down` or `refuse` in it is not taken, one with
/// `wait` is taken when [`Inbox::go_on`] has a permit.
pub(crate) struct Inbox {
    pub(crate) mails: Mutex<Vec<(Envelope, Bytes)>>,
    pub(crate) go_on: Semaphore,
    /// Says that a mail waits.
    waiting: mpsc::UnboundedSender<()>,
}

impl Receiver for Inbox {
    async fn accepts(&self, recipient: &str) -> Result<(), Refusal> {
        match recipient {
            "down@example.com" => Err(Refusal::Temporary("the store is down".to_owned())),
            text if text.starts_with("support") || text.contains(' ') || text == "postmaster" => Ok(()),
            _ => Err(Refusal::Permanent("no such mailbox".to_owned())),
        }
    }

    async fn deliver(&self, envelope: Envelope, mail: Bytes) -> Result<String, Refusal> {
        let has = |line: &[u8]| mail.split(|&byte| byte == b'\n').any(|found| found.trim_ascii_end() == line);
        assert!(!has(b"panic"), "asked for");
        if has(b"down") {
            return Err(Refusal::Temporary("the store is down".to_owned()));
        }
        if has(b"refuse") {
            return Err(Refusal::Permanent("not this".to_owned()));
        }
        if has(b"wait") {
            self.waiting.send(()).unwrap();
            self.go_on.acquire().await.unwrap().forget();
        }
        let mut mails = self.mails.lock().unwrap();
        mails.push((envelope, mail));
        Ok(format!("mail-{}", mails.len()))
    }
}

/// A running server.
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) waiting: mpsc::UnboundedReceiver<()>,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) served: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (send, waiting) = mpsc::unbounded_channel();
        let inbox = Arc::new(Inbox { mails: Mutex::default(), go_on: Semaphore::new(0), waiting: send });
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async {
            let _ = stopped.await;
        };
        let served = tokio::spawn(serve(listener, Arc::clone(&inbox), limits, shutdown));
        Server { addr, inbox, waiting, stop: Some(stop), served }
    }

    /// A line client that has heard the greeting.
    pub(crate) async fn connect(&self) -> Lines {
        let mut lines = Lines(BufReader::new(TcpStream::connect(self.addr).await.unwrap()));
        assert!(lines.hear().await.starts_with("220 "));
        lines
    }

    /// The mails so far, as text.
    pub(crate) fn texts(&self) -> Vec<String> {
        let mails = self.inbox.mails.lock().unwrap();
        mails.iter().map(|(_, mail)| String::from_utf8_lossy(mail).into_owned()).collect()
    }

    pub(crate) async fn shut_down(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        self.served.await.unwrap();
    }
}

/// Speaks bytes and hears lines.
pub(crate) struct Lines(pub(crate) BufReader<TcpStream>);

impl Lines {
    pub(crate) async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// The last line of the next answer; empty at the end of the connection.
    pub(crate) async fn hear(&mut self) -> String {
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).await.unwrap();
            if line.as_bytes().get(3) != Some(&b'-') {
                return line;
            }
        }
    }

    /// Says it and checks the start of one answer for each expected one.
    pub(crate) async fn ask(&mut self, bytes: impl AsRef<[u8]>, expected: &[&str]) {
        self.say(bytes).await;
        for expected in expected {
            let line = self.hear().await;
            assert!(line.starts_with(expected), "{line:?} is not {expected:?}");
        }
    }

    /// Up to the point where the data comes.
    pub(crate) async fn open_data(&mut self) {
        let opening = "EHLO c\r\nMAIL FROM:<s@x.example>\r\nRCPT TO:<support@example.com>\r\nDATA\r\n";
        self.ask(opening, &["250", "250", "250", "354"]).await;
    }

    pub(crate) async fn rest(mut self) -> String {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).await.unwrap();
        rest
    }
}

/// A server that says the next line of the script for each line that it hears (the first one is the greeting, the one
/// after DATA waits for the final dot), then hangs up. Its result is what it heard.
pub(crate) async fn scripted(script: &[&str]) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let script: Vec<String> = script.iter().map(|line| line.replace('|', "\r\n") + "\r\n").collect();
    let task = tokio::spawn(async move {
        let mut stream = BufReader::new(listener.accept().await.unwrap().0);
        let (mut heard, mut in_data) = (Vec::new(), false);
        for (number, line) in script.iter().enumerate() {
            let mut waits = number > 0;
            while waits {
                let start = heard.len();
                let count = stream.read_until(b'\n', &mut heard).await.unwrap();
                waits = count > 0 && in_data && &heard[start..] != b".\r\n";
            }
            in_data = line.starts_with("354");
            stream.write_all(line.as_bytes()).await.unwrap();
        }
        String::from_utf8_lossy(&heard).into_owned()
    });
    (addr, task)
}

//! Tests: how much, how long and how far away a file may be.

use std::sync::Mutex;

use throughline_channels::media::{Step, start};
use throughline_channels::secrets::InboxSecrets;
use throughline_domain::channel::Channel;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::*;

/// What the stand-in was asked for: paths, which begin with the host.
type Asked = Arc<Mutex<Vec<String>>>;

/// Reads a request; gives its path.
async fn request(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        read.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(read).unwrap().split(' ').nth(1).unwrap().to_owned()
}

/// A fetcher that asks a stand-in, and what that is asked for. It answers with the bytes that `answer` has for a path, and
/// hangs up.
async fn stand_in(answer: fn(&str) -> Vec<u8>) -> (Fetcher, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let asked = Asked::default();
    let seen = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let path = request(&mut stream).await;
            seen.lock().unwrap().push(path.clone());
            // Who has enough hangs up before all is written.
            let _hung_up = stream.write_all(&answer(&path)).await;
        }
    });
    (Fetcher::stand_in(at), asked)
}

/// Gets a file of Messenger's, whose files lie at any host of `fbcdn.net`.
async fn get(fetcher: &Fetcher, path: &str) -> Result<Fetched, FetchError> {
    let holder = Holder::of(Channel::Messenger, None);
    let url = format!("https://a.fbcdn.net{path}");
    let Ok(Step::File(get)) = start(holder, &url, &InboxSecrets::default()) else { panic!("no request") };
    fetcher.get(holder, &get).await
}

/// An answer whose end is where the connection ends.
fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

#[tokio::test]
async fn a_file_has_at_most_the_largest_size() {
    let (fetcher, _) = stand_in(|path| {
        let more = usize::from(path.ends_with("larger"));
        answer("200 OK", "content-type: image/png\r\n", &vec![0; FILE_BYTES_MAX + more])
    })
    .await;
    let largest = get(&fetcher, "/largest").await.unwrap();
    assert_eq!((largest.bytes.len(), largest.content_type.as_deref()), (FILE_BYTES_MAX, Some("image/png")));
    let larger = get(&fetcher, "/larger").await;
    assert_eq!(larger, Err(FetchError::ForGood(format!("it is larger than {FILE_BYTES_MAX} bytes"))));
}

/// A stand-in that never comes to an end: it says nothing, or a byte now and then. Time stands, and goes on only while
/// everybody waits.
#[tokio::test(start_paused = true)]
async fn what_takes_too_long_may_be_had_later() {
    for begins in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fetcher = Fetcher::stand_in(listener.local_addr().unwrap());
        let endless = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            request(&mut stream).await;
            if begins {
                stream.write_all(&answer("200 OK", "", b"")).await.unwrap();
            }
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                if begins && stream.write_all(b"x").await.is_err() {
                    return;
                }
            }
        });
        let begun = Instant::now();
        let got = get(&fetcher, "/endless").await;
        assert_eq!(got, Err(FetchError::Passing("it took longer than 20 s".to_owned())), "begins: {begins}");
        assert_eq!(begun.elapsed().as_secs(), FETCH_MAX.as_secs());
        endless.abort();
    }
}

#[tokio::test]
async fn redirects_are_followed_while_they_stay_with_the_holder_and_are_few() {
    let (fetcher, asked) = stand_in(|path| {
        let to = match path {
            "/a.fbcdn.net/once" => "https://b.fbcdn.net/3",
            // The first is no redirect yet.
            "/a.fbcdn.net/thrice" => "https://b.fbcdn.net/1",
            "/a.fbcdn.net/often" => "/0",
            "/a.fbcdn.net/0" | "/b.fbcdn.net/0" => "https://b.fbcdn.net/1",
            "/b.fbcdn.net/1" => "2",
            "/b.fbcdn.net/2" => "//c.fbcdn.net/3",
            "/a.fbcdn.net/away" => "https://evil.example/3",
            "/a.fbcdn.net/plain" => "http://a.fbcdn.net/3",
            "/a.fbcdn.net/inside" => "https://169.254.169.254/latest/meta-data",
            "/a.fbcdn.net/nowhere" => "",
            _ => return answer("200 OK", "", b"here"),
        };
        let location = if to.is_empty() { String::new() } else { format!("location: {to}\r\n") };
        answer("302 Found", &location, b"")
    })
    .await;
    for near in ["/once", "/thrice"] {
        assert_eq!(get(&fetcher, near).await.map(|got| got.bytes), Ok(Bytes::from_static(b"here")), "{near}");
    }
    let too_many = Err(FetchError::ForGood(format!("more than {REDIRECTS_MAX} redirects")));
    assert_eq!(get(&fetcher, "/often").await, too_many);
    asked.lock().unwrap().clear();
    for away in ["/away", "/plain", "/inside"] {
        assert_eq!(get(&fetcher, away).await, Err(NotFetched::Elsewhere.into()), "{away}");
    }
    assert_eq!(get(&fetcher, "/nowhere").await, Err(NotFetched::NotSaid.into()));
    let only = ["/a.fbcdn.net/away", "/a.fbcdn.net/plain", "/a.fbcdn.net/inside", "/a.fbcdn.net/nowhere"];
    assert_eq!(*asked.lock().unwrap(), only, "nobody else was asked");
}

#[tokio::test]
async fn what_the_holder_answers_says_whether_there_is_a_later() {
    let (fetcher, _) = stand_in(|path| match path.rsplit('/').next().unwrap() {
        "cut" => answer("200 OK", "content-length: 9\r\n", b"here"),
        status => answer(status, "", b""),
    })
    .await;
    for passing in ["202", "206", "408", "425", "429", "500", "503"] {
        let wanted = Err(FetchError::Passing(format!("the provider answers {passing}")));
        assert_eq!(get(&fetcher, &format!("/{passing}")).await, wanted);
    }
    for refused in ["401", "403", "404", "409"] {
        let wanted = Err(FetchError::Refused(format!("the provider answers {refused}")));
        assert_eq!(get(&fetcher, &format!("/{refused}")).await, wanted);
    }
    for for_good in ["400", "405", "410"] {
        let wanted = Err(FetchError::ForGood(format!("the provider answers {for_good}")));
        assert_eq!(get(&fetcher, &format!("/{for_good}")).await, wanted);
    }
    assert_eq!(get(&fetcher, "/cut").await, Err(FetchError::Passing("the answer broke off".to_owned())));
}

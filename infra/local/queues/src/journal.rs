//! The journal: operations as JSON lines in one file, written before the answer, read again at start.
//!
//! Writes go to the operating system and not to the disk: they survive the end of the process in any way, `kill -9`
//! included, but not a power cut. A line that was being written when the process ended lacks its line feed and is
//! ignored; nobody had an answer for it.

use crate::limits::JOURNAL_SLACK_BYTES;
use crate::message::{Content, Envelope};
use crate::spec::QueueSpec;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Format of the file; readers refuse others.
const FORMAT: u32 = 1;
const FILE: &str = "queues.journal";
/// Where a compacted journal is written before it replaces the old one.
const FILE_NEW: &str = "queues.journal.new";
const LOCK: &str = "queues.lock";

/// One line. Sequence numbers are those of the queue that the line names; times are milliseconds since 1970.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Record<'a> {
    /// First line of a file.
    Format(u32),
    /// A queue was made or its settings changed.
    Queue(Cow<'a, QueueSpec>),
    /// The next message of the queue gets this number or a higher one.
    Next { q: Cow<'a, str>, seq: u64 },
    /// A de-duplication id in its window.
    Dedup { q: Cow<'a, str>, key: Cow<'a, str>, seq: u64, id: Uuid, at: u64 },
    /// A message came in.
    Send {
        q: Cow<'a, str>,
        seq: u64,
        e: Cow<'a, Envelope>,
        c: Cow<'a, Content>,
        /// End of its delay.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due: Option<u64>,
    },
    /// Messages were given out.
    Receive { q: Cow<'a, str>, seqs: Vec<u64>, at: u64 },
    /// Messages were deleted.
    Delete { q: Cow<'a, str>, seqs: Vec<u64> },
    /// Messages went to a dead-letter queue: number here, number there.
    Dead { q: Cow<'a, str>, to: Cow<'a, str>, seqs: Vec<(u64, u64)> },
    /// All messages were deleted.
    Purge { q: Cow<'a, str> },
}

/// Takes records one by one; says how many bytes each took.
pub(crate) trait Sink {
    /// Writes one line.
    fn put(&mut self, record: &Record<'_>) -> io::Result<u64>;
}

/// An open journal. Holds a lock on its folder, so that a second process cannot write into the same file.
#[derive(Debug)]
pub(crate) struct Journal {
    dir: PathBuf,
    file: File,
    /// Bytes of the file that are whole lines.
    len: u64,
    /// Lines of the operation under way.
    buffer: Vec<u8>,
    /// Set when a write failed: the file may end in half a line and must be written anew before it is used again.
    broken: bool,
    /// Length at which the last compaction failed; the next try waits for twice that.
    failed_at: u64,
    _lock: File,
}

impl Journal {
    /// Opens or makes the journal in `dir` and hands every record in it to `apply`. The caller compacts next.
    ///
    /// # Errors
    /// Any I/O error; `WouldBlock` when another process or instance has it open; `InvalidData` for a line that is whole
    /// but makes no sense.
    pub(crate) fn open(dir: &Path, mut apply: impl FnMut(Record<'static>)) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let lock = File::create(dir.join(LOCK))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => {
                io::Error::new(io::ErrorKind::WouldBlock, format!("{} is in use by another process", dir.display()))
            }
            TryLockError::Error(error) => error,
        })?;
        let path = dir.join(FILE);
        let file = OpenOptions::new().create(true).read(true).append(true).open(&path)?;
        let mut reader = BufReader::new(file);
        let (mut line, mut number) = (Vec::new(), 0_u64);
        while reader.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
            number += 1;
            let wrong =
                |why: String| io::Error::new(io::ErrorKind::InvalidData, format!("{FILE} line {number}: {why}"));
            match serde_json::from_slice::<Record<'static>>(&line).map_err(|error| wrong(error.to_string()))? {
                Record::Format(FORMAT) => {}
                Record::Format(other) => return Err(wrong(format!("format {other} is not known"))),
                record => apply(record),
            }
            line.clear();
        }
        let (dir, file) = (dir.to_owned(), reader.into_inner());
        Ok(Self { dir, file, len: 0, buffer: Vec::new(), broken: true, failed_at: 0, _lock: lock })
    }

    /// Whether the file must be written anew, given how many bytes of it are `live`.
    pub(crate) fn wants_compaction(&self, live: u64) -> bool {
        let len = self.len + self.buffer.len() as u64;
        self.broken || len > (2 * live + JOURNAL_SLACK_BYTES).max(2 * self.failed_at)
    }

    /// Whether appending is impossible until a compaction succeeds.
    pub(crate) fn broken(&self) -> bool {
        self.broken
    }

    /// Writes what was put since the last commit, in one go.
    pub(crate) fn commit(&mut self) -> io::Result<()> {
        let result = self.file.write_all(&self.buffer);
        self.broken = result.is_err();
        self.len += self.buffer.len() as u64;
        self.buffer.clear();
        result
    }

    /// Replaces the file by one that holds what `write` puts. What was put and not committed is dropped: `write` knows it.
    ///
    /// Safe against a crash at any point, for the new file takes the place of the old one only when it is complete.
    pub(crate) fn compact(&mut self, write: impl FnOnce(&mut dyn Sink) -> io::Result<()>) -> io::Result<()> {
        let result = self.rewrite(write);
        match &result {
            Ok(()) => (self.broken, self.failed_at) = (false, 0),
            Err(_) => {
                self.failed_at = self.len;
                // Half a line may be at the end of the file: what was put must wait for the next whole rewrite.
                if self.broken {
                    self.buffer.clear();
                }
            }
        }
        result
    }

    fn rewrite(&mut self, write: impl FnOnce(&mut dyn Sink) -> io::Result<()>) -> io::Result<()> {
        let path = self.dir.join(FILE_NEW);
        // Appending, not writing at a position: the handle is kept for the operations that follow.
        fs::write(&path, b"")?;
        let file = OpenOptions::new().append(true).open(&path)?;
        let mut fresh = Fresh { writer: BufWriter::new(file), len: 0 };
        fresh.put(&Record::Format(FORMAT))?;
        write(&mut fresh)?;
        let file = fresh.writer.into_inner().map_err(io::IntoInnerError::into_error)?;
        fs::rename(&path, self.dir.join(FILE))?;
        (self.file, self.len) = (file, fresh.len);
        self.buffer.clear();
        Ok(())
    }
}

impl Sink for Journal {
    /// Adds a line to what the next commit writes.
    fn put(&mut self, record: &Record<'_>) -> io::Result<u64> {
        let before = self.buffer.len();
        serde_json::to_writer(&mut self.buffer, record)?;
        self.buffer.push(b'\n');
        Ok((self.buffer.len() - before) as u64)
    }
}

/// A journal file in the making.
struct Fresh {
    writer: BufWriter<File>,
    len: u64,
}

impl Sink for Fresh {
    fn put(&mut self, record: &Record<'_>) -> io::Result<u64> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        self.writer.write_all(&line)?;
        self.len += line.len() as u64;
        Ok(line.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purge(q: &str) -> Record<'_> {
        Record::Purge { q: q.into() }
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names = Vec::new();
        let open = Journal::open(dir, |record| match record {
            Record::Purge { q } => names.push(q.into_owned()),
            other => panic!("{other:?}"),
        });
        drop(open.unwrap());
        names
    }

    #[test]
    fn failed_write_is_made_good_by_the_next_compaction() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(dir.path(), drop).unwrap();
        assert!(journal.wants_compaction(0), "after opening");
        journal.compact(|sink| sink.put(&purge("one")).map(drop)).unwrap();
        journal.put(&purge("two")).unwrap();
        journal.commit().unwrap();
        // A file that cannot be written, as on a full disk.
        journal.file = File::open(dir.path().join(FILE)).unwrap();
        journal.put(&purge("lost")).unwrap();
        journal.commit().unwrap_err();
        assert!(journal.wants_compaction(0) && journal.broken());
        journal.compact(|_| Err(io::Error::other("still full"))).unwrap_err();
        assert!(journal.wants_compaction(0) && journal.broken());
        journal.compact(|sink| sink.put(&purge("all")).map(drop)).unwrap();
        journal.put(&purge("three")).unwrap();
        journal.commit().unwrap();
        drop(journal);
        assert_eq!(names(dir.path()), ["all", "three"]);
    }

    #[test]
    fn failed_compaction_leaves_a_good_file_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(dir.path(), drop).unwrap();
        journal.compact(|_| Ok(())).unwrap();
        journal.put(&purge("one")).unwrap();
        journal.compact(|_| Err(io::Error::other("full"))).unwrap_err();
        journal.commit().unwrap();
        drop(journal);
        assert_eq!(names(dir.path()), ["one"]);
    }
}

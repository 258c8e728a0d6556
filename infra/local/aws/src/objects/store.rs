//! Where objects are kept: one SQLite file, or memory.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS buckets (name TEXT PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS objects (
        bucket TEXT NOT NULL,
        key TEXT NOT NULL,
        etag TEXT NOT NULL,
        modified_ms INTEGER NOT NULL,
        size INTEGER NOT NULL,
        headers TEXT NOT NULL,
        body BLOB NOT NULL,
        PRIMARY KEY (bucket, key)
    );";

const PUT: &str = "INSERT OR REPLACE INTO objects VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const PUT_NEW: &str = "INSERT OR IGNORE INTO objects VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const GET: &str = "SELECT etag, modified_ms, size, headers, body FROM objects WHERE bucket = ?1 AND key = ?2";
const HEAD: &str = "SELECT etag, modified_ms, size, headers FROM objects WHERE bucket = ?1 AND key = ?2";
const DELETE: &str = "DELETE FROM objects WHERE bucket = ?1 AND key = ?2";
const EXPIRE: &str =
    "DELETE FROM objects WHERE bucket = ?1 AND substr(key, 1, length(?2)) = ?2 AND key >= ?2 AND modified_ms < ?3";
const HAS_BUCKET: &str = "SELECT 1 FROM buckets WHERE name = ?1";
const CREATE_BUCKET: &str = "INSERT OR IGNORE INTO buckets VALUES (?1)";
const FROM: &str =
    "SELECT key, etag, modified_ms, size FROM objects WHERE bucket = ?1 AND key >= ?2 AND key > ?3 ORDER BY key";

/// What is known of an object beside its content.
#[derive(Clone, Debug)]
pub(super) struct Head {
    /// With its quotes.
    pub(super) etag: String,
    pub(super) modified_ms: u64,
    /// In bytes.
    pub(super) size: u64,
    /// Headers that come back with it.
    pub(super) headers: Vec<(String, String)>,
}

/// An object in a list.
pub(super) struct Listed {
    pub(super) key: String,
    pub(super) etag: String,
    pub(super) modified_ms: u64,
    pub(super) size: u64,
}

/// The store.
pub(super) struct Store {
    connection: Mutex<Connection>,
}

impl Store {
    pub(super) fn memory() -> rusqlite::Result<Self> {
        Self::on(Connection::open_in_memory()?)
    }

    pub(super) fn open(file: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(file)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // Safe when the process is killed, which is what is promised; FULL would sync each put against power cuts.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        Self::on(connection)
    }

    fn on(connection: Connection) -> rusqlite::Result<Self> {
        connection.execute_batch(SCHEMA)?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    pub(super) fn create_bucket(&self, name: &str) -> rusqlite::Result<()> {
        self.lock().prepare_cached(CREATE_BUCKET)?.execute([name]).map(drop)
    }

    pub(super) fn has_bucket(&self, name: &str) -> rusqlite::Result<bool> {
        self.lock().prepare_cached(HAS_BUCKET)?.exists([name])
    }

    pub(super) fn put(&self, bucket: &str, key: &str, head: &Head, body: &[u8]) -> rusqlite::Result<()> {
        self.insert(PUT, bucket, key, head, body).map(drop)
    }

    /// Puts an object unless there is one with this key; says whether it did.
    pub(super) fn put_new(&self, bucket: &str, key: &str, head: &Head, body: &[u8]) -> rusqlite::Result<bool> {
        self.insert(PUT_NEW, bucket, key, head, body).map(|rows| rows > 0)
    }

    fn insert(&self, sql: &str, bucket: &str, key: &str, head: &Head, body: &[u8]) -> rusqlite::Result<usize> {
        let headers = serde_json::to_string(&head.headers).expect("strings are JSON");
        let row = params![bucket, key, head.etag, integer(head.modified_ms), integer(head.size), headers, body];
        self.lock().prepare_cached(sql)?.execute(row)
    }

    pub(super) fn get(&self, bucket: &str, key: &str) -> rusqlite::Result<Option<(Head, Vec<u8>)>> {
        let read = |row: &Row<'_>| Ok((head(row)?, row.get(4)?));
        self.lock().prepare_cached(GET)?.query_row([bucket, key], read).optional()
    }

    pub(super) fn head(&self, bucket: &str, key: &str) -> rusqlite::Result<Option<Head>> {
        self.lock().prepare_cached(HEAD)?.query_row([bucket, key], head).optional()
    }

    pub(super) fn delete(&self, bucket: &str, key: &str) -> rusqlite::Result<()> {
        self.lock().prepare_cached(DELETE)?.execute([bucket, key]).map(drop)
    }

    /// Deletes the objects whose keys begin with `prefix` and that are older than a moment; says how many.
    pub(super) fn expire(&self, bucket: &str, prefix: &str, before_ms: u64) -> rusqlite::Result<usize> {
        self.lock().prepare_cached(EXPIRE)?.execute(params![bucket, prefix, integer(before_ms)])
    }

    /// Shows objects whose keys begin with `prefix` and come after `after`, in the order of keys, while `visit` wants more.
    pub(super) fn list(
        &self,
        bucket: &str,
        prefix: &str,
        after: &str,
        mut visit: impl FnMut(Listed) -> bool,
    ) -> rusqlite::Result<()> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(FROM)?;
        let mut rows = statement.query([bucket, prefix, after])?;
        while let Some(row) = rows.next()? {
            let listed =
                Listed { key: row.get(0)?, etag: row.get(1)?, modified_ms: natural(row, 2)?, size: natural(row, 3)? };
            if !listed.key.starts_with(prefix) || !visit(listed) {
                break;
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn head(row: &Row<'_>) -> rusqlite::Result<Head> {
    let headers = match row.get_ref(3)? {
        ValueRef::Text(text) => serde_json::from_slice(text).unwrap_or_default(),
        _ => vec![],
    };
    Ok(Head { etag: row.get(0)?, modified_ms: natural(row, 1)?, size: natural(row, 2)?, headers })
}

/// SQLite has signed integers only.
fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn natural(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|value| u64::try_from(value).unwrap_or_default())
}

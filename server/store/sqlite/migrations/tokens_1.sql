-- Times are microseconds since 1970-01-01 UTC, 0 for never. Organizations is a JSON array; a hash is the SHA-256 of a
-- token. A seal authenticates the row, but for last_used_at, under the keyset.
CREATE TABLE tokens (
  hash BLOB NOT NULL PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  organizations TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  revoked_at INTEGER NOT NULL,
  last_used_at INTEGER NOT NULL DEFAULT 0,
  seal BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- One row: the database that the tokens belong to, and a ciphertext that only its keyset opens.
CREATE TABLE token_state (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  database_id TEXT NOT NULL,
  key_check BLOB NOT NULL
) STRICT;

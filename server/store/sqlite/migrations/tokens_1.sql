-- Times are microseconds since 1970-01-01 UTC, 0 for never. Organizations is a JSON array; a hash is the SHA-256 of a
-- token.
CREATE TABLE tokens (
  hash BLOB NOT NULL PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  organizations TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  revoked_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- +goose Up
-- Times are microseconds since 1970-01-01 UTC; organizations is a JSON array. A hash is the SHA-256 of a token.
CREATE TABLE tokens (
  hash BLOB NOT NULL PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  organizations TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  revoked_at INTEGER
) STRICT, WITHOUT ROWID;

-- +goose Up
-- Times are microseconds since 1970-01-01 UTC. A secret is a ciphertext.
CREATE TABLE webhooks (
  organization_id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  id TEXT NOT NULL,
  event_code TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  secret BLOB NOT NULL,
  enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (organization_id, created_at, id),
  UNIQUE (organization_id, id)
) STRICT, WITHOUT ROWID;

-- One row: a ciphertext that only the right keyset opens, and a count of the re-encryptions begun.
CREATE TABLE key_check (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  ciphertext BLOB NOT NULL,
  rotation INTEGER NOT NULL
) STRICT;

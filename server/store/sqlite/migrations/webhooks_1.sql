-- Times are microseconds since 1970-01-01 UTC. A document is sealed.
CREATE TABLE webhooks (
  organization_id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  id TEXT NOT NULL,
  document BLOB NOT NULL,
  PRIMARY KEY (organization_id, created_at, id),
  UNIQUE (organization_id, id)
) STRICT, WITHOUT ROWID;

-- One row: the id of the database, 1 once its tokens carry that too, a ciphertext that only the right keyset opens, a
-- count of the re-encryptions begun, the fingerprint of the contract that every document fits (empty when unknown), and
-- of one that documents are being checked against.
CREATE TABLE store_state (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  database_id TEXT NOT NULL,
  claimed INTEGER NOT NULL,
  key_check BLOB NOT NULL,
  rotation INTEGER NOT NULL,
  contract TEXT NOT NULL,
  checking TEXT NOT NULL
) STRICT;

-- +goose Up
-- Times are microseconds since 1970-01-01 UTC, 0 for never where that can be. A document is sealed.
CREATE TABLE webhooks (
  organization_id text COLLATE "C" NOT NULL,
  created_at bigint NOT NULL,
  id text COLLATE "C" NOT NULL,
  document bytea NOT NULL,
  PRIMARY KEY (organization_id, created_at, id),
  UNIQUE (organization_id, id)
);

-- One row: the id of the database, 1 once its tokens carry that too, a ciphertext that only the right keyset opens, a
-- count of the re-encryptions begun, the fingerprint of the contract that every document fits (empty when unknown), and
-- of one that documents are being checked against.
CREATE TABLE store_state (
  id integer PRIMARY KEY CHECK (id = 1),
  database_id text NOT NULL,
  claimed bigint NOT NULL,
  key_check bytea NOT NULL,
  rotation bigint NOT NULL,
  contract text NOT NULL,
  checking text NOT NULL
);

-- Organizations is a JSON array. A hash is the SHA-256 of a token. A seal authenticates the row, but for last_used_at,
-- under the keyset.
CREATE TABLE tokens (
  hash bytea PRIMARY KEY,
  id text COLLATE "C" NOT NULL UNIQUE,
  name text NOT NULL,
  organizations text NOT NULL,
  created_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  revoked_at bigint NOT NULL,
  last_used_at bigint NOT NULL DEFAULT 0,
  seal bytea NOT NULL
);

-- One row: the database that the tokens belong to, and a ciphertext that only its keyset opens.
CREATE TABLE token_state (
  id integer PRIMARY KEY CHECK (id = 1),
  database_id text NOT NULL,
  key_check bytea NOT NULL
);

-- +goose Up
-- Times are microseconds since 1970-01-01 UTC. A secret is a ciphertext.
CREATE TABLE webhooks (
  organization_id text COLLATE "C" NOT NULL,
  created_at bigint NOT NULL,
  id text COLLATE "C" NOT NULL,
  event_code text NOT NULL,
  endpoint text NOT NULL,
  secret bytea NOT NULL,
  enabled boolean NOT NULL,
  updated_at bigint NOT NULL,
  PRIMARY KEY (organization_id, created_at, id),
  UNIQUE (organization_id, id)
);

-- One row: a ciphertext that only the right keyset opens, and a count of the re-encryptions begun.
CREATE TABLE key_check (
  id integer PRIMARY KEY CHECK (id = 1),
  ciphertext bytea NOT NULL,
  rotation bigint NOT NULL
);

-- Organizations is a JSON array. A hash is the SHA-256 of a token.
CREATE TABLE tokens (
  hash bytea PRIMARY KEY,
  id text COLLATE "C" NOT NULL UNIQUE,
  name text NOT NULL,
  organizations text NOT NULL,
  created_at bigint NOT NULL,
  expires_at bigint,
  revoked_at bigint
);

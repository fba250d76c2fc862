-- To try one in psql, give its parameters first: \bind acme 0 '' 26

-- name: PageFrom
-- The limits keep the planner on the primary key, in its order: EXISTS would let it scan the table.
SELECT other_side, created_at, id, event_code, endpoint, secret, enabled, updated_at
FROM (
  SELECT coalesce((
    SELECT true FROM webhooks WHERE organization_id = $1 AND (created_at, id) < ($2, $3)
    ORDER BY created_at DESC, id DESC LIMIT 1
  ), false) AS other_side
) AS probe
LEFT JOIN (
  SELECT created_at, id, event_code, endpoint, secret, enabled, updated_at
  FROM webhooks
  WHERE organization_id = $1 AND (created_at, id) >= ($2, $3)
  ORDER BY created_at, id
  LIMIT $4
) AS page ON true
ORDER BY created_at, id;

-- name: PageBefore
SELECT other_side, created_at, id, event_code, endpoint, secret, enabled, updated_at
FROM (
  SELECT coalesce((
    SELECT true FROM webhooks WHERE organization_id = $1 AND (created_at, id) >= ($2, $3)
    ORDER BY created_at, id LIMIT 1
  ), false) AS other_side
) AS probe
LEFT JOIN (
  SELECT created_at, id, event_code, endpoint, secret, enabled, updated_at
  FROM webhooks
  WHERE organization_id = $1 AND (created_at, id) < ($2, $3)
  ORDER BY created_at DESC, id DESC
  LIMIT $4
) AS page ON true
ORDER BY created_at DESC, id DESC;

-- name: Delete
DELETE FROM webhooks
WHERE organization_id = $1 AND id IN (SELECT json_array_elements_text($2::text::json))
RETURNING id;

-- name: StageBegin
-- One transaction from here to the end of the import, so that a pooler keeps the connection. It locks nothing
-- that others use before it merges. The rows may come as slowly as they like.
BEGIN;
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
CREATE TEMP TABLE staged (
  created_at bigint NOT NULL,
  id text COLLATE "C" NOT NULL UNIQUE,
  event_code text NOT NULL,
  endpoint text NOT NULL,
  secret bytea NOT NULL,
  enabled boolean NOT NULL,
  updated_at bigint NOT NULL,
  PRIMARY KEY (created_at, id)
) ON COMMIT DROP;

-- name: Alike
SELECT w.id, w.secret
FROM json_to_recordset($2::text::json) AS b (
  created_at bigint, id text, event_code text, endpoint text, enabled boolean, updated_at bigint
)
JOIN webhooks AS w ON w.organization_id = $1 AND w.created_at = b.created_at AND w.id = b.id
WHERE (w.event_code, w.endpoint, w.enabled, w.updated_at) = (b.event_code, b.endpoint, b.enabled, b.updated_at);

-- name: StageInsert
INSERT INTO staged (created_at, id, event_code, endpoint, secret, enabled, updated_at)
SELECT created_at, id, event_code, endpoint, decode(secret, 'hex'), enabled, updated_at
FROM json_to_recordset($1::text::json) AS batch (
  created_at bigint, id text, event_code text, endpoint text, secret text, enabled boolean, updated_at bigint
)
ON CONFLICT DO NOTHING
RETURNING id;

-- name: StageEnd
-- Nothing else would ever tell the planner how many rows there are. What followIndexes forbids is best for all of
-- them.
ANALYZE staged;
SET LOCAL enable_seqscan = on;
SET LOCAL enable_sort = on;

-- name: MergeRemove
DELETE FROM webhooks
WHERE organization_id = $1 AND NOT EXISTS (SELECT FROM staged WHERE staged.id = webhooks.id);

-- name: MergeUpsert
INSERT INTO webhooks (organization_id, created_at, id, event_code, endpoint, secret, enabled, updated_at)
SELECT $1, created_at, id, event_code, endpoint, secret, enabled, updated_at
FROM staged
ORDER BY created_at, id
ON CONFLICT (organization_id, id) DO UPDATE SET
  created_at = excluded.created_at,
  event_code = excluded.event_code,
  endpoint = excluded.endpoint,
  secret = excluded.secret,
  enabled = excluded.enabled,
  updated_at = excluded.updated_at
WHERE (webhooks.created_at, webhooks.event_code, webhooks.endpoint, webhooks.secret, webhooks.enabled, webhooks.updated_at)
  <> (excluded.created_at, excluded.event_code, excluded.endpoint, excluded.secret, excluded.enabled, excluded.updated_at);

-- name: Count
SELECT count(*) FROM webhooks WHERE organization_id = $1;

-- name: Lock
SELECT pg_advisory_xact_lock(hashtextextended('packhooks ' || $1, 0));

-- name: ClaimKeys
INSERT INTO key_check (id, ciphertext, rotation) VALUES (1, $1, 0) ON CONFLICT DO NOTHING;

-- name: KeyCheck
SELECT ciphertext FROM key_check;

-- name: Rotation
SELECT rotation FROM key_check;

-- name: HoldKeys
SELECT rotation FROM key_check FOR SHARE;

-- name: BeginKeys
UPDATE key_check SET rotation = rotation + 1;

-- name: RenewCheck
UPDATE key_check SET ciphertext = $1;

-- name: NextOrganization
SELECT organization_id FROM webhooks WHERE organization_id > $1 ORDER BY organization_id LIMIT 1;

-- name: Secrets
SELECT created_at, id, secret
FROM webhooks
WHERE organization_id = $1 AND (created_at, id) >= ($2, $3)
ORDER BY created_at, id
LIMIT $4;

-- name: SwapSecrets
UPDATE webhooks SET secret = decode(swap.new, 'hex')
FROM json_to_recordset($2::text::json) AS swap (id text, old text, new text)
WHERE organization_id = $1 AND webhooks.id = swap.id AND webhooks.secret = decode(swap.old, 'hex');

-- name: CreateToken
INSERT INTO tokens (hash, id, name, organizations, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6);

-- name: FindToken
SELECT id, organizations, expires_at, revoked_at FROM tokens WHERE hash = $1;

-- name: ListTokens
SELECT id, name, organizations, created_at, expires_at, revoked_at FROM tokens ORDER BY created_at, id;

-- name: RevokeToken
UPDATE tokens SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1;

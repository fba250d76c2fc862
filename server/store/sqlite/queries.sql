-- To try one in the sqlite3 shell, set its parameters first: .parameter set ?1 "'acme'"

-- name: PageFrom
SELECT other_side, created_at, id, event_code, endpoint, secret, enabled, updated_at
FROM (
  SELECT EXISTS (SELECT 1 FROM webhooks WHERE organization_id = ?1 AND (created_at, id) < (?2, ?3)) AS other_side
)
LEFT JOIN (
  SELECT created_at, id, event_code, endpoint, secret, enabled, updated_at
  FROM webhooks
  WHERE organization_id = ?1 AND (created_at, id) >= (?2, ?3)
  ORDER BY created_at, id
  LIMIT ?4
) ON true
ORDER BY created_at, id;

-- name: PageBefore
SELECT other_side, created_at, id, event_code, endpoint, secret, enabled, updated_at
FROM (
  SELECT EXISTS (SELECT 1 FROM webhooks WHERE organization_id = ?1 AND (created_at, id) >= (?2, ?3)) AS other_side
)
LEFT JOIN (
  SELECT created_at, id, event_code, endpoint, secret, enabled, updated_at
  FROM webhooks
  WHERE organization_id = ?1 AND (created_at, id) < (?2, ?3)
  ORDER BY created_at DESC, id DESC
  LIMIT ?4
) ON true
ORDER BY created_at DESC, id DESC;

-- name: Delete
DELETE FROM webhooks
WHERE (organization_id, id) IN (SELECT ?1, value FROM json_each(?2))
RETURNING id;

-- name: StageBegin
-- The caches hold an index on a million ids, as these come in no order. There is no transaction before the merge:
-- it would keep the write-ahead log from being reused for as long as the rows take to come.
PRAGMA main.cache_size = -65536;
PRAGMA temp.cache_size = -65536;
CREATE TEMP TABLE staged (
  created_at INTEGER NOT NULL,
  id TEXT NOT NULL UNIQUE,
  event_code TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  secret BLOB NOT NULL,
  enabled INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (created_at, id)
) STRICT, WITHOUT ROWID;

-- name: Alike
WITH batch AS MATERIALIZED (
  SELECT value ->> 'created_at' AS created_at, value ->> 'id' AS id, value ->> 'event_code' AS event_code,
         value ->> 'endpoint' AS endpoint, value ->> 'enabled' AS enabled, value ->> 'updated_at' AS updated_at
  FROM json_each(?2)
)
SELECT w.id, w.secret
FROM batch AS b
CROSS JOIN webhooks AS w ON w.organization_id = ?1 AND w.created_at = b.created_at AND w.id = b.id
WHERE (w.event_code, w.endpoint, w.enabled, w.updated_at) = (b.event_code, b.endpoint, b.enabled, b.updated_at);

-- name: StageInsert
INSERT INTO staged (created_at, id, event_code, endpoint, secret, enabled, updated_at)
SELECT value ->> 'created_at', value ->> 'id', value ->> 'event_code', value ->> 'endpoint',
       unhex(value ->> 'secret'), value ->> 'enabled', value ->> 'updated_at'
FROM json_each(?1)
WHERE true
ON CONFLICT DO NOTHING
RETURNING id;

-- name: MergeBegin
BEGIN IMMEDIATE;

-- name: MergeRemove
DELETE FROM webhooks
WHERE organization_id = ?1 AND id NOT IN (SELECT id FROM staged);

-- name: MergeUpsert
INSERT INTO webhooks (organization_id, created_at, id, event_code, endpoint, secret, enabled, updated_at)
SELECT ?1, created_at, id, event_code, endpoint, secret, enabled, updated_at
FROM staged
WHERE true
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
SELECT count(*) FROM webhooks WHERE organization_id = ?1;

-- name: ClaimKeys
INSERT INTO key_check (id, ciphertext, rotation) VALUES (1, ?1, 0) ON CONFLICT DO NOTHING;

-- name: KeyCheck
SELECT ciphertext FROM key_check;

-- name: Rotation
SELECT rotation FROM key_check;

-- name: HoldKeys
SELECT rotation FROM key_check;

-- name: BeginKeys
UPDATE key_check SET rotation = rotation + 1;

-- name: RenewCheck
UPDATE key_check SET ciphertext = ?1;

-- name: NextOrganization
SELECT organization_id FROM webhooks WHERE organization_id > ?1 ORDER BY organization_id LIMIT 1;

-- name: Secrets
SELECT created_at, id, secret
FROM webhooks
WHERE organization_id = ?1 AND (created_at, id) >= (?2, ?3)
ORDER BY created_at, id
LIMIT ?4;

-- name: SwapSecrets
WITH swap AS MATERIALIZED (
  SELECT ?1 AS organization_id, value ->> 'id' AS id, unhex(value ->> 'old') AS old, unhex(value ->> 'new') AS new
  FROM json_each(?2)
)
UPDATE webhooks SET secret = swap.new
FROM swap
WHERE webhooks.organization_id = swap.organization_id AND webhooks.id = swap.id AND webhooks.secret = swap.old;

-- name: CreateToken
INSERT INTO tokens (hash, id, name, organizations, created_at, expires_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6);

-- name: FindToken
SELECT id, organizations, expires_at, revoked_at FROM tokens WHERE hash = ?1;

-- name: ListTokens
SELECT id, name, organizations, created_at, expires_at, revoked_at FROM tokens ORDER BY created_at, id;

-- name: RevokeToken
UPDATE tokens SET revoked_at = coalesce(revoked_at, ?2) WHERE id = ?1;

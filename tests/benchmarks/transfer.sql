-- A transfer between two accounts of a merchant, as the reference sends it.
\set source random(1, :accounts)
\set target 1 + (:source + random(0, :accounts - 2)) % :accounts
\set key random(1, 9000000000000000000)
BEGIN;
INSERT INTO idempotency_keys (scope, key, fingerprint, operation_id, created_at)
VALUES (:merchant, 'key_' || :key, decode(repeat('00', 32), 'hex'), NULL, now())
ON CONFLICT DO NOTHING RETURNING key;
SELECT accounts.id, accounts.merchant_id, accounts.currency, balances.posted, balances.held
FROM accounts JOIN balances ON balances.account_id = accounts.id
WHERE accounts.id IN ('acc_' || lpad(:source::text, 32, '0'), 'acc_' || lpad(:target::text, 32, '0'))
ORDER BY balances.account_id FOR UPDATE OF balances;
INSERT INTO transfers (id, from_account_id, from_merchant_id, to_account_id, to_merchant_id, amount, currency, created_at)
VALUES ('tr_' || :key, 'acc_' || lpad(:source::text, 32, '0'), :merchant,
        'acc_' || lpad(:target::text, 32, '0'), :merchant, 1, 'GBP', now());
UPDATE balances SET posted = posted + moved.amount
FROM unnest(ARRAY['acc_' || lpad(:source::text, 32, '0'), 'acc_' || lpad(:target::text, 32, '0')],
            ARRAY[-1, 1]::bigint[]) AS moved (account_id, amount)
WHERE balances.account_id = moved.account_id;
WITH made AS (
    INSERT INTO transactions (id, kind, reference, created_at)
    VALUES ('txn_' || :key, 'transfer', 'tr_' || :key, now())
)
INSERT INTO entries (id, transaction_id, account_id, amount, currency, created_at)
SELECT id, 'txn_' || :key, account_id, amount, 'GBP', now()
FROM unnest(ARRAY['ent_a' || :key, 'ent_b' || :key],
            ARRAY['acc_' || lpad(:source::text, 32, '0'), 'acc_' || lpad(:target::text, 32, '0')],
            ARRAY[-1, 1]::bigint[]) AS moved (id, account_id, amount);
WITH told AS (
    SELECT id, merchant_id FROM unnest(ARRAY['evt_' || :key], ARRAY[CAST(:merchant AS text)]) AS told (id, merchant_id)
), numbered AS (
    INSERT INTO streams AS stream (merchant_id, object_id, sequence)
    SELECT merchant_id, 'tr_' || :key, 1 FROM told ORDER BY merchant_id
    ON CONFLICT (merchant_id, object_id) DO UPDATE SET sequence = stream.sequence + 1
    RETURNING merchant_id, sequence
)
INSERT INTO events (merchant_id, object_id, sequence, id, type, data, created_at)
SELECT merchant_id, 'tr_' || :key, sequence, id, 'transfer.created',
       CAST('{"id": "' || repeat('x', 350) || '"}' AS jsonb), now()
FROM told JOIN numbered USING (merchant_id);
UPDATE idempotency_keys SET status = 201, body = repeat('x', 400)
WHERE scope = :merchant AND key = 'key_' || :key AND status IS NULL RETURNING key;
COMMIT;

-- DHCP made complete: walled gardens and planned renumbering.

ALTER TABLE nmsp.pool DROP CONSTRAINT pool_purpose_is_known;
ALTER TABLE nmsp.pool ADD CONSTRAINT pool_purpose_is_known
    CHECK (purpose IN ('cm', 'mta', 'cpe_public', 'cpe_private', 'cpe_blocked', 'cpe_unknown', 'stb'));
COMMENT ON COLUMN nmsp.pool.purpose IS
    'Who gets addresses: cm, mta, cpe_public, cpe_private or stb; cpe_blocked: CPEs behind modems without internet access, cpe_unknown: those behind modems that nobody knows (without such a pool they get no answer).';

ALTER TABLE nmsp.pool ADD COLUMN renumber_at timestamptz;
COMMENT ON COLUMN nmsp.pool.renumber_at IS
    'When its addresses are to change: lease times shrink ahead of it, so that every client asks again within five minutes of it; null: never.';

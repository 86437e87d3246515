-- Edges: databases that get the provisioning tables from a centre by logical replication and serve
-- the network on their own. See sql/views/80_edge.sql.

CREATE TABLE nmsp_feed.edge_table (
    relation text PRIMARY KEY CONSTRAINT edge_table_relation_has_a_schema CHECK (relation ~ '^[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*$'),
    way      text NOT NULL CONSTRAINT edge_table_way_is_known CHECK (way IN ('to edges', 'from edges', 'own')),
    radius   boolean NOT NULL DEFAULT false,
    netgw    text,
    log      boolean NOT NULL DEFAULT true,
    note     text
);
COMMENT ON TABLE nmsp_feed.edge_table IS 'What becomes of a table between centre and edges. Tables that feeds depend on (nmsp_feed.dependency) go to edges without being listed; listed are those beside, and exceptions. Seeded by nmsp.migrate().';
COMMENT ON COLUMN nmsp_feed.edge_table.relation IS 'Table, as schema.name.';
COMMENT ON COLUMN nmsp_feed.edge_table.way IS 'to edges: written at the centre, read at edges; from edges: each edge''s rows are collected at the centre; own: each database has its own.';
COMMENT ON COLUMN nmsp_feed.edge_table.radius IS 'true: only for edges that run FreeRADIUS.';
COMMENT ON COLUMN nmsp_feed.edge_table.netgw IS 'Column that says to which access gateway a row belongs, for publications that are limited to some; null: its rows go to every edge.';
COMMENT ON COLUMN nmsp_feed.edge_table.log IS 'Of tables from edges: true: rows are only added; each side drops old ones for itself. false: what an edge changes and deletes is changed and deleted at the centre too.';
COMMENT ON COLUMN nmsp_feed.edge_table.note IS 'Why, for people.';

CREATE TABLE nmsp_feed.edge_publication (
    name   text PRIMARY KEY CONSTRAINT edge_publication_name_is_plain CHECK (name ~ '^[a-z_][a-z0-9_]{0,62}$'),
    netgws bigint[] CONSTRAINT edge_publication_netgws_are_some CHECK (cardinality(netgws) > 0 AND array_position(netgws, NULL) IS NULL),
    radius boolean NOT NULL
);
COMMENT ON TABLE nmsp_feed.edge_publication IS 'The publications that nmsp_feed.create_publication() made; nmsp.migrate() adds tables that are new.';
COMMENT ON COLUMN nmsp_feed.edge_publication.name IS 'Its name.';
COMMENT ON COLUMN nmsp_feed.edge_publication.netgws IS 'The access gateways whose modems, pools and secrets it publishes; null: all.';
COMMENT ON COLUMN nmsp_feed.edge_publication.radius IS 'Whether it publishes what FreeRADIUS needs, passwords of PPP accounts among it.';

CREATE TABLE nmsp.edge (
    id       boolean PRIMARY KEY DEFAULT true CONSTRAINT edge_has_one_row_at_most CHECK (id),
    name     text NOT NULL CONSTRAINT edge_name_is_a_name CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$'),
    settings jsonb NOT NULL DEFAULT '{}' CONSTRAINT edge_settings_is_an_object CHECK (jsonb_typeof(settings) = 'object'),
    centre   jsonb,
    dropped  jsonb NOT NULL DEFAULT '[]',
    since    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE nmsp.edge IS 'One row makes this database an edge; made by nmsp_feed.become_edge(), taken away by nmsp_feed.leave_centre().';
COMMENT ON COLUMN nmsp.edge.id IS 'Always true.';
COMMENT ON COLUMN nmsp.edge.name IS 'Name of this edge.';
COMMENT ON COLUMN nmsp.edge.settings IS 'Columns of nmsp.setting that are otherwise here than at the centre, e.g. {"provisioning_server": "10.9.0.1"}.';
COMMENT ON COLUMN nmsp.edge.centre IS 'The row of nmsp.setting as it is at the centre; kept by a trigger.';
COMMENT ON COLUMN nmsp.edge.dropped IS 'Foreign keys from tables of this database''s own to the centre''s, taken away because a TRUNCATE there could not be repeated here with them.';
COMMENT ON COLUMN nmsp.edge.since IS 'Since when it is one.';

CREATE TABLE nmsp.heartbeat (
    id boolean PRIMARY KEY DEFAULT true CONSTRAINT heartbeat_has_exactly_one_row CHECK (id),
    at timestamptz NOT NULL
);
COMMENT ON TABLE nmsp.heartbeat IS 'Tells edges how old is what they have: the feeder of the centre writes the time from time to time. Empty where there are no edges.';
COMMENT ON COLUMN nmsp.heartbeat.id IS 'Always true.';
COMMENT ON COLUMN nmsp.heartbeat.at IS 'When; all that was committed at the centre before has come with it.';

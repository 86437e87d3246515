-- Behind all sources of boundaries.
PERFORM nmsp_feed.install_boundaries();

CREATE OR REPLACE VIEW nmsp.next_change AS
SELECT b.at, b.source, b.cause, b.id, b.note FROM nmsp_feed.boundary(now(), now() + interval '31 days') b ORDER BY b.at, b.source, b.cause, b.id;
COMMENT ON VIEW nmsp.next_change IS 'What changes by itself within the next 31 days, and when; nmsp.next_modem_change() says what that means for modems.';
COMMENT ON COLUMN nmsp.next_change.at IS 'The moment.';
COMMENT ON COLUMN nmsp.next_change.source IS 'Where it comes from (nmsp_feed.boundary_source).';
COMMENT ON COLUMN nmsp.next_change.cause IS 'contract, modem, ...: of what kind it is.';
COMMENT ON COLUMN nmsp.next_change.id IS 'Its key.';
COMMENT ON COLUMN nmsp.next_change.note IS 'In words.';

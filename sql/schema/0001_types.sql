-- Types that stored columns use. They are made here, not by the extension script: dropping the
-- extension must never take a column along.
CREATE TYPE nmsp.inetrange AS RANGE (SUBTYPE = inet);
COMMENT ON TYPE nmsp.inetrange IS 'Range of IP addresses, e.g. ''[10.0.0.10,10.0.3.250]''::nmsp.inetrange.';

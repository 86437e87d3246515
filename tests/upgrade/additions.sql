-- What operators add to our tables and beside them. Needs a role nmsp_t_user.
ALTER TABLE nmsp.modem ADD COLUMN customer text DEFAULT 'nobody';
UPDATE nmsp.modem SET customer = 'customer ' || id;
CREATE INDEX modem_customer ON nmsp.modem (customer);
ALTER TABLE nmsp.modem ADD CONSTRAINT modem_customer_is_not_empty CHECK (customer <> '');
ALTER TABLE nmsp.modem ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON nmsp.modem FOR SELECT TO nmsp_t_user USING (customer = current_user::text);
GRANT SELECT ON nmsp.modem TO nmsp_t_user;
COMMENT ON COLUMN nmsp.modem.customer IS 'Ours.';
CREATE TABLE public.ticket (id int PRIMARY KEY, modem_id bigint REFERENCES nmsp.modem, opened inet);
INSERT INTO public.ticket SELECT g, g FROM generate_series(1, 10) g;
CREATE VIEW public.customer AS SELECT customer, mac, nmsp.modem_config(m)::bytea AS file FROM nmsp.modem m;
CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER zz_note BEFORE INSERT ON nmsp.modem FOR EACH ROW EXECUTE FUNCTION public.note();

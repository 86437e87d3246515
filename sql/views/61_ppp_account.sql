-- Rules of PPP accounts and RADIUS clients in words; see the head of 10_model.sql.

CREATE OR REPLACE FUNCTION nmsp.ppp_account_check() RETURNS trigger
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    g record;
BEGIN
    IF NEW.netgw_id IS NULL THEN
        IF NEW.authentication = 'port' THEN
            PERFORM nmsp.refuse('23514', format('account "%s" needs the gateway that vouches for its line', NEW.username),
                'With authentication "port" nobody is asked for a password; the request must come from that gateway.',
                'Set netgw_id: SELECT id, name FROM nmsp.netgw WHERE kind <> ''cmts'' lists gateways.', 'ppp_account', 'ppp_account_port_needs_a_gateway');
        END IF;
        RETURN NEW;
    END IF;
    IF TG_OP = 'INSERT' OR NEW.netgw_id IS DISTINCT FROM OLD.netgw_id OR NEW.authentication <> OLD.authentication THEN
        SELECT n.name, n.kind, n.address INTO g FROM nmsp.netgw n WHERE n.id = NEW.netgw_id;
        IF NOT FOUND THEN
            PERFORM nmsp.refuse('23503', format('access gateway %s does not exist', NEW.netgw_id), format('Account "%s" is to be behind it.', NEW.username),
                'SELECT id, name FROM nmsp.netgw WHERE kind <> ''cmts'' lists those that exist.', 'ppp_account', 'ppp_account_needs_an_existing_netgw');
        END IF;
        IF g.kind = 'cmts' THEN
            PERFORM nmsp.refuse('23514', format('"%s" is a CMTS', g.name), format('Account "%s" needs a gateway that asks RADIUS: a bras, olt or dslam.', NEW.username),
                'Choose another gateway, or null for any; what is behind a CMTS is a row of nmsp.modem.', 'ppp_account', 'ppp_account_needs_a_radius_gateway');
        END IF;
        IF NEW.authentication = 'port' AND g.address IS NULL THEN
            PERFORM nmsp.refuse('23514', format('"%s" has no address', g.name),
                format('Account "%s" has authentication "port": the gateway that vouches for it is known by its address.', NEW.username),
                format('UPDATE nmsp.netgw SET address = ... WHERE id = %s.', NEW.netgw_id), 'ppp_account', 'ppp_account_port_needs_a_gateway');
        END IF;
    END IF;
    IF NEW.address IS NOT NULL AND (TG_OP = 'INSERT' OR NEW.address IS DISTINCT FROM OLD.address OR NEW.netgw_id IS DISTINCT FROM OLD.netgw_id) THEN
        PERFORM nmsp.check_fixed_address(NEW.address, NEW.netgw_id, ARRAY['cpe_public', 'cpe_private'], format('account "%s"', NEW.username), 'ppp_account');
    END IF;
    RETURN NEW;
END
$fn$;
COMMENT ON FUNCTION nmsp.ppp_account_check() IS
'Trigger: the gateway exists and asks RADIUS, the fixed address lies in one of its cpe pools. Duplicates are left to the unique constraints, so that ON CONFLICT works.';
CREATE OR REPLACE TRIGGER a_check BEFORE INSERT OR UPDATE ON nmsp.ppp_account
    FOR EACH ROW EXECUTE FUNCTION nmsp.ppp_account_check();

CREATE OR REPLACE FUNCTION nmsp.radius_client_check() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER -- whoever changes an address need not see secrets
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    own record;
    other text;
BEGIN
    IF TG_TABLE_NAME = 'netgw_secret' THEN
        IF NEW.radius_secret IS NULL THEN
            RETURN NEW;
        END IF;
        SELECT g.id, g.name, g.address INTO own FROM nmsp.netgw g WHERE g.id = NEW.netgw_id;
    ELSE
        IF NEW.address IS NULL OR NOT EXISTS (SELECT FROM nmsp.netgw_secret x WHERE x.netgw_id = NEW.id AND x.radius_secret IS NOT NULL) THEN
            RETURN NEW;
        END IF;
        own := NEW;
    END IF;
    -- Two gateways with one address: which secret would count?
    SELECT g.name INTO other FROM nmsp.netgw g JOIN nmsp.netgw_secret x ON x.netgw_id = g.id
     WHERE host(g.address) = host(own.address) AND g.id <> own.id AND x.radius_secret IS NOT NULL LIMIT 1;
    IF FOUND THEN
        PERFORM nmsp.refuse('23505', format('"%s" and "%s" would be one RADIUS client', own.name, other),
            format('Both have the address %s, by which FreeRADIUS tells clients apart.', host(own.address)),
            'Change one of the addresses, or set radius_secret of one to null.', TG_TABLE_NAME::text, 'netgw_is_another_radius_client');
    END IF;
    RETURN NEW;
END
$fn$;
REVOKE ALL ON FUNCTION nmsp.radius_client_check() FROM PUBLIC;
COMMENT ON FUNCTION nmsp.radius_client_check() IS 'Trigger: no two gateways with a RADIUS secret have the same address.';
CREATE OR REPLACE TRIGGER b_radius_client BEFORE INSERT OR UPDATE OF radius_secret ON nmsp.netgw_secret
    FOR EACH ROW EXECUTE FUNCTION nmsp.radius_client_check();
CREATE OR REPLACE TRIGGER b_radius_client BEFORE UPDATE OF address ON nmsp.netgw
    FOR EACH ROW WHEN (OLD.address IS DISTINCT FROM NEW.address) EXECUTE FUNCTION nmsp.radius_client_check();

CREATE OR REPLACE FUNCTION nmsp.netgw_kind_check() RETURNS trigger
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    account text := (SELECT a.username FROM nmsp.ppp_account a WHERE a.netgw_id = NEW.id LIMIT 1);
BEGIN
    IF account IS NOT NULL AND NEW.kind = 'cmts' THEN
        PERFORM nmsp.refuse('23514', format('"%s" has PPP accounts and cannot become a CMTS', NEW.name), format('Account "%s" is behind it.', account),
            format('Move its accounts first: UPDATE nmsp.ppp_account SET netgw_id = ... WHERE netgw_id = %s.', NEW.id), 'netgw', 'ppp_account_needs_a_radius_gateway');
    END IF;
    RETURN NEW;
END
$fn$;
COMMENT ON FUNCTION nmsp.netgw_kind_check() IS 'Trigger: a gateway that has PPP accounts does not become a CMTS.';
CREATE OR REPLACE TRIGGER b_kind BEFORE UPDATE OF kind ON nmsp.netgw
    FOR EACH ROW WHEN (OLD.kind IS DISTINCT FROM NEW.kind) EXECUTE FUNCTION nmsp.netgw_kind_check();

-- nmsp_radius -----------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION nmsp_radius.setting_check() RETURNS trigger
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    PERFORM nmsp.refuse('55000', 'the row of nmsp_radius.setting cannot be deleted', 'There is always exactly one row of settings.',
        'UPDATE it instead.', 'setting');
    RETURN NULL;
END
$fn$;
COMMENT ON FUNCTION nmsp_radius.setting_check() IS 'Trigger: settings stay one row.';
REVOKE ALL ON FUNCTION nmsp_radius.setting_check() FROM PUBLIC;
CREATE OR REPLACE TRIGGER a_check BEFORE DELETE ON nmsp_radius.setting FOR EACH ROW EXECUTE FUNCTION nmsp_radius.setting_check();
CREATE OR REPLACE TRIGGER a_check_truncate BEFORE TRUNCATE ON nmsp_radius.setting FOR EACH STATEMENT EXECUTE FUNCTION nmsp_radius.setting_check();

CREATE OR REPLACE FUNCTION nmsp_radius.attribute_check() RETURNS trigger
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
DECLARE
    unknown text;
BEGIN
    unknown := (SELECT m[1] FROM regexp_matches(NEW.value, '\{[^{}]*\}', 'g') m
                 WHERE NEW.scope = 'default' OR NOT EXISTS (SELECT FROM nmsp.template_placeholder p
                        WHERE p.placeholder LIKE 'qos.%' AND '{' || p.placeholder || '}' = m[1]) LIMIT 1);
    IF unknown IS NOT NULL THEN
        PERFORM nmsp.refuse('22023', format('placeholder %s is not known here', unknown),
            CASE NEW.scope WHEN 'default' THEN 'The default group belongs to no service class, so it has no placeholders.'
                 ELSE format('Attribute %s of scope service_class can use those of service classes.', NEW.attribute) END,
            'SELECT placeholder FROM nmsp.template_placeholder WHERE placeholder LIKE ''qos.%'' lists them.', 'attribute');
    END IF;
    RETURN NEW;
END
$fn$;
COMMENT ON FUNCTION nmsp_radius.attribute_check() IS 'Trigger: the placeholders of a value are known.';
REVOKE ALL ON FUNCTION nmsp_radius.attribute_check() FROM PUBLIC;
CREATE OR REPLACE TRIGGER a_check BEFORE INSERT OR UPDATE ON nmsp_radius.attribute
    FOR EACH ROW EXECUTE FUNCTION nmsp_radius.attribute_check();

CREATE OR REPLACE FUNCTION nmsp_radius.authentication_clear() RETURNS trigger
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $fn$
BEGIN
    NEW.password := NULL;
    -- An answer need not wait for the disk; after a crash the last moments of this log may be missing.
    PERFORM set_config('synchronous_commit', 'off', true);
    RETURN NEW;
END
$fn$;
COMMENT ON FUNCTION nmsp_radius.authentication_clear() IS 'Trigger: passwords that subscribers sent, right or wrong, are not stored; the log is committed without waiting for the disk.';
REVOKE ALL ON FUNCTION nmsp_radius.authentication_clear() FROM PUBLIC;
CREATE OR REPLACE TRIGGER a_clear BEFORE INSERT OR UPDATE ON nmsp_radius.authentication
    FOR EACH ROW EXECUTE FUNCTION nmsp_radius.authentication_clear();

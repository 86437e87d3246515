-- Customers, contracts and what they entitle to, by day; which modem serves which contract, and
-- blocks. What a modem may do follows from these (sql/views/12_service.sql); it is never stored.

CREATE TABLE nmsp.customer (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number      text NOT NULL CONSTRAINT customer_number_is_already_used UNIQUE
        CONSTRAINT customer_number_is_not_empty CHECK (number <> ''),
    name        text NOT NULL CONSTRAINT customer_name_is_not_empty CHECK (name <> ''),
    created_at  timestamptz NOT NULL DEFAULT now(),
    description text
);
COMMENT ON TABLE nmsp.customer IS 'Customers, as far as provisioning needs them.';
COMMENT ON COLUMN nmsp.customer.id IS 'Key.';
COMMENT ON COLUMN nmsp.customer.number IS 'The operator''s number of the customer.';
COMMENT ON COLUMN nmsp.customer.name IS 'Name, for people.';
COMMENT ON COLUMN nmsp.customer.created_at IS 'When the row was made.';
COMMENT ON COLUMN nmsp.customer.description IS 'Free text.';

CREATE TABLE nmsp.contract (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number      text NOT NULL CONSTRAINT contract_number_is_already_used UNIQUE
        CONSTRAINT contract_number_is_not_empty CHECK (number <> ''),
    customer_id bigint NOT NULL CONSTRAINT contract_needs_an_existing_customer REFERENCES nmsp.customer,
    validity    daterange NOT NULL CONSTRAINT contract_validity_is_not_empty CHECK (NOT isempty(validity)),
    description text
);
CREATE INDEX contract_customer_id ON nmsp.contract (customer_id);
COMMENT ON TABLE nmsp.contract IS 'Contracts. Days are those of nmsp.setting.time_zone, from midnight to midnight.';
COMMENT ON COLUMN nmsp.contract.id IS 'Key.';
COMMENT ON COLUMN nmsp.contract.number IS 'The operator''s number of the contract.';
COMMENT ON COLUMN nmsp.contract.customer_id IS 'Whose contract it is.';
COMMENT ON COLUMN nmsp.contract.validity IS 'Days on which it is in force: [first day, first day after it).';
COMMENT ON COLUMN nmsp.contract.description IS 'Free text.';

CREATE TABLE nmsp.entitlement (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contract_id      bigint NOT NULL CONSTRAINT entitlement_needs_an_existing_contract REFERENCES nmsp.contract ON DELETE CASCADE,
    kind             text NOT NULL CONSTRAINT entitlement_kind_is_known CHECK (kind IN ('internet', 'voice', 'cpe', 'public_cpe', 'static_address')),
    validity         daterange NOT NULL DEFAULT '(,)' CONSTRAINT entitlement_validity_is_not_empty CHECK (NOT isempty(validity)),
    service_class_id bigint CONSTRAINT entitlement_needs_an_existing_service_class REFERENCES nmsp.service_class,
    quantity         int CONSTRAINT entitlement_quantity_between_1_and_254 CHECK (quantity BETWEEN 1 AND 254),
    description      text,
    CONSTRAINT entitlement_service_class_is_for_internet CHECK ((kind = 'internet') = (service_class_id IS NOT NULL)),
    CONSTRAINT entitlement_quantity_is_for_cpe_and_address CHECK ((kind IN ('cpe', 'static_address')) = (quantity IS NOT NULL)),
    CONSTRAINT entitlement_is_there_twice_at_once EXCLUDE USING gist (contract_id WITH =, kind WITH =, validity WITH &&)
);
CREATE INDEX entitlement_service_class_id ON nmsp.entitlement (service_class_id, contract_id);
CREATE INDEX entitlement_contract_id ON nmsp.entitlement (contract_id);
COMMENT ON TABLE nmsp.entitlement IS 'What a contract entitles to on which days; of one kind never two at once (so there is one main tariff).';
COMMENT ON COLUMN nmsp.entitlement.id IS 'Key.';
COMMENT ON COLUMN nmsp.entitlement.contract_id IS 'The contract.';
COMMENT ON COLUMN nmsp.entitlement.kind IS
'internet (the main tariff), voice, cpe (number of CPEs other than nmsp.setting.max_cpe), public_cpe (CPEs get public addresses), static_address (endpoints with fixed addresses).';
COMMENT ON COLUMN nmsp.entitlement.validity IS 'Days, within those of the contract; (,) = as long as the contract.';
COMMENT ON COLUMN nmsp.entitlement.service_class_id IS 'Kind internet: the service class.';
COMMENT ON COLUMN nmsp.entitlement.quantity IS 'Kinds cpe and static_address: how many.';
COMMENT ON COLUMN nmsp.entitlement.description IS 'Free text.';

CREATE TABLE nmsp.contract_modem (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    modem_id    bigint NOT NULL CONSTRAINT contract_modem_needs_an_existing_modem REFERENCES nmsp.modem ON DELETE CASCADE,
    contract_id bigint NOT NULL CONSTRAINT contract_modem_needs_an_existing_contract REFERENCES nmsp.contract ON DELETE CASCADE,
    validity    daterange NOT NULL DEFAULT '(,)' CONSTRAINT contract_modem_validity_is_not_empty CHECK (NOT isempty(validity)),
    CONSTRAINT contract_modem_serves_two_contracts_at_once EXCLUDE USING gist (modem_id WITH =, validity WITH &&)
);
CREATE INDEX contract_modem_modem_id ON nmsp.contract_modem (modem_id);
CREATE INDEX contract_modem_contract_id ON nmsp.contract_modem (contract_id);
COMMENT ON TABLE nmsp.contract_modem IS
'Which modem serves which contract on which days. A modem that has a row here does what its contract says; one without does what its own row says.';
COMMENT ON COLUMN nmsp.contract_modem.id IS 'Key.';
COMMENT ON COLUMN nmsp.contract_modem.modem_id IS 'The modem.';
COMMENT ON COLUMN nmsp.contract_modem.contract_id IS 'The contract.';
COMMENT ON COLUMN nmsp.contract_modem.validity IS 'Days; (,) = always.';

CREATE TABLE nmsp.service_block (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contract_id bigint CONSTRAINT service_block_needs_an_existing_contract REFERENCES nmsp.contract ON DELETE CASCADE,
    modem_id    bigint CONSTRAINT service_block_needs_an_existing_modem REFERENCES nmsp.modem ON DELETE CASCADE,
    scope       text NOT NULL DEFAULT 'all' CONSTRAINT service_block_scope_is_known CHECK (scope IN ('all', 'internet')),
    during      tstzrange NOT NULL DEFAULT tstzrange(now(), NULL) CONSTRAINT service_block_during_is_not_empty CHECK (NOT isempty(during)),
    reason      text NOT NULL CONSTRAINT service_block_reason_is_not_empty CHECK (reason <> ''),
    CONSTRAINT service_block_is_of_a_contract_or_a_modem CHECK (num_nonnulls(contract_id, modem_id) = 1)
);
CREATE INDEX service_block_contract_id ON nmsp.service_block (contract_id);
CREATE INDEX service_block_modem_id ON nmsp.service_block (modem_id);
CREATE INDEX service_block_begin ON nmsp.service_block (lower(during));
CREATE INDEX service_block_end ON nmsp.service_block (upper(during));
COMMENT ON TABLE nmsp.service_block IS 'Blocks of a contract or of a modem, to the second, with the reason. Unblock by ending the range.';
COMMENT ON COLUMN nmsp.service_block.id IS 'Key.';
COMMENT ON COLUMN nmsp.service_block.contract_id IS 'Whose modems are blocked, or';
COMMENT ON COLUMN nmsp.service_block.modem_id IS 'which modem is.';
COMMENT ON COLUMN nmsp.service_block.scope IS 'all: nothing passes; internet: voice goes on.';
COMMENT ON COLUMN nmsp.service_block.during IS 'From when to when.';
COMMENT ON COLUMN nmsp.service_block.reason IS 'Why, for people and for nmsp.modem_service.why.';

CREATE INDEX contract_begin ON nmsp.contract (lower(validity));
CREATE INDEX contract_end ON nmsp.contract (upper(validity));
CREATE INDEX entitlement_begin ON nmsp.entitlement (lower(validity));
CREATE INDEX entitlement_end ON nmsp.entitlement (upper(validity));
CREATE INDEX contract_modem_begin ON nmsp.contract_modem (lower(validity));
CREATE INDEX contract_modem_end ON nmsp.contract_modem (upper(validity));

-- ---- time ----------------------------------------------------------------------------------------

CREATE TABLE nmsp_feed.boundary_source (
    name            text PRIMARY KEY CONSTRAINT boundary_source_name_is_plain CHECK (name ~ '^[a-z][a-z0-9_]{0,39}$'),
    source_function text NOT NULL CONSTRAINT source_function_is_qualified_name CHECK (source_function ~ '^[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*$')
);
COMMENT ON TABLE nmsp_feed.boundary_source IS
    'Where moments come from at which something changes by itself; nmsp_feed.install_boundaries() makes one query of them';
COMMENT ON COLUMN nmsp_feed.boundary_source.name IS 'What changes';
COMMENT ON COLUMN nmsp_feed.boundary_source.source_function IS
    'f(after timestamptz, upto timestamptz) RETURNS TABLE(at timestamptz, cause text, id bigint, feeds text[], note text): moments later than after, '
    'not later than upto; cause and id as in nmsp_feed.change (cause all: id null); feeds null = all that know the cause';

CREATE TABLE nmsp_feed.clock (
    id      boolean PRIMARY KEY DEFAULT true CONSTRAINT clock_has_exactly_one_row CHECK (id),
    last_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE nmsp_feed.clock IS 'How far in time changes that happen by themselves are turned into rows of nmsp_feed.change; one row';
COMMENT ON COLUMN nmsp_feed.clock.id IS 'Always true';
COMMENT ON COLUMN nmsp_feed.clock.last_at IS 'Up to here';
INSERT INTO nmsp_feed.clock DEFAULT VALUES;

ALTER TABLE nmsp.ppp_account ADD COLUMN contract_id bigint CONSTRAINT ppp_account_needs_an_existing_contract REFERENCES nmsp.contract;
CREATE INDEX ppp_account_contract_id ON nmsp.ppp_account (contract_id);
COMMENT ON COLUMN nmsp.ppp_account.contract_id IS 'Contract that decides whether it may log in, with which service class and address; null: its own row does.';

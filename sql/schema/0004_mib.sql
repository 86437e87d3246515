-- The operator's own MIB objects: names for templates beside those that docsis.mib_object shows.

CREATE TABLE nmsp.mib_object (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL
        CONSTRAINT mib_object_name_is_a_label CHECK (name ~ '^[A-Za-z][A-Za-z0-9_-]{0,127}$'),
    module        text NOT NULL
        CONSTRAINT mib_object_module_is_a_label CHECK (module ~ '^[A-Za-z][A-Za-z0-9_-]{0,127}$'),
    oid           text COLLATE "C" NOT NULL
        CONSTRAINT mib_object_oid_is_an_object_identifier CHECK (oid ~ '^([01]\.([0-9]|[123][0-9])|2\.(0|[1-9][0-9]{0,8}|[1-3][0-9]{9}|4[01][0-9]{8}|42[0-8][0-9]{7}|429[0-3][0-9]{6}|4294[0-8][0-9]{5}|42949[0-5][0-9]{4}|429496[0-6][0-9]{3}|4294967[01][0-9]{2}|42949672[0-8][0-9]|429496729[0-5]))(\.(0|[1-9][0-9]{0,8}|[1-3][0-9]{9}|4[01][0-9]{8}|42[0-8][0-9]{7}|429[0-3][0-9]{6}|4294[0-8][0-9]{5}|42949[0-5][0-9]{4}|429496[0-6][0-9]{3}|4294967[01][0-9]{2}|42949672[0-8][0-9]|429496729[0-5])){0,100}$'),
    type          text
        CONSTRAINT mib_object_type_is_known CHECK (type IN ('BITS', 'Counter32', 'Counter64', 'Gauge32', 'INTEGER', 'Integer32',
            'IpAddress', 'NOTIFICATION', 'OBJECT IDENTIFIER', 'OCTET STRING', 'TimeTicks', 'Unsigned32')),
    access        text
        CONSTRAINT mib_object_access_is_known CHECK (access IN ('not-accessible', 'accessible-for-notify', 'read-only', 'read-write', 'read-create')),
    ranges        text
        CONSTRAINT mib_object_ranges_are_a_list CHECK (ranges ~ '^-?[0-9]{1,18}\.\.-?[0-9]{1,18}(,-?[0-9]{1,18}\.\.-?[0-9]{1,18})*$'),
    enums         jsonb
        CONSTRAINT mib_object_enums_map_labels_to_numbers CHECK (jsonb_typeof(enums) = 'object'
            AND NOT jsonb_path_exists(enums, '$.keyvalue() ? (!(@.key like_regex "^[A-Za-z][A-Za-z0-9_-]*$") || @.value.type() != "number")')
            AND NOT jsonb_path_exists(enums, '$.* ? (@ < -2147483648 || @ > 2147483647 || @.floor() != @)', '{}', true)),
    index_columns text[],
    index_implied boolean NOT NULL DEFAULT false,
    CONSTRAINT mib_object_is_already_in_this_module UNIQUE (name, module),
    CONSTRAINT mib_object_index_columns_are_labels CHECK (array_to_string(index_columns, ',', '') ~ '^[A-Za-z][A-Za-z0-9_-]*(,[A-Za-z][A-Za-z0-9_-]*)*$')
);
COMMENT ON TABLE nmsp.mib_object IS 'The operator''s own MIB objects: their names may be used in templates and in nmsp.parse. Filled by hand or by extension/symbols/load_mib.py.';
COMMENT ON COLUMN nmsp.mib_object.id IS 'Key.';
COMMENT ON COLUMN nmsp.mib_object.name IS 'Name.';
COMMENT ON COLUMN nmsp.mib_object.module IS 'MIB module that defines it. With -IETF- in it the profile ietf prefers it.';
COMMENT ON COLUMN nmsp.mib_object.oid IS 'Object identifier, numeric, without a dot in front; of a scalar without the final .0.';
COMMENT ON COLUMN nmsp.mib_object.type IS 'Base type in SMI''s words; null for nodes without values, such as tables.';
COMMENT ON COLUMN nmsp.mib_object.access IS 'Access, for people.';
COMMENT ON COLUMN nmsp.mib_object.ranges IS 'Ranges of the number, or of the length in bytes: 0..255,300..400. A string that is longer is refused.';
COMMENT ON COLUMN nmsp.mib_object.enums IS 'Enumeration: {"up": 1, "down": 2}. The labels may be written as values.';
COMMENT ON COLUMN nmsp.mib_object.index_columns IS 'Of a table''s row: names of its INDEX columns. They decide what "text" and labels in an object''s index mean.';
COMMENT ON COLUMN nmsp.mib_object.index_implied IS 'true: the last INDEX column is IMPLIED, its strings have no length in front.';

CREATE TABLE nmsp.mib_version (
    id      boolean PRIMARY KEY DEFAULT true CONSTRAINT mib_version_has_exactly_one_row CHECK (id),
    version uuid NOT NULL DEFAULT gen_random_uuid()
);
COMMENT ON TABLE nmsp.mib_version IS 'Another version with every change of nmsp.mib_object; tells sessions whether what they have loaded is still right. Written by a trigger.';
COMMENT ON COLUMN nmsp.mib_version.id IS 'Always true.';
COMMENT ON COLUMN nmsp.mib_version.version IS 'A random value, new with each change.';
INSERT INTO nmsp.mib_version DEFAULT VALUES;

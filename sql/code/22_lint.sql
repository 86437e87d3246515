-- What is wrong or odd about a configuration.

CREATE FUNCTION docsis.lint(config docsis.config, version text DEFAULT '3.0', OUT severity text, OUT path text, OUT occurrence int,
    OUT "offset" int, OUT rule text, OUT message text, OUT spec text, OUT hint text) RETURNS SETOF record
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 20 ROWS 5 AS 'MODULE_PATHNAME', 'docsis_lint_config';
COMMENT ON FUNCTION docsis.lint(docsis.config, text) IS
'What is wrong or odd about a CM or MTA file, in the order of the file; what needs the whole file (references, rows of tables, MICs) comes last. No row of severity error: nothing known here keeps a modem from taking it. severity: error, warning or notice; path: where, usable with -> (24[2].8; null = the file as a whole); occurrence: which of several of that code in its group, from 1; offset of the TLV''s first byte; rule: stable identifier, see docsis.lint_rule; spec: section that says so, or the document of a MIB object; hint: the cure. version: 1.0, 1.1, 2.0, 3.0, 3.1 or 4.0, that of the modems. A file that is not sealed has an error not-sealed. Errors: 22023 unknown version. nmsp.lint knows the operator''s own MIB objects as well.';

CREATE FUNCTION nmsp.lint(config docsis.config, version text DEFAULT '3.0', OUT severity text, OUT path text, OUT occurrence int,
    OUT "offset" int, OUT rule text, OUT message text, OUT spec text, OUT hint text) RETURNS SETOF record
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 20 ROWS 5 AS 'MODULE_PATHNAME', 'nmsp_lint_config';
COMMENT ON FUNCTION nmsp.lint(docsis.config, text) IS
'As docsis.lint, with the objects of nmsp.mib_object: their values are checked too, and they are not unknown. Errors: as docsis.lint.';

CREATE FUNCTION docsis.lint_rules(OUT rule text, OUT severity text, OUT meaning text, OUT spec text, OUT hint text) RETURNS SETOF record
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 60 AS 'MODULE_PATHNAME', 'docsis_lint_rules_list';
COMMENT ON FUNCTION docsis.lint_rules() IS 'The rules of docsis.lint.';

CREATE VIEW docsis.lint_rule AS SELECT * FROM docsis.lint_rules();
COMMENT ON VIEW docsis.lint_rule IS 'What docsis.lint checks.';
COMMENT ON COLUMN docsis.lint_rule.rule IS 'Stable identifier.';
COMMENT ON COLUMN docsis.lint_rule.severity IS 'error, warning or notice.';
COMMENT ON COLUMN docsis.lint_rule.meaning IS 'What a finding of it says.';
COMMENT ON COLUMN docsis.lint_rule.spec IS 'Section that says so; null = it follows from how values are encoded, or the file contradicts itself. Findings name the section of the TLV at hand where it is known.';
COMMENT ON COLUMN docsis.lint_rule.hint IS 'The cure; null = that depends.';
GRANT SELECT ON docsis.lint_rule TO PUBLIC;

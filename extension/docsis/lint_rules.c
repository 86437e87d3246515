/*
 * lint_rules.c - the rules of the linter: identifier, severity, meaning, specification, cure.
 *
 * Sections are those of MULPIv3.1 unless it says otherwise. A rule without a section follows from
 * how values are encoded, or from the file contradicting itself.
 */
#include "lint.h"

#define ERROR   DOCSIS_ERROR
#define WARNING DOCSIS_WARNING
#define NOTICE  DOCSIS_NOTICE
#define LIST    "MULPIv3.1 Annex D.1.3"
#define TLV     "MULPIv3.1 Annex C"
#define OBJECT  "MULPIv3.1 Annex C.1.2.5"
#define PROV    "PKT-SP-PROV1.5 Chapter 9.1"

const docsis_lint_rule docsis_lint_rules[LINT_COUNT] = {
    /* The file as a whole. */
    [LINT_MALFORMED_FILE] = {"malformed-file", ERROR,
        "The top level is no run of whole TLVs; what stands behind is not checked.",
        LIST, "Is the file complete, and a configuration file?"},
    [LINT_NOT_SEALED] = {"not-sealed", ERROR,
        "A CM file has neither MICs nor an end-of-data mark.",
        LIST, "Seal it: docsis.seal(config, secret)."},
    [LINT_MANDATORY_MISSING] = {"mandatory-missing", ERROR,
        "A setting that every CM file needs is missing: 3, 6, 7, 255, and 24 with 25 or, before "
        "DOCSIS 1.1, 4.", LIST, "Add the setting; 6, 7 and 255 are made by sealing."},
    [LINT_MIC_ORDER] = {"mic-order", ERROR,
        "The file does not end with CM MIC (6), CMTS MIC (7) and end-of-data mark (255) in this "
        "order.", LIST, "Seal the file anew."},
    [LINT_CM_MIC_WRONG] = {"cm-mic-wrong", ERROR,
        "The CM MIC is not the MD5 of the settings.",
        "MULPIv3.1 Annex D.2", "Seal the file anew; it was changed or damaged after sealing."},
    [LINT_PADDING] = {"padding", WARNING,
        "The length of the file, padding included, is no multiple of four.",
        LIST, "Seal the file anew."},
    [LINT_PADDING_EXCESS] = {"padding-excess", NOTICE,
        "More zeros follow the end-of-data mark than the next multiple of four needs.",
        LIST, "Seal the file anew."},
    [LINT_PADDING_INSIDE] = {"padding-inside", NOTICE,
        "Pad bytes stand between settings.", LIST, "Seal the file anew, which removes them."},
    [LINT_FILE_SIZE] = {"file-size", WARNING,
        "The file is longer than the 8,192 bytes that every modem accepts.",
        LIST, "Leave out what is not needed."},
    [LINT_DUPLICATE_SETTING] = {"duplicate-setting", ERROR,
        "A setting that may occur once occurs with different values.",
        TLV, "Keep one of them."},
    [LINT_REPEATED_SETTING] = {"repeated-setting", WARNING,
        "A setting that may occur once occurs again with the same value.",
        TLV, "Keep one of them."},
    [LINT_CPE_MAC_COUNT] = {"cpe-mac-count", WARNING,
        "There are more CPE MAC addresses (14) than MaxCPE (18; 1 when missing) allows devices.",
        "MULPIv3.1 Annex C.1.1.7", "Raise MaxCPE or take addresses away."},
    [LINT_CLASS_OF_SERVICE] = {"class-of-service", WARNING,
        "ClassOfService (4) makes a modem of DOCSIS 1.1 and later register as one of 1.0.",
        "MULPIv3.1 Annex C.1.1.4", "Use UsServiceFlow and DsServiceFlow."},
    [LINT_MIXED_QOS] = {"mixed-qos", WARNING,
        "ClassOfService (4) and service flows (24, 25) stand in the same file.",
        "MULPIv3.1 Annex C.1.1.4", "Keep the service flows only."},
    [LINT_REMOVED_SETTING] = {"removed-setting", ERROR,
        "The setting does not exist any more in this version of DOCSIS.",
        "MULPIv4.0 Annex D.2", "Take it out."},
    [LINT_NEWER_THAN_VERSION] = {"newer-than-version", NOTICE,
        "The setting came with a later version of DOCSIS; a modem of this one ignores it.",
        TLV, ""},
    [LINT_NEEDS_EXTENDED_MIC] = {"needs-extended-mic", WARNING,
        "The CMTS acts on this setting only when an Extended CMTS MIC (43.6) covers it.",
        "MULPIv3.1 Annex C.1.1.18.1.6", "Add an Extended CMTS MIC whose bitmap has this TLV."},
    [LINT_EXTENDED_MIC] = {"extended-mic", WARNING,
        "The Extended CMTS MIC (43.6) is not one that a CMTS can check.",
        "MULPIv3.1 Annex C.1.1.18.1.6", ""},
    [LINT_PRIVACY_DISABLED] = {"privacy-disabled", NOTICE,
        "BaselinePrivacy (17) has no effect, since GlobalPrivacyEnable (29) is 0.",
        "MULPIv3.1 Annex C.1.1.17", "Set GlobalPrivacyEnable to 1, or take BaselinePrivacy out."},
    [LINT_LONG_VARBIND] = {"long-varbind", ERROR,
        "A CM file has an SNMP object with the two-byte length that only MTA files know (64).",
        "MULPIv3.1 Annex C.1.1.27", "A CM file has room for objects of at most 255 bytes: "
        "shorten the value."},
    /* One TLV. */
    [LINT_UNKNOWN_TLV] = {"unknown-tlv", NOTICE,
        "No specification known here defines this TLV.", TLV, ""},
    [LINT_MISPLACED_TLV] = {"misplaced-tlv", WARNING,
        "The group does not know this TLV, but the top level does, with such a value.",
        TLV, "Move it out of the group."},
    [LINT_GROUP_MALFORMED] = {"group-malformed", ERROR,
        "The contents of a group are no run of whole TLVs.", TLV, "Encode the group anew."},
    [LINT_VALUE_LENGTH] = {"value-length", ERROR,
        "The value has not the length that its type calls for.", TLV, "Encode the value anew."},
    [LINT_VALUE_RANGE] = {"value-range", ERROR,
        "A number, or the length of a string, is outside what the TLV allows.",
        TLV, "SELECT * FROM docsis.symbol tells the limits."},
    [LINT_VALUE_255] = {"value-255", WARNING,
        "A value of 255 bytes, one more than a TLV has.",
        TLV, "Split it, or shorten it to 254 bytes."},
    [LINT_VALUE_EMPTY] = {"value-empty", WARNING,
        "A value without any byte; a TLV has at least one.", TLV, "Take the TLV out."},
    [LINT_STRING_CHARACTERS] = {"string-characters", WARNING,
        "A string has control characters, or bytes that are not UTF-8.",
        "", "Correct the string."},
    [LINT_STRING_TERMINATOR] = {"string-terminator", ERROR,
        "A string that ends with a zero byte lacks it.", TLV, "Encode the string anew."},
    /* Groups. */
    [LINT_VENDOR_ID] = {"vendor-id", WARNING,
        "VendorIdentifier (8) is missing in a vendor's group, or is not its first TLV.",
        "MULPIv3.1 Annex C.1.1.18", "Begin the group with VendorIdentifier."},
    [LINT_MEMBER_MISSING] = {"member-missing", ERROR,
        "A group lacks a TLV that it must have.", TLV, "Add the TLV."},
    [LINT_REFERENCE_DUPLICATE] = {"reference-duplicate", ERROR,
        "Two flows, classifiers or other groups have the same reference.",
        "MULPIv3.1 Annex C.2", "Number them through, upstream and downstream together."},
    [LINT_REFERENCE_UNKNOWN] = {"reference-unknown", ERROR,
        "A reference to a flow, classifier or other group that is not in the file.",
        "MULPIv3.1 Annex C.2", "Correct the reference."},
    [LINT_REFERENCE_DIRECTION] = {"reference-direction", ERROR,
        "A reference to a flow of the other direction.",
        "MULPIv3.1 Annex C.2", "Upstream classifiers refer to UsServiceFlow, downstream ones to "
        "DsServiceFlow."},
    [LINT_REFERENCES_MANY] = {"references-many", NOTICE,
        "There are more references than are checked (512).", "", ""},
    [LINT_QOS_SET_TYPE] = {"qos-set-type", WARNING,
        "QosParamSetType (6) of a flow in a file does not have bit 0, the provisioned set, or has "
        "bits beyond the three sets.", "MULPIv3.1 Annex C.2.2.5.5", "Mostly it is 7."},
    [LINT_RATE_ORDER] = {"rate-order", WARNING,
        "MinReservedRate (10) of a flow is above its MaxRateSustained (8).",
        "", "Lower the one or raise the other."},
    /* SNMP objects. */
    [LINT_SNMP_MALFORMED] = {"snmp-malformed", ERROR,
        "An SNMP object, or a value in it, is not encoded as BER says.",
        OBJECT, "Encode the object anew."},
    [LINT_SNMP_UNKNOWN] = {"snmp-unknown", NOTICE,
        "No MIB known here defines the object; nothing about it is checked.", OBJECT, ""},
    [LINT_SNMP_NOT_AN_OBJECT] = {"snmp-not-an-object", ERROR,
        "The name is that of a table, row, group or notification, which has no value.",
        OBJECT, "Name a column with its index, or a scalar with .0."},
    [LINT_SNMP_NOT_WRITABLE] = {"snmp-not-writable", ERROR,
        "The MIB does not let the object be set.", OBJECT, "Take it out."},
    [LINT_SNMP_INDEX] = {"snmp-index", ERROR,
        "What follows the object's name does not have the form of its instances.",
        OBJECT, "A scalar ends with .0, a column with the index of a row."},
    [LINT_SNMP_INDEX_VALUE] = {"snmp-index-value", WARNING,
        "An index has a value that its MIB does not allow.", OBJECT, "Correct the index."},
    [LINT_SNMP_TYPE] = {"snmp-type", ERROR,
        "The value is of another type than the object's.", OBJECT, "Use the MIB's type."},
    [LINT_SNMP_NUMBER_TYPE] = {"snmp-number-type", WARNING,
        "The value is a number of another type than the object's; strict agents refuse it.",
        OBJECT, "Use the MIB's type."},
    [LINT_SNMP_RANGE] = {"snmp-range", ERROR,
        "A number is outside the range of the MIB.", OBJECT, "Correct the value."},
    [LINT_SNMP_ENUM] = {"snmp-enum", ERROR,
        "A number is none of those the MIB lists.", OBJECT, "Correct the value."},
    [LINT_SNMP_SIZE] = {"snmp-size", ERROR,
        "The length of a string is none that the MIB allows.", OBJECT, "Correct the value."},
    [LINT_SNMP_DUPLICATE] = {"snmp-duplicate", WARNING,
        "An object is set again, to another value.", OBJECT, "Keep one of them."},
    [LINT_SNMP_REPEATED] = {"snmp-repeated", NOTICE,
        "An object is set again, to the same value.", OBJECT, "Keep one of them."},
    [LINT_SNMP_ROW] = {"snmp-row", NOTICE,
        "Columns of a row are set, but the file does not make the row: its status is not set.",
        "", "Add the status column with createAndGo (4), unless the row is always there."},
    [LINT_SNMP_MANY] = {"snmp-many", NOTICE,
        "There are more SNMP objects than are compared with each other (1,024).", "", ""},
    /* MTA files. */
    [LINT_MTA_DELIMITER] = {"mta-delimiter", ERROR,
        "An MTA file does not begin with MtaConfigDelimiter 1 and end with MtaConfigDelimiter "
        "255, or a delimiter stands elsewhere.", PROV, "Delimit the file by these two."},
    [LINT_MTA_SETTING] = {"mta-setting", WARNING,
        "An MTA file has settings other than SNMP objects (11, 64).", PROV, "Take them out."},
    [LINT_MTA_HASH_MISSING] = {"mta-hash-missing", NOTICE,
        "An MTA file has no hash of itself; some provisioning flows need it in the file.",
        PROV, "docsis.mta(config, hash) adds it: na, eu or ietf."},
    [LINT_MTA_HASH_WRONG] = {"mta-hash-wrong", ERROR,
        "The hash in an MTA file is not the SHA-1 of the file without it.",
        PROV, "Take the hash out and add it again with docsis.mta(config, hash)."},
};

int docsis_lint_rule_count(void)
{
    return LINT_COUNT;
}

const docsis_lint_rule *docsis_lint_rule_at(int index)
{
    return index >= 0 && index < LINT_COUNT ? &docsis_lint_rules[index] : NULL;
}

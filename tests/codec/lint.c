/*
 * lint - the linter's rules one by one, each with a file that breaks it and one that does not;
 * all files of the vectors and random bytes.
 *
 *   lint [SEED [ROUNDS]]
 */
#include <stdlib.h>
#include <string.h>

#include "docsis.h"
#include "tap.h"

#define FLOWS "UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; } " \
              "DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; } "
#define NET   "NetworkAccess 1; "
#define MTA(settings) "MtaConfigDelimiter 1; " settings " MtaConfigDelimiter 255; "
#define HASH "SnmpMibObject .1.3.6.1.2.1.140.1.2.11.0 HexString " \
             "0x0000000000000000000000000000000000000000;"
#define G(code, length, value) \
    "GenericTLV TlvCode " code " TlvLength " length " TlvValue " value "; "
#define ENTRY "docsDevNmAccess"

/* How a case's text becomes a file. */
typedef enum form {
    SEALED,        /* flows in front, NetworkAccess, sealed */
    PLAIN,         /* as it stands */
    HASHED,        /* an MTA file with its hash */
    SHOWN          /* sealed without anything in front */
} form;

typedef struct lint_case {
    const char *rule;
    docsis_version version;
    form form;
    const char *path;      /* of the finding; "" = the file */
    const char *bad;
    const char *good;
} lint_case;

static const lint_case cases[] = {
    {"malformed-file", DOCSIS_3_0, PLAIN, "3", "#0302", "#030101"},
    {"malformed-file", DOCSIS_3_0, PLAIN, "1", "#ff000100", "#ff000000"},
    {"not-sealed", DOCSIS_3_0, PLAIN, "", NET FLOWS, NET FLOWS "EndOfDataMkr;"},
    {"mandatory-missing", DOCSIS_3_0, SHOWN, "", FLOWS, NET FLOWS},
    {"mandatory-missing", DOCSIS_3_0, SHOWN, "",
     NET "UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; }", NET FLOWS},
    {"mandatory-missing", DOCSIS_1_0, SHOWN, "", NET FLOWS, NET "ClassOfService { ClassID 1; }"},
    {"mandatory-missing", DOCSIS_4_0, SHOWN, "", NET "ClassOfService { ClassID 1; }", NET FLOWS},
    {"mandatory-missing", DOCSIS_3_0, PLAIN, "", NET FLOWS "EndOfDataMkr;", NET FLOWS},
    {"mic-order", DOCSIS_3_0, PLAIN, "3",
     "CmMic 0x00000000000000000000000000000000; " NET, NET
     "CmMic 0x00000000000000000000000000000000; CmtsMic 0x00000000000000000000000000000000;"},
    {"mic-order", DOCSIS_3_0, PLAIN, "6",
     "CmtsMic 0x00000000000000000000000000000000; CmMic 0x00000000000000000000000000000000;",
     "CmMic 0x00000000000000000000000000000000;"},
    {"cm-mic-wrong", DOCSIS_3_0, PLAIN, "6",
     NET "CmMic 0x00000000000000000000000000000000; EndOfDataMkr;",
     NET "CmMic 0xa3ab4e9009b0f65a3ff916999853a257; EndOfDataMkr;"},
    {"padding", DOCSIS_3_0, PLAIN, "", NET "EndOfDataMkr; Pad 1;", "#030101ff"},
    {"padding-excess", DOCSIS_3_0, PLAIN, "", NET "EndOfDataMkr; Pad 4;", "#030101ff"},
    {"padding-excess", DOCSIS_3_0, PLAIN, "", "#ff00000000000000", "#ff000000"},
    {"padding-inside", DOCSIS_3_0, PLAIN, "0", NET "Pad 2; MaxCPE 1;", NET "EndOfDataMkr; Pad 2;"},
    {"file-size", DOCSIS_3_0, PLAIN, "", "@8193", "@8192"},
    {"duplicate-setting", DOCSIS_3_0, SEALED, "18[2]", "MaxCPE 1; MaxCPE 2;", "MaxCPE 1;"},
    {"duplicate-setting", DOCSIS_3_0, SEALED, "24[2].8[2]",
     "UsServiceFlow { UsServiceFlowRef 3; QosParamSetType 7; MaxRateSustained 1; "
     "MaxRateSustained 2; }", "UsServiceFlow { UsServiceFlowRef 3; QosParamSetType 7; "
     "MaxRateSustained 1; }"},
    {"duplicate-setting", DOCSIS_3_0, SEALED, "22.9.2[2]",
     "UsPacketClass { ClassifierRef 1; ServiceFlowRef 1; IpPacketClassifier { IpProto 6; "
     "IpProto 17; } }", "UsPacketClass { ClassifierRef 1; ServiceFlowRef 1; "
     "IpPacketClassifier { IpProto 6; } }"},
    {"repeated-setting", DOCSIS_3_0, SEALED, "18[2]", "MaxCPE 1; MaxCPE 1;",
     "CpeMacAddress 00:00:00:00:00:01;"},
    {"cpe-mac-count", DOCSIS_3_0, SEALED, "",
     "CpeMacAddress 00:00:00:00:00:01; CpeMacAddress 00:00:00:00:00:02;",
     "CpeMacAddress 00:00:00:00:00:01; CpeMacAddress 00:00:00:00:00:02; MaxCPE 2;"},
    {"class-of-service", DOCSIS_3_0, SHOWN, "4", NET "ClassOfService { ClassID 1; }", NET FLOWS},
    {"class-of-service", DOCSIS_2_0, SHOWN, "4", NET "ClassOfService { ClassID 1; }", NET FLOWS},
    {"mixed-qos", DOCSIS_3_0, SEALED, "", "ClassOfService { ClassID 1; }", "MaxCPE 1;"},
    {"removed-setting", DOCSIS_4_0, SEALED, "4", "ClassOfService { ClassID 1; }", "MaxCPE 1;"},
    {"removed-setting", DOCSIS_4_0, SEALED, "26", "PHS { PHSIndex 1; }", "MaxCPE 1;"},
    {"newer-than-version", DOCSIS_1_1, SEALED, "39", "DocsisTwoEnable 1;", "MaxCPE 1;"},
    {"newer-than-version", DOCSIS_3_0, SEALED, "83", "DTPModeConfiguration 1;",
     "EnableTestModes 1;"},
    {"needs-extended-mic", DOCSIS_3_0, SEALED, "63", "SubMgmtControl6 1;",
     "SubMgmtControl6 1; VendorSpecific { VendorIdentifier 0xffffff; "
     "ExtendedCMTSMICConfiguration { ExtendedCMTSMICHMACDigestType 1; "
     "ExtendedCMTSMICHMACBitmap 0x0000000000000001; } }"},
    {"extended-mic", DOCSIS_3_0, SEALED, "", "VendorSpecific { VendorIdentifier 0xffffff; "
     "ExtendedCMTSMICConfiguration { ExtendedCMTSMICHMACDigestType 7; "
     "ExtendedCMTSMICHMACBitmap 0x10; } }", "VendorSpecific { VendorIdentifier 0xffffff; "
     "ExtendedCMTSMICConfiguration { ExtendedCMTSMICHMACDigestType 1; "
     "ExtendedCMTSMICHMACBitmap 0x10; } }"},
    {"extended-mic", DOCSIS_3_0, SEALED, "", "VendorSpecific { VendorIdentifier 0xffffff; "
     "ExtendedCMTSMICConfiguration { ExtendedCMTSMICHMACDigestType 1; "
     "ExtendedCMTSMICHMACBitmap 0x80; } }", "MaxCPE 1;"},
    {"extended-mic", DOCSIS_3_0, SEALED, "", "VendorSpecific { VendorIdentifier 0xffffff; "
     "ExtendedCMTSMICConfiguration { ExtendedCMTSMICHMACDigestType 1; "
     "ExtendedCMTSMICHMACBitmap 0x10; ExtendedCMTSMICHMACDigest 0x00; } }", "MaxCPE 1;"},
    {"extended-mic", DOCSIS_3_0, SEALED, "", "VendorSpecific { VendorIdentifier 0xffffff; "
     "ExtendedCMTSMICConfiguration { ExtendedCMTSMICHMACDigestType 1; "
     "ExtendedCMTSMICHMACBitmap 0x02; "
     "ExtendedCMTSMICHMACDigest 0x00000000000000000000000000000000; } }", "MaxCPE 1;"},
    {"extended-mic", DOCSIS_3_0, SEALED, "", "VendorSpecific { VendorIdentifier 0xffffff; "
     "ExtendedCMTSMICConfiguration { ExtendedCMTSMICHMACDigestType 1; } }", "MaxCPE 1;"},
    {"extended-mic", DOCSIS_3_0, SEALED, "43", "VendorSpecific { VendorIdentifier 0xffffff; "
     "CMLoadBalancingPolicyID 1; ExtendedCMTSMICConfiguration { ExtendedCMTSMICHMACDigestType 1; "
     "ExtendedCMTSMICHMACBitmap 0x10; } }", "MaxCPE 1;"},
    {"privacy-disabled", DOCSIS_3_0, SEALED, "17",
     "GlobalPrivacyEnable 0; BaselinePrivacy { AuthTimeout 10; }",
     "GlobalPrivacyEnable 1; BaselinePrivacy { AuthTimeout 10; }"},
    {"long-varbind", DOCSIS_3_0, PLAIN, "64", "$MaxCPE 1; ", "$MtaConfigDelimiter 1; "},
    {"unknown-tlv", DOCSIS_3_0, SEALED, "200", G("200", "1", "0x01"), "MaxCPE 1;"},
    {"unknown-tlv", DOCSIS_3_0, SEALED, "24[2].200",
     "UsServiceFlow { UsServiceFlowRef 3; QosParamSetType 7; " G("200", "1", "0x01") "}",
     "VendorSpecific { VendorIdentifier 0x123456; " G("200", "1", "0x01") "}"},
    {"misplaced-tlv", DOCSIS_3_0, SEALED, "25[2].18",
     "DsServiceFlow { DsServiceFlowRef 3; QosParamSetType 7; " G("18", "1", "0x05") "}",
     "MaxCPE 5;"},
    {"group-malformed", DOCSIS_3_0, SEALED, "24[2]", G("24", "2", "0x0105"),
     G("216", "2", "0x0105") "MaxCPE 1;"},
    {"value-length", DOCSIS_3_0, SEALED, "18", G("18", "2", "0x0105"), G("18", "1", "0x05")},
    {"value-length", DOCSIS_3_0, SEALED, "36", G("36", "5", "0x0102030405"),
     G("36", "8", "0x0102030405060708")},
    {"value-range", DOCSIS_3_0, SEALED, "18", G("18", "1", "0x00"), G("18", "1", "0xfe")},
    {"value-range", DOCSIS_3_0, SEALED, "1", G("1", "4", "0x00000001"),
     G("1", "4", "0x6a000000")},
    {"value-range", DOCSIS_3_0, SEALED, "24[2].4",
     "UsServiceFlow { UsServiceFlowRef 3; QosParamSetType 7; " G("4", "2", "0x6100") "}",
     "UsServiceFlow { UsServiceFlowRef 3; QosParamSetType 7; " G("4", "3", "0x616200") "}"},
    {"value-range", DOCSIS_3_0, SEALED, "10", "SnmpWriteControl .1.3.6.1.2.1 7;",
     "SnmpWriteControl .1.3.6.1.2.1 1;"},
    {"value-255", DOCSIS_3_0, SEALED, "32", "%255", "%254"},
    {"value-empty", DOCSIS_3_0, SEALED, "9", "SwUpgradeFilename \"\";",
     "SwUpgradeFilename \"x\";"},
    {"string-characters", DOCSIS_3_0, SEALED, "9", "SwUpgradeFilename E\"a\\x00\";",
     "SwUpgradeFilename E\"\\xc3\\xa4\";"},
    {"string-terminator", DOCSIS_3_0, SEALED, "24[2].4",
     "UsServiceFlow { UsServiceFlowRef 3; QosParamSetType 7; " G("4", "2", "0x6162") "}",
     "UsServiceFlow { UsServiceFlowRef 3; QosParamSetType 7; ServiceClassName \"ab\"; }"},
    {"vendor-id", DOCSIS_3_0, SEALED, "43", "VendorSpecific { CMLoadBalancingPolicyID 1; }",
     "VendorSpecific { VendorIdentifier 0xffffff; CMLoadBalancingPolicyID 1; }"},
    {"vendor-id", DOCSIS_3_0, SEALED, "43",
     "VendorSpecific { CMLoadBalancingPolicyID 1; VendorIdentifier 0xffffff; }",
     "VendorSpecific { VendorIdentifier 0x123456; " G("1", "1", "0x01") "}"},
    {"member-missing", DOCSIS_3_0, SEALED, "24[2]", "UsServiceFlow { UsServiceFlowRef 3; }",
     "UsServiceFlow { UsServiceFlowRef 3; QosParamSetType 7; }"},
    {"member-missing", DOCSIS_3_0, SEALED, "60", "UpstreamDropPacketClassification { "
     "RulePriority 1; }", "UpstreamDropPacketClassification { ClassifierReference 1; }"},
    {"reference-duplicate", DOCSIS_3_0, SEALED, "25[2].1",
     "DsServiceFlow { DsServiceFlowRef 1; QosParamSetType 7; }",
     "DsServiceFlow { DsServiceFlowRef 3; QosParamSetType 7; }"},
    {"reference-duplicate", DOCSIS_3_0, SEALED, "23.1",
     "UsPacketClass { ClassifierRef 1; ServiceFlowRef 1; } "
     "DsPacketClass { ClassifierRef 1; ServiceFlowRef 2; }",
     "UsPacketClass { ClassifierRef 1; ServiceFlowRef 1; } "
     "DsPacketClass { ClassifierRef 2; ServiceFlowRef 2; }"},
    {"reference-unknown", DOCSIS_3_0, SEALED, "22.3",
     "UsPacketClass { ClassifierRef 1; ServiceFlowRef 9; }",
     "UsPacketClass { ClassifierRef 1; ServiceFlowRef 1; }"},
    {"reference-unknown", DOCSIS_3_1, SEALED, "24[2].36",
     "UsServiceFlow { UsServiceFlowRef 3; QosParamSetType 7; "
     "UpstreamAggregateServiceFlowReference 4; }",
     "UsServiceFlow { UsServiceFlowRef 3; QosParamSetType 7; "
     "UpstreamAggregateServiceFlowReference 4; } "
     "UpstreamAggregateServiceFlow { UpstreamServiceFlowReference 4; }"},
    {"reference-unknown", DOCSIS_3_0, SEALED, "26.3",
     "PHS { PHSServiceFlowRef 9; }", "PHS { PHSServiceFlowRef 2; }"},
    {"reference-direction", DOCSIS_3_0, SEALED, "23.3",
     "DsPacketClass { ClassifierRef 1; ServiceFlowRef 1; }",
     "DsPacketClass { ClassifierRef 1; ServiceFlowRef 2; }"},
    {"references-many", DOCSIS_3_0, PLAIN, "", "!513", "!512"},
    {"qos-set-type", DOCSIS_3_0, SEALED, "24[2].6",
     "UsServiceFlow { UsServiceFlowRef 3; QosParamSetType 6; }",
     "UsServiceFlow { UsServiceFlowRef 3; QosParamSetType 1; }"},
    {"rate-order", DOCSIS_3_0, SEALED, "24[2]",
     "UsServiceFlow { UsServiceFlowRef 3; QosParamSetType 7; MaxRateSustained 5; "
     "MinReservedRate 6; }", "UsServiceFlow { UsServiceFlowRef 3; QosParamSetType 7; "
     "MaxRateSustained 0; MinReservedRate 6; }"},
    {"snmp-malformed", DOCSIS_3_0, SEALED, "11", G("11", "3", "0x300106"),
     "SnmpMibObject sysContact.0 String \"a\";"},
    {"snmp-malformed", DOCSIS_3_0, SEALED, "11",
     G("11", "16", "0x300e060a2b0601020145010603000200"),
     "SnmpMibObject docsDevFilterIpDefault.0 Integer 2;"},
    {"snmp-malformed", DOCSIS_3_0, SEALED, "11",
     G("11", "14", "0x300c06082b060102010104000200"),
     "SnmpMibObject docsDevFilterIpDefault.0 Integer 2;"},
    {"snmp-malformed", DOCSIS_3_0, SEALED, "54.2",
     "SNMPv3AccessViewConfiguration { SNMPv3AccessViewName \"a\"; " G("2", "2", "0x0605") "}",
     "SNMPv3AccessViewConfiguration { SNMPv3AccessViewSubtree .1.3.6; }"},
    {"snmp-unknown", DOCSIS_3_0, SEALED, "11", "SnmpMibObject .1.3.6.1.4.1.872.1 Integer 1;",
     "SnmpMibObject sysContact.0 String \"a\";"},
    {"snmp-not-an-object", DOCSIS_3_0, SEALED, "11", "SnmpMibObject .1.3.6.1.2.1.69.1.2 "
     "Integer 1;", "SnmpMibObject sysContact.0 String \"a\";"},
    {"snmp-not-writable", DOCSIS_3_0, SEALED, "11", "SnmpMibObject sysDescr.0 String \"a\";",
     "SnmpMibObject sysName.0 String \"a\";"},
    {"snmp-index", DOCSIS_3_0, SEALED, "11", "SnmpMibObject sysContact.1 String \"a\";",
     "SnmpMibObject sysContact.0 String \"a\";"},
    {"snmp-index", DOCSIS_3_0, SEALED, "11", "SnmpMibObject " ENTRY "Control.1.2 Integer 2;",
     "SnmpMibObject " ENTRY "Control.1 Integer 2;"},
    {"snmp-index", DOCSIS_3_0, SEALED, "11", "SnmpMibObject vacmGroupName.1.6.112 String \"a\";",
     "SnmpMibObject vacmGroupName.1.\"public\" String \"a\";"},
    {"snmp-index", DOCSIS_3_0, SEALED, "11", "SnmpMibObject .1.3.6.1.2.1.69.1.2.1.5 Integer 2;",
     "SnmpMibObject snmpTargetAddrTDomain.'admin' ObjectID .1.3.6.1.6.1.1;"},
    {"snmp-index-value", DOCSIS_3_0, SEALED, "11", "SnmpMibObject " ENTRY "Control.0 Integer 2;",
     "SnmpMibObject " ENTRY "Control.1 Integer 2;"},
    {"snmp-type", DOCSIS_3_0, SEALED, "11", "SnmpMibObject sysContact.0 Integer 1;",
     "SnmpMibObject sysContact.0 HexString 0x01;"},
    {"snmp-number-type", DOCSIS_3_0, SEALED, "11", "SnmpMibObject docsDevFilterIpDefault.0 "
     "Gauge32 2;", "SnmpMibObject docsDevFilterIpDefault.0 Integer 2;"},
    {"snmp-range", DOCSIS_3_0, SEALED, "11", "SnmpMibObject docsDevFilterIpProtocol.1 Integer 257;",
     "SnmpMibObject docsDevFilterIpProtocol.1 Integer 256;"},
    {"snmp-enum", DOCSIS_3_0, SEALED, "11", "SnmpMibObject " ENTRY "Control.1 Integer 7;",
     "SnmpMibObject " ENTRY "Control.1 Integer 6;"},
    {"snmp-size", DOCSIS_3_0, SEALED, "11", "SnmpMibObject " ENTRY "Interfaces.1 String \"\";",
     "SnmpMibObject " ENTRY "Interfaces.1 String \"@\";"},
    {"snmp-duplicate", DOCSIS_3_0, SEALED, "11[2]", "SnmpMibObject sysContact.0 String \"a\"; "
     "SnmpMibObject sysContact.0 String \"b\";", "SnmpMibObject sysContact.0 String \"a\"; "
     "SnmpMibObject sysName.0 String \"a\";"},
    {"snmp-repeated", DOCSIS_3_0, SEALED, "11[2]", "SnmpMibObject sysContact.0 String \"a\"; "
     "SnmpMibObject sysContact.0 String \"a\";", "SnmpMibObject sysContact.0 String \"a\"; "
     "eRouter { SnmpMibObject sysContact.0 String \"a\"; }"},
    {"snmp-row", DOCSIS_3_0, SEALED, "11[2]", "SnmpMibObject " ENTRY "Status.2 Integer 4; "
     "SnmpMibObject " ENTRY "Control.1 Integer 2; SnmpMibObject " ENTRY "Ip.1 IPAddress 10.0.0.1;",
     "SnmpMibObject " ENTRY "Control.1 Integer 2; SnmpMibObject " ENTRY "Status.1 Integer 4;"},
    {"snmp-row", DOCSIS_3_0, SEALED, "202.11", "eRouter { SnmpMibObject " ENTRY
     "Control.1 Integer 2; }", "eRouter { SnmpMibObject " ENTRY "Control.1 Integer 2; "
     "SnmpMibObject " ENTRY "Status.1 Integer 4; }"},
    {"snmp-many", DOCSIS_3_0, PLAIN, "", "&1025", "&1024"},
    {"mta-delimiter", DOCSIS_3_0, PLAIN, "", "MtaConfigDelimiter 1; ", MTA("")},
    {"mta-delimiter", DOCSIS_3_0, PLAIN, "254", "MtaConfigDelimiter 2; MtaConfigDelimiter 255;",
     MTA("")},
    {"mta-delimiter", DOCSIS_3_0, PLAIN, "254[2]", MTA("MtaConfigDelimiter 1;"), MTA("")},
    {"mta-setting", DOCSIS_3_0, PLAIN, "3", MTA(NET), MTA("SnmpMibObject sysName.0 String \"a\";")},
    {"mta-setting", DOCSIS_3_0, PLAIN, "255", MTA("") "EndOfDataMkr;", MTA("")},
    {"mta-hash-missing", DOCSIS_3_0, PLAIN, "", MTA(""), MTA(HASH)},
    {"mta-hash-wrong", DOCSIS_3_0, PLAIN, "11", MTA(HASH), MTA("")},
    {"mta-hash-wrong", DOCSIS_3_0, HASHED, "", NULL, MTA("")}
};

static docsis_buffer parsed = {.grow = docsis_grow_malloc};
static docsis_buffer file = {.grow = docsis_grow_malloc};
static docsis_error error;

static void put(docsis_buffer *out, const void *bytes, size_t n)
{
    if (out->capacity - out->length < n && !out->grow(out, out->length + n))
        abort();
    memcpy(out->data + out->length, bytes, n);
    out->length += n;
}

/* Files too long to write down: @ bytes, % bytes of TLV 32, ! flows, & SNMP objects. */
static void make_large(char kind, int n)
{
    uint8_t tlv[270] = {32, 255};

    file.length = 0;
    if (kind == '@') {
        tlv[1] = 200;
        while ((int) file.length + 202 <= n)
            put(&file, tlv, 202);
        memset(tlv, 0, sizeof(tlv));
        tlv[0] = 255;
        put(&file, tlv, (size_t) n - file.length);
    } else if (kind == '%') {
        tlv[1] = (uint8_t) n;
        put(&file, tlv, (size_t) n + 2);
    }
    for (int i = 0; i < n && kind == '!'; i++) {
        uint8_t flow[] = {24, 7, 1, 2, (uint8_t) (i >> 8), (uint8_t) i, 6, 1, 7};

        put(&file, flow, sizeof(flow));
    }
    for (int i = 0; i < n && kind == '&'; i++) {
        uint8_t object[] = {11, 13, 0x30, 11, 6, 6, 0x2b, 6, 1, 4, (uint8_t) (i / 120 + 1),
                            (uint8_t) (i % 120), 2, 1, 1};

        put(&file, object, sizeof(object));
    }
}

static void make_hex(const char *hex)
{
    unsigned byte;

    file.length = 0;
    for (; sscanf(hex, "%2x", &byte) == 1; hex += 2) {
        uint8_t b = (uint8_t) byte;

        put(&file, &b, 1);
    }
}

/* A text with a varbind of 300 bytes behind it. */
static bool make_long(const char *text)
{
    static char whole[1000];
    docsis_options options = {.allow_long_varbind = true};
    int n = snprintf(whole, sizeof(whole), "Main { %s SnmpMibObject sysContact.0 String \"", text);

    memset(whole + n, 'a', 255);
    snprintf(whole + n + 255, sizeof(whole) - (size_t) n - 255, "\"; }");
    file.length = 0;
    return docsis_parse_text(whole, strlen(whole), &options, &file, &error);
}

static bool make(form form, const char *input)
{
    static char text[4000];

    if (strchr("@%!&", input[0]) != NULL) {
        make_large(input[0], atoi(input + 1));
        return true;
    }
    if (input[0] == '#') {
        make_hex(input + 1);
        return true;
    }
    if (input[0] == '$')
        return make_long(input + 1);
    snprintf(text, sizeof(text), "Main { %s%s }", form == SEALED ? NET FLOWS : "", input);
    parsed.length = file.length = 0;
    if (!docsis_parse_text(text, strlen(text), NULL, &parsed, &error))
        return false;
    if (form == PLAIN)
        put(&file, parsed.data, parsed.length);
    else if (form == HASHED)
        return docsis_mta_hash(parsed.data, parsed.length, DOCSIS_MTA_HASH_EU, &file, &error);
    else
        return docsis_seal(parsed.data, parsed.length, (const uint8_t *) "s", 1, 0, &file, &error);
    return true;
}

/* ---- what came ---------------------------------------------------------------------- */

typedef struct wanted {
    const char *rule;      /* or NULL: none in particular */
    const char *path;
    int found;             /* of the rule */
    int placed;            /* ... at the path */
    int all;
    int broken;            /* findings that are not of their form */
    int errors;
} wanted;

static bool is_sentence(const char *text)
{
    size_t n = strlen(text);

    return n == 0 || text[n - 1] == '.' || text[n - 1] == '?';
}

static void on_finding(void *context, const docsis_finding *f)
{
    wanted *w = context;
    size_t n = strlen(f->message);

    w->all++;
    w->errors += f->rule->severity == DOCSIS_ERROR;
    if (n == 0 || f->message[n - 1] == '.' || !is_sentence(f->hint) || f->spec == NULL ||
        f->has_place != (f->path[0] != '\0') || f->has_place != (f->occurrence > 0) ||
        (f->has_place && f->offset >= file.length))
        w->broken++;
    if (w->rule == NULL || strcmp(w->rule, f->rule->id) != 0)
        return;
    w->found++;
    w->placed += strcmp(w->path, f->path) == 0;
    /* The path is a path: the TLV it names stands where the offset says. */
    if (f->has_place && atoi(f->path) != file.data[f->offset] && strchr(f->path, '.') == NULL)
        w->broken++;
}

static void run(wanted *w, docsis_version version)
{
    docsis_lint_options options = {.version = version};
    int errors = docsis_lint(file.data, file.length, &options, on_finding, w);

    w->broken += errors != w->errors;
}

static void test_case(const lint_case *c)
{
    wanted bad = {.rule = c->rule, .path = c->path};
    wanted good = {.rule = c->rule, .path = c->path};
    bool made = true;

    if (c->bad != NULL) {
        made = make(c->form, c->bad);
        if (made)
            run(&bad, c->version);
        if (!tap_ok(made && bad.placed >= 1 && bad.broken == 0, "%s: %.70s", c->rule, c->bad))
            tap_note("%d found, %d at \"%s\", %d broken; %s", bad.found, bad.placed, c->path,
                     bad.broken, made ? "" : error.detail);
    }
    made = make(c->form, c->good);
    if (made)
        run(&good, c->version);
    if (!tap_ok(made && good.found == 0 && good.broken == 0, "%s is kept: %.70s", c->rule, c->good))
        tap_note("%d found, %d broken; %s", good.found, good.broken, made ? "" : error.detail);
}

static void test_rules(void)
{
    for (int i = 0; i < docsis_lint_rule_count(); i++) {
        const docsis_lint_rule *rule = docsis_lint_rule_at(i);
        bool tested = false;
        bool twice = false;

        for (size_t j = 0; j < sizeof(cases) / sizeof(cases[0]); j++)
            tested |= strcmp(cases[j].rule, rule->id) == 0;
        for (int j = 0; j < i; j++)
            twice |= strcmp(docsis_lint_rule_at(j)->id, rule->id) == 0;
        tap_ok(tested && !twice && is_sentence(rule->meaning) && rule->meaning[0] != '\0' &&
               is_sentence(rule->hint), "rule %s has texts and a test", rule->id);
    }
    tap_ok(docsis_lint_rule_at(-1) == NULL && docsis_lint_rule_at(9999) == NULL,
           "there are no other rules");
}

static void test_versions(void)
{
    docsis_version v = DOCSIS_3_0;

    tap_ok(docsis_version_parse("1.0", &v) && v == DOCSIS_1_0 &&
           docsis_version_parse("3.1", &v) && v == DOCSIS_3_1 &&
           !docsis_version_parse("3.2", &v) && !docsis_version_parse("", &v) &&
           !docsis_version_parse("3.10", &v) && v == DOCSIS_3_1, "versions are read");
}

static void test_clean(void)
{
    wanted w = {.rule = NULL};

    tap_ok(make(SEALED, "MaxCPE 5; SnmpMibObject sysContact.0 String \"noc\"; "
                "SnmpMibObject " ENTRY "Control.1 Integer 2; SnmpMibObject " ENTRY
                "Status.1 Integer 4; UsPacketClass { ClassifierRef 1; ServiceFlowRef 1; }"),
           "a clean file");
    run(&w, DOCSIS_3_0);
    tap_ok(w.all == 0, "a clean file has no finding");
    w = (wanted) {.rule = NULL};
    tap_ok(make(HASHED, MTA("SnmpMibObject sysContact.0 String \"noc\";")), "a clean MTA file");
    run(&w, DOCSIS_3_0);
    tap_ok(w.all == 0, "a clean MTA file has no finding");
    w = (wanted) {.rule = NULL};
    file.length = 0;
    run(&w, DOCSIS_3_0);
    tap_ok(w.errors == 4 && w.broken == 0, "an empty file lacks four things");
}

/* ---- many files ------------------------------------------------------------------------ */

static const docsis_version versions[] = {
    DOCSIS_1_0, DOCSIS_1_1, DOCSIS_2_0, DOCSIS_3_0, DOCSIS_3_1, DOCSIS_4_0
};

static int run_all(void)
{
    int broken = 0;

    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        wanted w = {.rule = NULL};

        run(&w, versions[i]);
        broken += w.broken;
    }
    return broken;
}

/* Changes, inserts or removes a few bytes. The copy is exact, so that no byte beyond is read. */
static int run_mutated(void)
{
    docsis_buffer kept = file;
    size_t length = file.length;
    uint8_t *copy = malloc(length + 1);
    int broken;

    if (copy == NULL)
        abort();
    memcpy(copy, file.data, length);
    for (int n = rand() % 4 + 1; n > 0 && length > 0; n--)
        copy[(size_t) rand() % length] = (uint8_t) rand();
    if (rand() % 4 == 0)
        length = (size_t) rand() % (length + 1);
    file.data = realloc(copy, length > 0 ? length : 1);
    file.length = length;
    broken = run_all();
    free(file.data);
    file = kept;
    return broken;
}

static void test_vectors(const char *name, int rounds)
{
    static char line[200000];
    char path[300];
    FILE *f;
    int files = 0;
    int broken = 0;
    int mutated = 0;

    snprintf(path, sizeof(path), "vectors/%s", name);
    f = fopen(path, "rb");
    if (f == NULL) {
        tap_ok(true, "# SKIP no %s", path);
        return;
    }
    while (fgets(line, sizeof(line), f) != NULL) {
        char *p = line;

        for (int column = 0; column < 5 && p != NULL; column++)
            p = strchr(p + 1, '\t');
        if (p == NULL || strspn(p + 1, "0123456789abcdef") < 4)
            continue;
        make_hex(p + 1);
        files++;
        broken += run_all();
        for (int i = 0; i < rounds; i++)
            mutated += run_mutated();
    }
    fclose(f);
    tap_ok(files > 20 && broken == 0, "%s: %d files, each finding of its form", name, files);
    tap_ok(mutated == 0, "%s: changed at random", name);
}

static void test_random(int rounds)
{
    int broken = 0;

    for (int i = 0; i < rounds; i++) {
        uint8_t bytes[300];
        size_t n = (size_t) rand() % sizeof(bytes);

        for (size_t j = 0; j < n; j++)
            bytes[j] = (uint8_t) (rand() % 3 == 0 ? rand() : rand() % 72);
        file.length = 0;
        put(&file, bytes, n);
        broken += run_all();
    }
    tap_ok(broken == 0, "random bytes");
}

int main(int argc, char **argv)
{
    unsigned seed = argc > 1 ? (unsigned) strtoul(argv[1], NULL, 10) : 1;
    int rounds = argc > 2 ? atoi(argv[2]) : 5000;

    srand(seed);
    tap_note("seed %u", seed);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        test_case(&cases[i]);
    test_rules();
    test_versions();
    test_clean();
    test_vectors("cases-symbols.tsv", rounds / 1000);
    test_vectors("cases-behaviour.tsv", rounds / 200);
    test_random(rounds);
    free(parsed.data);
    free(file.data);
    return tap_done();
}

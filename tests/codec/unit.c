/*
 * unit - the codec's rules one by one: errors and their places, own statement
 * forms, warnings, options, seals, OIDs, JSON.
 */
#include <stdlib.h>
#include <string.h>

#include "docsis.h"
#include "tap.h"

static docsis_buffer out = {.grow = docsis_grow_malloc};
static docsis_error error;
static int warnings;
static docsis_error last_warning;

static void on_warning(void *context, const docsis_error *warning)
{
    warnings++;
    last_warning = *warning;
}

static bool parse(const char *text, const docsis_options *options)
{
    out.length = 0;
    memset(&error, 0, sizeof(error));
    return docsis_parse_text(text, strlen(text), options, &out, &error);
}

static void to_hex(char *hex)
{
    for (size_t i = 0; i < out.length; i++)
        sprintf(hex + 2 * i, "%02x", out.data[i]);
    hex[2 * out.length] = '\0';
}

/* text -> these bytes */
static void bytes(const char *text, const char *expected)
{
    static char hex[300000];
    bool ok = parse(text, NULL);

    to_hex(hex);
    if (!tap_ok(ok && strcmp(hex, expected) == 0, "encode %s", text))
        tap_note("got %s; %s; %s", hex, error.message, error.detail);
}

/* text -> refused with this code, at this place */
static void refused(const char *text, docsis_code code, int line, int column, const char *message)
{
    bool ok = parse(text, NULL);

    if (!tap_ok(!ok && error.code == code && error.line == line && error.column == column &&
                strstr(error.message, message) != NULL && out.length == 0 &&
                strncmp(error.detail, "Line ", 5) == 0 &&
                error.message[strlen(error.message) - 1] != '.',
                "refuse %.70s", text))
        tap_note("code %d at %d:%d: %s; %s; %s", error.code, error.line, error.column,
                 error.message, error.detail, error.hint);
}

static void test_refusals(void)
{
    refused("", DOCSIS_SYNTAX, 1, 1, "unexpected end");
    refused("Main { }", DOCSIS_SYNTAX, 1, 8, "unexpected \"}\"");
    refused("Main {\n  MaxCPE 1;", DOCSIS_SYNTAX, 2, 12, "unexpected end");
    refused("Main { MaxCPE 1; } x", DOCSIS_SYNTAX, 1, 20, "unexpected \"x\"");
    refused("Main {\n\tNetworkAcces 1;\n}", DOCSIS_UNKNOWN_NAME, 2, 2, "\"NetworkAcces\"");
    refused("Main { MaxCPE 255; }", DOCSIS_OUT_OF_RANGE, 1, 15, "value 255 of \"MaxCPE\"");
    refused("Main { MaxCPE 99999999999999999999; }", DOCSIS_OUT_OF_RANGE, 1, 15, "\"MaxCPE\"");
    refused("Main { MaxCPE \"1\"; }", DOCSIS_TYPE_MISMATCH, 1, 15, "\"MaxCPE\"");
    refused("Main { MaxCPE { NetworkAccess 1; } }", DOCSIS_TYPE_MISMATCH, 1, 15, "\"MaxCPE\"");
    refused("Main { UsServiceFlow 5; }", DOCSIS_TYPE_MISMATCH, 1, 22, "\"UsServiceFlow\"");
    refused("Main { UsServiceFlow { } }", DOCSIS_SYNTAX, 1, 24, "unexpected \"}\"");
    refused("Main { SubMgmtControl 0x010; }", DOCSIS_SYNTAX, 1, 23, "odd number");
    refused("Main { SubMgmtControl 0x01; }", DOCSIS_OUT_OF_RANGE, 1, 23, "length 1");
    refused("Main { SwUpgradeFilename \"a", DOCSIS_SYNTAX, 1, 26, "unterminated");
    refused("Main { SwUpgradeFilename \"a\nb\"; }", DOCSIS_SYNTAX, 1, 26, "line break");
    refused("Main { SwUpgradeFilename E\"a\\q\"; }", DOCSIS_SYNTAX, 1, 29, "invalid escape");
    refused("Main { SwUpgradeServer 1.2.3.256; }", DOCSIS_OUT_OF_RANGE, 1, 24, "1.2.3.256");
    refused("Main { ManufacturerCVC \"/etc/passwd\"; }", DOCSIS_REFUSED, 1, 8, "read a file");
    tap_ok(strstr(error.hint, "MfgCVCData 0x") != NULL, "the hint names the hex form");
    refused("Main { DigitMap \"x\"; }", DOCSIS_REFUSED, 1, 8, "read a file");
    refused("Main { SnmpMibObject sysContact.0 Integer \"a\"; }", DOCSIS_TYPE_MISMATCH, 1, 43,
            "Integer");
    refused("Main { SnmpMibObject noSuchName.0 Integer 1; }", DOCSIS_UNKNOWN_OID, 1, 22,
            "noSuchName.0");
    refused("Main { SnmpMibObject 83.1.6.3.0 Integer 1; }", DOCSIS_UNKNOWN_OID, 1, 22, "83.1.6");
    refused("Main { SnmpMibObject .1.3.6.1 Counter64 1; }", DOCSIS_SYNTAX, 1, 31, "Counter64");
    refused("Main { SnmpMibObject .1.3.6.1 Integer 4294967296; }", DOCSIS_OUT_OF_RANGE, 1, 39,
            "4294967296");
    refused("Main { SnmpWriteControl .1.3.6.1 256; }", DOCSIS_OUT_OF_RANGE, 1, 34,
            "SnmpWriteControl");
    refused("Main { GenericTLV TlvCode 53 TlvLength 3 TlvValue 0x0102; }", DOCSIS_OUT_OF_RANGE, 1,
            40, "does not match");
    refused("Main { GenericTLV TlvCode 255 TlvLength 1 TlvValue 0x01; }", DOCSIS_TYPE_MISMATCH, 1,
            27, "255");
    refused("Main { EndOfDataMkr; MaxCPE 1; }", DOCSIS_SYNTAX, 1, 22, "EndOfDataMkr");
    refused("Main { # }", DOCSIS_SYNTAX, 1, 8, "\"#\"");
    refused("Main { MaxCPE 1;\r}", DOCSIS_SYNTAX, 1, 17, "\\x0d");
}

static void test_limits(void)
{
    static char text[70000];
    docsis_options allow = {.allow_long_varbind = true};
    int n;

    n = sprintf(text, "Main { GenericTLV TlvCode 200 TlvLength 255 TlvValue 0x");
    memset(text + n, 'a', 510);
    strcpy(text + n + 510, "; }");
    tap_ok(parse(text, NULL) && out.length == 257, "a value of 255 bytes is accepted");
    n = sprintf(text, "Main { SwUpgradeFilename \"");
    memset(text + n, 'a', 256);
    strcpy(text + n + 256, "\"; }");
    refused(text, DOCSIS_TOO_LONG, 1, 8, "SwUpgradeFilename");
    n = sprintf(text, "Main { MaxCPE 1; SnmpMibObject .1.3.6.1.4.1.1.1 String \"");
    memset(text + n, 'a', 300);
    strcpy(text + n + 300, "\"; }");
    refused(text, DOCSIS_TOO_LONG, 1, 18, "SnmpMibObject");
    tap_ok(strlen(error.hint) > 0, "a long varbind of a CM config: the hint says what can be done");
    tap_ok(parse(text, &allow) && out.data[3] == 64 && out.data[4] == 1,
           "a long varbind of a CM config by explicit option");
    n = sprintf(text, "Main { MtaConfigDelimiter 1; SnmpMibObject .1.3.6.1.4.1.1.1 String \"");
    memset(text + n, 'a', 3000);
    strcpy(text + n + 3000, "\"; MtaConfigDelimiter 255; }");
    tap_ok(parse(text, NULL) && out.data[3] == 64, "a long varbind of an MTA config");
    n = sprintf(text, "Main { ");
    for (int i = 0; i < 200; i++)
        n += sprintf(text + n, "UsServiceFlow { ");
    refused(text, DOCSIS_LIMIT, 1, 2040, "nested");
}

static void test_own_forms(void)
{
    bytes("Main { CmMic 0x00112233445566778899aabbccddeeff; EndOfDataMkr; Pad; Pad 2; }",
          "061000112233445566778899aabbccddeeffff000000");
    bytes("Main { Pad 0; }", "");
    bytes("Main { SwUpgradeServer 010.0.0.1; }", "150408000001");
    bytes("Main { GenericTLV TlvCode 24 TlvLength 0 TlvValue 0x; }", "1800");
    bytes("Main { SwUpgradeFilename E\"a\\\\b\\\"c\\xe9\\x00\"; }", "0907615c622263e900");
    bytes("Main { SwUpgradeFilename \"a\\\\b\\\"c\\xe9\"; }", "090a61202062226320786539");
    bytes("Main { VendorSpecific { VendorIdentifier 0x001122; "
          "GenericTLV TlvCode 1 TlvString \"ab\"; } }",
          "2b09080300112201026162");
    bytes("main{/* x **/MaxCPE 1;/**/}/* open", "120101");
}

static void test_forms_beyond(void)
{
    docsis_options options = {.warn = on_warning};

    bytes("Main { UpstreamDropClassifierGroupID 7; }", "3e0107");
    bytes("Main { SubscriberManagementCPEIPTable 10.0.0.1; }", "24040a000001");
    bytes("Main { SubMgmtControl \"0x010203\"; }", "2303010203");
    bytes("Main { CpeMacAddress \"00:01:02:03:04:05\"; }", "0e06000102030405");
    bytes("Main { CpeMacAddress 0:1:2:a:B:5; }", "0e060001020a0b05");
    bytes("Main { SwUpgradeServer \"1.2.3.4\"; }", "150401020304");
    bytes("Main { SubscriberManagementCPEIPTable \"1.2.3.4,5.6.7.8\"; }", "24080102030405060708");
    bytes("Main { SwUpgradeServer6 ::ffff:1.2.3.4; }", "3a1000000000000000000000ffff01020304");
    bytes("Main { SwUpgradeServer6 64:ff9b::1.2.3.4; }", "3a100064ff9b000000000000000001020304");
    bytes("Main { SwUpgradeServer6 1:2:3:4:5:6:1.2.3.4; }", "3a1000010002000300040005000601020304");
    bytes("Main { SwUpgradeServer6::ffff:1; }", "3a10000000000000000000000000ffff0001");
    bytes("Main { SnmpMibObject 1.3.6.1 Integer 1; }", "0b0a300806032b0601020101");
    bytes("Main { SnmpMibObject .1.3.6.1 ObjectID 1.3.6.2; }", "0b0c300a06032b060106032b0602");
    bytes("Main { SnmpMibObject .1.3.6.1 ObjectID sysDescr; }",
          "0b10300e06032b060106072b060102010101");
    bytes("Main { SnmpMibObject .1.3.6.1 IPAddress \"1.2.3.4\"; }", "0b0d300b06032b0601400401020304");
    bytes("Main { SnmpMibObject .1.3.6.1 HexString \"0x0102\"; }", "0b0b300906032b060104020102");
    bytes("Main { SnmpMibObject .1.3.6.1 String \"0x01\"; }", "0b0d300b06032b0601040430783031");
    bytes("Main { SnmpMibObject SNMPv2-MIB::sysContact.0 String \"a\"; }",
          "0b0f300d06082b06010201010400040161");
    warnings = 0;
    tap_ok(parse("Main { SNMPv1v2cCoexistenceConfig { SNMPv1v2cTransportAddressAccess { "
                 "SNMPv1v2cTransportAddress 10.0.0.1; } } }", &options) && warnings == 1 &&
           out.length == 12 && out.data[11] == 0, "an address without a port: a warning");
    refused("Main { MaxCPE \"5\"; }", DOCSIS_TYPE_MISMATCH, 1, 15, "wrong type");
    refused("Main { SubMgmtControl \"abc\"; }", DOCSIS_TYPE_MISMATCH, 1, 23, "wrong type");
    refused("Main { SubMgmtControl \"0x01020\"; }", DOCSIS_SYNTAX, 1, 24, "odd number");
    refused("Main { SwUpgradeServer \"1.2.3.256\"; }", DOCSIS_OUT_OF_RANGE, 1, 25, "1.2.3.256");
    refused("Main { SwUpgradeServer6 1::2::1.2.3.4; }", DOCSIS_TYPE_MISMATCH, 1, 25, "");
    refused("Main { SubMgmtFilters 1; }", DOCSIS_OUT_OF_RANGE, 1, 23, "number of items 1");
    refused("Main { UpstreamDropClassifierGroupID -1; }", DOCSIS_TYPE_MISMATCH, 1, 38, "");
    refused("Main { SnmpMibObject sysContact String \"a\"; }", DOCSIS_SYNTAX, 1, 22, "sysContact");
    refused("Main { SnmpMibObject IF-MIB::sysContact.0 String \"a\"; }", DOCSIS_UNKNOWN_OID, 1, 22,
            "cannot resolve");
    tap_ok(strstr(error.hint, "SNMPv2-MIB") != NULL, "the hint names the right module");
}

static void test_labels(void)
{
    bytes("Main { SnmpMibObject docsDevNmAccessControl.1 Integer readWrite; }",
          "0b123010060b2b06010201450102010501020103");
    bytes("Main { SnmpMibObject docsDevNmAccessControl.1 Integer readWrite(3); }",
          "0b123010060b2b06010201450102010501020103");
    bytes("Main { SnmpMibObject .1.3.6.1.2.1.69.1.2.1.5.1 Integer readWrite; }",
          "0b123010060b2b06010201450102010501020103");
    bytes("Main { SnmpMibObject dot1dBaseType.0 Integer transparent-only; }",
          "0b10300e06092b060102011101030002" "0102");
    bytes("Main { SnmpMibObject dot1dBaseType.0 Integer transparent-only(2); }",
          "0b10300e06092b060102011101030002" "0102");
    bytes("Main { UsServiceFlow { MaxRateSustained-1; } }", "18060804ffffffff");
    refused("Main { SnmpMibObject docsDevNmAccessControl.1 Integer readWrite(4); }",
            DOCSIS_OUT_OF_RANGE, 1, 55, "do not agree");
    refused("Main { SnmpMibObject docsDevNmAccessControl.1 Integer write; }", DOCSIS_UNKNOWN_NAME,
            1, 55, "unknown label \"write\"");
    tap_ok(strstr(error.hint, "readWrite(3)") != NULL && strstr(error.hint, "none(1)") != NULL,
           "the hint lists the labels: %s", error.hint);
    refused("Main { SnmpMibObject sysContact.0 Integer on; }", DOCSIS_TYPE_MISMATCH, 1, 43,
            "unknown label");
    refused("Main { SnmpMibObject sysContact.0 Gauge on; }", DOCSIS_TYPE_MISMATCH, 1, 41, "Gauge");
    refused("Main { SnmpMibObject docsDevNmAccessControl.1 Integer readWrite (3); }", DOCSIS_SYNTAX,
            1, 65, "\"(\"");
}

static void test_raised_limits(void)
{
    docsis_options tool = {.limits = DOCSIS_LIMITS_TOOL};

    bytes("Main { DownstreamFrequency 1794000000; }", "01046aee4480");
    refused("Main { DownstreamFrequency 1794000001; }", DOCSIS_OUT_OF_RANGE, 1, 28, "1794000001");
    tap_ok(!parse("Main { DownstreamFrequency 1008000001; }", &tool) &&
           error.code == DOCSIS_OUT_OF_RANGE && strstr(error.detail, "1008000000") != NULL,
           "the tool's limits on demand: %s", error.detail);
    tap_ok(parse("Main { DownstreamFrequency 1008000000; MaxCPE 254; }", &tool),
           "they allow what the tool allows");
}

static void test_binding(void)
{
    docsis_options options = {.warn = on_warning};

    warnings = 0;
    tap_ok(parse("Main { DsServiceFlow { MaxRateSustained 1; } }", &options) && warnings == 0,
           "a name of the group: no warning");
    tap_ok(parse("Main {\n UsServiceFlow { MaxCPE 7; } }", &options) && warnings == 1 &&
           last_warning.line == 2 && last_warning.column == 18 && out.data[2] == 18,
           "a name from elsewhere: its code and a warning");
    warnings = 0;
    tap_ok(parse("Main { SnmpMibObject sysContact.0 Integer 2147483648; }", &options) &&
           warnings == 1, "a number beyond Integer: a warning");
    warnings = 0;
    tap_ok(parse("Main { SwUpgradeFilename 1.2.3.4; }", &options) && warnings == 1,
           "an address for a string: a warning");
    bytes("Main { UpstreamEHQoSASF { TrafficPriority 5; } }", "5d03070105");
    bytes("Main { DownstreamEHQoSASF { TrafficPriority 5; } }", "5e03070105");
    bytes("Main { DsPacketClass { LLCPacketClassifier { EtherType 0x; } } }", "17040a020300");
    bytes("Main { CMSSHServerConfigurationSettings { "
          "SSHCredentialSet { SshCmCdsCredentialSet 0x01; } } }",
          "6700070300040100" "0101");
}

static const uint32_t our_thing[] = {1, 3, 6, 1, 4, 1, 99999, 1};
static const uint32_t our_column[] = {1, 3, 6, 1, 4, 1, 99999, 2, 1, 3};
static const uint32_t our_contact[] = {1, 3, 6, 1, 4, 1, 99999, 4};
static const docsis_enum our_states[] = {{1, "off"}, {2, "on"}};
static const docsis_range our_sizes[] = {{0, 4}};
static const docsis_mib_syntax our_index[] = {
    {"ourName", DOCSIS_MIB_OCTETSTR}, {"ourState", DOCSIS_MIB_INTEGER, NULL, 0, our_states, 2}
};
static const docsis_mib_object our_objects[] = {
    {{"ourThing", DOCSIS_MIB_INTEGER, NULL, 0, our_states, 2}, "OUR-MIB", our_thing, 8},
    {{"ourColumn", DOCSIS_MIB_OCTETSTR, our_sizes, 1}, "OUR-MIB", our_column, 10, our_index, 2},
    {{"sysContact", DOCSIS_MIB_OCTETSTR}, "OUR-MIB", our_contact, 8},
    {{"pktcMtaDevEnabled", DOCSIS_MIB_INTEGER}, "OUR-IETF-MIB", our_contact, 8}
};

static const docsis_mib_object *own_by_name(void *context, const char *name, size_t length, int n)
{
    for (int i = 0; i < 4; i++) {
        if (strlen(our_objects[i].syntax.name) == length &&
            memcmp(our_objects[i].syntax.name, name, length) == 0 && n-- == 0)
            return &our_objects[i];
    }
    return NULL;
}

static const docsis_mib_object *own_by_oid(void *context, const uint32_t *arcs, int count)
{
    for (int i = 0; i < 4; i++) {
        if (count >= our_objects[i].arc_count &&
            memcmp(our_objects[i].arcs, arcs, our_objects[i].arc_count * sizeof(*arcs)) == 0)
            return &our_objects[i];
    }
    return NULL;
}

static void oid(const char *text, const docsis_options *options, const char *expected)
{
    uint32_t arcs[DOCSIS_MAX_ARCS];
    int count = 0;
    bool ok = docsis_oid_parse(text, strlen(text), options, arcs, &count, &error);

    out.length = 0;
    if (ok)
        docsis_oid_text(arcs, count, DOCSIS_OID_NUMERIC, NULL, &out);
    if (!tap_ok(expected == NULL ? !ok : ok && out.length == strlen(expected) &&
                memcmp(out.data, expected, out.length) == 0, "OID %s", text))
        tap_note("%.*s %s %s", (int) out.length, (char *) out.data, ok ? "" : error.message,
                 ok ? "" : error.detail);
}

static void test_oids(void)
{
    docsis_options ietf = {.profile = DOCSIS_PROFILE_IETF};
    docsis_mib_overlay overlay = {.by_name = own_by_name, .by_oid = own_by_oid};
    docsis_options with_overlay = {.mib = &overlay};
    uint32_t arcs[DOCSIS_MAX_ARCS] = {1, 3, 6, 1, 4, 1, 99999, 1, 7};
    int count;

    oid("pktcMtaDevEnabled.0", NULL, ".1.3.6.1.4.1.4491.2.2.1.1.1.7.0");
    oid("pktcMtaDevEnabled.0", &ietf, ".1.3.6.1.2.1.140.1.1.6.0");
    oid(".iso.org.dod.internet.4.1.5", NULL, ".1.3.6.1.4.1.5");
    oid("system.sysContact.0", NULL, ".1.3.6.1.2.1.1.4.0");
    oid("vacmGroupName.1.\"public\"", NULL, ".1.3.6.1.6.3.16.1.2.1.3.1.6.112.117.98.108.105.99");
    oid("snmpTargetAddrTMask.'ab'", NULL, ".1.3.6.1.6.3.18.1.2.1.1.97.98");
    oid("snmpTargetAddrTMask.\"ab\"", NULL, NULL);
    oid("vacmAccessStatus.\"ab\".\"\".1.noAuthNoPriv", NULL,
        ".1.3.6.1.6.3.16.1.4.1.9.2.97.98.0.1.1");
    oid("2.999.3", NULL, ".2.999.3");
    oid("3.1.2", NULL, NULL);
    /* A byte 0 belongs to the label, as any other that no label has. */
    tap_ok(!docsis_oid_parse("1.org\0of-a-kind.6", 17, NULL, arcs, &count, &error),
           "a byte 0 does not end a label");
    oid("1.40.2", NULL, NULL);
    oid("1.3.4294967296", NULL, NULL);
    oid("sysContact.0.noSuch", NULL, NULL);
    oid("ourThing.7", NULL, NULL);
    oid("ourThing.7", &with_overlay, ".1.3.6.1.4.1.99999.1.7");
    oid("OUR-MIB::ourThing.7", &with_overlay, ".1.3.6.1.4.1.99999.1.7");
    oid("OTHER-MIB::ourThing.7", &with_overlay, NULL);
    oid("enterprises.99999.1.7", &with_overlay, ".1.3.6.1.4.1.99999.1.7");
    oid("ourColumn.\"ab\".on", &with_overlay, ".1.3.6.1.4.1.99999.2.1.3.2.97.98.2");
    oid("ourColumn.2.97.98.off", &with_overlay, ".1.3.6.1.4.1.99999.2.1.3.2.97.98.1");
    oid("ourColumn.\"ab\".up", &with_overlay, NULL);
    oid("sysContact.0", &with_overlay, ".1.3.6.1.4.1.99999.4.0");
    oid("SNMPv2-MIB::sysContact.0", &with_overlay, ".1.3.6.1.2.1.1.4.0");
    oid("pktcMtaDevEnabled.0", &with_overlay, ".1.3.6.1.4.1.4491.2.2.1.1.1.7.0");
    with_overlay.profile = DOCSIS_PROFILE_IETF;
    oid("pktcMtaDevEnabled.0", &with_overlay, ".1.3.6.1.4.1.99999.4.0");
    with_overlay.profile = DOCSIS_PROFILE_EXCENTIS;
    oid("pktcMtaDevEnabled.0", &with_overlay, ".1.3.6.1.4.1.4491.2.2.1.1.1.7.0");
    oid("PKTC-IETF-MTA-MIB::pktcMtaDevEnabled.0", NULL, ".1.3.6.1.2.1.140.1.1.6.0");
    oid("PKTC-MTA-MIB::pktcMtaDevEnabled.0", &ietf, ".1.3.6.1.4.1.4491.2.2.1.1.1.7.0");
    oid("A::", NULL, NULL);
    oid("::a", NULL, NULL);
    tap_ok(parse("Main { SnmpMibObject ourThing.0 Integer on; }", &with_overlay) &&
           parse("Main { SnmpMibObject .1.3.6.1.4.1.99999.1.0 Integer on; }", &with_overlay),
           "labels of an overlay's object");
    tap_ok(!parse("Main { SnmpMibObject ourColumn.1.97.1 String \"12345\"; }", &with_overlay) &&
           error.code == DOCSIS_OUT_OF_RANGE, "sizes of an overlay's object: %s", error.message);
    with_overlay.warn = ietf.warn = on_warning;
    warnings = 0;
    tap_ok(parse("Main { SnmpMibObject pktcMtaDevEnabled.0 Integer 1; }", &ietf) && warnings == 1 &&
           last_warning.code == DOCSIS_AMBIGUOUS && last_warning.column == 22 &&
           strcmp(last_warning.symbol, "pktcMtaDevEnabled") == 0 &&
           strstr(last_warning.detail, "Taken is PKTC-IETF-MTA-MIB::pktcMtaDevEnabled "
                  "(1.3.6.1.2.1.140.1.1.6); another is PKTC-MTA-MIB::") != NULL,
           "an ambiguous name: %s", last_warning.detail);
    warnings = 0;
    tap_ok(parse("Main { SnmpMibObject PKTC-MTA-MIB::pktcMtaDevEnabled.0 Integer 1; }", &ietf) &&
           warnings == 0, "with its module it is not");
    tap_ok(parse("Main { SnmpMibObject sysContact.0 String \"1\"; }", &with_overlay) &&
           warnings == 1, "a name of the overlay and of the facts is ambiguous");
    out.length = 0;
    tap_ok(docsis_oid_text(arcs, 9, DOCSIS_OID_NAMES, &overlay, &out) && out.length == 10 &&
           memcmp(out.data, "ourThing.7", 10) == 0, "an overlay's name");
}

static void test_reading(void)
{
    static const uint8_t config[] = {3, 1, 1, 24, 9, 6, 1, 7, 8, 4, 0, 0, 0, 5};
    static const uint8_t cut[] = {3, 1, 1, 24, 9, 6};
    static const uint8_t trail[] = {3, 1, 1, 255, 0, 1};
    docsis_cursor cursor;
    docsis_tlv tlv;
    char path[64] = "";

    docsis_cursor_init(&cursor, config, sizeof(config));
    for (int i = 0; i < 4; i++)
        tap_ok(docsis_cursor_next(&cursor, &tlv, &error) == 1, "cursor step %d", i + 1);
    docsis_tlv_path(&tlv, path, sizeof(path));
    tap_ok(strcmp(path, "24.8") == 0 && tlv.offset == 8 && tlv.length == 4 && tlv.depth == 1 &&
           strcmp(docsis_symbol_name(tlv.symbol), "MaxRateSustained") == 0, "path, offset, name");
    tap_ok(docsis_cursor_next(&cursor, &tlv, &error) == 0, "cursor ends");
    tap_ok(!docsis_check(cut, sizeof(cut), &error) && error.code == DOCSIS_MALFORMED &&
           error.offset == 3, "a TLV beyond the end");
    tap_ok(!docsis_check(trail, sizeof(trail), &error) && error.offset == 5,
           "bytes after the end mark");
    tap_ok(docsis_check(NULL, 0, &error), "no bytes are a config without TLVs");
    tap_ok(docsis_symbol_count() >= 1548 && docsis_symbol_at(-1) == NULL &&
           docsis_symbol_at(docsis_symbol_count()) == NULL, "dictionary");
}

static void test_seal(void)
{
    static const uint8_t mta[] = {254, 1, 1, 254, 1, 255};
    static const uint8_t open_mta[] = {254, 1, 1};
    uint8_t secret[65] = {[0] = 1, [63] = 2};
    docsis_buffer again = {.grow = docsis_grow_malloc};
    docsis_buffer sealed = {.grow = docsis_grow_malloc};
    docsis_verification v;
    size_t length;

    parse("Main { NetworkAccess 1; }", NULL);
    tap_ok(!docsis_seal(out.data, out.length, secret, 0, 0, &sealed, &error) &&
           error.code == DOCSIS_INVALID_ARGUMENT, "an empty secret");
    tap_ok(docsis_seal(out.data, out.length, secret, 0, DOCSIS_MIC_EMPTY_SECRET, &sealed, &error),
           "an empty secret by flag");
    sealed.length = 0;
    tap_ok(!docsis_seal(out.data, out.length, secret, 65, 0, &sealed, &error) &&
           error.code == DOCSIS_INVALID_ARGUMENT && sealed.length == 0, "a secret of 65 bytes");
    tap_ok(docsis_seal(out.data, out.length, secret, 64, 0, &sealed, &error),
           "a secret of 64 bytes");
    tap_ok(docsis_seal(sealed.data, sealed.length, secret, 64, 0, &again, &error) &&
           again.length == sealed.length && memcmp(again.data, sealed.data, again.length) == 0,
           "sealing is idempotent");
    tap_ok(docsis_verify(out.data, out.length, secret, 1, 0, &v, &error) &&
           v.cm_mic == DOCSIS_MIC_ABSENT && v.cmts_mic == DOCSIS_MIC_ABSENT, "no MICs: absent");
    tap_ok(docsis_verify(sealed.data, sealed.length, secret, 63, 0, &v, &error) &&
           v.cm_mic == DOCSIS_MIC_OK && v.cmts_mic == DOCSIS_MIC_WRONG, "another secret: wrong");
    length = sealed.length;
    tap_ok(docsis_seal(mta, sizeof(mta), secret, 1, 0, &sealed, &error) &&
           sealed.length == length + sizeof(mta), "an MTA config is not sealed");
    again.length = 0;
    tap_ok(docsis_mta_hash(mta, sizeof(mta), DOCSIS_MTA_HASH_IETF, &again, &error) &&
           again.length == 6 + 19 + 20, "MTA hash, ietf");
    sealed.length = 0;
    tap_ok(docsis_mta_hash(again.data, again.length, DOCSIS_MTA_HASH_IETF, &sealed, &error) &&
           sealed.length == again.length &&
           memcmp(sealed.data, again.data, again.length) == 0, "hashing is idempotent");
    tap_ok(!docsis_mta_hash(open_mta, sizeof(open_mta), DOCSIS_MTA_HASH_NA, &sealed, &error) &&
           error.code == DOCSIS_INVALID_ARGUMENT, "no closing delimiter");
    tap_ok(!docsis_mta_hash(out.data, out.length, DOCSIS_MTA_HASH_NA, &sealed, &error),
           "no hash for a CM config");
    free(again.data);
    free(sealed.data);
}

/* Settings, the TLV 43 with a digest of its own, the TLV 43 without. */
#define EXTENDED_SETTINGS "Main { NetworkAccess 1; " \
    "UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; } " \
    "DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; } " \
    "GenericTLV TlvCode 59 TlvLength 16 TlvValue 0x00000000000000000000000000000000; " \
    "VendorSpecific { VendorIdentifier 0xffffff; ExtendedCMTSMICConfiguration { " \
    "ExtendedCMTSMICHMACDigestType 1; ExtendedCMTSMICHMACBitmap 0x100000c000100010; "

static void test_extended(void)
{
    static const uint8_t digest[16] = {0x77, 0x0f, 0xce, 0x9e, 0xce, 0x7d, 0xfa, 0x55,
                                       0xb7, 0xc7, 0xb6, 0xe3, 0xd6, 0xc7, 0xaf, 0xc3};
    static const uint8_t implicit[16] = {0xe8, 0x7f, 0x3c, 0x11, 0xc2, 0x69, 0x30, 0x08,
                                         0x40, 0x6a, 0xa3, 0xb6, 0x71, 0x9c, 0x53, 0xcd};
    const uint8_t *secret = (const uint8_t *) "DOCSIS";
    docsis_buffer sealed = {.grow = docsis_grow_malloc};
    docsis_verification v;

    parse(EXTENDED_SETTINGS "ExtendedCMTSMICHMACDigest 0x00000000000000000000000000000000; } } }",
          NULL);
    tap_ok(docsis_seal(out.data, out.length, secret, 6, DOCSIS_MIC_EXTENDED, &sealed, &error) &&
           memcmp(sealed.data + out.length - 16, digest, 16) == 0, "explicit Extended CMTS MIC");
    tap_ok(docsis_verify(sealed.data, sealed.length, secret, 6, 0, &v, &error) &&
           v.cm_mic == DOCSIS_MIC_OK && v.cmts_mic == DOCSIS_MIC_OK &&
           v.extended_mic == DOCSIS_MIC_OK && !v.extended_implicit, "it verifies");
    sealed.length = 0;
    tap_ok(docsis_seal(out.data, out.length, secret, 6, 0, &sealed, &error) &&
           docsis_verify(sealed.data, sealed.length, secret, 6, 0, &v, &error) &&
           v.cmts_mic == DOCSIS_MIC_OK && v.extended_mic == DOCSIS_MIC_WRONG,
           "without the flag the digest stays as given");
    parse(EXTENDED_SETTINGS "} } }", NULL);
    sealed.length = 0;
    tap_ok(docsis_seal(out.data, out.length, secret, 6, DOCSIS_MIC_EXTENDED, &sealed, &error) &&
           memcmp(sealed.data + out.length + 20, implicit, 16) == 0, "implicit Extended CMTS MIC");
    tap_ok(docsis_verify(sealed.data, sealed.length, secret, 6, 0, &v, &error) &&
           v.cmts_mic == DOCSIS_MIC_OK && v.extended_mic == DOCSIS_MIC_OK && v.extended_implicit,
           "it verifies");
    tap_ok(docsis_verify(sealed.data, sealed.length, secret, 5, 0, &v, &error) &&
           v.cmts_mic == DOCSIS_MIC_WRONG && v.extended_mic == DOCSIS_MIC_WRONG,
           "with another secret it does not");
    free(sealed.data);
}

static void json_refused(const char *json, int column)
{
    bool ok;

    out.length = 0;
    ok = docsis_read_json(json, strlen(json), NULL, &out, &error);
    if (!tap_ok(!ok && error.line == 1 && error.column == column && out.length == 0,
                "refuse JSON %s", json))
        tap_note("%d:%d %s %s", error.line, error.column, error.message, error.detail);
}

static void json_bytes(const char *json, const char *expected)
{
    static char hex[1000];
    bool ok;

    out.length = 0;
    ok = docsis_read_json(json, strlen(json), NULL, &out, &error);
    to_hex(hex);
    if (!tap_ok(ok && strcmp(hex, expected) == 0, "JSON %s", json))
        tap_note("%s %s %s", hex, ok ? "" : error.message, ok ? "" : error.detail);
}

static void test_json(void)
{
    json_bytes("[]", "");
    json_bytes("[{\"v\":1,\"t\":\"3\"}]", "030101");
    json_bytes("[{\"n\":\"UsServiceFlow\",\"v\":[{\"t\":8,\"v\":5},{\"t\":\"24.6\",\"v\":7}]}]",
               "1809080400000005060107");
    json_bytes("[{\"t\":\"9\",\"v\":\"a\\u00e9\\ud83d\\ude00\\n\\\"\"}]", "090961c3a9f09f98800a22");
    json_bytes("[{\"t\":\"11\",\"v\":{\"name\":\"sysContact.0\","
               "\"type\":\"String\",\"value\":\"x\"}}]",
               "0b0f300d06082b06010201010400040178");
    json_bytes("[{\"t\":\"36\",\"v\":\"1.2.3.4,5.6.7.8\"},"
               "{\"t\":\"250\",\"hex\":\"00ff\"},{\"n\":\"EndOfDataMkr\"},{\"n\":\"Pad\",\"v\":2}]",
               "24080102030405060708fa0200ffff0000");
    json_refused("", 1);
    json_refused("[{\"t\":\"3\",\"v\":1}", 17);
    json_refused("[{\"t\":\"3\",\"v\":2}]", 15);
    json_refused("[{\"t\":\"3\",\"v\":1.5}]", 15);
    json_refused("[{\"t\":\"256\",\"hex\":\"\"}]", 7);
    json_refused("[{\"t\":\"24\",\"v\":[{\"t\":\"25.8\",\"v\":1}]}]", 22);
    json_refused("[{\"n\":\"NoSuch\",\"v\":1}]", 7);
    json_refused("[{\"t\":\"9\",\"v\":\"\\ud800\"}]", 16);
    json_refused("[{\"t\":\"250\",\"v\":1}]", 2);
}

static void test_buffers(void)
{
    uint8_t small[8];
    docsis_buffer fixed = {.data = small, .capacity = sizeof(small)};
    const char *text = "Main { NetworkAccess 1; SwUpgradeFilename \"abcdefgh\"; }";

    tap_ok(!docsis_parse_text(text, strlen(text), NULL, &fixed, &error) &&
           error.code == DOCSIS_NO_MEMORY && fixed.length == 0, "a full buffer of fixed size");
    tap_ok(docsis_parse_text("Main { MaxCPE 1; }", 18, NULL, &fixed, NULL) && fixed.length == 3,
           "a buffer of fixed size");
    tap_ok(!docsis_parse_text("x", 1, NULL, &fixed, NULL) && fixed.length == 3,
           "no error wanted; what was there stays");
}

int main(void)
{
    test_refusals();
    test_limits();
    test_own_forms();
    test_forms_beyond();
    test_labels();
    test_raised_limits();
    test_binding();
    test_oids();
    test_reading();
    test_seal();
    test_extended();
    test_json();
    test_buffers();
    free(out.data);
    return tap_done();
}

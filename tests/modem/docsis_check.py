"""What a cable modem and its CMTS check in a configuration file.

Independent of the codec on purpose: written from the DOCSIS specifications
(MULPI annex D for the file and both MICs, SECv3.0 for the extended CMTS MIC,
RFC 2104, X.690 for the varbinds). Raises ConfigError with a code a test can
compare and a text that says where.

    report = check(data, b"secret", address="10.1.0.5")
    report.rates["ds"], report.network_access, report.varbinds
"""

import dataclasses
import hashlib
import hmac
import ipaddress
import struct
import time

PAD, CM_MIC, CMTS_MIC, END = 0, 6, 7, 255
NETWORK_ACCESS, MAX_CPE, TIMESTAMP, PROVISIONED_ADDRESS, PROVISIONED_ADDRESS6 = 3, 18, 19, 20, 59
UPSTREAM_FLOW, DOWNSTREAM_FLOW, VENDOR, SNMP, SNMP_LONG = 24, 25, 43, 11, 64
MTA_DELIMITER = 254

# Order of the TLVs under the CMTS MIC; 59 takes the place of 20 in an IPv6 file.
CMTS_MIC_ORDER = (1, 2, 3, 4, 17, 43, 6, 18, 19, 20, 22, 23, 24, 25, 28, 29, 26, 35, 36, 37, 40)

SNMP_TAGS = {0x02: "Integer", 0x04: "String", 0x05: "Null", 0x06: "ObjectID", 0x40: "IPAddress",
             0x41: "Counter32", 0x42: "Gauge32", 0x43: "TimeTicks"}
EPOCH_1900 = 2208988800

# Where each PacketCable flow looks for the hash of an MTA's file (PROV1.5, TS 101 909, RFC 4682).
MTA_HASH = {"na": "1.3.6.1.4.1.4491.2.2.1.1.2.7.0", "eu": "1.3.6.1.4.1.7432.1.1.2.9.0",
            "ietf": "1.3.6.1.2.1.140.1.2.11.0"}


class ConfigError(Exception):
    """The file is refused. `code`: tlv, end, padding, mandatory, cm_mic, cmts_mic,
    extended_mic, length, varbind, address, timestamp, mta or mta_hash."""

    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code = code


@dataclasses.dataclass(frozen=True)
class Tlv:
    """One setting: its type, value, whole bytes and offset in the file."""

    type: int
    value: bytes
    whole: bytes
    offset: int


@dataclasses.dataclass
class Report:
    """What the file says. rates: {'us': [bit/s], 'ds': [bit/s]} of the service flows."""

    size: int
    tlvs: list
    network_access: int = None
    max_cpe: int = None
    rates: dict = dataclasses.field(default_factory=lambda: {"us": [], "ds": []})
    varbinds: list = dataclasses.field(default_factory=list)
    timestamp: int = None
    provisioned_address: str = None
    extended_mic: str = None

    def summary(self):
        """The same without the TLVs, for JSON."""
        return {"size": self.size, "network_access": self.network_access,
                "max_cpe": self.max_cpe, "rates": self.rates, "varbinds": len(self.varbinds),
                "tlvs": len(self.tlvs), "timestamp": self.timestamp,
                "provisioned_address": self.provisioned_address,
                "extended_mic": self.extended_mic}


# -- container ----------------------------------------------------------------

def walk(data, base=0, where="file", two_byte=()):
    """TLVs of a byte string without pads and end mark -> list of Tlv.

    base: offset of data[0] in the file; two_byte: types whose length has two bytes.
    """
    found = []
    at = 0
    while at < len(data):
        head = 3 if data[at] in two_byte else 2
        if at + head > len(data):
            raise ConfigError("tlv", f"{where}: type {data[at]} at offset {base + at} "
                                     "has no length")
        size = int.from_bytes(data[at + 1:at + head], "big")
        stop = at + head + size
        if stop > len(data):
            raise ConfigError("tlv", f"{where}: type {data[at]} at offset {base + at} has length "
                                     f"{size}, {len(data) - at - head} bytes are left")
        found.append(Tlv(data[at], data[at + head:stop], data[at:stop], base + at))
        at = stop
    return found


def split_end(data):
    """Finds the end mark by walking; checks the padding rule; returns the bytes before it."""
    at = 0
    while at < len(data) and data[at] != END:
        if data[at] == PAD:
            raise ConfigError("padding", f"pad byte at offset {at} before the end mark")
        if at + 1 >= len(data):
            raise ConfigError("tlv", f"type {data[at]} at offset {at} has no length")
        at += 2 + data[at + 1]
    if at >= len(data):
        raise ConfigError("end", f"no end mark (255) in {len(data)} bytes")
    rest = data[at + 1:]
    if rest.strip(b"\0"):
        raise ConfigError("padding", f"bytes other than 0 after the end mark at offset {at}")
    if len(data) % 4 or len(rest) > 3:
        raise ConfigError("padding", f"{len(rest)} pad bytes after the end mark at offset {at} "
                                     f"make {len(data)} bytes; the shortest multiple of 4 is due")
    return data[:at]


def sub(value, code):
    """Values of all sub-TLVs of type `code`."""
    return [tlv.value for tlv in walk(value, where=f"sub-TLVs looking for {code}")
            if tlv.type == code]


# -- MICs ---------------------------------------------------------------------

def cm_mic(body):
    """MD5 over all bytes before TLV 6."""
    return hashlib.md5(body).digest()


def cmts_mic(tlvs, secret):
    """HMAC-MD5 with the CMTS's secret over whole TLVs in the order of the specification."""
    types = {tlv.type for tlv in tlvs}
    order = [59 if code == 20 and 20 not in types and 59 in types else code
             for code in CMTS_MIC_ORDER]
    covered = b"".join(tlv.whole for code in order for tlv in tlvs if tlv.type == code)
    return hmac.new(secret, covered, hashlib.md5).digest()


def _bitmap_types(bitmap):
    return {8 * index + bit for index, byte in enumerate(bitmap) for bit in range(8)
            if byte & (0x80 >> bit)}


def extended_setting(tlvs):
    """(TLV 43, value of its 43.6) of an extended CMTS MIC, or None."""
    for tlv in tlvs:
        if tlv.type == VENDOR and sub(tlv.value, 8) == [b"\xff\xff\xff"]:
            found = sub(tlv.value, 6)
            if found:
                return tlv, found[0]
    return None


def extended_mic(tlvs, secret):
    """Digest of the extended CMTS MIC (HMAC-MD5) -> (digest, the explicit one or None)."""
    holder, setting = extended_setting(tlvs)
    kind, bitmap, explicit = (sub(setting, code) for code in (1, 2, 3))
    if kind != [b"\x01"] or len(bitmap) != 1:
        raise ConfigError("extended_mic", f"43.6 at offset {holder.offset}: only HMAC-MD5 with "
                                          "one bitmap is known here")
    types = _bitmap_types(bitmap[0])
    blank = holder.whole
    if explicit:
        blank = blank.replace(explicit[0], bytes(len(explicit[0])))
    covered = b"".join(blank if tlv is holder else tlv.whole
                       for tlv in tlvs if tlv.type in types)
    return hmac.new(secret, covered, hashlib.md5).digest(), explicit[0] if explicit else None


def _one(tlvs, code, what):
    found = [tlv for tlv in tlvs if tlv.type == code]
    if len(found) != 1:
        raise ConfigError("mandatory", f"{len(found)} times {what} (TLV {code}), one is due")
    return found[0]


def check_mics(body, tlvs, secret):
    """Verifies TLV 6 and 7 and, where used, the extended MIC; returns its form or None.

    secret: bytes of the CMTS; None leaves out what only the CMTS can check.
    """
    mic6, mic7 = _one(tlvs, CM_MIC, "CM MIC"), _one(tlvs, CMTS_MIC, "CMTS MIC")
    if [tlv.type for tlv in tlvs[-2:]] != [CM_MIC, CMTS_MIC]:
        raise ConfigError("mandatory", "CM MIC and CMTS MIC are not the last two TLVs")
    digest = cm_mic(body[:mic6.offset])
    if mic6.value != digest:
        raise ConfigError("cm_mic", f"CM MIC is {mic6.value.hex()}, the bytes give {digest.hex()}")
    return None if secret is None else _check_cmts_mic(tlvs, mic7, secret)


def _check_cmts_mic(tlvs, mic7, secret):
    form, digest = None, cmts_mic(tlvs, secret)
    if extended_setting(tlvs):
        extended, explicit = extended_mic(tlvs, secret)
        form = "implicit" if explicit is None else "explicit"
        if explicit is None:
            digest = extended
        elif explicit != extended:
            raise ConfigError("extended_mic", f"43.6.3 is {explicit.hex()}, "
                                              f"the TLVs give {extended.hex()}")
    if mic7.value != digest:
        raise ConfigError("cmts_mic", f"CMTS MIC is {mic7.value.hex()}, this CMTS's secret gives "
                                      f"{digest.hex()}")
    return form


# -- settings -----------------------------------------------------------------

def _number(tlv, size):
    if len(tlv.value) != size:
        raise ConfigError("length", f"TLV {tlv.type} at offset {tlv.offset} has "
                                    f"{len(tlv.value)} bytes, {size} are due")
    return int.from_bytes(tlv.value, "big")


def flow_rate(tlv):
    """Maximum sustained rate (sub-TLV 8) of a service flow in bit/s, or None."""
    values = sub(tlv.value, 8)
    if not values:
        return None
    if len(values) > 1 or len(values[0]) != 4:
        raise ConfigError("length", f"TLV {tlv.type}.8 of the flow at offset {tlv.offset} is not "
                                    "one value of 4 bytes")
    return struct.unpack("!I", values[0])[0]


def _ber(raw, at, where):
    """One BER element -> (tag, value, next offset)."""
    if at + 2 > len(raw):
        raise ConfigError("varbind", f"{where}: cut at byte {at}")
    tag, size, at = raw[at], raw[at + 1], at + 2
    if size & 0x80:
        count = size & 0x7f
        size, at = int.from_bytes(raw[at:at + count], "big"), at + count
    if at + size > len(raw):
        raise ConfigError("varbind", f"{where}: length {size} at byte {at} runs over the end")
    return tag, raw[at:at + size], at + size


def oid_text(raw):
    """BER object identifier -> dotted text."""
    arcs, value = [], 0
    for byte in raw:
        value = value << 7 | byte & 0x7f
        if not byte & 0x80:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2) if arcs else 0
    return ".".join(map(str, [first, arcs[0] - 40 * first, *arcs[1:]])) if arcs else ""


def varbind(raw, where):
    """Bytes of TLV 11 -> (oid, type name, value)."""
    tag, sequence, end = _ber(raw, 0, where)
    if tag != 0x30 or end != len(raw):
        raise ConfigError("varbind", f"{where}: not one SEQUENCE")
    tag, name, at = _ber(sequence, 0, where)
    kind, value, end = _ber(sequence, at, where)
    if tag != 0x06 or end != len(sequence):
        raise ConfigError("varbind", f"{where}: not an object identifier and one value")
    if kind in (0x02, 0x41, 0x42, 0x43):
        decoded = int.from_bytes(value, "big", signed=kind == 0x02)
    elif kind == 0x40:
        decoded = str(ipaddress.ip_address(value))
    else:
        decoded = oid_text(value) if kind == 0x06 else value
    return oid_text(name), SNMP_TAGS.get(kind, f"tag {kind:#x}"), decoded


def _read_settings(tlvs, report):
    for tlv in tlvs:
        where = f"TLV {tlv.type} at offset {tlv.offset}"
        if tlv.type == NETWORK_ACCESS:
            report.network_access = _number(tlv, 1)
        elif tlv.type == MAX_CPE:
            report.max_cpe = _number(tlv, 1)
        elif tlv.type == TIMESTAMP:
            report.timestamp = _number(tlv, 4)
        elif tlv.type == PROVISIONED_ADDRESS:
            report.provisioned_address = str(ipaddress.IPv4Address(_number(tlv, 4)))
        elif tlv.type == PROVISIONED_ADDRESS6:
            report.provisioned_address = str(ipaddress.IPv6Address(_number(tlv, 16)))
        elif tlv.type in (UPSTREAM_FLOW, DOWNSTREAM_FLOW):
            rate = flow_rate(tlv)
            if rate is not None:
                report.rates["us" if tlv.type == UPSTREAM_FLOW else "ds"].append(rate)
        elif tlv.type == SNMP:
            report.varbinds.append(varbind(tlv.value, where))


def _check_origin(report, address, now):
    """TLV 20 (IPv6: 59) must be the modem's own address, TLV 19 must be recent."""
    if address and report.provisioned_address not in (None, address):
        raise ConfigError("address", f"TLV 20 or 59 says {report.provisioned_address}, "
                                     f"this modem is {address}")
    if report.timestamp is not None:
        age = (now or time.time()) + EPOCH_1900 - report.timestamp
        if abs(age) > 60:
            raise ConfigError("timestamp", f"TLV 19 is {age:.0f} s old")


def check(data, secret, address=None, flows=True, now=None):
    """Checks a sealed CM file as modem and CMTS do; returns a Report or raises ConfigError.

    secret: the CMTS's shared secret as bytes or text (None: only what the modem can
    check); address: the modem's own; flows: demand an upstream and a downstream flow
    (or a DOCSIS 1.0 class of service, TLV 4).
    """
    key = secret.encode() if isinstance(secret, str) else secret
    body = split_end(data)
    tlvs = walk(body)
    report = Report(len(data), tlvs)
    report.extended_mic = check_mics(body, tlvs, key)
    _read_settings(tlvs, report)
    if report.network_access is None:
        raise ConfigError("mandatory", "NetworkAccess (TLV 3) is missing")
    types = {tlv.type for tlv in tlvs}
    if flows and 4 not in types and not {UPSTREAM_FLOW, DOWNSTREAM_FLOW} <= types:
        raise ConfigError("mandatory", "neither a class of service (TLV 4) nor both an upstream "
                                       "and a downstream service flow (24, 25)")
    _check_origin(report, address, now)
    return report


def check_mta_hash(data, tlvs, kind):
    """The file's SHA-1 without the object that holds it must be what that object says."""
    held = [(tlv, value) for tlv in tlvs if tlv.type == SNMP
            for oid, _, value in [varbind(tlv.value, f"TLV 11 at offset {tlv.offset}")]
            if oid == MTA_HASH[kind]]
    if len(held) != 1:
        raise ConfigError("mta_hash", f"{len(held)} times {MTA_HASH[kind]}, one is due")
    tlv, value = held[0]
    digest = hashlib.sha1(data[:tlv.offset] + data[tlv.offset + len(tlv.whole):]).digest()
    if value != digest:
        raise ConfigError("mta_hash", f"the hash is {value.hex()}, the bytes give {digest.hex()}")


def check_mta(data, hash_kind=None):
    """Checks a PacketCable MTA file: delimiters, TLVs 11 and 64, and the hash that the flow
    hash_kind (na, eu, ietf; None: none) demands; returns a Report."""
    tlvs = walk(data, two_byte=(SNMP_LONG,))
    delimiters = [(at, tlv.value) for at, tlv in enumerate(tlvs) if tlv.type == MTA_DELIMITER]
    if delimiters != [(0, b"\x01"), (len(tlvs) - 1, b"\xff")]:
        raise ConfigError("mta", "the file does not start with fe0101 and end with fe01ff")
    report = Report(len(data), tlvs)
    for tlv in tlvs:
        if tlv.type in (SNMP, SNMP_LONG):
            report.varbinds.append(varbind(tlv.value, f"TLV {tlv.type} at offset {tlv.offset}"))
    if hash_kind:
        check_mta_hash(data, tlvs, hash_kind)
    return report


# -- making files, for tests of the bed itself ---------------------------------

def seal(body, secret):
    """Settings -> file with both MICs, end mark and padding (for tests without the codec)."""
    key = secret.encode() if isinstance(secret, str) else secret
    body += bytes([CM_MIC, 16]) + cm_mic(body)
    body += bytes([CMTS_MIC, 16]) + cmts_mic(walk(body), key)
    body += bytes([END])
    return body + bytes(-len(body) % 4)


def make_tlv(code, value):
    """Bytes of one TLV."""
    return bytes([code, len(value)]) + value


def sample(ds_rate, us_rate, secret, max_cpe=2, network_access=1, filler=0):
    """A small valid CM file with one flow each way; `filler` adds about that many bytes."""
    def flow(code, reference, rate):
        return make_tlv(code, make_tlv(1, struct.pack("!H", reference)) + make_tlv(6, b"\x07")
                   + make_tlv(8, struct.pack("!I", rate)))
    body = make_tlv(NETWORK_ACCESS, bytes([network_access])) + make_tlv(MAX_CPE, bytes([max_cpe]))
    body += flow(UPSTREAM_FLOW, 1, us_rate) + flow(DOWNSTREAM_FLOW, 2, ds_rate)
    for _ in range(filler // 200):
        body += make_tlv(VENDOR, make_tlv(8, b"\x00\x00\x01") + make_tlv(200, bytes(range(193))))
    return seal(body, secret)

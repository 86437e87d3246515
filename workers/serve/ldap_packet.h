/*
 * ldap_packet.h: the subset of LDAP (RFC 4511) that ISC dhcpd's "ldap-method dynamic" speaks, read
 * and made with liblber. No input or output. Only built where lber.h is.
 */
#ifndef NMSP_LDAP_PACKET_H
#define NMSP_LDAP_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LDAP_MESSAGE_MAX 8192 /* longer ones are refused */
#define LDAP_TEXT_MAX 256

typedef enum ldap_kind {
    LDAP_BIND,
    LDAP_UNBIND,
    LDAP_ABANDON,
    LDAP_FIND_SERVER,  /* (&(objectClass=dhcpServer)(cn=...)) */
    LDAP_FIND_SERVICE, /* base read of the service */
    LDAP_FIND_HOST,    /* dhcpHWAddress */
    LDAP_FIND_CLASS,   /* dhcpSubClass */
    LDAP_FIND_NOTHING, /* any other search: no entries */
    LDAP_UNKNOWN       /* any other operation */
} ldap_kind;

typedef enum ldap_code {
    LDAP_CODE_SUCCESS = 0,
    LDAP_CODE_PROTOCOL = 2,
    LDAP_CODE_BUSY = 51,
    LDAP_CODE_UNAVAILABLE = 52
} ldap_code;

typedef struct ldap_message {
    int32_t id;
    ldap_kind kind;
    uint8_t operation; /* tag of the request */
    char base[LDAP_TEXT_MAX];
    char cn[LDAP_TEXT_MAX];         /* values of the filter; "" = not in it */
    char class_data[LDAP_TEXT_MAX]; /* dhcpClassData */
    char primary[LDAP_TEXT_MAX];    /* dhcpPrimaryDN */
    uint8_t mac[6];                 /* of dhcpHWAddress, or of cn for FIND_CLASS */
    bool has_mac;
} ldap_message;

/* An answer that grows; data is malloc'ed, failed: out of memory. */
typedef struct ldap_answer {
    char *data;
    size_t len, size;
    bool failed;
} ldap_answer;

/* Length of the message that begins at data: 0 = more bytes are needed, -1 = it is none. */
long ldap_frame(const uint8_t *data, size_t len);

/* Reads one whole message. Returns false when it is not well-formed. */
bool ldap_read(const uint8_t *data, size_t len, ldap_message *to);

/* One value of an attribute of an entry; several values of one attribute follow each other. */
typedef struct ldap_value {
    const char *attribute;
    const char *value;
    size_t len;
} ldap_value;

void ldap_add_entry(ldap_answer *a, int32_t id, const char *dn, const ldap_value *values, size_t n);
/* The end of an operation: of a search, or of the operation that operation stands for. */
void ldap_add_result(ldap_answer *a, int32_t id, uint8_t operation, ldap_code code);

#endif

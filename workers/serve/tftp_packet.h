/*
 * tftp_packet.h: TFTP packets, read and made. Pure: no input or output, no allocation.
 * RFC 1350 (protocol), 2347 (options), 2348 (blksize), 2349 (timeout, tsize), 7440 (windowsize).
 */
#ifndef NMSP_TFTP_PACKET_H
#define NMSP_TFTP_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TFTP_NAME_MAX 255
#define TFTP_OPTIONS_MAX 16   /* more of them: the packet is junk */
#define TFTP_REQUEST_MAX 1024 /* longest request that is read */
#define TFTP_OACK_MAX 128
#define TFTP_ERROR_MAX 128

typedef enum tftp_opcode {
    TFTP_RRQ = 1,
    TFTP_WRQ = 2,
    TFTP_DATA = 3,
    TFTP_ACK = 4,
    TFTP_ERROR = 5,
    TFTP_OACK = 6
} tftp_opcode;

typedef enum tftp_error_code {
    TFTP_UNDEFINED = 0,
    TFTP_NOT_FOUND = 1,
    TFTP_ACCESS = 2,
    TFTP_FULL = 3,
    TFTP_ILLEGAL = 4,
    TFTP_UNKNOWN_ID = 5
} tftp_error_code;

typedef enum tftp_mode { TFTP_OCTET, TFTP_NETASCII, TFTP_OTHER_MODE } tftp_mode;

/* What a request asks for; an option that is absent, or has no value it may have, is 0. */
typedef struct tftp_request {
    tftp_opcode opcode;           /* TFTP_RRQ or TFTP_WRQ */
    char name[TFTP_NAME_MAX + 1]; /* printable ASCII: other bytes as '?' */
    tftp_mode mode;
    bool tsize;
    uint32_t blksize;    /* 8 .. 65464 */
    uint32_t timeout;    /* 1 .. 255 seconds */
    uint32_t windowsize; /* 1 .. 65535 */
} tftp_request;

/* What the server grants, for the OACK; 0 = not mentioned. */
typedef struct tftp_grant {
    uint32_t blksize, timeout, windowsize;
    bool tsize;
    uint64_t size;
} tftp_grant;

/* Opcode of a packet, 0 when it is too short or of none. */
tftp_opcode tftp_packet_opcode(const uint8_t *packet, size_t len);

/* Reads RRQ or WRQ. Returns false when it is not well-formed. */
bool tftp_read_request(const uint8_t *packet, size_t len, tftp_request *to);

/* Block number of an ACK; -1 when it is none. */
int32_t tftp_read_ack(const uint8_t *packet, size_t len);

/* OACK with what was granted; returns its length, 0 when nothing was (no OACK then). */
size_t tftp_write_oack(uint8_t to[TFTP_OACK_MAX], const tftp_grant *grant);

size_t tftp_write_error(uint8_t to[TFTP_ERROR_MAX], tftp_error_code code, const char *message);

void tftp_write_data_header(uint8_t to[4], uint16_t block);

/* Bytes as netascii (RFC 764): LF -> CR LF, CR -> CR NUL. Returns the length; to may be NULL, and
 * else has room for it. */
size_t tftp_netascii(uint8_t *to, const uint8_t *from, size_t len);

#endif

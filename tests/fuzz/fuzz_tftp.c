/*
 * TFTP packets: whatever comes, reading stays inside the packet, and what a request says is within
 * the limits of the RFCs.
 */
#include "fuzz.h"

#include "workers/serve/tftp_packet.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1); /* a byte read behind the packet is seen */
    tftp_request request;
    uint8_t out[2 * 512];

    memcpy(exact, data, size);
    if (tftp_read_request(exact, size, &request)) {
        MUST(request.opcode == TFTP_RRQ || request.opcode == TFTP_WRQ);
        MUST(request.name[0] != '\0' && strlen(request.name) <= TFTP_NAME_MAX);
        for (const char *c = request.name; *c; c++)
            MUST(*c > 0x1f && *c < 0x7f);
        MUST(request.blksize == 0 || (request.blksize >= 8 && request.blksize <= 65464));
        MUST(request.timeout <= 255 && request.windowsize <= 65535);
    }
    if (tftp_read_ack(exact, size) >= 0)
        MUST(size >= 4 && exact[0] == 0 && exact[1] == TFTP_ACK);
    if (size <= 512) {
        size_t n = tftp_netascii(NULL, exact, size);

        MUST(n >= size && n <= 2 * size && tftp_netascii(out, exact, size) == n);
    }
    free(exact);
    return 0;
}

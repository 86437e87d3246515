/*
 * Lines of Kea's lease file: whatever stands there, reading stays inside the line, and what is read
 * lies inside its limits. The first line is the header.
 */
#include "fuzz.h"

#include "workers/serve/lease_line.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lease_columns columns = {0};
    bool known = false;

    while (size > 0) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t len = end ? (size_t)(end - data) : size;
        char *exact = malloc(len ? len : 1);
        lease_line l;

        memcpy(exact, data, len);
        if (!known) {
            known = lease_read_header(exact, len, &columns);
        } else if (lease_read_line(exact, len, &columns, &l)) {
            MUST(l.prefix_len > 0 && l.prefix_len <= (l.v6 ? 128 : 32) && l.starts <= l.ends);
            MUST(strlen(l.hostname) < LEASE_NAME_MAX && l.client_id >= exact &&
                 l.client_id + l.client_id_len <= exact + len);
            MUST(l.user_context == NULL || l.user_context + l.user_context_len <= exact + len);
        }
        free(exact);
        size -= end ? len + 1 : len;
        data += end ? len + 1 : len;
    }
    return 0;
}

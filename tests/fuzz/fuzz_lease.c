/*
 * Lease files of Kea, whose first line is the header, and of dhcpd: whatever stands there, reading
 * stays inside the line or block, and what is read lies inside its limits.
 */
#include "fuzz.h"

#include "workers/serve/lease_row.h"

static void
check_row(const lease_row *r)
{
    MUST(r->prefix_len > 0 && r->prefix_len <= (r->v6 ? 128 : 32) && r->starts <= r->ends);
    MUST(r->client_id_len <= LEASE_ID_MAX && r->remote_id_len <= LEASE_ID_MAX);
    MUST(memchr(r->hostname, '\0', sizeof(r->hostname)) != NULL);
    MUST(strstr("active released expired declined", r->state) != NULL);
}

/* As dhcpd's file: block by block, each in a piece of memory of exactly its size. */
static void
read_dhcpd(const uint8_t *data, size_t size)
{
    while (size > 0) {
        char *exact = malloc(size);
        bool is_lease;
        size_t n;

        memcpy(exact, data, size);
        n = lease_next_dhcpd(exact, size, &is_lease);
        free(exact);
        MUST(n <= size && (n > 0 || !is_lease));
        if (n == 0)
            return;
        if (is_lease) {
            lease_row row;
            char *block = malloc(n - 1);

            memcpy(block, data, n - 1);
            if (lease_read_dhcpd(block, n - 1, &row))
                check_row(&row);
            free(block);
        }
        data += n;
        size -= n;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lease_columns columns = {0};
    bool known = false;

    read_dhcpd(data, size);
    while (size > 0) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t len = end ? (size_t)(end - data) : size;
        char *exact = malloc(len ? len : 1);
        lease_line l;
        lease_row row;

        memcpy(exact, data, len);
        if (!known) {
            known = lease_read_header(exact, len, &columns);
        } else if (lease_read_line(exact, len, &columns, &l)) {
            MUST(l.prefix_len > 0 && l.prefix_len <= (l.v6 ? 128 : 32) && l.starts <= l.ends);
            MUST(strlen(l.hostname) < LEASE_NAME_MAX && l.client_id >= exact &&
                 l.client_id + l.client_id_len <= exact + len);
            MUST(l.user_context == NULL || l.user_context + l.user_context_len <= exact + len);
            MUST(lease_read_kea(exact, len, &columns, 1764000000, &row));
            check_row(&row);
        }
        free(exact);
        size -= end ? len + 1 : len;
        data += end ? len + 1 : len;
    }
    return 0;
}

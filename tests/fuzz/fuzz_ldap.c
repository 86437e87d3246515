/*
 * LDAP messages of the look-up: whatever comes, reading stays inside the message; a stream of them
 * never stands still; what is answered is a message itself.
 */
#include "fuzz.h"

#include "workers/serve/ldap_packet.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1);
    size_t at = 0;
    long n;

    memcpy(exact, data, size);
    while ((n = ldap_frame(exact + at, size - at)) > 0) {
        ldap_answer answer = {0};
        ldap_value values[3] = {
            {"a", "x", 1}, {"a", "y", 1}, {"b", (const char *)exact, size < 99 ? size : 99}};
        ldap_message m;
        uint8_t *one = malloc((size_t)n);

        MUST((size_t)n <= size - at && n <= LDAP_MESSAGE_MAX + 6);
        memcpy(one, exact + at, (size_t)n);
        if (ldap_read(one, (size_t)n, &m)) {
            MUST(m.id >= 0 && strlen(m.cn) < LDAP_TEXT_MAX && strlen(m.base) < LDAP_TEXT_MAX);
            ldap_add_entry(&answer, m.id, m.base, values, 3);
            MUST(!answer.failed &&
                 ldap_frame((uint8_t *)answer.data, answer.len) == (long)answer.len);
            ldap_add_result(&answer, m.id, m.operation, LDAP_CODE_SUCCESS);
            MUST(!answer.failed);
        }
        free(answer.data);
        free(one);
        at += (size_t)n;
    }
    free(exact);
    return 0;
}

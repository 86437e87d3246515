/*
 * Addresses as daemons write lists of them. In C because Kea's views call it several times per
 * packet: an SQL function with an aggregate starts an executor each time.
 */
#include "extension/pg/glue.h"

#include <sys/socket.h>

#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inet.h"

PG_FUNCTION_INFO_V1(nmsp_address_list);

/*
 * address_list(addresses inet[], version int) -> text: those of one IP version (4 or 6) without
 * their masks, "192.0.2.1, 192.0.2.2"; null when there is none.
 */
Datum
nmsp_address_list(PG_FUNCTION_ARGS)
{
    ArrayType *addresses = PG_GETARG_ARRAYTYPE_P(0);
    int family = PG_GETARG_INT32(1) == 4 ? PGSQL_AF_INET : PGSQL_AF_INET6;
    ArrayIterator iterator = array_create_iterator(addresses, 0, NULL);
    StringInfoData list;
    Datum value;
    bool null;

    initStringInfo(&list);
    while (array_iterate(iterator, &value, &null)) {
        if (null || ip_family(DatumGetInetPP(value)) != family)
            continue;
        if (list.len > 0)
            appendStringInfoString(&list, ", ");
        appendStringInfoString(&list, TextDatumGetCString(DirectFunctionCall1(network_host, value)));
    }
    array_free_iterator(iterator);
    if (list.len == 0)
        PG_RETURN_NULL();
    PG_RETURN_TEXT_P(cstring_to_text_with_len(list.data, list.len));
}

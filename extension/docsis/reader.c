/*
 * reader.c - walks the TLVs of a config. Never reads outside of it, whatever the
 * bytes are: each header is checked against the end of what holds it.
 *
 * A group whose contents are not a run of whole TLVs is not entered; it stays one
 * generic entry. So is everything behind the VendorIdentifier of another
 * organisation than CableLabs (ffffff), to the end of its group.
 */
#include "internal.h"

bool docsis_is_mta(const uint8_t *config, size_t length)
{
    return length > 0 && config[0] == DOCSIS_CODE_MTA;
}

static bool malformed(const uint8_t *config, size_t length, size_t position, docsis_error *error)
{
    uint8_t code = config[position];

    docsis_error_set(error, DOCSIS_MALFORMED, position, "malformed DOCSIS configuration");
    if (length - position < 2)
        docsis_error_detail(error, "TLV %d at offset %zu has no length: the input ends after %zu "
                            "bytes.", code, position, length);
    else
        docsis_error_detail(error, "TLV %d at offset %zu is longer than the input, which ends "
                            "after %zu bytes.", code, position, length);
    docsis_error_hint(error, "Is the file complete, and a modem's configuration file?");
    return false;
}

static bool bytes_after_end(const uint8_t *config, size_t position, docsis_error *error)
{
    docsis_error_set(error, DOCSIS_MALFORMED, position, "malformed DOCSIS configuration");
    docsis_error_detail(error, "Byte 0x%02x at offset %zu stands behind the end-of-data mark, "
                        "where only zeros are allowed.", config[position], position);
    return false;
}

bool docsis_check_top(const uint8_t *config, size_t length, bool long_64, docsis_error *error)
{
    size_t position = 0;
    size_t header, value_length;

    while (position < length) {
        if (!docsis_top_header(config, length, position, long_64, &header, &value_length))
            return malformed(config, length, position, error);
        if (config[position] == DOCSIS_CODE_EOD) {
            while (++position < length) {
                if (config[position] != 0)
                    return bytes_after_end(config, position, error);
            }
            return true;
        }
        position += header + value_length;
    }
    return true;
}

bool docsis_check(const uint8_t *config, size_t length, docsis_error *error)
{
    return docsis_check_top(config, length, docsis_is_mta(config, length), error);
}

/*
 * Header of a TLV inside a group; end = end of the group. False = does not fit.
 */
static bool inner_header(const uint8_t *config, size_t position, size_t end,
                         const docsis_symbol *symbol, size_t *header, size_t *value_length)
{
    if (symbol != NULL && symbol->type == DOCSIS_T_EOD) {
        *header = 1;
        *value_length = 0;
        return true;
    }
    *header = symbol != NULL && symbol->length_bytes == 2 ? 3 : 2;
    if (end - position < *header)
        return false;
    *value_length = *header == 3
                    ? (size_t) config[position + 1] << 8 | config[position + 2]
                    : config[position + 1];
    return *value_length <= end - position - *header;
}

/* Is [position, end) a run of whole TLVs of this group, and not empty? */
static bool is_run(const uint8_t *config, size_t position, size_t end, const docsis_symbol *group)
{
    size_t header, value_length;

    if (position == end)
        return false;
    while (position < end) {
        if (!inner_header(config, position, end, docsis_child(group, config[position]), &header,
                          &value_length))
            return false;
        position += header + value_length;
    }
    return true;
}

void docsis_cursor_init(docsis_cursor *cursor, const uint8_t *config, size_t length)
{
    memset(cursor, 0, sizeof(*cursor));
    cursor->config = config;
    cursor->length = length;
    cursor->is_mta = docsis_is_mta(config, length);
    cursor->frame[0].end = length;
}

/* Can the TLV be entered? A leaf type with members (83) is a group when its size says so. */
static bool is_group(const docsis_cursor *cursor, const docsis_tlv *tlv)
{
    const docsis_symbol *symbol = tlv->symbol;

    if (symbol == NULL || !docsis_may_nest(symbol) ||
        tlv->depth + 1 >= DOCSIS_MAX_DEPTH)
        return false;
    if (symbol->type != DOCSIS_T_GROUP && docsis_value_is_typed(tlv))
        return false;
    return is_run(cursor->config, tlv->offset + tlv->header_length,
                  tlv->offset + tlv->header_length + tlv->length, symbol);
}

static bool is_foreign_vendor(const docsis_tlv *tlv)
{
    static const uint8_t cablelabs[3] = {0xff, 0xff, 0xff};

    return tlv->symbol != NULL && tlv->symbol->is_vendor_id &&
           (tlv->length != 3 || memcmp(tlv->value, cablelabs, 3) != 0);
}

int docsis_cursor_next(docsis_cursor *cursor, docsis_tlv *tlv, docsis_error *error)
{
    size_t header, value_length;
    const docsis_symbol *symbol;
    int depth;
    size_t position = cursor->position;

    while (cursor->depth > 0 && position >= cursor->frame[cursor->depth].end)
        cursor->depth--;
    depth = cursor->depth;
    if (position >= cursor->length)
        return 0;
    symbol = cursor->frame[depth].generic
             ? NULL : docsis_child(cursor->frame[depth].symbol, cursor->config[position]);
    if (depth == 0) {
        if (cursor->ended && cursor->config[position] != 0) {
            bytes_after_end(cursor->config, position, error);
            return -1;
        }
        if (!docsis_top_header(cursor->config, cursor->length, position, cursor->is_mta, &header,
                               &value_length)) {
            malformed(cursor->config, cursor->length, position, error);
            return -1;
        }
        if (cursor->config[position] == DOCSIS_CODE_EOD)
            cursor->ended = true;
        if (cursor->is_mta && cursor->config[position] == DOCSIS_CODE_LONG)
            symbol = docsis_child(NULL, DOCSIS_CODE_VARBIND);
    } else if (!inner_header(cursor->config, position, cursor->frame[depth].end, symbol, &header,
                             &value_length)) {
        malformed(cursor->config, cursor->length, position, error);
        return -1;
    }
    if (depth > 0)
        memcpy(tlv->path, cursor->path, sizeof(tlv->path));
    cursor->path[depth] = cursor->config[position];
    tlv->path[depth] = cursor->config[position];
    tlv->symbol = symbol;
    tlv->code = cursor->config[position];
    tlv->header_length = (uint8_t) header;
    tlv->depth = (uint8_t) depth;
    tlv->generic = cursor->frame[depth].generic;
    tlv->is_group = false;
    tlv->offset = position;
    tlv->length = value_length;
    tlv->value = cursor->config + position + header;
    cursor->position = position + header + value_length;
    if (is_group(cursor, tlv)) {
        tlv->is_group = true;
        cursor->depth = depth + 1;
        cursor->frame[depth + 1].end = cursor->position;
        cursor->frame[depth + 1].symbol = symbol;
        cursor->frame[depth + 1].generic = false;
        cursor->position = position + header;
    } else if (depth > 0 && is_foreign_vendor(tlv)) {
        cursor->frame[depth].generic = true;
    }
    return 1;
}

void docsis_cursor_skip(docsis_cursor *cursor, const docsis_tlv *tlv)
{
    if (tlv->is_group && cursor->depth > tlv->depth) {
        cursor->depth = tlv->depth;
        cursor->position = tlv->offset + tlv->header_length + tlv->length;
    }
}

int docsis_tlv_path(const docsis_tlv *tlv, char *path, size_t size)
{
    docsis_buffer out = {.data = (uint8_t *) path, .capacity = size > 0 ? size - 1 : 0};

    for (int i = 0; i <= tlv->depth; i++) {
        if (i > 0)
            docsis_put(&out, '.');
        docsis_put_uint(&out, tlv->path[i]);
    }
    if (size > 0)
        path[out.length] = '\0';
    return (int) out.length;
}

bool docsis_tlv_value(const docsis_tlv *tlv, const docsis_text_options *options,
                      docsis_buffer *out, docsis_error *error)
{
    static const docsis_text_options defaults;
    bool ok = true;

    if (tlv->is_group)
        return true;
    if (docsis_value_is_typed(tlv))
        ok = docsis_put_value(out, tlv, options != NULL ? options : &defaults);
    else if (tlv->header_length > 1)
        ok = docsis_put_text(out, "0x") && docsis_put_hex(out, tlv->value, tlv->length);
    return ok || docsis_error_memory(error);
}

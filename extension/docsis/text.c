/*
 * text.c - config -> text, in two styles.
 *
 * NATIVE reads back to the same bytes. DOCSIS has the layout of the docsis tool's
 * decoder, with its losses: MICs, end mark and padding are comments.
 */
#include "internal.h"

typedef struct text_writer {
    docsis_buffer *out;
    const docsis_text_options *options;
    bool native;
    int base;          /* depth of the top level's indentation */
    int depth;         /* groups open */
    size_t pads;       /* Pad bytes seen and not yet printed */
    bool ended;        /* end mark seen: DOCSIS style counts its Pads in its own way */
} text_writer;

static bool indent(text_writer *w, int depth)
{
    for (int i = 0; i < depth + w->base; i++) {
        if (!docsis_put_text(w->out, w->native ? "    " : "\t"))
            return false;
    }
    return true;
}

/* ---- native ----------------------------------------------------------------- */

static bool put_comment(text_writer *w, const char *text)
{
    return text == NULL || (docsis_put_text(w->out, " /* ") && docsis_put_text(w->out, text) &&
                            docsis_put_text(w->out, " */"));
}

static bool native_generic(text_writer *w, const docsis_tlv *tlv)
{
    docsis_buffer *out = w->out;

    return docsis_put_text(out, "GenericTLV TlvCode ") && docsis_put_uint(out, tlv->code) &&
           docsis_put_text(out, " TlvLength ") && docsis_put_uint(out, tlv->length) &&
           docsis_put_text(out, " TlvValue 0x") && docsis_put_hex(out, tlv->value, tlv->length) &&
           docsis_put(out, ';') &&
           put_comment(w, tlv->symbol != NULL ? tlv->symbol->name : NULL) &&
           docsis_put(out, '\n');
}

/* Label of an object that is written numerically since other MIBs use its name too. */
static const char *ambiguous_label(const docsis_varbind *vb)
{
    return vb->node != NULL && vb->node->ambiguous ? vb->node->label : NULL;
}

static bool native_varbind(text_writer *w, const docsis_tlv *tlv)
{
    docsis_varbind vb;
    const char *label;

    return docsis_varbind_read(tlv->value, tlv->length, &vb) &&
           docsis_put_varbind_text(w->out, &vb, w->options, &label) && docsis_put(w->out, ';') &&
           put_comment(w, ambiguous_label(&vb)) && put_comment(w, label) &&
           docsis_put(w->out, '\n');
}

static bool native_pads(text_writer *w)
{
    size_t pads = w->pads;

    w->pads = 0;
    if (pads == 0)
        return true;
    while (pads > 0) {
        size_t now = pads < 65535 ? pads : 65535;

        if (!indent(w, 0) || !docsis_put_text(w->out, "Pad"))
            return false;
        if (now > 1 && (!docsis_put(w->out, ' ') || !docsis_put_uint(w->out, now)))
            return false;
        if (!docsis_put_text(w->out, ";\n"))
            return false;
        pads -= now;
    }
    return true;
}

static bool native_tlv(text_writer *w, const docsis_tlv *tlv)
{
    const docsis_symbol *symbol = tlv->symbol;

    if (!indent(w, tlv->depth))
        return false;
    if (tlv->is_group)
        return docsis_put_text(w->out, symbol->name) && docsis_put_text(w->out, " {\n");
    if (!docsis_value_is_typed(tlv))
        return native_generic(w, tlv);
    if (!docsis_put_text(w->out, symbol->name))
        return false;
    if (symbol->type == DOCSIS_T_EOD)
        return docsis_put_text(w->out, ";\n");
    if (!docsis_put(w->out, ' '))
        return false;
    if (symbol->type == DOCSIS_T_VARBIND)
        return native_varbind(w, tlv);
    return docsis_put_value(w->out, tlv, w->options) && docsis_put_text(w->out, ";\n");
}

/* ---- the docsis tool's layout ------------------------------------------------ */

static bool printable(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] < 32 || bytes[i] > 126)
            return false;
    }
    return true;
}

static bool tool_generic(text_writer *w, const docsis_tlv *tlv)
{
    docsis_buffer *out = w->out;
    size_t n = tlv->length;
    bool zero = n > 1 && tlv->value[n - 1] == 0;

    if (!docsis_put_text(out, "GenericTLV TlvCode ") || !docsis_put_uint(out, tlv->code))
        return false;
    if (n > 1 && printable(tlv->value, zero ? n - 1 : n))
        return docsis_put_text(out, zero ? " TlvStringZero \"" : " TlvString \"") &&
               docsis_put_bytes(out, tlv->value, zero ? n - 1 : n) &&
               docsis_put_text(out, "\"; /* tlv length = ") && docsis_put_uint(out, n) &&
               docsis_put_text(out, " */\n");
    return docsis_put_text(out, " TlvLength ") && docsis_put_uint(out, n) &&
           docsis_put_text(out, " TlvValue 0x") && docsis_put_hex(out, tlv->value, n) &&
           docsis_put_text(out, ";\n");
}

static bool tool_varbind(text_writer *w, const docsis_tlv *tlv)
{
    docsis_varbind vb;
    const char *label;

    if (!docsis_varbind_read(tlv->value, tlv->length, &vb))
        return tool_generic(w, tlv);
    return docsis_put_text(w->out, "SnmpMibObject ") &&
           docsis_put_varbind_text(w->out, &vb, w->options, &label) && docsis_put(w->out, ';') &&
           put_comment(w, label) && docsis_put(w->out, '\n');
}

/* A TLV that the docsis tool's table lacks: a name would not read back there. */
static bool is_unknown_to_tool(const docsis_symbol *symbol)
{
    return symbol->tool_name != NULL && symbol->tool_name[0] == '\0';
}

/*
 * Sizes that the tool reads although they are not those of the type: the first
 * byte of a number, strings with a zero inside, any number of list items.
 */
static bool tool_can_print(const docsis_tlv *tlv, docsis_tlv *shown)
{
    *shown = *tlv;
    if (tlv->symbol == NULL || tlv->generic || is_unknown_to_tool(tlv->symbol))
        return false;
    switch ((docsis_type) tlv->symbol->type) {
        case DOCSIS_T_U8:
            shown->length = 1;
            return tlv->length >= 1;
        case DOCSIS_T_U16:
            return tlv->length == 2;
        case DOCSIS_T_U24:
            return tlv->length == 3;
        case DOCSIS_T_U32:
            return tlv->length == 4;
        case DOCSIS_T_STR:
        case DOCSIS_T_STRZ:
        case DOCSIS_T_HEX:
            return true;
        case DOCSIS_T_U8_LIST:
            return tlv->length > 0;
        case DOCSIS_T_U16_LIST:
            return tlv->length > 0 && tlv->length % 2 == 0;
        default:
            return docsis_value_is_typed(tlv);
    }
}

static bool tool_mic(text_writer *w, const docsis_tlv *tlv)
{
    return docsis_put_text(w->out, "/* ") && docsis_put_text(w->out, tlv->symbol->name) &&
           docsis_put(w->out, ' ') && docsis_put_hex(w->out, tlv->value, tlv->length) &&
           docsis_put_text(w->out, "; */\n");
}

static const char *tool_name(const docsis_symbol *symbol)
{
    return symbol->tool_name != NULL ? symbol->tool_name : symbol->name;
}

static bool tool_tlv(text_writer *w, const docsis_tlv *tlv)
{
    const docsis_symbol *symbol = tlv->symbol;
    docsis_tlv shown;

    if (!indent(w, tlv->depth))
        return false;
    if (tlv->is_group)
        return docsis_put_text(w->out, tool_name(symbol)) && docsis_put(w->out, '\n') &&
               indent(w, tlv->depth) && docsis_put_text(w->out, "{\n");
    if (symbol != NULL && symbol->type == DOCSIS_T_GROUP && tlv->length == 0 &&
        !is_unknown_to_tool(symbol))
        return docsis_put_text(w->out, tool_name(symbol)) && docsis_put(w->out, '\n') &&
               indent(w, tlv->depth) && docsis_put_text(w->out, "{\n") &&
               indent(w, tlv->depth) && docsis_put_text(w->out, "}\n");
    if (symbol != NULL && !tlv->generic && symbol->type == DOCSIS_T_VARBIND &&
        !is_unknown_to_tool(symbol))
        return tool_varbind(w, tlv);
    if (!tool_can_print(tlv, &shown))
        return tool_generic(w, tlv);
    if (symbol->type == DOCSIS_T_MD5)
        return tool_mic(w, tlv);
    if (symbol->type == DOCSIS_T_EOD)
        return docsis_put_text(w->out, "/*EndOfDataMkr*/\n");
    return docsis_put_text(w->out, tool_name(symbol)) && docsis_put(w->out, ' ') &&
           docsis_put_value(w->out, &shown, w->options) && docsis_put_text(w->out, ";\n");
}

/*
 * The tool reads the end mark and Pads as TLVs of two bytes, so behind the end
 * mark one Pad line stands for two zeros, and the first zero belongs to the mark.
 */
static bool tool_pads(text_writer *w)
{
    size_t lines = w->ended ? w->pads / 2 : w->pads;

    w->pads = 0;
    while (lines-- > 0) {
        if (!indent(w, 0) || !docsis_put_text(w->out, "/* Pad */\n"))
            return false;
    }
    return true;
}

/* ---- both -------------------------------------------------------------------- */

static bool close_groups(text_writer *w, int depth)
{
    while (w->depth > depth) {
        w->depth--;
        if (!indent(w, w->depth) || !docsis_put_text(w->out, "}\n"))
            return false;
    }
    return true;
}

static bool write_tlv(text_writer *w, const docsis_tlv *tlv)
{
    if (!close_groups(w, tlv->depth))
        return false;
    if (tlv->depth == 0 && tlv->code == 0) {
        w->pads++;
        return true;
    }
    if (w->pads > 0 && !(w->native ? native_pads(w) : tool_pads(w)))
        return false;
    if (tlv->depth == 0 && tlv->code == DOCSIS_CODE_EOD)
        w->ended = true;
    if (tlv->is_group)
        w->depth = tlv->depth + 1;
    return w->native ? native_tlv(w, tlv) : tool_tlv(w, tlv);
}

bool docsis_write_text(const uint8_t *config, size_t length, const docsis_text_options *options,
                       docsis_buffer *out, docsis_error *error)
{
    static const docsis_text_options defaults;
    docsis_cursor cursor;
    docsis_tlv tlv;
    size_t start = out->length;
    text_writer w = {.out = out, .options = options != NULL ? options : &defaults};
    bool ok = true;
    int next = 0;

    w.native = w.options->style == DOCSIS_STYLE_NATIVE;
    w.base = w.options->body_only ? 0 : 1;
    if (!w.options->body_only)
        ok = docsis_put_text(out, w.native ? "Main {\n" : "Main \n{\n");
    if (ok && length == 0 && w.native)
        ok = indent(&w, 0) && docsis_put_text(out, "Pad 0;\n");
    docsis_cursor_init(&cursor, config, length);
    while (ok && (next = docsis_cursor_next(&cursor, &tlv, error)) > 0) {
        if (tlv.is_group && !w.native && is_unknown_to_tool(tlv.symbol)) {
            docsis_cursor_skip(&cursor, &tlv);
            tlv.is_group = false;
        }
        ok = write_tlv(&w, &tlv);
    }
    if (ok && next == 0)
        ok = close_groups(&w, 0) && (w.native ? native_pads(&w) : tool_pads(&w)) &&
             (w.options->body_only || docsis_put_text(out, "}\n"));
    if (ok && next == 0)
        return true;
    out->length = start;
    return next < 0 ? false : docsis_error_memory(error);
}

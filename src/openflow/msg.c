/* msg - see the header; messages.def is the list. */
#include "openflow/msg.h"
#include <string.h>

enum kind { TYPE, REQ, REPLY, NX, NX_REQ, NX_REPLY, ONF, ONF_REQ, ONF_REPLY };
enum { VENDOR_NX = 0x2320, VENDOR_ONF = 0x4f4e4600, EXPERIMENTER = 4, STATS_EXPERIMENTER = 0xffff };

static const struct row {
    enum of_msg msg;
    const char *name;
    enum kind kind;
    uint16_t number;
    uint8_t first, last;
} rows[] = {
#define MSG_ID(ID)
#define MSG(ID, NAME, KIND, NUMBER, FIRST, LAST) {OFMSG_##ID, NAME, KIND, NUMBER, FIRST, LAST},
#include "openflow/messages.def"
};

bool
of_header_get(const void *msg, size_t len, struct of_header *h)
{
    struct cursor c = cursor_of(msg, len);
    h->version = cur_u8(&c);
    h->type = cur_u8(&c);
    h->len = cur_be16(&c);
    h->xid = cur_be32(&c);
    return !c.bad;
}

static const struct row *
find(enum kind kind, uint32_t number, enum of_version v)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].kind == kind && rows[i].number == number && rows[i].first <= v && v <= rows[i].last)
            return &rows[i];
    return NULL;
}

static const struct row *
find_msg(enum of_msg msg, enum of_version v, bool nx)
{
    const struct row *other = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct row *r = &rows[i];
        if (r->msg != msg || v < r->first || v > r->last)
            continue;
        if ((r->kind >= NX) == nx)
            return r;
        other = r;
    }
    return other;
}

/* The type by which multiparts go: 16 and 17 in 1.0, 18 and 19 later. */
static uint8_t
multipart_type(enum of_version v, bool reply)
{
    return (v == OF10 ? 16 : 18) + reply;
}

static enum of_error
identify_multipart(struct cursor *c, bool reply, struct of_msg_info *info, const struct row **row)
{
    uint16_t type = cur_be16(c);
    info->flags = cur_be16(c);
    cur_skip(c, info->version == OF10 ? 0 : 4);
    enum kind kind = reply ? REPLY : REQ;
    uint32_t number = type;
    if (type == STATS_EXPERIMENTER) {
        uint32_t vendor = cur_be32(c);
        number = cur_be32(c);
        cur_skip(c, info->version == OF10 && vendor == VENDOR_NX ? 4 : 0);
        if (!c->bad && vendor != VENDOR_NX && vendor != VENDOR_ONF)
            return OFERR_OFPBRC_BAD_VENDOR;
        kind = vendor == VENDOR_NX ? (reply ? NX_REPLY : NX_REQ) : (reply ? ONF_REPLY : ONF_REQ);
    }
    if (c->bad)
        return OFERR_OFPBRC_BAD_LEN;
    *row = find(kind, number, info->version);
    return *row ? OFERR_OK : kind >= NX ? OFERR_OFPBRC_BAD_SUBTYPE : OFERR_OFPBRC_BAD_STAT;
}

static enum of_error
identify_vendor(struct cursor *c, struct of_msg_info *info, const struct row **row)
{
    uint32_t vendor = cur_be32(c), number = cur_be32(c);
    if (c->bad)
        return OFERR_OFPBRC_BAD_LEN;
    if (vendor != VENDOR_NX && vendor != VENDOR_ONF)
        return OFERR_OFPBRC_BAD_VENDOR;
    *row = find(vendor == VENDOR_NX ? NX : ONF, number, info->version);
    return *row ? OFERR_OK : OFERR_OFPBRC_BAD_SUBTYPE;
}

enum of_error
of_msg_identify(const void *msg, size_t len, struct of_msg_info *info)
{
    struct of_header h;
    if (!of_header_get(msg, len, &h) || h.len != len)
        return OFERR_OFPBRC_BAD_LEN;
    *info = (struct of_msg_info){.version = h.version, .xid = h.xid, .body = cursor_of(msg, len)};
    cur_skip(&info->body, OF_HEADER_LEN);
    /* Hello, error and echo are the same in every version, those to come included. */
    if (h.version < OF10 || (h.version >= OF_N && h.type > 3))
        return OFERR_OFPBRC_BAD_VERSION;
    if (h.version >= OF_N)
        info->version = OF_N - 1;

    const struct row *row = NULL;
    enum of_error err = OFERR_OK;
    if (h.type == multipart_type(info->version, false))
        err = identify_multipart(&info->body, false, info, &row);
    else if (h.type == multipart_type(info->version, true))
        err = identify_multipart(&info->body, true, info, &row);
    else if (h.type == EXPERIMENTER)
        err = identify_vendor(&info->body, info, &row);
    else if (!(row = find(TYPE, h.type, info->version)))
        err = OFERR_OFPBRC_BAD_TYPE;
    if (err)
        return err;
    info->msg = row->msg;
    info->is_nx = row->kind >= NX;
    return OFERR_OK;
}

const char *
of_msg_name(enum of_msg msg, enum of_version v)
{
    const struct row *r = find_msg(msg, v, false);
    return r ? r->name : "unknown message";
}

bool
of_msg_exists(enum of_msg msg, enum of_version v)
{
    return find_msg(msg, v, false) != NULL;
}

size_t
of_msg_start(struct text *out, enum of_msg msg, enum of_version v, uint32_t xid, bool nx)
{
    const struct row *r = find_msg(msg, v, nx);
    ASSERT(r);
    bool multipart = r->kind == REQ || r->kind == REPLY || r->kind == NX_REQ || r->kind == NX_REPLY ||
                     r->kind == ONF_REQ || r->kind == ONF_REPLY;
    bool reply = r->kind == REPLY || r->kind == NX_REPLY || r->kind == ONF_REPLY;
    uint32_t vendor = r->kind >= ONF ? VENDOR_ONF : VENDOR_NX;
    size_t start = out->len;
    of_put(out, v, 1);
    of_put(out, multipart ? multipart_type(v, reply) : r->kind == TYPE ? r->number : EXPERIMENTER, 1);
    of_put(out, 0, 2);
    of_put(out, xid, 4);
    if (multipart) {
        of_put(out, r->kind >= NX ? STATS_EXPERIMENTER : r->number, 2);
        of_put(out, 0, 2);
        of_put_zeros(out, v == OF10 ? 0 : 4);
    }
    if (r->kind >= NX) {
        of_put(out, vendor, 4);
        of_put(out, r->number, 4);
        of_put_zeros(out, multipart && v == OF10 && vendor == VENDOR_NX ? 4 : 0);
    }
    return start;
}

void
of_msg_finish(struct text *out, size_t start)
{
    ASSERT(out->len - start <= OF_MAX_LEN);
    store_be16(out->s + start + 2, out->len - start);
}

void
of_put_string(struct text *out, const char *s, size_t room)
{
    size_t n = strnlen(s, room - 1);
    text_addn(out, s, n);
    of_put_zeros(out, room - n);
}

/* ---- multiparts ---- */

static void
multi_open(struct of_multi *m)
{
    m->start = of_msg_start(m->out, m->msg, m->version, m->xid, m->nx);
    m->body = m->out->len;
}

struct of_multi
of_multi_begin(struct text *out, enum of_msg msg, enum of_version v, uint32_t xid, bool nx)
{
    struct of_multi m = {.out = out, .msg = msg, .version = v, .xid = xid, .nx = nx};
    multi_open(&m);
    return m;
}

size_t
of_multi_entry(struct of_multi *m)
{
    return m->out->len;
}

void
of_multi_entry_done(struct of_multi *m, size_t at)
{
    if (m->out->len - m->start <= OF_MAX_LEN || at == m->body)
        return;
    /* It does not fit: the entry moves into a message of its own, and this one says that more comes. */
    size_t n = m->out->len - at;
    AUTO_TEXT struct text entry = TEXT_INIT;
    text_addn(&entry, m->out->s + at, n);
    text_cut(m->out, at);
    store_be16(m->out->s + m->start + OF_HEADER_LEN + 2, 1);
    of_msg_finish(m->out, m->start);
    multi_open(m);
    text_addn(m->out, entry.s, n);
}

void
of_multi_end(struct of_multi *m)
{
    of_msg_finish(m->out, m->start);
}

/* flow - see the header.
 *
 * 1.0 has its 40-byte match and a command without a table; who needs more sends Nicira's form of the same message, and is answered in it.  1.1 to 1.5 share
 * one shape but for a few words (importance from 1.4, statistics as OXS from 1.5).
 */
#include "openflow/flow.h"
#include "openflow/wire_match.h"

/* ---- flow_mod ---- */

static uint32_t
port16(uint16_t p)
{
    return p >= 0xff00 ? p | 0xffff0000u : p;
}

static uint16_t
flags_from_10(uint16_t f)
{
    return (f & (FLOW_SEND_REMOVED | FLOW_CHECK_OVERLAP)) | (f & 4 ? FLOW_EMERGENCY : 0);
}

static enum of_error
set_command(struct flow_mod *fm, uint16_t command, enum of_version v)
{
    if (command > FLOW_DELETE_STRICT)
        return OFERR_OFPFMFC_BAD_COMMAND;
    fm->command = command;
    return OFERR_OK;
}

static enum of_error
decode_10(const struct of_msg_info *info, bool with_table, struct flow_mod *fm, struct oa_list *actions)
{
    struct cursor c = info->body;
    enum of_error err = info->is_nx ? OFERR_OK : of10_match_get(&c, &fm->match);
    if (err)
        return err;
    uint64_t cookie = cur_be64(&c);
    uint16_t command = cur_be16(&c);
    fm->idle_timeout = cur_be16(&c);
    fm->hard_timeout = cur_be16(&c);
    fm->priority = cur_be16(&c);
    fm->buffer_id = cur_be32(&c);
    fm->out_port = port16(cur_be16(&c));
    uint16_t flags = cur_be16(&c);
    uint64_t match_cookie = 0, match_cookie_mask = 0;
    if (info->is_nx) {
        uint16_t match_len = cur_be16(&c);
        cur_skip(&c, 6);
        err = nx_match_get(&c, match_len, false, &fm->match, &match_cookie, &match_cookie_mask);
        if (err)
            return err;
    }
    if (c.bad)
        return OFERR_OFPBRC_BAD_LEN;
    fm->table = with_table ? command >> 8 : OF_TABLE_ALL;
    err = set_command(fm, with_table ? command & 0xff : command, OF10);
    if (err)
        return err;
    fm->cookie = match_cookie;
    fm->cookie_mask = match_cookie_mask;
    if (fm->command == FLOW_ADD) {
        if (match_cookie_mask)
            return OFERR_NXBRC_NXM_INVALID;
        fm->new_cookie = cookie;
    } else if (fm->command == FLOW_MODIFY || fm->command == FLOW_MODIFY_STRICT) {
        fm->new_cookie = cookie;
        fm->modify_cookie = cookie != UINT64_MAX;
    }
    /* "Delete" of 1.0 alone looks at out_port. */
    if (fm->command < FLOW_DELETE)
        fm->out_port = OF_PORT_ANY;
    fm->flags = flags_from_10(flags);
    if (flags & ~(info->is_nx ? 0x3f : 7))
        return OFERR_OFPFMFC_BAD_FLAGS;
    if (fm->flags & FLOW_EMERGENCY)
        return fm->idle_timeout || fm->hard_timeout ? OFERR_OFPFMFC_BAD_EMERG_TIMEOUT : OFERR_OFPFMFC_TABLE_FULL;
    return oa_decode_actions(&c, OF10, actions);
}

static enum of_error
decode_11(const struct of_msg_info *info, struct flow_mod *fm, struct oa_list *actions)
{
    struct cursor c = info->body;
    uint64_t cookie = cur_be64(&c), mask = cur_be64(&c);
    fm->table = cur_u8(&c);
    uint8_t command = cur_u8(&c);
    fm->idle_timeout = cur_be16(&c);
    fm->hard_timeout = cur_be16(&c);
    fm->priority = cur_be16(&c);
    fm->buffer_id = cur_be32(&c);
    fm->out_port = cur_be32(&c);
    fm->out_group = cur_be32(&c);
    uint16_t flags = cur_be16(&c);
    fm->importance = cur_be16(&c);
    if (info->version < OF14)
        fm->importance = 0;
    if (c.bad)
        return OFERR_OFPBRC_BAD_LEN;
    enum of_error err = set_command(fm, command, info->version);
    if (!err)
        err = of_match_get(&c, info->version, false, &fm->match);
    if (err)
        return err;
    bool modify = fm->command == FLOW_MODIFY || fm->command == FLOW_MODIFY_STRICT;
    if (fm->command == FLOW_ADD || (info->version == OF11 && modify && !mask)) {
        fm->new_cookie = cookie;
        fm->modify_cookie = modify && cookie != UINT64_MAX;
        fm->cookie = fm->cookie_mask = 0;
    } else {
        fm->cookie = cookie & mask;
        fm->cookie_mask = mask;
        fm->new_cookie = UINT64_MAX;
    }
    if (fm->command < FLOW_DELETE) {
        fm->out_port = OF_PORT_ANY;
        fm->out_group = OF_GROUP_ANY;
    }
    static const uint16_t known[OF_N] = {[OF11] = 3, [OF12] = 7, [OF13] = 31, [OF14] = 31, [OF15] = 31};
    if (flags & ~known[info->version])
        return OFERR_OFPFMFC_BAD_FLAGS;
    fm->flags = flags;
    /* Before 1.2, to write over a rule resets its counters; so it is in 1.0. */
    return oa_decode_instructions(&c, info->version, actions);
}

enum of_error
flow_mod_decode(const struct of_msg_info *info, bool with_table, struct flow_mod *out, struct oa_list *actions)
{
    struct flow_mod fm = {.out_port = OF_PORT_ANY, .out_group = OF_GROUP_ANY, .buffer_id = UINT32_MAX};
    size_t before = actions->len;
    bool old = info->version == OF10 || info->is_nx;
    enum of_error err = old ? decode_10(info, with_table, &fm, actions) : decode_11(info, &fm, actions);
    if (err) {
        actions->len = before;
        return err;
    }
    if (fm.command >= FLOW_DELETE)
        actions->len = before; /* a deletion's actions mean nothing */
    *out = fm;
    out->actions = actions->bytes ? actions->bytes + before : NULL;
    out->actions_len = actions->len - before;
    return OFERR_OK;
}

void
flow_mod_encode(const struct flow_mod *fm, enum of_version v, bool with_table, uint32_t xid, struct text *out)
{
    bool add_or_modify = fm->command < FLOW_DELETE;
    if (v == OF10) {
        bool nx = fm->cookie_mask || !of10_match_can(&fm->match);
        size_t at = of_msg_start(out, nx ? OFMSG_NX_FLOW_MOD : OFMSG_FLOW_MOD, v, xid, nx);
        if (!nx)
            of10_match_put(&fm->match, out);
        of_put(out, add_or_modify ? fm->new_cookie : 0, 8);
        of_put(out, with_table ? (uint16_t) (fm->table << 8) | fm->command : fm->command, 2);
        of_put(out, fm->idle_timeout, 2);
        of_put(out, fm->hard_timeout, 2);
        of_put(out, fm->priority, 2);
        of_put(out, fm->buffer_id, 4);
        of_put(out, fm->out_port & 0xffff, 2);
        of_put(out, (fm->flags & 3) | (fm->flags & FLOW_EMERGENCY ? 4 : 0), 2);
        if (nx) {
            size_t len_at = out->len;
            of_put_zeros(out, 8);
            uint16_t len = nx_match_put(&fm->match, fm->cookie, fm->cookie_mask, out);
            store_be16(out->s + len_at, len);
        }
        oa_encode_actions(fm->actions, fm->actions_len, v, out);
        of_msg_finish(out, at);
        return;
    }
    size_t at = of_msg_start(out, OFMSG_FLOW_MOD, v, xid, false);
    bool writes_cookie = fm->command == FLOW_ADD || (v == OF11 && fm->modify_cookie);
    of_put(out, writes_cookie ? fm->new_cookie : fm->cookie, 8);
    of_put(out, fm->cookie_mask, 8);
    of_put(out, fm->table == OF_TABLE_ALL && fm->command == FLOW_ADD ? 0 : fm->table, 1);
    of_put(out, fm->command, 1);
    of_put(out, fm->idle_timeout, 2);
    of_put(out, fm->hard_timeout, 2);
    of_put(out, fm->priority, 2);
    of_put(out, fm->buffer_id, 4);
    of_put(out, fm->out_port, 4);
    of_put(out, fm->out_group, 4);
    of_put(out, fm->flags & (v == OF11 ? 3 : v == OF12 ? 7 : 31), 2);
    of_put(out, v >= OF14 ? fm->importance : 0, 2);
    of_match_put(&fm->match, v, out);
    oa_encode_instructions(fm->actions, fm->actions_len, v, out);
    of_msg_finish(out, at);
}

/* ---- questions ---- */

static bool
is_aggregate(enum of_msg m)
{
    return m == OFMSG_AGGREGATE_REQUEST;
}

enum of_error
flow_query_decode(const struct of_msg_info *info, struct flow_query *out)
{
    struct flow_query q = {.is_aggregate = is_aggregate(info->msg), .out_group = OF_GROUP_ANY};
    struct cursor c = info->body;
    enum of_error err;
    if (info->is_nx) {
        q.out_port = port16(cur_be16(&c));
        uint16_t match_len = cur_be16(&c);
        q.table = cur_u8(&c);
        cur_skip(&c, 3);
        err = nx_match_get(&c, match_len, false, &q.match, &q.cookie, &q.cookie_mask);
    } else if (info->version == OF10) {
        err = of10_match_get(&c, &q.match);
        q.table = cur_u8(&c);
        cur_skip(&c, 1);
        q.out_port = port16(cur_be16(&c));
    } else {
        q.table = cur_u8(&c);
        cur_skip(&c, 3);
        q.out_port = cur_be32(&c);
        q.out_group = cur_be32(&c);
        cur_skip(&c, 4);
        q.cookie = cur_be64(&c);
        q.cookie_mask = cur_be64(&c);
        q.cookie &= q.cookie_mask;
        err = of_match_get(&c, info->version, false, &q.match);
    }
    if (err)
        return err;
    if (c.bad || cur_left(&c))
        return OFERR_OFPBRC_BAD_LEN;
    *out = q;
    return OFERR_OK;
}

void
flow_query_encode(const struct flow_query *q, enum of_version v, uint32_t xid, struct text *out)
{
    enum of_msg msg = q->is_aggregate ? OFMSG_AGGREGATE_REQUEST : OFMSG_FLOW_DESC_REQUEST;
    bool nx = v == OF10;
    size_t at = of_msg_start(out, msg, v, xid, nx);
    if (nx) {
        of_put(out, q->out_port & 0xffff, 2);
        size_t len_at = out->len;
        of_put(out, 0, 2);
        of_put(out, q->table, 1);
        of_put_zeros(out, 3);
        uint16_t len = nx_match_put(&q->match, q->cookie, q->cookie_mask, out);
        store_be16(out->s + len_at, len);
    } else {
        of_put(out, q->table, 1);
        of_put_zeros(out, 3);
        of_put(out, q->out_port, 4);
        of_put(out, q->out_group, 4);
        of_put_zeros(out, 4);
        of_put(out, q->cookie, 8);
        of_put(out, q->cookie_mask, 8);
        of_match_put(&q->match, v, out);
    }
    of_msg_finish(out, at);
}

/* ---- answers ---- */

/* OXS statistics of 1.5: duration, idle time, packets, bytes. */
enum { OXS_CLASS = 0x8002, OXS_DURATION = 0, OXS_IDLE = 1, OXS_FLOWS = 3, OXS_PACKETS = 4, OXS_BYTES = 5 };

static void
put_oxs(struct text *out, unsigned field, uint64_t v, unsigned bytes)
{
    of_put(out, (uint32_t) OXS_CLASS << 16 | field << 9 | bytes, 4);
    of_put(out, v, bytes);
}

static void
put_oxs_stats(struct text *out, const struct flow_entry *f)
{
    size_t at = out->len;
    of_put(out, 0, 2);
    of_put(out, 0, 2);
    put_oxs(out, OXS_DURATION, (uint64_t) f->duration_s << 32 | f->duration_ns, 8);
    if (f->idle_age_s != UINT16_MAX)
        put_oxs(out, OXS_IDLE, (uint64_t) f->idle_age_s << 32, 8);
    if (f->packets != UINT64_MAX)
        put_oxs(out, OXS_PACKETS, f->packets, 8);
    if (f->bytes != UINT64_MAX)
        put_oxs(out, OXS_BYTES, f->bytes, 8);
    store_be16(out->s + at + 2, out->len - at);
    of_pad(out, at);
}

static enum of_error
get_oxs_stats(struct cursor *c, struct flow_entry *f, uint32_t *flows)
{
    cur_skip(c, 2);
    uint16_t len = cur_be16(c);
    if (c->bad || len < 4)
        return OFERR_OFPBRC_BAD_LEN;
    struct cursor body = cur_sub(c, len - 4);
    cur_skip(c, ROUND_UP(len, 8) - len);
    f->idle_age_s = UINT16_MAX;
    f->packets = f->bytes = UINT64_MAX;
    while (cur_left(&body)) {
        uint32_t header = cur_be32(&body);
        unsigned bytes = header & 0xff;
        uint64_t v = bytes <= 8 ? cur_be(&body, bytes) : (cur_skip(&body, bytes), 0);
        if (header >> 16 != OXS_CLASS)
            continue;
        switch (header >> 9 & 0x7f) {
        case OXS_DURATION:
            f->duration_s = v >> 32;
            f->duration_ns = (uint32_t) v;
            break;
        case OXS_IDLE:
            f->idle_age_s = MIN(v >> 32, 65534);
            break;
        case OXS_FLOWS:
            if (flows)
                *flows = v;
            break;
        case OXS_PACKETS:
            f->packets = v;
            break;
        case OXS_BYTES:
            f->bytes = v;
            break;
        }
    }
    return c->bad || body.bad ? OFERR_OFPBRC_BAD_LEN : OFERR_OK;
}

void
flow_entry_encode(const struct flow_entry *f, const struct of_multi *m)
{
    struct text *out = m->out;
    size_t at = out->len;
    of_put(out, 0, 2);
    if (m->version == OF15) {
        of_put_zeros(out, 2);
        of_put(out, f->table, 1);
        of_put(out, 0, 1);
        of_put(out, f->priority, 2);
        of_put(out, f->idle_timeout, 2);
        of_put(out, f->hard_timeout, 2);
        of_put(out, f->flags & 31, 2);
        of_put(out, f->importance, 2);
        of_put(out, f->cookie, 8);
        of_match_put(&f->match, m->version, out);
        put_oxs_stats(out, f);
        oa_encode_instructions(f->actions, f->actions_len, m->version, out);
    } else {
        of_put(out, f->table, 1);
        of_put(out, 0, 1);
        if (m->version == OF10 && !m->nx)
            of10_match_put(&f->match, out);
        of_put(out, f->duration_s, 4);
        of_put(out, f->duration_ns, 4);
        of_put(out, f->priority, 2);
        of_put(out, f->idle_timeout, 2);
        of_put(out, f->hard_timeout, 2);
        size_t len_at = out->len;
        if (m->nx) {
            of_put(out, 0, 2);
            of_put(out, f->idle_age_s == UINT16_MAX ? 0 : f->idle_age_s + 1, 2);
            of_put(out, f->hard_age_s == UINT16_MAX ? 0 : f->hard_age_s + 1, 2);
        } else if (m->version == OF10) {
            of_put_zeros(out, 6);
        } else {
            of_put(out, m->version >= OF13 ? f->flags & 31 : 0, 2);
            of_put(out, m->version >= OF14 ? f->importance : 0, 2);
            of_put_zeros(out, 2);
        }
        of_put(out, f->cookie, 8);
        of_put(out, f->packets, 8);
        of_put(out, f->bytes, 8);
        if (m->nx) {
            uint16_t len = nx_match_put(&f->match, 0, 0, out);
            store_be16(out->s + len_at, len);
        } else if (m->version > OF10) {
            of_match_put(&f->match, m->version, out);
        }
        if (m->version == OF10)
            oa_encode_actions(f->actions, f->actions_len, m->version, out);
        else
            oa_encode_instructions(f->actions, f->actions_len, m->version, out);
    }
    store_be16(out->s + at, out->len - at);
}

static enum of_error
entry_decode_15(struct cursor *e, struct flow_entry *f)
{
    cur_skip(e, 2);
    f->table = cur_u8(e);
    cur_skip(e, 1);
    f->priority = cur_be16(e);
    f->idle_timeout = cur_be16(e);
    f->hard_timeout = cur_be16(e);
    f->flags = cur_be16(e);
    f->importance = cur_be16(e);
    f->cookie = cur_be64(e);
    enum of_error err = of_match_get(e, OF15, true, &f->match);
    return err ? err : get_oxs_stats(e, f, NULL);
}

static enum of_error
entry_decode_old(const struct of_msg_info *info, struct cursor *e, struct flow_entry *f)
{
    enum of_error err = OFERR_OK;
    uint16_t match_len = 0;
    f->table = cur_u8(e);
    cur_skip(e, 1);
    if (info->version == OF10 && !info->is_nx)
        err = of10_match_get(e, &f->match);
    f->duration_s = cur_be32(e);
    f->duration_ns = cur_be32(e);
    f->priority = cur_be16(e);
    f->idle_timeout = cur_be16(e);
    f->hard_timeout = cur_be16(e);
    if (info->is_nx) {
        match_len = cur_be16(e);
        f->idle_age_s = cur_be16(e) - 1; /* 0, unknown, becomes UINT16_MAX */
        f->hard_age_s = cur_be16(e) - 1;
    } else if (info->version == OF10) {
        cur_skip(e, 6);
    } else {
        f->flags = info->version >= OF13 ? cur_be16(e) : (cur_skip(e, 2), 0);
        f->importance = info->version >= OF14 ? cur_be16(e) : (cur_skip(e, 2), 0);
        cur_skip(e, 2);
    }
    f->cookie = cur_be64(e);
    f->packets = cur_be64(e);
    f->bytes = cur_be64(e);
    if (!err && info->is_nx)
        err = nx_match_get(e, match_len, true, &f->match, NULL, NULL);
    else if (!err && info->version > OF10)
        err = of_match_get(e, info->version, true, &f->match);
    return err;
}

enum of_error
flow_entry_decode(const struct of_msg_info *info, struct cursor *c, struct flow_entry *out, struct oa_list *actions,
                  bool *more)
{
    *more = cur_left(c) > 0;
    if (!*more)
        return OFERR_OK;
    if (cur_left(c) < 4)
        return OFERR_OFPBRC_BAD_LEN;
    uint16_t len = load_be16(c->at);
    struct cursor e = cur_sub(c, len);
    if (c->bad || len < 8)
        return OFERR_OFPBRC_BAD_LEN;
    cur_skip(&e, 2);
    struct flow_entry f = {.idle_age_s = UINT16_MAX, .hard_age_s = UINT16_MAX};
    enum of_error err = info->version == OF15 ? entry_decode_15(&e, &f) : entry_decode_old(info, &e, &f);
    size_t before = actions->len;
    if (!err)
        err = info->version == OF10 ? oa_decode_actions(&e, OF10, actions)
                                    : oa_decode_instructions(&e, info->version, actions);
    if (err)
        return err;
    if (e.bad)
        return OFERR_OFPBRC_BAD_LEN;
    *out = f;
    out->actions = actions->bytes ? actions->bytes + before : NULL;
    out->actions_len = actions->len - before;
    return OFERR_OK;
}

void
flow_aggregate_encode(const struct flow_aggregate *a, enum of_version v, uint32_t xid, bool nx, struct text *out)
{
    size_t at = of_msg_start(out, OFMSG_AGGREGATE_REPLY, v, xid, nx);
    if (v == OF15) {
        size_t stats = out->len;
        of_put_zeros(out, 4);
        put_oxs(out, OXS_FLOWS, a->flows, 4);
        put_oxs(out, OXS_PACKETS, a->packets, 8);
        put_oxs(out, OXS_BYTES, a->bytes, 8);
        store_be16(out->s + stats + 2, out->len - stats);
        of_pad(out, stats);
    } else {
        of_put(out, a->packets, 8);
        of_put(out, a->bytes, 8);
        of_put(out, a->flows, 4);
        of_put_zeros(out, 4);
    }
    of_msg_finish(out, at);
}

enum of_error
flow_aggregate_decode(const struct of_msg_info *info, struct flow_aggregate *a)
{
    struct cursor c = info->body;
    *a = (struct flow_aggregate){0};
    if (info->version == OF15) {
        struct flow_entry f = {0};
        enum of_error err = get_oxs_stats(&c, &f, &a->flows);
        a->packets = f.packets;
        a->bytes = f.bytes;
        return err;
    }
    a->packets = cur_be64(&c);
    a->bytes = cur_be64(&c);
    a->flows = cur_be32(&c);
    return c.bad ? OFERR_OFPBRC_BAD_LEN : OFERR_OK;
}

/* ---- flow_removed ---- */

void
flow_removed_encode(const struct flow_removed *r, enum of_version v, bool nxm, struct text *out)
{
    const struct flow_entry *f = &r->flow;
    bool nx = v == OF10 && (nxm || !of10_match_can(&f->match));
    size_t at = of_msg_start(out, nx ? OFMSG_NX_FLOW_REMOVED : OFMSG_FLOW_REMOVED, v, 0, nx);
    if (v == OF15) {
        of_put(out, f->table, 1);
        of_put(out, r->reason, 1);
        of_put(out, f->priority, 2);
        of_put(out, f->idle_timeout, 2);
        of_put(out, f->hard_timeout, 2);
        of_put(out, f->cookie, 8);
        of_match_put(&f->match, v, out);
        put_oxs_stats(out, f);
        of_msg_finish(out, at);
        return;
    }
    if (v == OF10 && !nx)
        of10_match_put(&f->match, out);
    of_put(out, f->cookie, 8);
    of_put(out, f->priority, 2);
    of_put(out, MIN(r->reason, v >= OF14 ? REMOVED_EVICTION : v >= OF11 ? REMOVED_GROUP : REMOVED_DELETE), 1);
    of_put(out, v > OF10 ? f->table : nx ? f->table + 1 : 0, 1);
    of_put(out, f->duration_s, 4);
    of_put(out, f->duration_ns, 4);
    of_put(out, f->idle_timeout, 2);
    size_t len_at = out->len;
    of_put(out, v > OF10 ? f->hard_timeout : 0, 2);
    of_put(out, f->packets, 8);
    of_put(out, f->bytes, 8);
    if (nx) {
        uint16_t len = nx_match_put(&f->match, 0, 0, out);
        store_be16(out->s + len_at, len);
    } else if (v > OF10) {
        of_match_put(&f->match, v, out);
    }
    of_msg_finish(out, at);
}

enum of_error
flow_removed_decode(const struct of_msg_info *info, struct flow_removed *out)
{
    struct flow_removed r = {0};
    struct flow_entry *f = &r.flow;
    struct cursor c = info->body;
    enum of_error err = OFERR_OK;
    if (info->version == OF15) {
        f->table = cur_u8(&c);
        r.reason = cur_u8(&c);
        f->priority = cur_be16(&c);
        f->idle_timeout = cur_be16(&c);
        f->hard_timeout = cur_be16(&c);
        f->cookie = cur_be64(&c);
        err = of_match_get(&c, OF15, true, &f->match);
        if (!err)
            err = get_oxs_stats(&c, f, NULL);
    } else {
        bool nx = info->msg == OFMSG_NX_FLOW_REMOVED;
        if (info->version == OF10 && !nx)
            err = of10_match_get(&c, &f->match);
        f->cookie = cur_be64(&c);
        f->priority = cur_be16(&c);
        r.reason = cur_u8(&c);
        f->table = cur_u8(&c);
        if (nx)
            f->table = f->table ? f->table - 1 : 255;
        f->duration_s = cur_be32(&c);
        f->duration_ns = cur_be32(&c);
        f->idle_timeout = cur_be16(&c);
        uint16_t word = cur_be16(&c);
        f->packets = cur_be64(&c);
        f->bytes = cur_be64(&c);
        if (!err && nx)
            err = nx_match_get(&c, word, true, &f->match, NULL, NULL);
        else if (!err && info->version > OF10) {
            f->hard_timeout = word;
            err = of_match_get(&c, info->version, true, &f->match);
        }
    }
    if (!err && c.bad)
        err = OFERR_OFPBRC_BAD_LEN;
    if (!err)
        *out = r;
    return err;
}

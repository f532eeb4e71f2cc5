/* config - see the header. */
#include "openflow/config.h"
#include "openflow/oxm.h"

void
bare_encode(enum of_msg msg, enum of_version v, uint32_t xid, struct text *out)
{
    of_msg_finish(out, of_msg_start(out, msg, v, xid, false));
}

void
echo_reply_encode(const struct of_msg_info *asked, struct text *out)
{
    size_t at = of_msg_start(out, OFMSG_ECHO_REPLY, asked->version, asked->xid, false);
    text_addn(out, asked->body.at, cur_left(&asked->body));
    of_msg_finish(out, at);
}

/* ---- hello ---- */

void
hello_encode(uint32_t versions, uint32_t xid, struct text *out)
{
    enum of_version highest = of_version_highest(versions);
    size_t at = of_msg_start(out, OFMSG_HELLO, highest, xid, false);
    /* A peer without eyes for the bitmap takes our version for "and all below": only if that is not true is the bitmap needed. */
    if (highest >= OF13 || versions != (2u << highest) - 2) {
        of_put(out, 1, 2);
        of_put(out, 8, 2);
        of_put(out, versions, 4);
    }
    of_msg_finish(out, at);
}

enum of_error
hello_decode(const void *msg, size_t len, uint32_t *versions)
{
    struct of_header h;
    if (!of_header_get(msg, len, &h))
        return OFERR_OFPBRC_BAD_LEN;
    uint32_t set = h.version >= 31 ? UINT32_MAX : (2u << h.version) - 2;
    struct cursor c = cursor_of(msg, len);
    cur_skip(&c, OF_HEADER_LEN);
    while (cur_left(&c) >= 4) {
        uint16_t type = cur_be16(&c), n = cur_be16(&c);
        if (n < 4)
            break;
        struct cursor body = cur_sub(&c, n - 4);
        cur_skip(&c, MIN(cur_left(&c), (size_t) (ROUND_UP(n, 8) - n)));
        if (type == 1 && cur_left(&body) >= 4)
            set = cur_be32(&body);
    }
    *versions = set & OF_ALL;
    return OFERR_OK;
}

/* ---- features, config, description ---- */

enum {
    CAP_FLOW_STATS = 1,
    CAP_TABLE_STATS = 2,
    CAP_PORT_STATS = 4,
    CAP_GROUP_STATS = 8,
    CAP_QUEUE_STATS = 64,
    CAP_ARP_MATCH_IP = 128
};

bool
features_reply_has_ports(enum of_version v)
{
    return v < OF13;
}

size_t
features_reply_start(const struct switch_features *f, enum of_version v, uint32_t xid, struct text *out)
{
    size_t at = of_msg_start(out, OFMSG_FEATURES_REPLY, v, xid, false);
    uint32_t capabilities = CAP_FLOW_STATS | CAP_TABLE_STATS | CAP_PORT_STATS | CAP_QUEUE_STATS;
    of_put(out, f->datapath_id, 8);
    of_put(out, f->n_buffers, 4);
    of_put(out, f->n_tables, 1);
    of_put(out, v >= OF13 ? f->auxiliary_id : 0, 1);
    of_put_zeros(out, 2);
    of_put(out, capabilities | (v == OF10 ? CAP_ARP_MATCH_IP : CAP_GROUP_STATS), 4);
    of_put(out, v == OF10 ? 0xfff : 0, 4); /* the twelve actions of 1.0 */
    return at;
}

void
get_config_reply_encode(const struct switch_config *c, enum of_version v, uint32_t xid, struct text *out)
{
    size_t at = of_msg_start(out, OFMSG_GET_CONFIG_REPLY, v, xid, false);
    of_put(out, v >= OF13 ? c->flags & 3 : c->flags, 2);
    of_put(out, c->miss_send_len, 2);
    of_msg_finish(out, at);
}

enum of_error
set_config_decode(const struct of_msg_info *info, struct switch_config *out)
{
    struct cursor c = info->body;
    struct switch_config sc = {.flags = cur_be16(&c)};
    sc.miss_send_len = cur_be16(&c);
    if (c.bad || cur_left(&c))
        return OFERR_OFPBRC_BAD_LEN;
    if (sc.flags & ~(info->version >= OF13 ? 3 : 7))
        return OFERR_OFPSCFC_BAD_FLAGS;
    *out = sc;
    return OFERR_OK;
}

void
desc_reply_encode(const struct switch_desc *d, enum of_version v, uint32_t xid, struct text *out)
{
    size_t at = of_msg_start(out, OFMSG_DESC_REPLY, v, xid, false);
    of_put_string(out, d->manufacturer, 256);
    of_put_string(out, d->hardware, 256);
    of_put_string(out, d->software, 256);
    of_put_string(out, d->serial, 32);
    of_put_string(out, d->datapath, 256);
    of_msg_finish(out, at);
}

/* 1.1 and 1.2 list what a table can do with bits that nobody reads; every one is said to be possible. */
void
table_counts_encode(const struct table_counts *t, enum of_version v, struct text *out)
{
    of_put(out, t->table, 1);
    if (v >= OF13) {
        of_put_zeros(out, 3);
        of_put(out, t->active, 4);
    } else {
        of_put_zeros(out, v == OF10 ? 3 : 7);
        of_put_string(out, t->name, 32);
        if (v == OF10) {
            of_put(out, 0x3fffff, 4);
        } else if (v == OF11) {
            of_put(out, 0x3ff, 4); /* wildcards, match */
            of_put(out, 0x3ff, 4);
            of_put(out, 0x3f, 4); /* instructions, write, apply */
            of_put(out, 0x1fffff, 4);
            of_put(out, 0x1fffff, 4);
        } else {
            of_put(out, 0xfffffffffULL, 8); /* match, wildcards */
            of_put(out, 0xfffffffffULL, 8);
            of_put(out, 0x3ffffff, 4); /* write and apply actions */
            of_put(out, 0x3ffffff, 4);
            of_put(out, 0xfffffffffULL, 8); /* fields they set */
            of_put(out, 0xfffffffffULL, 8);
            of_put(out, UINT64_MAX, 8); /* metadata match and write */
            of_put(out, UINT64_MAX, 8);
            of_put(out, 0x3f, 4);
        }
        if (v >= OF11)
            of_put(out, 0, 4); /* a miss drops, or asks the controller */
        of_put(out, t->max_entries, 4);
        of_put(out, t->active, 4);
    }
    of_put(out, t->lookups, 8);
    of_put(out, t->matches, 8);
}

/* ---- table features ---- */

enum {
    TFP_INSTRUCTIONS = 0,
    TFP_NEXT_TABLES = 2,
    TFP_WRITE_ACTIONS = 4,
    TFP_APPLY_ACTIONS = 6,
    TFP_MATCH = 8,
    TFP_WILDCARDS = 10,
    TFP_WRITE_SETFIELD = 12,
    TFP_APPLY_SETFIELD = 14
};

static size_t
prop_start(struct text *out, uint16_t type)
{
    size_t at = out->len;
    of_put(out, type, 2);
    of_put(out, 0, 2);
    return at;
}

static void
prop_finish(struct text *out, size_t at)
{
    store_be16(out->s + at + 2, out->len - at);
    of_pad(out, at);
}

/* Instructions and actions are listed by their bare headers. */
static void
put_ids(struct text *out, uint16_t prop, const uint8_t *ids, size_t n)
{
    size_t at = prop_start(out, prop);
    for (size_t i = 0; i < n; i++) {
        of_put(out, ids[i], 2);
        of_put(out, 4, 2);
    }
    prop_finish(out, at);
}

static void
put_fields(struct text *out, uint16_t prop, enum of_version v, bool only_writable, bool masks)
{
    size_t at = prop_start(out, prop);
    for (size_t i = 0; i < FIELD_N; i++) {
        bool has_mask = masks && fields[i].mask == FIELD_MASK_ANY;
        oxm_header h = oxm_header_of(&fields[i], v, false, has_mask);
        if (h && (!only_writable || fields[i].write == FIELD_WRITE_RW))
            oxm_put_header(h, out);
    }
    prop_finish(out, at);
}

void
table_features_encode(uint8_t table, const char *name, uint8_t last_table, enum of_version v, struct text *out)
{
    static const uint8_t instructions[] = {1, 2, 3, 4, 5}, actions[] = {0, 17, 18, 24, 25};
    size_t at = out->len;
    of_put(out, 0, 2);
    of_put(out, table, 1);
    of_put_zeros(out, 5);
    of_put_string(out, name, 32);
    of_put(out, UINT64_MAX, 8);
    of_put(out, UINT64_MAX, 8);
    of_put(out, 0, 4);
    of_put(out, 1000000, 4);
    for (unsigned miss = 0; miss < 2; miss++) {
        put_ids(out, TFP_INSTRUCTIONS + miss, instructions, ARRAY_SIZE(instructions) - (table == last_table));
        size_t next = prop_start(out, TFP_NEXT_TABLES + miss);
        for (unsigned t = table + 1u; t <= last_table; t++)
            of_put(out, t, 1);
        prop_finish(out, next);
        put_ids(out, TFP_WRITE_ACTIONS + miss, actions, ARRAY_SIZE(actions));
        put_ids(out, TFP_APPLY_ACTIONS + miss, actions, ARRAY_SIZE(actions));
        put_fields(out, TFP_WRITE_SETFIELD + miss, v, true, false);
        put_fields(out, TFP_APPLY_SETFIELD + miss, v, true, false);
    }
    put_fields(out, TFP_MATCH, v, false, true);
    put_fields(out, TFP_WILDCARDS, v, false, false);
    store_be16(out->s + at, out->len - at);
}

/* ---- roles ---- */

enum of_error
role_request_decode(const struct of_msg_info *info, struct role_request *out)
{
    struct cursor c = info->body;
    struct role_request r = {0};
    uint32_t role = cur_be32(&c);
    if (info->is_nx) {
        /* Nicira's: 0 other, 1 primary, 2 secondary, and no generation. */
        static const enum of_role roles[] = {ROLE_EQUAL, ROLE_PRIMARY, ROLE_SECONDARY};
        if (c.bad || role >= ARRAY_SIZE(roles))
            return c.bad ? OFERR_OFPBRC_BAD_LEN : OFERR_OFPRRFC_BAD_ROLE;
        r.role = roles[role];
    } else {
        cur_skip(&c, 4);
        r.generation = cur_be64(&c);
        if (c.bad || role > ROLE_SECONDARY)
            return c.bad ? OFERR_OFPBRC_BAD_LEN : OFERR_OFPRRFC_BAD_ROLE;
        r.role = role;
        r.has_generation = role == ROLE_PRIMARY || role == ROLE_SECONDARY;
    }
    *out = r;
    return OFERR_OK;
}

void
role_reply_encode(const struct role_request *r, const struct of_msg_info *asked, struct text *out)
{
    size_t at = of_msg_start(out, OFMSG_ROLE_REPLY, asked->version, asked->xid, asked->is_nx);
    if (asked->is_nx) {
        of_put(out, r->role == ROLE_PRIMARY ? 1 : r->role == ROLE_SECONDARY ? 2 : 0, 4);
    } else {
        of_put(out, r->role, 4);
        of_put_zeros(out, 4);
        of_put(out, r->has_generation ? r->generation : UINT64_MAX, 8);
    }
    of_msg_finish(out, at);
}

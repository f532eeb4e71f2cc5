/* handle - what each message asks for, done: one function a message, found by its number.  A message without one is refused as the standard has it. */
#include "base/mem.h"
#include "controller/conn.h"
#include "io/daemon.h"
#include <stdlib.h>

typedef enum of_error handle_fn(struct conn *, const struct of_msg_info *, const void *msg, size_t len);

static enum of_error
ignore(struct conn *c, const struct of_msg_info *info, const void *msg, size_t len)
{
    return OFERR_OK;
}

static enum of_error
echo(struct conn *c, const struct of_msg_info *info, const void *msg, size_t len)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    echo_reply_encode(info, &t);
    conn_send(c, &t);
    return OFERR_OK;
}

/* ---- ports ---- */

struct port_walk {
    struct conn *c;
    struct of_multi *multi; /* NULL: bare descriptions into 'out' */
    struct text *out;
    uint32_t only; /* OF_PORT_ANY: every one */
    bool found;
};

static void
put_port(void *w_, const struct port_desc *p)
{
    struct port_walk *w = w_;
    if (w->only != OF_PORT_ANY && w->only != p->number)
        return;
    w->found = true;
    size_t at = w->multi ? of_multi_entry(w->multi) : 0;
    port_desc_encode(p, w->c->version, w->out);
    if (w->multi)
        of_multi_entry_done(w->multi, at);
}

static enum of_error
features(struct conn *c, const struct of_msg_info *info, const void *msg, size_t len)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    struct switch_features f = {.datapath_id = c->connmgr->datapath_id, .n_tables = TABLE_VISIBLE};
    size_t at = features_reply_start(&f, c->version, info->xid, &t);
    if (features_reply_has_ports(c->version))
        c->connmgr->ops->ports(c->connmgr->aux, put_port, &(struct port_walk){.c = c, .out = &t, .only = OF_PORT_ANY});
    if (t.len - at > OF_MAX_LEN)
        text_cut(&t, at + OF_MAX_LEN / 64 *
                              64); /* more ports than a message holds: who wants them all asks for PORT_DESC */
    of_msg_finish(&t, at);
    conn_send(c, &t);
    return OFERR_OK;
}

static enum of_error
port_desc(struct conn *c, const struct of_msg_info *info, const void *msg, size_t len)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    struct of_multi m = of_multi_begin(&t, OFMSG_PORT_DESC_REPLY, c->version, info->xid, false);
    struct cursor body = info->body;
    uint32_t only = c->version == OF15 && cur_left(&body) >= 4 ? cur_be32(&body) : OF_PORT_ANY;
    c->connmgr->ops->ports(c->connmgr->aux, put_port,
                           &(struct port_walk){.c = c, .multi = &m, .out = &t, .only = only});
    of_multi_end(&m);
    conn_send(c, &t);
    return OFERR_OK;
}

static void
put_counts(void *w_, const struct port_desc *p)
{
    struct port_walk *w = w_;
    if (w->only != OF_PORT_ANY && w->only != p->number)
        return;
    struct port_counts counts;
    w->found = true;
    w->c->connmgr->ops->counts(w->c->connmgr->aux, p->number, &counts);
    size_t at = of_multi_entry(w->multi);
    port_counts_encode(p->number, &counts, w->c->version, w->out);
    of_multi_entry_done(w->multi, at);
}

static enum of_error
port_stats(struct conn *c, const struct of_msg_info *info, const void *msg, size_t len)
{
    uint32_t only;
    enum of_error err = port_stats_request_decode(info, &only);
    if (err)
        return err;
    AUTO_TEXT struct text t = TEXT_INIT;
    struct of_multi m = of_multi_begin(&t, OFMSG_PORT_STATS_REPLY, c->version, info->xid, false);
    struct port_walk w = {.c = c, .multi = &m, .out = &t, .only = only};
    c->connmgr->ops->ports(c->connmgr->aux, put_counts, &w);
    of_multi_end(&m);
    if (only != OF_PORT_ANY && !w.found)
        return OFERR_OFPBRC_BAD_PORT;
    conn_send(c, &t);
    return OFERR_OK;
}

static enum of_error
port_mod(struct conn *c, const struct of_msg_info *info, const void *msg, size_t len)
{
    struct port_mod m;
    enum of_error err = port_mod_decode(info, &m);
    return err ? err : c->connmgr->ops->change_port(c->connmgr->aux, &m);
}

/* ---- settings ---- */

static enum of_error
get_config(struct conn *c, const struct of_msg_info *info, const void *msg, size_t len)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    struct switch_config sc = c->connmgr->config;
    sc.miss_send_len = c->miss_send_len;
    get_config_reply_encode(&sc, c->version, info->xid, &t);
    conn_send(c, &t);
    return OFERR_OK;
}

static enum of_error
set_config(struct conn *c, const struct of_msg_info *info, const void *msg, size_t len)
{
    struct switch_config sc;
    enum of_error err = set_config_decode(info, &sc);
    if (err)
        return err;
    /* Fragments are switched like other frames; nothing else can be asked for yet. */
    if (sc.flags & 3)
        return OFERR_OFPSCFC_BAD_FLAGS;
    c->miss_send_len = sc.miss_send_len;
    c->wants_async |= sc.miss_send_len != 0; /* a service that asks for frames gets them */
    return OFERR_OK;
}

static enum of_error
desc(struct conn *c, const struct of_msg_info *info, const void *msg, size_t len)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    struct switch_desc d = {.manufacturer = "Nicira, Inc.",
                            .hardware = "Open vSwitch",
                            .software = FIELD_VERSION,
                            .serial = c->connmgr->serial ? c->connmgr->serial : "None",
                            .datapath = c->connmgr->description ? c->connmgr->description : "None"};
    desc_reply_encode(&d, c->version, info->xid, &t);
    conn_send(c, &t);
    return OFERR_OK;
}

static enum of_error
table_stats(struct conn *c, const struct of_msg_info *info, const void *msg, size_t len)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    dp_push_stats(backer_datapath(bridge_backer(c->connmgr->bridge)));
    struct of_multi m = of_multi_begin(&t, OFMSG_TABLE_STATS_REPLY, c->version, info->xid, false);
    for (unsigned i = 0; i < TABLE_VISIBLE; i++) {
        struct table_stats s;
        char name[32];
        snprintf(name, sizeof name, i ? "table%u" : "classifier", i);
        tables_stats(bridge_tables(c->connmgr->bridge), i, &s);
        size_t at = of_multi_entry(&m);
        table_counts_encode(&(struct table_counts){.table = i,
                                                   .name = name,
                                                   .active = s.n_rules,
                                                   .max_entries = 1000000,
                                                   .lookups = s.lookups,
                                                   .matches = s.matches},
                            c->version, &t);
        of_multi_entry_done(&m, at);
    }
    of_multi_end(&m);
    conn_send(c, &t);
    return OFERR_OK;
}

static enum of_error
table_features(struct conn *c, const struct of_msg_info *info, const void *msg, size_t len)
{
    if (cur_left(&info->body))
        return OFERR_OFPTFFC_EPERM; /* tables are as they are */
    AUTO_TEXT struct text t = TEXT_INIT;
    struct of_multi m = of_multi_begin(&t, OFMSG_TABLE_FEATURES_REPLY, c->version, info->xid, false);
    for (unsigned i = 0; i < TABLE_VISIBLE; i++) {
        char name[32];
        snprintf(name, sizeof name, i ? "table%u" : "classifier", i);
        size_t at = of_multi_entry(&m);
        table_features_encode(i, name, TABLE_VISIBLE - 1, c->version, &t);
        of_multi_entry_done(&m, at);
    }
    of_multi_end(&m);
    conn_send(c, &t);
    return OFERR_OK;
}

static enum of_error
barrier(struct conn *c, const struct of_msg_info *info, const void *msg, size_t len)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    dp_settle(backer_datapath(bridge_backer(c->connmgr->bridge)));
    bare_encode(OFMSG_BARRIER_REPLY, c->version, info->xid, &t);
    conn_send(c, &t);
    return OFERR_OK;
}

static enum of_error
role(struct conn *c, const struct of_msg_info *info, const void *msg, size_t len)
{
    struct role_request r;
    struct connmgr *a = c->connmgr;
    enum of_error err = role_request_decode(info, &r);
    if (err)
        return err;
    if (r.has_generation) {
        if (a->has_generation && (int64_t) (r.generation - a->generation) < 0)
            return OFERR_OFPRRFC_STALE;
        a->generation = r.generation;
        a->has_generation = true;
    }
    if (r.role == ROLE_PRIMARY) {
        struct conn *other;
        LIST_FOR (other, in_connmgr, &a->conns)
            if (other != c && other->role == ROLE_PRIMARY)
                other->role = ROLE_SECONDARY;
    }
    if (r.role != ROLE_NOCHANGE)
        c->role = r.role;
    AUTO_TEXT struct text t = TEXT_INIT;
    role_reply_encode(
        &(struct role_request){.role = c->role, .has_generation = a->has_generation, .generation = a->generation}, info,
        &t);
    conn_send(c, &t);
    return OFERR_OK;
}

/* ---- Nicira's settings of a connection ---- */

static enum of_error
nx_number(struct conn *c, const struct of_msg_info *info, const void *msg, size_t len)
{
    struct cursor body = info->body;
    uint32_t v;
    switch (info->msg) {
    case OFMSG_NX_SET_FLOW_FORMAT:
        v = cur_be32(&body);
        if (v != 0 && v != 2)
            return OFERR_OFPBRC_EPERM;
        c->nxm = v == 2;
        break;
    case OFMSG_NX_FLOW_MOD_TABLE_ID:
        c->with_table_id = cur_u8(&body) != 0;
        break;
    case OFMSG_NX_SET_PACKET_IN_FORMAT:
        v = cur_be32(&body);
        if (v > PACKET_IN_NXT)
            return OFERR_OFPBRC_EPERM;
        c->packet_in_format = v;
        break;
    case OFMSG_NX_SET_CONTROLLER_ID:
        cur_skip(&body, 6);
        c->controller_id = cur_be16(&body);
        break;
    default:
        return OFERR_OFPBRC_BAD_SUBTYPE;
    }
    return body.bad ? OFERR_OFPBRC_BAD_LEN : OFERR_OK;
}

/* ---- rules ---- */

static bool
may_change(const struct conn *c)
{
    return c->role != ROLE_SECONDARY;
}

static enum of_error
flow_mod(struct conn *c, const struct of_msg_info *info, const void *msg, size_t len)
{
    if (!may_change(c))
        return OFERR_OFPBRC_IS_SLAVE;
    AUTO_OA_LIST struct oa_list actions = OA_LIST_INIT;
    struct flow_mod fm;
    enum of_error err = flow_mod_decode(info, c->with_table_id, &fm, &actions);
    if (!err && fm.buffer_id != UINT32_MAX)
        err = OFERR_OFPBRC_BUFFER_UNKNOWN;
    if (!err)
        err = bridge_flow_mod(c->connmgr->bridge, &fm, loop_now(c->connmgr->loop));
    if (!err && (fm.idle_timeout || fm.hard_timeout))
        connmgr_watch_expiry(c->connmgr);
    return err;
}

struct flow_walk {
    struct of_multi multi;
    instant now;
    struct flow_aggregate sum;
};

static bool
put_flow(void *w_, const struct rule *r)
{
    struct flow_walk *w = w_;
    struct flow_entry e;
    rule_entry(r, w->now, &e);
    size_t at = of_multi_entry(&w->multi);
    flow_entry_encode(&e, &w->multi);
    of_multi_entry_done(&w->multi, at);
    return true;
}

static bool
sum_flow(void *w_, const struct rule *r)
{
    struct flow_walk *w = w_;
    w->sum.packets += r->packets;
    w->sum.bytes += r->bytes;
    w->sum.flows++;
    return true;
}

static enum of_error
flow_stats(struct conn *c, const struct of_msg_info *info, const void *msg, size_t len)
{
    struct flow_query q;
    enum of_error err = flow_query_decode(info, &q);
    if (err)
        return err;
    AUTO_TEXT struct text t = TEXT_INIT;
    struct flow_walk w = {.now = loop_now(c->connmgr->loop)};
    dp_push_stats(backer_datapath(bridge_backer(c->connmgr->bridge)));
    if (q.is_aggregate) {
        tables_query(bridge_tables(c->connmgr->bridge), &q, sum_flow, &w);
        flow_aggregate_encode(&w.sum, c->version, info->xid, info->is_nx, &t);
    } else {
        w.multi = of_multi_begin(&t, OFMSG_FLOW_DESC_REPLY, c->version, info->xid, info->is_nx);
        tables_query(bridge_tables(c->connmgr->bridge), &q, put_flow, &w);
        of_multi_end(&w.multi);
    }
    conn_send(c, &t);
    return OFERR_OK;
}

static enum of_error
packet_out(struct conn *c, const struct of_msg_info *info, const void *msg, size_t len)
{
    if (!may_change(c))
        return OFERR_OFPBRC_IS_SLAVE;
    AUTO_OA_LIST struct oa_list actions = OA_LIST_INIT;
    struct packet_out po;
    enum of_error err = packet_out_decode(info, &po, &actions);
    if (!err && po.buffer_id != UINT32_MAX)
        err = OFERR_OFPBRC_BUFFER_UNKNOWN;
    return err ? err
               : bridge_packet_out(c->connmgr->bridge, po.frame, po.len, po.in_port, po.actions, po.actions_len,
                                   loop_now(c->connmgr->loop));
}

static handle_fn *const handlers[OFMSG_N] = {
    [OFMSG_HELLO] = ignore,
    [OFMSG_ERROR] = ignore,
    [OFMSG_ECHO_REQUEST] = echo,
    [OFMSG_ECHO_REPLY] = ignore,
    [OFMSG_FEATURES_REQUEST] = features,
    [OFMSG_GET_CONFIG_REQUEST] = get_config,
    [OFMSG_SET_CONFIG] = set_config,
    [OFMSG_PACKET_OUT] = packet_out,
    [OFMSG_FLOW_MOD] = flow_mod,
    [OFMSG_NX_FLOW_MOD] = flow_mod,
    [OFMSG_PORT_MOD] = port_mod,
    [OFMSG_BARRIER_REQUEST] = barrier,
    [OFMSG_ROLE_REQUEST] = role,
    [OFMSG_DESC_REQUEST] = desc,
    [OFMSG_FLOW_DESC_REQUEST] = flow_stats,
    [OFMSG_AGGREGATE_REQUEST] = flow_stats,
    [OFMSG_TABLE_STATS_REQUEST] = table_stats,
    [OFMSG_TABLE_FEATURES_REQUEST] = table_features,
    [OFMSG_PORT_STATS_REQUEST] = port_stats,
    [OFMSG_PORT_DESC_REQUEST] = port_desc,
    [OFMSG_NX_SET_FLOW_FORMAT] = nx_number,
    [OFMSG_NX_FLOW_MOD_TABLE_ID] = nx_number,
    [OFMSG_NX_SET_PACKET_IN_FORMAT] = nx_number,
    [OFMSG_NX_SET_CONTROLLER_ID] = nx_number,
};

enum of_error
handle(struct conn *c, const struct of_msg_info *info, const void *msg, size_t len)
{
    handle_fn *fn = handlers[info->msg];
    return fn ? fn(c, info, msg, len) : info->is_nx ? OFERR_OFPBRC_BAD_SUBTYPE : OFERR_OFPBRC_BAD_TYPE;
}

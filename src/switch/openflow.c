/* openflow - each bridge's connection manager: what it is told of ports, and where it listens and calls.
 *
 * The management socket is RUNDIR/BRIDGE.mgmt, as ovs-ofctl looks for it.
 */
#include "base/log.h"
#include "base/mem.h"
#include "controller/connmgr.h"
#include "io/dirs.h"
#include "switch/model.h"
#include <stdlib.h>
#include <string.h>

LOG_MODULE(ofproto)

/* ---- ports ---- */

static uint32_t
links_of(uint64_t bit_per_s, bool full)
{
    static const struct {
        uint64_t mbps;
        uint32_t full, half;
    } links[] = {{10, LINK_10M_FD, LINK_10M_HD}, {100, LINK_100M_FD, LINK_100M_HD}, {1000, LINK_1G_FD, LINK_1G_HD},
                 {10000, LINK_10G_FD, 0},        {40000, LINK_40G_FD, 0},           {100000, LINK_100G_FD, 0},
                 {1000000, LINK_1T_FD, 0}};
    for (size_t i = 0; i < ARRAY_SIZE(links); i++)
        if (links[i].mbps * 1000000 == bit_per_s)
            return full ? links[i].full : links[i].half;
    return bit_per_s ? LINK_OTHER : 0;
}

static void
describe(const struct vport *p, struct port_desc *d)
{
    struct device_status s;
    bool known = vport_status(p, &s);

    *d =
        (struct port_desc){.number = p->number, .name = p->name, .mac = known ? s.mac : p->mac, .config = p->of_config};
    if (!known) { /* a patch port: no link that could be down */
        d->state = p->of_config & PORT_DOWN ? PORT_STATE_LINK_DOWN : PORT_STATE_LIVE;
        return;
    }
    d->config |= s.is_admin_up ? 0 : PORT_DOWN;
    d->state = s.is_link_up ? PORT_STATE_LIVE : PORT_STATE_LINK_DOWN;
    d->current = links_of(s.link_speed, s.is_full_duplex || !s.knows_duplex) | (s.link_speed ? LINK_COPPER : 0);
    d->speed_kbps = d->max_speed_kbps = MIN(s.link_speed / 1000, UINT32_MAX);
}

static void
each_port(void *b_, void (*each)(void *, const struct port_desc *), void *aux)
{
    struct vbridge *b = b_;
    struct vport *p;
    VPORT_FOR (p, b)
        if (vport_is_live(p) && p->number != OFPORT_NONE) {
            struct port_desc d;
            describe(p, &d);
            each(aux, &d);
        }
}

static void
count_port(void *b_, uint32_t number, struct port_counts *c)
{
    struct vbridge *b = b_;
    const struct vport *p = vport_numbered(b, number);
    memset(c, 0xff, sizeof *c);
    c->duration_s = c->duration_ns = 0;
    if (!p)
        return;
    struct device_stats s = {0};
    if (p->device) {
        p->device->class->stats(p->device, &s);
    } else {
        struct bridge_port_stats patch;
        bridge_port_stats(b->run, number, &patch);
        s.rx_packets = patch.rx_packets;
        s.tx_packets = patch.tx_packets;
        s.rx_bytes = patch.rx_bytes;
        s.tx_bytes = patch.tx_bytes;
    }
    *c = (struct port_counts){.rx_packets = s.rx_packets,
                              .tx_packets = s.tx_packets,
                              .rx_bytes = s.rx_bytes,
                              .tx_bytes = s.tx_bytes,
                              .rx_dropped = s.rx_dropped,
                              .tx_dropped = s.tx_dropped,
                              .rx_errors = s.rx_errors,
                              .tx_errors = s.tx_errors,
                              .rx_frame_err = s.rx_frame_err,
                              .rx_over_err = s.rx_over_err,
                              .rx_crc_err = s.rx_crc_err,
                              .collisions = s.collisions};
}

#define CONFIG_SERVED (PORT_DOWN | PORT_NO_RECV | PORT_NO_FLOOD | PORT_NO_FWD)

/* Up or down is the device's own state, which others change too; the rest is ours to keep. */
static enum of_error
set_down(struct vport *p, bool down)
{
    struct why why;

    if (!p->device) {
        p->of_config = (p->of_config & ~PORT_DOWN) | (down ? PORT_DOWN : 0);
        return OFERR_OK;
    }
    if (!device_set_up(p->device, !down, &why))
        return OFERR_OK;
    log_warn("%s", why.text);
    return OFERR_OFPPMFC_BAD_CONFIG;
}

static enum of_error
change_port(void *b_, const struct port_mod *m)
{
    struct vbridge *b = b_;
    struct vport *p = vport_numbered(b, m->number);
    struct port_desc now;

    if (!p || !vport_is_live(p))
        return OFERR_OFPPMFC_BAD_PORT;
    describe(p, &now);
    if (!mac_equal(m->mac, now.mac))
        return OFERR_OFPPMFC_BAD_HW_ADDR;
    if (m->config & m->mask & ~CONFIG_SERVED)
        return OFERR_OFPPMFC_BAD_CONFIG;
    uint32_t kept = CONFIG_SERVED & ~PORT_DOWN & m->mask;
    p->of_config = (p->of_config & ~kept) | (m->config & kept);
    enum of_error err = m->mask & PORT_DOWN ? set_down(p, m->config & PORT_DOWN) : OFERR_OK;
    vbridge_publish(b);
    return err;
}

/* ---- what controllers have been told ---- */

struct told_port {
    struct port_desc desc; /* without its name */
};

static void
tell_gone(struct vbridge *b, struct vport *p)
{
    if (!p->told)
        return;
    p->told->desc.name = p->name;
    connmgr_port_changed(b->connmgr, &p->told->desc, PORT_DELETED);
    openflow_port_free(p);
}

static bool
is_same(const struct port_desc *a, const struct port_desc *b)
{
    return mac_equal(a->mac, b->mac) && a->config == b->config && a->state == b->state && a->current == b->current &&
           a->speed_kbps == b->speed_kbps;
}

static void
tell_port(struct vbridge *b, struct vport *p)
{
    struct port_desc now;

    if (!vport_is_live(p)) {
        tell_gone(b, p);
        return;
    }
    describe(p, &now);
    if (p->told && p->told->desc.number != now.number)
        tell_gone(b, p); /* OpenFlow knows no other way to say that a number changed */
    if (p->told && is_same(&p->told->desc, &now))
        return;
    connmgr_port_changed(b->connmgr, &now, p->told ? PORT_MODIFIED : PORT_ADDED);
    if (!p->told)
        p->told = xzalloc(sizeof *p->told);
    p->told->desc = now;
}

void
openflow_tell_ports(struct vbridge *b)
{
    struct vport *p;
    VPORT_FOR (p, b)
        tell_port(b, p);
}

void
openflow_port_free(struct vport *p)
{
    free(p->told);
    p->told = NULL;
}

static void
controllers_changed(void *b)
{
    write_bridge(b);
}

static const struct connmgr_ops ops = {each_port, count_port, change_port, controllers_changed};

/* ---- life ---- */

void
openflow_start(struct vbridge *b)
{
    struct why why;
    b->connmgr = connmgr_new(b->v->loop, b->run, &ops, b);
    AUTO_STR char *target = xasprintf("punix:%s/%s.mgmt", dir_run(), b->name);
    if (connmgr_listen(b->connmgr, target, &why))
        log_err("%s: cannot listen for management connections (%s)", b->name, why.text);
}

void
openflow_stop(struct vbridge *b)
{
    connmgr_free(b->connmgr);
    b->connmgr = NULL;
}

static uint32_t
protocols_of(const struct crow *row)
{
    uint32_t set = 0;
    for (size_t i = 0; i < crow_n(row, "protocols"); i++) {
        enum of_version v;
        if (of_version_parse(crow_nth_str(row, "protocols", i), &v))
            set |= 1u << v;
    }
    return set;
}

void
openflow_configure(struct vbridge *b, const struct crow *row)
{
    crows controllers = VEC_INIT;
    VEC(const char *) targets = VEC_INIT;
    crow_refs(row, "controller", &controllers);
    for (size_t i = 0; i < controllers.n; i++) {
        const char *target = crow_str(controllers.at[i], "target");
        if (target)
            vec_push(&targets, target);
    }
    connmgr_configure(b->connmgr, &(struct connmgr_config){.datapath_id = b->datapath_id,
                                                           .versions = protocols_of(row),
                                                           .description = crow_key(row, "other_config", "dp-desc"),
                                                           .serial = crow_key(row, "other_config", "dp-sn"),
                                                           .controllers = targets.at,
                                                           .n_controllers = targets.n});
    vec_fini(&targets);
    vec_fini(&controllers);
}

/* What the rows of Controller say of how it goes. */
void
openflow_put_status(struct vbridge *b, struct ctxn *t, const struct crow *bridge)
{
    crows controllers = VEC_INIT;
    crow_refs(bridge, "controller", &controllers);
    for (size_t i = 0; i < controllers.n; i++) {
        struct crow *row = controllers.at[i];
        const char *target = crow_str(row, "target");
        struct connmgr_status s;
        if (!target || !b->connmgr || !connmgr_controller_status(b->connmgr, target, &s))
            continue;
        const char *keys[2] = {"state"}, *values[2] = {s.state};
        size_t n = 1;
        if (s.last_error) {
            keys[n] = "last_error";
            values[n++] = s.last_error;
        }
        ctxn_set_bool(t, row, "is_connected", s.is_connected);
        ctxn_set_str(t, row, "role", s.is_connected ? s.role : NULL);
        ctxn_set_map(t, row, "status", keys, values, n);
    }
    vec_fini(&controllers);
}

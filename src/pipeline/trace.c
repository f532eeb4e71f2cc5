/* trace - see the header.
 *
 * Megaflow is the mask that a cached flow gets, said as the field says it: with the type of the frame and of its fragments always, and without
 * the tags that are not there.
 */
#include "pipeline/trace.h"
#include "base/mem.h"
#include "flow/match.h"
#include "pipeline/backer.h"
#include <errno.h>
#include <stdlib.h>

#define VLANS_DEFAULT 1 /* where no datapath says how many tags are read */

static const char *
name_of(void *bridge, uint32_t number)
{
    return bridge_port_name(bridge, number);
}

static const char *
name_of_door(void *backer, dpport door)
{
    const struct backer *b = backer;
    struct wire w = wiring_door(b->wiring, door);
    return w.bridge ? bridge_port_name(w.bridge, w.number) : NULL;
}

static int
read_frame(const struct trace_ask *ask, struct key *key, struct why *why)
{
    const struct backer *b = ask->bridge->backer;
    struct packet_pool *pool = packet_pool_new(1, 1);
    struct packet *p = packet_from(pool, ask->frame, ask->len);
    int err = p ? key_parse(p, b->dp ? dp_vlan_limit(b->dp) : VLANS_DEFAULT, key) : -EMSGSIZE;
    packet_put(p);
    packet_pool_free(pool);
    return err ? refuse(why, err, "%zu bytes are not an Ethernet frame", ask->len) : 0;
}

static void
megaflow_text(const struct key *key, const struct key *mask, const struct port_names *names, struct text *t)
{
    struct match m = {.mask = *mask};
    memset(&m.mask.in_port, 0xff, sizeof m.mask.in_port);
    memset(&m.mask.recirc_id, 0xff, sizeof m.mask.recirc_id);
    memset(&m.mask.eth_type, 0xff, sizeof m.mask.eth_type);
    if (key->eth_type == be16_of(0x0800) || key->eth_type == be16_of(0x86dd))
        m.mask.ip_frag = 0xff;
    for (unsigned i = 0; i < KEY_VLANS; i++)
        if (!key->vlan[i].tpid)
            m.mask.vlan[i].tci = 0;
    const uint64_t *from = (const uint64_t *) (const void *) key, *bits = (const uint64_t *) (const void *) &m.mask;
    uint64_t *to = (uint64_t *) (void *) &m.key;
    for (size_t i = 0; i < sizeof *key / 8; i++)
        to[i] = from[i] & bits[i];
    match_format(&m, names, true, t);
}

static void
answer_text(const struct trace_ask *ask, const struct key *key, const struct key *end, const struct verdict *v,
            const struct port_names *names, struct text *t)
{
    text_add(t, "Final flow: ");
    if (memcmp(key, end, sizeof *key))
        key_format(end, names, t);
    else
        text_add(t, "unchanged");
    text_add(t, "\nMegaflow: ");
    megaflow_text(key, &v->mask, names, t);
    text_add(t, "\nDatapath actions: ");
    if (v->actions.len)
        actions_format(v->actions.bytes, v->actions.len, ask->by_name ? name_of_door : NULL, ask->bridge->backer, t);
    else
        text_add(t, "drop");
    text_addc(t, '\n');
    ACTIONS_FOR(a, v->actions.bytes, v->actions.len)
    if (a->op == ACT_CONTROL && a->arg == CONTROL_STP)
        text_add(t, "This flow is handled by the userspace slow path because it:\n  - Consists of STP packets.\n");
}

int
trace_run(const struct trace_ask *ask, struct text *t, struct why *why)
{
    struct key key = *ask->key;
    if (ask->frame) {
        int err = read_frame(ask, &key, why);
        if (err)
            return err;
        key.in_port = ask->key->in_port;
    }
    ofport number = host32(key.in_port);
    const struct snap_port *port = snapshot_port(ask->bridge->now, number);
    key.port = port ? port->dp : DPPORT_NONE;

    struct port_names names = {NULL, name_of, ask->bridge};
    const struct port_names *by_name = ask->by_name ? &names : NULL;
    text_add(t, "Flow: ");
    key_format(&key, by_name, t);
    text_add(t, "\n\n");

    struct report r = REPORT_INIT;
    struct key end = key;
    struct verdict *v = xmalloc(sizeof *v);
    verdict_init(v, ask->bridge->backer->versions);
    xlate(ask->bridge->backer,
          &(struct xlate_in){.key = &key,
                             .now = ask->now,
                             .may_learn = ask->may_learn,
                             .report = &r,
                             .end = &end,
                             .at = ask->bridge,
                             .number = number},
          v);
    report_text(&r, t);
    answer_text(ask, &key, &end, v, by_name, t);
    verdict_fini(v);
    free(v);
    report_fini(&r);
    return 0;
}

/* connmgr - see the header. */
#include "controller/conn.h"
#include "base/log.h"
#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

/* ---- what the pipeline tells ---- */

static bool
hears(const struct conn *c, bool of_frames)
{
    return c->version && c->wants_async && (c->role != ROLE_SECONDARY || !of_frames);
}

static void
rule_removed(void *a_, const struct rule *r, enum flow_removed_reason reason, instant now)
{
    struct connmgr *a = a_;
    struct flow_removed message = {.reason = reason};
    rule_entry(r, now, &message.flow);
    struct conn *c;
    LIST_FOR (c, in_connmgr, &a->conns)
        if (hears(c, true)) {
            AUTO_TEXT struct text t = TEXT_INIT;
            flow_removed_encode(&message, c->version, c->nxm, &t);
            conn_send(c, &t);
        }
}

static void
packet_in(void *a_, const struct packet_in *p, uint16_t controller_id)
{
    struct connmgr *a = a_;
    struct conn *c;
    LIST_FOR (c, in_connmgr, &a->conns) {
        if (!hears(c, true) || c->controller_id != controller_id)
            continue;
        AUTO_TEXT struct text t = TEXT_INIT;
        struct packet_in mine = *p;
        if (p->reason == PACKET_IN_NO_MATCH && c->version < OF13)
            mine.len = MIN(p->total_len, (size_t) c->miss_send_len);
        packet_in_encode(&mine, c->version, c->packet_in_format, &t);
        conn_send(c, &t);
    }
}

static const struct bridge_ops bridge_events = {{rule_removed}, packet_in};

void
connmgr_port_changed(struct connmgr *a, const struct port_desc *p, enum port_reason reason)
{
    struct conn *c;
    LIST_FOR (c, in_connmgr, &a->conns)
        if (hears(c, false)) {
            AUTO_TEXT struct text t = TEXT_INIT;
            port_status_encode(p, reason, c->version, &t);
            conn_send(c, &t);
        }
}

/* ---- life ---- */

static void
expire(void *a_)
{
    struct connmgr *a = a_;
    instant now = loop_now(a->loop);
    dp_push_stats(backer_datapath(bridge_backer(a->bridge))); /* idleness is judged by what was counted */
    instant next = tables_run(bridge_tables(a->bridge), now);
    if (instant_before(next, INSTANT_NEVER))
        timer_set(&a->expiry,
                  instant_before(next, instant_add(now, millis(100))) ? instant_add(now, millis(100)) : next);
}

/* A rule that can expire has come. */
void
connmgr_watch_expiry(struct connmgr *a)
{
    instant soon = instant_add(loop_now(a->loop), seconds(1));
    if (instant_before(soon, a->expiry.due))
        timer_set(&a->expiry, soon);
}

/* No controller for too long. */
static void
alone(void *a)
{
    bridge_set_controlled(((struct connmgr *) a)->bridge, false);
}

struct connmgr *
connmgr_new(struct loop *loop, struct bridge *br, const struct connmgr_ops *ops, void *aux)
{
    struct connmgr *a = xzalloc(sizeof *a);
    a->loop = loop;
    a->bridge = br;
    a->ops = ops;
    a->aux = aux;
    a->versions = OF_ALL;
    list_init(&a->conns);
    timer_init(&a->expiry, loop, expire, a);
    timer_init(&a->alone, loop, alone, a);
    bridge_set_ops(br, &bridge_events, a);
    return a;
}

static void
replace(char **s, const char *with)
{
    free(*s);
    *s = with ? xstrdup(with) : NULL;
}

void
connmgr_configure(struct connmgr *a, const struct connmgr_config *c)
{
    a->datapath_id = c->datapath_id;
    a->versions = c->versions ? c->versions : OF_ALL;
    replace(&a->description, c->description);
    replace(&a->serial, c->serial);
    controllers_configure(a, c->controllers, c->n_controllers);
}

static void
accepted(void *a, struct stream *s)
{
    conn_new(a, s, NULL);
}

int
connmgr_listen(struct connmgr *a, const char *target, struct why *why)
{
    struct listener *l;
    int err = listener_open(a->loop, target, accepted, a, &l, why);
    if (!err)
        vec_push(&a->listeners, l);
    return err;
}

void
connmgr_free(struct connmgr *a)
{
    if (!a)
        return;
    bridge_set_ops(a->bridge, NULL, NULL);
    controllers_configure(a, NULL, 0);
    while (!list_is_empty(&a->conns))
        conn_free(CONTAINER_OF(a->conns.next, struct conn, in_connmgr));
    for (size_t i = 0; i < a->listeners.n; i++)
        listener_close(a->listeners.at[i]);
    vec_fini(&a->listeners);
    vec_fini(&a->controllers);
    timer_cancel(&a->expiry);
    timer_cancel(&a->alone);
    free(a->description);
    free(a->serial);
    free(a);
}

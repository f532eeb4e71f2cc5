/* control - see the header. */
#include "datapath/dp.h"
#include "base/mem.h"
#include <stdlib.h>

struct control_frame {
    struct control_frame *next;
    uint32_t reason;
    dpport in_port;
    struct offload offload;
    uint32_t len;
    uint8_t bytes[];
};

bool
control_send(struct datapath *dp, uint32_t reason, const struct packet *p)
{
    if (atomic_fetch_add_explicit(&dp->n_frames, 1, memory_order_relaxed) >= CONTROL_MAX) {
        atomic_fetch_sub_explicit(&dp->n_frames, 1, memory_order_relaxed);
        return false;
    }
    struct control_frame *f = malloc(sizeof *f + p->len);
    if (!f) {
        atomic_fetch_sub_explicit(&dp->n_frames, 1, memory_order_relaxed);
        return false;
    }
    f->reason = reason;
    f->in_port = p->in_port;
    f->offload = p->offload;
    f->len = p->len;
    packet_read(p, 0, f->bytes, p->len);
    f->next = atomic_load_explicit(&dp->frames, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&dp->frames, &f->next, f, memory_order_release, memory_order_relaxed))
        continue;
    dp_reap_soon(dp);
    return true;
}

/* Oldest first. */
static struct control_frame *
take_all(struct datapath *dp)
{
    struct control_frame *f = atomic_exchange_explicit(&dp->frames, NULL, memory_order_acquire), *turned = NULL;
    while (f) {
        struct control_frame *next = f->next;
        f->next = turned;
        turned = f;
        f = next;
    }
    return turned;
}

static void
serve_one(struct datapath *dp, const struct control_frame *f)
{
    struct packet *p = packet_from(dp->pool, f->bytes, f->len);
    if (!p)
        return;
    p->in_port = f->in_port;
    p->offload = f->offload;
    struct key *key = xmalloc(sizeof *key);
    if (dp->ops->control && key_parse(p, dp_vlan_limit(dp), key) == 0)
        dp->ops->control(dp->aux, f->reason, key, p);
    free(key);
    packet_put(p);
}

void
control_serve(struct datapath *dp)
{
    for (struct control_frame *f = take_all(dp), *next; f; f = next) {
        next = f->next;
        serve_one(dp, f);
        atomic_fetch_sub_explicit(&dp->n_frames, 1, memory_order_relaxed);
        free(f);
    }
}

void
control_clear(struct datapath *dp)
{
    for (struct control_frame *f = take_all(dp), *next; f; f = next) {
        next = f->next;
        free(f);
    }
}

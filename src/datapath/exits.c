/* exits - see the header. */
#include "datapath/exits.h"

static void
count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

void
exits_init(struct exits *x, struct datapath *dp)
{
    memset(x, 0, sizeof *x);
    x->dp = dp;
    atomic_flag_clear(&x->ring_lock);
    for (unsigned i = 0; i < OUTS; i++)
        x->outs[i].port = DPPORT_NONE;
}

static void
ring_lock(struct exits *x)
{
    while (atomic_flag_test_and_set_explicit(&x->ring_lock, memory_order_acquire))
        continue;
}

static void
ring_unlock(struct exits *x)
{
    atomic_flag_clear_explicit(&x->ring_lock, memory_order_release);
}

/* Nobody reads more than a few drops of a burst: the rest is only counted. */
static void
remember(struct exits *x, const struct packet *p, enum drop reason)
{
    if (x->ring_this_burst++ >= LAST_DROPS_PER_BURST)
        return;
    struct dp_last_drop d = {.reason = reason, .in_port = p->in_port, .when = x->now, .len = p->len};
    memcpy(d.head, p->data, MIN(sizeof d.head, packet_head_len(p)));
    ring_lock(x);
    x->ring[x->ring_next] = d;
    x->ring_next = (x->ring_next + 1) % LAST_DROPS;
    x->ring_total++;
    ring_unlock(x);
}

void
exits_drop(struct exits *x, struct packet *p, enum drop reason)
{
    count(&x->drops[reason], 1);
    remember(x, p, reason);
    packet_put(p);
}

size_t
exits_last_drops(struct exits *x, struct dp_last_drop *out, size_t max)
{
    ring_lock(x);
    size_t n = MIN(MIN(max, LAST_DROPS), x->ring_total);
    for (size_t i = 0; i < n; i++)
        out[i] = x->ring[(x->ring_next + LAST_DROPS - 1 - i) % LAST_DROPS];
    ring_unlock(x);
    return n;
}

void
exits_flush_one(struct exits *x, struct out *out)
{
    if (!out->n)
        return;
    struct dp_port *port = out->port < x->ports->n ? x->ports->at[out->port] : NULL;
    if (likely(port != NULL)) {
        port->device->class->send(port->device, out->packets, out->n);
        count(&x->sent, out->n);
    } else {
        for (unsigned i = 0; i < out->n; i++)
            exits_drop(x, out->packets[i], DROP_PORT_DOWN);
    }
    out->n = 0;
    x->open &= ~(1ULL << (out - x->outs));
}

void
exits_flush(struct exits *x)
{
    while (x->open)
        exits_flush_one(x, &x->outs[__builtin_ctzll(x->open)]);
}

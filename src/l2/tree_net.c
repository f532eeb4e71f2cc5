#include "l2/tree_net.h"
#include "base/mem.h"
#include "base/test.h"

void
tree_init(struct tree_net *n, const struct tree_ops *ops, unsigned n_bridges)
{
    *n = (struct tree_net){.ops = ops, .now = {1000000000}, .n_bridges = n_bridges};
    n->bridges = xcalloc(n_bridges, sizeof *n->bridges);
    n->n_ports = xcalloc(n_bridges, sizeof *n->n_ports);
    n->up = xcalloc(n_bridges, sizeof *n->up);
    n->n_flushes = xcalloc(n_bridges, sizeof *n->n_flushes);
    for (unsigned i = 0; i < n_bridges; i++)
        n->bridges[i] = ops->new (i);
}

void
tree_fini(struct tree_net *n)
{
    for (unsigned i = 0; i < n->n_bridges; i++)
        n->ops->free(n->bridges[i]);
    for (size_t i = 0; i < n->lans.n; i++)
        vec_fini(&n->lans.at[i].ends);
    vec_fini(&n->lans);
    free(n->bridges);
    free(n->n_ports);
    free(n->up);
    free(n->n_flushes);
}

unsigned
tree_lan(struct tree_net *n)
{
    vec_push(&n->lans, (struct tree_lan){.is_cut = false});
    return n->lans.n - 1;
}

void
tree_join(struct tree_net *n, unsigned lan, unsigned bridge)
{
    unsigned port = ++n->n_ports[bridge];
    n->up[bridge] |= 1ull << port;
    vec_push(&n->lans.at[lan].ends, ((struct tree_end){bridge, port}));
}

unsigned
tree_link(struct tree_net *n, unsigned a, unsigned b)
{
    unsigned lan = tree_lan(n);
    tree_join(n, lan, a);
    tree_join(n, lan, b);
    return lan;
}

/* ---- is it a tree? ---- */

static unsigned
find(unsigned *parent, unsigned i)
{
    while (parent[i] != i)
        i = parent[i] = parent[parent[i]];
    return i;
}

/* Joins LANs and bridges through every forwarding port; returns how many groups of LANs remain, and whether anything was joined twice. */
static unsigned
groups(const struct tree_net *n, bool *has_loop)
{
    unsigned *parent = xcalloc(n->n_bridges + n->lans.n, sizeof *parent), left = 0;
    for (unsigned i = 0; i < n->n_bridges + n->lans.n; i++)
        parent[i] = i;
    *has_loop = false;
    for (unsigned l = 0; l < n->lans.n; l++)
        for (size_t e = 0; e < n->lans.at[l].ends.n; e++) {
            struct tree_end end = n->lans.at[l].ends.at[e];
            if (n->lans.at[l].is_cut || !n->ops->forwards(n->bridges[end.bridge], end.port))
                continue;
            unsigned a = find(parent, end.bridge), b = find(parent, n->n_bridges + l);
            *has_loop |= a == b;
            parent[a] = b;
        }
    for (unsigned i = n->n_bridges; i < n->n_bridges + n->lans.n; i++)
        left += parent[i] == i && n->lans.at[i - n->n_bridges].ends.n && !n->lans.at[i - n->n_bridges].is_cut;
    free(parent);
    return left;
}

bool
tree_is_whole(const struct tree_net *n)
{
    bool has_loop;
    return groups(n, &has_loop) == 1 && !has_loop;
}

unsigned
tree_n_blocked(const struct tree_net *n)
{
    unsigned blocked = 0;
    for (unsigned b = 0; b < n->n_bridges; b++)
        for (unsigned p = 1; p <= n->n_ports[b]; p++)
            blocked += (n->up[b] >> p & 1) && !n->ops->forwards(n->bridges[b], p);
    return blocked;
}

/* ---- running ---- */

static const struct tree_lan *
lan_of(const struct tree_net *n, unsigned bridge, unsigned port)
{
    for (size_t l = 0; l < n->lans.n; l++)
        for (size_t e = 0; e < n->lans.at[l].ends.n; e++)
            if (n->lans.at[l].ends.at[e].bridge == bridge && n->lans.at[l].ends.at[e].port == port)
                return &n->lans.at[l];
    return NULL;
}

static bool
deliver_one(struct tree_net *n, unsigned bridge)
{
    uint8_t bytes[TREE_BPDU_MAX];
    unsigned port;
    size_t len;
    if (!n->ops->send(n->bridges[bridge], &port, bytes, &len))
        return false;
    n->n_bpdus++;
    const struct tree_lan *lan = lan_of(n, bridge, port);
    if (!lan || lan->is_cut || !(n->up[bridge] >> port & 1))
        return true;
    for (size_t e = 0; e < lan->ends.n; e++) {
        struct tree_end to = lan->ends.at[e];
        if ((to.bridge != bridge || to.port != port) && (n->up[to.bridge] >> to.port & 1))
            n->ops->receive(n->bridges[to.bridge], to.port, bytes, len, n->now);
    }
    return true;
}

static void
look(struct tree_net *n)
{
    bool has_loop;
    groups(n, &has_loop);
    n->loops += has_loop;
    for (unsigned b = 0; b < n->n_bridges; b++)
        n->n_flushes[b] += n->ops->take_flush(n->bridges[b]);
}

static void
settle(struct tree_net *n)
{
    bool again = true;
    for (unsigned rounds = 0; again; rounds++) {
        CHECK(rounds < 10000); /* a storm of BPDUs */
        again = false;
        for (unsigned b = 0; b < n->n_bridges; b++)
            while (deliver_one(n, b)) {
                again = true;
                look(n);
            }
    }
    look(n);
}

static void
configure(struct tree_net *n, unsigned bridge)
{
    n->ops->configure(n->bridges[bridge], bridge, n->n_ports[bridge], n->up[bridge], n->now);
}

void
tree_start(struct tree_net *n)
{
    for (unsigned b = 0; b < n->n_bridges; b++)
        configure(n, b);
    settle(n);
}

void
tree_port_up(struct tree_net *n, struct tree_end end, bool is_up)
{
    if (is_up)
        n->up[end.bridge] |= 1ull << end.port;
    else
        n->up[end.bridge] &= ~(1ull << end.port);
    configure(n, end.bridge);
    settle(n);
}

void
tree_run(struct tree_net *n, span how_long)
{
    instant end = instant_add(n->now, how_long);
    for (;;) {
        instant next = INSTANT_NEVER;
        for (unsigned b = 0; b < n->n_bridges; b++)
            next = instant_min(next, n->ops->next(n->bridges[b]));
        if (instant_before(end, next))
            break;
        n->now = instant_before(n->now, next) ? next : n->now;
        for (unsigned b = 0; b < n->n_bridges; b++)
            n->ops->tick(n->bridges[b], n->now);
        settle(n);
    }
    n->now = end;
}

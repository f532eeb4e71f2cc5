/* waiting - see the header.
 *
 * Theory.  A ring of slots in order of arrival, and chains through the same slots by hash, so that "does one of this flow wait?" is a short walk.
 *          Both are FIFO: the oldest packet of the ring is the first of its chain, so taking it needs no search.
 */
#include "datapath/waiting.h"
#include "base/mem.h"
#include <stdlib.h>

#define CHAINS 4096
#define NO_SLOT UINT16_MAX

struct waiting_port {
    struct cache_port *cp;
    struct waiting_port *next; /* in a circle, while packets wait */
    uint16_t head, n;
    uint16_t first[CHAINS], last[CHAINS];
    struct {
        struct packet *packet;
        uint32_t hash;
        uint16_t next;
    } slots[WAITING_PER_PORT];
};

static struct waiting_port *
port_new(struct cache_port *cp)
{
    struct waiting_port *w = xmalloc(sizeof *w);
    w->cp = cp;
    w->next = NULL;
    w->head = w->n = 0;
    memset(w->first, 0xff, sizeof w->first);
    memset(w->last, 0xff, sizeof w->last);
    return w;
}

static unsigned
n_of_flow(const struct waiting_port *w, uint32_t hash)
{
    unsigned n = 0;
    for (uint16_t i = w->first[hash % CHAINS]; i != NO_SLOT; i = w->slots[i].next)
        n += w->slots[i].hash == hash;
    return n;
}

bool
waiting_has(const struct cache_port *cp, uint32_t hash)
{
    const struct waiting_port *w = cp->waiting;
    if (!w || !w->n)
        return false;
    for (uint16_t i = w->first[hash % CHAINS]; i != NO_SLOT; i = w->slots[i].next)
        if (w->slots[i].hash == hash)
            return true;
    return false;
}

bool
waiting_put(struct waiting *all, struct cache_port *cp, struct packet *p, uint32_t hash)
{
    if (!cp->waiting)
        cp->waiting = port_new(cp);
    struct waiting_port *w = cp->waiting;
    if (w->n == WAITING_PER_PORT || all->n == WAITING_TOTAL || n_of_flow(w, hash) >= WAITING_PER_FLOW)
        return false;
    uint16_t at = (w->head + w->n++) % WAITING_PER_PORT;
    w->slots[at].packet = p;
    w->slots[at].hash = hash;
    w->slots[at].next = NO_SLOT;
    uint16_t *last = &w->last[hash % CHAINS];
    if (*last == NO_SLOT)
        w->first[hash % CHAINS] = at;
    else
        w->slots[*last].next = at;
    *last = at;
    all->n++;
    atomic_store_explicit(&cp->n_waiting, w->n, memory_order_release);
    if (w->n == 1) { /* joins the circle behind the one whose turn it is */
        w->next = all->ports ? all->ports->next : w;
        if (all->ports)
            all->ports->next = w;
        all->ports = w;
    }
    return true;
}

struct packet *
waiting_take(struct waiting *all, struct cache_port **cp)
{
    if (!all->ports)
        return NULL;
    struct waiting_port *before = all->ports, *w = before->next;
    uint16_t at = w->head;
    unsigned chain = w->slots[at].hash % CHAINS;
    debug_assert(w->first[chain] == at);
    w->first[chain] = w->slots[at].next;
    if (w->first[chain] == NO_SLOT)
        w->last[chain] = NO_SLOT;
    w->head = (at + 1) % WAITING_PER_PORT;
    w->n--;
    all->n--;
    struct packet *p = w->slots[at].packet;
    if (!w->n) {
        before->next = w->next;
        all->ports = w == before ? NULL : before;
    } else {
        all->ports = w; /* the next one is next */
    }
    *cp = w->cp;
    return p;
}

void
waiting_done(struct cache_port *cp)
{
    atomic_store_explicit(&cp->n_waiting, cp->waiting->n, memory_order_release);
}

void
waiting_clear(struct waiting *all)
{
    struct cache_port *cp;
    struct packet *p;
    while ((p = waiting_take(all, &cp)))
        packet_put(p);
}

bool
waiting_port_is_empty(const struct cache_port *cp)
{
    return !cp->waiting || !cp->waiting->n;
}

void
waiting_port_free(struct cache_port *cp)
{
    free(cp->waiting);
    cp->waiting = NULL;
}

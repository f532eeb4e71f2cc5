/* execute - running a program over the packets of one flow.
 *
 * Theory.  Action by action, each over all packets: what an action needs is then looked up once.  An output that is not the last word of the program
 *          takes a reference; the bytes are shared until somebody changes them (packet_own).  One function per row of actions.def; each
 *          returns how many packets go on.
 */
#include "datapath/control.h"
#include "datapath/exits.h"
#include "packet/edit.h"

struct run {
    struct exits *x;
    const struct act *act;
    struct packet **packets;
    unsigned n;
    bool is_last; /* nothing comes after this action: an output may take the packets themselves */
    bool did_put_out;
    uint32_t trunc; /* length of the next output; 0: whole */
};

/* Every packet alone with its bytes; those for which there is no memory are dropped. */
static void
own_all(struct run *r)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < r->n; i++) {
        struct packet *p = r->packets[i];
        if (unlikely(p->n_refs > 1)) {
            struct packet *alone = packet_own(p);
            if (!alone) {
                atomic_fetch_add_explicit(&r->x->drops[DROP_NO_BUFFER], 1, memory_order_relaxed);
                continue;
            }
            p = alone;
        }
        r->packets[kept++] = p;
    }
    r->n = kept;
}

static struct packet *
truncated(struct exits *x, struct packet *p, uint32_t len)
{
    struct packet *cut = packet_copy_to(p->pool, p);
    if (!cut)
        return NULL;
    if (cut->len > len) {
        uint32_t head = packet_head_len(cut);
        if (len <= head && cut->tail) {
            packet_tail_put(cut->tail);
            cut->tail = NULL;
        }
        cut->tail_len = len > head ? len - head : 0;
        cut->len = len;
        cut->offload = (struct offload){0}; /* what it owed belonged to the bytes that are gone */
    }
    return cut;
}

static void
execute_output(struct run *r)
{
    dpport port = r->act->arg;
    r->did_put_out = true;
    for (unsigned i = 0; i < r->n; i++) {
        struct packet *p = r->packets[i];
        if (unlikely(r->trunc)) {
            struct packet *cut = truncated(r->x, p, r->trunc);
            if (cut)
                exits_output(r->x, port, cut);
            else
                atomic_fetch_add_explicit(&r->x->drops[DROP_NO_BUFFER], 1, memory_order_relaxed);
            if (r->is_last)
                packet_put(p);
        } else {
            exits_output(r->x, port, r->is_last ? p : packet_ref(p));
        }
    }
    r->trunc = 0;
    if (r->is_last)
        r->n = 0;
}

static void
execute_push_vlan(struct run *r)
{
    own_all(r);
    unsigned kept = 0;
    for (unsigned i = 0; i < r->n; i++) {
        if (packet_push_vlan(r->packets[i], be16_of(r->act->arg >> 16), be16_of(r->act->arg & 0xffff)))
            r->packets[kept++] = r->packets[i];
        else
            exits_drop(r->x, r->packets[i], DROP_NO_BUFFER);
    }
    r->n = kept;
}

static void
execute_pop_vlan(struct run *r)
{
    own_all(r);
    for (unsigned i = 0; i < r->n; i++)
        packet_pop_vlan(r->packets[i]);
}

static void
execute_set_vlan(struct run *r)
{
    own_all(r);
    for (unsigned i = 0; i < r->n; i++)
        packet_set_vlan_tci(r->packets[i], be16_of(r->act->arg));
}

static void
execute_set_headers(struct run *r)
{
    /* Only their frame sections are there, which is all that headers can be set from. */
    const struct key *from = (const void *) (r->act + 1);
    const struct key *to = (const void *) ((const uint8_t *) from + KEY_FRAME_BYTES);
    own_all(r);
    unsigned kept = 0;
    for (unsigned i = 0; i < r->n; i++) {
        if (packet_set_headers(r->packets[i], from, to))
            r->packets[kept++] = r->packets[i];
        else
            exits_drop(r->x, r->packets[i], DROP_TRANSLATE_FAILED);
    }
    r->n = kept;
}

static void
execute_trunc(struct run *r)
{
    r->trunc = r->act->arg;
}

static void
execute_control(struct run *r)
{
    r->did_put_out = true;
    for (unsigned i = 0; i < r->n; i++)
        if (!control_send(r->x->dp, r->act->arg, r->packets[i]))
            atomic_fetch_add_explicit(&r->x->drops[DROP_CONTROL_FULL], 1, memory_order_relaxed);
}

static void
execute_drop(struct run *r)
{
    r->did_put_out = true;
    for (unsigned i = 0; i < r->n; i++)
        exits_drop(r->x, r->packets[i], r->act->arg < DROP_N ? r->act->arg : DROP_RULE);
    r->n = 0;
}

static void (*const executors[])(struct run *) = {
#define ACT(ID, WORD, TEXT) [ACT_##ID] = execute_##WORD,
#include "datapath/actions.def"
};

void
execute(struct exits *x, const void *actions, size_t n, enum drop reason, struct packet *packets[], unsigned n_packets)
{
    struct run r = {.x = x, .packets = packets, .n = n_packets};
    const uint8_t *end = (const uint8_t *) actions + n;
    ACTIONS_FOR(a, actions, n)
    {
        r.act = a;
        r.is_last = (const uint8_t *) act_next(a) == end;
        executors[a->op](&r);
        if (!r.n)
            return;
    }
    for (unsigned i = 0; i < r.n; i++) {
        if (r.did_put_out)
            packet_put(r.packets[i]);
        else
            exits_drop(x, r.packets[i], reason);
    }
}

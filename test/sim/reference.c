/* reference - see the header. */
#include "reference.h"

struct state {
    uint8_t frame[REFERENCE_MAX];
    size_t len;
    size_t cut; /* of the next output; 0: none */
};

static bool
has_tag(const struct state *s)
{
    uint16_t type = load_be16(s->frame + 12);
    return s->len >= 18 && (type == 0x8100 || type == 0x88a8);
}

static void
push_vlan(struct state *s, uint16_t tpid, uint16_t tci)
{
    ASSERT(s->len + 4 <= sizeof s->frame);
    memmove(s->frame + 16, s->frame + 12, s->len - 12);
    store_be16(s->frame + 12, tpid);
    store_be16(s->frame + 14, tci);
    s->len += 4;
}

static void
pop_vlan(struct state *s)
{
    if (has_tag(s)) {
        memmove(s->frame + 12, s->frame + 16, s->len - 16);
        s->len -= 4;
    }
}

static void
set_vlan(struct state *s, uint16_t tci)
{
    if (has_tag(s))
        store_be16(s->frame + 14, tci);
    else
        push_vlan(s, 0x8100, tci);
}

static void
output(struct state *s, dpport door, reference_emit *emit, void *aux)
{
    emit(aux, door, s->frame, s->cut ? MIN(s->cut, s->len) : s->len);
    s->cut = 0;
}

void
reference_run(const void *actions, size_t n, const uint8_t *frame, size_t len, reference_emit *emit, void *aux)
{
    struct state s = {.len = len};
    ASSERT(len <= sizeof s.frame);
    memcpy(s.frame, frame, len);
    ACTIONS_FOR(a, actions, n)
    switch (a->op) {
    case ACT_OUTPUT:
        output(&s, a->arg, emit, aux);
        break;
    case ACT_PUSH_VLAN:
        push_vlan(&s, a->arg >> 16, (uint16_t) a->arg);
        break;
    case ACT_POP_VLAN:
        pop_vlan(&s);
        break;
    case ACT_SET_VLAN:
        set_vlan(&s, a->arg);
        break;
    case ACT_CONTROL:
        emit(aux, DPPORT_NONE, s.frame, s.len);
        break;
    case ACT_TRUNC:
        s.cut = a->arg;
        break;
    case ACT_DROP:
        return;
    default:
        NOT_REACHED();
    }
}

/* action - programs of bytes, and the names of drops. */
#include "datapath/action.h"
#include "base/mem.h"

const char *const drop_names[DROP_N] = {
#define DROP(ID, NAME, SENTENCE) NAME,
#include "datapath/drops.def"
};
const char *const drop_sentences[DROP_N] = {
#define DROP(ID, NAME, SENTENCE) SENTENCE,
#include "datapath/drops.def"
};

const char *const control_reason_names[CONTROL_N_REASONS] = {
    [CONTROL_CFM] = "cfm", [CONTROL_BFD] = "bfd",   [CONTROL_LACP] = "lacp",
    [CONTROL_STP] = "stp", [CONTROL_LLDP] = "lldp", [CONTROL_CONTROLLER] = "controller",
};

void
actions_init(struct actions *a)
{
    a->bytes = (uint8_t *) a->fixed;
    a->len = 0;
    a->room = sizeof a->fixed;
}

void
actions_fini(struct actions *a)
{
    if (a->bytes != (uint8_t *) a->fixed)
        free(a->bytes);
    actions_init(a);
}

static void
make_room(struct actions *a, uint32_t more)
{
    if (a->room - a->len >= more)
        return;
    uint32_t room = MAX(a->room * 2, a->len + more);
    if (a->bytes == (uint8_t *) a->fixed) {
        a->bytes = xmalloc(room);
        memcpy(a->bytes, a->fixed, a->len);
    } else {
        a->bytes = xrealloc(a->bytes, room);
    }
    a->room = room;
}

void
actions_add(struct actions *a, enum act_op op, uint32_t arg, const void *payload, size_t n)
{
    uint32_t len = sizeof(struct act) + ROUND_UP(n, 8);
    ASSERT(len <= UINT16_MAX);
    make_room(a, len);
    struct act *act = (struct act *) (a->bytes + a->len);
    *act = (struct act){.op = op, .len = len, .arg = arg};
    memset(act + 1, 0, len - sizeof *act);
    if (n)
        memcpy(act + 1, payload, n);
    a->len += len;
}

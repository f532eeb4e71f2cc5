/* action - what a cached flow does, as a short program of bytes.
 *
 * Shape.     A sequence of (struct act, payload) each a multiple of 8 bytes; no program: drop.  Made by dp_act_*(), run by lanes (execute.c),
 *            printed and parsed in the text of ovs-dpctl(8) (action_text.c).  actions.def lists them: one row, one function in each room that
 *            does something for every action.
 */
#ifndef DATAPATH_ACTION_H
#define DATAPATH_ACTION_H 1

#include "packet/key.h"
#include "base/text.h"
#include "base/why.h"

enum act_op {
#define ACT(ID, WORD, TEXT) ACT_##ID,
#include "datapath/actions.def"
    ACT_N
};

struct act {
    uint16_t op;
    uint16_t len; /* with this header, a multiple of 8 */
    uint32_t
        arg; /* OUTPUT: port.  PUSH_VLAN: tpid << 16 | tci (host order).  DROP: enum drop.  TRUNC: length.  others: see actions.def */
};

/* Bytes that grow.  'fixed' is used first, so that most translations allocate nothing. */
struct actions {
    uint8_t *bytes;
    uint32_t len, room;
    uint64_t fixed[64];
};

void actions_init(struct actions *);
void actions_fini(struct actions *);
void actions_add(struct actions *, enum act_op, uint32_t arg, const void *payload, size_t n); /* pads with zeros */

static inline const struct act *
act_next(const struct act *a)
{
    return (const struct act *) ((const uint8_t *) a + a->len);
}

#define ACTIONS_FOR(a, bytes, n)                                                                                       \
    for (const struct act *a = (const struct act *) (bytes),                                                           \
                          *end_##a = (const struct act *) ((const uint8_t *) (bytes) + (n));                           \
         a < end_##a; a = act_next(a))

/* "push_vlan(vid=5,pcp=0),3,4" or "drop".  port_name may be NULL (numbers). */
void actions_format(const void *bytes, size_t n, const char *(*port_name)(void *aux, dpport), void *aux, struct text *);

/* Reads the same text; what is read is added to the actions, which are unchanged on refusal.  "drop" is no action at all. */
int actions_parse(const char *, dpport (*port_by_name)(void *aux, const char *), void *aux, struct actions *,
                  struct why *);

/* Why a frame goes up: the argument of ACT_CONTROL. */
enum control_reason {
    CONTROL_CFM,
    CONTROL_BFD,
    CONTROL_LACP,
    CONTROL_STP,
    CONTROL_LLDP,
    CONTROL_CONTROLLER,
    CONTROL_N_REASONS
};
extern const char *const control_reason_names[CONTROL_N_REASONS];

enum drop {
#define DROP(ID, NAME, SENTENCE) DROP_##ID,
#include "datapath/drops.def"
    DROP_N
};
extern const char *const drop_names[DROP_N];
extern const char *const drop_sentences[DROP_N];

#endif

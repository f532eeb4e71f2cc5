#include "flow/match.h"
#include "pipeline/trace.h"
#include <errno.h>

static uint32_t
number_of(void *aux, const char *name)
{
    return bridge_port_number(aux, name);
}

int
trace_parse(struct bridge *b, const char *flow, struct key *key, struct why *why)
{
    const struct port_names names = {.number = number_of, .aux = b};
    struct match m = {{0}};

    if (match_parse(flow, &names, &m, why))
        return refuse_in(why, -EINVAL, "Bad openflow flow syntax: %s", flow);
    *key = m.key;
    for (unsigned i = 0; i < KEY_VLANS; i++)
        if (key->vlan[i].tci && !key->vlan[i].tpid)
            key->vlan[i].tpid = be16_of(0x8100); /* which these words cannot say */
    if (!m.mask.in_port)
        key->in_port = be32_of(OFPORT_NONE); /* from no port */
    return 0;
}

/* packet_out - a frame that a controller sends: its actions are translated once, here, and the lanes' executor runs the result. */
#include "base/mem.h"
#include "pipeline/openflow.h"
#include "pipeline/walk.h"
#include <stdlib.h>

static enum of_error
read_frame(struct bridge *br, struct packet *p, uint32_t in_port, struct key *key)
{
    if (!p || key_parse(p, dp_vlan_limit(br->backer->dp), key))
        return OFERR_OFPBRC_BAD_PACKET;
    const struct snap_port *port = snapshot_port(br->now, in_port);
    key->in_port = be32_of(in_port);
    key->port = port ? port->dp : DPPORT_NONE;
    return OFERR_OK;
}

enum of_error
bridge_packet_out(struct bridge *br, const void *frame, size_t len, uint32_t in_port, const void *actions,
                  size_t actions_len, instant now)
{
    enum of_error err = steps_check(actions, actions_len);
    if (err)
        return err;
    struct key key;
    struct packet_pool *pool = packet_pool_new(1, 1);
    struct packet *p = packet_from(pool, frame, len);
    err = read_frame(br, p, in_port, &key);
    if (!err) {
        struct verdict *v = xmalloc(sizeof *v);
        verdict_init(v, br->backer->versions);
        xlate(br->backer,
              &(struct xlate_in){.key = &key,
                                 .packet = p,
                                 .now = now,
                                 .may_learn = true,
                                 .may_tell = true,
                                 .at = br,
                                 .number = in_port < OFPORT_MAX || in_port == OFPORT_LOCAL ? in_port : OFPORT_NONE,
                                 .list = actions,
                                 .list_len = actions_len},
              v);
        if (v->actions.len)
            dp_packet_out(br->backer->dp, frame, len, key.port, v->actions.bytes, v->actions.len);
        verdict_fini(v);
        free(v);
    }
    packet_put(p);
    packet_pool_free(pool);
    return err;
}

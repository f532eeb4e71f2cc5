/* model - one VLAN bridge as a person would explain it, slow and plain; written from the manual, apart from src/.
 *
 * Tags are pairs (type, tci without the CFI bit), outermost first.  A port is one bundle of one member.
 */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H 1

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

#define MODEL_PORTS 8
#define MODEL_MACS 12
#define MODEL_TAGS 6

struct model_port {
    bool exists, is_up, may_flood, is_protected;
    char mode; /* a: access, t: trunk, n: native-tagged, u: native-untagged, q: dot1q-tunnel */
    unsigned vid;
    bool all; /* trunks, or of a tunnel port cvlans */
    bool list[4096];
    bool q_is_8100;
    char priority; /* n: never, z: if-nonzero, a: always */
};

struct model_frame {
    unsigned src, dst; /* numbers of MACs; dst MODEL_MACS: broadcast */
    unsigned n_tags;
    struct {
        uint16_t type, tci;
    } tags[MODEL_TAGS];
};

struct model {
    struct model_port ports[MODEL_PORTS];
    bool flood_vlan[4096];
    double max_age;
    struct {
        bool known;
        unsigned port;
        double heard;
    } fdb[4096][MODEL_MACS];
};

/* What leaves by each port: 'left[i]' tells whether, 'out[i]' what. */
void model_run(struct model *, unsigned in, const struct model_frame *, double now, bool left[MODEL_PORTS],
               struct model_frame out[MODEL_PORTS]);
void model_forget_port(struct model *, unsigned port);

#endif

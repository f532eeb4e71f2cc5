/* commands - what ovs-appctl can ask of the switch; each file registers its own.
 *
 * For the files of this room only.  Words, text and errors are those of ovs-vswitchd(8), ovs-dpctl(8); with --format json a show command answers
 * with the same facts as an array or object.
 */
#ifndef SWITCH_COMMANDS_H
#define SWITCH_COMMANDS_H 1

#include "io/unixctl.h"
#include "switch/model.h"

void commands_fdb(struct vswitch *);    /* fdb/ */
void commands_bridge(struct vswitch *); /* ofproto/list, bridge/, bond/, qos/, memory/ */
void commands_dpif(struct vswitch *);   /* dpif/, upcall/, revalidator/ */
void commands_dpctl(struct vswitch *);  /* dpctl/ */
void commands_lanes(struct vswitch *);  /* dpif-netdev/ */
void commands_drops(struct vswitch *);  /* drops/ */
void commands_stp(struct vswitch *);    /* stp/ */
void commands_trace(struct vswitch *);  /* ofproto/trace */
void commands_dummy(struct vswitch *);  /* netdev-dummy/receive, time/; only where dummies are enabled */

typedef VEC(struct vbridge *) vbridges;
typedef VEC(struct vport *) vports;
/* Running bridges of one type (DP_N: of all), by name; vec_fini() when done. */
void vbridges_sorted(const struct vswitch *, enum dp_type, vbridges *);
/* Live ports of a bridge, by name. */
void vports_sorted(const struct vbridge *, vports *);
/* A running bridge; NULL: it has answered "no such bridge". */
struct vbridge *bridge_asked(struct unixctl_conn *, const struct vswitch *, const char *name);

struct dp_title {
    char s[40];
};
struct dp_title dp_title(enum dp_type); /* "netdev@ovs-netdev" */
struct vport *vport_of_dp(const struct vswitch *, enum dp_type, dpport);
const char *dp_port_name(void *dp_names, dpport); /* for flow_format() and actions_format() */
dpport dp_port_named(void *dp_names, const char *);
struct dp_names {
    const struct vswitch *v;
    enum dp_type type;
};

/* Hex digits (spaces between bytes are fine) to bytes: how many, or -EINVAL. */
int hex_parse(const char *, uint8_t *bytes, size_t room, struct why *);

/* Flows of a datapath as lines. */
struct flow_dump_options {
    const struct vbridge *bridge; /* NULL: of all */
    bool verbose, names;
};
void dump_flows(const struct vswitch *, enum dp_type, const struct flow_dump_options *, struct text *);
bool flow_dump_option(struct flow_dump_options *, const char *word); /* false: not one of -m --names --no-names */

/* The datapath that 'name' means; NULL: the only one there is.  DP_N: none, and it has been answered. */
enum dp_type datapath_named(const struct vswitch *, const char *name); /* DP_N: none */
enum dp_type datapath_asked(struct unixctl_conn *, const struct vswitch *, const char *name);

#endif

/* vsctl - ovs-vsctl: what it knows of an Open vSwitch configuration beyond tables and rows.
 *
 * Model.    Bridges, ports and interfaces by name, as people see them: a "fake" bridge is a port with a tag inside a real bridge, and the ports
 *           with its tag count as its own.  Derived from the replica when a command first asks, dropped whenever a command changes
 *           what it was derived from.
 * Reach.    A line with one such command rarely needs to see every port: it begins with a narrow view, and what that cannot answer is
 *           refused with -ESTALE; the run then widens the view and begins again.
 */
#ifndef CLI_VSCTL_H
#define CLI_VSCTL_H 1

#include "base/hmap.h"
#include "cli/ctl.h"

struct model_bridge {
    struct hmap_node node;
    const char *name;
    struct crow *row;            /* of Bridge; of a fake bridge: of its parent */
    struct model_bridge *parent; /* NULL: a real one */
    struct crow *port;           /* of a fake bridge: the port that makes it */
    int vlan;
};
struct model_port {
    struct hmap_node node;
    const char *name;
    struct crow *row;
    struct model_bridge *bridge;
};
struct model_iface {
    struct hmap_node node;
    const char *name;
    struct crow *row;
    struct model_port *port;
};

enum model_reach {
    MODEL_ALL,
    MODEL_BRIDGES, /* the bridges, and whether there are fake ones */
    MODEL_NEW,     /* those, and whether ports or interfaces have one of 'names' */
    MODEL_NAMED,   /* those, and the ports that have one of 'names' */
};

struct vsctl {
    struct crow *ovs; /* the row of Open_vSwitch */
    enum model_reach reach;
    VEC(const char *) names;
    bool has_model;
    struct hmap bridges, ports, ifaces;
    unsigned n_conflicts;        /* attempts that another run was faster than */
    VEC(struct uuid) new_ifaces; /* provisional: looked at again once the switch has taken them */
};

static inline struct vsctl *
vsctl_of(const struct ctl *ctl)
{
    return ctl->aux;
}

int model_want(struct ctl *, struct ctl_run *, struct why *);
int model_want_bridges(struct ctl *, struct ctl_run *, struct why *);
int model_want_new(struct ctl *, struct ctl_run *, struct why *);   /* add-port, add-bond */
int model_want_named(struct ctl *, struct ctl_run *, struct why *); /* the last word names a port or interface */
void model_widen(struct ctl *);
void model_init(struct vsctl *);
int model_build(struct ctl *, struct why *); /* fine if it is there; -ESTALE: its reach is too small */
void model_forget(struct ctl *);

/* NULL: none. */
struct model_bridge *model_bridge(const struct vsctl *, const char *name);
struct model_port *model_port(const struct vsctl *, const char *name);
struct model_iface *model_iface(const struct vsctl *, const char *name);
struct model_bridge *model_vlan_bridge(const struct vsctl *, const struct model_bridge *parent, int vlan);
bool model_is_in(const struct model_port *, const struct model_bridge *);

/* These build the model and refuse with the field's sentences. */
int find_bridge(struct ctl *, const char *name, struct model_bridge **, struct why *);
int find_real_bridge(struct ctl *, const char *name, struct model_bridge **, struct why *);
/* The local port of a bridge is not a port in this sense. */
int find_port(struct ctl *, const char *name, bool must_exist, struct model_port **, struct why *);
int find_iface(struct ctl *, const char *name, bool must_exist, struct model_iface **, struct why *);

int compare_names(const void *, const void *); /* for qsort() of char * */
void print_sorted(struct text *, const char **names, size_t n);

extern const struct ctl_command vsctl_bridge_commands[]; /* vsctl_bridge.c */
extern const struct ctl_command vsctl_config_commands[]; /* vsctl_config.c */
extern const struct ctl_command vsctl_zone_commands[];   /* vsctl_zone.c */
extern const struct ctl_table vsctl_tables[];
extern const struct ctl_show vsctl_shows[];

int vsctl_main(int argc, char *argv[]);
/* Everything but words and a database; 'v' and the schema are borrowed. */
void vsctl_init(struct ctl *, struct vsctl *, const struct schema *);
void vsctl_fini(struct ctl *);

#endif

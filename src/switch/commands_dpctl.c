/* dpctl/ - datapaths as such, by their own names and port numbers. */
#include "switch/commands.h"
#include "base/log.h"
#include <errno.h>
#include <inttypes.h>
#include <string.h>

static bool
is_title(const char *name, enum dp_type type)
{
    const char *title = dp_title(type).s;
    return !strcmp(name, title) || !strcmp(name, strchr(title, '@') + 1);
}

enum dp_type
datapath_named(const struct vswitch *v, const char *name)
{
    enum dp_type type = 0;
    while (type < DP_N && !(v->backers[type] && is_title(name, type)))
        type++;
    return type;
}

enum dp_type
datapath_asked(struct unixctl_conn *conn, const struct vswitch *v, const char *name)
{
    enum dp_type found = name ? datapath_named(v, name) : DP_N;
    unsigned n = 0;

    if (found != DP_N)
        return found;
    for (enum dp_type type = 0; type < DP_N; type++)
        if (v->backers[type]) {
            found = type;
            n++;
        }
    if (name)
        unixctl_failf(conn, "%s: datapath not found (%s)\n", log_program(), strerror(EINVAL));
    else if (n == 1)
        return found;
    else
        unixctl_failf(conn, "%s: %s\n", log_program(), n ? "multiple datapaths, specify one" : "no datapaths exist");
    return DP_N;
}

static void
dump_dps(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    const struct vswitch *v = aux;
    AUTO_TEXT struct text t = TEXT_INIT;

    for (enum dp_type type = 0; type < DP_N; type++)
        if (v->backers[type])
            text_addf(&t, "%s\n", dp_title(type).s);
    unixctl_reply(conn, text_str(&t));
}

static int
by_dp(const void *a, const void *b)
{
    dpport x = (*(struct vport *const *) a)->dp, y = (*(struct vport *const *) b)->dp;
    return x < y ? -1 : x > y;
}

static void
ports_of(const struct vswitch *v, enum dp_type type, vports *out)
{
    struct vbridge *b;
    struct vport *p;

    *out = (vports) VEC_INIT;
    VBRIDGE_FOR (b, v)
        if (b->run && b->type == type)
            VPORT_FOR (p, b)
                if (p->dp != DPPORT_NONE)
                    vec_push(out, p);
    if (out->n > 1)
        qsort(out->at, out->n, sizeof *out->at, by_dp);
}

static void
show_counters(const struct vport *p, struct text *t)
{
    struct device_stats s = {0};

    p->device->class->stats(p->device, &s);
    text_addf(
        t, "    RX packets:%" PRIu64 " errors:%" PRIu64 " dropped:%" PRIu64 " overruns:%" PRIu64 " frame:%" PRIu64 "\n",
        s.rx_packets, s.rx_errors, s.rx_dropped, s.rx_over_err, s.rx_frame_err);
    text_addf(t, "    TX packets:%" PRIu64 " errors:%" PRIu64 " dropped:%" PRIu64 " aborted:0 carrier:0\n",
              s.tx_packets, s.tx_errors, s.tx_dropped);
    text_addf(t, "    collisions:%" PRIu64 "\n", s.collisions);
    text_addf(t, "    RX bytes:%" PRIu64 "  TX bytes:%" PRIu64 "\n", s.rx_bytes, s.tx_bytes);
}

static void
show_datapath(const struct vswitch *v, enum dp_type type, bool counters, struct text *t)
{
    struct dp_stats s;
    vports ports;

    dp_stats(backer_datapath(v->backers[type]), &s);
    text_addf(t, "%s:\n", dp_title(type).s);
    text_addf(t, "  lookups: hit:%" PRIu64 " missed:%" PRIu64 " lost:%" PRIu64 "\n", s.hits_l1 + s.hits_l2, s.misses,
              s.lost);
    text_addf(t, "  flows: %" PRIu64 "\n", s.flows);
    if (type == DP_SYSTEM) {
        uint64_t packets = s.hits_l1 + s.hits_l2 + s.misses;
        text_addf(t, "  masks: hit:%" PRIu64 " total:%" PRIu64 " hit/pkt:%.2f\n", s.mask_probes, s.masks,
                  packets ? (double) s.mask_probes / packets : 0.0);
    }
    ports_of(v, type, &ports);
    for (size_t i = 0; i < ports.n; i++) {
        const char *shown = type_shown(v, type, ports.at[i]->type);
        text_addf(t, "  port %" PRIu32 ": %s", ports.at[i]->dp, ports.at[i]->name);
        if (strcmp(shown, "system")) {
            text_addf(t, " (%s", shown);
            vport_options_format(ports.at[i], t);
            text_addc(t, ')');
        }
        text_addc(t, '\n');
        if (counters)
            show_counters(ports.at[i], t);
    }
    vec_fini(&ports);
}

static void
show(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    const struct vswitch *v = aux;
    AUTO_TEXT struct text t = TEXT_INIT;
    bool counters = false, any = false;

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "-s") || !strcmp(argv[i], "--statistics")) {
            counters = true;
            continue;
        }
        enum dp_type type = datapath_named(v, argv[i]);
        if (type == DP_N) {
            unixctl_failf(conn, "%s: opening datapath %s failed (%s)\n", log_program(), argv[i], strerror(ENODEV));
            return;
        }
        show_datapath(v, type, counters, &t);
        any = true;
    }
    for (enum dp_type type = 0; !any && type < DP_N; type++)
        if (v->backers[type])
            show_datapath(v, type, counters, &t);
    unixctl_reply(conn, text_str(&t));
}

static void
dpctl_dump_flows(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    const struct vswitch *v = aux;
    AUTO_TEXT struct text t = TEXT_INIT;
    struct flow_dump_options o = {NULL, false, false};
    const char *name = NULL;

    for (int i = 1; i < argc; i++)
        if (flow_dump_option(&o, argv[i]) || !strcmp(argv[i], "type=all") || !strcmp(argv[i], "type=ovs"))
            continue; /* all of ours are in the datapath itself, none in hardware or in tc */
        else if (argv[i][0] == '-' || strchr(argv[i], '=')) {
            unixctl_failf(conn, "%s: this option is not served", argv[i]);
            return;
        } else
            name = argv[i];
    enum dp_type type = datapath_asked(conn, v, name);
    if (type == DP_N)
        return;
    dump_flows(v, type, &o, &t);
    if (t.len && type != DP_SYSTEM) {
        AUTO_TEXT struct text head = TEXT_INIT;
        text_addf(&head, "flow-dump from the main thread:\n%s", text_str(&t));
        unixctl_reply(conn, text_str(&head));
        return;
    }
    unixctl_reply(conn, text_str(&t));
}

static void
del_flows(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    const struct vswitch *v = aux;
    enum dp_type type = datapath_asked(conn, v, argc > 1 ? argv[1] : NULL);

    if (type == DP_N)
        return;
    dp_flush(backer_datapath(v->backers[type]));
    unixctl_reply(conn, NULL);
}

void
commands_dpctl(struct vswitch *v)
{
    unixctl_command("dpctl/dump-dps", "", 0, 0, dump_dps, v);
    unixctl_command("dpctl/show", "[-s] [dp...]", 0, 8, show, v);
    unixctl_command("dpctl/dump-flows", "[-m] [--names] [dp] [type=..]", 0, 5, dpctl_dump_flows, v);
    unixctl_command("dpctl/del-flows", "[dp]", 0, 1, del_flows, v);
}

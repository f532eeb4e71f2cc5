/* dpif/, upcall/, revalidator/ - datapaths as the bridges above see them. */
#include "switch/commands.h"
#include "base/log.h"
#include <inttypes.h>
#include <string.h>

static const struct feature {
    const char *key, *title;
    bool is_number;
    int value;
} features[] = {
#define BOOL false
#define NUMBER true
#define FEATURE(KEY, TITLE, KIND, VALUE) {#KEY, TITLE, KIND, VALUE},
#include "switch/features.def"
#undef FEATURE
#undef BOOL
#undef NUMBER
};

static void
show_port(const struct vport *p, struct text *t)
{
    const struct vbridge *b = p->bundle->bridge;

    text_addf(t, "    %s %" PRIu32 "/", p->name, p->number & 0xffff);
    if (p->dp == DPPORT_NONE)
        text_add(t, "none");
    else
        text_addf(t, "%" PRIu32, p->dp);
    text_addf(t, ": (%s", type_shown(b->v, b->type, p->type));
    vport_options_format(p, t);
    text_add(t, ")\n");
}

static void
show_datapath(const struct vswitch *v, enum dp_type type, struct text *t)
{
    struct dp_stats s;
    vbridges bridges;

    dp_stats(backer_datapath(v->backers[type]), &s);
    text_addf(t, "%s: hit:%" PRIu64 " missed:%" PRIu64 "\n", dp_title(type).s, s.hits_l1 + s.hits_l2, s.misses);
    vbridges_sorted(v, type, &bridges);
    for (size_t i = 0; i < bridges.n; i++) {
        vports ports;
        text_addf(t, "  %s:\n", bridges.at[i]->name);
        vports_sorted(bridges.at[i], &ports);
        for (size_t j = 0; j < ports.n; j++)
            show_port(ports.at[j], t);
        vec_fini(&ports);
    }
    vec_fini(&bridges);
}

static json_t *
datapath_json(const struct vswitch *v, enum dp_type type)
{
    json_t *list = json_object();
    struct dp_stats s;
    vbridges bridges;

    dp_stats(backer_datapath(v->backers[type]), &s);
    vbridges_sorted(v, type, &bridges);
    for (size_t i = 0; i < bridges.n; i++) {
        json_t *port_list = json_array();
        vports ports;
        vports_sorted(bridges.at[i], &ports);
        for (size_t j = 0; j < ports.n; j++) {
            const struct vport *p = ports.at[j];
            json_t *port = json_pack("{s:s,s:i,s:s}", "name", p->name, "ofport", (int) (p->number & 0xffff), "type",
                                     type_shown(v, type, p->type));
            json_object_set_new(port, "port_no", p->dp == DPPORT_NONE ? json_null() : json_integer(p->dp));
            json_array_append_new(port_list, port);
        }
        vec_fini(&ports);
        json_object_set_new(list, bridges.at[i]->name, port_list);
    }
    vec_fini(&bridges);
    return json_pack("{s:s,s:I,s:I,s:o}", "name", dp_title(type).s, "hit", (json_int_t) (s.hits_l1 + s.hits_l2),
                     "missed", (json_int_t) s.misses, "bridges", list);
}

static void
dpif_show(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    struct vswitch *v = aux;
    AUTO_TEXT struct text t = TEXT_INIT;
    json_t *json = unixctl_wants_json(conn) ? json_array() : NULL;

    for (enum dp_type type = 0; type < DP_N; type++)
        if (v->backers[type]) {
            if (json)
                json_array_append_new(json, datapath_json(v, type));
            else
                show_datapath(v, type, &t);
        }
    if (json)
        unixctl_reply_json(conn, json);
    else
        unixctl_reply(conn, text_str(&t));
}

static void
dpif_dump_dps(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    vbridges all;

    vbridges_sorted(aux, DP_N, &all);
    for (size_t i = 0; i < all.n; i++)
        text_addf(&t, "%s@%s\n", dp_type_names[all.at[i]->type], all.at[i]->name);
    vec_fini(&all);
    unixctl_reply(conn, text_str(&t));
}

static void
dpif_dump_flows(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    struct vswitch *v = aux;
    AUTO_TEXT struct text t = TEXT_INIT;
    struct flow_dump_options o = {NULL, false, false};

    for (int i = 1; i < argc - 1; i++)
        if (!flow_dump_option(&o, argv[i])) {
            unixctl_failf(conn, "%s: unknown option", argv[i]);
            return;
        }
    const struct vbridge *b = o.bridge = bridge_asked(conn, v, argv[argc - 1]);
    if (!b)
        return;
    dump_flows(v, b->type, &o, &t);
    unixctl_reply(conn, text_str(&t));
}

static void
show_dp_features(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    AUTO_TEXT struct text t = TEXT_INIT;

    if (!bridge_asked(conn, aux, argv[1]))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(features); i++)
        if (features[i].is_number)
            text_addf(&t, "%s: %d\n", features[i].title, features[i].value);
        else
            text_addf(&t, "%s: %s\n", features[i].title, features[i].value ? "Yes" : "No");
    unixctl_reply(conn, text_str(&t));
}

static void
set_dp_features(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    AUTO_TEXT struct text t = TEXT_INIT;

    if (!bridge_asked(conn, aux, argv[1]))
        return;
    if (argc > 2) {
        unixctl_failf(conn, "%s: features of this datapath cannot be switched", argv[2]);
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
        const struct feature *f = &features[i];
        if (f->is_number)
            text_addf(&t, "%s (%s) : [run time]:%d, [boot time]:%d\n", f->key, f->title, f->value, f->value);
        else
            text_addf(&t, "%s (%s) : [run time]:%s, [boot time]:%s\n", f->key, f->title, f->value ? "true" : "false",
                      f->value ? "true" : "false");
    }
    unixctl_reply(conn, text_str(&t));
}

/* ---- upcall/, revalidator/ ---- */

static void
upcall_show(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    struct vswitch *v = aux;
    AUTO_TEXT struct text t = TEXT_INIT;

    for (enum dp_type type = 0; type < DP_N; type++) {
        struct dp_stats s;
        if (!v->backers[type])
            continue;
        dp_stats(backer_datapath(v->backers[type]), &s);
        vswitch_note_flows(v, type, s.flows);
        text_addf(&t, "%s:\n", dp_title(type).s);
        text_addf(&t, "  flows         : (current %" PRIu64 ") (avg %" PRIu64 ") (max %" PRIu64 ") (limit %u)\n",
                  s.flows, v->flows[type].average, v->flows[type].most, v->dp_config.flow_limit);
        text_add(&t, "  dump duration : 0ms\n"); /* flows are revised one by one, not by dumps */
        text_add(&t, "  ufid enabled : true\n");
    }
    unixctl_reply(conn, text_str(&t));
}

static void
set_flow_limit(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    struct vswitch *v = aux;
    AUTO_TEXT struct text t = TEXT_INIT;
    char *end;
    unsigned long limit = strtoul(argv[1], &end, 10);

    if (!*argv[1] || *end || !limit || limit > UINT32_MAX) {
        unixctl_failf(conn, "%s: not a number of flows", argv[1]);
        return;
    }
    v->dp_config.flow_limit = limit;
    for (enum dp_type type = 0; type < DP_N; type++)
        if (v->backers[type])
            dp_configure(backer_datapath(v->backers[type]), &v->dp_config);
    text_addf(&t, "set flow_limit to %lu\n", limit);
    unixctl_reply(conn, text_str(&t));
}

static void
for_datapaths(const struct vswitch *v, void (*fn)(struct datapath *))
{
    for (enum dp_type type = 0; type < DP_N; type++)
        if (v->backers[type])
            fn(backer_datapath(v->backers[type]));
}

static void
revalidator_wait(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    for_datapaths(aux, dp_settle);
    for_datapaths(aux, dp_push_stats);
    unixctl_reply(conn, NULL);
}

static void
revalidator_purge(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    for_datapaths(aux, dp_flush);
    unixctl_reply(conn, NULL);
}

void
commands_dpif(struct vswitch *v)
{
    unixctl_command("dpif/show", "", 0, 0, dpif_show, v);
    unixctl_command("dpif/dump-dps", "", 0, 0, dpif_dump_dps, v);
    unixctl_command("dpif/dump-flows", "[-m] [--names | --no-names] bridge", 1, 3, dpif_dump_flows, v);
    unixctl_command("dpif/show-dp-features", "bridge", 1, 1, show_dp_features, v);
    unixctl_command("dpif/set-dp-features", "bridge", 1, 3, set_dp_features, v);
    unixctl_command("upcall/show", "", 0, 0, upcall_show, v);
    unixctl_command("upcall/set-flow-limit", "flow-limit-number", 1, 1, set_flow_limit, v);
    unixctl_command("revalidator/wait", "", 0, 0, revalidator_wait, v);
    unixctl_command("revalidator/purge", "", 0, 0, revalidator_purge, v);
}

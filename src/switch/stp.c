/* stp - see the header. */
#include "switch/stp.h"
#include "base/hash.h"
#include "switch/commands.h"
#include <stdarg.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX 255
#define COST_UNKNOWN 19

const char *const stp_count_keys[3] = {"stp_error_count", "stp_rx_count", "stp_tx_count"};

bool
stp_is_wanted(const struct crow *bridge)
{
    return crow_bool(bridge, "stp_enable", false) && !crow_bool(bridge, "rstp_enable", false);
}

static int64_t
number(const struct crow *row, const char *key, int64_t otherwise, int64_t min, int64_t max)
{
    int64_t n = crow_key_int(row, "other_config", key, otherwise);
    return n < min || n > max ? otherwise : n;
}

void
stp_settings(const struct vbridge *b, const struct crow *bridge, struct bridge_stp_config *c)
{
    const char *id = crow_key(bridge, "other_config", "stp-system-id");
    *c = (struct bridge_stp_config){
        .priority = number(bridge, "stp-priority", 0x8000, 0, UINT16_MAX),
        .mac = b->mac,
        .hello_time = seconds(number(bridge, "stp-hello-time", 2, 1, 10)),
        .max_age = seconds(number(bridge, "stp-max-age", 20, 6, 40)),
        .forward_delay = seconds(number(bridge, "stp-forward-delay", 15, 4, 30)),
    };
    if (id)
        mac_parse(id, &c->mac);
}

/* ---- ports ---- */

/* IEEE 802.1D-1998, table 8-5. */
static uint16_t
cost_of_speed(uint64_t speed)
{
    static const struct {
        uint64_t speed;
        uint16_t cost;
    } rows[] = {{10000000000, 2}, {1000000000, 4}, {100000000, 19}, {16000000, 62}, {10000000, 100}, {4000000, 250}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (speed >= rows[i].speed)
            return rows[i].cost;
    return COST_UNKNOWN;
}

static const struct crow *
row_of(const struct vbundle *u)
{
    return client_row(u->bridge->v->db, "Port", &u->row);
}

/* The one port of a bundle that takes part; NULL: it does not. */
static struct vport *
participant(const struct vbundle *u)
{
    struct vport *p = u->ports.n == 1 ? u->ports.at[0] : NULL;
    const struct crow *row = p ? row_of(u) : NULL;
    if (!row || p->is_local || !strcmp(p->type, "internal") || !vport_is_live(p))
        return NULL;
    return crow_key_bool(row, "other_config", "stp-enable", true) ? p : NULL;
}

static struct bridge_port_config *
config_of(struct bridge_port_config *ports, size_t n, const struct vport *p)
{
    for (size_t i = 0; i < n; i++)
        if (ports[i].number == p->number)
            return &ports[i];
    return NULL;
}

static int
by_name(const void *a, const void *b)
{
    return strcmp((*(struct vport *const *) a)->name, (*(struct vport *const *) b)->name);
}

static void
describe(const struct vport *p, unsigned n, struct bridge_port_config *c)
{
    const struct crow *row = row_of(p->bundle);
    struct device_status s = {0};
    vport_status(p, &s);
    c->stp.number = n;
    c->stp.priority = number(row, "stp-port-priority", 128, 0, 255);
    c->stp.cost = number(row, "stp-path-cost", cost_of_speed(s.link_speed), 1, UINT16_MAX);
}

void
stp_number_ports(const struct vbridge *b, struct bridge_port_config *ports, size_t n_ports)
{
    bool is_taken[NUMBER_MAX + 1] = {true};
    VEC(struct vport *) left = VEC_INIT;
    unsigned next = 1;
    for (size_t i = 0; i < b->bundles.n; i++) {
        struct vport *p = participant(b->bundles.at[i]);
        struct bridge_port_config *c = p ? config_of(ports, n_ports, p) : NULL;
        unsigned asked = c ? number(row_of(b->bundles.at[i]), "stp-port-num", 0, 1, NUMBER_MAX) : 0;
        if (asked && !is_taken[asked]) {
            is_taken[asked] = true;
            describe(p, asked, c);
        } else if (c) {
            vec_push(&left, p);
        }
    }
    if (left.n)
        qsort(left.at, left.n, sizeof left.at[0], by_name);
    for (size_t i = 0; i < left.n; i++) {
        while (next <= NUMBER_MAX && is_taken[next])
            next++;
        if (next > NUMBER_MAX)
            break; /* a bridge of more ports than the protocol can number: the rest forward */
        is_taken[next] = true;
        describe(left.at[i], next, config_of(ports, n_ports, left.at[i]));
    }
    vec_fini(&left);
}

/* ---- columns ---- */

static void
word(struct stp_words *w, const char *key, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    w->keys[w->n] = key;
    vsnprintf(w->values[w->n++], sizeof w->values[0], fmt, args);
    va_end(args);
}

static void
id_word(struct stp_words *w, const char *key, uint64_t id)
{
    word(w, key, "%04x.%012" PRIx64, (unsigned) (id >> 48), id & 0xffffffffffff);
}

void
stp_bridge_words(const struct vbridge *b, struct stp_words *w)
{
    struct stp_status s;
    w->n = 0;
    if (!b->run || !bridge_stp_status(b->run, &s))
        return;
    id_word(w, "stp_bridge_id", s.bridge_id);
    id_word(w, "stp_designated_root", s.root_id);
    word(w, "stp_root_path_cost", "%" PRIu32, s.root_cost);
}

static bool
status_of(const struct vbundle *u, struct stp_port_status *s)
{
    const struct vport *p = u->bridge->run && u->ports.n == 1 ? u->ports.at[0] : NULL;
    return p && bridge_stp_port_status(u->bridge->run, p->number, s);
}

void
stp_bundle_words(const struct vbundle *u, struct stp_words *w)
{
    struct stp_port_status s;
    w->n = 0;
    if (!status_of(u, &s))
        return;
    word(w, "stp_port_id", "%u", s.port_id);
    word(w, "stp_state", "%s", stp_state_name(s.state));
    word(w, "stp_sec_in_state", "%" PRId64, instant_since(loop_now(u->bridge->v->loop), s.since).ns / 1000000000);
    word(w, "stp_role", "%s", stp_role_name(s.role));
}

bool
stp_bundle_counts(const struct vbundle *u, int64_t counts[3])
{
    struct stp_port_status s;
    if (!status_of(u, &s))
        return false;
    counts[0] = s.n_errors;
    counts[1] = s.n_rx;
    counts[2] = s.n_tx;
    return true;
}

bool
stp_is_news(struct vbridge *b)
{
    struct stp_status s;
    struct stp_port_status ps;
    uint64_t sum = 0;
    if (b->run && bridge_stp_status(b->run, &s))
        sum = hash_u64(s.root_id ^ s.bridge_id, s.root_cost + 1);
    for (size_t i = 0; i < b->bundles.n; i++)
        if (status_of(b->bundles.at[i], &ps))
            sum += hash_u64(ps.port_id, ps.state << 8 | ps.role);
    bool is_news = sum != b->stp_seen;
    b->stp_seen = sum;
    return is_news;
}

/* ---- stp/show, stp/tcn ---- */

static void
show_id(struct text *t, uint64_t id, span hello, span max_age, span forward_delay)
{
    struct mac mac = mac_from_u64(id & 0xffffffffffff);
    text_addf(t, "  stp-priority  %u\n", (unsigned) (id >> 48));
    text_addf(t, "  stp-system-id   " MAC_FMT "\n", MAC_ARGS(mac));
    text_addf(t, "  stp-hello-time  %" PRId64 "s\n", span_ms(hello) / 1000);
    text_addf(t, "  stp-max-age     %" PRId64 "s\n", span_ms(max_age) / 1000);
    text_addf(t, "  stp-fwd-delay   %" PRId64 "s\n", span_ms(forward_delay) / 1000);
}

static const char *
name_of_root_port(const struct vbridge *b, unsigned stp_number)
{
    struct stp_port_status s;
    for (size_t i = 0; i < b->bundles.n; i++)
        if (status_of(b->bundles.at[i], &s) && (s.port_id & 0xff) == stp_number)
            return b->bundles.at[i]->name;
    return "unknown";
}

static void
show_ports(const struct vbridge *b, struct text *t)
{
    struct stp_port_status s;
    text_add(t, "  Interface  Role       State      Cost  Pri.Nbr \n"
                "  ---------- ---------- ---------- ----- -------\n");
    for (size_t i = 0; i < b->bundles.n; i++)
        if (status_of(b->bundles.at[i], &s))
            text_addf(t, "  %-10s %-10s %-10s %-5u %d.%d\n", b->bundles.at[i]->name, stp_role_name(s.role),
                      stp_state_name(s.state), s.cost, s.port_id >> 8, s.port_id & 0xff);
    text_addc(t, '\n');
}

static void
show(const struct vbridge *b, struct text *t)
{
    const struct crow *row = client_row(b->v->db, "Bridge", &b->row);
    struct bridge_stp_config own;
    struct stp_status s;
    if (!row || !b->run || !bridge_stp_status(b->run, &s))
        return;
    stp_settings(b, row, &own);
    text_addf(t, "---- %s ----\nRoot ID:\n", b->name);
    show_id(t, s.root_id, s.hello_time, s.max_age, s.forward_delay);
    if (s.root_port)
        text_addf(t, "  root-port       %s\n  root-path-cost  %" PRIu32 "\n", name_of_root_port(b, s.root_port),
                  s.root_cost);
    else
        text_add(t, "  This bridge is the root\n");
    text_add(t, "\nBridge ID:\n");
    show_id(t, s.bridge_id, own.hello_time, own.max_age, own.forward_delay);
    text_addc(t, '\n');
    show_ports(b, t);
}

/* Calls 'fn' for the bridge that is named, or for all; false: answered with a refusal. */
static bool
for_bridges(struct unixctl_conn *conn, int argc, const char *argv[], struct vswitch *v,
            void (*fn)(struct vbridge *, struct text *), struct text *t)
{
    struct stp_status s;
    if (argc > 1) {
        struct vbridge *b = vbridge_find(v, argv[1]);
        if (!b || !b->run || !bridge_stp_status(b->run, &s)) {
            unixctl_fail(conn, "no such stp object");
            return false;
        }
        fn(b, t);
        return true;
    }
    vbridges all;
    vbridges_sorted(v, DP_N, &all);
    for (size_t i = 0; i < all.n; i++)
        fn(all.at[i], t);
    vec_fini(&all);
    return true;
}

static void
show_one(struct vbridge *b, struct text *t)
{
    show(b, t);
}

static void
tcn_one(struct vbridge *b, UNUSED struct text *t)
{
    bridge_stp_topology_change(b->run);
}

static void
stp_show_command(struct unixctl_conn *conn, int argc, const char *argv[], void *v)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    if (for_bridges(conn, argc, argv, v, show_one, &t))
        unixctl_reply(conn, text_str(&t));
}

static void
stp_tcn_command(struct unixctl_conn *conn, int argc, const char *argv[], void *v)
{
    if (for_bridges(conn, argc, argv, v, tcn_one, NULL))
        unixctl_reply(conn, "OK");
}

void
commands_stp(struct vswitch *v)
{
    unixctl_command("stp/show", "[bridge]", 0, 1, stp_show_command, v);
    unixctl_command("stp/tcn", "[bridge]", 0, 1, stp_tcn_command, v);
}

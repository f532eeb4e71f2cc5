/* picture_print - a picture as lines for a person, and as JSON for a program. */
#include "cli/picture.h"
#include <inttypes.h>
#include <string.h>

enum { COL_PORT, COL_NUMBER, COL_VLAN, COL_LINK, COL_RX, COL_TX, COL_LEARNED, N_COLS };
static const char *const titles[N_COLS] = {"PORT", "NO.", "VLAN", "LINK", "IN", "OUT", "LEARNED"};

struct line {
    struct text cells[N_COLS];
    const char *error; /* NULL: none */
};

typedef VEC(struct line) lines;

/* 12345678 -> "12.3 M" */
static void
add_scaled(struct text *t, double n, const char *unit)
{
    static const char *const prefixes[] = {"", "k", "M", "G", "T"};
    size_t i = 0;
    for (; n >= 1000 && i + 1 < ARRAY_SIZE(prefixes); i++)
        n /= 1000;
    text_addf(t, n >= 100 || n == (double) (int) n ? "%.0f %s%s" : "%.1f %s%s", n, prefixes[i], unit);
}

static void
add_flow(struct text *t, const struct pic_counters *rate, uint64_t rate_bytes, uint64_t total_packets)
{
    if (rate->known && rate_bytes) {
        add_scaled(t, (double) rate_bytes * 8, "bit/s");
        text_add(t, ", ");
    }
    add_scaled(t, (double) total_packets, "");
    text_chomp(t, ' ');
    text_add(t, " pkts");
}

static void
add_link(struct text *t, const struct pic_interface *i)
{
    if (!i->link && !i->admin) {
        text_add(t, "-");
        return;
    }
    if (i->admin && !strcmp(i->admin, "down"))
        text_add(t, "off");
    else
        text_add(t, i->link ? i->link : i->admin);
    if (i->link && !strcmp(i->link, "up") && i->speed_bps > 0) {
        text_addc(t, ' ');
        add_scaled(t, (double) i->speed_bps, "bit/s");
    }
}

static void
add_learned(struct text *t, const struct pic_port *p)
{
    if (!p->learned.n)
        return;
    text_add(t, p->learned.at[0].mac);
    if (p->learned.n > 1)
        text_addf(t, " and %zu more", p->learned.n - 1);
}

static void
fill_line(struct line *l, const struct pic_port *p, size_t i)
{
    const struct pic_interface *iface = &p->interfaces.at[i];
    bool alone = p->interfaces.n == 1;

    text_addf(&l->cells[COL_PORT], alone ? "%s" : i ? "  /%s" : "%s", alone || i ? iface->name : p->name);
    if (!alone && !i)
        text_addf(&l->cells[COL_PORT], "/%s", iface->name);
    if (strcmp(iface->type, "system"))
        text_addf(&l->cells[COL_PORT], " (%s)", iface->type);
    if (iface->ofport == 65534)
        text_add(&l->cells[COL_NUMBER], "local");
    else if (iface->ofport >= 0)
        text_addf(&l->cells[COL_NUMBER], "%" PRId64, iface->ofport);
    else
        text_add(&l->cells[COL_NUMBER], "-");
    if (!i)
        text_add(&l->cells[COL_VLAN], p->vlan);
    add_link(&l->cells[COL_LINK], iface);
    if (iface->total.known) {
        add_flow(&l->cells[COL_RX], &iface->rate, iface->rate.rx_bytes, iface->total.rx_packets);
        add_flow(&l->cells[COL_TX], &iface->rate, iface->rate.tx_bytes, iface->total.tx_packets);
    }
    if (!i)
        add_learned(&l->cells[COL_LEARNED], p);
    l->error = iface->error;
}

static void
print_lines(const lines *ls, struct text *t)
{
    size_t widths[N_COLS] = {0};
    for (size_t i = 0; i < ls->n; i++)
        for (int c = 0; c < N_COLS; c++)
            widths[c] = MAX(widths[c], ls->at[i].cells[c].len);
    for (size_t i = 0; i < ls->n; i++) {
        size_t begin = t->len, at = 2;
        for (int c = 0; c < N_COLS; c++) {
            text_pad(t, ' ', begin + at);
            text_add(t, text_str(&ls->at[i].cells[c]));
            at += widths[c] + 2;
        }
        while (t->len && t->s[t->len - 1] == ' ')
            text_cut(t, t->len - 1);
        text_addc(t, '\n');
        if (ls->at[i].error)
            text_addf(t, "    cannot be used: %s\n", ls->at[i].error);
    }
}

static void
print_bridge(const struct pic_bridge *b, struct text *t)
{
    lines ls = VEC_INIT;
    struct line head = {0};

    text_addf(t, "\nBridge %s (%s, %s)\n", b->name, b->type, b->fail_mode);
    for (size_t i = 0; i < b->controllers.n; i++)
        text_addf(t, "  controller %s\n", b->controllers.at[i]);
    for (int c = 0; c < N_COLS; c++)
        text_add(&head.cells[c], titles[c]);
    vec_push(&ls, head);
    for (size_t i = 0; i < b->ports.n; i++)
        for (size_t j = 0; j < b->ports.at[i].interfaces.n; j++) {
            struct line l = {0};
            fill_line(&l, &b->ports.at[i], j);
            vec_push(&ls, l);
        }
    print_lines(&ls, t);
    for (size_t i = 0; i < ls.n; i++)
        for (int c = 0; c < N_COLS; c++)
            text_fini(&ls.at[i].cells[c]);
    vec_fini(&ls);
}

static void
print_part(struct text *t, const char *what, pid_t pid)
{
    if (pid)
        text_addf(t, "  %-11s runs as process %d\n", what, (int) pid);
    else
        text_addf(t, "  %-11s does not run\n", what);
}

void
picture_print(const struct picture *p, struct text *t)
{
    text_addf(t, "sluice in %s\n", p->run);
    print_part(t, "supervisor", p->supervisor);
    print_part(t, "database", p->db);
    print_part(t, "switch", p->switch_);
    for (size_t i = 0; i < p->bridges.n; i++)
        print_bridge(&p->bridges.at[i], t);
    if (!p->bridges.n)
        text_add(t, "\nThere is no bridge yet: ovs-vsctl add-br br0\n");
    if (p->drops.n)
        text_add(t, "\nDropped\n");
    for (size_t i = 0; i < p->drops.n; i++)
        text_addf(t, "  %12" PRIu64 "  %-22s %s\n", p->drops.at[i].packets, p->drops.at[i].name,
                  p->drops.at[i].meaning);
}

/* ---- JSON. ---- */

static json_t *
counters_json(const struct pic_counters *c)
{
    if (!c->known)
        return json_null();
    return json_pack("{s:I,s:I,s:I,s:I}", "rx_packets", (json_int_t) c->rx_packets, "rx_bytes",
                     (json_int_t) c->rx_bytes, "tx_packets", (json_int_t) c->tx_packets, "tx_bytes",
                     (json_int_t) c->tx_bytes);
}

static json_t *
number_json(int64_t n)
{
    return n >= 0 ? json_integer(n) : json_null();
}

static json_t *
interface_json(const struct pic_interface *i)
{
    return json_pack("{s:s,s:s,s:s?,s:s?,s:s?,s:o,s:o,s:o,s:o,s:o}", "name", i->name, "type", i->type, "error",
                     i->error, "admin_state", i->admin, "link_state", i->link, "ofport", number_json(i->ofport),
                     "link_speed", number_json(i->speed_bps), "mtu", number_json(i->mtu), "total",
                     counters_json(&i->total), "per_second", counters_json(&i->rate));
}

static json_t *
port_json(const struct pic_port *p)
{
    json_t *interfaces = json_array(), *learned = json_array();
    for (size_t i = 0; i < p->interfaces.n; i++)
        json_array_append_new(interfaces, interface_json(&p->interfaces.at[i]));
    for (size_t i = 0; i < p->learned.n; i++)
        json_array_append_new(learned,
                              json_pack("{s:s,s:i}", "mac", p->learned.at[i].mac, "vlan", (int) p->learned.at[i].vlan));
    return json_pack("{s:s,s:s,s:o,s:o}", "name", p->name, "vlan", p->vlan, "interfaces", interfaces, "learned",
                     learned);
}

static json_t *
bridge_json(const struct pic_bridge *b)
{
    json_t *ports = json_array(), *controllers = json_array();
    for (size_t i = 0; i < b->ports.n; i++)
        json_array_append_new(ports, port_json(&b->ports.at[i]));
    for (size_t i = 0; i < b->controllers.n; i++)
        json_array_append_new(controllers, json_string(b->controllers.at[i]));
    return json_pack("{s:s,s:s,s:s,s:o,s:o}", "name", b->name, "datapath_type", b->type, "fail_mode", b->fail_mode,
                     "controllers", controllers, "ports", ports);
}

json_t *
picture_json(const struct picture *p)
{
    json_t *bridges = json_array(), *drops = json_array();
    for (size_t i = 0; i < p->bridges.n; i++)
        json_array_append_new(bridges, bridge_json(&p->bridges.at[i]));
    for (size_t i = 0; i < p->drops.n; i++)
        json_array_append_new(drops, json_pack("{s:s,s:s,s:I}", "name", p->drops.at[i].name, "meaning",
                                               p->drops.at[i].meaning, "packets", (json_int_t) p->drops.at[i].packets));
    return json_pack("{s:s,s:s?,s:i,s:i,s:i,s:o,s:o}", "run_directory", p->run, "version", p->version, "supervisor",
                     (int) p->supervisor, "database", (int) p->db, "switch", (int) p->switch_, "bridges", bridges,
                     "drops", drops);
}

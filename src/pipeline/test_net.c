#include "pipeline/test_net.h"
#include "base/mem.h"
#include "base/test.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void
leave_rcu(void)
{
    rcu_unregister();
    rcu_settle(); /* what was to be freed later is free now, and leaks show */
}

struct net *
net_new(void)
{
    static bool is_registered;
    if (!is_registered) {
        rcu_register();
        atexit(leave_rcu);
        is_registered = true;
    }
    struct net *net = xzalloc(sizeof *net);
    net->backer = backer_new(NULL, "dummy");
    return net;
}

void
net_free(struct net *net)
{
    if (!net)
        return;
    for (size_t i = 0; i < net->n_bridges; i++)
        bridge_free(net->bridges[i]);
    backer_free(net->backer);
    rcu_wait();
    free(net);
}

struct bridge *
net_find(struct net *net, const char *name)
{
    for (size_t i = 0; i < net->n_bridges; i++)
        if (!strcmp(bridge_name(net->bridges[i]), name))
            return net->bridges[i];
    return NULL;
}

/* ---- from text ---- */

#define PORTS 64

struct plan {
    struct bridge_config config;
    struct bridge_port_config ports[PORTS];
    struct bridge_bundle_config bundles[PORTS];
    ofport members[PORTS];
    size_t n_members;
    struct bridge_mirror_config mirrors[4];
    ofport selected[PORTS];
    size_t n_selected;
    char names[PORTS * 3][16];
    size_t n_names;
    unsigned index;
};

static const char *
name_add(struct plan *p, const char *fmt, unsigned number)
{
    ASSERT(p->n_names < ARRAY_SIZE(p->names));
    snprintf(p->names[p->n_names], sizeof p->names[0], fmt, number);
    return p->names[p->n_names++];
}

static ofport
add_port(struct plan *p, const char *word)
{
    bool is_local = !strcmp(word, "LOCAL");
    struct bridge_port_config *port = &p->ports[p->config.n_ports++];
    unsigned number = strtoul(word, NULL, 10);
    *port = (struct bridge_port_config){.number = is_local ? OFPORT_LOCAL : number,
                                        .dp = p->index * 100 + (is_local ? 99 : number),
                                        .may_flood = true,
                                        .may_receive = true,
                                        .may_forward = true,
                                        .is_up = true};
    /* Patch ports of different bridges must not share a name. */
    port->name = is_local ? p->config.name : name_add(p, p->index ? "q%u" : "p%u", number);
    return port->number;
}

static void
bitmap_add(uint64_t *map, const char *list)
{
    for (char *end; *list; list = *end ? end + 1 : end) {
        unsigned vid = strtoul(list, &end, 10);
        map[vid / 64] |= 1ull << (vid % 64);
    }
}

static void
set_bundle(struct plan *p, struct bridge_bundle_config *b, char *setting)
{
    char *value = strchr(setting, '=');
    if (value)
        *value++ = '\0';
    unsigned n = value ? strtoul(value, NULL, 10) : 0;
    struct bridge_port_config *port = &p->ports[p->config.n_ports - 1];
    static const char *const modes[] = {"access", "trunk", "tagged", "untagged", "tunnel"};
    for (unsigned i = 0; i < ARRAY_SIZE(modes); i++)
        if (!strcmp(setting, modes[i])) {
            b->vlan.mode = i;
            b->vlan.vid = n;
            return;
        }
    if (!strcmp(setting, "trunks")) {
        b->vlan.trunks_all = false;
        bitmap_add(b->vlan.trunks, value);
    } else if (!strcmp(setting, "cvlans")) {
        b->vlan.cvlans_all = false;
        bitmap_add(b->vlan.cvlans, value);
    } else if (!strcmp(setting, "prio")) {
        b->vlan.priority_tags = n;
    } else if (!strcmp(setting, "active")) {
        b->active = n ? n : OFPORT_NONE;
    } else if (!strcmp(setting, "protected")) {
        b->is_protected = true;
    } else if (!strcmp(setting, "peer")) {
        port->patch_peer = value;
        port->dp = DPPORT_NONE;
    } else if (!strcmp(setting, "down")) {
        port->is_up = false;
    } else if (!strcmp(setting, "noflood")) {
        port->may_flood = false;
    } else if (!strcmp(setting, "norecv")) {
        port->may_receive = false;
    } else if (!strcmp(setting, "nofwd")) {
        port->may_forward = false;
    } else if (!strcmp(setting, "nodev")) {
        port->dp = DPPORT_NONE;
    } else {
        NOT_REACHED();
    }
}

static void
add_bundle(struct plan *p, char *word)
{
    char *settings = strchr(word, ':'), *save = NULL;
    struct bridge_bundle_config *b = &p->bundles[p->config.n_bundles++];
    if (settings)
        *settings++ = '\0';
    *b = (struct bridge_bundle_config){
        .members = &p->members[p->n_members],
        .vlan = {.mode = VLAN_TRUNK, .trunks_all = true, .cvlans_all = true, .qinq_ethtype = be16_of(0x88a8)},
        .active = OFPORT_NONE,
    };
    for (char *port = strtok_r(word, "+", &save); port; port = strtok_r(NULL, "+", &save)) {
        p->members[p->n_members++] = add_port(p, port);
        b->n_members++;
    }
    b->name = b->n_members > 1 ? name_add(p, "bond%u", b->members[0]) : p->ports[p->config.n_ports - 1].name;
    if (b->n_members == 1)
        b->active = b->members[0];
    for (char *s = settings ? strtok_r(settings, ";", &save) : NULL; s; s = strtok_r(NULL, ";", &save))
        set_bundle(p, b, s);
}

/* "src1+src2>4", "all>v99;vlans=10/20;snap=64" */
static void
add_mirror(struct plan *p, char *text)
{
    struct bridge_mirror_config *m = &p->mirrors[p->config.n_mirrors];
    char *to = strchr(text, '>'), *save = NULL;
    *to++ = '\0';
    *m = (struct bridge_mirror_config){
        .name = name_add(p, "m%u", p->config.n_mirrors++), .all_vlans = true, .output = OFPORT_NONE};
    m->src = &p->selected[p->n_selected];
    for (const char *s = text; (s = strstr(s, "src")); s++, m->n_src++)
        p->selected[p->n_selected++] = strtoul(s + 3, NULL, 10);
    m->dst = &p->selected[p->n_selected];
    for (const char *s = text; (s = strstr(s, "dst")); s++, m->n_dst++)
        p->selected[p->n_selected++] = strtoul(s + 3, NULL, 10);
    m->selects_all = !strcmp(text, "all");
    char *out = strtok_r(to, ";", &save);
    if (*out == 'v')
        m->output_vlan = strtoul(out + 1, NULL, 10);
    else
        m->output = strtoul(out, NULL, 10);
    for (char *s; (s = strtok_r(NULL, ";", &save));)
        if (!strncmp(s, "vlans=", 6)) {
            m->all_vlans = false;
            bitmap_add(m->vlans, s + 6);
        } else {
            m->snaplen = strtoul(s + 5, NULL, 10);
        }
}

static void
set_bridge(struct plan *p, char *word)
{
    if (!strncmp(word, "mirror=", 7)) {
        add_mirror(p, word + 7);
        return;
    }
    if (!strcmp(word, "secure"))
        p->config.fail_mode = FAIL_SECURE;
    else if (!strcmp(word, "bpdu"))
        p->config.forward_bpdu = true;
    else if (!strncmp(word, "flood=", 6))
        bitmap_add(p->config.flood_vlans, word + 6);
    else
        NOT_REACHED();
}

int
net_bridge(struct net *net, const char *text, struct why *why)
{
    AUTO_STR char *copy = xstrdup(text);
    struct plan *p = xzalloc(sizeof *p);
    char *save = NULL, *inner = NULL;
    p->config.name = strtok_r(copy, " ", &save);
    struct bridge *br = net_find(net, p->config.name);
    if (!br) {
        br = net->bridges[net->n_bridges++] = bridge_new(net->backer, p->config.name);
        ASSERT(net->n_bridges <= NET_BRIDGES);
    }
    while (net->bridges[p->index] != br)
        p->index++;
    bool is_bridges = false;
    for (char *word; (word = strtok_r(NULL, " ", &save));) {
        if (!strcmp(word, ":"))
            is_bridges = true;
        else if (is_bridges)
            set_bridge(p, word);
        else
            for (char *one = strtok_r(word, ",", &inner); one; one = strtok_r(NULL, ",", &inner))
                add_bundle(p, one);
    }
    p->config.ports = p->ports;
    p->config.bundles = p->bundles;
    p->config.mirrors = p->mirrors;
    int err = bridge_configure(br, &p->config, why);
    free(p);
    return err;
}

/* ---- answers ---- */

void
net_xlate(struct net *net, const struct key *key, instant now, struct verdict *v)
{
    verdict_init(v, net->backer->versions);
    xlate(net->backer, &(struct xlate_in){.key = key, .now = now, .may_learn = true}, v);
}

void
net_actions(UNUSED struct net *net, const struct verdict *v, struct text *t)
{
    if (v->actions.len)
        actions_format(v->actions.bytes, v->actions.len, NULL, NULL, t);
    else
        text_addf(t, "drop:%s", drop_names[v->drop]);
}

/* xlate - see the header; walk.h has the state of a walk.
 *
 * Theory.  An answer may be kept only if all it stands on is among its dependencies, and each was noted before it was looked at.  For the
 * configuration that order cannot be had (the snapshot itself tells which port's counter counts), so the walk checks at the end that
 * the snapshots it read are still the published ones: whoever publishes bumps afterwards, so a snapshot that is still there means
 * that every bump is still to come.
 */
#include "pipeline/xlate.h"
#include "base/coverage.h"
#include "base/mem.h"
#include "pipeline/walk.h"
#include <stdlib.h>
#include <string.h>

COVERAGE(xlate_actions)
COVERAGE(xlate_too_deep)
COVERAGE(xlate_too_long)

#define ETH_802_2 0x05ff /* as struct key says it */
#define MAX_DEPTH 64
#define MAX_STEPS 4096

/* ---- what the walk notes down ---- */

void
walk_look_vid(struct xlate *x)
{
    x->v->mask.vlan[0].tci |= be16_of(VLAN_VID_MASK | VLAN_PRESENT);
}

void
walk_look_pcp(struct xlate *x)
{
    x->v->mask.vlan[0].tci = be16_of(0xffff);
    x->v->mask.vlan[0].tpid = be16_of(0xffff);
}

void
walk_look_inner(struct xlate *x)
{
    x->v->mask.vlan[1].tci |= be16_of(VLAN_VID_MASK | VLAN_PRESENT);
}

void
walk_depend(struct xlate *x, uint16_t slot)
{
    deps_add(&x->v->deps, x->backer->versions, slot);
}

void
walk_depend_port(struct xlate *x, const struct snap_port *p)
{
    if (x->depth == 1)
        walk_depend(x, p->slot);
}

void
walk_credit(struct xlate *x, struct credit credit)
{
    struct credits *c = x->credits;
    if (!c || c->n == c->room) {
        size_t room = c ? c->room * 2 : 4;
        c = xrealloc(c, sizeof *c + room * sizeof c->at[0]);
        if (!x->credits)
            c->n = 0;
        c->room = room;
        x->credits = c;
    }
    credit.bridge_id = credit.bridge_id ? credit.bridge_id : x->bridge->id;
    c->at[c->n++] = credit;
}

void
walk_drop(struct xlate *x, enum drop reason)
{
    x->v->drop = reason;
}

bool
walk_has_output(const struct xlate *x)
{
    return x->v->actions.len != 0;
}

/* ---- tags ---- */

static bool
tag_equal(const struct vlan_tag *a, const struct vlan_tag *b)
{
    return a->tpid == b->tpid && a->tci == b->tci;
}

bool
tags_equal(const struct tags *a, const struct tags *b)
{
    return a->n == b->n && !memcmp(a->at, b->at, a->n * sizeof a->at[0]);
}

/* Actions that turn 'have' into 'want', leaving alone the inner tags that both have. */
static void
tags_sync(struct xlate *x)
{
    struct tags *have = &x->have, *want = &x->want;
    unsigned common = 0;
    while (common < have->n && common < want->n &&
           tag_equal(&have->at[have->n - 1 - common], &want->at[want->n - 1 - common]))
        common++;
    for (unsigned i = have->n - common; i > 0; i--)
        actions_add(&x->v->actions, ACT_POP_VLAN, 0, NULL, 0);
    for (unsigned i = want->n - common; i-- > 0;) {
        const struct vlan_tag *t = &want->at[i];
        uint16_t tci = host16(t->tci) & ~VLAN_PRESENT; /* on the wire that bit says something else */
        actions_add(&x->v->actions, ACT_PUSH_VLAN, (uint32_t) host16(t->tpid) << 16 | tci, NULL, 0);
    }
    /* What is pushed may have been read from the frame. */
    if (want->n > common) {
        walk_look_pcp(x);
        if (want->n - common > 1 || have->n - common > 1) {
            walk_look(x, vlan[1]);
        }
    }
    *have = *want;
}

/* Rewrites in the datapath what steps have changed since the last time. */
static bool
headers_equal(const struct key *a, const struct key *b)
{
    static_assert(offsetof(struct key, port) == 0 && offsetof(struct key, packet_type) == sizeof a->port,
                  "the port first");
    const size_t from = offsetof(struct key, packet_type), tags = offsetof(struct key, vlan),
                 on = tags + sizeof a->vlan;
    const uint8_t *p = (const uint8_t *) a, *q = (const uint8_t *) b;
    return !memcmp(p + from, q + from, tags - from) && !memcmp(p + on, q + on, KEY_FRAME_BYTES - on);
}

static void
headers_sync(struct xlate *x)
{
    if (headers_equal(&x->base, &x->flow))
        return;
    struct key pair[2] = {x->base, x->flow};
    /* Tags are not headers here: both sides are given the ones the frame has. */
    for (int i = 0; i < 2; i++) {
        memcpy(pair[i].vlan, x->in->key->vlan, sizeof pair[i].vlan);
        pair[i].port = x->in->key->port;
    }
    uint8_t both[2 * KEY_FRAME_BYTES];
    memcpy(both, &pair[0], KEY_FRAME_BYTES);
    memcpy(both + KEY_FRAME_BYTES, &pair[1], KEY_FRAME_BYTES);
    actions_add(&x->v->actions, ACT_SET_HEADERS, 0, both, sizeof both);
    memcpy(&x->base, &x->flow, KEY_FRAME_BYTES);
}

/* ---- output ---- */

static void enter(struct xlate *, const struct bridge *, ofport);

static void
output_patch(struct xlate *x, const struct snap_port *p)
{
    struct wire peer = wiring_peer(x->wiring, x->bridge, p->number);
    if (!peer.bridge) {
        report(x, REPORT_DETAIL, "patch port %s has no peer, skipping output", p->name);
        walk_drop(x, DROP_PORT_DOWN);
        return;
    }
    walk_credit(x, (struct credit){.kind = CREDIT_TX, .number = p->number});
    walk_credit(x, (struct credit){.kind = CREDIT_RX, .bridge_id = peer.bridge->id, .number = peer.number});
    struct tags want = x->want;
    enter(x, peer.bridge, peer.number);
    x->want = want;
}

void
walk_output(struct xlate *x, const struct snap_port *p)
{
    walk_depend_port(x, p);
    if (!p->may_forward) {
        report(x, REPORT_DETAIL, "OFPPC_NO_FWD set, skipping output");
        walk_drop(x, DROP_PORT_DOWN);
    } else if (!p->is_up) {
        report(x, REPORT_DETAIL, "port %s is down, skipping output", p->name);
        walk_drop(x, DROP_PORT_DOWN);
    } else if (!snap_port_forwards(p)) {
        report(x, REPORT_DETAIL, "STP not in forwarding state, skipping output");
        walk_drop(x, DROP_STP);
    } else if (p->patch_peer) {
        output_patch(x, p);
        mirror_out(x, p);
    } else if (p->dp == DPPORT_NONE) {
        report(x, REPORT_DETAIL, "port %s has no device, skipping output", p->name);
        walk_drop(x, DROP_PORT_DOWN);
    } else {
        headers_sync(x);
        tags_sync(x);
        if (x->cut)
            actions_add(&x->v->actions, ACT_TRUNC, x->cut, NULL, 0);
        actions_add(&x->v->actions, ACT_OUTPUT, p->dp, NULL, 0);
        mirror_out(x, p);
    }
}

/* ---- tables ---- */

/* The line of a trace: "0. in_port=1, priority 5, cookie 0x7". */
static void
report_rule(struct xlate *x, uint8_t table, const struct rule *r)
{
    AUTO_TEXT struct text line = TEXT_INIT;
    struct match m;
    cls_rule_match(&r->cls, &m);
    match_format(&m, NULL, false, &line);
    text_addf(&line, "%spriority %u", line.len ? ", " : "", r->cls.priority);
    if (r->cookie)
        text_addf(&line, ", cookie 0x%llx", (unsigned long long) r->cookie);
    report(x, REPORT_RULE, "%u. %s", table, text_str(&line));
}

static void
miss(struct xlate *x, uint8_t table)
{
    report(x, REPORT_RULE, "%u. No match.", table);
    report(x, REPORT_STEP, "drop");
    walk_credit(x, (struct credit){.kind = CREDIT_RULE, .number = table});
    walk_drop(x, DROP_NO_RULE);
}

void
walk_table(struct xlate *x, uint8_t table, uint32_t in_port, bool may_miss)
{
    unsigned max = x->in->max_steps ? x->in->max_steps : MAX_STEPS;
    if (x->steps++ == max) {
        coverage_inc(xlate_too_long);
        report(x, REPORT_ERROR, "over %u rules in one translation", max);
        walk_drop(x, DROP_LOOP);
        x->is_over = true;
        return;
    }
    const struct rule *outer = x->rule;
    uint8_t outer_table = x->table;
    be32 port = x->flow.in_port;
    x->flow.in_port = be32_of(in_port);
    walk_depend(x, table_slot(x->bridge->id, table));
    struct rule *r = tables_find(x->bridge->tables, table, &x->flow, x->version, &x->v->mask);
    x->flow.in_port = port;
    if (r) {
        if (x->in->report)
            report_rule(x, table, r);
        walk_credit(x, (struct credit){.kind = CREDIT_RULE, .rule = rule_get(r)});
        x->rule = r;
        x->table = table;
        if (x->in_port && !x->in_port->may_receive) {
            walk_drop(x, DROP_PORT_DOWN);
            x->is_over = true;
        } else if (x->in_port && !snap_port_learns(x->in_port)) {
            walk_drop(x, DROP_STP);
            x->is_over = true;
        } else if (!r->actions.len) {
            report(x, REPORT_STEP, "drop");
            walk_drop(x, DROP_RULE);
        }
        steps_run(x, r->actions.bytes, r->actions.len);
    } else if (!may_miss) {
        miss(x, table);
    } else {
        report(x, REPORT_RULE, "%u. No match.", table);
    }
    x->rule = outer;
    x->table = outer_table;
}

static void
run_tables(struct xlate *x, ofport number)
{
    x->version = tables_version(x->bridge->tables);
    x->flow.in_port = be32_of(number);
    if (x->in->list && x->depth == 1)
        steps_run(x, x->in->list, x->in->list_len);
    else
        walk_table(x, 0, number, false);
    if (x->action_set.len)
        steps_run_action_set(x);
}

/* ---- frames for the bridge itself ---- */

/* BPDUs go to the control thread, which finds the port by the door: so only those that came in here, not by a patch. */
static bool
take_special(struct xlate *x)
{
    static const struct mac bridges = {{0x01, 0x80, 0xc2, 0x00, 0x00, 0x00}};
    if (!x->s->has_stp || !x->in_port)
        return false;
    walk_look(x, eth_dst);
    walk_look(x, eth_type);
    if (!mac_equal(x->flow.eth_dst, bridges) || x->flow.eth_type != be16_of(ETH_802_2) || !x->in_port->life)
        return false;
    x->flow.in_port = be32_of(x->in_port->number);
    if (x->depth > 1)
        walk_drop(x, DROP_RESERVED_MULTICAST);
    else
        actions_add(&x->v->actions, ACT_CONTROL, CONTROL_STP, NULL, 0);
    return true;
}

/* ---- bridges ---- */

static void
visit(struct xlate *x, const struct bridge *bridge, ofport number)
{
    x->bridge = bridge;
    if (x->depth == 1)
        walk_depend(x, bridge->slot);
    else
        walk_depend(x, bridge->slot_any);
    x->s = rcu_get(&bridge->now);
    x->in_port = snapshot_port(x->s, number);
    x->is_from_nowhere = number == OFPORT_NONE;
    if (x->in->report)
        report_enter(x->in->report, x->s->name);
    if (!take_special(x)) {
        mirror_in(x);
        run_tables(x, number);
    }
    if (x->in->report)
        report_leave(x->in->report);
    if (rcu_get(&bridge->now) != x->s)
        x->v->may_cache = false;
}

static void
enter(struct xlate *x, const struct bridge *bridge, ofport number)
{
    unsigned max = x->in->max_depth ? x->in->max_depth : MAX_DEPTH;
    if (x->depth == max) {
        coverage_inc(xlate_too_deep);
        report(x, REPORT_ERROR, "over max translation depth %u", max);
        walk_drop(x, DROP_LOOP);
        return;
    }
    /* The next bridge starts afresh; what it did to the frame is undone for ours. */
    struct xlate outer = *x;
    memset((uint8_t *) &x->flow + KEY_CACHED_BYTES, 0, sizeof x->flow - KEY_CACHED_BYTES);
    x->action_set = (struct oa_list) OA_LIST_INIT;
    memset(&x->stack, 0, sizeof x->stack);
    x->is_over = x->is_mirroring = false;
    x->mirrored = 0;
    x->cut = 0;
    x->depth++;
    visit(x, bridge, number);
    if (x->depth == 1 && x->in->end)
        *x->in->end = x->flow;
    x->depth--;
    oa_list_fini(&x->action_set);
    vec_fini(&x->stack);
    x->bridge = outer.bridge;
    x->s = outer.s;
    x->in_port = outer.in_port;
    x->is_from_nowhere = outer.is_from_nowhere;
    x->table = outer.table;
    x->rule = outer.rule;
    x->version = outer.version;
    x->is_over = outer.is_over;
    x->is_mirroring = outer.is_mirroring;
    x->mirrored = outer.mirrored;
    x->cut = outer.cut;
    x->action_set = outer.action_set;
    memcpy(&x->stack, &outer.stack, sizeof x->stack);
    x->flow = outer.flow;
}

static void
take_tags(struct xlate *x)
{
    for (unsigned i = 0; i < KEY_VLANS && x->key->vlan[i].tpid; i++)
        x->have.at[x->have.n++] = x->key->vlan[i];
    x->want = x->have;
}

/* Bits of layers that a frame of this type does not have say nothing: the type says it all. */
static void
trim_mask(const struct key *key, struct key *mask)
{
    bool ip4 = key->eth_type == be16_of(0x0800), ip6 = key->eth_type == be16_of(0x86dd);
    bool arp = key->eth_type == be16_of(0x0806) || key->eth_type == be16_of(0x8035);
    struct key before = *mask;
    if (!ip4)
        mask->ip_src = mask->ip_dst = 0;
    if (!ip6) {
        memset(&mask->ip6_src, 0, sizeof mask->ip6_src + sizeof mask->ip6_dst);
        memset(&mask->nd_target, 0, sizeof mask->nd_target);
        mask->ip6_label = 0;
    }
    if (!ip4 && !ip6) {
        mask->ip_proto = mask->ip_frag = mask->ip_tos = mask->ip_ttl = 0;
        mask->tp_src = mask->tp_dst = mask->tcp_flags = 0;
        mask->icmp_type = mask->icmp_code = 0;
    }
    if (!arp) {
        mask->arp_op = 0;
        mask->arp_spa = mask->arp_tpa = 0;
        memset(&mask->arp_sha, 0, sizeof mask->arp_sha);
        memset(&mask->arp_tha, 0, sizeof mask->arp_tha);
    }
    if (memcmp(&before, mask, sizeof before))
        mask->eth_type = 0xffff;
}

void
xlate(const struct backer *backer, const struct xlate_in *in, struct verdict *v)
{
    struct xlate x = {.in = in, .backer = backer, .v = v, .flow = *in->key, .base = *in->key};
    x.key = &x.flow;
    coverage_inc(xlate_actions);
    walk_look(&x, port);
    walk_look(&x, packet_type);
    walk_depend(&x, version_slot(VERSION_PORT, in->key->port));
    x.wiring = rcu_get(&backer->wiring);
    struct wire from =
        in->at ? (struct wire){(struct bridge *) in->at, in->number} : wiring_door(x.wiring, in->key->port);
    walk_drop(&x, DROP_NO_ROUTE_TO_BRIDGE);
    if (from.bridge) {
        take_tags(&x);
        enter(&x, from.bridge, from.number);
    }
    trim_mask(in->key, &v->mask);
    if (rcu_get(&backer->wiring) != x.wiring)
        v->may_cache = false;
    v->credits = x.credits;
}

void
verdict_init(struct verdict *v, const struct versions *versions)
{
    memset(&v->mask, 0, sizeof v->mask);
    actions_init(&v->actions);
    deps_begin(&v->deps, versions);
    v->credits = NULL;
    v->may_cache = true;
    v->drop = DROP_NO_RULE;
}

void
credits_free(struct credits *c)
{
    for (size_t i = 0; c && i < c->n; i++)
        rule_put(c->at[i].rule);
    free(c);
}

void
verdict_fini(struct verdict *v)
{
    actions_fini(&v->actions);
    credits_free(v->credits);
    v->credits = NULL;
}

void
relevant_mask(unsigned relevance, struct key *mask)
{
    memset(mask, relevance & RELEVANT_ALL ? 0xff : 0, sizeof *mask);
    memset(&mask->port, 0xff, sizeof mask->port);
    memset(&mask->packet_type, 0xff, sizeof mask->packet_type);
    if (relevance & RELEVANT_NORMAL) {
        memset(&mask->eth_src, 0xff, sizeof mask->eth_src);
        memset(&mask->eth_dst, 0xff, sizeof mask->eth_dst);
        memset(&mask->eth_type, 0xff, sizeof mask->eth_type);
        memset(&mask->vlan, 0xff, sizeof mask->vlan);
    }
    if (relevance & RELEVANT_BPDU) {
        memset(&mask->eth_dst, 0xff, sizeof mask->eth_dst);
        memset(&mask->eth_type, 0xff, sizeof mask->eth_type);
    }
    if (relevance & RELEVANT_ARP) {
        memset(&mask->arp_op, 0xff, sizeof mask->arp_op);
        memset(&mask->arp_spa, 0xff, sizeof mask->arp_spa);
        memset(&mask->arp_tpa, 0xff, sizeof mask->arp_tpa);
    }
}

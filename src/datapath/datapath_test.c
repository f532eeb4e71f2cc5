#include "base/test.h"
#include "base/rcu.h"
#include "datapath/datapath.h"
#include "datapath/show.h"
#include "datapath/test_door.h"

/* A pipeline in one function: frames to port 'out' (or where 'out_of' says), with this many tags more. */
struct world {
    struct loop *loop;
    struct datapath *dp;
    struct door *a, *b;
    dpport pa, pb;
    _Atomic dpport out;
    _Atomic int vlan; /* pushed when not negative */
    _Atomic bool may_cache;
    _Atomic unsigned n_translated;
    uint64_t packets, bytes; /* credited */
    int n_credits;           /* handed out and not given back */
    unsigned n_control;
    _Atomic int made;
};

static uint16_t
slot(void)
{
    return version_slot(VERSION_TABLE, 1);
}

static void
world_translate(void *w_, const struct key *key, UNUSED const struct packet *p, UNUSED instant now, struct verdict *v)
{
    struct world *w = w_;
    atomic_fetch_add(&w->n_translated, 1);
    deps_add(&v->deps, dp_versions(w->dp), slot());
    memset(&v->mask.port, 0xff, sizeof v->mask.port);
    memset(&v->mask.eth_dst, 0xff, sizeof v->mask.eth_dst);
    memset(&v->mask.tp_dst, 0xff, sizeof v->mask.tp_dst);
    v->may_cache = atomic_load(&w->may_cache);
    v->credits = w;
    atomic_fetch_add(&w->made, 1);
    int vlan = atomic_load(&w->vlan);
    if (host16(key->tp_dst) == 9999) {
        actions_add(&v->actions, ACT_CONTROL, 7, NULL, 0);
        return;
    }
    if (host16(key->tp_dst) == 6666) {
        v->drop = DROP_RULE;
        return;
    }
    if (vlan >= 0)
        actions_add(&v->actions, ACT_PUSH_VLAN, 0x8100u << 16 | vlan, NULL, 0);
    actions_add(&v->actions, ACT_OUTPUT, atomic_load(&w->out), NULL, 0);
}

static void
world_credit(void *w_, void *credits, uint64_t packets, uint64_t bytes, UNUSED uint16_t flags, UNUSED instant used)
{
    struct world *w = w_;
    CHECK(credits == w);
    w->packets += packets;
    w->bytes += bytes;
}

static void
world_credits_free(void *w_, UNUSED void *credits)
{
    struct world *w = w_;
    w->n_credits--;
}

static void
world_control(void *w_, uint32_t reason, const struct key *key, const struct packet *p)
{
    struct world *w = w_;
    CHECK_EQ(reason, 7);
    CHECK_EQ(key->port, w->pa);
    CHECK_EQ(p->len, 60);
    w->n_control++;
}

static const struct dp_ops world_ops = {world_translate, world_credit, world_credits_free, world_control};

static struct world *
world_new(void)
{
    struct world *w = xzalloc_line(sizeof *w);
    rcu_register();
    w->loop = loop_new();
    w->dp = dp_new(w->loop, "netdev@test", "netdev", &world_ops, w);
    w->a = door_new("a");
    w->b = door_new("b");
    atomic_store(&w->vlan, -1);
    atomic_store(&w->may_cache, true);
    CHECK_EQ(dp_port_add(w->dp, &w->a->device, DPPORT_NONE, &w->pa, NULL), 0);
    CHECK_EQ(dp_port_add(w->dp, &w->b->device, 7, &w->pb, NULL), 0);
    CHECK_EQ(w->pa, 1);
    CHECK_EQ(w->pb, 7);
    atomic_store(&w->out, w->pb);
    return w;
}

static void
world_free(struct world *w)
{
    if (dp_port_device(w->dp, w->pa))
        dp_port_del(w->dp, w->pa);
    if (dp_port_device(w->dp, w->pb))
        dp_port_del(w->dp, w->pb);
    dp_push_stats(w->dp);
    dp_free(w->dp);
    CHECK_EQ(atomic_load(&w->made) + w->n_credits, 0); /* every credit came back */
    loop_free(w->loop);
    door_free(w->a);
    door_free(w->b);
    rcu_unregister();
    free(w);
}

TEST(packets_go_where_the_pipeline_says_and_later_ones_do_not_ask)
{
    struct world *w = world_new();
    uint8_t f[64];
    uint32_t len = frame_udp(f, 1, 2, 5, 80, 0);
    for (unsigned i = 0; i < 100; i++)
        CHECK(door_put(w->a, f, len));
    CHECK(door_wait_out(w->b, 100));
    CHECK_EQ(atomic_load(&w->n_translated), 1);
    CHECK_EQ(w->b->out[99].len, 60);
    CHECK_MEM(w->b->out[99].bytes, f, 60);

    struct dp_stats s;
    dp_stats(w->dp, &s);
    CHECK_EQ(s.misses, 1);
    CHECK_EQ(s.hits_l1 + s.hits_l2, 99);
    CHECK_EQ(s.flows, 1);
    dp_push_stats(w->dp);
    CHECK_EQ(w->packets, 100);
    CHECK_EQ(w->bytes, 6000);
    world_free(w);
}

TEST(a_bumped_version_makes_the_flow_ask_again)
{
    struct world *w = world_new();
    uint8_t f[64];
    uint32_t len = frame_udp(f, 1, 2, 5, 80, 0);
    CHECK(door_put(w->a, f, len));
    CHECK(door_wait_out(w->b, 1));
    atomic_store(&w->vlan, 5);
    version_bump(dp_versions(w->dp), slot());
    CHECK(door_put(w->a, f, len));
    CHECK(door_wait_out(w->b, 2));
    CHECK_EQ(atomic_load(&w->n_translated), 2);
    CHECK_EQ(w->b->out[1].len, 64);
    CHECK_EQ(load_be32(w->b->out[1].bytes + 12), 0x81000005);
    dp_push_stats(w->dp);
    CHECK_EQ(w->packets, 2);
    world_free(w);
}

TEST(verdicts_for_one_packet_are_counted_and_not_kept)
{
    struct world *w = world_new();
    uint8_t f[64];
    uint32_t len = frame_udp(f, 1, 2, 5, 80, 0);
    atomic_store(&w->may_cache, false);
    for (unsigned i = 0; i < 50; i++)
        CHECK(door_put(w->a, f, len));
    CHECK(door_wait_out(w->b, 50));
    CHECK_EQ(atomic_load(&w->n_translated), 50);
    dp_push_stats(w->dp);
    CHECK_EQ(w->packets, 50);
    struct dp_stats s;
    dp_stats(w->dp, &s);
    CHECK_EQ(s.flows, 0);
    world_free(w);
}

TEST(drops_are_counted_by_reason_and_remembered)
{
    struct world *w = world_new();
    uint8_t f[64];
    uint32_t len = frame_udp(f, 1, 2, 5, 6666, 0);
    CHECK(door_put(w->a, f, 5));
    for (unsigned i = 0; i < 3; i++)
        CHECK(door_put(w->a, f, len));
    frame_udp(f, 1, 2, 5, 80, 0);
    CHECK(door_put(w->a, f, len));
    CHECK(door_wait_out(w->b, 1));
    CHECK_EQ(dp_drops(w->dp, DROP_RULE), 3);
    CHECK_EQ(dp_drops(w->dp, DROP_RX_RUNT), 1);
    struct dp_last_drop d[8];
    size_t n = dp_last_drops(w->dp, d, 8);
    CHECK(n >= 2 && n <= 4);
    CHECK_EQ(d[0].reason, DROP_RULE);
    CHECK_EQ(d[0].in_port, w->pa);
    CHECK_EQ(d[0].len, 60);
    CHECK_EQ(load_be16(d[0].head + 36), 6666);
    world_free(w);
}

TEST(copies_reach_the_control_thread)
{
    struct world *w = world_new();
    uint8_t f[64];
    uint32_t len = frame_udp(f, 1, 2, 5, 9999, 0);
    for (unsigned i = 0; i < 10; i++)
        CHECK(door_put(w->a, f, len));
    for (unsigned i = 0; i < 10000 && w->n_control < 10; i++)
        loop_turn(w->loop, true);
    CHECK_EQ(w->n_control, 10);
    world_free(w);
}

TEST(a_port_comes_and_goes_while_others_forward)
{
    struct world *w = world_new();
    struct door *c = door_new("c");
    uint8_t f[64];
    uint32_t len = frame_udp(f, 1, 2, 5, 80, 0);
    unsigned sent = 0;
    for (unsigned i = 0; i < 50; i++) {
        dpport pc;
        CHECK_EQ(dp_port_add(w->dp, &c->device, DPPORT_NONE, &pc, NULL), 0);
        CHECK(door_put(c, f, len));
        for (unsigned j = 0; j < 20; j++, sent++)
            CHECK(door_put(w->a, f, len));
        sent++;
        CHECK(door_wait_out(w->b, sent));
        dp_port_del(w->dp, pc);
        struct dp_stats s;
        dp_stats(w->dp, &s);
        CHECK_EQ(s.flows, 1); /* those of the port went with it */
    }
    CHECK_EQ(c->device.n_refs, 1);
    door_free(c);
    world_free(w);
}

TEST(frames_of_the_control_thread_run_a_program)
{
    struct world *w = world_new();
    uint8_t f[64];
    uint32_t len = frame_udp(f, 1, 2, 5, 80, 0);
    struct actions a;
    actions_init(&a);
    actions_add(&a, ACT_OUTPUT, w->pa, NULL, 0);
    actions_add(&a, ACT_PUSH_VLAN, 0x8100u << 16 | 9, NULL, 0);
    actions_add(&a, ACT_OUTPUT, w->pb, NULL, 0);
    dp_packet_out(w->dp, f, len, w->pa, a.bytes, a.len);
    actions_fini(&a);
    CHECK_EQ(door_n_out(w->a), 1);
    CHECK_EQ(door_n_out(w->b), 1);
    CHECK_EQ(w->a->out[0].len, 60);
    CHECK_EQ(w->b->out[0].len, 64);
    world_free(w);
}

TEST(a_cut_is_for_the_next_output_alone)
{
    struct world *w = world_new();
    uint8_t f[64];
    uint32_t len = frame_udp(f, 1, 2, 5, 80, 0);
    struct actions a;
    actions_init(&a);
    CHECK_EQ(actions_parse("trunc(20),1,7,trunc(1000),1,push_vlan(vid=3,pcp=1),trunc(18),7", NULL, NULL, &a, NULL), 0);
    dp_packet_out(w->dp, f, len, w->pa, a.bytes, a.len);
    actions_fini(&a);
    CHECK_EQ(door_n_out(w->a), 2);
    CHECK_EQ(door_n_out(w->b), 2);
    CHECK_EQ(w->a->out[0].len, 20);
    CHECK_MEM(w->a->out[0].bytes, f, 20);
    CHECK_EQ(w->a->out[1].len, 60);
    CHECK_MEM(w->b->out[0].bytes, f, 60);
    CHECK_EQ(w->b->out[1].len, 18);
    CHECK_EQ(load_be32(w->b->out[1].bytes + 12), 0x81002003);
    world_free(w);
}

TEST(a_flush_forgets_and_counts)
{
    struct world *w = world_new();
    uint8_t f[64];
    for (unsigned i = 0; i < 1000; i++) {
        uint32_t len = frame_udp(f, 1, 2, 5, i, 0);
        CHECK(door_put(w->a, f, len));
    }
    CHECK(door_wait_out(w->b, 1000));
    dp_flush(w->dp);
    CHECK_EQ(w->packets, 1000);
    struct dp_stats s;
    dp_stats(w->dp, &s);
    CHECK_EQ(s.flows, 0);
    world_free(w);
}

static void
set_true(void *done)
{
    *(bool *) done = true;
}

TEST(idle_flows_go_by_the_clock_of_the_loop)
{
    struct world *w = world_new();
    uint8_t f[64];
    bool done = false;
    loop_time_stop(w->loop);
    uint32_t len = frame_udp(f, 1, 2, 5, 80, 0);
    CHECK(door_put(w->a, f, len));
    CHECK(door_wait_out(w->b, 1));
    loop_time_warp(w->loop, seconds(9), seconds(1), set_true, &done);
    while (!done)
        loop_turn(w->loop, true);
    struct dp_stats s;
    dp_stats(w->dp, &s);
    CHECK_EQ(s.flows, 1);
    CHECK_EQ(w->packets, 1); /* the tick has told the pipeline */
    done = false;
    loop_time_warp(w->loop, seconds(3), seconds(1), set_true, &done);
    for (unsigned i = 0; i < 100000 && (!done || s.flows); i++) {
        loop_turn(w->loop, !done);
        dp_stats(w->dp, &s);
    }
    CHECK_EQ(s.flows, 0);
    world_free(w);
}

struct dumped {
    struct world *w;
    struct text t;
    unsigned n;
};

static bool
dump_line(void *d_, const struct dp_flow *f)
{
    struct dumped *d = d_;
    dp_flow_format(f, false, INSTANT_NEVER, NULL, NULL, &d->t);
    text_addc(&d->t, '\n');
    d->n++;
    return true;
}

TEST(flows_are_told_as_the_pipeline_made_them)
{
    struct world *w = world_new();
    uint8_t f[64];
    for (unsigned i = 0; i < 5; i++) { /* one wildcard flow, whatever its source */
        uint32_t len = frame_udp(f, 1, 2, i, 80, 0);
        CHECK(door_put(w->a, f, len));
    }
    CHECK(door_wait_out(w->b, 5));
    struct dumped d = {w, TEXT_INIT, 0};
    dp_flows(w->dp, dump_line, &d);
    CHECK_EQ(d.n, 1);
    *strstr(d.t.s, "used:") = '\0';
    CHECK_STR(
        d.t.s,
        "recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth(dst=02:00:00:00:00:01),eth_type(0x0800),ipv4(frag=no),"
        "udp(dst=80), packets:4, bytes:240, ");
    text_fini(&d.t);

    version_bump(dp_versions(w->dp), slot());
    d.n = 0;
    dp_flows(w->dp, dump_line, &d);
    CHECK_EQ(d.n, 0); /* what would not be hit any more is not told */
    text_fini(&d.t);
    world_free(w);
}

TEST(the_figures_of_lanes_are_told)
{
    struct world *w = world_new();
    uint8_t f[64];
    uint32_t len = frame_udp(f, 1, 2, 5, 80, 0);
    for (unsigned i = 0; i < 10; i++)
        CHECK(door_put(w->a, f, len));
    CHECK(door_wait_out(w->b, 10));
    dp_settle(w->dp);
    AUTO_TEXT struct text t = TEXT_INIT;
    dp_lanes_stats(w->dp, -1, &t);
    CHECK(strstr(text_str(&t), "pmd thread numa_id 0 core_id 0:\n  packets received: 10\n"));
    CHECK(strstr(text_str(&t), "  miss with success upcall: 1\n"));
    dp_lanes_clear(w->dp, -1);
    text_fini(&t);
    dp_lanes_stats(w->dp, -1, &t);
    CHECK(strstr(text_str(&t), "  packets received: 0\n"));
    text_fini(&t);
    dp_lanes_stats(w->dp, 5, &t);
    CHECK_EQ(t.len, 0);
    dp_lanes_perf(w->dp, -1, &t);
    CHECK(strstr(text_str(&t), "  Iterations: "));
    text_fini(&t);
    dp_lanes_queues(w->dp, -1, &t);
    CHECK(strstr(text_str(&t), "  port: a                 queue-id:  0 (enabled)   pmd usage: "));
    world_free(w);
}

TESTS(packets_go_where_the_pipeline_says_and_later_ones_do_not_ask, a_bumped_version_makes_the_flow_ask_again,
      verdicts_for_one_packet_are_counted_and_not_kept, drops_are_counted_by_reason_and_remembered,
      copies_reach_the_control_thread, a_port_comes_and_goes_while_others_forward,
      frames_of_the_control_thread_run_a_program, a_cut_is_for_the_next_output_alone, a_flush_forgets_and_counts,
      idle_flows_go_by_the_clock_of_the_loop, flows_are_told_as_the_pipeline_made_them, the_figures_of_lanes_are_told)

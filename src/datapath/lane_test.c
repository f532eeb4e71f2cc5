#include "base/test.h"
#include "base/rcu.h"
#include "datapath/dp.h"
#include "datapath/test_door.h"

/* A pipeline that takes its time, so that packets wait in line. */
struct world {
    struct loop *loop;
    struct datapath *dp;
    struct door *in, *out;
    dpport pin, pout;
    int64_t translate_ns;
    _Atomic unsigned n_translated;
    _Atomic bool stop;
    _Atomic unsigned out_then; /* frames that had left when the last translation began */
    unsigned n_put;
    _Atomic unsigned tag; /* pushed unless 0: the rule in force */
};

static void
slow_translate(void *w_, const struct key *key, UNUSED const struct packet *p, UNUSED instant now, struct verdict *v)
{
    struct world *w = w_;
    instant until = instant_add(clock_now(), nanos(w->translate_ns));
    atomic_fetch_add(&w->n_translated, 1);
    atomic_store(&w->out_then, door_n_out(w->out));
    deps_add(&v->deps, dp_versions(w->dp), version_slot(VERSION_TABLE, host16(key->tp_src)));
    memset(&v->mask.port, 0xff, sizeof v->mask.port);
    memset(&v->mask.tp_src, 0xff, sizeof v->mask.tp_src);
    if (host16(key->tp_dst)) /* some flows are wildcards, some are not */
        memset(&v->mask.tp_dst, 0xff, sizeof v->mask.tp_dst);
    unsigned tag = atomic_load(&w->tag);
    if (tag)
        actions_add(&v->actions, ACT_PUSH_VLAN, 0x8100u << 16 | tag, NULL, 0);
    actions_add(&v->actions, ACT_OUTPUT, w->pout, NULL, 0);
    while (instant_before(clock_now(), until))
        continue;
}

static const struct dp_ops slow_ops = {.translate = slow_translate};

static struct world *
world_new(int64_t translate_ns)
{
    struct world *w = xzalloc_line(sizeof *w);
    rcu_register();
    w->translate_ns = translate_ns;
    w->loop = loop_new();
    w->dp = dp_new(w->loop, "netdev@test", "netdev", &slow_ops, w);
    w->in = door_new("in");
    w->out = door_new("out");
    CHECK_EQ(dp_port_add(w->dp, &w->in->device, DPPORT_NONE, &w->pin, NULL), 0);
    CHECK_EQ(dp_port_add(w->dp, &w->out->device, DPPORT_NONE, &w->pout, NULL), 0);
    return w;
}

static void
world_free(struct world *w)
{
    dp_port_del(w->dp, w->pin);
    dp_port_del(w->dp, w->pout);
    dp_free(w->dp);
    loop_free(w->loop);
    door_free(w->in);
    door_free(w->out);
    rcu_unregister();
    free(w);
}

static void
lanes(struct world *w, unsigned n)
{
    dp_configure(w->dp,
                 &(struct dp_config){.n_lanes = n, .flow_limit = 1000, .max_idle = seconds(10), .vlan_limit = 1});
}

#define FLOWS 40

/* Frame 'number' of its flow. */
static void
put(struct world *w, unsigned flow, uint32_t number)
{
    uint8_t f[64];
    uint32_t len = frame_udp(f, 1, 2, flow, flow % 3 ? number % 5 : 0, number);
    while (w->n_put - door_n_out(w->out) > FLOWS * 30 || !door_put(w->in, f, len))
        usleep(100); /* no more than may wait of one flow are on their way */
    w->n_put++;
}

/* All came out, and those of one connection in the order they went in. */
static void
check_order(struct world *w, unsigned n)
{
    static uint32_t last[FLOWS][5];
    memset(last, 0, sizeof last);
    CHECK(n <= DOOR_FRAMES);
    if (!door_wait_out(w->out, n)) {
        struct dp_stats s;
        dp_stats(w->dp, &s);
        fail_msg("%u of %u came out; lost %u", door_n_out(w->out), n, (unsigned) s.lost);
    }
    for (unsigned i = 0; i < n; i++) {
        const uint8_t *f = w->out->out[i].bytes;
        uint32_t number = load_be32(f + 42), *before = &last[load_be16(f + 34)][load_be16(f + 36)];
        CHECK(number > *before);
        *before = number;
    }
}

TEST(order_inside_a_flow_is_kept_while_packets_wait)
{
    struct world *w = world_new(15000);
    unsigned n = 0;
    for (unsigned i = 1; n < 4000; i++)
        for (unsigned flow = 0; flow < FLOWS && n < 4000; flow++, n++)
            put(w, flow, i);
    check_order(w, n);
    CHECK(atomic_load(&w->n_translated) >= FLOWS);
    world_free(w);
}

TEST(order_is_kept_while_flows_are_forgotten)
{
    struct world *w = world_new(15000);
    unsigned n = 0;
    for (unsigned i = 1; n < 4000; i++) {
        for (unsigned flow = 0; flow < FLOWS && n < 4000; flow++, n++)
            put(w, flow, i);
        version_bump(dp_versions(w->dp), version_slot(VERSION_TABLE, i % FLOWS));
    }
    check_order(w, n);
    CHECK(atomic_load(&w->n_translated) > FLOWS);
    world_free(w);
}

TEST(order_is_kept_while_queues_go_from_lane_to_lane)
{
    struct world *w = world_new(5000);
    unsigned n = 0;
    for (unsigned i = 1; n < 4000; i++) {
        for (unsigned flow = 0; flow < FLOWS && n < 4000; flow++, n++)
            put(w, flow, i);
        lanes(w, 1 + i % 3);
        if (i % 10 == 0) { /* another descriptor for the same queue */
            pthread_mutex_lock(&w->in->lock);
            int old = w->in->fd;
            w->in->fd = dup(old);
            pthread_mutex_unlock(&w->in->lock);
            dp_port_changed(w->dp, w->pin);
            close(old);
        }
    }
    check_order(w, n);
    struct dp_stats s;
    dp_stats(w->dp, &s);
    CHECK_EQ(s.hits_l1 + s.hits_l2 + s.misses, n);
    world_free(w);
}

/* Frames of flow 0 are checked; the others are there so that lanes are never at rest. */
TEST(after_a_barrier_no_packet_obeys_an_older_rule)
{
    struct world *w = world_new(2000);
    lanes(w, 2);
    unsigned n = 0;
    for (unsigned round = 1; round <= 150; round++) {
        for (unsigned flow = 1; flow < 20; flow++, n++)
            put(w, flow, round);
        atomic_store(&w->tag, round); /* the rule changes: every table it is in moves ... */
        for (unsigned flow = 0; flow < 20; flow++)
            version_bump(dp_versions(w->dp), version_slot(VERSION_TABLE, flow));
        dp_settle(w->dp); /* ... and the barrier is answered */
        put(w, 0, round);
        n++;
    }
    CHECK(door_wait_out(w->out, n));
    unsigned seen = 0;
    for (unsigned i = 0; i < n; i++) {
        const uint8_t *f = w->out->out[i].bytes;
        bool tagged = load_be16(f + 12) == 0x8100;
        const uint8_t *l4 = f + (tagged ? 38 : 34);
        if (load_be16(l4))
            continue;
        CHECK(tagged);
        CHECK(load_be16(f + 14) >= load_be32(l4 + 8)); /* the rule of its round, or of a later one if it had to wait */
        seen++;
    }
    CHECK_EQ(seen, 150);
    world_free(w);
}

TEST(hits_leave_before_a_miss_of_the_same_burst_is_translated)
{
    struct world *w = world_new(0);
    put(w, 1, 1);
    CHECK(door_wait_out(w->out, 1));
    for (unsigned round = 1; round <= 50; round++) {
        uint8_t f[BURST][64];
        uint32_t len = 0;
        unsigned before = door_n_out(w->out);
        for (unsigned i = 0; i < BURST; i++)
            len = frame_udp(f[i], 1, 2, i == 3 ? 100 + round : 1, i == 3 ? 0 : 1, 1);
        pthread_mutex_lock(&w->in->lock); /* so that they come as one burst */
        for (unsigned i = 0; i < BURST; i++) {
            struct door_frame *d = &w->in->in[(w->in->in_head + w->in->n_in++) % DOOR_FRAMES];
            d->len = len;
            memcpy(d->bytes, f[i], len);
        }
        uint64_t one = 1;
        CHECK(write(w->in->fd, &one, sizeof one) > 0);
        pthread_mutex_unlock(&w->in->lock);
        CHECK(door_wait_out(w->out, before + BURST));
        CHECK_EQ(atomic_load(&w->out_then), before + BURST - 1);
    }
    world_free(w);
}

TEST(lanes_of_a_mask_run_where_it_says)
{
    struct world *w = world_new(0);
    dp_configure(w->dp, &(struct dp_config){.lane_cpus = "0x1", .flow_limit = 100, .vlan_limit = 1});
    put(w, 1, 1);
    CHECK(door_wait_out(w->out, 1));
    dp_configure(w->dp,
                 &(struct dp_config){.lane_cpus = "zz", .flow_limit = 100, .vlan_limit = 1}); /* warned, ignored */
    put(w, 1, 2);
    CHECK(door_wait_out(w->out, 2));
    dp_configure(w->dp, &(struct dp_config){.flow_limit = 100, .vlan_limit = 1});
    put(w, 1, 3);
    CHECK(door_wait_out(w->out, 3));
    world_free(w);
}

static void *
bump_all_the_time(void *w_)
{
    struct world *w = w_;
    for (unsigned i = 0; !atomic_load(&w->stop); i++) {
        version_bump(dp_versions(w->dp), version_slot(VERSION_TABLE, i % FLOWS));
        if (i % 100 == 0)
            usleep(10);
    }
    return NULL;
}

static bool
look_at(UNUSED void *aux, UNUSED const struct dp_flow *f)
{
    return true;
}

/* For ThreadSanitizer above all: everything that may happen at once, does. */
TEST(ports_flows_versions_and_lanes_change_under_traffic)
{
    struct world *w = world_new(1000);
    struct door *c = door_new("c");
    pthread_t bumper;
    unsigned n = 0;
    CHECK_EQ(pthread_create(&bumper, NULL, bump_all_the_time, w), 0);
    for (unsigned i = 1; i <= 60; i++) {
        dpport pc;
        struct key relevant;
        CHECK_EQ(dp_port_add(w->dp, &c->device, DPPORT_NONE, &pc, NULL), 0);
        for (unsigned flow = 0; flow < FLOWS; flow++, n++)
            put(w, flow, i);
        memset(&relevant, 0xff, sizeof relevant);
        relevant.eth_dst.b[0] = i;
        dp_port_relevant(w->dp, w->pin, &relevant);
        lanes(w, 1 + i % 4);
        dp_rebalance(w->dp);
        dp_flows(w->dp, look_at, NULL);
        struct dp_last_drop drops[4];
        dp_last_drops(w->dp, drops, 4);
        if (i % 7 == 0)
            dp_flush(w->dp);
        dp_settle(w->dp);
        dp_port_del(w->dp, pc);
    }
    CHECK(door_wait_out(w->out, n));
    CHECK_EQ(door_n_out(w->out), n);
    atomic_store(&w->stop, true);
    pthread_join(bumper, NULL);
    door_free(c);
    world_free(w);
}

TESTS(order_inside_a_flow_is_kept_while_packets_wait, order_is_kept_while_flows_are_forgotten,
      order_is_kept_while_queues_go_from_lane_to_lane, hits_leave_before_a_miss_of_the_same_burst_is_translated,
      after_a_barrier_no_packet_obeys_an_older_rule, lanes_of_a_mask_run_where_it_says,
      ports_flows_versions_and_lanes_change_under_traffic)

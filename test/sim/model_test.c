/* Random bridges and frames: NORMAL against the plain model, once through the doubting cache and the reference executor, once through the
 * lanes, caches and executor that serve real traffic. */
#include "base/mem.h"
#include "base/test.h"
#include "datapath/test_door.h"
#include "flows.h"
#include "model.h"
#include "packet/sample.h"
#include <stdlib.h>

enum { ROUNDS = 40, LANE_ROUNDS = 3, CONFIGS = 12, FRAMES = 250 };

struct world {
    struct dice dice;
    struct model *model;
    struct backer *backer;
    struct bridge *bridge;
    double now;
    struct flows *flows; /* or: */
    struct loop *loop;
    struct door *doors[MODEL_PORTS];
    bool left[MODEL_PORTS];
    struct model_frame out[MODEL_PORTS];
    unsigned long step;
};

static const unsigned vids[] = {0, 1, 2, 3, 4095};

static unsigned
some_vid(struct world *w)
{
    return vids[dice_roll(&w->dice, ARRAY_SIZE(vids))];
}

/* ---- configuration ---- */

static void
roll_port(struct world *w, struct model_port *p)
{
    *p = (struct model_port){
        .exists = dice_roll(&w->dice, 10) > 0,
        .is_up = dice_roll(&w->dice, 10) > 0,
        .may_flood = dice_roll(&w->dice, 10) > 0,
        .is_protected = dice_roll(&w->dice, 4) == 0,
        .mode = "attnuq"[dice_roll(&w->dice, 6)],
        .all = dice_roll(&w->dice, 2),
        .q_is_8100 = dice_roll(&w->dice, 2),
        .priority = "nza"[dice_roll(&w->dice, 3)],
    };
    if (p->mode != 't')
        p->vid = some_vid(w);
    for (unsigned i = 0; i < 3; i++)
        p->list[some_vid(w)] = true;
}

static void
to_vlan_port(const struct model_port *from, struct vlan_port *to)
{
    *to = (struct vlan_port){
        .mode = from->mode == 'a'   ? VLAN_ACCESS
                : from->mode == 't' ? VLAN_TRUNK
                : from->mode == 'n' ? VLAN_NATIVE_TAGGED
                : from->mode == 'u' ? VLAN_NATIVE_UNTAGGED
                                    : VLAN_DOT1Q_TUNNEL,
        .vid = from->vid,
        .trunks_all = from->all,
        .cvlans_all = from->all,
        .qinq_ethtype = be16_of(from->q_is_8100 ? 0x8100 : 0x88a8),
        .priority_tags = from->priority == 'n'   ? PRIORITY_TAGS_NEVER
                         : from->priority == 'z' ? PRIORITY_TAGS_IF_NONZERO
                                                 : PRIORITY_TAGS_ALWAYS,
    };
    for (unsigned vid = 0; vid < 4096; vid++)
        if (from->list[vid]) {
            to->trunks[vid / 64] |= 1ull << (vid % 64);
            to->cvlans[vid / 64] |= 1ull << (vid % 64);
        }
}

static void
apply(struct world *w)
{
    struct bridge_port_config ports[MODEL_PORTS];
    struct bridge_bundle_config *bundles = xcalloc(MODEL_PORTS, sizeof *bundles);
    ofport numbers[MODEL_PORTS];
    static const char *const names[] = {"p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8"};
    struct bridge_config c = {.name = "br", .ports = ports, .bundles = bundles, .mac_aging_time = seconds(60)};
    for (unsigned vid = 0; vid < 4096; vid++)
        c.flood_vlans[vid / 64] |= (uint64_t) w->model->flood_vlan[vid] << (vid % 64);
    for (unsigned i = 0; i < MODEL_PORTS; i++) {
        const struct model_port *p = &w->model->ports[i];
        if (!p->exists)
            continue;
        numbers[i] = i + 1;
        ports[c.n_ports++] = (struct bridge_port_config){.number = i + 1,
                                                         .name = names[i],
                                                         .dp = i + 1,
                                                         .may_flood = p->may_flood,
                                                         .may_receive = true,
                                                         .may_forward = true,
                                                         .is_up = p->is_up};
        struct bridge_bundle_config *b = &bundles[c.n_bundles++];
        *b = (struct bridge_bundle_config){
            .name = names[i], .members = &numbers[i], .n_members = 1, .active = i + 1, .is_protected = p->is_protected};
        to_vlan_port(p, &b->vlan);
    }
    CHECK_EQ(bridge_configure(w->bridge, &c, NULL), 0);
    free(bundles);
}

static void
reconfigure(struct world *w, bool all)
{
    for (unsigned i = 0; i < MODEL_PORTS; i++)
        if (all || dice_roll(&w->dice, 5) == 0) {
            struct model_port *p = &w->model->ports[i];
            if (!all && p->exists && dice_roll(&w->dice, 2)) {
                p->is_up = !p->is_up; /* which keeps what was learned there */
                continue;
            }
            roll_port(w, p);
            model_forget_port(w->model, i);
        }
    if (all || dice_roll(&w->dice, 5) == 0) {
        /* A VLAN that begins to flood forgets; one that ends has learned nothing. */
        unsigned vid = some_vid(w);
        w->model->flood_vlan[vid] = !w->model->flood_vlan[vid];
        memset(w->model->fdb[vid], 0, sizeof w->model->fdb[vid]);
    }
    apply(w);
}

/* ---- frames ---- */

static const uint16_t tag_types[] = {0x8100, 0x88a8};

static void
roll_frame(struct world *w, struct model_frame *f)
{
    *f = (struct model_frame){.src = dice_roll(&w->dice, MODEL_MACS), .dst = dice_roll(&w->dice, MODEL_MACS + 2)};
    f->dst = MIN(f->dst, MODEL_MACS);
    f->n_tags = MAX((int) dice_roll(&w->dice, 4) - 1, 0);
    for (unsigned i = 0; i < f->n_tags; i++) {
        f->tags[i].type = tag_types[dice_roll(&w->dice, 4) == 0];
        f->tags[i].tci = some_vid(w) | (dice_roll(&w->dice, 2) ? dice_roll(&w->dice, 8) : 0) << 13;
    }
}

static size_t
write_frame(const struct model_frame *f, uint8_t *bytes)
{
    struct mac src = mac_from_u64(0x020000000000 + f->src);
    struct mac dst = f->dst == MODEL_MACS ? MAC_BROADCAST : mac_from_u64(0x020000000000 + f->dst);
    memset(bytes, 0, 100);
    memcpy(bytes, &dst, 6);
    memcpy(bytes + 6, &src, 6);
    size_t at = 12;
    for (unsigned i = 0; i < f->n_tags; i++, at += 4) {
        store_be16(bytes + at, f->tags[i].type);
        store_be16(bytes + at + 2, f->tags[i].tci);
    }
    store_be16(bytes + at, 0x88b5); /* for experiments, IEEE 802 */
    return at + 2 + 46;
}

static void
frame_text(const struct model_frame *f, struct text *t)
{
    text_addf(t, "%u>%u", f->src, f->dst);
    for (unsigned i = 0; i < f->n_tags; i++)
        text_addf(t, " %x:%up%u", f->tags[i].type, f->tags[i].tci & 0xfff, f->tags[i].tci >> 13);
}

static void
came_out(void *w_, dpport number, const uint8_t *bytes, size_t len)
{
    struct world *w = w_;
    unsigned door = number - 1;
    uint8_t want[128];
    size_t n = w->left[door] ? write_frame(&w->out[door], want) : 0;
    if (n != len || memcmp(want, bytes, n)) {
        AUTO_TEXT struct text t = TEXT_INIT;
        if (w->left[door])
            frame_text(&w->out[door], &t);
        print_error("step %lu: by port %u came %zu bytes, type %04x %04x; the model says %s\n", w->step, door, len,
                    load_be16(bytes + 12), load_be16(bytes + 14), w->left[door] ? text_str(&t) : "nothing");
    }
    CHECK_EQ(n, len);
    CHECK_MEM(want, bytes, n);
    w->left[door] = false; /* once */
}

static uint64_t
n_served(struct datapath *dp)
{
    struct dp_stats s;
    dp_stats(dp, &s);
    return s.hits_l1 + s.hits_l2 + s.misses;
}

/* Hands the frame to its lane, and what came out to came_out(). */
static void
serve_by_lanes(struct world *w, unsigned in, const uint8_t *bytes, size_t len)
{
    struct datapath *dp = backer_datapath(w->backer);
    uint64_t before = n_served(dp);
    CHECK(door_put(w->doors[in], bytes, len));
    for (unsigned tries = 0; n_served(dp) == before; tries++) {
        CHECK(tries < 100000);
        usleep(20);
    }
    dp_settle(dp); /* the burst is over */
    for (unsigned i = 0; i < MODEL_PORTS; i++) {
        struct door *d = w->doors[i];
        for (unsigned j = 0; j < d->n_out; j++)
            came_out(w, i + 1, d->out[j].bytes, d->out[j].len);
        d->n_out = 0;
    }
}

static void
one_frame(struct world *w)
{
    struct model_frame f;
    uint8_t bytes[128];
    unsigned in = dice_roll(&w->dice, MODEL_PORTS);
    roll_frame(w, &f);
    if (w->flows)
        w->now += dice_roll(&w->dice, 20) ? 0.01 : dice_roll(&w->dice, 70);
    w->step++;
    instant now = {(int64_t) (w->now * 1e9)};
    size_t len = write_frame(&f, bytes);
    model_run(w->model, in, &f, w->now, w->left, w->out);
    if (w->flows) {
        backer_run(w->backer, now);
        flows_serve(w->flows, in + 1, bytes, len, now, came_out, w);
    } else {
        serve_by_lanes(w, in, bytes, len);
    }
    for (unsigned i = 0; i < MODEL_PORTS; i++) {
        if (w->left[i]) {
            AUTO_TEXT struct text t = TEXT_INIT;
            frame_text(&f, &t);
            text_add(&t, " should have left as ");
            frame_text(&w->out[i], &t);
            print_error("step %lu: %s by port %u\n", w->step, text_str(&t), i);
        }
        CHECK(!w->left[i]);
    }
}

static void
run_configs(struct world *w)
{
    w->model->max_age = 60;
    w->bridge = bridge_new(w->backer, "br");
    for (unsigned config = 0; config < CONFIGS; config++) {
        reconfigure(w, config == 0);
        for (unsigned i = 0; i < FRAMES; i++)
            one_frame(w);
    }
}

static uint64_t
seed_of(uint64_t round)
{
    const char *asked = getenv("SEED");
    return asked ? strtoull(asked, NULL, 10) : round * 7919;
}

TEST(normal_does_what_the_model_does)
{
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        struct world w = {.dice = {seed_of(round)}, .model = xzalloc(sizeof *w.model), .now = 1};
        w.backer = backer_new(NULL, "dummy");
        w.flows = flows_new(w.backer);
        run_configs(&w);
        struct flows_stats stats;
        flows_stats(w.flows, &stats);
        CHECK(stats.hits > 0 && stats.outdated > 0);
        flows_free(w.flows);
        bridge_free(w.bridge);
        backer_free(w.backer);
        free(w.model);
        rcu_quiescent();
    }
}

/* ---- lanes ---- */

static void
lanes_init(struct world *w, uint64_t seed)
{
    *w = (struct world){.dice = {seed}, .model = xzalloc(sizeof *w->model), .loop = loop_new()};
    w->backer = backer_new(w->loop, "dummy");
    struct datapath *dp = backer_datapath(w->backer);
    dp_configure(dp, &(struct dp_config){.flow_limit = 200000, .max_idle = seconds(10), .vlan_limit = 2});
    for (unsigned i = 0; i < MODEL_PORTS; i++) {
        dpport got;
        w->doors[i] = door_new("door");
        CHECK_EQ(dp_port_add(dp, &w->doors[i]->device, i + 1, &got, NULL), 0);
        CHECK_EQ(got, i + 1);
    }
}

static void
lanes_fini(struct world *w)
{
    for (unsigned i = 0; i < MODEL_PORTS; i++)
        dp_port_del(backer_datapath(w->backer), i + 1);
    bridge_free(w->bridge);
    backer_free(w->backer);
    loop_free(w->loop);
    for (unsigned i = 0; i < MODEL_PORTS; i++)
        door_free(w->doors[i]);
    free(w->model);
}

TEST(so_do_the_lanes)
{
    for (uint64_t round = 1; round <= LANE_ROUNDS; round++) {
        struct world w;
        lanes_init(&w, seed_of(round));
        run_configs(&w);
        struct dp_stats s;
        dp_stats(backer_datapath(w.backer), &s);
        CHECK(s.hits_l1 + s.hits_l2 > 0);
        lanes_fini(&w);
    }
}

/* Returns how many fitted into the queues. */
static unsigned
put_many(struct world *w)
{
    struct model_frame f;
    uint8_t bytes[128];
    unsigned n = 0;
    for (unsigned i = 0; i < 100; i++) {
        roll_frame(w, &f);
        size_t len = write_frame(&f, bytes);
        n += door_put(w->doors[dice_roll(&w->dice, MODEL_PORTS)], bytes, len);
    }
    return n;
}

static void
wait_until_served(struct world *w, uint64_t n)
{
    struct datapath *dp = backer_datapath(w->backer);
    for (unsigned tries = 0; n_served(dp) + dp_drops(dp, DROP_MISS_QUEUE_FULL) < n; tries++) {
        CHECK(tries < 100000);
        usleep(100);
    }
    dp_settle(dp);
}

/* What was built while everything changed must not outlive it. */
TEST(no_flow_survives_the_change_it_was_built_under)
{
    for (uint64_t round = 1; round <= LANE_ROUNDS; round++) {
        struct world w;
        lanes_init(&w, seed_of(round));
        w.model->max_age = 60;
        w.bridge = bridge_new(w.backer, "br");
        uint64_t n = 0;
        for (unsigned i = 0; i < 60; i++) {
            n += put_many(&w);
            reconfigure(&w, i % 10 == 0);
            backer_run(w.backer, loop_now(w.loop));
            if (i % 7 == 0)
                fdb_flush(bridge_fdb(w.bridge));
        }
        wait_until_served(&w, n);
        fdb_flush(bridge_fdb(w.bridge));
        memset(w.model->fdb, 0, sizeof w.model->fdb);
        for (unsigned i = 0; i < MODEL_PORTS; i++)
            w.doors[i]->n_out = 0;
        for (unsigned i = 0; i < FRAMES; i++)
            one_frame(&w);
        lanes_fini(&w);
    }
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        TEST_ROW_(normal_does_what_the_model_does),
        TEST_ROW_(so_do_the_lanes),
        TEST_ROW_(no_flow_survives_the_change_it_was_built_under),
    };
    rcu_register();
    int failed = cmocka_run_group_tests(cases, NULL, NULL);
    rcu_unregister();
    rcu_settle();
    return failed;
}

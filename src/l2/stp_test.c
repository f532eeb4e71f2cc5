#include "l2/stp.h"
#include "base/test.h"
#include "l2/tree_net.h"
#include "packet/sample.h"

/* ---- the protocol behind tree_ops ---- */

static void *
op_new(UNUSED unsigned bridge)
{
    return stp_new();
}

static void
op_free(void *s)
{
    stp_free(s);
}

static void
op_configure(void *s, unsigned bridge, unsigned n_ports, uint64_t up, instant now)
{
    struct stp_port_config ports[64];
    struct stp_config c = {
        .priority = 0x8000,
        .mac = mac_from_u64(0x020000000001 + bridge),
        .hello_time = seconds(2),
        .max_age = seconds(20),
        .forward_delay = seconds(15),
        .ports = ports,
        .n_ports = n_ports,
    };
    for (unsigned i = 0; i < n_ports; i++)
        ports[i] = (struct stp_port_config){i + 1, up >> (i + 1) & 1, 128, 19};
    stp_configure(s, &c, now);
}

static void
op_receive(void *s, unsigned port, const uint8_t *b, size_t n, instant now)
{
    stp_receive(s, port, b, n, now);
}

static void
op_tick(void *s, instant now)
{
    stp_tick(s, now);
}

static instant
op_next(const void *s)
{
    return stp_next(s);
}

static bool
op_send(void *s, unsigned *port, uint8_t *b, size_t *n)
{
    return stp_send(s, port, b, n);
}

static bool
op_forwards(const void *s, unsigned port)
{
    struct stp_port_status st;
    return stp_port_status(s, port, &st) && st.state == STP_FORWARDING;
}

static bool
op_take_flush(void *s)
{
    return stp_take_flush(s);
}

static const struct tree_ops ops = {op_new,  op_free, op_configure, op_receive,   op_tick,
                                    op_next, op_send, op_forwards,  op_take_flush};

static struct stp_port_status
port_of(const struct tree_net *n, unsigned bridge, unsigned port)
{
    struct stp_port_status s;
    CHECK(stp_port_status(n->bridges[bridge], port, &s));
    return s;
}

/* ---- examples ---- */

TEST(a_lone_bridge_forwards_after_twice_the_delay)
{
    struct tree_net n;
    tree_init(&n, &ops, 1);
    tree_join(&n, tree_lan(&n), 0);
    tree_start(&n);
    CHECK_EQ(port_of(&n, 0, 1).state, STP_LISTENING);
    tree_run(&n, millis(14999));
    CHECK_EQ(port_of(&n, 0, 1).state, STP_LISTENING);
    tree_run(&n, millis(1));
    CHECK_EQ(port_of(&n, 0, 1).state, STP_LEARNING);
    tree_run(&n, seconds(15));
    CHECK_EQ(port_of(&n, 0, 1).state, STP_FORWARDING);
    CHECK_EQ(port_of(&n, 0, 1).role, STP_ROLE_DESIGNATED);
    struct stp_status s;
    stp_status(n.bridges[0], &s);
    CHECK_EQ(s.root_port, 0);
    CHECK_EQ(s.root_id, s.bridge_id);
    CHECK(s.bridge_id == 0x8000020000000001);
    tree_fini(&n);
}

TEST(a_ring_of_three_blocks_once_and_heals)
{
    struct tree_net n;
    tree_init(&n, &ops, 3);
    for (unsigned i = 0; i < 3; i++)
        tree_link(&n, i, (i + 1) % 3); /* bridge 0 has ports 1 to 1, 2 to 2; and so on */
    tree_start(&n);
    tree_run(&n, seconds(35));
    CHECK_EQ(n.loops, 0);
    CHECK(tree_is_whole(&n));
    CHECK_EQ(tree_n_blocked(&n), 1);
    CHECK_EQ(port_of(&n, 1, 1).role, STP_ROLE_ROOT);
    CHECK_EQ(port_of(&n, 2, 1).role, STP_ROLE_ALTERNATE);
    CHECK_EQ(port_of(&n, 2, 2).role, STP_ROLE_ROOT);
    struct stp_status s;
    stp_status(n.bridges[2], &s);
    CHECK_EQ(s.root_cost, 19);
    CHECK_EQ(s.root_port, 2);

    /* The cable between 0 and 2 dies unnoticed: twenty seconds to believe it, thirty to open. */
    unsigned flushes = n.n_flushes[1];
    n.lans.at[2].is_cut = true;
    tree_run(&n, seconds(60));
    CHECK_EQ(n.loops, 0);
    CHECK(tree_is_whole(&n));
    CHECK_EQ(port_of(&n, 2, 1).role, STP_ROLE_ROOT);
    CHECK(n.n_flushes[1] > flushes);

    /* A cable that mends unnoticed makes a loop until the next hello: no protocol can help that. */
    n.lans.at[2].is_cut = false;
    tree_run(&n, seconds(3));
    n.loops = 0;
    tree_run(&n, seconds(60));
    CHECK_EQ(n.loops, 0);
    CHECK(tree_is_whole(&n));
    tree_fini(&n);
}

TEST(a_port_that_goes_down_is_noticed_at_once)
{
    struct tree_net n;
    tree_init(&n, &ops, 2);
    tree_link(&n, 0, 1);
    tree_link(&n, 0, 1);
    tree_start(&n);
    tree_run(&n, seconds(40));
    CHECK_EQ(tree_n_blocked(&n), 1);
    CHECK_EQ(port_of(&n, 1, 1).role, STP_ROLE_ROOT);
    CHECK_EQ(port_of(&n, 1, 2).role, STP_ROLE_ALTERNATE);
    tree_port_up(&n, (struct tree_end){1, 1}, false);
    CHECK_EQ(port_of(&n, 1, 2).role, STP_ROLE_ROOT);
    CHECK_EQ(port_of(&n, 1, 2).state, STP_LISTENING);
    CHECK_EQ(port_of(&n, 1, 1).state, STP_DISABLED);
    tree_run(&n, seconds(31));
    CHECK_EQ(port_of(&n, 1, 2).state, STP_FORWARDING);
    CHECK_EQ(n.loops, 0);
    tree_fini(&n);
}

TEST(a_change_far_away_reaches_everyone)
{
    struct tree_net n;
    tree_init(&n, &ops, 4);
    for (unsigned i = 0; i < 3; i++)
        tree_link(&n, i, i + 1);
    unsigned lan = tree_lan(&n);
    tree_join(&n, lan, 3);
    tree_start(&n);
    tree_run(&n, seconds(120));
    unsigned before[4];
    for (unsigned i = 0; i < 4; i++)
        before[i] = n.n_flushes[i];
    tree_port_up(&n, (struct tree_end){3, 2}, false);
    tree_port_up(&n, (struct tree_end){3, 2}, true);
    tree_run(&n, seconds(40));
    for (unsigned i = 0; i < 4; i++)
        CHECK(n.n_flushes[i] > before[i]);
    tree_run(&n, seconds(60));
    for (unsigned i = 0; i < 4; i++)
        before[i] = n.n_flushes[i];
    tree_run(&n, seconds(600)); /* and then there is peace */
    for (unsigned i = 0; i < 4; i++)
        CHECK_EQ(n.n_flushes[i], before[i]);
    tree_fini(&n);
}

TEST(nonsense_is_counted_and_changes_nothing)
{
    struct tree_net n;
    tree_init(&n, &ops, 1);
    tree_join(&n, tree_lan(&n), 0);
    tree_start(&n);
    tree_run(&n, seconds(31));
    static const uint8_t better[STP_BPDU_MAX] = {0, 0, 0, 0, 0, 0, 1};
    struct dice d = {1};
    for (unsigned len = 0; len < STP_BPDU_MAX; len++)
        stp_receive(n.bridges[0], 1, better, len, n.now);
    stp_receive(n.bridges[0], 1, better, sizeof better, n.now); /* all its times are zero */
    for (unsigned i = 0; i < 1000; i++) {
        uint8_t b[STP_BPDU_MAX];
        for (unsigned j = 0; j < sizeof b; j++)
            b[j] = dice_roll(&d, 256);
        b[0] = 1; /* another protocol */
        stp_receive(n.bridges[0], 1, b, dice_roll(&d, sizeof b + 1), n.now);
    }
    stp_receive(n.bridges[0], 9, better, sizeof better, n.now); /* no such port */
    CHECK_EQ(port_of(&n, 0, 1).state, STP_FORWARDING);
    CHECK_EQ(port_of(&n, 0, 1).n_rx, 1036);
    CHECK_EQ(port_of(&n, 0, 1).n_errors, 1036);
    tree_fini(&n);
}

/* ---- any town ---- */

static void
random_town(struct tree_net *n, struct dice *d)
{
    unsigned bridges = 2 + dice_roll(d, 9);
    tree_init(n, &ops, bridges);
    for (unsigned i = 1; i < bridges; i++)
        tree_link(n, i, dice_roll(d, i));
    for (unsigned extra = dice_roll(d, bridges * 2); extra; extra--)
        if (dice_roll(d, 3)) {
            tree_link(n, dice_roll(d, bridges), dice_roll(d, bridges)); /* also to itself */
        } else {
            unsigned lan = tree_lan(n);
            for (unsigned k = 1 + dice_roll(d, 4); k; k--)
                tree_join(n, lan, dice_roll(d, bridges));
        }
}

TEST(any_town_becomes_a_tree_and_stays_one)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct dice d = {seed * 77};
        struct tree_net n;
        random_town(&n, &d);
        tree_start(&n);
        tree_run(&n, seconds(90));
        if (n.loops || !tree_is_whole(&n))
            print_error("seed %lu: %u loops\n", (unsigned long) seed, n.loops);
        CHECK_EQ(n.loops, 0);
        CHECK(tree_is_whole(&n));
        for (unsigned i = 0; i < 5; i++) {
            /* Ports go down and come up where the bridges see it. */
            unsigned b = dice_roll(&d, n.n_bridges);
            if (!n.n_ports[b])
                continue;
            struct tree_end end = {b, 1 + dice_roll(&d, n.n_ports[b])};
            tree_port_up(&n, end, false);
            tree_run(&n, seconds(dice_roll(&d, 80)));
            tree_port_up(&n, end, true);
            tree_run(&n, seconds(dice_roll(&d, 30)));
        }
        tree_run(&n, seconds(120));
        if (n.loops || !tree_is_whole(&n))
            print_error("seed %lu, later: %u loops\n", (unsigned long) seed, n.loops);
        CHECK_EQ(n.loops, 0);
        CHECK(tree_is_whole(&n));
        tree_fini(&n);
    }
}

TESTS(a_lone_bridge_forwards_after_twice_the_delay, a_ring_of_three_blocks_once_and_heals,
      a_port_that_goes_down_is_noticed_at_once, a_change_far_away_reaches_everyone,
      nonsense_is_counted_and_changes_nothing, any_town_becomes_a_tree_and_stays_one)

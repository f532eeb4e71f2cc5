/* A town of bridges: trees of any shape, five hundred hosts, VLANs, learning, moving and ageing. */
#include "sim.h"
#include "base/mem.h"
#include "base/rcu.h"
#include "base/test.h"
#include <stdlib.h>

enum { BRIDGES = 50, HOSTS = 500, VLANS = 5, PINGS = 1500 };

/* A random tree; each host in one of the VLANs. */
static struct sim *
town(uint64_t seed, unsigned bridges, unsigned hosts, unsigned vlans)
{
    struct sim *s = sim_new(seed);
    for (unsigned i = 0; i < bridges; i++)
        sim_bridge(s);
    for (unsigned i = 1; i < bridges; i++)
        sim_cable(s, i, sim_roll(s, i));
    for (unsigned i = 0; i < hosts; i++)
        sim_host(s, sim_roll(s, bridges), vlans ? 1 + i % vlans : 0);
    sim_apply(s);
    return s;
}

static struct sim_stats
stats_of(const struct sim *s)
{
    struct sim_stats stats;
    sim_stats(s, &stats);
    CHECK_EQ(stats.wrong_vlan, 0);
    CHECK_EQ(stats.doubled, 0);
    CHECK_EQ(stats.tagged, 0);
    CHECK_EQ(stats.lost, 0);
    return stats;
}

static bool
ping(struct sim *s, unsigned from, unsigned to)
{
    sim_ping(s, from, to);
    sim_run(s, millis(20));
    return sim_answered(s, from, to);
}

TEST(five_hundred_hosts_reach_their_own_vlan_and_no_other)
{
    AUTO(sim) struct sim *s = town(42, BRIDGES, HOSTS, VLANS);
    unsigned reached = 0;
    for (unsigned i = 0; i < PINGS; i++) {
        unsigned from = sim_roll(s, HOSTS), to = sim_roll(s, HOSTS);
        if (from == to)
            continue;
        bool got = ping(s, from, to);
        if (got != (from % VLANS == to % VLANS))
            print_error("host %u %s host %u\n", from, got ? "reached" : "did not reach", to);
        CHECK_EQ(got, from % VLANS == to % VLANS);
        reached += got;
    }
    CHECK(reached > PINGS / VLANS / 2);
    stats_of(s);
    struct flows_stats flows;
    flows_stats(sim_flows(s), &flows);
    CHECK(flows.hits > 0);
}

TEST(the_first_unicast_floods_and_the_second_does_not)
{
    AUTO(sim) struct sim *s = town(7, 10, 60, 0);
    sim_send(s, 0, 1);
    sim_run(s, millis(5));
    CHECK_EQ(stats_of(s).delivered, 59);
    sim_send(s, 1, 0); /* 0 has been heard */
    sim_run(s, millis(5));
    CHECK_EQ(stats_of(s).delivered, 60);
    sim_send(s, 0, 1); /* and so has 1 */
    sim_run(s, millis(5));
    CHECK_EQ(stats_of(s).delivered, 61);
    CHECK_EQ(stats_of(s).wanted, 3);
}

TEST(who_is_silent_for_five_minutes_is_forgotten)
{
    AUTO(sim) struct sim *s = town(8, 10, 60, 0);
    sim_send(s, 1, 0);
    sim_run(s, millis(5));
    uint64_t base = stats_of(s).delivered;
    /* 0 speaks to 1 each minute; what it says keeps 0 fresh, not 1. */
    for (unsigned minute = 0; minute < 4; minute++) {
        sim_send(s, 0, 1);
        sim_run(s, seconds(60));
    }
    CHECK_EQ(stats_of(s).delivered, base + 4);
    sim_run(s, seconds(61));
    sim_send(s, 0, 1);
    sim_run(s, millis(5));
    CHECK_EQ(stats_of(s).delivered, base + 4 + 59);
    sim_send(s, 1, 0);
    sim_run(s, millis(5));
    CHECK_EQ(stats_of(s).delivered, base + 4 + 59 + 1);
}

TEST(a_moved_host_is_found_again_as_soon_as_it_tells_all)
{
    AUTO(sim) struct sim *s = town(9, 20, 100, 2);
    for (unsigned i = 0; i < 60; i++) {
        unsigned who = sim_roll(s, 100), other = (who + 2 * (1 + sim_roll(s, 48))) % 100;
        CHECK(ping(s, who, other));
        sim_move(s, who, sim_roll(s, 20));
        sim_announce(s, who); /* bridges off the path to 'other' would not hear of it otherwise */
        CHECK(ping(s, who, other));
        CHECK(ping(s, other, who));
    }
    stats_of(s);
}

TEST(a_cut_cable_parts_the_town_and_a_mended_one_joins_it)
{
    AUTO(sim) struct sim *s = sim_new(3);
    unsigned a = sim_bridge(s), b = sim_bridge(s), cable = sim_cable(s, a, b);
    unsigned x = sim_host(s, a, 7), y = sim_host(s, b, 7);
    sim_apply(s);
    CHECK(ping(s, x, y));
    sim_cut(s, cable, true);
    CHECK(!ping(s, x, y));
    sim_cut(s, cable, false);
    CHECK(ping(s, x, y));
}

/* A tree with many more cables than it needs. */
static struct sim *
meshed_town(uint64_t seed, unsigned bridges, unsigned extra, unsigned hosts)
{
    struct sim *s = sim_new(seed);
    sim_speak_stp(s);
    for (unsigned i = 0; i < bridges; i++)
        sim_bridge(s);
    for (unsigned i = 1; i < bridges; i++)
        sim_cable(s, i, sim_roll(s, i));
    for (unsigned i = 0; i < extra; i++)
        sim_cable(s, sim_roll(s, bridges), sim_roll(s, bridges));
    for (unsigned i = 0; i < hosts; i++)
        sim_host(s, sim_roll(s, bridges), 1 + i % 2);
    sim_apply(s);
    return s;
}

TEST(circles_of_cables_carry_frames_once_with_stp)
{
    AUTO(sim) struct sim *s = meshed_town(5, 12, 12, 40);
    CHECK(!ping(s, 0, 2)); /* ports listen first */
    CHECK(!sim_is_learned(s, 0));
    sim_run(s, seconds(16));
    sim_announce(s, 2);
    sim_run(s, millis(10));
    CHECK_EQ(stats_of(s).delivered, 0);
    CHECK(sim_is_learned(s, 2)); /* and then learn */
    sim_run(s, seconds(20));
    for (unsigned i = 0; i < 100; i++) {
        unsigned from = sim_roll(s, 40), to = (from + 2 * (1 + sim_roll(s, 19))) % 40;
        CHECK(ping(s, from, to));
    }
    stats_of(s);
}

TEST(stp_finds_ways_around_cut_cables)
{
    AUTO(sim) struct sim *s = sim_new(6);
    sim_speak_stp(s);
    unsigned cables[6];
    for (unsigned i = 0; i < 6; i++)
        sim_bridge(s);
    for (unsigned i = 0; i < 6; i++)
        cables[i] = sim_cable(s, i, (i + 1) % 6);
    for (unsigned i = 0; i < 12; i++)
        sim_host(s, i % 6, 1);
    sim_apply(s);
    sim_run(s, seconds(60));
    for (unsigned i = 0; i < 6; i++) {
        sim_cut(s, cables[i], true);
        sim_run(s, seconds(80));
        for (unsigned h = 0; h < 12; h++)
            CHECK(ping(s, h, (h + 5) % 12));
        stats_of(s);
        sim_cut(s, cables[i], false);
        sim_run(s, seconds(80)); /* quiet, while the next hello parts the ring again */
    }
}

TEST(a_run_is_the_same_every_time)
{
    struct sim_stats stats[2];
    for (unsigned i = 0; i < 2; i++) {
        AUTO(sim) struct sim *s = town(11, 15, 80, 3);
        for (unsigned j = 0; j < 100; j++)
            ping(s, sim_roll(s, 80), sim_roll(s, 80));
        stats[i] = stats_of(s);
    }
    CHECK_MEM(&stats[0], &stats[1], sizeof stats[0]);
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        TEST_ROW_(five_hundred_hosts_reach_their_own_vlan_and_no_other),
        TEST_ROW_(the_first_unicast_floods_and_the_second_does_not),
        TEST_ROW_(who_is_silent_for_five_minutes_is_forgotten),
        TEST_ROW_(a_moved_host_is_found_again_as_soon_as_it_tells_all),
        TEST_ROW_(a_cut_cable_parts_the_town_and_a_mended_one_joins_it),
        TEST_ROW_(circles_of_cables_carry_frames_once_with_stp),
        TEST_ROW_(stp_finds_ways_around_cut_cables),
        TEST_ROW_(a_run_is_the_same_every_time),
    };
    rcu_register();
    int failed = cmocka_run_group_tests(cases, NULL, NULL);
    rcu_unregister();
    rcu_settle();
    return failed;
}

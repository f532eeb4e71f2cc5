#include "l2/fdb.h"
#include "base/test.h"
#include <pthread.h>

static struct mac
mac_of(unsigned i)
{
    return mac_from_u64(0x020000000000 + i);
}

static instant
at(int64_t s)
{
    return (instant){s * 1000000000};
}

/* ---- cases one can read ---- */

TEST(an_address_is_found_where_it_was_heard_until_it_is_too_old)
{
    AUTO(fdb) struct fdb *f = fdb_new(10, seconds(300));
    CHECK(fdb_learn(f, mac_of(1), 5, 7, 0, at(0)));
    CHECK(!fdb_learn(f, mac_of(1), 5, 7, 0, at(10)));
    CHECK_EQ(fdb_find(f, mac_of(1), 5, at(10)), 7);
    CHECK_EQ(fdb_find(f, mac_of(1), 6, at(10)), OFPORT_NONE);
    CHECK_EQ(fdb_find(f, mac_of(1), 5, at(309)), 7);
    CHECK_EQ(fdb_find(f, mac_of(1), 5, at(310)), OFPORT_NONE);
    CHECK_EQ(fdb_run(f, at(309)).ns, at(310).ns);
    struct fdb_stats stats;
    fdb_stats(f, &stats);
    CHECK_EQ(stats.now, 1);
    CHECK_EQ(fdb_run(f, at(310)).ns, INSTANT_NEVER.ns);
    fdb_stats(f, &stats);
    CHECK_EQ(stats.now, 0);
    CHECK_EQ(stats.expired, 1);
    CHECK_EQ(stats.learned, 1);
}

TEST(a_refresh_keeps_an_entry_and_late_reports_do_not_age_it)
{
    AUTO(fdb) struct fdb *f = fdb_new(10, seconds(300));
    fdb_learn(f, mac_of(1), 0, 1, 0, at(100));
    CHECK(fdb_refresh(f, mac_of(1), 0, 1, at(350)));
    CHECK(fdb_refresh(f, mac_of(1), 0, 1, at(340)));
    CHECK(!fdb_refresh(f, mac_of(1), 0, 2, at(360)));
    CHECK(!fdb_refresh(f, mac_of(2), 0, 1, at(360)));
    CHECK_EQ(fdb_run(f, at(400)).ns, at(650).ns);
    CHECK_EQ(fdb_find(f, mac_of(1), 0, at(649)), 1);
    CHECK(!fdb_refresh(f, mac_of(1), 0, 1, at(700)));
}

TEST(multicast_is_never_a_key)
{
    AUTO(fdb) struct fdb *f = fdb_new(10, seconds(300));
    struct mac m = {{1, 0, 0x5e, 0, 0, 1}};
    CHECK(!fdb_is_news(f, m, 0, 1, 0, at(0)));
    CHECK(!fdb_learn(f, m, 0, 1, 0, at(0)));
    CHECK(!fdb_add_static(f, m, 0, 1, at(0)));
    CHECK_EQ(fdb_find(f, m, 0, at(0)), OFPORT_NONE);
}

TEST(a_flooding_port_pushes_out_only_its_own)
{
    AUTO(fdb) struct fdb *f = fdb_new(100, seconds(300));
    for (unsigned i = 0; i < 10; i++)
        fdb_learn(f, mac_of(i), 0, 1, 0, at(i));
    for (unsigned i = 1000; i < 3000; i++)
        fdb_learn(f, mac_of(i), 0, 2, 0, at(100 + i / 100));
    for (unsigned i = 0; i < 10; i++)
        CHECK_EQ(fdb_find(f, mac_of(i), 0, at(130)), 1);
    CHECK_EQ(fdb_find(f, mac_of(2999), 0, at(130)), 2);
    CHECK_EQ(fdb_find(f, mac_of(1000), 0, at(130)), OFPORT_NONE);
    struct fdb_stats stats;
    fdb_stats(f, &stats);
    CHECK_EQ(stats.evicted, 2010 - 100);
    CHECK_EQ(stats.now, 100);
}

TEST(static_entries_neither_age_nor_move_nor_give_way)
{
    AUTO(fdb) struct fdb *f = fdb_new(2, seconds(300));
    CHECK(fdb_add_static(f, mac_of(1), 3, 9, at(0)));
    CHECK(!fdb_is_news(f, mac_of(1), 3, 4, 0, at(1)));
    CHECK(!fdb_learn(f, mac_of(1), 3, 4, 0, at(1)));
    fdb_run(f, at(100000));
    CHECK_EQ(fdb_find(f, mac_of(1), 3, at(100000)), 9);
    CHECK(fdb_learn(f, mac_of(2), 3, 4, 0, at(1)));
    CHECK(fdb_learn(f, mac_of(3), 3, 4, 0, at(2)));
    CHECK_EQ(fdb_find(f, mac_of(2), 3, at(3)), OFPORT_NONE);
    CHECK(fdb_add_static(f, mac_of(3), 3, 4, at(3)));
    CHECK(!fdb_learn(f, mac_of(4), 3, 4, 0, at(3)));
    CHECK(!fdb_add_static(f, mac_of(4), 3, 4, at(3)));
    fdb_flush(f);
    struct fdb_stats stats;
    fdb_stats(f, &stats);
    CHECK_EQ(stats.static_now, 2);
    CHECK(fdb_remove(f, mac_of(1), 3));
    CHECK(!fdb_remove(f, mac_of(1), 3));
    fdb_flush_port(f, 4);
    fdb_stats(f, &stats);
    CHECK_EQ(stats.now, 0);
    CHECK_EQ(stats.static_now, 0);
}

TEST(a_gratuitous_arp_locks_its_address_against_reflections_at_bonds)
{
    AUTO(fdb) struct fdb *f = fdb_new(10, seconds(300));
    CHECK(fdb_learn(f, mac_of(1), 0, 1, FDB_GRATUITOUS, at(0)));
    CHECK(!fdb_is_news(f, mac_of(1), 0, 2, FDB_GRATUITOUS | FDB_BOND, at(4)));
    CHECK(!fdb_learn(f, mac_of(1), 0, 2, FDB_GRATUITOUS | FDB_BOND, at(4)));
    CHECK_EQ(fdb_find(f, mac_of(1), 0, at(4)), 1);
    CHECK(fdb_is_locked(f, mac_of(1), 0, at(4)));
    CHECK(!fdb_is_locked(f, mac_of(1), 0, at(5)));
    CHECK(fdb_is_news(f, mac_of(1), 0, 2, FDB_GRATUITOUS | FDB_BOND, at(5)));
    CHECK(fdb_learn(f, mac_of(1), 0, 2, FDB_GRATUITOUS | FDB_BOND, at(5)));
    CHECK_EQ(fdb_find(f, mac_of(1), 0, at(5)), 2);
    /* An ordinary frame moves it at any time. */
    CHECK(fdb_learn(f, mac_of(1), 0, 3, FDB_GRATUITOUS, at(6)));
    CHECK(fdb_learn(f, mac_of(1), 0, 2, FDB_BOND, at(7)));
    struct fdb_stats stats;
    fdb_stats(f, &stats);
    CHECK_EQ(stats.moved, 3);
}

static void
note_vlan(void *aux, const struct fdb_entry *e)
{
    unsigned **next = aux;
    *(*next)++ = e->vlan;
}

TEST(the_oldest_stand_first_and_flushing_takes_whole_vlans)
{
    AUTO(fdb) struct fdb *f = fdb_new(10, seconds(300));
    for (unsigned vlan = 1; vlan <= 4; vlan++)
        fdb_learn(f, mac_of(1), vlan, 1, 0, at(10 - vlan));
    fdb_add_static(f, mac_of(2), 9, 1, at(3));
    unsigned seen[8], *next = seen;
    fdb_each(f, at(10), note_vlan, &next);
    CHECK_EQ(next - seen, 5);
    CHECK_EQ(seen[0], 9);
    for (unsigned i = 0; i < 4; i++)
        CHECK_EQ(seen[1 + i], 4 - i);
    uint64_t vlans[64] = {1 << 2 | 1 << 9};
    fdb_flush_vlans(f, vlans);
    struct fdb_stats stats;
    fdb_stats(f, &stats);
    CHECK_EQ(stats.now, 3);
    CHECK(fdb_configure(f, 1, seconds(20)));
    CHECK_EQ(fdb_find(f, mac_of(1), 1, at(10)), 1);
    CHECK_EQ(fdb_run(f, at(10)).ns, at(29).ns);
}

/* ---- the slow twin: an array searched from the front ---- */

enum { MACS = 60, VLANS = 3, PORTS = 5, ROOM = 40 };

struct plain {
    bool is_used, is_static;
    ofport port;
    instant heard, locked_until;
};

struct twin {
    struct plain at[VLANS][MACS];
    size_t n, max;
    span max_age;
    struct fdb_stats stats;
    unsigned n_told;
    struct {
        uint16_t vlan;
        unsigned mac;
    } told[VLANS * MACS + 1];
};

static void
note_change(void *aux, uint16_t vlan, struct mac mac)
{
    struct twin *t = aux;
    t->told[t->n_told].vlan = vlan;
    t->told[t->n_told++].mac = (unsigned) mac_to_u64(mac) & 0xff;
}

static bool
plain_is_old(const struct twin *t, const struct plain *e, instant now)
{
    return !e->is_static && e->heard.ns + t->max_age.ns <= now.ns;
}

/* May this one be evicted?  Its port must own most, and none of the port's others be staler. */
static bool
plain_may_go(const struct twin *t, const struct plain *victim)
{
    unsigned count[PORTS] = {0}, most = 0;
    for (unsigned v = 0; v < VLANS; v++)
        for (unsigned m = 0; m < MACS; m++) {
            const struct plain *e = &t->at[v][m];
            if (e->is_used && !e->is_static) {
                most = MAX(most, ++count[e->port]);
                if (e->port == victim->port && e->heard.ns < victim->heard.ns)
                    return false;
            }
        }
    return victim->is_used && !victim->is_static && count[victim->port] == most;
}

static void
plain_evict(struct twin *t, unsigned told)
{
    struct plain *victim = &t->at[t->told[told].vlan][t->told[told].mac];
    CHECK(plain_may_go(t, victim));
    victim->is_used = false;
    t->n--;
    t->stats.evicted++;
}

static bool
plain_has_dynamic(const struct twin *t)
{
    for (unsigned v = 0; v < VLANS; v++)
        for (unsigned m = 0; m < MACS; m++)
            if (t->at[v][m].is_used && !t->at[v][m].is_static)
                return true;
    return false;
}

static bool
plain_learn(struct twin *t, uint16_t vlan, unsigned mac, ofport port, unsigned how, instant now)
{
    struct plain *e = &t->at[vlan][mac];
    if (e->is_used && (e->is_static || (how == (FDB_GRATUITOUS | FDB_BOND) && now.ns < e->locked_until.ns)))
        return false;
    bool was_used = e->is_used, was_old = was_used && plain_is_old(t, e, now);
    if (!was_used) {
        if (t->n >= t->max) {
            if (!plain_has_dynamic(t))
                return false;
            plain_evict(t, 0);
        }
        t->n++;
        t->stats.learned++;
        *e = (struct plain){.is_used = true, .port = port, .heard = now};
    }
    bool moved = e->port != port;
    t->stats.moved += moved;
    e->port = port;
    e->heard = now.ns > e->heard.ns ? now : e->heard;
    if (how == FDB_GRATUITOUS)
        e->locked_until = (instant){now.ns + 5000000000};
    return !was_used || moved || was_old;
}

static void
plain_run(struct twin *t, instant now)
{
    for (unsigned v = 0; v < VLANS; v++)
        for (unsigned m = 0; m < MACS; m++)
            if (t->at[v][m].is_used && plain_is_old(t, &t->at[v][m], now)) {
                t->at[v][m].is_used = false;
                t->n--;
                t->stats.expired++;
            }
}

static uint32_t random_state;

static unsigned
pick(unsigned below)
{
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 8) % below;
}

static void
one_random_step(struct fdb *f, struct twin *t, instant now)
{
    unsigned mac = pick(MACS), how = pick(4);
    uint16_t vlan = pick(VLANS);
    ofport port = pick(PORTS);
    struct plain *e = &t->at[vlan][mac];
    bool fresh = e->is_used && !plain_is_old(t, e, now);
    t->n_told = 0;
    switch (pick(40)) {
    case 0:
        fdb_run(f, now);
        plain_run(t, now);
        break;
    case 1:
        if (!e->is_used && t->n >= t->max)
            break; /* eviction is tried by learning */
        CHECK(fdb_add_static(f, mac_of(mac), vlan, port, now));
        t->n += !e->is_used;
        *e = (struct plain){.is_used = true, .is_static = true, .port = port};
        break;
    case 2:
    case 3:
        CHECK_EQ(fdb_remove(f, mac_of(mac), vlan), e->is_used);
        t->n -= e->is_used;
        e->is_used = false;
        break;
    case 4:
        if (pick(10))
            break;
        fdb_flush_port(f, port);
        for (unsigned v = 0; v < VLANS; v++)
            for (unsigned m = 0; m < MACS; m++)
                if (t->at[v][m].is_used && t->at[v][m].port == port) {
                    t->at[v][m].is_used = false;
                    t->n--;
                }
        break;
    case 5:
        t->max = ROOM / 2 + pick(ROOM);
        bool had_to = t->n > t->max && plain_has_dynamic(t);
        CHECK_EQ(fdb_configure(f, t->max, t->max_age), had_to);
        for (unsigned i = 0; i < t->n_told; i++)
            plain_evict(t, i);
        break;
    case 6 ... 14: {
        instant when = (instant){now.ns - pick(3) * 1000000000};
        bool there = e->is_used && !plain_is_old(t, e, when) && e->port == port;
        CHECK_EQ(fdb_refresh(f, mac_of(mac), vlan, port, when), there);
        if (there && e->heard.ns < when.ns)
            e->heard = when;
        break;
    }
    case 15 ... 24:
        CHECK_EQ(fdb_find(f, mac_of(mac), vlan, now), fresh ? e->port : OFPORT_NONE);
        break;
    default: {
        bool news = fdb_is_news(f, mac_of(mac), vlan, port, how, now);
        bool full_of_static = !e->is_used && t->n >= t->max && !plain_has_dynamic(t);
        bool learned = fdb_learn(f, mac_of(mac), vlan, port, how, now);
        if (learned)
            CHECK(news);
        else if (how != FDB_GRATUITOUS && !full_of_static)
            CHECK(!news);
        CHECK_EQ(learned, plain_learn(t, vlan, mac, port, how, now));
        if (learned)
            CHECK_EQ(t->told[t->n_told - 1].mac, mac);
    }
    }
}

TEST(the_table_answers_as_its_slow_twin_does)
{
    for (unsigned seed = 1; seed <= 20; seed++) {
        random_state = seed;
        static struct twin t;
        t = (struct twin){.max = ROOM, .max_age = seconds(60)};
        AUTO(fdb) struct fdb *f = fdb_new(t.max, t.max_age);
        fdb_on_change(f, note_change, &t);
        instant now = at(100);
        for (unsigned i = 0; i < 5000; i++) {
            now.ns += pick(200) * 10000000ll;
            one_random_step(f, &t, now);
            struct fdb_stats stats;
            fdb_stats(f, &stats);
            if (stats.now != t.n)
                print_error("seed %u, step %u\n", seed, i);
            CHECK_EQ(stats.now, t.n);
            CHECK_EQ(stats.learned, t.stats.learned);
            CHECK_EQ(stats.moved, t.stats.moved);
            CHECK_EQ(stats.evicted, t.stats.evicted);
            CHECK_EQ(stats.expired, t.stats.expired);
        }
        fdb_on_change(f, NULL, NULL);
    }
}

/* ---- threads ---- */

static void *
learn_a_lot(void *f)
{
    for (unsigned i = 0; i < 20000; i++) {
        fdb_learn(f, mac_of(i % 500), i % 7, i % 11, i % 4, at(i / 100));
        fdb_find(f, mac_of(i % 300), i % 7, at(i / 100));
        if (i % 100 == 0)
            fdb_run(f, at(i / 100));
    }
    return NULL;
}

TEST(threads_may_learn_at_once)
{
    AUTO(fdb) struct fdb *f = fdb_new(1000, seconds(30));
    pthread_t threads[3];
    for (unsigned i = 0; i < 3; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, learn_a_lot, f), 0);
    for (unsigned i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    struct fdb_stats stats;
    fdb_stats(f, &stats);
    CHECK(stats.now <= 1000);
    CHECK_EQ(stats.learned, stats.now + stats.evicted + stats.expired);
}

TESTS(an_address_is_found_where_it_was_heard_until_it_is_too_old,
      a_refresh_keeps_an_entry_and_late_reports_do_not_age_it, multicast_is_never_a_key,
      a_flooding_port_pushes_out_only_its_own, static_entries_neither_age_nor_move_nor_give_way,
      a_gratuitous_arp_locks_its_address_against_reflections_at_bonds,
      the_oldest_stand_first_and_flushing_takes_whole_vlans, the_table_answers_as_its_slow_twin_does,
      threads_may_learn_at_once)

#include "packet/packet.h"
#include "base/test.h"

TEST(a_pool_gives_what_it_has_and_takes_it_back)
{
    struct packet_pool *pool = packet_pool_new(3, 1);
    struct packet *p[4];
    for (int i = 0; i < 3; i++) {
        p[i] = packet_new(pool);
        CHECK(p[i]);
        CHECK_EQ(packet_headroom(p[i]), PACKET_HEADROOM);
        CHECK_EQ(packet_tailroom(p[i]), PACKET_ROOM);
    }
    CHECK(!packet_new(pool));
    CHECK_EQ(packet_pool_in_use(pool), 3);
    packet_put(p[1]);
    p[3] = packet_new(pool);
    CHECK(p[3] == p[1]);
    struct packet_tail *t = packet_tail_new(pool);
    CHECK(t && !packet_tail_new(pool));
    packet_tail_put(t);
    packet_put(NULL);
    packet_put(p[0]);
    packet_put(p[2]);
    packet_put(p[3]);
    CHECK_EQ(packet_pool_in_use(pool), 0);
    packet_pool_free(pool);
}

static long
resident_pages(void)
{
    long total = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    CHECK(f && fscanf(f, "%ld %ld", &total, &resident) == 2);
    fclose(f);
    return resident;
}

TEST(a_pool_that_is_not_used_costs_no_memory)
{
    long before = resident_pages();
    struct packet_pool *pool = packet_pool_new(100000, 10000); /* 850 MB if it were touched */
    CHECK(pool);
    for (int i = 0; i < 100; i++) /* the same chunk and tail again and again */
        packet_put(packet_new(pool)), packet_tail_put(packet_tail_new(pool));
    CHECK(resident_pages() - before < 100);
    packet_pool_free(pool);
}

static void
fill(uint8_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        b[i] = i * 7 + i / 256;
}

TEST(long_frames_go_on_in_the_tail)
{
    static uint8_t frame[PACKET_MAX_LEN + 1], back[PACKET_MAX_LEN];
    fill(frame, sizeof frame);
    struct packet_pool *pool = packet_pool_new(2, 1);
    CHECK(!packet_from(pool, frame, sizeof frame));
    static const size_t lens[] = {0, 60, PACKET_ROOM, PACKET_ROOM + 1, PACKET_MAX_LEN};
    for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
        struct packet *p = packet_from(pool, frame, lens[i]);
        CHECK(p);
        CHECK_EQ(p->len, lens[i]);
        CHECK(packet_read(p, 0, back, lens[i]));
        CHECK(!memcmp(back, frame, lens[i]));
        CHECK(!packet_read(p, 0, back, lens[i] + 1));
        CHECK(!packet_read(p, lens[i] + 1, back, 0));
        if (lens[i] > 1790) {
            CHECK(packet_read(p, 1785, back, lens[i] - 1785));
            CHECK(!memcmp(back, frame + 1785, lens[i] - 1785));
        }
        struct iovec iov[2];
        unsigned n = packet_iov(p, iov);
        CHECK_EQ(n, lens[i] > PACKET_ROOM ? 2 : 1);
        CHECK_EQ(iov[0].iov_len + (n > 1 ? iov[1].iov_len : 0), lens[i]);
        packet_put(p);
    }
    CHECK_EQ(packet_pool_in_use(pool), 0);
    packet_pool_free(pool);
}

TEST(who_changes_bytes_owns_them_first)
{
    static uint8_t frame[5000], back[5000];
    fill(frame, sizeof frame);
    struct packet_pool *pool = packet_pool_new(2, 1), *other = packet_pool_new(1, 1);
    struct packet *p = packet_from(pool, frame, sizeof frame);
    CHECK(packet_own(p) == p);
    p->offload.gso_size = 77;
    p->mark = 5;
    p->data += 4; /* as after a popped tag */
    p->len -= 4;
    struct packet *q = packet_own(packet_ref(p));
    CHECK(q && q != p);
    CHECK_EQ(q->offload.gso_size, 77);
    CHECK_EQ(q->mark, 5);
    CHECK(q->tail == p->tail);
    q->data[0] = 0xee;
    CHECK_EQ(p->data[0], frame[4]);
    CHECK(packet_read(q, 1, back, q->len - 1));
    CHECK(!memcmp(back, frame + 5, q->len - 1));
    CHECK(!packet_own(packet_ref(p))); /* no chunk left */

    struct packet *far = packet_copy_to(other, p);
    CHECK(far && far->tail != p->tail);
    packet_put(p);
    packet_put(q);
    CHECK_EQ(packet_pool_in_use(pool), 0);
    CHECK(packet_read(far, 0, back, far->len));
    CHECK(!memcmp(back, frame + 4, far->len));
    packet_put(far);
    packet_pool_free(pool);
    packet_pool_free(other);
}

TESTS(a_pool_gives_what_it_has_and_takes_it_back, a_pool_that_is_not_used_costs_no_memory,
      long_frames_go_on_in_the_tail, who_changes_bytes_owns_them_first)

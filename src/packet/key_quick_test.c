#include "base/test.h"
#include "packet/key_quick.h"
#include "packet/sample.h"

TEST(what_is_read_quickly_is_read_right)
{
    struct packet_pool *pool = packet_pool_new(16, 4);
    struct dice dice = {11};
    unsigned n_quick = 0, n = 200000;
    for (unsigned i = 0; i < n; i++) {
        uint8_t frame[SAMPLE_MAX];
        size_t len = sample_frame(&dice, i % 2 ? SAMPLE_SANE : SAMPLE_HURT, frame);
        struct packet *p = packet_from(pool, frame, len);
        struct key slow, quick;
        unsigned vlans = dice_roll(&dice, 3);
        p->in_port = 5;
        memset(&quick, 0, sizeof quick);
        memset(&quick, 0x5a, KEY_LINE); /* all of the line is written */
        if (key_parse_quick(p, vlans, &quick)) {
            uint16_t l2 = p->l2_len, l3 = p->l3_ofs, l4 = p->l4_ofs;
            CHECK_EQ(key_parse(p, vlans, &slow), 0);
            CHECK_MEM(&quick, &slow, sizeof slow);
            CHECK_EQ(l2, p->l2_len);
            CHECK_EQ(l3, p->l3_ofs);
            CHECK_EQ(l4, p->l4_ofs);
            n_quick++;
        }
        packet_put(p);
    }
    CHECK(n_quick > n / 50); /* the samples hold enough of such frames to have tried it */
    packet_pool_free(pool);
}

TESTS(what_is_read_quickly_is_read_right)

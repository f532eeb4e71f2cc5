/* The standard's examples, and every length around a block's border. */
#include "base/sha1.h"
#include "base/test.h"
#include <stdio.h>

static const char *
hex_of(const void *bytes, size_t n)
{
    static char hex[2 * SHA1_LEN + 1];
    uint8_t d[SHA1_LEN];
    sha1(bytes, n, d);
    for (int i = 0; i < SHA1_LEN; i++)
        snprintf(hex + 2 * i, 3, "%02x", d[i]);
    return hex;
}

TEST(examples_of_the_standard)
{
    CHECK_STR(hex_of("", 0), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    CHECK_STR(hex_of("abc", 3), "a9993e364706816aba3e25717850c26c9cd0d89d");
    CHECK_STR(hex_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56),
              "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    static char million[1000000];
    memset(million, 'a', sizeof million);
    CHECK_STR(hex_of(million, sizeof million), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

/* The digests of all lengths from 0 to 299, digested: the value is Python's hashlib's. */
TEST(every_length_around_a_border)
{
    uint8_t bytes[300], all[300 * SHA1_LEN];
    for (int i = 0; i < 300; i++)
        bytes[i] = i * 7;
    for (int n = 0; n < 300; n++)
        sha1(bytes, n, all + n * SHA1_LEN);
    CHECK_STR(hex_of(all, sizeof all), "d86f432ef2b3a77b72697e5684cf65ebf943b865");
}

TESTS(examples_of_the_standard, every_length_around_a_border)

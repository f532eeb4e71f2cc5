#include "base/compiler.h"
#include "base/test.h"
#include "base/text.h"

TEST(an_empty_text_is_a_string)
{
    struct text t = TEXT_INIT;
    CHECK_STR(text_str(&t), "");
    text_fini(&t);
}

TEST(a_text_grows_past_its_first_room)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    for (int i = 0; i < 1000; i++)
        text_addf(&t, "%d,", i);
    text_chomp(&t, ',');
    CHECK_EQ(t.len, 10 * 2 + 90 * 3 + 900 * 4 - 1);
    CHECK_EQ(t.s[t.len], 0);
}

TEST(a_text_may_hold_zero_bytes)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    text_addn(&t, "a\0b", 3);
    CHECK_EQ(t.len, 3);
    CHECK_EQ(t.s[2], 'b');
}

TESTS(an_empty_text_is_a_string, a_text_grows_past_its_first_room, a_text_may_hold_zero_bytes)

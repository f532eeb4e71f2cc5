/* test - the shape of a unit test: cmocka underneath, one line per case.
 *
 * Use.     TEST(text_grows) { ... CHECK(t.len == 3); CHECK_EQ(a, b); CHECK_STR(s, "x"); }
 *          TESTS(text_grows, text_is_empty)            at the end of the file: the main function
 */
#ifndef BASE_TEST_H
#define BASE_TEST_H 1

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TEST(name) static void name(UNUSED void **state)
#define CHECK(cond) assert_true(cond)
#define CHECK_EQ(a, b) assert_int_equal(a, b)
#define CHECK_STR(a, b) assert_string_equal(a, b)
#define CHECK_MEM(a, b, n) assert_memory_equal(a, b, n)

#define TEST_ROW_(name) cmocka_unit_test(name)
#define TEST_EACH_1(a) TEST_ROW_(a)
#define TEST_EACH_2(a, ...) TEST_ROW_(a), TEST_EACH_1(__VA_ARGS__)
#define TEST_EACH_3(a, ...) TEST_ROW_(a), TEST_EACH_2(__VA_ARGS__)
#define TEST_EACH_4(a, ...) TEST_ROW_(a), TEST_EACH_3(__VA_ARGS__)
#define TEST_EACH_5(a, ...) TEST_ROW_(a), TEST_EACH_4(__VA_ARGS__)
#define TEST_EACH_6(a, ...) TEST_ROW_(a), TEST_EACH_5(__VA_ARGS__)
#define TEST_EACH_7(a, ...) TEST_ROW_(a), TEST_EACH_6(__VA_ARGS__)
#define TEST_EACH_8(a, ...) TEST_ROW_(a), TEST_EACH_7(__VA_ARGS__)
#define TEST_EACH_9(a, ...) TEST_ROW_(a), TEST_EACH_8(__VA_ARGS__)
#define TEST_EACH_10(a, ...) TEST_ROW_(a), TEST_EACH_9(__VA_ARGS__)
#define TEST_EACH_11(a, ...) TEST_ROW_(a), TEST_EACH_10(__VA_ARGS__)
#define TEST_EACH_12(a, ...) TEST_ROW_(a), TEST_EACH_11(__VA_ARGS__)
#define TEST_EACH_13(a, ...) TEST_ROW_(a), TEST_EACH_12(__VA_ARGS__)
#define TEST_EACH_14(a, ...) TEST_ROW_(a), TEST_EACH_13(__VA_ARGS__)
#define TEST_EACH_15(a, ...) TEST_ROW_(a), TEST_EACH_14(__VA_ARGS__)
#define TEST_EACH_16(a, ...) TEST_ROW_(a), TEST_EACH_15(__VA_ARGS__)
#define TEST_EACH_17(a, ...) TEST_ROW_(a), TEST_EACH_16(__VA_ARGS__)
#define TEST_EACH_18(a, ...) TEST_ROW_(a), TEST_EACH_17(__VA_ARGS__)
#define TEST_EACH_19(a, ...) TEST_ROW_(a), TEST_EACH_18(__VA_ARGS__)
#define TEST_EACH_20(a, ...) TEST_ROW_(a), TEST_EACH_19(__VA_ARGS__)
#define TEST_PICK_(_1, _2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12, _13, _14, _15, _16, _17, _18, _19, _20, NAME,    \
                   ...)                                                                                                \
    NAME
#define TEST_EACH_(...)                                                                                                \
    TEST_PICK_(__VA_ARGS__, TEST_EACH_20, TEST_EACH_19, TEST_EACH_18, TEST_EACH_17, TEST_EACH_16, TEST_EACH_15,        \
               TEST_EACH_14, TEST_EACH_13, TEST_EACH_12, TEST_EACH_11, TEST_EACH_10, TEST_EACH_9, TEST_EACH_8,         \
               TEST_EACH_7, TEST_EACH_6, TEST_EACH_5, TEST_EACH_4, TEST_EACH_3, TEST_EACH_2, TEST_EACH_1)              \
    (__VA_ARGS__)

/* Up to twenty cases in a file; a file with more has a second subject in it. */
#define TESTS(...)                                                                                                     \
    int main(void)                                                                                                     \
    {                                                                                                                  \
        const struct CMUnitTest cases[] = {TEST_EACH_(__VA_ARGS__)};                                                   \
        return cmocka_run_group_tests(cases, NULL, NULL);                                                              \
    }

#endif

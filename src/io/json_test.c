/* JSON as text and back; where a text ends, whatever stands in it. */
#include "io/json.h"
#include "base/test.h"
#include <errno.h>

static void
goes_there_and_back(const char *from, const char *to)
{
    json_t *v;
    struct why why = {""};
    if (json_parse_text(from, strlen(from), &v, &why))
        print_error("%s: %s\n", from, why.text);
    AUTO_TEXT struct text t = TEXT_INIT;
    json_add_text(&t, v);
    CHECK_STR(text_str(&t), to);
    json_decref(v);
}

TEST(values_are_written_compactly)
{
    goes_there_and_back(" { \"b\" : [ 1 , -2 , true , false , null ] , \"a\" : { } , \"c\" : [ ] } ",
                        "{\"b\":[1,-2,true,false,null],\"a\":{},\"c\":[]}");
    goes_there_and_back("[9223372036854775807,-9223372036854775808,0,-0]",
                        "[9223372036854775807,-9223372036854775808,0,0]");
    goes_there_and_back("[0.1,1e100,5.0,-0.0,1.5e-7,123456789012345678.5,3.141592653589793]",
                        "[0.1,1e+100,5,-0.0,1.5e-07,1.2345678901234568e+17,3.141592653589793]");
    goes_there_and_back("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0001\\u00e4\xe2\x82\xac\"",
                        "\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\xc3\xa4\xe2\x82\xac\"");
    goes_there_and_back("\"\"", "\"\"");
}

TEST(what_is_not_json_is_refused)
{
    static const char *const bad[] = {"",   "{",   "[1,]", "{\"a\":1,\"a\":2}", "\"\xff\"",
                                      "01", "1 2", "nul",  "\"\\ud800\"",       "\"\n\""};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        json_t *v = NULL;
        struct why why = {""};
        CHECK_EQ(json_parse_text(bad[i], strlen(bad[i]), &v, &why), -EBADMSG);
        CHECK(*why.text && !v);
    }
}

static void
splits(struct json_splitter *s, const char *bytes, size_t n, size_t want_used, bool want_done)
{
    size_t used;
    bool done;
    CHECK_EQ(json_split(s, bytes, n, &used, &done), 0);
    CHECK_EQ(used, want_used);
    CHECK_EQ(done, want_done);
}

TEST(texts_are_found_in_a_stream)
{
    static const char stream[] = "{\"a\":\"}\\\"\"} [1,[2]]  {";
    struct json_splitter s = {.max_depth = 10};
    splits(&s, stream, strlen(stream), 11, true);
    splits(&s, stream + 11, 3, 3, false);
    splits(&s, stream + 14, strlen(stream + 14), 5, true);
    splits(&s, stream + 19, strlen(stream + 19), 3, false);
    splits(&s, "\"\\", 2, 2, false); /* cut behind a backslash */
    splits(&s, "\"}\":1}", 6, 6, true);
}

static void
refuses(const char *bytes, unsigned max_depth, int want)
{
    struct json_splitter s = {.max_depth = max_depth};
    size_t used;
    bool done;
    CHECK_EQ(json_split(&s, bytes, strlen(bytes), &used, &done), want);
}

TEST(a_splitter_knows_what_begins_no_message)
{
    refuses("[[[", 2, -E2BIG);
    refuses("x", 2, -EBADMSG);
    refuses("  ]", 2, -EBADMSG);
    refuses("\"a\"", 2, -EBADMSG);
    refuses("7", 2, -EBADMSG);
    refuses("[[1],[2],[3]]", 2, 0);
}

TESTS(values_are_written_compactly, what_is_not_json_is_refused, texts_are_found_in_a_stream,
      a_splitter_knows_what_begins_no_message)

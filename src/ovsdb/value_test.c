#include "ovsdb/schema.h"
#include "base/hash.h"
#include "base/test.h"

static struct column_type
type_of(const char *json)
{
    struct arena arena = ARENA_INIT;
    struct jv v;
    struct column_type t;
    CHECK(!jv_parse_copy(&arena, json, strlen(json), &v, NULL));
    struct dberr *err = column_type_from_json(&v, &t);
    CHECK(!err);
    arena_fini(&arena);
    return t;
}

/* What datum_parse() makes of the text, printed again; or the refusal. */
static void
text_case(const char *type, const char *in, const char *want)
{
    struct column_type t = type_of(type);
    const struct datum *d = NULL;
    struct why why = {""};
    AUTO_TEXT struct text out = TEXT_INIT;
    if (datum_parse(in, &t, NULL, &d, &why))
        text_add(&out, why.text);
    else
        datum_format(&out, d, &t);
    CHECK_STR(text_str(&out), want);
    datum_unref(d);
    column_type_fini(&t);
}

#define MAP "{\"key\":\"string\",\"value\":\"string\",\"min\":0,\"max\":\"unlimited\"}"
#define VLANS "{\"key\":{\"type\":\"integer\",\"minInteger\":0,\"maxInteger\":4095},\"min\":0,\"max\":4096}"
#define MODE "{\"key\":{\"type\":\"string\",\"enum\":[\"set\",[\"standalone\",\"secure\"]]},\"min\":0,\"max\":1}"

TEST(text_is_what_vsctl_writes)
{
    text_case(MAP, "{k=abc1, a=b}", "{a=b, k=abc1}");
    text_case(MAP, "k=\"1a\"", "{k=\"1a\"}");
    text_case(MAP, "k=\"\"", "{k=\"\"}");
    text_case(MAP, "k=true", "{k=\"true\"}");
    text_case(MAP, "{}", "{}");
    text_case(MAP, "k=\"a b\\\"c\"", "{k=\"a b\\\"c\"}");
    text_case(MAP, "k=550e8400-e29b-41d4-a716-446655440000", "{k=\"550e8400-e29b-41d4-a716-446655440000\"}");
    text_case(VLANS, "1-4,9", "[1, 2, 3, 4, 9]");
    text_case(VLANS, "[]", "[]");
    text_case(MODE, "secure", "secure");
    text_case("\"boolean\"", "yes", "true");
    text_case("\"real\"", "1.5", "1.5");
}

TEST(text_refusals_are_the_fields)
{
    text_case("\"boolean\"", "maybe", "\"maybe\" is not a valid boolean (use \"true\" or \"false\")");
    text_case(MODE, "foo", "constraint violation: foo is not one of the allowed values ([secure, standalone])");
    text_case(VLANS, "5000", "constraint violation: 5000 is not in the valid range 0 to 4095 (inclusive)");
    text_case(VLANS, "1,2,2", "1,2,2: set contains duplicate value");
    text_case(VLANS, "1,,2", "1,,2: unexpected \",\" parsing set of up to 4096 integers");
    text_case(VLANS, "abc", "\"abc\" is not a valid integer or range");
    text_case(VLANS, "1--4", "\"1--4\" is not a valid range. Range end cannot be before start.");
    text_case(VLANS, "1-9999999", "Range \"1-9999999\" is too big. Maximum allowed size is 4096.");
    text_case(MAP, "{a=b", "{a=b: missing \"}\" at end of data");
    text_case(MAP, "{a=b}x", "{a=b}x: trailing garbage after \"}\"");
    text_case(MAP, "{a=b,a=c}", "{a=b,a=c}: map contains duplicate key");
    text_case(MODE, "[standalone,secure]", "[standalone,secure]: 2 value(s) specified but the maximum number is 1");
    text_case("\"uuid\"", "abc", "\"abc\" is not a valid UUID");
}

static const struct datum *
json_datum(const char *json, const struct column_type *t, struct dberr **err)
{
    struct arena arena = ARENA_INIT;
    struct jv v;
    const struct datum *d = NULL;
    CHECK(!jv_parse_copy(&arena, json, strlen(json), &v, NULL));
    *err = datum_from_json(&v, t, NULL, &d);
    arena_fini(&arena);
    return d;
}

static void
json_case(const char *type, const char *in, const char *want)
{
    struct column_type t = type_of(type);
    struct dberr *err;
    const struct datum *d = json_datum(in, &t, &err);
    AUTO_TEXT struct text out = TEXT_INIT;
    if (err)
        dberr_add_json(&out, err);
    else
        datum_add_json(&out, d, &t);
    CHECK_STR(text_str(&out), want);
    dberr_free(err);
    datum_unref(d);
    column_type_fini(&t);
}

TEST(json_values_go_there_and_back)
{
    json_case("\"integer\"", "12", "12");
    json_case("\"integer\"", "1e2", "100");
    json_case("\"real\"", "0.1", "0.1");
    json_case("\"string\"", "\"a\\u00e9\\n\\\"\"", "\"a\xc3\xa9\\n\\\"\"");
    json_case(VLANS, "[\"set\",[3,1,2]]", "[\"set\",[1,2,3]]");
    json_case(VLANS, "[\"set\",[3]]", "3");
    json_case(VLANS, "7", "7");
    json_case(MAP, "[\"map\",[[\"b\",\"2\"],[\"a\",\"1\"]]]", "[\"map\",[[\"a\",\"1\"],[\"b\",\"2\"]]]");
    json_case("\"integer\"", "\"x\"",
              "{\"details\":\"expected integer\",\"error\":\"syntax error\",\"syntax\":\"\\\"x\\\"\"}");
    json_case(VLANS, "[\"set\",[1,1]]", "{\"details\":\"set contains duplicate\",\"error\":\"ovsdb error\"}");
    json_case(
        MAP, "[\"set\",[]]",
        "{\"details\":\"expected [\\\"map\\\", <array>]\",\"error\":\"syntax error\",\"syntax\":\"[\\\"set\\\",[]]\"}");
}

/* The slow twin of set arithmetic: bit masks. */
static const struct datum *
set_of(uint64_t bits, enum atom_type type)
{
    static char names[64][16]; /* of several lengths */
    struct datum_builder b;
    builder_init(&b, type, ATOM_VOID);
    for (int i = 0; i < 64; i++)
        snprintf(names[i], sizeof names[i], "%c%c%.*s", 'a' + i % 2, '0' + i, i % 7, "xyzxyz");
    for (int i = 63; i >= 0; i--)
        if (bits >> i & 1) {
            union atom a = atom_default(type);
            if (type == ATOM_INTEGER)
                a.integer = i;
            else if (type == ATOM_UUID)
                a.uuid.b[3] = i;
            else
                a.string.s = names[i] + (i & 1), a.string.len = strlen(a.string.s);
            builder_add(&b, &a, NULL);
        }
    const struct datum *d = datum_build_unique(&b);
    builder_fini(&b);
    return d;
}

static void
check_is(const struct datum *d, uint64_t bits, enum atom_type type)
{
    const struct datum *want = set_of(bits, type);
    CHECK(datum_equal(d, want));
    CHECK(datum_hash(d, 1) == datum_hash(want, 1));
    datum_unref(want);
    datum_unref(d);
}

TEST(set_arithmetic_agrees_with_bit_masks)
{
    uint64_t x = 42;
    const enum atom_type types[] = {ATOM_INTEGER, ATOM_UUID, ATOM_STRING};
    struct column_type set = type_uuid_set;

    for (int round = 0; round < 2000; round++) {
        enum atom_type type = types[round % 3];
        uint64_t a = x = hash_fixed(&x, sizeof x, 1), b = x = hash_fixed(&x, sizeof x, 2);
        if (round & 1)
            b &= b << 7 & b >> 9 & (x >> 3); /* a few */
        const struct datum *da = set_of(a, type), *db = set_of(b, type), *new;
        check_is(datum_union(da, db), a | b, type);
        check_is(datum_subtract(da, db), a & ~b, type);
        set.key.type = type;
        const struct datum *diff = datum_diff(da, db, &set);
        struct dberr *err = datum_apply_diff(da, diff, &set, &new);
        CHECK(!err);
        check_is(new, b, type);
        check_is(diff, a ^ b, type);
        CHECK(datum_includes(da, db) == !(b & ~a));
        CHECK(datum_excludes(da, db) == !(a & b));
        datum_unref(da);
        datum_unref(db);
    }
}

TEST(map_differences_apply)
{
    struct column_type t = type_of(MAP);
    const struct datum *a = NULL, *b = NULL, *new = NULL;
    CHECK(!datum_parse("{a=1, b=2, c=3}", &t, NULL, &a, NULL));
    CHECK(!datum_parse("{a=1, b=5, d=4}", &t, NULL, &b, NULL));
    const struct datum *diff = datum_diff(a, b, &t);
    AUTO_TEXT struct text out = TEXT_INIT;
    datum_format(&out, diff, &t);
    CHECK_STR(text_str(&out), "{b=\"5\", c=\"3\", d=\"4\"}");
    struct dberr *err = datum_apply_diff(a, diff, &t, &new);
    CHECK(!err);
    CHECK(datum_equal(new, b));
    datum_unref(a);
    datum_unref(b);
    datum_unref(new);
    datum_unref(diff);
    column_type_fini(&t);
}

TEST(a_schema_is_printed_as_it_was_read)
{
    static const char json[] =
        "{\"name\":\"T\",\"version\":\"1.2.3\",\"cksum\":\"1 2\",\"tables\":{\"A\":{\"isRoot\":true,\"columns\":{\"x\":"
        "{\"type\":\"integer\",\"mutable\":false},\"b\":{\"type\":{\"key\":{\"type\":\"uuid\",\"refTable\":\"B\"},"
        "\"min\":0,\"max\":\"unlimited\"}}},\"indexes\":[[\"x\"]]},\"B\":{\"maxRows\":3,\"columns\":{\"e\":{\"type\":"
        "\"string\",\"ephemeral\":true}}}}}";
    struct arena arena = ARENA_INIT;
    struct jv v, w;
    struct schema *s = NULL;
    AUTO_TEXT struct text t = TEXT_INIT;
    CHECK(!jv_parse_copy(&arena, json, strlen(json), &v, NULL));
    struct dberr *err = schema_from_json(&v, &s);
    CHECK(!err);
    schema_add_json(&t, s);
    CHECK(!jv_parse_copy(&arena, text_str(&t), t.len, &w, NULL));
    CHECK(jv_equal(&v, &w));
    const struct column *b = table_column(schema_table(s, "A"), "b");
    CHECK(b && b->type.key.uuid.ref == schema_table(s, "B"));
    schema_free(s);
    arena_fini(&arena);
}

TESTS(text_is_what_vsctl_writes, text_refusals_are_the_fields, json_values_go_there_and_back,
      set_arithmetic_agrees_with_bit_masks, map_differences_apply, a_schema_is_printed_as_it_was_read)

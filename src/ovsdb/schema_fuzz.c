/* A schema that is taken prints as one that is taken and equal. */
#include "ovsdb/db.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct schema *
read_schema(const char *p, size_t n)
{
    AUTO_ARENA struct arena arena = ARENA_INIT;
    struct jv v;
    struct schema *s = NULL;

    if (!jv_parse_copy(&arena, p, n, &v, NULL))
        dberr_free(schema_from_json(&v, &s));
    return s;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    struct schema *s = read_schema((const char *) data, size);

    if (!s)
        return 0;
    schema_add_json(&t, s);
    struct schema *again = read_schema(text_str(&t), t.len);
    ASSERT(again && schema_equal(s, again));
    schema_free(again);
    db_free(db_new(s));
    return 0;
}

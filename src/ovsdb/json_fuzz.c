/* A stream cut into values, read, printed, read again: the two must be equal, and whatever a message says must not hurt. */
#include "ovsdb/json.h"
#include "ovsdb/rpc.h"
#include <stddef.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
one_value(const char *p, size_t n)
{
    AUTO_ARENA struct arena arena = ARENA_INIT;
    AUTO_TEXT struct text printed = TEXT_INIT, pretty = TEXT_INIT;
    struct jv v, again;
    struct rpc_msg msg;
    struct why why;

    if (jv_parse_copy(&arena, p, n, &v, &why))
        return;
    jv_add(&printed, &v);
    ASSERT(!jv_parse_copy(&arena, text_str(&printed), printed.len, &again, &why));
    ASSERT(jv_equal(&v, &again));
    jv_add_pretty(&pretty, &v);
    ASSERT(!jv_parse_copy(&arena, text_str(&pretty), pretty.len, &again, &why));
    (void) rpc_msg_decode(&v, &msg, &why);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *) data, *end = p + size;

    while (p < end) {
        struct json_splitter f = {.max_depth = JSON_MAX_DEPTH};
        size_t used = 0;
        bool done = false;
        if (json_split(&f, p, end - p, &used, &done) || !done)
            break;
        one_value(p, used);
        p += used;
    }
    one_value((const char *) data, size);
    return 0;
}

/* What a server may send as updates: the first byte says which kind, the rest is the JSON.  Applied to a replica that already has rows,
 * in place of which it may put anything but a crash. */
#include "base/log.h"
#include "base/mem.h"
#include "ovsdb/client_impl.h"
#include "ovsdb/vswitch_schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const char rows[] =
    "{\"Bridge\":{\"11111111-1111-4111-8111-111111111111\":{\"initial\":{\"name\":\"br0\","
    "\"ports\":[\"set\",[[\"uuid\",\"22222222-2222-4222-8222-222222222222\"]]],"
    "\"other_config\":[\"map\",[[\"a\",\"b\"]]],\"flood_vlans\":[\"set\",[1,2]]}}},"
    "\"Port\":{\"22222222-2222-4222-8222-222222222222\":{\"initial\":{\"name\":\"p0\",\"tag\":5}}}}";

static int
apply(struct client *c, const char *json, size_t n, bool is_2, bool whole)
{
    AUTO_ARENA struct arena arena = ARENA_INIT;
    struct jv v;
    int err = jv_parse_copy(&arena, json, n, &v, NULL);
    return err ? err : replica_apply(c, &v, is_2, whole, NULL);
}

static void
look(const struct client *c)
{
    CLIENT_FOR(br, c, "Bridge")
    {
        crows ports = VEC_INIT;
        crow_refs(br, "ports", &ports);
        for (size_t i = 0; i < ports.n; i++)
            (void) crow_int(ports.at[i], "tag", 0);
        (void) crow_key(br, "other_config", "a");
        (void) crow_str(br, "name");
        vec_fini(&ports);
    }
    (void) client_find_str(c, "Bridge", "name", "br0");
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static struct schema *schema;
    static struct loop *loop;
    struct client_options options = {.database = "Open_vSwitch", .track = n && (bytes[0] & 4)};

    if (!schema) {
        (void) log_set_words("ANY:ANY:off", NULL);
        schema = vswitch_schema_new();
        loop = loop_new();
    }
    struct client *c = client_new(loop, &options);
    c->schema = schema_copy(schema);
    client_want_all(c, "Bridge");
    client_want_all(c, "Port");
    client_index(c, "Bridge", "name");
    int err = apply(c, rows, sizeof rows - 1, true, true);
    ASSERT(!err);
    if (n) {
        (void) apply(c, (const char *) bytes + 1, n - 1, bytes[0] & 1, bytes[0] & 2);
        look(c);
        client_clear_changes(c);
        look(c);
    }
    client_free(c);
    return 0;
}

/* vswitch_schema - see the header.  The text is made from the file by the build (vswitch_schema_text.c). */
#include "ovsdb/vswitch_schema.h"
#include "base/arena.h"
#include "ovsdb/json.h"

extern const char vswitch_ovsschema[];
extern const size_t vswitch_ovsschema_len;

struct schema *
vswitch_schema_new(void)
{
    AUTO_ARENA struct arena arena = ARENA_INIT;
    struct schema *schema = NULL;
    struct jv v;

    int err = jv_parse_copy(&arena, vswitch_ovsschema, vswitch_ovsschema_len, &v, NULL);
    ASSERT(!err);
    struct dberr *refusal = schema_from_json(&v, &schema);
    ASSERT(!refusal);
    return schema;
}

/* A command line of ovs-vsctl, one word per line of the input: parsed, and asked what it would read.  No database is near. */
#include "base/log.h"
#include "base/mem.h"
#include "cli/vsctl.h"
#include "ovsdb/vswitch_schema.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define MAX_WORDS 256

static int
split(char *text, char *words[])
{
    int n = 0;
    for (char *p = text; p && n < MAX_WORDS;)
        words[n++] = strsep(&p, "\n");
    words[n] = NULL;
    return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static struct schema *schema;
    static struct loop *loop;
    AUTO_STR char *text = xstrndup((const char *) bytes, n);
    char *words[MAX_WORDS + 1];
    struct client_options options = {.database = "Open_vSwitch"};
    struct vsctl v;
    struct ctl ctl;
    struct why why;

    if (!schema) {
        (void) log_set_words("ANY:ANY:off", NULL);
        schema = vswitch_schema_new();
        loop = loop_new();
    }
    vsctl_init(&ctl, &v, schema);
    int err = ctl_parse(&ctl, split(text, words), words, &why);
    if (!err) {
        ctl.client = client_new(loop, &options);
        (void) ctl_want(&ctl, &why);
        client_free(ctl.client);
    }
    vsctl_fini(&ctl);
    return 0;
}

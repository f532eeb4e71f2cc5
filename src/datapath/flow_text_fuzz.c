/* Any text: what is read must print, read again the same, and whatever frame it makes must be readable. */
#include "base/mem.h"
#include "datapath/action.h"
#include "datapath/flow_text.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *text = xstrndup((const char *) data, n);
    struct key key, mask, key2, mask2;
    struct why why;
    if (!flow_parse(text, NULL, NULL, &key, &mask, &why)) {
        struct text t = TEXT_INIT;
        flow_format(&key, &mask, NULL, NULL, &t);
        flow_format_verbose(&key, &mask, NULL, NULL, &t);
        text_fini(&t);
        flow_format(&key, NULL, NULL, NULL, &t);
        ASSERT(!flow_parse(text_str(&t), NULL, NULL, &key2, &mask2, &why));
        text_fini(&t);
        uint8_t frame[512];
        int len = frame_compose(&key, NULL, 0, frame, sizeof frame);
        ASSERT(len <= (int) sizeof frame);
    }
    struct actions a;
    actions_init(&a);
    if (!actions_parse(text, NULL, NULL, &a, &why)) {
        struct text t = TEXT_INIT;
        actions_format(a.bytes, a.len, NULL, NULL, &t);
        struct actions b;
        actions_init(&b);
        ASSERT(!actions_parse(text_str(&t), NULL, NULL, &b, &why));
        ASSERT(a.len == b.len && !memcmp(a.bytes, b.bytes, a.len));
        actions_fini(&b);
        text_fini(&t);
    }
    actions_fini(&a);
    free(text);
    return 0;
}

/* Bytes from a peer of JSON-RPC: however they are cut, the same messages must come out, and what was read and written is read again. */
#include "base/mem.h"
#include "io/json.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define MAX_DEPTH 100

static void
read_write_read(const char *bytes, size_t n, struct text *out)
{
    json_t *v, *again;
    struct why why;
    if (json_parse_text(bytes, n, &v, &why)) {
        text_add(out, "refused\n");
        return;
    }
    AUTO_TEXT struct text t = TEXT_INIT;
    json_add_text(&t, v);
    ASSERT(!json_parse_text(text_str(&t), t.len, &again, &why));
    AUTO_TEXT struct text t2 = TEXT_INIT;
    json_add_text(&t2, again);
    ASSERT(t.len == t2.len && !memcmp(t.s, t2.s, t.len));
    text_addf(out, "%s\n", text_str(&t));
    json_decref(v);
    json_decref(again);
}

/* What comes out when the bytes come in pieces of 'piece'. */
static void
split(const uint8_t *bytes, size_t n, size_t piece, struct text *out)
{
    struct json_splitter s = {.max_depth = MAX_DEPTH};
    AUTO_TEXT struct text head = TEXT_INIT;
    for (size_t at = 0; at < n;) {
        size_t used;
        bool done;
        int err = json_split(&s, (const char *) bytes + at, MIN(piece, n - at), &used, &done);
        if (err) {
            text_addf(out, "%d\n", err);
            return;
        }
        ASSERT(used > 0 && used <= MIN(piece, n - at));
        text_addn(&head, bytes + at, used);
        at += used;
        if (done) {
            read_write_read(head.s, head.len, out);
            text_cut(&head, 0);
        }
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    AUTO_TEXT struct text whole = TEXT_INIT;
    AUTO_TEXT struct text pieces = TEXT_INIT;
    split(bytes, n, n, &whole);
    split(bytes, n, 1 + n % 7, &pieces);
    ASSERT(whole.len == pieces.len && !memcmp(text_str(&whole), text_str(&pieces), whole.len));
    return 0;
}

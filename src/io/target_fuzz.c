/* Targets as people write them: taken or refused, and a target with a port added is still one. */
#include "base/mem.h"
#include "io/stream.h"
#include "io/target.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    AUTO_STR char *text = xstrndup((const char *) bytes, n);
    struct target t;
    struct why why = {""};
    if (target_parse(text, &t, &why)) {
        ASSERT(*why.text && !target_is_valid(text, NULL));
        return 0;
    }
    AUTO_STR char *whole = target_with_port(text, 6640);
    struct target t2;
    ASSERT(!target_parse(whole, &t2, &why));
    ASSERT(t2.is_passive == t.is_passive && t2.is_unix == t.is_unix && t2.is_tls == t.is_tls);
    ASSERT(t2.is_unix || t2.port);
    target_fini(&t);
    target_fini(&t2);
    return 0;
}

#include "cli/options.h"

#include "base/log.h"
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

LOG_MODULE(fatal_signal)

struct option *
options_join(struct option all[], size_t room, const struct option *const lists[])
{
    size_t n = 0;
    for (size_t i = 0; lists[i]; i++) {
        for (const struct option *o = lists[i]; o->name; o++) {
            ASSERT(n + 1 < room);
            all[n++] = *o;
        }
    }
    all[n] = (struct option){NULL, 0, NULL, 0};
    return all;
}

int
timeout_parse(const char *word, const char *what, unsigned *out, struct why *why)
{
    char *end;
    long s = strtol(word, &end, 10);
    if (*end || end == word || s < 0 || s > INT_MAX)
        return refuse(why, -EINVAL, "value %s on %s is invalid", word, what);
    *out = (unsigned) s;
    return 0;
}

unsigned
timeout_from_environment(void)
{
    const char *word = getenv("OVS_CTL_TIMEOUT");
    unsigned s = 0;
    if (word && *word)
        (void) timeout_parse(word, "OVS_CTL_TIMEOUT", &s, NULL);
    return s;
}

void
timeout_expire(void *unused UNUSED)
{
    fflush(stdout);
    log_warn("terminating with signal %d (%s)", SIGALRM, strsignal(SIGALRM));
    signal(SIGALRM, SIG_DFL);
    raise(SIGALRM);
}

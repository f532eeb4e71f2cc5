/* coverage - see the header.  The text is that of coverage/show in ovs-appctl(8): averages over the last five seconds, minute and hour. */
#include "base/coverage.h"
#include <stdlib.h>
#include <string.h>

static struct coverage *counters;
static unsigned n_ticks;

void
coverage_register(struct coverage *c)
{
    c->next = counters;
    counters = c;
}

void
coverage_tick(void)
{
    for (struct coverage *c = counters; c; c = c->next) {
        unsigned long long total = atomic_load_explicit(&c->total, memory_order_relaxed);
        uint32_t fresh = (uint32_t) (total - c->last);
        c->last = total;
        c->recent[n_ticks % 60] = fresh;
        if (n_ticks % 12 == 0)
            c->minutes[n_ticks / 12 % 60] = 0;
        c->minutes[n_ticks / 12 % 60] += fresh;
    }
    n_ticks++;
}

static int
by_name(const void *a, const void *b)
{
    return strcmp((*(struct coverage *const *) a)->name, (*(struct coverage *const *) b)->name);
}

void
coverage_show(struct text *out)
{
    struct coverage *sorted[1024];
    size_t n = 0, silent = 0;
    for (struct coverage *c = counters; c; c = c->next) {
        if (!atomic_load(&c->total))
            silent++;
        else if (n < ARRAY_SIZE(sorted))
            sorted[n++] = c;
    }
    qsort(sorted, n, sizeof *sorted, by_name);
    text_add(out, "Event coverage, avg rate over last: 5 seconds, last minute, last hour,  hash=00000000:\n");
    for (size_t i = 0; i < n; i++) {
        const struct coverage *c = sorted[i];
        unsigned slot = n_ticks ? (n_ticks - 1) % 60 : 0;
        double five = c->recent[slot] / 5.0, minute = 0, hour = 0;
        for (unsigned k = 0; k < 12; k++)
            minute += c->recent[(slot + 60 - k) % 60];
        for (unsigned k = 0; k < 60; k++)
            hour += c->minutes[k];
        text_addf(out, "%-24s %5.1f/sec %9.3f/sec %13.4f/sec   total: %llu\n", c->name, five, minute / 60.0,
                  hour / 3600.0, (unsigned long long) atomic_load(&c->total));
    }
    text_addf(out, "%zu events never hit\n", silent);
}

bool
coverage_read(const char *name, unsigned long long *total)
{
    for (struct coverage *c = counters; c; c = c->next)
        if (!strcmp(c->name, name)) {
            *total = atomic_load(&c->total);
            return true;
        }
    return false;
}

/* show - see the header.
 *
 * Shape.   A lane keeps plain totals; clearing remembers what they were, so that nobody writes what a lane counts.  Times are measured in
 *          nanoseconds and told in cycles where the field says cycles, by the rate of the time stamp counter.
 */
#include "datapath/show.h"
#include "base/mem.h"
#include "datapath/dp.h"
#include "datapath/flow_text.h"
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

/* ---- flows ---- */

static void
tcp_flags_format(uint16_t flags, struct text *out)
{
    static const struct {
        uint16_t bit;
        char letter;
    } letters[] = {{0x02, 'S'}, {0x01, 'F'}, {0x08, 'P'}, {0x04, 'R'}, {0x20, 'U'},
                   {0x10, '.'}, {0x40, 'E'}, {0x80, 'C'}, {0x100, 'N'}};
    if (!flags)
        return;
    text_add(out, ", flags:");
    for (unsigned i = 0; i < ARRAY_SIZE(letters); i++)
        if (flags & letters[i].bit)
            text_addc(out, letters[i].letter);
}

/* Every flow stands on these; the field always says so. */
static void
complete_mask(const struct key *key, struct key *mask)
{
    memset(&mask->port, 0xff, sizeof mask->port);
    memset(&mask->packet_type, 0xff, sizeof mask->packet_type);
    memset(&mask->recirc_id, 0xff, sizeof mask->recirc_id);
    memset(&mask->eth_type, 0xff, sizeof mask->eth_type);
    if (key->eth_type == be16_of(0x0800) || key->eth_type == be16_of(0x86dd))
        memset(&mask->ip_frag, 0xff, sizeof mask->ip_frag);
}

static void
ufid_format(const uint64_t ufid[2], struct text *out)
{
    text_addf(out, "ufid:%08x-%04x-%04x-%04x-%012" PRIx64 ", ", (unsigned) (ufid[0] >> 32),
              (unsigned) (ufid[0] >> 16 & 0xffff), (unsigned) (ufid[0] & 0xffff), (unsigned) (ufid[1] >> 48),
              ufid[1] & 0xffffffffffff);
}

void
dp_flow_format(const struct dp_flow *f, bool verbose, instant now, const char *(*port_name)(void *aux, dpport),
               void *aux, struct text *out)
{
    struct key mask = f->mask;
    complete_mask(&f->key, &mask);
    if (verbose) {
        ufid_format(f->ufid, out);
        flow_format_verbose(&f->key, &mask, port_name, aux, out);
    } else {
        flow_format(&f->key, &mask, port_name, aux, out);
    }
    text_addf(out, ", packets:%" PRIu64 ", bytes:%" PRIu64 ", used:", f->packets, f->bytes);
    if (f->used.ns == INSTANT_NEVER.ns)
        text_add(out, "never");
    else
        text_addf(out, "%.3fs", (double) MAX(span_ms(instant_since(now, f->used)), 0) / 1000);
    tcp_flags_format(f->tcp_flags, out);
    if (verbose)
        text_add(out, ", dp:ovs");
    text_add(out, ", actions:");
    actions_format(f->actions, f->actions_len, port_name, aux, out);
}

/* ---- lanes ---- */

/* Totals of a lane since they were cleared. */
struct figures {
    uint64_t turns, busy_turns, sleeps, bursts, packets, busy_ns, idle_ns, sleep_ns, miss_ns, batches, waited;
    uint64_t hits[2], misses, lost, probes, sent;
};

static void
figures_read(const struct lane *l, struct figures *f)
{
    *f = (struct figures){.turns = load(&l->counters.turns),
                          .busy_turns = load(&l->counters.busy_turns),
                          .sleeps = load(&l->counters.sleeps),
                          .bursts = load(&l->counters.bursts),
                          .packets = load(&l->counters.packets),
                          .busy_ns = load(&l->counters.busy_ns),
                          .idle_ns = load(&l->counters.idle_ns),
                          .sleep_ns = load(&l->counters.sleep_ns),
                          .miss_ns = load(&l->counters.miss_ns),
                          .batches = load(&l->counters.batches),
                          .waited = load(&l->counters.waited),
                          .hits = {load(&l->cache.counters.hits[0]), load(&l->cache.counters.hits[1])},
                          .misses = load(&l->cache.counters.misses),
                          .lost = load(&l->counters.waiting_full),
                          .probes = load(&l->cache.counters.probes),
                          .sent = load(&l->exits.sent)};
}

static void
figures_since_clear(const struct lane *l, struct figures *f)
{
    figures_read(l, f);
    if (!l->cleared)
        return;
    uint64_t *now = (uint64_t *) f;
    const uint64_t *then = (const uint64_t *) l->cleared;
    for (unsigned n = 0; n < sizeof *f / sizeof *now; n++)
        now[n] -= then[n];
}

static int
lane_core(const struct lane *l)
{
    return l->cpu >= 0 ? l->cpu : (int) l->index;
}

static bool
is_asked(const struct lane *l, int core)
{
    return core < 0 || lane_core(l) == core;
}

static void
lane_title(const struct lane *l, struct text *out)
{
    text_addf(out, "pmd thread numa_id 0 core_id %d:\n", lane_core(l));
}

static double
ratio(double a, double b)
{
    return b ? a / b : 0;
}

static double
percent(double a, double b)
{
    return ratio(a, b) * 100;
}

static double
cycles(const struct datapath *dp, uint64_t ns)
{
#ifdef __x86_64__
    double elapsed = instant_since(clock_now(), dp->born).ns;
    return ns * ratio(__builtin_ia32_rdtsc() - dp->born_cycles, elapsed);
#else
    return ns;
#endif
}

static void
stats_format(const struct datapath *dp, const struct figures *f, struct text *out)
{
    uint64_t hits = f->hits[0] + f->hits[1];
    text_addf(out,
              "  packets received: %" PRIu64 "\n  packet recirculations: 0\n"
              "  avg. datapath passes per packet: %.2f\n  phwol hits: 0\n  mfex opt hits: 0\n  simple match hits: 0\n"
              "  emc hits: %" PRIu64 "\n  smc hits: 0\n  megaflow hits: %" PRIu64 "\n"
              "  avg. subtable lookups per megaflow hit: %.2f\n"
              "  miss with success upcall: %" PRIu64 "\n  miss with failed upcall: %" PRIu64 "\n"
              "  avg. packets per output batch: %.2f\n",
              f->packets, f->packets ? 1.0 : 0.0, f->hits[0], f->hits[1], f->hits[1] ? ratio(f->probes, hits) : 0,
              f->misses, f->lost, ratio(hits, f->batches));
    double busy = cycles(dp, f->busy_ns), idle = cycles(dp, f->idle_ns), all = busy + idle;
    if (!all)
        return;
    text_addf(out, "  idle cycles: %.0f (%.02f%%)\n  processing cycles: %.0f (%.02f%%)\n", idle, percent(idle, all),
              busy, percent(busy, all));
    if (f->packets)
        text_addf(out,
                  "  avg cycles per packet: %.02f (%.0f/%" PRIu64 ")\n"
                  "  avg processing cycles per packet: %.02f (%.0f/%" PRIu64 ")\n",
                  all / f->packets, all, f->packets, busy / f->packets, busy, f->packets);
}

void
dp_lanes_stats(struct datapath *dp, int core, struct text *out)
{
    for (unsigned i = 0; i < dp->n_lanes; i++) {
        struct figures f;
        if (!is_asked(dp->lanes[i], core))
            continue;
        figures_since_clear(dp->lanes[i], &f);
        lane_title(dp->lanes[i], out);
        stats_format(dp, &f, out);
    }
}

void
dp_lanes_clear(struct datapath *dp, int core)
{
    for (unsigned i = 0; i < dp->n_lanes; i++) {
        struct lane *l = dp->lanes[i];
        if (!is_asked(l, core))
            continue;
        if (!l->cleared)
            l->cleared = xmalloc(sizeof *l->cleared);
        figures_read(l, l->cleared);
        dp->cleared_at = clock_now();
    }
}

static void
perf_format(const struct datapath *dp, const struct figures *f, double seconds_, struct text *out)
{
    uint64_t hits = f->hits[0] + f->hits[1], passes = hits + f->misses;
    uint64_t idle_turns = f->turns - MIN(f->turns, f->busy_turns + f->sleeps);
    double used = cycles(dp, f->busy_ns + f->idle_ns), total = cycles(dp, seconds_ * 1e9);

    text_addf(out, "\n  Iterations:         %12" PRIu64 "  (%.2f us/it)\n", f->turns,
              ratio((f->busy_ns + f->idle_ns) / 1e3, f->turns));
    text_addf(out, "  - Used TSC cycles:  %12.0f  (%5.1f %% of total cycles)\n", used, percent(used, total));
    text_addf(out, "  - idle iterations:  %12" PRIu64 "  (%5.1f %% of used cycles)\n", idle_turns,
              percent(f->idle_ns, f->busy_ns + f->idle_ns));
    text_addf(out, "  - busy iterations:  %12" PRIu64 "  (%5.1f %% of used cycles)\n", f->busy_turns,
              percent(f->busy_ns, f->busy_ns + f->idle_ns));
    text_addf(out, "  - sleep iterations: %12" PRIu64 "  (%5.1f %% of iterations)\n", f->sleeps,
              percent(f->sleeps, f->turns));
    text_addf(out, "  Sleep time (us):    %12.0f  (%3.0f us/iteration avg.)\n", f->sleep_ns / 1e3,
              ratio(f->sleep_ns / 1e3, f->sleeps));
    if (!f->packets) {
        text_addf(out, "  Rx packets:         %12d\n  Tx packets:         %12" PRIu64 "\n", 0, f->sent);
        return;
    }
    text_addf(out, "  Rx packets:         %12" PRIu64 "  (%.0f Kpps, %.0f cycles/pkt)\n", f->packets,
              ratio(f->packets / 1e3, seconds_), cycles(dp, f->busy_ns) / f->packets);
    text_addf(out, "  Datapath passes:    %12" PRIu64 "  (%.2f passes/pkt)\n", passes, ratio(passes, f->packets));
    text_addf(out,
              "  - PHWOL hits:       %12d  (%5.1f %%)\n  - MFEX Opt hits:    %12d  (%5.1f %%)\n"
              "  - Simple Match hits:%12d  (%5.1f %%)\n",
              0, 0.0, 0, 0.0, 0, 0.0);
    text_addf(out, "  - EMC hits:         %12" PRIu64 "  (%5.1f %%)\n", f->hits[0], percent(f->hits[0], passes));
    text_addf(out, "  - SMC hits:         %12d  (%5.1f %%)\n", 0, 0.0);
    text_addf(out, "  - Megaflow hits:    %12" PRIu64 "  (%5.1f %%, %.2f subtbl lookups/hit)\n", f->hits[1],
              percent(f->hits[1], passes), f->hits[1] ? ratio(f->probes, hits) : 0);
    text_addf(out, "  - Upcalls:          %12" PRIu64 "  (%5.1f %%, %.1f us/upcall)\n", f->misses,
              percent(f->misses, passes), ratio(f->miss_ns / 1e3, f->misses));
    text_addf(out, "  - Lost upcalls:     %12" PRIu64 "  (%5.1f %%)\n", f->lost, percent(f->lost, passes));
    text_addf(out, "  Tx packets:         %12" PRIu64 "  (%.0f Kpps)\n", f->sent, ratio(f->sent / 1e3, seconds_));
    text_addf(out, "  Tx batches:         %12" PRIu64 "  (%.2f pkts/batch)\n", f->batches, ratio(f->sent, f->batches));
}

void
dp_lanes_perf(struct datapath *dp, int core, struct text *out)
{
    struct timespec wall;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &wall);
    gmtime_r(&wall.tv_sec, &tm);
    double seconds_ = instant_since(clock_now(), dp->cleared_at.ns ? dp->cleared_at : dp->born).ns / 1e9;
    text_addf(out, "Time: %02d:%02d:%02d.%03ld\nMeasurement duration: %.3f s\n", tm.tm_hour, tm.tm_min, tm.tm_sec,
              wall.tv_nsec / 1000000, seconds_);
    for (unsigned i = 0; i < dp->n_lanes; i++) {
        struct figures f;
        if (!is_asked(dp->lanes[i], core))
            continue;
        figures_since_clear(dp->lanes[i], &f);
        text_addc(out, '\n');
        lane_title(dp->lanes[i], out);
        perf_format(dp, &f, seconds_, out);
    }
}

/* ---- queues ---- */

static int
by_port_and_queue(const void *a_, const void *b_)
{
    const struct rxq *a = *(struct rxq *const *) a_, *b = *(struct rxq *const *) b_;
    int order = strcmp(a->port->device->name, b->port->device->name);
    return order ? order : (int) a->queue - (int) b->queue;
}

void
dp_lanes_queues(struct datapath *dp, int core, struct text *out)
{
    text_add(out, "Displaying last 60 seconds pmd usage %\n");
    for (unsigned i = 0; i < dp->n_lanes; i++) {
        const struct lane *l = dp->lanes[i];
        struct rxq *queues[1024];
        unsigned n = 0;
        if (!is_asked(l, core))
            continue;
        for (struct rxq *q = dp->rxqs; q && n < ARRAY_SIZE(queues); q = q->next)
            if (q->lane == l)
                queues[n++] = q;
        qsort(queues, n, sizeof queues[0], by_port_and_queue);
        lane_title(l, out);
        text_add(out, "  isolated : false\n");
        uint64_t sum = 0;
        for (unsigned j = 0; j < n; j++) {
            text_addf(out, "  port: %-16s  queue-id: %2u (enabled)   pmd usage: %2" PRIu64 " %%\n",
                      queues[j]->port->device->name, queues[j]->queue, queues[j]->minute_millionth / 10000);
            sum += queues[j]->minute_millionth;
        }
        text_addf(out, "  overhead: %2" PRIu64 " %%\n",
                  (l->minute_millionth > sum ? l->minute_millionth - sum : 0) / 10000);
    }
}

void
dp_lanes_sleep(struct datapath *dp, struct text *out)
{
    /* A lane that has nothing to do sleeps until a descriptor wakes it: there is no time that bounds it. */
    text_add(out, "Default max sleep:    0 us\n");
    for (unsigned i = 0; i < dp->n_lanes; i++) {
        lane_title(dp->lanes[i], out);
        text_add(out, "  max sleep:    0 us\n");
    }
}

/* fastpath_bench - what a packet costs in a lane, without kernel, card or pipeline.
 *
 * Use.     bench_fastpath KIND FLOWS [SECONDS]     one line of JSON on standard output
 * Kinds.   floor    source and sink alone, in a bare loop: what every other figure contains
 *          tuple    rules that look at the 5-tuple: one exact flow per connection
 *          port     one rule on the destination port: one wildcard flow for everything
 *          vlan     as tuple, and push_vlan
 *          rewrite  as tuple, and dec_ttl with another destination address
 *          miss     nothing is ever kept: every packet asks
 *          beside   as tuple, while another port of the lane sends nothing but new connections; the figures are those of the first port
 * Shape.   bench-source to bench-sink through one lane; the pipeline is a function of a few lines.
 */
#include "base/mem.h"
#include "base/rcu.h"
#include "datapath/datapath.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct job {
    const char *kind;
    struct datapath *dp;
    dpport sink;
    dpport scanner, scan_sink; /* "beside" */
};

static void
job_translate(void *job_, const struct key *key, const struct packet *p, instant now, struct verdict *v)
{
    struct job *job = job_;
    deps_add(&v->deps, dp_versions(job->dp), version_slot(VERSION_TABLE, 0));
    memset(&v->mask.port, 0xff, sizeof v->mask.port);
    memset(&v->mask.eth_type, 0xff, sizeof v->mask.eth_type);
    memset(&v->mask.ip_proto, 0xff, sizeof v->mask.ip_proto);
    memset(&v->mask.tp_dst, 0xff, sizeof v->mask.tp_dst);
    if (strcmp(job->kind, "port")) {
        memset(&v->mask.tp_src, 0xff, sizeof v->mask.tp_src);
        memset(&v->mask.ip_src, 0xff, sizeof v->mask.ip_src);
        memset(&v->mask.ip_dst, 0xff, sizeof v->mask.ip_dst);
    }
    if (!strcmp(job->kind, "vlan"))
        actions_add(&v->actions, ACT_PUSH_VLAN, 0x8100u << 16 | 5, NULL, 0);
    if (!strcmp(job->kind, "rewrite")) {
        uint8_t both[2 * KEY_FRAME_BYTES];
        struct key to = *key;
        to.ip_ttl--;
        to.eth_dst = mac_from_u64(0x020000000009);
        memcpy(both, key, KEY_FRAME_BYTES);
        memcpy(both + KEY_FRAME_BYTES, &to, KEY_FRAME_BYTES);
        actions_add(&v->actions, ACT_SET_HEADERS, 0, both, sizeof both);
    }
    v->may_cache = strcmp(job->kind, "miss");
    bool is_scan = job->scanner && key->port == job->scanner;
    actions_add(&v->actions, ACT_OUTPUT, is_scan ? job->scan_sink : job->sink, NULL, 0);
}

static const struct dp_ops job_ops = {.translate = job_translate};

static struct device *
door(struct loop *loop, const char *name, const char *type, unsigned flows)
{
    char n[16];
    snprintf(n, sizeof n, "%u", flows);
    struct device_option option = {"flows", n};
    struct device_options options = {!strcmp(type, "bench-source"), &option};
    struct device_config config = {.options = &options};
    struct device *d;
    struct why why;
    if (device_open(loop, name, type, &config, NULL, NULL, &d, &why)) {
        fprintf(stderr, "%s\n", why.text);
        exit(1);
    }
    return d;
}

static uint64_t
sunk(struct device *sink)
{
    struct device_stats s;
    sink->class->stats(sink, &s);
    return s.tx_packets;
}

/* Processor time of this process: what others on the machine take is not ours. */
static int64_t
cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static double
cycles_per_ns(void)
{
#ifdef __x86_64__
    instant began = clock_now();
    uint64_t cycles = __builtin_ia32_rdtsc();
    while (instant_since(clock_now(), began).ns < 10000000)
        continue;
    return (double) (__builtin_ia32_rdtsc() - cycles) / instant_since(clock_now(), began).ns;
#else
    return 1;
#endif
}

static void
report(const struct job *job, unsigned flows, uint64_t packets, int64_t ns)
{
    printf("{\"kind\": \"%s\", \"flows\": %u, \"mpps\": %.3f, \"ns\": %.2f, \"cycles\": %.1f", job->kind, flows,
           packets * 1e3 / ns, (double) ns / packets, ns * cycles_per_ns() / packets);
    if (job->dp) {
        struct dp_stats s;
        dp_stats(job->dp, &s);
        printf(", \"hits\": %llu, \"misses\": %llu, \"lost\": %llu, \"probes_per_lookup\": %.2f, \"cached\": %llu, "
               "\"evicted\": %llu",
               (unsigned long long) (s.hits_l1 + s.hits_l2), (unsigned long long) s.misses, (unsigned long long) s.lost,
               (double) s.mask_probes / (s.hits_l1 + s.hits_l2 + s.misses), (unsigned long long) s.flows,
               (unsigned long long) s.evicted);
    }
    printf("}\n");
}

static void
run_floor(struct job *job, struct device *source, struct device *sink, unsigned flows, double seconds_)
{
    struct packet_pool *pool = packet_pool_new(1024, 1);
    instant until = instant_add(clock_now(), nanos(seconds_ * 1e9));
    int64_t began = cpu_ns();
    while (instant_before(clock_now(), until))
        for (unsigned i = 0; i < 64; i++) {
            struct packet *burst[BURST];
            unsigned n = source->class->receive(source, 0, pool, burst);
            sink->class->send(sink, burst, n);
        }
    report(job, flows, sunk(sink), cpu_ns() - began);
    packet_pool_free(pool);
}

/* Until nothing new is learned for a while; ten seconds at most. */
static void
warm_up(struct datapath *dp)
{
    struct dp_stats then = {0}, now;
    for (unsigned i = 0; i < 100; i++, then = now) {
        struct timespec wait = {.tv_nsec = 100000000};
        nanosleep(&wait, NULL);
        dp_push_stats(dp);
        dp_stats(dp, &now);
        if (i > 3 && now.misses == then.misses)
            return;
    }
}

static void
run_lane(struct job *job, struct loop *loop, struct device *source, struct device *sink, unsigned flows,
         double seconds_)
{
    struct key relevant;
    dpport port;
    job->dp = dp_new(loop, "netdev@bench", "netdev", &job_ops, job);
    dp_configure(job->dp,
                 &(struct dp_config){.n_lanes = 1, .flow_limit = 4000000, .max_idle = seconds(10), .vlan_limit = 1});
    if (dp_port_add(job->dp, sink, DPPORT_NONE, &job->sink, NULL) ||
        dp_port_add(job->dp, source, DPPORT_NONE, &port, NULL))
        exit(1);
    memset(&relevant, 0, sizeof relevant);
    struct verdict v = {.may_cache = true};
    struct job whole = {"tuple", job->dp, 0};
    actions_init(&v.actions);
    job_translate(&whole, &relevant, NULL, clock_now(), &v);
    actions_fini(&v.actions);
    dp_port_relevant(job->dp, port, &v.mask);

    warm_up(job->dp);
    struct device *scan[2] = {NULL, NULL};
    if (!strcmp(job->kind, "beside")) {
        dpport sink_port, source_port;
        scan[0] = door(loop, "scan", "bench-source", 1u << 24);
        scan[1] = door(loop, "scansink", "bench-sink", 0);
        if (dp_port_add(job->dp, scan[1], DPPORT_NONE, &sink_port, NULL))
            exit(1);
        job->scan_sink = sink_port;
        job->scanner = sink_port + 1; /* the next free number, known before its first packet comes */
        if (dp_port_add(job->dp, scan[0], job->scanner, &source_port, NULL))
            exit(1);
        dp_port_relevant(job->dp, source_port, &v.mask);
    }
    int64_t began = cpu_ns();
    uint64_t before = sunk(sink);
    struct timespec wait = {(time_t) seconds_, (long) ((seconds_ - (time_t) seconds_) * 1e9)};
    nanosleep(&wait, NULL);
    uint64_t packets = sunk(sink) - before;
    report(job, flows, packets, cpu_ns() - began);
    if (scan[0]) {
        dp_port_del(job->dp, job->scanner);
        dp_port_del(job->dp, job->scan_sink);
        device_close(scan[0], true);
        device_close(scan[1], true);
    }
    dp_port_del(job->dp, port);
    dp_port_del(job->dp, job->sink);
    dp_free(job->dp);
}

int
main(int argc, char *argv[])
{
    static const char *const kinds[] = {"floor", "tuple", "port", "vlan", "rewrite", "miss", "beside"};
    bool known = false;
    for (unsigned i = 0; argc > 2 && i < ARRAY_SIZE(kinds); i++)
        known |= !strcmp(argv[1], kinds[i]);
    unsigned flows = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    double seconds_ = argc > 3 ? strtod(argv[3], NULL) : 2;
    if (!known || !flows || seconds_ <= 0) {
        fprintf(stderr, "usage: %s floor|tuple|port|vlan|rewrite|miss|beside FLOWS [SECONDS]\n", argv[0]);
        return 2;
    }
    rcu_register();
    struct loop *loop = loop_new();
    device_enable_dummy(loop, "");
    struct device *source = door(loop, "source", "bench-source", flows), *sink = door(loop, "sink", "bench-sink", 0);
    struct job job = {argv[1], NULL, 0};
    if (!strcmp(job.kind, "floor"))
        run_floor(&job, source, sink, flows, seconds_);
    else
        run_lane(&job, loop, source, sink, flows, seconds_);
    device_close(source, true);
    device_close(sink, true);
    loop_free(loop);
    rcu_unregister();
    return 0;
}

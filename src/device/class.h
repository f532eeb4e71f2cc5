/* class - what the kinds of device share among themselves, and nobody else needs. */
#ifndef DEVICE_CLASS_H
#define DEVICE_CLASS_H 1

#include "device/device.h"

extern const struct device_class dummy_class, dummy_internal_class, dummy_pmd_class;
extern const struct device_class bench_source_class, bench_sink_class;
extern const struct device_class internal_class, system_class, tap_class;

/* Counts that several lanes add to, once per burst. */
struct counters {
    atomic_ullong rx_packets, rx_bytes, rx_dropped, rx_errors;
    atomic_ullong tx_packets, tx_bytes, tx_dropped, tx_errors;
};

#define count(counter, n) ((void) atomic_fetch_add_explicit(&(counter), (n), memory_order_relaxed))
void counters_read(const struct counters *, struct device_stats *);

/* Makes of 'p' (whose reference it takes) what a door that can do 'caps' (packet/gso.h) takes as it is.  Returns how many packets stand in out[],
 * room for SEGMENTS_MAX; 0: it had to be dropped. */
unsigned door_fit(struct packet *p, unsigned caps, struct packet *out[]);

/* Refuses options whose key is not in the NULL-terminated list. */
int options_known(const struct device_options *, const char *const known[], struct why *);
/* A number among the options; 'otherwise' when it is not there.  Refused when it is no number in min..max. */
int options_number(const struct device_options *, const char *key, unsigned min, unsigned max, unsigned otherwise,
                   unsigned *out, struct why *);

#endif

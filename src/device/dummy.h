/* dummy - a door without a wire, for tests: frames come by command (or over a stream) and go into a pcap file (or over a stream).
 *
 * Shape.    Everything else in the switch sees an ordinary device.  Behaviour that test suites of the field count on: the first dummy has the address
 *           aa:55:aa:55:00:00, the next one :01; a new one is down; frames pass whether it is up or down; 100 frames wait at most.
 * Threads.  'lock' guards what lanes share with the control thread: waiting frames, pcap files, addresses.
 */
#ifndef DEVICE_DUMMY_H
#define DEVICE_DUMMY_H 1

#include "base/list.h"
#include "device/class.h"
#include "device/pcap.h"
#include <pthread.h>

#define DUMMY_QUEUES_MAX 64
#define DUMMY_WAITING_MAX 100

struct dummy_frame {
    struct dummy_frame *next;
    uint32_t len;
    uint8_t bytes[];
};

struct dummy_queue {
    int fd; /* eventfd; readable while frames wait */
    struct dummy_frame *first, **last;
    atomic_uint n;
};

struct dummy_line;

struct dummy {
    struct device device;
    struct list link; /* among all dummies; control */

    /* control */
    unsigned n_queues; /* configured */
    bool is_up;
    unsigned mtu;
    struct mac mac;
    int ifindex;
    unsigned link_resets;
    struct dummy_line *line; /* options:stream, options:pstream; NULL: none */

    pthread_mutex_t lock;
    struct dummy_queue queues[DUMMY_QUEUES_MAX]; /* made once, kept for life: fd 0 is "not made" */
    struct pcap *rx_pcap, *tx_pcap;              /* may be the same one */
    char *pcap_paths[2];
    be32 ip4, ip4_mask;
    struct ip6 ip6;
    unsigned ip6_prefix;
    atomic_uint max_frame;      /* MTU and Ethernet header */
    atomic_bool has_line;       /* frames sent also go to the control thread */
    struct dummy_frame *outbox; /* for the line; not empty: the control thread has been called and holds a reference */
    struct dummy_frame **outbox_last;

    struct counters counters;
};

static inline struct dummy *
dummy_of(const struct device *d)
{
    return CONTAINER_OF(d, struct dummy, device);
}

extern struct list dummies; /* all that are open, in order of age; control */
void dummy_set_up(struct dummy *, bool up);
void dummy_set_ip4(struct dummy *, be32 addr, be32 mask);
void dummy_set_ip6(struct dummy *, const struct ip6 *, unsigned prefix_len);
bool dummy_enqueue(struct dummy *, unsigned queue, const void *frame, size_t len);
void dummy_frames_free(struct dummy_frame *);

/* dummy_line.c: frames over a stream, each behind its length in two bytes.  At most one of the targets; both NULL: no line. */
int dummy_line_configure(struct dummy *, const char *stream, const char *pstream, struct why *);
void dummy_line_send(struct dummy *, const void *frame, size_t len); /* any thread */
const char *dummy_line_state(const struct dummy *); /* "connected", "disconnected", or "unknown" unless it calls */

/* dummy_commands.c */
void dummy_register_commands(void);

#endif

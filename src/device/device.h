/* device - a door that frames come and go by.
 *
 * Shape.      One interface over all kinds (tap, internal, system, dummy, patch has none: it is resolved by the pipeline).  A kind is a
 *             'device_class' row; device_open() finds it by the database's word for it.
 * Two sides.  Control: open, configure, status, close - on the control thread only.  Packets: receive and send - on lanes, one lane per
 *             (device, queue) for receive, any lane for send (a send queue that lanes share locks inside).
 * Offloads.   Received packets carry struct offload; send() takes any packet whatever it owes and does in software what its door cannot.
 * Lifetime.   A device is counted.  The datapath holds a reference while lanes may use it; after device_close() (control) the last
 *             reference frees it after a grace period.  Between the two, receive gives nothing and send drops.
 * Vanishing.  A kernel device that goes away keeps its struct device and its descriptors: is_present turns false, receive gives nothing,
 *             send counts drops; when one of that name comes back it is opened again inside and changed() is called both times.
 * Time.       changed() comes on a turn of its own, never from inside a call of this interface; several changes may come as one.
 */
#ifndef DEVICE_DEVICE_H
#define DEVICE_DEVICE_H 1

#include "base/clock.h"
#include "base/own.h"
#include "base/rcu.h"
#include "base/why.h"
#include "io/loop.h"
#include "packet/addr.h"
#include "packet/packet.h"
#include <stdatomic.h>

#define DEVICE_NAME_MAX 15

struct device;

/* Key and value pairs of the database's 'options' column, sorted; borrowed. */
struct device_options {
    size_t n;
    const struct device_option {
        const char *key, *value;
    } * at;
};
const char *device_option(const struct device_options *, const char *key); /* NULL: not there */

/* Since the device was opened (kernel devices: the kernel's own counters where they mean the same). */
struct device_stats {
    uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_errors, tx_errors, rx_dropped, tx_dropped;
    uint64_t multicast, collisions, rx_frame_err, rx_over_err, rx_crc_err, rx_missed;
};

struct device_status {
    bool is_present; /* there is a device behind the name */
    bool is_admin_up, is_link_up;
    struct mac mac;
    int ifindex;         /* 0: the kernel does not know it */
    unsigned mtu;        /* 0: has none */
    uint64_t link_speed; /* bit/s, 0: unknown */
    bool is_full_duplex, knows_duplex;
    unsigned link_resets;
    const char *driver_name, *driver_version, *firmware_version; /* borrowed till the next call; NULL: unknown */
};

/* A complete configuration; applying the same one twice changes nothing. */
struct device_config {
    const struct device_options *options;
    struct mac mac;   /* zero: leave it */
    unsigned mtu;     /* 0: leave it */
    bool is_admin_up; /* internal and tap devices are put up or down; system devices are put up */
};

struct device_class {
    const char *type; /* as in Interface.type: "system", "internal", "tap", "dummy", ... */
    size_t size;      /* of the struct that begins with 'struct device' */

    /* control */
    int (*open)(struct device *, const struct device_config *, struct why *); /* on failure nothing is left behind */
    void (*close)(struct device *, bool destroy); /* no more control calls; lanes may still be inside */
    void (*release)(struct device *);             /* nobody is: frees what it holds; any thread; NULL is fine */
    int (*configure)(struct device *, const struct device_config *,
                     struct why *);                        /* an option it does not know is refused with its name */
    int (*set_up)(struct device *, bool up, struct why *); /* NULL: cannot be put up or down by us */
    void (*status)(struct device *, struct device_status *);
    void (*stats)(struct device *, struct device_stats *);

    /* packets */
    unsigned (*n_rx_queues)(const struct device *);
    int (*rx_fd)(const struct device *, unsigned queue); /* readable when receive() has something; the same for life */
    /* At most BURST packets of the pool; 0: nothing there (or the pool is empty: counted as rx_dropped). */
    unsigned (*receive)(struct device *, unsigned queue, struct packet_pool *, struct packet *burst[]);
    /* Takes every reference.  What cannot be sent is dropped and counted (tx_dropped, tx_errors). */
    void (*send)(struct device *, struct packet *const packets[], unsigned n);
};

struct device {
    const struct device_class *class;
    struct loop *loop;
    char name[DEVICE_NAME_MAX + 1];
    void (*changed)(void *aux,
                    struct device *); /* status is different: presence, link, MTU, MAC, queues; control thread */
    void *aux;
    atomic_uint n_refs;
    /* device.c's */
    struct task tell; /* changed() is due */
    rcu_later later;
};

/* Opens (and creates, for taps).  Refusals are sentences fit for Interface.error: "could not open network device eth7 (No such device)". */
int device_open(struct loop *, const char *name, const char *type, const struct device_config *,
                void (*changed)(void *aux, struct device *), void *aux, struct device **, struct why *);
struct device *device_get(struct device *);
void device_put(struct device *);
/* Control side is done with it: no changed() any more; kernel objects it made are removed when 'destroy', kept otherwise (persistent taps). */
void device_close(struct device *, bool destroy);

/* Puts it up or down for once, as a person would with ip-link(8): nobody holds it there. -EOPNOTSUPP: its kind cannot. */
int device_set_up(struct device *, bool up, struct why *);

/* For classes: status is different; changed() follows. */
void device_tell(struct device *);

/* The known types, NULL-terminated, sorted: what iface_types shows. */
const char *const *device_types(void);
const struct device_class *device_class_find(const char *type); /* "" is "system" */

/* Dummy devices ("dummy", "dummy-internal", "dummy-pmd") exist only after this.  'override': "override" makes every type of ours a dummy, "system" that
 * one; "" or NULL none.  See --enable-dummy in ovs-vswitchd's manual.  Registers the netdev-dummy/ * commands but for receive, which needs the
 * text of flows. */
void device_enable_dummy(struct loop *, const char *override);

/* A dummy device by name, for commands that speak to it; NULL: none. */
struct device *device_dummy_find(const char *name);
/* As if the frame had come by wire: queued for the lane of that queue (below n_rx_queues()); false: full, or no frame.  As in the field it
 * does not matter whether the device is up. */
bool device_dummy_inject(struct device *, unsigned queue, const void *frame, size_t len);
/* What netdev-dummy/ip4addr gave it. */
bool device_dummy_ip4(const struct device *, be32 *addr, be32 *mask);
bool device_dummy_ip6(const struct device *, struct ip6 *addr, unsigned *prefix_len);

#endif

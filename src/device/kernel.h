/* kernel - devices that the kernel has: which one is behind a name now, and what it is like.
 *
 * Shape.    'system' and 'tap' embed a struct kernel_device.  One netlink client serves them all; it is there while any of them is.
 * States.   absent (ifindex 0) --came()--> there --went()--> absent.  A device that is renamed has gone; one that gets the name has come.
 * Threads.  Control.
 */
#ifndef DEVICE_KERNEL_H
#define DEVICE_KERNEL_H 1

#include "base/list.h"
#include "device/class.h"
#include "device/ethtool.h"
#include "io/netlink.h"

struct kernel_device;

struct kernel_ops {
    /* A link of our name is there: take it.  Refused: the device stays absent until the link changes once more. */
    int (*came)(struct kernel_device *, const struct nl_link *, struct why *);
    /* It is gone, or has another name now. */
    void (*went)(struct kernel_device *, const struct nl_link *last);
    /* NULL is fine: MTU, address, flags or carrier are others now. */
    void (*moved)(struct kernel_device *);
};

struct kernel_device {
    struct device device;
    struct list link; /* among all */
    const struct kernel_ops *ops;
    unsigned ifindex;   /* 0: absent */
    struct nl_link now; /* as last told */
    unsigned changes_at_open;
    struct ethtool_driver driver;
    uint64_t speed; /* 0: unknown */
    bool is_full_duplex, knows_duplex;
};

static inline struct kernel_device *
kernel_of(const struct device *d)
{
    return CONTAINER_OF(d, struct kernel_device, device);
}

/* Joins those that are told of changes; came() is not called from here. */
int kernel_join(struct kernel_device *, const struct kernel_ops *, struct why *);
void kernel_leave(struct kernel_device *); /* idempotent */
struct netlink *kernel_netlink(void);

/* The link that has this device's name, or NULL. */
const struct nl_link *kernel_look(struct kernel_device *);
/* Notes that 'link' is the one from now on; reads what its driver says. */
void kernel_take(struct kernel_device *, const struct nl_link *);
void kernel_status(const struct kernel_device *, struct device_status *);

/* Sets what 'config' asks for and is not so yet. */
int kernel_apply_mac(struct kernel_device *, struct mac, struct why *);
int kernel_apply_mtu(struct kernel_device *, unsigned mtu, struct why *);
int kernel_apply_up(struct kernel_device *, bool up, struct why *);

#endif

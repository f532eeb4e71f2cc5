/* ring - a second ear of a system device, for dense traffic: small frames come through shared memory, without a system call each.
 *
 * Theory.   A packet socket whose frames the kernel writes into a ring of small slots (TPACKET_V2).  What fits a slot is copied from there; of a longer
 *           frame the slot only says that it waits whole in the socket's ordinary queue (PACKET_COPY_THRESH), so that 64 KiB pieces
 *           need no 64 KiB slots, and order is the slots' order.
 *           Rings cost memory, so only a device that is busy has one.  Both sockets hang on the same device; which of them hears says one word that
 *           the filters of both read, so that a frame is neither lost nor taken twice when the word changes.  Turned down: turning the
 *           one socket into a ring, which loses what comes during a grace period of the kernel, and all that waits.
 * Threads.  ring_open(), ring_hear(), ring_free(): control.  ring_look(), ring_next(): the lane that has the device's queue.
 */
#ifndef DEVICE_RING_H
#define DEVICE_RING_H 1

#include "base/rcu.h"
#include "base/why.h"
#include "packet/packet.h"
#include <stdatomic.h>

#define RING_SLOTS 2048
#define RING_SLOT 256 /* bytes; less what the kernel writes before the frame, some 76 */

struct ring {
    rcu_later later;
    int fd, queue_fd; /* the ordinary socket: borrowed */
    int word;         /* enum ear */
    uint8_t *map;
    unsigned at;        /* the next slot to look at; the lane's */
    atomic_ullong seen; /* slots so far; written by the lane */
};

/* 'fd' is a packet socket with its options set, not bound yet, which the ring takes over even on failure.  It hears nothing until ring_hear(). */
int ring_open(int fd, int queue_fd, unsigned ifindex, struct ring **, struct why *);
void ring_hear(struct ring *, bool); /* true: the ring instead of the queue; false: the other way round */
/* The queue hears from now on, whatever the word says; the ring must not be looked at after a grace period, when it may be freed. */
void ring_leave(struct ring *);
void ring_free(struct ring *); /* NULL is fine */

enum ring_slot {
    RING_EMPTY,
    RING_FRAME, /* whole, in the slot */
    RING_WAITS, /* in the socket's queue: read it from 'fd' */
    RING_LOST   /* there was no room for it anywhere */
};
enum ring_slot ring_look(const struct ring *);
/* Makes a packet of the frame in the slot; NULL: the pool is empty. */
struct packet *ring_read(const struct ring *, struct packet_pool *);
/* How many slots in a row are RING_WAITS, up to 'max'. */
unsigned ring_waiting(const struct ring *, unsigned max);
void ring_next(struct ring *, unsigned n); /* gives n slots back */

#endif

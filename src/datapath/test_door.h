/* test_door - a device for tests of this room: frames go in and come out in memory. */
#ifndef DATAPATH_TEST_DOOR_H
#define DATAPATH_TEST_DOOR_H 1

#include "device/device.h"
#include "base/mem.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#define DOOR_FRAMES 4096
#define DOOR_FRAME 256

struct door_frame {
    uint32_t len;
    uint8_t bytes[DOOR_FRAME];
};

struct door {
    struct device device;
    pthread_mutex_t lock; /* guards all below */
    int fd;
    struct door_frame in[DOOR_FRAMES], out[DOOR_FRAMES];
    unsigned in_head, n_in; /* a ring */
    unsigned n_out;         /* total; the ring keeps the last DOOR_FRAMES */
};

static unsigned
door_n_queues(UNUSED const struct device *d)
{
    return 1;
}

static int
door_fd(const struct device *d, UNUSED unsigned queue)
{
    return ((const struct door *) d)->fd;
}

static unsigned
door_receive(struct device *d_, UNUSED unsigned queue, struct packet_pool *pool, struct packet *burst[])
{
    struct door *d = (struct door *) d_;
    unsigned n = 0;
    pthread_mutex_lock(&d->lock);
    while (n < BURST && d->n_in) {
        struct packet *p = packet_from(pool, d->in[d->in_head].bytes, d->in[d->in_head].len);
        if (!p)
            break;
        burst[n++] = p;
        d->in_head = (d->in_head + 1) % DOOR_FRAMES;
        d->n_in--;
    }
    if (!d->n_in) {
        uint64_t ignored;
        if (read(d->fd, &ignored, sizeof ignored) < 0)
            (void) 0; /* it was not readable */
    }
    pthread_mutex_unlock(&d->lock);
    return n;
}

static void
door_send(struct device *d_, struct packet *const packets[], unsigned n)
{
    struct door *d = (struct door *) d_;
    pthread_mutex_lock(&d->lock);
    for (unsigned i = 0; i < n; i++) {
        struct door_frame *f = &d->out[d->n_out++ % DOOR_FRAMES];
        f->len = MIN(packets[i]->len, DOOR_FRAME);
        packet_read(packets[i], 0, f->bytes, f->len);
        packet_put(packets[i]);
    }
    pthread_mutex_unlock(&d->lock);
}

static const struct device_class door_class = {.type = "door",
                                               .size = sizeof(struct door),
                                               .n_rx_queues = door_n_queues,
                                               .rx_fd = door_fd,
                                               .receive = door_receive,
                                               .send = door_send};

static inline void
door_close_(struct device *d_)
{
    struct door *d = (struct door *) d_;
    close(d->fd);
    pthread_mutex_destroy(&d->lock);
}

static inline struct door *
door_new(const char *name)
{
    struct door *d = xzalloc_line(sizeof *d);
    d->device.class = &door_class;
    snprintf(d->device.name, sizeof d->device.name, "%s", name);
    d->device.n_refs = 1;
    d->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    pthread_mutex_init(&d->lock, NULL);
    return d;
}

static inline void
door_free(struct door *d)
{
    door_close_(&d->device);
    free(d);
}

/* False: its queue is full. */
static inline bool
door_put(struct door *d, const void *frame, uint32_t len)
{
    pthread_mutex_lock(&d->lock);
    bool fits = d->n_in < DOOR_FRAMES;
    if (fits) {
        struct door_frame *f = &d->in[(d->in_head + d->n_in++) % DOOR_FRAMES];
        f->len = len;
        memcpy(f->bytes, frame, len);
        uint64_t one = 1;
        fits = write(d->fd, &one, sizeof one) > 0;
    }
    pthread_mutex_unlock(&d->lock);
    return fits;
}

static inline unsigned
door_n_out(struct door *d)
{
    pthread_mutex_lock(&d->lock);
    unsigned n = d->n_out;
    pthread_mutex_unlock(&d->lock);
    return n;
}

/* Waits until 'n' frames came out in all (an event, not a time; the bound is for what is broken). */
static inline bool
door_wait_out(struct door *d, unsigned n)
{
    for (unsigned tries = 0; tries < 20000; tries++) {
        if (door_n_out(d) >= n)
            return true;
        usleep(500);
    }
    return false;
}

/* An Ethernet frame with IPv4 and UDP of these ports. */
static inline uint32_t
frame_udp(uint8_t *f, uint8_t dst, uint8_t src, uint16_t sport, uint16_t dport, uint32_t number)
{
    static const uint8_t head[42] = {2,    0, 0, 0,  0, 0,  2, 0, 0,  0,  0, 0, 8,  0,                    /* Ethernet */
                                     0x45, 0, 0, 46, 0, 0,  0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, /* IPv4 */
                                     0,    0, 0, 0,  0, 26, 0, 0};                                        /* UDP */
    memset(f, 0, 60);
    memcpy(f, head, sizeof head);
    f[5] = dst;
    f[11] = src;
    store_be16(f + 34, sport);
    store_be16(f + 36, dport);
    store_be32(f + 42, number);
    return 60;
}

#endif

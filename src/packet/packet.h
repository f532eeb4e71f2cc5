/* packet - one frame on its way through a lane.
 *
 * Shape.      [64 B hot][64 B cold][headroom][data ...] in one chunk of PACKET_CHUNK bytes.  A frame too long for its chunk goes on in
 *             one 'tail' segment (super-packets up to 64 KiB): all headers always stand in the chunk, the tail is payload only.
 * Offloads.   Checksum and segmentation state travel in virtio terms, as 'struct offload', from the door in to the door out;
 *             software does the work only at a door that cannot (packet/gso.h).
 * Ownership.  A packet belongs to the pool of one lane and is counted: packet_ref() lets several outputs hold the same bytes;
 *             whoever changes bytes calls packet_own() first.
 * Threads.    A packet and its pool belong to one lane; the control thread has a pool of its own.
 */
#ifndef PACKET_PACKET_H
#define PACKET_PACKET_H 1

#include "base/compiler.h"
#include <sys/uio.h>

#define PACKET_CHUNK 2048
#define PACKET_HEADROOM 128
#define PACKET_META 128
#define PACKET_ROOM (PACKET_CHUNK - PACKET_META - PACKET_HEADROOM) /* frame bytes that fit in a fresh chunk */
#define PACKET_TAIL 65536                                          /* bytes of a tail segment */
#define PACKET_MAX_LEN (PACKET_ROOM + PACKET_TAIL)
#define BURST 32

/* The number of a door in its datapath; DPPORT_NONE is no door. */
typedef uint32_t dpport;
#define DPPORT_NONE UINT32_MAX

/* struct virtio_net_hdr in host order (virtio 1.1, 5.1.6); offsets count from the frame's first byte. */
enum { OFFLOAD_NEEDS_CSUM = 1, OFFLOAD_CSUM_VALID = 2 };
enum {
    OFFLOAD_GSO_NONE = 0,
    OFFLOAD_GSO_TCPV4 = 1,
    OFFLOAD_GSO_UDP = 3,
    OFFLOAD_GSO_TCPV6 = 4,
    OFFLOAD_GSO_UDP_L4 = 5,
    OFFLOAD_GSO_ECN = 0x80
};
struct offload {
    uint8_t flags;
    uint8_t gso_type;
    uint16_t hdr_len;
    uint16_t gso_size;
    uint16_t csum_start;
    uint16_t csum_offset;
};

struct packet_tail {
    struct packet_pool *pool;
    struct packet_tail *next_free;
    uint32_t n_refs;
    uint32_t off; /* first used byte */
    uint8_t bytes[PACKET_TAIL];
};

struct packet {
    /* hot */
    uint8_t *data;     /* first byte of the frame */
    uint32_t len;      /* of the whole frame */
    uint32_t tail_len; /* of that, bytes in the tail */
    dpport in_port;
    uint32_t hash;   /* of the flow, 0: not known yet */
    uint16_t l2_len; /* Ethernet header with its tags; set by key_parse() */
    uint16_t l4_ofs; /* from data; 0: none or unknown */
    uint16_t l3_ofs; /* from data: IP, ARP, NSH header or MPLS stack, if it is whole; 0: none or unknown */
    uint8_t stage;   /* times it went around (recirculation) */
    uint8_t pad_;
    struct offload offload;
    uint16_t pad2_;
    struct packet_tail *tail;
    /* cold, from the second line on */
    struct packet_pool *pool CACHE_ALIGNED;
    struct packet *next_free;
    uint32_t n_refs;
    uint32_t mark, priority;
} CACHE_ALIGNED;

static_assert(sizeof(struct packet) == PACKET_META, "two lines");

struct packet_pool;

/* A pool of n_chunks chunks and n_tails tails, from anonymous memory that may use huge pages. */
struct packet_pool *packet_pool_new(unsigned n_chunks, unsigned n_tails);
void packet_pool_free(struct packet_pool *); /* every packet must be back */
unsigned packet_pool_in_use(const struct packet_pool *);

struct packet *packet_new(struct packet_pool *); /* empty frame; NULL: pool is empty */
struct packet *packet_from(struct packet_pool *, const void *frame,
                           size_t len); /* copies; NULL: pool empty or frame too long */
struct packet *packet_ref(struct packet *);
void packet_put(struct packet *); /* NULL is fine */
/* The same frame in bytes nobody else holds (itself when it is alone; otherwise a copy, the tail still shared); gives up the reference
 * to 'p'.  NULL when the pool is empty ('p' is put). */
struct packet *packet_own(struct packet *p);
struct packet *packet_copy_to(struct packet_pool *,
                              const struct packet *); /* into another lane's pool; NULL when empty */

/* Bytes of the frame that stand in the chunk. */
static inline uint32_t
packet_head_len(const struct packet *p)
{
    return p->len - p->tail_len;
}

static inline size_t
packet_headroom(const struct packet *p)
{
    return (size_t) (p->data - (const uint8_t *) p) - PACKET_META;
}

static inline size_t
packet_tailroom(const struct packet *p)
{
    return p->tail_len ? 0 : (size_t) ((const uint8_t *) p + PACKET_CHUNK - p->data) - p->len;
}

/* The frame as one or two pieces; returns how many. */
unsigned packet_iov(const struct packet *, struct iovec iov[2]);
/* Copies n bytes from 'ofs' on, wherever they stand; false when the frame is shorter. */
bool packet_read(const struct packet *, size_t ofs, void *to, size_t n);

struct packet_tail *packet_tail_new(struct packet_pool *); /* NULL: none left */
void packet_tail_put(struct packet_tail *);

#endif
